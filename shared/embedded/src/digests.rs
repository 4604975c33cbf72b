//! What rules have collected.
//!
//! A digest is frozen by two numbers: the time up to which it goes, and the last entry there was when it was frozen. It holds
//! what lies within both and does not lie within those of the digest before. Nothing is written to the entries themselves,
//! so that freezing takes as long for a hundred thousand as for one.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Entry, Event, Name, Schedule},
    plan::Plan,
    ports::{Digests, Visit},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::{millis, table::limit},
    writer::Tx,
};

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// Where a digest ends among a rule's entries.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    until: i64,
    /// The last entry there was.
    seq: i64,
}

/// Those of the digest before, and of the last.
type Marks = (Mark, Mark);

#[async_trait]
impl Digests for Store {
    async fn get(&self, account: &AccountId, rule: &Name) -> Result<Option<Schedule>, StoreError> {
        let (account, rule) = (account.clone(), rule.clone());
        self.readers.read(move |connection| Ok(get(connection, &account, &rule)?.map(|(schedule, _)| schedule))).await
    }

    async fn put(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.save(schedule, false).await
    }

    async fn freeze(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.save(schedule, true).await
    }

    async fn delete(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        let schedule = schedule.clone();
        self.write(move |tx| {
            let mut delete =
                tx.connection.prepare_cached("DELETE FROM schedules WHERE account = ?1 AND rule = ?2 AND version = ?3")?;
            Ok(delete.execute((schedule.account.as_str(), schedule.rule.as_str(), version(&schedule)?))? > 0)
        })
        .await
    }

    async fn collected(&self, schedule: &Schedule, from: Timestamp, visit: Visit<'_>) -> Result<(), StoreError> {
        let (account, rule) = (schedule.account.clone(), schedule.rule.clone());
        let stored = self.readers.read(move |connection| get(connection, &account, &rule)).await?;
        let is_it = |stored: &Schedule| stored.version == schedule.version;
        let Some((_, (before, frozen))) = stored.filter(|(stored, _)| is_it(stored)) else {
            return Err(StoreError::Unavailable("others have gone on with this digest".to_owned()));
        };
        let whole = Mark { until: i64::MAX, seq: i64::MAX };
        let (outside, inside) = if schedule.frozen.is_some() { (before, frozen) } else { (frozen, whole) };
        let from = millis(from);
        // behind the digest before, in the order of time; then what was accepted before its end and written after it was frozen
        let behind = outside.until.saturating_add(1).max(from).saturating_sub(1);
        let in_time = (IN_TIME, [from, inside.until, inside.seq], (behind, i64::MAX));
        let late = (LATE, [from, outside.until, inside.seq], (0, outside.seq));
        for (find, bounds, mut after) in [in_time, late] {
            loop {
                let (account, rule) = (schedule.account.clone(), schedule.rule.clone());
                let page = self.readers.read(move |connection| page(connection, find, (&account, &rule), bounds, after)).await?;
                let is_last = page.len() < PAGE;
                after = page.last().map_or(after, |(at, seq, _)| (*at, *seq));
                for (_, _, entry) in page {
                    visit(entry);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Store {
    async fn save(&self, schedule: &Schedule, freezes: bool) -> Result<bool, StoreError> {
        let (schedule, body) = (schedule.clone(), json(schedule)?);
        self.write(move |tx| {
            let stored = get(tx.connection, &schedule.account, &schedule.rule)?;
            let (known, (before, frozen)) = match stored {
                Some((stored, marks)) => (stored.version, marks),
                // what was collected for a rule of that name before is not told again
                None => (0, (Mark::default(), Mark { until: millis(schedule.since), seq: tx.fresh() })),
            };
            if known + 1 != schedule.version {
                return Ok(false);
            }
            let (before, frozen) = match &schedule.frozen {
                Some(digest) if freezes => (frozen, Mark { until: millis(digest.until).max(frozen.until), seq: tx.fresh() }),
                Some(_) | None => (before, frozen),
            };
            let mut put = tx.connection.prepare_cached(
                "INSERT OR REPLACE INTO schedules (account, rule, version, due, before_until, before_seq, until, seq, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            let (account, rule) = (schedule.account.as_str(), schedule.rule.as_str());
            let due = millis(schedule.due);
            put.execute((account, rule, version(&schedule)?, due, before.until, before.seq, frozen.until, frozen.seq, &body))?;
            Ok(true)
        })
        .await
    }
}

/// Puts the event among what each of these rules has collected.
pub(crate) fn collect(tx: &mut Tx<'_>, event: &Event, plan: &Plan) -> Result<(), Fault> {
    for collected in &plan.collected {
        let seq = tx.fresh();
        let body = serde_json::to_string(&Entry::of(event, collected)).map_err(|_| Fault::corrupt("an entry"))?;
        let mut insert =
            tx.connection.prepare_cached("INSERT INTO entries (account, rule, at, seq, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        insert.execute((event.account.as_str(), collected.rule.as_str(), millis(event.accepted_at), seq, body))?;
    }
    Ok(())
}

/// A rule's schedule, and where its digests end: the one before, and the last.
fn get(connection: &Connection, account: &AccountId, rule: &Name) -> Result<Option<(Schedule, Marks)>, Fault> {
    let mut find = connection
        .prepare_cached("SELECT body, before_until, before_seq, until, seq FROM schedules WHERE account = ?1 AND rule = ?2")?;
    let read = |row: &Row<'_>| {
        let marks = (Mark { until: row.get(1)?, seq: row.get(2)? }, Mark { until: row.get(3)?, seq: row.get(4)? });
        Ok((row.get::<_, String>(0)?, marks))
    };
    let found = find.query_row((account.as_str(), rule.as_str()), read).optional()?;
    found.map(|(body, marks)| Ok((parse("a schedule", &body)?, marks))).transpose()
}

const IN_TIME: &str = "SELECT at, seq, body FROM entries WHERE account = ?1 AND rule = ?2 AND at >= ?3 AND at <= ?4 AND seq <= ?5
    AND (at, seq) > (?6, ?7) ORDER BY at, seq LIMIT ?8";

const LATE: &str = "SELECT at, seq, body FROM entries INDEXED BY entries_by_seq WHERE account = ?1 AND rule = ?2 AND at >= ?3
    AND at <= ?4 AND seq <= ?5 AND ?6 IS NOT NULL AND seq > ?7 ORDER BY seq LIMIT ?8";

type Placed = (i64, i64, Entry);

/// The next of them: not before `from`, up to that time and that entry.
fn page(
    connection: &Connection,
    find: &str,
    (account, rule): (&AccountId, &Name),
    [from, until, seq]: [i64; 3],
    after: (i64, i64),
) -> Result<Vec<Placed>, Fault> {
    let mut find = connection.prepare_cached(find)?;
    let mut rows = find.query((account.as_str(), rule.as_str(), from, until, seq, after.0, after.1, limit(PAGE)))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push((row.get(0)?, row.get(1)?, parse("an entry", &row.get::<_, String>(2)?)?));
    }
    Ok(entries)
}

fn version(schedule: &Schedule) -> Result<i64, Fault> {
    i64::try_from(schedule.version).map_err(|_| Fault::corrupt("a version"))
}
