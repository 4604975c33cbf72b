//! Mpush clients: tokens, numbers, lines, and who is connected to API Gateway.
//!
//! A line is a partition of its client's own, in the order of ids. A connection has two rows: by its id, who is on it; by the
//! client's name, which connection counts. Either may be left behind by whoever dies: a push to a connection that is gone
//! says so, and TTL takes the rest, since API Gateway ends every connection after two hours.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    clients::AGE,
    model::{AccountId, ConnectionId, DeliveryId, EventId, Mid, Name},
    ports::{Clients, Session},
};

use super::{
    keys,
    table::{Condition, Range, Row, Written},
};
use crate::{
    Store,
    error::{corrupt, unfinished},
};

/// The longest that a connection lives, and a little.
const LONGEST_CONNECTION: Duration = Duration::from_hours(3);

/// How often a client's row is written again that others write at the same time.
const MOST_TRIES: usize = 16;

const ACCOUNT: &str = "account";
const EVENT: &str = "event";
const CONNECTION: &str = "connection";
const VERSION: &str = "version";

#[async_trait]
impl Clients for Store {
    async fn account_of(&self, token_hash: &str) -> Result<Option<AccountId>, StoreError> {
        let hash = token_hash.to_owned();
        let began = match self.known.client_tokens.get(&hash, self.clock.now()) {
            Ok(known) => return Ok(known.map(|account| AccountId::clone(&account))),
            Err(began) => began,
        };
        let row = self.table.get(keys::client_token(&hash)).await?;
        let account = row.map(|row| owner(&row)).transpose()?;
        self.known.client_tokens.keep(began, hash, account.clone().map(Arc::new));
        Ok(account)
    }

    async fn take_token(&self, token_hash: &str, account: &AccountId) -> Result<bool, StoreError> {
        let row = Row::new(keys::client_token(token_hash)).with_text(ACCOUNT, account.as_str());
        let taken = match self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await? {
            Written::Yes => true,
            Written::No(there) => there.is_some_and(|there| owner(&there).is_ok_and(|owner| owner == *account)),
        };
        self.known.client_tokens.forget(&token_hash.to_owned());
        Ok(taken)
    }

    async fn drop_token(&self, token_hash: &str, account: &AccountId) -> Result<(), StoreError> {
        let row = self.table.get(keys::client_token(token_hash)).await?;
        if row.is_some_and(|row| owner(&row).is_ok_and(|owner| owner == *account)) {
            self.table.delete(keys::client_token(token_hash)).await?;
        }
        self.known.client_tokens.forget(&token_hash.to_owned());
        Ok(())
    }

    async fn number(&self, account: &AccountId, mid: Mid, event: EventId, was: Option<EventId>) -> Result<bool, StoreError> {
        let row = Row::new(keys::number(account, mid))
            .with_text(EVENT, event.to_string())
            .with_number(keys::EXPIRES, self.after(AGE + AGE));
        let there = match self.table.put_if(row.clone(), &Condition::IS_FREE, self.clock.chance()).await? {
            Written::Yes => return Ok(true),
            Written::No(there) => there.map(|there| numbered(&there)).transpose()?,
        };
        if there.is_some() && there == was {
            // nobody else writes it: only the request that made it knows that id
            self.table.put(row).await?;
            return Ok(true);
        }
        Ok(there == Some(event))
    }

    async fn numbered(&self, account: &AccountId, mid: Mid) -> Result<Option<EventId>, StoreError> {
        let row = self.table.get(keys::number(account, mid)).await?;
        row.map(|row| numbered(&row)).transpose()
    }

    async fn enter(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        let row = Row::new(keys::in_line(account, name, delivery)).with_number(keys::EXPIRES, self.after(AGE + AGE));
        self.table.put(row).await
    }

    async fn leave(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        self.table.delete(keys::in_line(account, name, delivery)).await
    }

    async fn line(&self, account: &AccountId, name: &Name, most: usize) -> Result<Vec<DeliveryId>, StoreError> {
        let rows = self.table.query(&Range::all(keys::line(account, name)), most).await?;
        rows.iter().map(|row| row.text("sk")?.parse().map_err(|_| corrupt("a delivery in a line"))).collect()
    }

    async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        let until = self.after(LONGEST_CONNECTION);
        self.table.put(Row::new(keys::connection(connection)).with_body(session)?.with_number(keys::EXPIRES, until)).await
    }

    async fn connect(&self, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError> {
        self.on_connection(&session.account, &session.name, |_| Some(connection.clone())).await
    }

    async fn disconnect(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        let still = |before: &Option<ConnectionId>| before.as_ref() == Some(connection);
        self.on_connection(&session.account, &session.name, |before| before.clone().filter(|_| !still(before))).await?;
        self.table.delete(keys::connection(connection)).await
    }

    async fn connection(&self, account: &AccountId, name: &Name) -> Result<Option<ConnectionId>, StoreError> {
        let row = self.table.get(keys::client(account, name)).await?;
        Ok(row.as_ref().and_then(connected))
    }

    async fn session(&self, connection: &ConnectionId) -> Result<Option<Session>, StoreError> {
        self.table.get(keys::connection(connection)).await?.map(|row| row.body()).transpose()
    }
}

impl Store {
    /// Puts the client on the connection that follows from the one on which it is. Answers that one.
    async fn on_connection(
        &self,
        account: &AccountId,
        name: &Name,
        next: impl Fn(&Option<ConnectionId>) -> Option<ConnectionId>,
    ) -> Result<Option<ConnectionId>, StoreError> {
        for _ in 0..MOST_TRIES {
            let row = self.table.get(keys::client(account, name)).await?;
            let before = row.as_ref().and_then(connected);
            let after = next(&before);
            if before == after {
                return Ok(before);
            }
            let version = row.as_ref().map(|row| row.number::<i64>(VERSION)).transpose()?;
            let until = self.after(LONGEST_CONNECTION);
            let mut written = Row::new(keys::client(account, name))
                .with_number(VERSION, version.unwrap_or(0) + 1)
                .with_number(keys::EXPIRES, until);
            if let Some(connection) = after {
                written = written.with_text(CONNECTION, connection.0);
            }
            let condition = version.map_or(Condition::IS_FREE, |seen| Condition::new("version = :version", ":version", seen));
            if self.table.put_if(written, &condition, self.clock.chance()).await? == Written::Yes {
                return Ok(before);
            }
        }
        Err(unfinished("a client comes and goes faster than it can be written down"))
    }

    /// Seconds since 1970.
    fn after(&self, wait: Duration) -> i64 {
        (self.clock.now() + wait).as_second()
    }
}

fn connected(row: &Row) -> Option<ConnectionId> {
    row.text(CONNECTION).ok().map(|id| ConnectionId(id.to_owned()))
}

fn owner(row: &Row) -> Result<AccountId, StoreError> {
    AccountId::parse(row.text(ACCOUNT)?).map_err(|_| corrupt("the account of a token"))
}

fn numbered(row: &Row) -> Result<EventId, StoreError> {
    row.text(EVENT)?.parse().map_err(|_| corrupt("the event of a number"))
}
