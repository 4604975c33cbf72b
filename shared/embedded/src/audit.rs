//! The accounts' audits: rows that are written once, listed, and forgotten when their time is over.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, AuditEntry, AuditId},
    ports::Audit,
};
use rusqlite::Connection;

use crate::{
    Store,
    error::{json, parse},
    queue::{millis, table::limit},
};

#[async_trait]
impl Audit for Store {
    async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let (account, id, until, body) = (entry.account.clone(), entry.id, millis(entry.until), json(entry)?);
        self.write(move |tx| {
            let mut write =
                tx.connection.prepare_cached("INSERT INTO audit (account, id, until, body) VALUES (?1, ?2, ?3, ?4)")?;
            write.execute((account.as_str(), id.0.to_be_bytes(), until, &body))?;
            Ok(())
        })
        .await
    }

    async fn list(&self, account: &AccountId, before: Option<AuditId>, most: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let before = before.map_or(u128::MAX, |before| before.0).to_be_bytes();
            let mut find =
                connection.prepare_cached("SELECT body FROM audit WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")?;
            let found = find.query_map((account.as_str(), before, limit(most)), |row| row.get::<_, String>(0))?;
            found.map(|body| parse("an entry of the audit", &body?)).collect()
        };
        self.readers.read(look).await
    }
}
