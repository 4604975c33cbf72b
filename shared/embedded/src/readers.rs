//! Connections that only read, beside the writer. A read is one short look: a reader that stays keeps the log from being
//! emptied.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bellhop_core::StoreError;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::{sync::Semaphore, task};

use crate::error::Fault;

/// How many read at the same time.
const MOST: usize = 4;

/// The connections that are free, and room for those that are not.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// Of the database at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default(), room: Arc::new(Semaphore::new(MOST)) }
    }

    /// Reads, away from the threads that must not block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::Unavailable("the store is closed".to_owned());
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(gone)?;
        let Self { path, idle, .. } = self.clone();
        let reading = task::spawn_blocking(move || {
            let _permit = permit;
            let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match free {
                Some(connection) => connection,
                None => open(&path).map_err(Fault::from)?,
            };
            let found = look(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            found
        });
        let found = reading.await.map_err(|_| StoreError::Unavailable("a read was given up".to_owned()))?;
        found.map_err(StoreError::from)
    }

    /// Lets no more reads begin, and waits for those under way.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(MOST).unwrap_or(u32::MAX);
        if let Ok(permits) = self.room.acquire_many(all).await {
            permits.forget();
        }
        self.room.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection that only reads.
pub(crate) fn open(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(32);
    stay_prepared(&connection)?;
    Ok(connection)
}

/// Plans do not depend on what is bound to them: otherwise SQLite prepares a statement with a range or a limit anew each time that
/// something else is bound to it, though it was kept. <https://www.sqlite.org/queryplanner-ng.html#qpsg>
pub(crate) fn stay_prepared(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_stays_prepared_whatever_is_bound_to_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE a (x INTEGER PRIMARY KEY, y INTEGER)").unwrap();
        let prepared_again = || {
            let mut find = connection.prepare("SELECT x FROM a WHERE x > ?1 ORDER BY x LIMIT ?2").unwrap();
            for bound in 1..=5 {
                assert_eq!(find.query_map((bound, 10 * bound), |_| Ok(())).unwrap().count(), 0);
            }
            find.get_status(StatementStatus::RePrepare)
        };
        assert!(prepared_again() > 0, "otherwise there is nothing to be switched off any more");
        stay_prepared(&connection).unwrap();
        assert_eq!(prepared_again(), 0);
    }
}
