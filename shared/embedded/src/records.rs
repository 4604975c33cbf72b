//! What an account says or we know about it, as JSON under a name.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::AccountId,
    ports::{Kind, Record, Records},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{Store, error::Fault, queue::table::limit, writer::Effect};

#[async_trait]
impl Records for Store {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        let (account, name) = (account.clone(), name.to_owned());
        self.readers.read(move |connection| get(connection, &account, kind, &name)).await
    }

    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        let key = (account.clone(), kind);
        let began = match self.memory.records.get(&key) {
            Ok(known) => return Ok(known.unwrap_or_default()),
            Err(began) => began,
        };
        let found = Arc::new(self.list(account, kind, None, usize::MAX).await?);
        self.memory.records.keep(began, key, Some(Arc::clone(&found)));
        Ok(found)
    }

    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        let (account, after) = (account.clone(), after.unwrap_or_default().to_owned()); // no name is empty
        let look = move |connection: &Connection| {
            let mut find = connection.prepare_cached(
                "SELECT name, version, body FROM records WHERE account = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT ?4",
            )?;
            let found = find.query_map((account.as_str(), kind.as_str(), &after, limit(most)), record)?;
            Ok(found.collect::<Result<_, _>>()?)
        };
        self.readers.read(look).await
    }

    async fn put(&self, account: &AccountId, kind: Kind, record: &Record) -> Result<bool, StoreError> {
        let (account, record) = (account.clone(), record.clone());
        self.write(move |tx| {
            let before = get(tx.connection, &account, kind, &record.name)?;
            if before.map_or(0, |before| before.version) + 1 != record.version {
                return Ok(false);
            }
            let version = i64::try_from(record.version).map_err(|_| Fault::corrupt("a version"))?;
            tx.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO records (account, kind, name, version, body) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((account.as_str(), kind.as_str(), &record.name, version, &record.body))?;
            tx.effects.push(Effect::Records(account.clone(), kind));
            Ok(true)
        })
        .await
    }

    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError> {
        let (account, name) = (account.clone(), name.to_owned());
        self.write(move |tx| {
            let mut delete =
                tx.connection.prepare_cached("DELETE FROM records WHERE account = ?1 AND kind = ?2 AND name = ?3")?;
            let found = delete.execute((account.as_str(), kind.as_str(), &name))? > 0;
            tx.effects.push(Effect::Records(account.clone(), kind));
            Ok(found)
        })
        .await
    }

    async fn give_way(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

fn get(connection: &Connection, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
    let mut find =
        connection.prepare_cached("SELECT name, version, body FROM records WHERE account = ?1 AND kind = ?2 AND name = ?3")?;
    Ok(find.query_row((account.as_str(), kind.as_str(), name), record).optional()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { name: row.get(0)?, version: row.get::<_, i64>(1)?.unsigned_abs(), body: row.get(2)? })
}
