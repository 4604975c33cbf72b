//! Mpush clients: tokens, numbers and lines are kept; connections end with the process, and so does what is known of them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, ConnectionId, DeliveryId, EventId, Mid, Name},
    ports::{Clients, Session},
};
use rusqlite::OptionalExtension;

use crate::{
    Store,
    error::Fault,
    queue::table::{delivery_key, delivery_of_key, event_key, limit},
};

/// Who is connected.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Known>);

#[derive(Default)]
struct Known {
    sessions: HashMap<ConnectionId, Session>,
    by_name: HashMap<(AccountId, Name), ConnectionId>,
}

impl Connections {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clients for Store {
    async fn account_of(&self, token_hash: &str) -> Result<Option<AccountId>, StoreError> {
        let hash = token_hash.to_owned();
        let found = self.readers.read(move |connection| {
            let mut find = connection.prepare_cached("SELECT account FROM client_tokens WHERE hash = ?1")?;
            Ok(find.query_row([&hash], |row| row.get::<_, String>(0)).optional()?)
        });
        let named = |account: String| AccountId::parse(&account).map_err(|_| StoreError::Corrupt("an account's name".to_owned()));
        found.await?.map(named).transpose()
    }

    async fn take_token(&self, token_hash: &str, account: &AccountId) -> Result<bool, StoreError> {
        let (hash, account) = (token_hash.to_owned(), account.clone());
        self.write(move |tx| {
            let mut take = tx.connection.prepare_cached(
                "INSERT INTO client_tokens (hash, account) VALUES (?1, ?2) ON CONFLICT (hash) DO UPDATE SET account = account
                 WHERE account = excluded.account",
            )?;
            Ok(take.execute((&hash, account.as_str()))? > 0)
        })
        .await
    }

    async fn drop_token(&self, token_hash: &str, account: &AccountId) -> Result<(), StoreError> {
        let (hash, account) = (token_hash.to_owned(), account.clone());
        self.write(move |tx| {
            let mut gone = tx.connection.prepare_cached("DELETE FROM client_tokens WHERE hash = ?1 AND account = ?2")?;
            gone.execute((&hash, account.as_str()))?;
            Ok(())
        })
        .await
    }

    async fn number(&self, account: &AccountId, mid: Mid, event: EventId, was: Option<EventId>) -> Result<bool, StoreError> {
        let (account, mid) = (account.clone(), number(mid)?);
        self.write(move |tx| {
            let mut put = tx.connection.prepare_cached(
                "INSERT INTO numbers (account, mid, event) VALUES (?1, ?2, ?3) ON CONFLICT (account, mid) DO UPDATE
                 SET event = excluded.event WHERE event = excluded.event OR event = ?4",
            )?;
            Ok(put.execute((account.as_str(), mid, event_key(event), was.map(event_key)))? > 0)
        })
        .await
    }

    async fn numbered(&self, account: &AccountId, mid: Mid) -> Result<Option<EventId>, StoreError> {
        let account = account.clone();
        let Ok(mid) = number(mid) else { return Ok(None) };
        self.readers
            .read(move |connection| {
                let mut find = connection.prepare_cached("SELECT event FROM numbers WHERE account = ?1 AND mid = ?2")?;
                let found = find.query_row((account.as_str(), mid), |row| row.get::<_, [u8; 16]>(0)).optional()?;
                Ok(found.map(|key| EventId(u128::from_be_bytes(key))))
            })
            .await
    }

    async fn enter(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let mut put =
                tx.connection.prepare_cached("INSERT OR IGNORE INTO lines (account, name, delivery) VALUES (?1, ?2, ?3)")?;
            put.execute((account.as_str(), name.as_str(), delivery_key(delivery)))?;
            Ok(())
        })
        .await
    }

    async fn leave(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let mut gone =
                tx.connection.prepare_cached("DELETE FROM lines WHERE account = ?1 AND name = ?2 AND delivery = ?3")?;
            gone.execute((account.as_str(), name.as_str(), delivery_key(delivery)))?;
            Ok(())
        })
        .await
    }

    async fn line(&self, account: &AccountId, name: &Name, most: usize) -> Result<Vec<DeliveryId>, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        let look = move |connection: &rusqlite::Connection| -> Result<Vec<DeliveryId>, Fault> {
            let mut find = connection
                .prepare_cached("SELECT delivery FROM lines WHERE account = ?1 AND name = ?2 ORDER BY delivery LIMIT ?3")?;
            let mut rows = find.query((account.as_str(), name.as_str(), limit(most)))?;
            let mut line = Vec::new();
            while let Some(row) = rows.next()? {
                line.push(delivery_of_key(&row.get::<_, Vec<u8>>(0)?)?);
            }
            Ok(line)
        };
        self.readers.read(look).await
    }

    async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        self.memory.connections.known().sessions.insert(connection.clone(), session.clone());
        Ok(())
    }

    async fn connect(&self, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError> {
        let mut known = self.memory.connections.known();
        Ok(known.by_name.insert((session.account.clone(), session.name.clone()), connection.clone()))
    }

    async fn disconnect(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        let mut known = self.memory.connections.known();
        known.sessions.remove(connection);
        let place = (session.account.clone(), session.name.clone());
        if known.by_name.get(&place) == Some(connection) {
            known.by_name.remove(&place);
        }
        Ok(())
    }

    async fn connection(&self, account: &AccountId, name: &Name) -> Result<Option<ConnectionId>, StoreError> {
        Ok(self.memory.connections.known().by_name.get(&(account.clone(), name.clone())).cloned())
    }

    async fn session(&self, connection: &ConnectionId) -> Result<Option<Session>, StoreError> {
        Ok(self.memory.connections.known().sessions.get(connection).cloned())
    }
}

fn number(mid: Mid) -> Result<i64, StoreError> {
    i64::try_from(mid.0).map_err(|_| StoreError::Corrupt("a number of a message that is out of range".to_owned()))
}
