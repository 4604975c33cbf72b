//! A look at a data directory from outside, for `bellhop doctor`: reads, and keeps nobody out.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use rusqlite::Connection;

use crate::{
    Backlog, OpenError, directory,
    error::Fault,
    key_file::{self, Found},
    queue::table,
    readers, rotation,
    schema::{self, meta},
    sealing::{self, Seals},
    vapid,
};

/// What was found in a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of its tables.
    pub schema: i64,
    /// The version that this program writes; it refuses a higher one.
    pub known_schema: i64,
    /// How often it was opened.
    pub epoch: i64,
    /// A `bellhop serve` uses it now.
    pub in_use: bool,
    /// Whether what is secret can be opened.
    pub sealing: Sealing,
    /// Whether the key of Web Push is there and opens; `None`: there is none.
    pub web_push: Option<bool>,
    /// What SQLite's quick check has to complain about; nothing, if all is well.
    pub damage: Vec<String>,
    /// What waits, by channel.
    pub backlog: Vec<Backlog>,
    /// Files and folders that others than the owner can read, by name and mode.
    pub open_to_others: Vec<(String, u32)>,
}

/// How the secrets of a data directory stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// Nothing is sealed: there is nothing yet, or an older program has stored it in clear.
    Nothing,
    /// The key opens the data keys of so many channels.
    Opens {
        /// How many.
        channels: usize,
        /// What was there before it was sealed may still be found in the files.
        remains: bool,
    },
    /// A change of keys was broken off; the next start finishes it.
    Unfinished,
    /// The key is not there.
    NoKey,
    /// It is another one.
    WrongKey,
}

/// Looks at the data directory `dir`. May take a while where there is much.
pub fn inspect(dir: &Path) -> Result<Inspection, OpenError> {
    let failed = |error| OpenError::Io { path: dir.to_owned(), error };
    let database = |error| OpenError::Database { dir: dir.to_owned(), error };
    fs::metadata(directory::database(dir)).map_err(failed)?;
    let connection = readers::open(&directory::database(dir)).map_err(database)?;
    let check = || -> rusqlite::Result<Vec<String>> {
        connection.prepare("PRAGMA quick_check")?.query_map([], |row| row.get(0))?.collect()
    };
    let damage = check().map_err(database)?.into_iter().filter(|line| line != "ok").collect();
    let schema = meta(&connection, "schema").map_err(database)?.unwrap_or(0);
    let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
    let is_current = schema == schema::current();
    let (sealing, web_push) = if is_current { sealing(dir, &connection)? } else { (Sealing::Nothing, None) };
    Ok(Inspection {
        schema,
        known_schema: schema::current(),
        epoch: meta(&connection, "epoch").map_err(database)?.unwrap_or(0),
        in_use: directory::is_taken(dir).map_err(failed)?,
        sealing,
        web_push,
        damage,
        backlog: if is_current { table::backlog(&connection).map_err(unreadable)? } else { Vec::new() },
        open_to_others: open_to_others(dir).map_err(failed)?,
    })
}

/// How the secrets stand, and with them the key of Web Push.
fn sealing(dir: &Path, connection: &Connection) -> Result<(Sealing, Option<bool>), OpenError> {
    let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
    let channels = sealing::data_keys(connection).map_err(unreadable)?.len();
    let remains = rotation::has_remains(connection).map_err(|error| unreadable(error.into()))?;
    let web_push = |seals: &Seals| match vapid::get(connection, seals) {
        Ok(key) => key.map(|key| bellhop_seal::vapid::is_pair(&key)),
        Err(_) => Some(false),
    };
    Ok(match key_file::look(dir, connection)? {
        Found::Fits(seals) => (Sealing::Opens { channels, remains }, web_push(&seals)),
        Found::NextFits(seals) => (Sealing::Unfinished, web_push(&seals)),
        Found::NotNeeded => (Sealing::Nothing, None),
        Found::Missing => (Sealing::NoKey, None),
        Found::Wrong => (Sealing::WrongKey, None),
    })
}

fn open_to_others(dir: &Path) -> io::Result<Vec<(String, u32)>> {
    let own = (".".to_owned(), fs::metadata(dir)?);
    let inside = fs::read_dir(dir)?.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?))
    });
    let all: Vec<_> = std::iter::once(Ok(own)).chain(inside).collect::<io::Result<_>>()?;
    let modes = all.into_iter().map(|(name, metadata)| (name, metadata.permissions().mode() & 0o777));
    Ok(modes.filter(|(_, mode)| mode & 0o077 != 0).collect())
}
