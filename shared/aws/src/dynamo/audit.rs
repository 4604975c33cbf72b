//! The accounts' audits: rows that are written once, listed, and forgotten by their TTL.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, AuditEntry, AuditId},
    ports::Audit,
};

use super::{
    keys,
    table::{Range, Row},
};
use crate::Store;

#[async_trait]
impl Audit for Store {
    async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let row = Row::new(keys::audit_entry(&entry.account, entry.id)).with_body(entry)?;
        self.table.put(row.with_number(keys::EXPIRES, entry.until.as_second())).await
    }

    async fn list(&self, account: &AccountId, before: Option<AuditId>, most: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let before = before.map(|before| before.to_string());
        let range = Range { before, newest_first: true, ..Range::all(keys::audit(account)) };
        self.table.query(&range, most).await?.iter().map(Row::body).collect()
    }
}
