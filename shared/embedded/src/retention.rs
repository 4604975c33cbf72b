//! What accounts have kept for long enough is forgotten: events with their deliveries and pictures, what
//! rules collected, the runs of tasks, and tasks that are over.
//!
//! Promise: a little at a time, so that nobody waits for it; a picture goes before its event, so that none stays behind.
//! Rows live for 30 days at least, which is longer than anything is tried again.

use std::time::Duration;

use bellhop_core::{
    StoreError, Timestamp,
    model::{Account, AccountId, AttachmentId, EventId},
    ports::Attachments,
};
use rusqlite::Connection;

use crate::{
    Store,
    error::{Fault, parse},
    queue::{
        millis,
        table::{event_key, limit},
    },
    schema::{meta, set_meta},
};

/// How often accounts are gone through.
const EVERY: Duration = Duration::from_hours(1);

/// What is kept at least, in days.
const LEAST_DAYS: u32 = 30;

/// When that was done last.
const DONE: &str = "retained_at";

/// What is too old, of one account.
struct Old {
    account: AccountId,
    before: i64,
    pictures: Vec<AttachmentId>,
    /// Nobody counts for it any more.
    is_deleted: bool,
}

impl Store {
    /// Forgets up to `most` rows. Answers how many there were.
    pub(crate) async fn forget_old(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        let Some(accounts) = self.readers.read(move |connection| to_go_through(connection, now, most)).await? else {
            return Ok(0);
        };
        for old in &accounts {
            for picture in &old.pictures {
                Attachments::delete(self, &old.account, *picture).await?;
            }
        }
        self.write(move |tx| {
            let mut left = most;
            for old in &accounts {
                left -= forget(tx.connection, old, left)?;
            }
            if left > 0 {
                set_meta(tx.connection, DONE, millis(now))?;
            }
            Ok(most - left)
        })
        .await
    }
}

/// What is too old, with its first pictures; nothing if that was looked at within the hour.
fn to_go_through(connection: &Connection, now: Timestamp, most: usize) -> Result<Option<Vec<Old>>, Fault> {
    if meta(connection, DONE)?.is_some_and(|done| done > millis(now - EVERY)) {
        return Ok(None);
    }
    let mut accounts = connection.prepare_cached("SELECT body FROM accounts")?;
    let mut pictures = connection.prepare_cached(
        "SELECT json_extract(body, '$.screenshot') AS picture FROM events WHERE account = ?1 AND id < ?2
         AND picture IS NOT NULL ORDER BY id LIMIT ?3",
    )?;
    let mut rows = accounts.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let account: Account = parse("an account", &row.get::<_, String>(0)?)?;
        let days = u64::from(account.retention_days.max(LEAST_DAYS));
        let before = millis(now - Duration::from_hours(24 * days));
        let found = pictures.query_map((account.id.as_str(), first(before)?, limit(most)), |row| row.get::<_, String>(0))?;
        let pictures = found.collect::<Result<Vec<_>, _>>()?.iter().filter_map(|id| id.parse().ok()).collect();
        all.push(Old { account: account.id, before, pictures, is_deleted: account.deleted_at.is_some() });
    }
    Ok(Some(all))
}

fn forget(connection: &Connection, old: &Old, most: usize) -> Result<usize, Fault> {
    let (account, first) = (old.account.as_str(), first(old.before)?);
    let mut gone = 0;
    for sql in [
        "DELETE FROM deliveries WHERE account = ?1 AND id IN
         (SELECT id FROM deliveries WHERE account = ?1 AND id < ?2 ORDER BY id LIMIT ?3)",
        "DELETE FROM events WHERE account = ?1 AND id IN
         (SELECT id FROM events WHERE account = ?1 AND id < ?2 ORDER BY id LIMIT ?3)",
    ] {
        gone += connection.prepare_cached(sql)?.execute((account, first, limit(most - gone)))?;
    }
    // numbers look like milliseconds since 1970
    let mut numbers = connection.prepare_cached(
        "DELETE FROM numbers WHERE account = ?1 AND mid IN
         (SELECT mid FROM numbers WHERE account = ?1 AND mid < ?2 ORDER BY mid LIMIT ?3)",
    )?;
    gone += numbers.execute((account, old.before, limit(most - gone)))?;
    let mut entries = connection.prepare_cached(
        "DELETE FROM entries WHERE (account, rule, at, seq) IN
         (SELECT account, rule, at, seq FROM entries INDEXED BY entries_by_time WHERE account = ?1 AND at < ?2 LIMIT ?3)",
    )?;
    gone += entries.execute((account, old.before, limit(most - gone)))?;
    let mut runs = connection.prepare_cached(
        "DELETE FROM runs WHERE (account, task, event) IN
         (SELECT account, task, event FROM runs INDEXED BY runs_by_time WHERE account = ?1 AND event < ?2 LIMIT ?3)",
    )?;
    gone += runs.execute((account, first, limit(most - gone)))?;
    let mut tasks = connection.prepare_cached(
        "DELETE FROM tasks WHERE (account, id) IN
         (SELECT account, id FROM tasks INDEXED BY tasks_by_end WHERE account = ?1 AND over < ?2 LIMIT ?3)",
    )?;
    gone += tasks.execute((account, old.before, limit(most - gone)))?;
    if old.is_deleted {
        let mut counters = connection.prepare_cached(
            "DELETE FROM records WHERE (account, kind, name) IN
             (SELECT account, kind, name FROM records WHERE account = ?1 AND kind = 'counter' LIMIT ?2)",
        )?;
        gone += counters.execute((account, limit(most - gone)))?;
    }
    Ok(gone)
}

/// The first id of that time.
fn first(at: i64) -> Result<[u8; 16], Fault> {
    let at = Timestamp::from_millisecond(at).map_err(|_| Fault::corrupt("a time"))?;
    Ok(event_key(EventId::floor(at)))
}
