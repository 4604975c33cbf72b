//! A data directory is made ready: locked, brought to this program's version, its seals opened.

use std::{fs::File, path::Path};

use rusqlite::Connection;

use crate::{
    Durability, OpenError, Options, directory,
    error::Fault,
    key_file, readers, rotation,
    schema::{self, Prepared},
    sealing::Seals,
};

/// How long the writer waits for somebody who looks at the database from outside.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// A data directory that nobody else has.
pub(crate) struct Opened {
    /// The connection that writes.
    pub(crate) connection: Connection,
    /// This opening's number.
    pub(crate) epoch: u64,
    pub(crate) seals: Seals,
    /// Keeps everybody else out for as long as it lives.
    pub(crate) lock: File,
}

/// Makes what is missing in `dir`.
pub(crate) fn open(dir: &Path, options: Options) -> Result<Opened, OpenError> {
    let lock = directory::take(dir)?;
    let database = |error| OpenError::Database { dir: dir.to_owned(), error };
    let mut connection = connect(dir, options).map_err(database)?;
    let prepared = schema::prepare(&mut connection, schema::STEPS, |tx| {
        let seals = key_file::open(dir, tx).map_err(Unprepared::Refused)?;
        let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
        rotation::seal_what_lies_open(tx, &seals).map_err(unreadable).map_err(Unprepared::Refused)?;
        Ok(seals)
    });
    let (epoch, seals) = match prepared {
        Ok(Prepared::Ready { epoch, done: seals }) => (epoch, seals),
        Ok(Prepared::Newer(found)) => return Err(OpenError::Newer { dir: dir.to_owned(), found, known: schema::current() }),
        Err(Unprepared::Database(error)) => return Err(database(error)),
        Err(Unprepared::Refused(error)) => return Err(error),
    };
    if rotation::has_remains(&connection).map_err(database)?
        && let Err(error) = rotation::scrub(&connection)
    {
        // no reason not to serve: `bellhop doctor` says so, too, and the next start tries again
        tracing::error!(%error, "what was sealed anew is still in the database's free pages; make room and start again");
    }
    Ok(Opened { connection, epoch, seals, lock })
}

/// Why a file was not brought to this version.
enum Unprepared {
    Database(rusqlite::Error),
    Refused(OpenError),
}

impl From<rusqlite::Error> for Unprepared {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// The connection that writes.
fn connect(dir: &Path, options: Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open(directory::database(dir))?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match options.durability {
        Durability::Full => "normal", // what is committed is synced by `crate::sync`, all else by SQLite
        Durability::None => "off",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -4096)?; // KiB
    connection.pragma_update(None, "temp_store", "memory")?; // what savepoints need to roll back stays off a full disk
    readers::stay_prepared(&connection)?;
    Ok(connection)
}
