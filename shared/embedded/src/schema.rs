//! The tables, and how an older file becomes one of today.
//!
//! Rows lie in the order of their time-ordered ids (`WITHOUT ROWID`, ids as big-endian bytes), so that new rows go to the
//! end and old ones never move. Times are milliseconds since 1970. A step, once released, is never changed: a new version
//! is a new step at the end of [`STEPS`].

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

/// Step i leads from version i to version i + 1.
pub(crate) const STEPS: &[&str] = &[
    "
    CREATE TABLE accounts (
        id TEXT NOT NULL PRIMARY KEY,
        body TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE keys (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX keys_of_account ON keys (account, created_at, id);

    CREATE TABLE registrations (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        is_default INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX registrations_by_default ON registrations (account, name) WHERE is_default = 1;
    CREATE TABLE registration_groups (
        account TEXT NOT NULL,
        member_of TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (account, member_of, name)
    ) WITHOUT ROWID, STRICT;
    -- the parameters of registrations, apart from the rows that everybody may list
    CREATE TABLE secrets (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        params TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE events (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        body TEXT NOT NULL,
        plan TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;

    -- `rare` is the state where that is one people look for, else null
    CREATE TABLE deliveries (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        rare TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX deliveries_in_rare_states ON deliveries (account, rare, id) WHERE rare IS NOT NULL;

    -- `id` is a hash of account, route and key: clients' keys have no order, so the fewer pages they lie on the better
    CREATE TABLE idempotency (
        id BLOB NOT NULL PRIMARY KEY,
        event BLOB NOT NULL,
        body_hash TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

    -- a lane is what waits for one registration
    CREATE TABLE lanes (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        registration TEXT NOT NULL,
        UNIQUE (channel, account, registration)
    ) STRICT;
    -- `visible_at` is 0 for what may go at once: what was ready stays ready, whatever the clock does
    CREATE TABLE queue (
        lane INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        receives INTEGER NOT NULL,
        address TEXT,
        PRIMARY KEY (lane, visible_at, seq)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE due (
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        lane INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        address TEXT,
        PRIMARY KEY (at, seq)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE dead_letters (
        lane INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        delivery BLOB NOT NULL,
        n INTEGER NOT NULL,
        address TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (lane, seq)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- up to when a registration's slots are taken, and how long it pauses
    CREATE TABLE pace (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        reserved INTEGER,
        paused_until INTEGER,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- what an account says or we know about it, as JSON: rules, sources, counters
    CREATE TABLE records (
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, kind, name)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- of providers; secret like the parameters of registrations
    CREATE TABLE tokens (
        account TEXT NOT NULL,
        channel TEXT NOT NULL,
        credential TEXT NOT NULL,
        slot TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (account, channel, credential)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX tokens_by_end ON tokens (until);

    CREATE INDEX registrations_for_contacts ON registrations (account, name) WHERE json_extract(body, '$.serves') = 'contacts';
",
    "
    -- paths by which other systems report
    CREATE TABLE hooks (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        hash TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- when rules' digests are due, and where the last two end: see `digests.rs`
    CREATE TABLE schedules (
        account TEXT NOT NULL,
        rule TEXT NOT NULL,
        version INTEGER NOT NULL,
        due INTEGER NOT NULL,
        before_until INTEGER NOT NULL,
        before_seq INTEGER NOT NULL,
        until INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, rule)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX schedules_by_due ON schedules (due, account, rule);

    -- what rules have collected
    CREATE TABLE entries (
        account TEXT NOT NULL,
        rule TEXT NOT NULL,
        at INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, rule, at, seq)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX entries_by_seq ON entries (account, rule, seq, at);
    CREATE INDEX entries_by_time ON entries (account, at);
",
    "
    -- how often in a row a registration did not answer in time
    ALTER TABLE pace ADD COLUMN timeouts INTEGER;
",
    "
    -- the channels' data keys, wrapped by the key of the data directory
    CREATE TABLE data_keys (
        channel TEXT NOT NULL PRIMARY KEY,
        wrapped BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;

    -- sealed from here on; `rotation.rs` seals what lies in clear, and takes that table away
    ALTER TABLE secrets RENAME TO secrets_in_clear;
    CREATE TABLE secrets (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        channel TEXT NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID, STRICT;

    -- providers give others
    DROP TABLE tokens;
    CREATE TABLE tokens (
        account TEXT NOT NULL,
        channel TEXT NOT NULL,
        credential TEXT NOT NULL,
        sealed BLOB NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (account, channel, credential)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX tokens_by_end ON tokens (until);

    -- what registrations had for parameters before
    CREATE TABLE formers (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        channel TEXT NOT NULL,
        saved_at INTEGER NOT NULL,
        replaced_at INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (account, name, version)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- what was done with what accounts own, and by which key
    CREATE TABLE audit (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        until INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX audit_by_end ON audit (until);
",
    "
    -- of Mpush clients: whose token it is, which event has which number, and what waits for whom
    CREATE TABLE client_tokens (
        hash TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE numbers (
        account TEXT NOT NULL,
        mid INTEGER NOT NULL,
        event BLOB NOT NULL,
        PRIMARY KEY (account, mid)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE lines (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        delivery BLOB NOT NULL,
        PRIMARY KEY (account, name, delivery)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- the key by which push services know this deployment; there is one
    CREATE TABLE vapid (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        public TEXT NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
",
    "
    -- what accounts want sent by the clock: when somebody has to look at it, or since when it is over
    CREATE TABLE tasks (
        account TEXT NOT NULL,
        id BLOB NOT NULL,
        due INTEGER,
        over INTEGER,
        made_under TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX tasks_by_due ON tasks (due, account, id) WHERE due IS NOT NULL;
    CREATE INDEX tasks_open ON tasks (account) WHERE due IS NOT NULL;
    CREATE INDEX tasks_by_end ON tasks (account, over) WHERE over IS NOT NULL;
    CREATE INDEX tasks_by_request ON tasks (account, made_under, id) WHERE made_under IS NOT NULL;
    CREATE TABLE runs (
        account TEXT NOT NULL,
        task BLOB NOT NULL,
        event BLOB NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (account, task, event)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX runs_by_time ON runs (account, event);
",
    "
    -- for quotas
    CREATE INDEX registrations_on_channel ON registrations (account, json_extract(body, '$.channel'));
",
    "
    -- in the order of their coming, until many are put in their own at once: see `idempotency.rs`
    CREATE TABLE idempotency_new (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        event BLOB NOT NULL,
        body_hash TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    DROP INDEX idempotency_by_expiry;
    ALTER TABLE idempotency RENAME TO idempotency_before;
    -- by the day on which they expire, in milliseconds / 86,400,000
    CREATE TABLE idempotency (
        day INTEGER NOT NULL,
        id BLOB NOT NULL,
        event BLOB NOT NULL,
        body_hash TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (day, id)
    ) WITHOUT ROWID, STRICT;
    INSERT INTO idempotency SELECT expires_at / 86400000, id, event, body_hash, expires_at FROM idempotency_before;
    DROP TABLE idempotency_before;
",
];

/// The version that this program writes.
pub(crate) fn current() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// What a file has to say about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prepared<T> {
    /// It is of today; this is the number of this opening.
    Ready {
        /// Grows with every opening: leases of an earlier one are over.
        epoch: u64,
        /// What came of what was done besides.
        done: T,
    },
    /// A later program made it. It was not touched.
    Newer(i64),
}

/// Brings a file to the version of `steps`, does what SQL cannot, and counts this opening: all of it, or nothing.
pub(crate) fn prepare<T, E: From<rusqlite::Error>>(
    connection: &mut Connection,
    steps: &[&str],
    besides: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<Prepared<T>, E> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT")?;
    let found = meta(&tx, "schema")?.unwrap_or(0);
    let Some(missing) = usize::try_from(found).ok().and_then(|found| steps.get(found..)) else {
        return Ok(Prepared::Newer(found)); // the transaction is rolled back
    };
    for step in missing {
        tx.execute_batch(step)?;
    }
    let done = besides(&tx)?;
    let epoch = meta(&tx, "epoch")?.unwrap_or(0) + 1;
    set_meta(&tx, "schema", i64::try_from(steps.len()).unwrap_or(i64::MAX))?;
    set_meta(&tx, "epoch", epoch)?;
    tx.commit()?;
    Ok(Prepared::Ready { epoch: epoch.unsigned_abs(), done })
}

/// A number that the file keeps about itself.
pub(crate) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

/// Keeps a number.
pub(crate) fn set_meta(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<usize> {
    connection.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?.execute((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<Prepared<()>> {
        super::prepare(connection, steps, |_| Ok(()))
    }

    fn epoch(prepared: Prepared<()>) -> u64 {
        match prepared {
            Prepared::Ready { epoch, done: () } => epoch,
            Prepared::Newer(found) => panic!("newer: {found}"),
        }
    }

    #[test]
    fn every_opening_is_counted() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(epoch(prepare(&mut connection, STEPS).unwrap()), 1);
        assert_eq!(epoch(prepare(&mut connection, STEPS).unwrap()), 2);
    }

    #[test]
    fn an_older_file_goes_through_the_steps_that_it_lacks() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection, &["CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7)"]).unwrap();
        prepare(&mut connection, &["not SQL: must not run again", "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 8"]).unwrap();
        let row: (i64, i64) = connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (7, 8));
        assert_eq!(meta(&connection, "schema").unwrap(), Some(2));
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection, &["CREATE TABLE a (x INTEGER)"]).unwrap();
        prepare(&mut connection, &["", "CREATE TABLE b (x INTEGER)", "not SQL"]).unwrap_err();
        assert_eq!(meta(&connection, "schema").unwrap(), Some(1));
        assert!(connection.prepare("SELECT x FROM b").is_err());
    }

    #[test]
    fn what_is_done_besides_is_done_with_the_steps_or_not_at_all() {
        let mut connection = Connection::open_in_memory().unwrap();
        let fails = |tx: &Transaction<'_>| tx.execute_batch("INSERT INTO a VALUES (7); not SQL");
        super::prepare(&mut connection, &["CREATE TABLE a (x INTEGER)"], fails).unwrap_err();
        assert!(connection.prepare("SELECT x FROM a").is_err());
        let count = |tx: &Transaction<'_>| tx.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0));
        let prepared = super::prepare(&mut connection, &["CREATE TABLE a (x INTEGER)"], count).unwrap();
        assert_eq!(prepared, Prepared::Ready { epoch: 1, done: 0 });
    }

    #[test]
    fn a_newer_file_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection, &["", "", ""]).unwrap();
        assert_eq!(prepare(&mut connection, &[""]).unwrap(), Prepared::Newer(3));
        assert_eq!(meta(&connection, "epoch").unwrap(), Some(1));
    }
}
