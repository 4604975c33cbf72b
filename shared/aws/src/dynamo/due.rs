//! Wake-ups that wait longer than SQS delays a message.
//!
//! A parked wake-up lies in its minute, spread over shards; another row says that the minute has any. A tick reads those
//! minutes and their shards, strongly, and no others: it costs what is parked, not what time has passed. Promise: whoever
//! parks writes the minute first, so that no parked wake-up is ever out of sight. Minutes go when they are empty and so long
//! over that nobody can still be writing into them.

use std::time::Duration;

use bellhop_core::{StoreError, Timestamp, model::DeliveryId};
use futures_util::{TryStreamExt, stream::FuturesUnordered};

use super::{
    keys,
    table::{Range, Row},
};
use crate::{Store, error::parse, letter::Letter};

/// Nobody parks a wake-up into a minute that has passed for so long: no process lives that long after it looked at the
/// clock. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
pub(super) const SURELY_OVER: Duration = Duration::from_mins(20);

/// When an unreadable wake-up is looked at again: a later program may know how to read it.
const UNREADABLE: Duration = Duration::from_hours(24);

/// How many minutes one call looks at.
const MOST_MINUTES: usize = 120;

const LETTER: &str = "letter";
pub(super) const AT: &str = "at";

/// A parked wake-up.
pub(crate) struct Parked {
    pub(crate) at: Timestamp,
    pub(crate) letter: Letter,
    pub(crate) text: String,
}

impl Store {
    /// Parks a wake-up.
    pub(crate) async fn park(&self, letter: &Letter, text: &str, at: Timestamp) -> Result<(), StoreError> {
        let minute = keys::due_minute(&keys::minute(at));
        if !self.seen.contains(&minute) {
            self.table.put(Row::new(minute.clone()).with_number(AT, at.as_millisecond())).await?;
            self.seen.insert(minute);
        }
        let row = Row::new(keys::due(at, letter.delivery, letter.n));
        self.table.put(row.with_number(AT, at.as_millisecond()).with_text(LETTER, text)).await
    }

    /// Takes a wake-up out again.
    pub(crate) async fn unpark(&self, delivery: DeliveryId, n: u32, at: Timestamp) -> Result<(), StoreError> {
        self.table.delete(keys::due(at, delivery, n)).await
    }

    /// Up to `most` parked wake-ups that are due before `until`, the earliest first.
    pub(crate) async fn due(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<Vec<Parked>, StoreError> {
        let minutes = Range { from: None, before: Some(format!("{}~", keys::minute(until))), ..Range::all(keys::DUE) };
        let mut due = Vec::new();
        for minute in self.table.query(&minutes, MOST_MINUTES).await? {
            let text = minute.text("sk")?;
            let shards = (0..keys::DUE_SHARDS).map(|shard| self.due_in(text, shard, until, most - due.len()));
            let shards: Vec<_> = shards.collect::<FuturesUnordered<_>>().try_collect().await?;
            let mut rows: Vec<Row> = shards.into_iter().flatten().collect();
            let is_over = minute.number::<i64>(AT)? + as_millis(SURELY_OVER) < now.min(until).as_millisecond();
            if rows.is_empty() && is_over {
                self.forget_minute(text).await?;
            }
            rows.sort_by(|a, b| a.text("sk").unwrap_or_default().cmp(b.text("sk").unwrap_or_default()));
            rows.truncate(most - due.len());
            for row in rows {
                match parked(&row) {
                    Ok(parked) => due.push(parked),
                    Err(error) => {
                        tracing::error!(%error, "a parked wake-up cannot be read; it is looked at again tomorrow");
                        self.set_aside(&row, now + UNREADABLE).await?;
                    }
                }
            }
            if due.len() >= most {
                break;
            }
        }
        Ok(due)
    }

    async fn due_in(&self, minute: &str, shard: u8, until: Timestamp, most: usize) -> Result<Vec<Row>, StoreError> {
        let before = Some(keys::due_from(until));
        self.table.query(&Range { before, ..Range::all(keys::due_in(minute, shard)) }, most).await
    }

    /// Moves a row as it is to that time: nobody can read it, and the others are not to wait behind it.
    async fn set_aside(&self, row: &Row, at: Timestamp) -> Result<(), StoreError> {
        self.table.put(Row::new(keys::due_minute(&keys::minute(at))).with_number(AT, at.as_millisecond())).await?;
        let key = row.key()?;
        self.table.put(row.clone().under(keys::due_moved(&key, at))).await?;
        self.table.delete(key).await
    }

    async fn forget_minute(&self, minute: &str) -> Result<(), StoreError> {
        let key = keys::due_minute(minute);
        self.seen.remove(&key);
        self.table.delete(key).await
    }
}

fn parked(row: &Row) -> Result<Parked, StoreError> {
    let at = Timestamp::from_millisecond(row.number(AT)?).map_err(|_| crate::error::corrupt(AT))?;
    let text = row.text(LETTER)?.to_owned();
    Ok(Parked { at, letter: parse("a parked wake-up", &text)?, text })
}

fn as_millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
