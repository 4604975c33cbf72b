//! The paths by which other systems report.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Hook, Name},
    ports::Hooks,
};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Store,
    accounts::one,
    error::{json, parse},
    writer::Effect,
};

#[async_trait]
impl Hooks for Store {
    async fn find(&self, hash: &str) -> Result<Option<Arc<Hook>>, StoreError> {
        let hash = hash.to_owned();
        let began = match self.memory.hooks.get(&hash) {
            Ok(known) => return Ok(known),
            Err(began) => began,
        };
        let wanted = hash.clone();
        let look = move |connection: &Connection| one(connection, "a hook", "SELECT body FROM hooks WHERE hash = ?1", &wanted);
        let found = self.readers.read(look).await?.map(Arc::new);
        self.memory.hooks.keep(began, hash, found.clone());
        Ok(found)
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Hook>, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut find = connection.prepare_cached("SELECT body FROM hooks WHERE account = ?1 ORDER BY name")?;
            let found = find.query_map([account.as_str()], |row| row.get::<_, String>(0))?;
            found.map(|body| parse("a hook", &body?)).collect()
        };
        self.readers.read(look).await
    }

    async fn create(&self, hook: &Hook) -> Result<bool, StoreError> {
        let (hook, body) = (hook.clone(), json(hook)?);
        self.write(move |tx| {
            let mut insert = tx
                .connection
                .prepare_cached("INSERT OR IGNORE INTO hooks (account, name, hash, body) VALUES (?1, ?2, ?3, ?4)")?;
            let made = insert.execute((hook.account.as_str(), hook.name.as_str(), &hook.hash, &body))? > 0;
            tx.effects.push(Effect::Hook(hook.hash.clone()));
            Ok(made)
        })
        .await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let mut delete = tx.connection.prepare_cached("DELETE FROM hooks WHERE account = ?1 AND name = ?2 RETURNING hash")?;
            let gone = delete.query_row((account.as_str(), name.as_str()), |row| row.get::<_, String>(0)).optional()?;
            let was_there = gone.is_some();
            tx.effects.extend(gone.map(Effect::Hook));
            Ok(was_there)
        })
        .await
    }
}
