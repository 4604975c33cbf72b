//! Idempotency keys. Clients' keys have no order, and a page of SQLite's for each is what a message cost most; so they are kept in
//! the order of their coming, found by an index in memory, and put in their order many at a time, when as many of them share a page.
//!
//! Promise: a key that was kept is found for as long as it is valid, and by whoever looks while it is being put elsewhere. The
//! index says where a row may be, the row whether it is: what a transaction that was taken back has said does no harm.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bellhop_core::{
    Timestamp,
    model::{Event, EventId},
    ports::{Accepted, IdempotencyKey},
};
use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest, Sha256};

use crate::{
    error::Fault,
    events,
    queue::{
        millis,
        table::{event_key, limit},
    },
    writer::{Effect, Tx},
};

/// How many keys are left in the order of their coming: some 3 MB of memory. Few in this crate's own tests, so that they see more.
const MOST_NEW: usize = if cfg!(test) { 8 } else { 65_536 };

/// Keys are put in their order by the day on which they expire, so that old ones lie together.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Half of a SHA-256 of all that makes a key the same: short, because there are many.
pub(crate) type Id = [u8; 16];

/// Where the rows of new keys are.
#[derive(Debug, Default)]
pub(crate) struct Index(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    new: BTreeMap<Id, i64>,
    /// Up to where keys were put in their order, this time round.
    done: Option<Id>,
    /// The last row when this round began: up to there all are in their order when it ends.
    round: i64,
    /// The last row that is not needed any more.
    spent: i64,
    /// The last row.
    last: i64,
    /// There were many when the store was opened, most of them maybe in their order: this round goes to its end.
    are_inherited: bool,
    /// Where keys were before this transaction, in the order of its changes.
    before: Vec<(Id, Option<i64>)>,
}

/// Keys that were put in their order.
#[derive(Debug)]
pub(crate) struct Ordered {
    keys: Vec<(Id, i64)>,
    is_last: bool,
}

impl Index {
    /// Of what is there when the store is opened.
    pub(crate) fn read(connection: &Connection) -> Result<Self, Fault> {
        let mut places = Places::default();
        let mut find = connection.prepare("SELECT id, seq FROM idempotency_new ORDER BY seq")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            places.put(row.get(0)?, row.get(1)?);
        }
        places.before.clear();
        places.round = places.last;
        places.are_inherited = places.new.len() > MOST_NEW;
        Ok(Self(Mutex::new(places)))
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are to be put in their order, or rows to be forgotten, for each piece of work: more than one, so that it never
    /// falls behind, and many after a start, so that the next start need not find them again.
    pub(crate) fn pace(&self) -> usize {
        let places = self.places();
        match (places.are_inherited, places.are_many() || places.spent > 0) {
            (true, _) => 16,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    /// The transaction was committed.
    pub(crate) fn committed(&self) {
        self.places().before.clear();
    }

    /// The transaction was taken back.
    pub(crate) fn taken_back(&self) {
        let mut places = self.places();
        while let Some((id, before)) = places.before.pop() {
            match before {
                Some(seq) => places.new.insert(id, seq),
                None => places.new.remove(&id),
            };
        }
    }

    /// These were.
    pub(crate) fn ordered(&self, ordered: &Ordered) {
        let mut places = self.places();
        for (id, seq) in &ordered.keys {
            if places.new.get(id) == Some(seq) {
                places.new.remove(id);
            }
        }
        if ordered.is_last {
            (places.done, places.spent, places.round) = (None, places.round, places.last);
            places.are_inherited = false;
        } else {
            places.done = ordered.keys.last().map(|(id, _)| *id);
        }
    }

    /// Rows that are not needed any more are gone.
    pub(crate) fn spent(&self) {
        self.places().spent = 0;
    }
}

impl Places {
    fn put(&mut self, id: Id, seq: i64) {
        let before = self.new.insert(id, seq);
        self.before.push((id, before));
        self.last = seq;
    }

    fn are_many(&self) -> bool {
        self.new.len() > MOST_NEW || self.are_inherited
    }

    /// The next to be put in their order.
    fn next(&self, most: usize) -> Vec<(Id, i64)> {
        let from = self.done.map_or(Bound::Unbounded, Bound::Excluded);
        self.new.range((from, Bound::Unbounded)).take(most).map(|(id, seq)| (*id, *seq)).collect()
    }
}

/// What a key stands for. A key whose event is gone stands for nothing any more.
pub(crate) fn known(
    connection: &Connection,
    index: &Index,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<Accepted>, Fault> {
    let (id, now) = (id_of(key), now.as_millisecond());
    let row = |row: &Row<'_>| Ok((row.get::<_, Id>(0)?, row.get::<_, String>(1)?));
    // in this order: what leaves the index is in its place by then
    let place = index.places().new.get(&id).copied();
    let new = match place {
        Some(seq) => connection
            .prepare_cached("SELECT event, body_hash FROM idempotency_new WHERE seq = ?1 AND id = ?2 AND expires_at > ?3")?
            .query_row((seq, id, now), row)
            .optional()?,
        None => None,
    };
    let found = match new {
        Some(found) => Some(found),
        // valid for a day; and one more, for a clock that was put back
        None => connection
            .prepare_cached(
                "SELECT event, body_hash FROM idempotency WHERE day IN (?1, ?1 + 1, ?1 + 2) AND id = ?2 AND expires_at > ?3
                 ORDER BY day DESC",
            )?
            .query_row((now / DAY, id, now), row)
            .optional()?,
    };
    let Some((event, body_hash)) = found else { return Ok(None) };
    if body_hash != key.body_hash {
        return Ok(Some(Accepted::Mismatch));
    }
    let stored = events::get(connection, &key.account, EventId(u128::from_be_bytes(event)))?;
    Ok(stored.map(|stored| Accepted::Same(Box::new(stored))))
}

/// Lets a key stand for `event`, unless it stands for something already: that is the answer then.
pub(crate) fn remember(tx: &mut Tx<'_>, key: &IdempotencyKey, event: &Event) -> Result<Option<Accepted>, Fault> {
    if let Some(before) = known(tx.connection, tx.idempotency, key, event.accepted_at)? {
        return Ok(Some(before));
    }
    let (id, seq) = (id_of(key), tx.fresh());
    let mut put = tx
        .connection
        .prepare_cached("INSERT INTO idempotency_new (seq, id, event, body_hash, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    put.execute((seq, id, event_key(event.id), &key.body_hash, millis(key.expires_at)))?;
    tx.idempotency.places().put(id, seq);
    Ok(None)
}

/// Puts up to `most` new keys in their order, and forgets as many rows of those that are.
pub(crate) fn put_in_order(tx: &mut Tx<'_>, most: usize) -> Result<(), Fault> {
    let (keys, are_many, spent) = {
        let places = tx.idempotency.places();
        let are_many = places.are_many();
        (if are_many { places.next(most) } else { Vec::new() }, are_many, places.spent)
    };
    let is_last = are_many && keys.len() < most;
    let mut copy = tx.connection.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (day, id, event, body_hash, expires_at)
         SELECT expires_at / ?2, id, event, body_hash, expires_at FROM idempotency_new WHERE seq = ?1",
    )?;
    for (_, seq) in &keys {
        copy.execute((seq, DAY))?;
    }
    let mut forget = tx.connection.prepare_cached(
        "DELETE FROM idempotency_new WHERE seq IN (SELECT seq FROM idempotency_new WHERE seq <= ?1 ORDER BY seq LIMIT ?2)",
    )?;
    if spent > 0 && forget.execute((spent, limit(most)))? < most {
        tx.effects.push(Effect::KeysSpent);
    }
    if !keys.is_empty() || is_last {
        tx.effects.push(Effect::KeysOrdered(Ordered { keys, is_last }));
    }
    Ok(())
}

/// Forgets up to `most` keys that have expired. Answers how many there were.
pub(crate) fn expire(connection: &Connection, now: Timestamp, most: usize) -> Result<usize, Fault> {
    let now = millis(now);
    // all are valid for as long, so that they expire as they came
    let mut new = connection.prepare_cached(
        "DELETE FROM idempotency_new WHERE seq IN
         (SELECT seq FROM (SELECT seq, expires_at FROM idempotency_new ORDER BY seq LIMIT ?2) WHERE expires_at <= ?1)",
    )?;
    let mut ordered = connection.prepare_cached(
        "DELETE FROM idempotency WHERE (day, id) IN
         (SELECT day, id FROM idempotency WHERE day < ?1 ORDER BY day, id LIMIT ?2)",
    )?;
    let gone = new.execute((now, limit(most)))?;
    Ok(gone + ordered.execute((now / DAY, limit(most - gone)))?)
}

/// What separates the parts is in none of them.
fn id_of(key: &IdempotencyKey) -> Id {
    let whole = Sha256::digest([key.account.as_str(), key.route, &key.key].join("\0"));
    let mut id = [0; 16];
    id.copy_from_slice(&whole[..16]);
    id
}
