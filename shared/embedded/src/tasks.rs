//! Tasks, with their runs, and what is due when: tasks and digests.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, EventId, Name, Run, Task, TaskId},
    ports::{Agenda, Due, Matter, Tasks},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::{
        millis,
        table::{event_key, limit},
    },
    writer::Effect,
};

/// For how long the key of a request is remembered, in milliseconds.
const REMEMBERED: i64 = 24 * 60 * 60 * 1_000;

#[async_trait]
impl Tasks for Store {
    async fn get(&self, account: &AccountId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let account = account.clone();
        self.readers.read(move |connection| get(connection, &account, id)).await
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<TaskId>,
        before: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut find = connection
                .prepare_cached("SELECT body FROM tasks WHERE account = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4")?;
            let (from, before) = (from.unwrap_or(TaskId(0)), before.unwrap_or(TaskId(u128::MAX)));
            let found = find.query_map((account.as_str(), key(from), key(before), limit(most)), |row| row.get::<_, String>(0))?;
            found.map(|body| parse("a task", &body?)).collect()
        };
        self.readers.read(look).await
    }

    async fn put(&self, task: &Task) -> Result<bool, StoreError> {
        let (task, body) = (task.clone(), json(task)?);
        let now = millis(self.memory.clock.now());
        self.write(move |tx| {
            let (account, id) = (task.account.as_str(), key(task.id));
            let known = get(tx.connection, &task.account, task.id)?.map_or(0, |stored| stored.version);
            if known + 1 != task.version {
                return Ok(false);
            }
            let under = task.made_under.as_ref().map(|under| under.key.as_str());
            if let (0, Some(under)) = (known, under)
                && made_under(tx.connection, account, under, now)?.is_some()
            {
                return Ok(false);
            }
            if let Some(run) = task.under_way {
                let mut insert = tx
                    .connection
                    .prepare_cached("INSERT OR IGNORE INTO runs (account, task, event, at) VALUES (?1, ?2, ?3, ?4)")?;
                insert.execute((account, id, event_key(run.event), millis(run.at)))?;
            }
            let due = task.due().map(millis);
            // what is over is forgotten once its last run is
            let over =
                due.is_none().then(|| millis(task.updated_at).max(task.latest().map_or(0, |run| millis(run.event.time()))));
            let mut put = tx.connection.prepare_cached(
                "INSERT OR REPLACE INTO tasks (account, id, due, over, made_under, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            put.execute((account, id, due, over, under, &body))?;
            tx.effects.push(Effect::Task(task.account.clone()));
            Ok(true)
        })
        .await
    }

    async fn delete(&self, task: &Task) -> Result<bool, StoreError> {
        let task = task.clone();
        self.write(move |tx| {
            let known = get(tx.connection, &task.account, task.id)?.map(|stored| stored.version);
            if known != Some(task.version) {
                return Ok(false);
            }
            let place = (task.account.as_str(), key(task.id));
            tx.connection.prepare_cached("DELETE FROM runs WHERE account = ?1 AND task = ?2")?.execute(place)?;
            tx.connection.prepare_cached("DELETE FROM tasks WHERE account = ?1 AND id = ?2")?.execute(place)?;
            tx.effects.push(Effect::Task(task.account.clone()));
            Ok(true)
        })
        .await
    }

    async fn runs(&self, account: &AccountId, id: TaskId, before: Option<EventId>, most: usize) -> Result<Vec<Run>, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut find = connection.prepare_cached(
                "SELECT event, at FROM runs WHERE account = ?1 AND task = ?2 AND event < ?3 ORDER BY event DESC LIMIT ?4",
            )?;
            let before = event_key(before.unwrap_or(EventId(u128::MAX)));
            let mut rows = find.query((account.as_str(), key(id), before, limit(most)))?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next()? {
                runs.push(Run { event: EventId(number(row, 0)?), at: time(row.get(1)?)? });
            }
            Ok(runs)
        };
        self.readers.read(look).await
    }

    async fn made_under(&self, account: &AccountId, under: &str, now: Timestamp) -> Result<Option<Task>, StoreError> {
        let (account, under) = (account.clone(), under.to_owned());
        self.readers.read(move |connection| made_under(connection, account.as_str(), &under, millis(now))).await
    }

    async fn open(&self, account: &AccountId, most: usize) -> Result<usize, StoreError> {
        let account = account.clone();
        let look = move |connection: &Connection| {
            let mut count = connection
                .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM tasks WHERE account = ?1 AND due IS NOT NULL LIMIT ?2)")?;
            let open: i64 = count.query_row((account.as_str(), limit(most)), |row| row.get(0))?;
            usize::try_from(open).map_err(|_| Fault::corrupt("a number of tasks"))
        };
        self.readers.read(look).await
    }
}

#[async_trait]
impl Agenda for Store {
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        let after = after.cloned();
        let look = move |connection: &Connection| {
            let mut due = rules_due(connection, until, after.as_ref(), most)?;
            due.extend(tasks_due(connection, until, after.as_ref(), most)?);
            due.sort_unstable();
            due.truncate(most);
            Ok(due)
        };
        self.readers.read(look).await
    }

    /// The loop that works on it asks every second.
    async fn announce(&self, _now: Timestamp, _until: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn rules_due(connection: &Connection, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT due, account, rule FROM schedules WHERE due <= ?1 AND (due, account, rule) > (?2, ?3, ?4)
         ORDER BY due, account, rule LIMIT ?5",
    )?;
    let (at, account, matter) = place(after);
    let behind = match matter {
        None => "",
        Some(Matter::Rule(rule)) => rule.as_str(),
        // rules come before tasks: behind all names
        Some(Matter::Task(_)) => "\u{10ffff}",
    };
    let mut rows = find.query((millis(until), at, account, behind, limit(most)))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let matter = Matter::Rule(named(Name::parse(&row.get::<_, String>(2)?))?);
        due.push(Due { at: time(row.get(0)?)?, account: named(AccountId::parse(&row.get::<_, String>(1)?))?, matter });
    }
    Ok(due)
}

fn tasks_due(connection: &Connection, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT due, account, id FROM tasks WHERE due IS NOT NULL AND due <= ?1 AND (due, account, id) > (?2, ?3, ?4)
         ORDER BY due, account, id LIMIT ?5",
    )?;
    let (at, account, matter) = place(after);
    let behind: &[u8] = match matter {
        None | Some(Matter::Rule(_)) => &[],
        Some(Matter::Task(id)) => &key(*id),
    };
    let mut rows = find.query((millis(until), at, account, behind, limit(most)))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let matter = Matter::Task(TaskId(number(row, 2)?));
        due.push(Due { at: time(row.get(0)?)?, account: named(AccountId::parse(&row.get::<_, String>(1)?))?, matter });
    }
    Ok(due)
}

fn place(after: Option<&Due>) -> (i64, &str, Option<&Matter>) {
    after.map_or((i64::MIN, "", None), |after| (millis(after.at), after.account.as_str(), Some(&after.matter)))
}

fn get(connection: &Connection, account: &AccountId, id: TaskId) -> Result<Option<Task>, Fault> {
    let mut find = connection.prepare_cached("SELECT body FROM tasks WHERE account = ?1 AND id = ?2")?;
    let body = find.query_row((account.as_str(), key(id)), |row| row.get::<_, String>(0)).optional()?;
    body.map(|body| parse("a task", &body)).transpose()
}

fn made_under(connection: &Connection, account: &str, under: &str, now: i64) -> Result<Option<Task>, Fault> {
    let since = Timestamp::from_millisecond(now - REMEMBERED).map_err(|_| Fault::corrupt("a time"))?;
    let mut find = connection
        .prepare_cached("SELECT body FROM tasks WHERE account = ?1 AND made_under = ?2 AND id >= ?3 ORDER BY id DESC LIMIT 1")?;
    let body = find.query_row((account, under, key(TaskId::new(since, 0))), |row| row.get::<_, String>(0)).optional()?;
    body.map(|body| parse("a task", &body)).transpose()
}

fn key(id: TaskId) -> [u8; 16] {
    id.0.to_be_bytes()
}

fn number(row: &Row<'_>, column: usize) -> Result<u128, Fault> {
    Ok(u128::from_be_bytes(row.get::<_, [u8; 16]>(column)?))
}

fn time(at: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(at).map_err(|_| Fault::corrupt("a time"))
}

fn named<T, E>(name: Result<T, E>) -> Result<T, Fault> {
    name.map_err(|_| Fault::corrupt("a name"))
}
