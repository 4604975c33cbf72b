//! Mpush clients: tokens, numbers, lines, connections.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, ConnectionId, DeliveryId, EventId, Mid, Name},
    ports::{Clients, Session},
};

use super::Worker;

#[async_trait]
impl Clients for Worker {
    async fn account_of(&self, token_hash: &str) -> Result<Option<AccountId>, StoreError> {
        Ok(self.read(|tables| tables.client_tokens.get(token_hash).cloned()))
    }

    async fn take_token(&self, token_hash: &str, account: &AccountId) -> Result<bool, StoreError> {
        self.effect("client token", |tables| {
            tables.client_tokens.entry(token_hash.to_owned()).or_insert_with(|| account.clone()) == account
        })
        .await
    }

    async fn drop_token(&self, token_hash: &str, account: &AccountId) -> Result<(), StoreError> {
        self.effect("client token gone", |tables| {
            if tables.client_tokens.get(token_hash) == Some(account) {
                tables.client_tokens.remove(token_hash);
            }
        })
        .await
    }

    async fn number(&self, account: &AccountId, mid: Mid, event: EventId, was: Option<EventId>) -> Result<bool, StoreError> {
        self.effect("number", |tables| {
            let there = tables.numbers.entry((account.clone(), mid)).or_insert(event);
            if Some(*there) == was {
                *there = event;
            }
            *there == event
        })
        .await
    }

    async fn numbered(&self, account: &AccountId, mid: Mid) -> Result<Option<EventId>, StoreError> {
        Ok(self.read(|tables| tables.numbers.get(&(account.clone(), mid)).copied()))
    }

    async fn enter(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        self.effect("in line", |tables| {
            tables.lines.insert((account.clone(), name.clone(), delivery));
        })
        .await
    }

    async fn leave(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        self.effect("out of line", |tables| {
            tables.lines.remove(&(account.clone(), name.clone(), delivery));
        })
        .await
    }

    async fn line(&self, account: &AccountId, name: &Name, most: usize) -> Result<Vec<DeliveryId>, StoreError> {
        Ok(self.read(|tables| {
            let of_client = tables.lines.iter().filter(|(owner, client, _)| owner == account && client == name);
            of_client.map(|(.., delivery)| *delivery).take(most).collect()
        }))
    }

    async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        self.effect("session", |tables| {
            tables.sessions.insert(connection.clone(), session.clone());
        })
        .await
    }

    async fn connect(&self, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError> {
        self.effect("connection", |tables| {
            tables.connections.insert((session.account.clone(), session.name.clone()), connection.clone())
        })
        .await
    }

    async fn disconnect(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        self.effect("connection gone", |tables| {
            tables.sessions.remove(connection);
            let place = (session.account.clone(), session.name.clone());
            if tables.connections.get(&place) == Some(connection) {
                tables.connections.remove(&place);
            }
        })
        .await
    }

    async fn connection(&self, account: &AccountId, name: &Name) -> Result<Option<ConnectionId>, StoreError> {
        Ok(self.read(|tables| tables.connections.get(&(account.clone(), name.clone())).cloned()))
    }

    async fn session(&self, connection: &ConnectionId) -> Result<Option<Session>, StoreError> {
        Ok(self.read(|tables| tables.sessions.get(connection).cloned()))
    }
}
