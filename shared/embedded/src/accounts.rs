//! Tenants and their keys.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{Account, AccountId, Key, KeyId},
    ports::{Accounts, Keys},
};
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::{millis, table::limit},
    writer::Effect,
};

/// One account.
const ONE: &str = "SELECT body FROM accounts WHERE id = ?1";

#[async_trait]
impl Accounts for Store {
    async fn get(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        let began = match self.memory.accounts.get(id) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let wanted = id.clone();
        let look = move |connection: &Connection| one(connection, "an account", ONE, wanted.as_str());
        let found = self.readers.read(look).await?.map(Arc::new);
        self.memory.accounts.keep(began, id.clone(), found.clone());
        Ok(found)
    }

    async fn list(&self, after: Option<&AccountId>, most: usize) -> Result<Vec<Account>, StoreError> {
        let after = after.map_or_else(String::new, |after| after.as_str().to_owned()); // no name is empty
        let look = move |connection: &Connection| {
            let mut find = connection.prepare_cached("SELECT body FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let found = find.query_map((&after, limit(most)), |row| row.get::<_, String>(0))?;
            found.map(|body| parse("an account", &body?)).collect()
        };
        self.readers.read(look).await
    }

    async fn create(&self, account: &Account, key: &Key) -> Result<bool, StoreError> {
        let (account, key) = (account.clone(), key.clone());
        let (body, key_body) = (json(&account)?, json(&key)?);
        self.write(move |tx| {
            let mut taken = tx.connection.prepare_cached("SELECT 1 FROM keys WHERE id = ?1")?;
            if taken.exists([key.id.part()])? {
                return Ok(false);
            }
            let mut make = tx.connection.prepare_cached("INSERT OR IGNORE INTO accounts (id, body) VALUES (?1, ?2)")?;
            if make.execute((account.id.as_str(), &body))? == 0 {
                return Ok(false);
            }
            let mut make =
                tx.connection.prepare_cached("INSERT INTO keys (id, account, created_at, body) VALUES (?1, ?2, ?3, ?4)")?;
            make.execute((key.id.part(), key.account.as_str(), millis(key.created_at), &key_body))?;
            tx.effects.push(Effect::Account(account.id.clone()));
            tx.effects.push(Effect::Key(key.account.clone(), key.id.clone()));
            Ok(true)
        })
        .await
    }

    async fn put(&self, before: Option<&Account>, account: &Account) -> Result<bool, StoreError> {
        let (before, id, body) = (before.cloned(), account.id.clone(), json(account)?);
        self.write(move |tx| {
            if one(tx.connection, "an account", ONE, id.as_str())? != before {
                return Ok(false);
            }
            let mut write = tx.connection.prepare_cached("INSERT OR REPLACE INTO accounts (id, body) VALUES (?1, ?2)")?;
            write.execute((id.as_str(), &body))?;
            tx.effects.push(Effect::Account(id.clone()));
            Ok(true)
        })
        .await
    }
}

#[async_trait]
impl Keys for Store {
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError> {
        let began = match self.memory.keys.get(id) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let wanted = id.clone();
        let look = move |connection: &Connection| one(connection, "a key", "SELECT body FROM keys WHERE id = ?1", wanted.part());
        let found = self.readers.read(look).await?.map(Arc::new);
        self.memory.keys.keep(began, id.clone(), found.clone());
        Ok(found)
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut find = connection.prepare_cached("SELECT body FROM keys WHERE account = ?1 ORDER BY created_at, id")?;
            let found = find.query_map([account.as_str()], |row| row.get::<_, String>(0))?;
            found.map(|body| parse("a key", &body?)).collect()
        };
        self.readers.read(look).await
    }

    async fn create(&self, key: &Key) -> Result<bool, StoreError> {
        let (key, body) = (key.clone(), json(key)?);
        self.write(move |tx| {
            let mut insert = tx
                .connection
                .prepare_cached("INSERT OR IGNORE INTO keys (id, account, created_at, body) VALUES (?1, ?2, ?3, ?4)")?;
            let made = insert.execute((key.id.part(), key.account.as_str(), millis(key.created_at), &body))? > 0;
            tx.effects.push(Effect::Key(key.account.clone(), key.id.clone()));
            Ok(made)
        })
        .await
    }

    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError> {
        let (account, id) = (account.clone(), id.clone());
        self.write(move |tx| {
            let mut delete = tx.connection.prepare_cached("DELETE FROM keys WHERE id = ?1 AND account = ?2")?;
            let found = delete.execute((id.part(), account.as_str()))? > 0;
            tx.effects.push(Effect::Key(account.clone(), id.clone()));
            Ok(found)
        })
        .await
    }
}

pub(crate) fn one<T: DeserializeOwned>(connection: &Connection, what: &str, sql: &str, id: &str) -> Result<Option<T>, Fault> {
    let body = connection.prepare_cached(sql)?.query_row([id], |row| row.get::<_, String>(0)).optional()?;
    body.map(|body| parse(what, &body)).transpose()
}
