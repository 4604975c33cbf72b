//! Delivery rows. What a row may become is [`bellhop_core::transition`]'s business; here it is kept and found.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Delivery, DeliveryId, EventId, State},
    plan::Planned,
    ports::{Deliveries, States},
};
use futures_util::{future::BoxFuture, stream::BoxStream};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::table::{delivery_key, limit},
};

#[async_trait]
impl Deliveries for Store {
    async fn get(&self, account: &AccountId, ids: &[DeliveryId]) -> Result<Vec<Option<Delivery>>, StoreError> {
        let (account, ids) = (account.clone(), ids.to_vec());
        let look = move |connection: &Connection| ids.into_iter().map(|id| get(connection, &account, id)).collect();
        self.readers.read(look).await
    }

    async fn states(&self, account: &AccountId, event: EventId, _plan: &[Planned]) -> Result<States, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut count = connection.prepare_cached(
                "SELECT body ->> 'state', count(*) FROM deliveries WHERE account = ?1 AND id >= ?2 AND id < ?3 GROUP BY 1",
            )?;
            let (first, end) = (DeliveryId { event, tail: 0 }, DeliveryId { event: EventId(event.0.saturating_add(1)), tail: 0 });
            let mut rows = count.query((account.as_str(), delivery_key(first).to_vec(), delivery_key(end).to_vec()))?;
            let mut states = States::default();
            while let Some(row) = rows.next()? {
                let state = serde_json::from_value(row.get::<_, String>(0)?.into()).map_err(|_| Fault::corrupt("a state"))?;
                states.add(state, usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX));
            }
            Ok(states)
        };
        self.readers.read(look).await
    }

    fn changed(&self, event: EventId) -> Option<BoxFuture<'_, ()>> {
        Some(self.memory.changes.of(event))
    }

    fn changes(&self, account: &AccountId) -> Option<BoxStream<'static, ()>> {
        Some(self.memory.changes.of_account(account))
    }

    async fn in_state(
        &self,
        account: &AccountId,
        state: State,
        before: Option<DeliveryId>,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(state) = rare(state) else { return Ok(Vec::new()) };
        let account = account.clone();
        // longer than any key, and so above all of them
        let before = before.map_or_else(|| vec![u8::MAX; 25], |before| delivery_key(before).to_vec());
        let look = move |connection: &Connection| {
            // without the index's name SQLite takes the primary key, and walks over all that went well
            let mut find = connection.prepare_cached(
                "SELECT body FROM deliveries INDEXED BY deliveries_in_rare_states
                 WHERE account = ?1 AND rare = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
            )?;
            let found = find.query_map((account.as_str(), state, before, limit(most)), |row| row.get::<_, String>(0))?;
            found.map(|body| parse("a delivery", &body?)).collect()
        };
        self.readers.read(look).await
    }
}

/// The states that have an index: people look for them, and few rows are in one.
fn rare(state: State) -> Option<&'static str> {
    match state {
        State::Retrying | State::Failed | State::Dropped => Some(state.as_str()),
        State::Queued | State::Sending | State::Delivered | State::Confirmed => None,
    }
}

/// One row.
pub(crate) fn get(connection: &Connection, account: &AccountId, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
    let mut find = connection.prepare_cached("SELECT body FROM deliveries WHERE account = ?1 AND id = ?2")?;
    let body = find.query_row((account.as_str(), delivery_key(id)), |row| row.get::<_, String>(0)).optional()?;
    body.map(|body| parse("a delivery", &body)).transpose()
}

/// Writes one row.
pub(crate) fn put(connection: &Connection, row: &Delivery) -> Result<(), Fault> {
    let mut write = connection.prepare_cached(
        "INSERT INTO deliveries (account, id, rare, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, id) DO UPDATE SET rare = excluded.rare, body = excluded.body",
    )?;
    write.execute((row.account.as_str(), delivery_key(row.id), rare(row.state), json(row)?))?;
    Ok(())
}
