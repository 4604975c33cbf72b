//! The paths by which other systems report: one row for whoever comes by it, one for the account's list. Both come and go in
//! one transaction, so that one says of the other that it is there.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Hook, Name},
    ports::Hooks,
};

use super::{
    keys,
    table::{Condition, Range, Row, Write},
};
use crate::Store;

/// More than an account may have.
const MOST: usize = 1_000;

#[async_trait]
impl Hooks for Store {
    async fn find(&self, hash: &str) -> Result<Option<Arc<Hook>>, StoreError> {
        let hash = hash.to_owned();
        let began = match self.known.hooks.get(&hash, self.clock.now()) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let found = self.table.get(keys::hook(&hash)).await?;
        let found = found.map(|row| row.body::<Hook>()).transpose()?.map(Arc::new);
        self.known.hooks.keep(began, hash, found.clone());
        Ok(found)
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Hook>, StoreError> {
        let rows = self.table.query(&Range::all(keys::hooks(account)), MOST).await?;
        rows.iter().map(Row::body).collect()
    }

    async fn create(&self, hook: &Hook) -> Result<bool, StoreError> {
        let made = self
            .table
            .write_all(vec![
                Write::Put(Row::new(keys::hook(&hook.hash)).with_body(hook)?, Some(Condition::IS_FREE)),
                Write::Put(Row::new(keys::hook_of_account(hook)).with_body(hook)?, Some(Condition::IS_FREE)),
            ])
            .await;
        self.known.hooks.forget(&hook.hash);
        made
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        let Some(hook) = self.list(account).await?.into_iter().find(|hook| hook.name == *name) else { return Ok(false) };
        let deleted = self
            .table
            .write_all(vec![
                Write::Delete(keys::hook(&hook.hash), Some(Condition::IS_THERE)),
                Write::Delete(keys::hook_of_account(&hook), None),
            ])
            .await;
        self.known.hooks.forget(&hook.hash);
        deleted
    }
}
