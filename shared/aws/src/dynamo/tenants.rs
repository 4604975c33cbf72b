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

    async fn list(&self, after: Option<&AccountId>, most: usize) -> Result<Vec<Account>, StoreError> {
        let from = after.map(|after| format!("{}\0", after.as_str()));
        let rows = self.table.query(&Range { from, ..Range::all(keys::ACCOUNTS) }, most).await?;
        rows.iter().map(Row::body).collect()
    }

    async fn create(&self, account: &Account, key: &Key) -> Result<bool, StoreError> {
        let mut writes = account_rows(account, Condition::IS_FREE)?;
        writes.extend(key_rows(key)?);
        let made = self.table.write_all(writes).await;
        self.known.accounts.forget(&account.id);
        self.known.keys.forget(&key.id);
        made
    }

    async fn put(&self, before: Option<&Account>, account: &Account) -> Result<bool, StoreError> {
        self.known.accounts.forget(&account.id);
        let there = self.table.get(keys::account(&account.id)).await?;
        let stored = there.as_ref().map(Row::body::<Account>).transpose()?;
        if stored.as_ref() != before {
            return Ok(false);
        }
        let condition = there.map_or(Ok(Condition::IS_FREE), |there| Condition::has_body_of(&there))?;
        let written = self.table.write_all(account_rows(account, condition)?).await;
        self.known.accounts.forget(&account.id);
        written
    }
}

/// An account, and the same for the list of all.
fn account_rows(account: &Account, condition: Condition) -> Result<Vec<Write>, StoreError> {
    let row = |key| Row::new(key).with_body(account);
    Ok(vec![Write::Put(row(keys::account(&account.id))?, Some(condition)), Write::Put(row(keys::listed(&account.id))?, None)])
}

/// A key that must be new, and the same for its account's list.
fn key_rows(key: &Key) -> Result<Vec<Write>, StoreError> {
    Ok(vec![
        Write::Put(Row::new(keys::api_key(&key.id)).with_body(key)?, Some(Condition::IS_FREE)),
        Write::Put(Row::new(keys::api_key_of_account(key)).with_body(key)?, None),
    ])
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
        let made = self.table.write_all(key_rows(key)?).await;
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
