//! Events as they were kept, each with its plan.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Event, EventId},
    ports::{Events, StoredEvent},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    Store,
    error::{Fault, parse},
    queue::table::event_key,
};

#[async_trait]
impl Events for Store {
    async fn get(&self, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        let account = account.clone();
        self.readers.read(move |connection| get(connection, &account, id)).await
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.planned(account, from, before, most, usize::MAX).await
    }

    async fn planned(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
        deliveries: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (account, (from, before)) = (account.clone(), between(from, before));
        let look = move |connection: &Connection| {
            let is_enough = |found: &[StoredEvent]| {
                found.len() >= most || found.iter().map(|stored| stored.plan.deliveries.len()).sum::<usize>() >= deliveries
            };
            walk(connection, &format!("SELECT body, plan {OF_ACCOUNT}"), (&account, from, before), stored, is_enough)
        };
        self.readers.read(look).await
    }

    async fn heads(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let (account, (from, before)) = (account.clone(), between(from, before));
        let look = move |connection: &Connection| {
            let read = |row: &Row<'_>| Ok(Arc::new(event(row)?));
            walk(connection, &format!("SELECT body {OF_ACCOUNT}"), (&account, from, before), read, |found| found.len() >= most)
        };
        self.readers.read(look).await
    }
}

const OF_ACCOUNT: &str = "FROM events WHERE account = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC";

/// Those of an account, newest first, from a query with its body and whatever else `read` takes, until `is_enough`.
fn walk<T>(
    connection: &Connection,
    query: &str,
    range: (&AccountId, Vec<u8>, Vec<u8>),
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
    is_enough: impl Fn(&[T]) -> bool,
) -> Result<Vec<T>, Fault> {
    let (account, from, before) = range;
    let mut find = connection.prepare_cached(query)?;
    let mut rows = find.query((account.as_str(), from, before))?;
    let mut found = Vec::new();
    while !is_enough(&found)
        && let Some(row) = rows.next()?
    {
        match read(row) {
            Ok(event) => found.push(event),
            // one that cannot be read must not hide all the others
            Err(fault) if fault.is_corrupt() => tracing::error!(%account, "an event cannot be read, and is left out"),
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

/// The keys between which a list lies.
fn between(from: Option<EventId>, before: Option<EventId>) -> (Vec<u8>, Vec<u8>) {
    let from = event_key(from.unwrap_or(EventId(0))).to_vec();
    // longer than any key, and so above all of them
    (from, before.map_or_else(|| vec![u8::MAX; 17], |before| event_key(before).to_vec()))
}

/// One, with its plan.
pub(crate) fn get(connection: &Connection, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, Fault> {
    let mut find = connection.prepare_cached("SELECT body, plan FROM events WHERE account = ?1 AND id = ?2")?;
    find.query_row((account.as_str(), event_key(id)), |row| Ok(stored(row))).optional()?.transpose()
}

/// Several, without their plans. What is not there or cannot be read is left out.
pub(crate) fn load(
    connection: &Connection,
    wanted: Vec<(AccountId, EventId)>,
) -> Result<HashMap<(AccountId, EventId), Arc<Event>>, Fault> {
    let mut find = connection.prepare_cached("SELECT body FROM events WHERE account = ?1 AND id = ?2")?;
    let mut found = HashMap::new();
    for key in wanted {
        if found.contains_key(&key) {
            continue;
        }
        let event = find.query_row((key.0.as_str(), event_key(key.1)), |row| Ok(event(row))).optional()?.transpose();
        match event {
            Ok(Some(event)) => drop(found.insert(key, Arc::new(event))),
            Ok(None) => {}
            Err(fault) if fault.is_corrupt() => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

/// Keeps one.
pub(crate) fn put(connection: &Connection, event: &Event, body: &str, plan: &str) -> Result<Option<StoredEvent>, Fault> {
    let mut insert = connection
        .prepare_cached("INSERT INTO events (account, id, body, plan) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?;
    let is_new = insert.execute((event.account.as_str(), event_key(event.id), body, plan))? > 0;
    if is_new { Ok(None) } else { get(connection, &event.account, event.id) }
}

fn event(row: &Row<'_>) -> Result<Event, Fault> {
    parse("an event", row.get_ref(0)?.as_str().map_err(|_| Fault::corrupt("an event is no text"))?)
}

fn stored(row: &Row<'_>) -> Result<StoredEvent, Fault> {
    let plan = row.get_ref(1)?.as_str().map_err(|_| Fault::corrupt("a plan is no text"))?;
    Ok(StoredEvent { event: Arc::new(event(row)?), plan: parse("a plan", plan)? })
}
