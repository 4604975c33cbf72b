//! Sealing what lies there already: what an older program stored in clear, and everything anew when keys are changed.
//!
//! Promises: each is one transaction, of which either the old or the new key opens all; what was there before is gone from
//! the files once [`scrub`] has come through, which the database remembers until then. Left to others: which key
//! ([`crate::key_file`]).

use std::{collections::HashMap, fs, path::Path};

use bellhop_core::model::{AccountId, ChannelId, Name};
use bellhop_seal::Owner;
use rusqlite::{Connection, DEFAULT_NAME, Row, Transaction, wal::CheckpointMode};

use crate::{
    OpenError, Options, directory,
    error::Fault,
    key_file,
    opening::{self, Opened},
    schema,
    sealing::{Seals, data_keys},
    vapid,
};

/// Says that pages which nothing refers to, or the log, may hold what was sealed since.
const REMAINS: &str = "remains";

/// Seals what an older program stored in clear, if it has left anything.
pub(crate) fn seal_what_lies_open(tx: &Transaction<'_>, seals: &Seals) -> Result<(), Fault> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'secrets_in_clear'";
    if tx.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(());
    }
    let mut open = tx.prepare(
        "SELECT s.account, s.name, json_extract(r.body, '$.channel'), s.params FROM secrets_in_clear s
         JOIN registrations r ON r.account = s.account AND r.name = s.name",
    )?;
    let mut keep = tx.prepare("INSERT INTO secrets (account, name, channel, sealed) VALUES (?1, ?2, ?3, ?4)")?;
    let mut rows = open.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get::<_, String>(column);
        let (account, name, channel) = names(&text(0)?, &text(1)?, &text(2)?)?;
        let sealed = seals.seal(tx, &Owner::params(&account, &name, &channel), &text(3)?)?;
        keep.execute((account.as_str(), name.as_str(), channel.as_str(), sealed))?;
    }
    drop((rows, keep));
    drop(open);
    tx.execute_batch("DROP TABLE secrets_in_clear")?;
    schema::set_meta(tx, REMAINS, 1)?;
    Ok(())
}

/// Rewrites the database without what nothing refers to any more, and empties the log. Takes as long as copying it, and as
/// much room on the disk. <https://www.sqlite.org/lang_vacuum.html>
pub(crate) fn scrub(connection: &Connection) -> rusqlite::Result<()> {
    // in a file, since all of it may not fit into memory
    connection.execute_batch("PRAGMA temp_store = default; VACUUM; PRAGMA temp_store = memory;")?;
    connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE)?;
    connection.execute("DELETE FROM meta WHERE name = ?1", [REMAINS]).map(drop)
}

/// Whether something waits for [`scrub`].
pub(crate) fn has_remains(connection: &Connection) -> rusqlite::Result<bool> {
    schema::meta(connection, REMAINS).map(|remains| remains.is_some())
}

/// Seals everything in the data directory `dir` with new keys. Nobody else may use it meanwhile.
pub fn rotate_key(dir: &Path) -> Result<(), OpenError> {
    rotate(dir, Step::Scrubbed)
}

/// How far a change of keys has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The next key is on the disk.
    Written,
    /// Everything is sealed with it.
    Resealed,
    /// It is the key.
    TakenOver,
    /// What was sealed before is gone.
    Scrubbed,
}

/// Goes as far as `last`.
pub(crate) fn rotate(dir: &Path, last: Step) -> Result<(), OpenError> {
    let database = |error| OpenError::Database { dir: dir.to_owned(), error };
    let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
    fs::metadata(directory::database(dir)).map_err(|error| OpenError::Io { path: dir.to_owned(), error })?; // makes none
    let Opened { mut connection, seals: old, lock: _lock, .. } = opening::open(dir, Options::default())?;
    // the next key takes over after this commit, which therefore has to be on the disk
    connection.pragma_update(None, "synchronous", "full").map_err(database)?;
    let new = Seals::under(key_file::write_next(dir)?);
    if last == Step::Written {
        return Ok(());
    }
    let tx = connection.transaction().map_err(database)?;
    reseal(&tx, &old, &new).map_err(unreadable)?;
    tx.commit().map_err(database)?;
    if last == Step::Resealed {
        return Ok(());
    }
    key_file::take_over(dir).map_err(|error| OpenError::Io { path: key_file::path(dir), error })?;
    if last == Step::TakenOver {
        return Ok(());
    }
    scrub(&connection).map_err(database)
}

/// Where something sealed lies, and how it is put back. The version is that of former parameters.
const SEALED: [(&str, &str); 2] = [
    (
        "SELECT account, name, channel, NULL, sealed FROM secrets",
        "UPDATE secrets SET sealed = ?4 WHERE account = ?1 AND name = ?2 AND ?3 IS NULL",
    ),
    (
        "SELECT account, name, channel, version, sealed FROM formers",
        "UPDATE formers SET sealed = ?4 WHERE account = ?1 AND name = ?2 AND version = ?3",
    ),
];

fn reseal(tx: &Transaction<'_>, old: &Seals, new: &Seals) -> Result<(), Fault> {
    let wrapped: HashMap<ChannelId, Vec<u8>> = data_keys(tx)?.into_iter().collect();
    let vapid = vapid::get(tx, old)?;
    for channel in wrapped.keys() {
        new.make(tx, channel)?;
    }
    for (find, keep) in SEALED {
        let mut find = tx.prepare(find)?;
        let read = |row: &Row<'_>| Ok((place(row), row.get::<_, Vec<u8>>(4)?));
        let rows: Vec<_> = find.query_map([], read)?.collect::<Result<_, _>>()?;
        for (place, sealed) in rows {
            let (account, name, channel, version) = place?;
            let owner = match version {
                None => Owner::params(&account, &name, &channel),
                Some(version) => Owner::former(&account, &name, &channel, version.unsigned_abs()),
            };
            let sealed = new.seal(tx, &owner, &old.open(&owner, &sealed, wrapped.get(&channel).cloned())?)?;
            tx.prepare_cached(keep)?.execute((account.as_str(), name.as_str(), version, sealed))?;
        }
    }
    if let Some(key) = vapid {
        vapid::put(tx, new, &key)?;
    }
    tx.execute("DELETE FROM tokens", [])?; // providers give others
    schema::set_meta(tx, REMAINS, 1)?;
    Ok(())
}

/// Whose a row of [`SEALED`] is.
fn place(row: &Row<'_>) -> Result<(AccountId, Name, ChannelId, Option<i64>), Fault> {
    let text = |column| row.get::<_, String>(column);
    let (account, name, channel) = names(&text(0)?, &text(1)?, &text(2)?)?;
    Ok((account, name, channel, row.get(3)?))
}

fn names(account: &str, name: &str, channel: &str) -> Result<(AccountId, Name, ChannelId), Fault> {
    let account = AccountId::parse(account).map_err(|_| Fault::corrupt("an account's name"))?;
    let name = Name::parse(name).map_err(|_| Fault::corrupt("a registration's name"))?;
    Ok((account, name, ChannelId::new(channel)))
}
