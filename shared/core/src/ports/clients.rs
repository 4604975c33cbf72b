//! What has to be kept for Mpush clients.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    StoreError,
    model::{AccountId, ConnectionId, DeliveryId, EventId, Mid, Name},
};

/// Mpush clients: who speaks for an account, who is connected, what waits for whom, and under which numbers.
#[async_trait]
pub trait Clients: Send + Sync {
    /// The account whose token has that hash, at most 30 s old, "there is none" included. Whether it still has that token, its
    /// settings say.
    async fn account_of(&self, token_hash: &str) -> Result<Option<AccountId>, StoreError>;

    /// Gives the token of that hash to the account. `false`: another account has it.
    async fn take_token(&self, token_hash: &str, account: &AccountId) -> Result<bool, StoreError>;

    /// Takes it from the account again.
    async fn drop_token(&self, token_hash: &str, account: &AccountId) -> Result<(), StoreError>;

    /// Gives the event this number, for as long as messages are kept for clients at least, or passes it on from `was`, an id that
    /// the event did not get in the end. `false`: another event has it.
    async fn number(&self, account: &AccountId, mid: Mid, event: EventId, was: Option<EventId>) -> Result<bool, StoreError>;

    /// The event of that number.
    async fn numbered(&self, account: &AccountId, mid: Mid) -> Result<Option<EventId>, StoreError>;

    /// Puts the delivery into the client's line, in the order of ids; once, however often it is put there.
    async fn enter(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError>;

    /// Takes it out.
    async fn leave(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError>;

    /// The first `most` of the line, as it is now.
    async fn line(&self, account: &AccountId, name: &Name, most: usize) -> Result<Vec<DeliveryId>, StoreError>;

    /// That is who speaks on this connection.
    async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError>;

    /// The client is on this connection from now on. Answers the one on which it was before.
    async fn connect(&self, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError>;

    /// That connection, on which the client was, is gone; where it is on another one by now, it stays there.
    async fn disconnect(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError>;

    /// The connection on which the client is, as it is now.
    async fn connection(&self, account: &AccountId, name: &Name) -> Result<Option<ConnectionId>, StoreError>;

    /// Who is on a connection.
    async fn session(&self, connection: &ConnectionId) -> Result<Option<Session>, StoreError>;
}

/// Who is on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose client.
    pub account: AccountId,
    /// Under which name.
    pub name: Name,
}
