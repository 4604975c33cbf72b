//! What an account says or we know about it, as JSON under a name.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::AccountId,
    ports::{Kind, Record, Records},
};

use super::{
    keys,
    table::{BODY, Condition, Range, Row, Written},
};
use crate::{Store, error::corrupt};

const VERSION: &str = "version";

/// More than an account may have of a kind that is read as a whole.
const MOST: usize = 10_000;

#[async_trait]
impl Records for Store {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        let row = self.table.get(keys::record(account, kind, name)).await?;
        row.map(|row| record(name, &row)).transpose()
    }

    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        let key = (account.clone(), kind);
        let began = match self.known.records.get(&key, self.clock.now()) {
            Ok(known) => return Ok(known.unwrap_or_default()),
            Err(began) => began,
        };
        let found = Arc::new(self.list(account, kind, None, MOST).await?);
        self.known.records.keep(began, key, Some(Arc::clone(&found)));
        Ok(found)
    }

    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        // the first text above the name itself
        let from = after.map(|after| format!("{after}\0"));
        let rows = self.table.query(&Range { from, ..Range::all(keys::records(account, kind)) }, most).await?;
        rows.iter().map(|row| record(row.text("sk")?, row)).collect()
    }

    async fn put(&self, account: &AccountId, kind: Kind, record: &Record) -> Result<bool, StoreError> {
        let row = Row::new(keys::record(account, kind, &record.name))
            .with_text(BODY, &record.body)
            .with_number(VERSION, record.version);
        let row = match kind {
            Kind::Counter => row.with_number(keys::EXPIRES, self.kept_until(account).await?),
            Kind::Rule | Kind::Source | Kind::Contact | Kind::Use => row,
        };
        let before = record.version.saturating_sub(1);
        let condition = if before == 0 { Condition::IS_FREE } else { Condition::new("version = :version", ":version", before) };
        let written = self.table.put_if(row, &condition, self.clock.chance()).await;
        self.known.records.forget(&(account.clone(), kind));
        Ok(matches!(written?, Written::Yes))
    }

    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError> {
        let there = self.table.get(keys::record(account, kind, name)).await?.is_some();
        let deleted = self.table.delete(keys::record(account, kind, name)).await;
        self.known.records.forget(&(account.clone(), kind));
        deleted.map(|()| there)
    }

    async fn give_way(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

fn record(name: &str, row: &Row) -> Result<Record, StoreError> {
    let body = row.text(BODY).map_err(|_| corrupt("a record"))?;
    Ok(Record { name: name.to_owned(), version: row.number(VERSION)?, body: body.to_owned() })
}
