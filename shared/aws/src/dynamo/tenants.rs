//! Tenants and their keys.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{Account, AccountId, Key, KeyId},
    ports::{Accounts, Keys},
};

use super::{
    keys,
    table::{Condition, Range, Row, Write},
};
use crate::Store;

/// More keys than anybody can look after; a list ends there.
const MOST_KEYS: usize = 1_000;

#[async_trait]
impl Accounts for Store {
    async fn get(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        let began = match self.known.accounts.get(id, self.clock.now()) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let found = self.table.get(keys::account(id)).await?;
        let found = found.map(|row| row.body::<Account>()).transpose()?.map(Arc::new);
        self.known.accounts.keep(began, id.clone(), found.clone());
        Ok(found)
    }

    async fn put(&self, account: &Account) -> Result<(), StoreError> {
        let written = self.table.put(Row::new(keys::account(&account.id)).with_body(account)?).await;
        self.known.accounts.forget(&account.id);
        written
    }
}

#[async_trait]
impl Keys for Store {
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError> {
        let began = match self.known.keys.get(id, self.clock.now()) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let found = self.read_key(id).await?.map(Arc::new);
        self.known.keys.keep(began, id.clone(), found.clone());
        Ok(found)
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        let rows = self.table.query(&Range::all(keys::api_keys(account)), MOST_KEYS).await?;
        rows.iter().map(Row::body).collect()
    }

    async fn create(&self, key: &Key) -> Result<bool, StoreError> {
        let made = self
            .table
            .write_all(vec![
                Write::Put(Row::new(keys::api_key(&key.id)).with_body(key)?, Some(Condition::IS_FREE)),
                Write::Put(Row::new(keys::api_key_of_account(key)).with_body(key)?, None),
            ])
            .await;
        self.known.keys.forget(&key.id);
        made
    }

    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError> {
        let Some(key) = self.read_key(id).await?.filter(|key| key.account == *account) else { return Ok(false) };
        let deleted = self
            .table
            .write_all(vec![
                Write::Delete(keys::api_key(id), Some(Condition::IS_THERE)),
                Write::Delete(keys::api_key_of_account(&key), None),
            ])
            .await;
        self.known.keys.forget(id);
        deleted
    }
}

impl Store {
    async fn read_key(&self, id: &KeyId) -> Result<Option<Key>, StoreError> {
        self.table.get(keys::api_key(id)).await?.map(|row| row.body()).transpose()
    }
}
