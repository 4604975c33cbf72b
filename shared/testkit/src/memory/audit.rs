//! The accounts' audits.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, AuditEntry, AuditId},
    ports::Audit,
};

use super::Worker;

#[async_trait]
impl Audit for Worker {
    async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let place = (entry.account.clone(), entry.id);
        self.effect("audit row", |tables| drop(tables.audit.insert(place, entry.clone()))).await
    }

    async fn list(&self, account: &AccountId, before: Option<AuditId>, most: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let fits = |entry: &&AuditEntry| entry.account == *account && before.is_none_or(|before| entry.id < before);
        Ok(self.read(|tables| tables.audit.values().rev().filter(fits).take(most).cloned().collect()))
    }
}
