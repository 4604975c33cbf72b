//! What rules have collected: a row for each event and rule, placed by time.
//!
//! Promises: an event stands once among what a rule has collected, however often it is accepted; nobody writes an entry into
//! a time that was over by more than [`LATE`] when he wrote it. For that, whoever comes later than [`OPEN`] (an event's id
//! that was taken up again after a crash) leaves word at the entry's own time that it has moved, and puts it at the present
//! time. So the first try, should it still be under way, does not put it there too: of an entry and the word that it has
//! moved, one is at a place. Left to others: which entries stand in which digest ([`super::digests`]).

use std::{collections::HashSet, time::Duration};

use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Entry, Event, EventId, Name},
    plan::Collected,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    events::A_DAY,
    keys::{self, Key},
    table::{Condition, Range, Row, Written},
};
use crate::{
    Store,
    error::{corrupt, unfinished},
};

/// How long after an event was accepted its entries are put at its time.
const OPEN: Duration = Duration::from_secs(30);

/// How long after a time nobody puts an entry there: [`OPEN`], a call with all of its tries (12 s), and clocks that differ.
pub(super) const LATE: Duration = Duration::from_mins(1);

/// How many rows are written at once.
const AT_ONCE: usize = 8;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// How many ids one row takes: each has thirty characters, and a row 400 KB.
const CHUNK: usize = 10_000;

const MOVED: &str = "moved";
const IDS: &str = "ids";

/// Whose entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) account: &'a AccountId,
    pub(super) rule: &'a Name,
}

/// An entry's place: its time and its event.
pub(super) type Place = (Timestamp, EventId);

/// Where a digest ends among a rule's entries: it and those before it have all that is older than [`LATE`] at its end, and of
/// what is younger what its list names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Which digest.
    pub(super) number: u64,
    pub(super) until: Timestamp,
    /// Where its list lies.
    pub(super) list: String,
    /// How many rows that has.
    pub(super) chunks: u32,
}

impl Mark {
    /// Before the first digest.
    pub(super) fn new(number: u64, until: Timestamp) -> Self {
        Self { number, until, list: String::new(), chunks: 0 }
    }

    fn keys(&self, of: Of<'_>) -> Vec<Key> {
        (0..self.chunks).map(|chunk| keys::frozen(of.account, of.rule, &self.list, chunk)).collect()
    }
}

/// What a digest and those before it have taken.
pub(super) struct Taken {
    pub(super) until: Timestamp,
    /// `None`: the list is forgotten, as the entries are that it names.
    listed: Option<HashSet<EventId>>,
}

impl Taken {
    pub(super) fn has(&self, (at, event): Place) -> bool {
        let is_listed = || self.listed.as_ref().is_none_or(|listed| listed.contains(&event));
        at + LATE <= self.until || at <= self.until && is_listed()
    }
}

impl Store {
    /// Puts an event among what each of these rules has collected.
    pub(super) async fn collect(&self, event: &Event, collected: &[Collected], kept_until: i64) -> Result<(), StoreError> {
        let puts = collected.iter().map(|collected| {
            let of = Of { account: &event.account, rule: &collected.rule };
            self.enter(of, Entry::of(event, collected), kept_until)
        });
        stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn enter(&self, of: Of<'_>, mut entry: Entry, kept_until: i64) -> Result<(), StoreError> {
        loop {
            let now = self.clock.now();
            let is_late = entry.at + OPEN < now;
            let row = Row::new(keys::entry(of.account, of.rule, entry.at, entry.event)).with_number(keys::EXPIRES, kept_until);
            let row = if is_late { row.with_number(MOVED, now.as_millisecond()) } else { row.with_body(&entry)? };
            match self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await? {
                Written::Yes if is_late => entry.at = now,
                Written::No(Some(there)) if there.has(MOVED) => entry.at = moved(&there)?,
                Written::Yes | Written::No(Some(_)) => return Ok(()),
                Written::No(None) => return Err(unfinished("an entry was forgotten at this very moment")),
            }
        }
    }

    /// Hands over every entry from that time up to `until` that has not expired, page by page.
    pub(super) async fn entries(
        &self,
        of: Of<'_>,
        from: Timestamp,
        until: Option<Timestamp>,
        visit: &mut (dyn FnMut(Place, &Row) -> Result<(), StoreError> + Send),
    ) -> Result<(), StoreError> {
        let now = self.clock.now().as_second();
        let mut range = Range {
            from: Some(keys::due_from(from)),
            before: until.map(|until| keys::due_from(until + Duration::from_millis(1))),
            ..Range::all(keys::entries(of.account, of.rule))
        };
        loop {
            let page = self.table.query(&range, PAGE).await?;
            for row in &page {
                let place = keys::entry_at(row.text("sk")?).ok_or_else(|| corrupt("an entry's place"))?;
                if !row.has(MOVED) && row.number::<i64>(keys::EXPIRES)? > now {
                    visit(place, row)?;
                }
            }
            let Some(last) = page.last().filter(|_| page.len() == PAGE) else { return Ok(()) };
            range.from = Some(format!("{}\0", last.text("sk")?));
        }
    }

    /// Lists what a digest that ends there takes of the entries shortly before its end.
    pub(super) async fn list_last(&self, of: Of<'_>, number: u64, until: Timestamp) -> Result<Mark, StoreError> {
        let mut ids = Vec::new();
        let from = until - LATE + Duration::from_millis(1);
        let mut visit = |(_, event): Place, _: &Row| {
            ids.push(event.to_string());
            Ok(())
        };
        self.entries(of, from, Some(until), &mut visit).await?;
        let chunks: Vec<_> = ids.chunks(CHUNK).map(|chunk| chunk.join(" ")).collect();
        let list = format!("{number:010}/{:032x}", self.clock.chance());
        let mark = Mark { number, until, list, chunks: u32::try_from(chunks.len()).map_err(|_| corrupt("a list"))? };
        // longer than the entries that it names
        let expires = self.kept_until(of.account).await? + A_DAY;
        let rows = mark.keys(of).into_iter().zip(chunks);
        let puts = rows.map(|(key, ids)| self.table.put(Row::new(key).with_text(IDS, ids).with_number(keys::EXPIRES, expires)));
        stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(mark)
    }

    /// What was taken up to that mark.
    pub(super) async fn taken(&self, of: Of<'_>, mark: &Mark) -> Result<Taken, StoreError> {
        let rows = self.table.get_many(mark.keys(of)).await?;
        if rows.len() < mark.chunks as usize {
            return Ok(Taken { until: mark.until, listed: None });
        }
        let mut listed = HashSet::new();
        for row in rows.values() {
            for id in row.text(IDS)?.split(' ') {
                listed.insert(id.parse().map_err(|_| corrupt("a listed entry"))?);
            }
        }
        Ok(Taken { until: mark.until, listed: Some(listed) })
    }
}

fn moved(row: &Row) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(row.number(MOVED)?).map_err(|_| corrupt(MOVED))
}
