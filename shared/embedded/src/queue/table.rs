//! Wake-ups as rows: `queue` (ready, or delayed by 15 minutes at most), `due` (later) and `dead_letters`.
//!
//! A row is a message, known by a number of its own: the same wake-up may be there twice, and the ledger makes that
//! harmless. A row that nobody can read becomes a dead letter; it never blocks the others of its lane.

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    Timestamp,
    model::{AccountId, Address, ChannelId, DeliveryId, EventId, Name},
};
use rusqlite::{Connection, OptionalExtension, Row, types::ToSqlOutput};

use crate::{Backlog, error::Fault};

/// The longest that a row of `queue` is delayed, as on SQS; what waits longer is a row of `due`.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// Why a row is a dead letter that nobody can read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// Why a row is a dead letter that workers died of.
pub(crate) const DEAD_LETTER: &str = "dead_letter";

/// What `visible_at` is for what may go at once.
pub(crate) const AT_ONCE: i64 = 0;

/// The rowid of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId(pub(crate) i64);

/// What a lane is for: what waits there waits for one registration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
    pub(crate) registration: Name,
}

/// Where a row of `queue` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lane: LaneId,
    pub(crate) visible_at: i64,
    pub(crate) seq: i64,
}

/// A row of `queue`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) place: Place,
    pub(crate) delivery: DeliveryId,
    pub(crate) n: u32,
    /// How often it was received, as far as that is written down.
    pub(crate) receives: u32,
    pub(crate) address: Option<Address>,
}

/// What a look at a lane's rows found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fetched {
    /// What may go now.
    pub(crate) ready: Vec<Message>,
    /// There is more that may go now.
    pub(crate) more: bool,
    /// When the next delayed row may go.
    pub(crate) next: Option<i64>,
    /// Rows that nobody can read.
    pub(crate) poison: Vec<Place>,
}

/// Milliseconds since 1970, rounded up: never before its time.
pub(crate) fn millis(at: Timestamp) -> i64 {
    let whole = at.as_millisecond();
    if at.as_nanosecond() > i128::from(whole) * 1_000_000 { whole + 1 } else { whole }
}

/// That long after `now`, both in milliseconds.
pub(crate) fn after(now: i64, wait: Duration) -> i64 {
    let whole = wait.as_nanos().div_ceil(1_000_000);
    now.saturating_add(i64::try_from(whole).unwrap_or(i64::MAX))
}

/// An event's id as a key: sorts by time.
pub(crate) fn event_key(id: EventId) -> [u8; 16] {
    id.0.to_be_bytes()
}

/// A delivery's id as a key: sorts after its event's.
pub(crate) fn delivery_key(id: DeliveryId) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&event_key(id.event));
    key[16..].copy_from_slice(&id.tail.to_be_bytes());
    key
}

/// A delivery's id from its key.
pub(crate) fn delivery_of_key(key: &[u8]) -> Result<DeliveryId, Fault> {
    delivery_id(key).ok_or_else(|| Fault::corrupt("a delivery's id"))
}

fn delivery_id(key: &[u8]) -> Option<DeliveryId> {
    let (event, tail) = key.split_at_checked(16)?;
    let event = EventId(u128::from_be_bytes(event.try_into().ok()?));
    Some(DeliveryId { event, tail: u64::from_be_bytes(tail.try_into().ok()?) })
}

impl rusqlite::ToSql for LaneId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

/// The lane for a registration, made if there is none.
pub(crate) fn lane(connection: &Connection, lane: &Lane) -> Result<LaneId, Fault> {
    let names = (lane.channel.as_str(), lane.account.as_str(), lane.registration.as_str());
    let mut find = connection.prepare_cached("SELECT id FROM lanes WHERE channel = ?1 AND account = ?2 AND registration = ?3")?;
    if let Some(id) = find.query_row(names, |row| row.get(0)).optional()? {
        return Ok(LaneId(id));
    }
    connection.prepare_cached("INSERT INTO lanes (channel, account, registration) VALUES (?1, ?2, ?3)")?.execute(names)?;
    Ok(LaneId(connection.last_insert_rowid()))
}

/// What a lane is for.
pub(crate) fn lane_named(connection: &Connection, id: LaneId) -> Result<Arc<Lane>, Fault> {
    let mut find = connection.prepare_cached("SELECT id, channel, account, registration FROM lanes WHERE id = ?1")?;
    Ok(find.query_row([id], |row| Ok(named(row)))??.1)
}

/// Every lane where something waits.
pub(crate) fn lanes_in_use(connection: &Connection) -> Result<Vec<(LaneId, Arc<Lane>)>, Fault> {
    let mut find = connection.prepare(
        "SELECT id, channel, account, registration FROM lanes WHERE EXISTS (SELECT 1 FROM queue WHERE lane = lanes.id)",
    )?;
    find.query_map([], |row| Ok(named(row)))?.map(|lane| lane?).collect()
}

fn named(row: &Row<'_>) -> Result<(LaneId, Arc<Lane>), Fault> {
    let text = |at: usize| row.get_ref(at)?.as_str().map_err(|_| Fault::corrupt("a lane"));
    let broken = |_| Fault::corrupt("a lane's name");
    let account = AccountId::parse(text(2)?).map_err(broken)?;
    let registration = Name::parse(text(3)?).map_err(broken)?;
    Ok((LaneId(row.get(0)?), Arc::new(Lane { channel: ChannelId::new(text(1)?), account, registration })))
}

/// Adds a row to `queue`.
pub(crate) fn push(connection: &Connection, message: &Message) -> Result<(), Fault> {
    let Message { place, delivery, n, receives, address } = message;
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue (lane, visible_at, seq, delivery, n, receives, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let address = address.as_ref().map(ToString::to_string);
    insert.execute((place.lane, place.visible_at, place.seq, delivery_key(*delivery), n, receives, address))?;
    Ok(())
}

/// Takes a row from `queue`. `false`: it is no longer there.
pub(crate) fn remove(connection: &Connection, place: Place) -> Result<bool, Fault> {
    let mut delete = connection.prepare_cached("DELETE FROM queue WHERE lane = ?1 AND visible_at = ?2 AND seq = ?3")?;
    Ok(delete.execute((place.lane, place.visible_at, place.seq))? > 0)
}

/// Writes down when a row may go and how often it was received. `false`: it is no longer there.
pub(crate) fn postpone(connection: &Connection, place: Place, visible_at: i64, receives: u32) -> Result<bool, Fault> {
    let mut update = connection
        .prepare_cached("UPDATE queue SET visible_at = ?4, receives = ?5 WHERE lane = ?1 AND visible_at = ?2 AND seq = ?3")?;
    Ok(update.execute((place.lane, place.visible_at, place.seq, visible_at, receives))? > 0)
}

/// Makes a dead letter of a row, as it is. `false`: it is no longer there.
pub(crate) fn bury(connection: &Connection, place: Place, reason: &str) -> Result<bool, Fault> {
    let mut copy = connection.prepare_cached(
        "INSERT OR REPLACE INTO dead_letters (lane, seq, delivery, n, address, reason)
         SELECT lane, seq, delivery, n, address, ?4 FROM queue WHERE lane = ?1 AND visible_at = ?2 AND seq = ?3",
    )?;
    copy.execute((place.lane, place.visible_at, place.seq, reason))?;
    remove(connection, place)
}

/// Brings up to `most` of a channel's dead letters back, of those with numbers up to `last`, each under the number that
/// `fresh` gives. Answers the lanes that they went to, one for each.
pub(crate) fn revive(
    connection: &Connection,
    channel: &ChannelId,
    last: i64,
    most: usize,
    mut fresh: impl FnMut() -> i64,
) -> Result<Vec<LaneId>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT d.lane, d.seq FROM lanes l JOIN dead_letters d ON d.lane = l.id WHERE l.channel = ?1 AND d.seq <= ?2 LIMIT ?3",
    )?;
    let found = find.query_map((channel.as_str(), last, limit(most)), |row| Ok((LaneId(row.get(0)?), row.get(1)?)))?;
    let found: Vec<(LaneId, i64)> = found.collect::<Result<_, _>>()?;
    let mut copy = connection.prepare_cached(
        "INSERT INTO queue (lane, visible_at, seq, delivery, n, receives, address)
         SELECT lane, ?4, ?3, delivery, n, 0, address FROM dead_letters WHERE lane = ?1 AND seq = ?2",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM dead_letters WHERE lane = ?1 AND seq = ?2")?;
    for (lane, seq) in &found {
        copy.execute((lane, seq, fresh(), AT_ONCE))?;
        delete.execute((lane, seq))?;
    }
    Ok(found.into_iter().map(|(lane, _)| lane).collect())
}

/// Adds a row to `due`.
pub(crate) fn park(connection: &Connection, message: &Message) -> Result<(), Fault> {
    let Message { place, delivery, n, address, .. } = message;
    let mut insert =
        connection.prepare_cached("INSERT INTO due (at, seq, lane, delivery, n, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let address = address.as_ref().map(ToString::to_string);
    insert.execute((place.visible_at, place.seq, place.lane, delivery_key(*delivery), n, address))?;
    Ok(())
}

/// Moves up to `most` rows of `due` that are due before `until` into `queue`. Answers where they are now.
pub(crate) fn unpark(connection: &Connection, now: i64, until: i64, most: usize) -> Result<Vec<Place>, Fault> {
    let mut find = connection.prepare_cached("SELECT lane, at, seq FROM due WHERE at < ?1 ORDER BY at, seq LIMIT ?2")?;
    let place = |row: &Row<'_>| Ok(Place { lane: LaneId(row.get(0)?), visible_at: row.get(1)?, seq: row.get(2)? });
    let found: Vec<Place> = find.query_map((until, limit(most)), place)?.collect::<Result<_, _>>()?;
    let mut copy = connection.prepare_cached(
        "INSERT INTO queue (lane, visible_at, seq, delivery, n, receives, address)
         SELECT lane, ?3, seq, delivery, n, 0, address FROM due WHERE at = ?1 AND seq = ?2",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM due WHERE at = ?1 AND seq = ?2")?;
    let mut moved = Vec::with_capacity(found.len());
    for place in found {
        let visible_at = if place.visible_at > now { place.visible_at } else { AT_ONCE };
        copy.execute((place.visible_at, place.seq, visible_at))?;
        delete.execute((place.visible_at, place.seq))?;
        moved.push(Place { visible_at, ..place });
    }
    Ok(moved)
}

/// Looks for rows of a lane that may go now: up to `most` that were delayed and as many that were not, so that neither kind
/// keeps the other waiting.
pub(crate) fn fetch(connection: &Connection, lane: LaneId, now: i64, most: usize) -> Result<Fetched, Fault> {
    let mut fetched = Fetched::default();
    let mut delayed = connection.prepare_cached(
        "SELECT visible_at, seq, delivery, n, receives, address FROM queue
         WHERE lane = ?1 AND visible_at > 0 AND visible_at <= ?2 ORDER BY visible_at, seq LIMIT ?3",
    )?;
    fetched.more |= fetched.add(lane, delayed.query((lane, now, limit(most)))?)? == most;
    let mut at_once = connection.prepare_cached(
        "SELECT visible_at, seq, delivery, n, receives, address FROM queue
         WHERE lane = ?1 AND visible_at = 0 ORDER BY seq LIMIT ?2",
    )?;
    fetched.more |= fetched.add(lane, at_once.query((lane, limit(most)))?)? == most;
    let mut next = connection.prepare_cached("SELECT min(visible_at) FROM queue WHERE lane = ?1 AND visible_at > max(?2, 0)")?;
    fetched.next = next.query_row((lane, now), |row| row.get(0))?;
    Ok(fetched)
}

/// How many rows of each kind a channel has.
pub(crate) fn backlog(connection: &Connection) -> Result<Vec<Backlog>, Fault> {
    let mut count = connection.prepare_cached(
        "SELECT channel, sum(queued), sum(due), sum(dead) FROM (
             SELECT lane, count(*) AS queued, 0 AS due, 0 AS dead FROM queue GROUP BY lane
             UNION ALL SELECT lane, 0, count(*), 0 FROM due GROUP BY lane
             UNION ALL SELECT lane, 0, 0, count(*) FROM dead_letters GROUP BY lane
         ) JOIN lanes ON lanes.id = lane GROUP BY channel ORDER BY channel",
    )?;
    let backlog = |row: &Row<'_>| {
        let channel = ChannelId::new(row.get_ref(0)?.as_str()?);
        let count = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.unsigned_abs());
        Ok(Backlog { channel, queued: count(1)?, due: count(2)?, dead_letters: count(3)? })
    };
    Ok(count.query_map([], backlog)?.collect::<Result<_, _>>()?)
}

impl Fetched {
    fn add(&mut self, lane: LaneId, mut rows: rusqlite::Rows<'_>) -> Result<usize, Fault> {
        let mut found = 0;
        while let Some(row) = rows.next()? {
            found += 1;
            let place = Place { lane, visible_at: row.get(0)?, seq: row.get(1)? };
            match message(row, place)? {
                Some(message) => self.ready.push(message),
                None => self.poison.push(place),
            }
        }
        Ok(found)
    }
}

/// `None` if the row makes no sense.
fn message(row: &Row<'_>, place: Place) -> rusqlite::Result<Option<Message>> {
    let (n, receives): (i64, i64) = (row.get(3)?, row.get(4)?);
    let address = row.get_ref(5)?.as_str_or_null().map(|address| address.map(str::parse).transpose());
    let (Some(delivery), Ok(n), Ok(receives), Ok(Ok(address))) =
        (row.get_ref(2)?.as_blob().ok().and_then(delivery_id), u32::try_from(n), u32::try_from(receives), address)
    else {
        return Ok(None);
    };
    Ok(Some(Message { place, delivery, n, receives, address }))
}

/// A count as SQLite takes it.
pub(crate) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_the_ids_do() {
        let mut ids = [(7, 2), (7, 1), (6, 9), (1 << 100, 0)].map(|(event, tail)| DeliveryId { event: EventId(event), tail });
        ids.sort();
        assert!(ids.map(delivery_key).is_sorted());
        assert_eq!(ids.map(|id| delivery_id(&delivery_key(id))), ids.map(Some));
    }

    #[test]
    fn a_time_is_rounded_up() {
        let at = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
        assert_eq!([5_000_000, 5_000_001, 5_999_999].map(|ns| millis(at(ns))), [5, 6, 6]);
    }
}
