//! What is due when: an index of schedules and tasks by minute, read strongly, and its way to whoever works on it.
//!
//! As with parked wake-ups ([`super::due`]), a minute is written before anything that is due in it, and goes when it is empty and
//! surely over. A tick sends what is due in a minute as pages of [`PAGE`], each with its exact delay; they are announcements, and
//! the schedule decides at its time. What is due stays here until its schedule moves. Promises: whoever saves a schedule or task that
//! is due within a tick's reach announces it himself, since the tick may have been there before; a minute that is over and
//! still has something is announced again, so that no page that was lost stops one for ever, less often the longer
//! that lasts; no call works through more than [`MOST_SLICES`], and the next goes on where it ended; a minute that others are
//! stuck in keeps none waiting, since those that were waited for longest come first.

use std::time::Duration;

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::ChannelId,
    ports::{Agenda, Due},
    tick::AHEAD,
};
use futures_util::{TryStreamExt, stream::FuturesUnordered};

use super::{
    due::{AT, SURELY_OVER},
    keys,
    ledger::wait,
    table::{Condition, Range, Row},
};
use crate::{
    Store,
    error::{corrupt, json, unfinished},
    sqs::{Parcel, group},
};

/// The queue of pages, named like those of the channels.
const BATCH: &str = "batch";

/// How many schedules one message announces.
const PAGE: usize = 200;

/// How many due rows of each shard are held in memory.
const SLICE: usize = 1_000;

/// How many slices one call works through: some million schedules, or as many minutes.
const MOST_SLICES: usize = 64;

/// How many minutes are looked at, the latest first: more are never stuck.
const MOST_MINUTES: usize = 10_000;

/// How long after a minute somebody looks whether all that was due in it has been composed.
const AGAIN: Duration = Duration::from_mins(3);

/// How long it may take until somebody looks again at what is stuck.
const LONGEST: Duration = Duration::from_hours(1);

/// Who announces within this has the tick's reach, with clocks that differ.
const REACH: Duration = Duration::from_secs(AHEAD.as_secs() + 60);

/// When somebody is to look at a minute; 0 = as soon as it is within reach.
const NEXT: &str = "next";
/// Up to which row a minute has been announced by a call that went no further.
const AFTER: &str = "after";

/// A minute in which schedules are due.
struct Minute {
    name: String,
    end: Timestamp,
    next: Timestamp,
    after: Option<String>,
}

/// Rows of a minute in order. What comes behind the last of them is not among them if there is `more`.
struct Slice {
    rows: Vec<String>,
    more: bool,
}

#[async_trait]
impl Agenda for Store {
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        self.due_at(until, after, most).await
    }

    async fn announce(&self, now: Timestamp, until: Timestamp) -> Result<usize, StoreError> {
        self.announce_due(now, until).await
    }
}

impl Store {
    /// Makes sure that the minute is seen.
    pub(super) async fn name_minute(&self, at: Timestamp) -> Result<(), StoreError> {
        let minute = keys::composing_minute(&keys::minute(at));
        // one that is over may have been forgotten since it was seen
        if at < self.clock.now() || !self.seen.contains(&minute) {
            let row = Row::new(minute.clone()).with_number(AT, at.as_millisecond()).with_number(NEXT, 0);
            self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await?;
            self.seen.insert(minute);
        }
        Ok(())
    }

    /// Announces a schedule that was just saved, if ticks may have been there before.
    pub(super) async fn announce_soon(&self, due: &Due) {
        let now = self.clock.now();
        if due.at > now + REACH {
            return;
        }
        let sent = match json(&[due]) {
            Ok(body) => self.queues.send(vec![parcel(group(&due.account), body, wait(now, due.at))]).await.is_empty(),
            Err(_) => false,
        };
        if !sent {
            let Due { account, matter, .. } = due;
            tracing::error!(%account, %matter, "what is due soon was not announced; it is looked at again minutes later");
        }
    }

    async fn due_at(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        let minutes = Range {
            from: after.map(|after| keys::minute(after.at)),
            before: Some(format!("{}~", keys::minute(until))),
            ..Range::all(keys::COMPOSING)
        };
        let before = keys::due_from(until + Duration::from_millis(1));
        let mut due = Vec::new();
        for minute in self.table.query(&minutes, MOST_MINUTES).await? {
            let from = after.map(|after| format!("{}\0", keys::composing(after).sk));
            let slice = self.slice(minute.text("sk")?, from, Some(before.clone()), most - due.len()).await?;
            for sk in slice.rows {
                due.push(due_by(&sk)?);
            }
            due.truncate(most);
            if due.len() == most {
                break;
            }
        }
        Ok(due)
    }

    async fn announce_due(&self, now: Timestamp, until: Timestamp) -> Result<usize, StoreError> {
        let began = self.clock.now();
        let (mut announced, mut slices) = (0, 0);
        for minute in self.minutes(now, until).await? {
            let (mut after, mut is_empty) = (minute.after.clone(), minute.after.is_none());
            loop {
                if slices == MOST_SLICES {
                    return Ok(announced);
                }
                slices += 1;
                let from = after.as_ref().map(|after| format!("{after}\0"));
                let Slice { rows, more } = self.slice(&minute.name, from, None, SLICE).await?;
                is_empty = is_empty && rows.is_empty();
                announced += rows.len();
                after = rows.last().cloned().or(after);
                // what takes long is not to make the rest late
                self.send_pages(&rows, now + wait(began, self.clock.now())).await?;
                if !more {
                    break;
                }
                self.save_minute(&minute, minute.next, after.as_deref()).await?;
            }
            match minute.after_look(is_empty, now) {
                Some(next) => self.save_minute(&minute, next, None).await?,
                None => self.forget_composing(&minute.name).await?,
            }
        }
        Ok(announced)
    }

    /// The minutes within reach that are to be looked at, those that were waited for longest first.
    async fn minutes(&self, now: Timestamp, until: Timestamp) -> Result<Vec<Minute>, StoreError> {
        let within = Range { before: Some(keys::minute(until)), newest_first: true, ..Range::all(keys::COMPOSING) };
        let rows = self.table.query(&within, MOST_MINUTES).await?;
        let minutes = rows.iter().rev().map(Minute::read).collect::<Result<Vec<_>, _>>()?;
        let mut minutes: Vec<_> = minutes.into_iter().filter(|minute| minute.next <= now).collect();
        minutes.sort_by_key(|minute| minute.next);
        Ok(minutes)
    }

    /// The next rows of all shards of a minute: at least `most`, if there are so many.
    async fn slice(&self, minute: &str, from: Option<String>, before: Option<String>, most: usize) -> Result<Slice, StoreError> {
        let shards = (0..keys::DUE_SHARDS).map(async |shard| {
            let pk = keys::composing_in(minute, shard);
            let rows =
                self.table.query(&Range { pk, from: from.clone(), before: before.clone(), newest_first: false }, most).await?;
            rows.iter().map(|row| row.text("sk").map(str::to_owned)).collect::<Result<Vec<_>, _>>()
        });
        let shards: Vec<Vec<String>> = shards.collect::<FuturesUnordered<_>>().try_collect().await?;
        // behind the last row of a shard that was cut off there may be others
        let end = shards.iter().filter(|rows| rows.len() == most).filter_map(|rows| rows.last()).min().cloned();
        let mut rows: Vec<_> = shards.into_iter().flatten().collect();
        rows.retain(|row| end.as_ref().is_none_or(|end| row <= end));
        rows.sort_unstable();
        Ok(Slice { rows, more: end.is_some() })
    }

    /// Sends them, each page with the delay of its second.
    async fn send_pages(&self, rows: &[String], now: Timestamp) -> Result<(), StoreError> {
        let due: Vec<_> = rows.iter().filter_map(|sk| readable(sk)).collect();
        let pages = due.chunk_by(|a, b| second(a) == second(b)).flat_map(|of_second| of_second.chunks(PAGE));
        let parcels = pages.filter_map(|page| {
            let last = page.last()?;
            Some(json(&page).map(|body| parcel(BATCH.to_owned(), body, wait(now, last.at))))
        });
        let refused = self.queues.send(parcels.collect::<Result<_, _>>()?).await;
        if refused.is_empty() { Ok(()) } else { Err(unfinished("what is due was not announced; the next tick tries again")) }
    }

    async fn save_minute(&self, minute: &Minute, next: Timestamp, after: Option<&str>) -> Result<(), StoreError> {
        let row = Row::new(keys::composing_minute(&minute.name))
            .with_number(AT, minute.end.as_millisecond() - 1)
            .with_number(NEXT, next.as_millisecond());
        let row = match after {
            Some(after) => row.with_text(AFTER, after),
            None => row,
        };
        self.table.put(row).await
    }

    async fn forget_composing(&self, minute: &str) -> Result<(), StoreError> {
        let key = keys::composing_minute(minute);
        self.seen.remove(&key);
        self.table.delete(key).await
    }
}

impl Minute {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let time = |ms| Timestamp::from_millisecond(ms).map_err(|_| corrupt("a minute"));
        Ok(Self {
            name: row.text("sk")?.to_owned(),
            end: time((row.number::<i64>(AT)?.div_euclid(MINUTE) + 1) * MINUTE)?,
            next: time(row.number(NEXT)?)?,
            after: row.has(AFTER).then(|| row.text(AFTER).map(str::to_owned)).transpose()?,
        })
    }

    /// When to look at it again; `None`: never.
    fn after_look(&self, is_empty: bool, now: Timestamp) -> Option<Timestamp> {
        let is_over_for = Duration::try_from(now.duration_since(self.end)).unwrap_or_default();
        if !is_empty || is_over_for < AGAIN {
            return Some(now.max(self.end) + (is_over_for / 4).clamp(AGAIN, LONGEST));
        }
        (is_over_for < SURELY_OVER).then(|| self.end + SURELY_OVER)
    }
}

/// Of milliseconds.
const MINUTE: i64 = 60_000;

/// The second at which it is announced.
fn second(due: &Due) -> i64 {
    due.at.as_millisecond().saturating_add(999).div_euclid(1_000)
}

fn parcel(group: String, body: String, delay: Duration) -> Parcel {
    Parcel { channel: ChannelId::new(BATCH), group, body, delay }
}

/// What nobody here can read (a newer version may have written it) keeps nothing else from being announced.
fn readable(sk: &str) -> Option<Due> {
    due_by(sk).inspect_err(|error| tracing::error!(%error, "something that is due cannot be read; the rest is announced")).ok()
}

fn due_by(sk: &str) -> Result<Due, StoreError> {
    keys::composing_at(sk).ok_or_else(|| corrupt("what is due"))
}
