//! The write-ahead log: how long it is, and when it goes back into the database. The writer does it itself, since a
//! checkpoint from elsewhere lets the log grow without end. <https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::{Connection, DEFAULT_NAME, Result, hooks::Wal, wal::CheckpointMode};

/// The log goes back into the database when it has grown by this many bytes; it then begins anew in the same place.
const STEP: u64 = 16 << 20;

/// From here on it is cut, waiting for those who still read it.
const MOST: u64 = 32 << 20;

/// The log of one writing connection.
#[derive(Debug)]
pub(crate) struct Log {
    pages: Arc<AtomicU64>,
    page_size: u64,
    /// The next lengths at which something is done.
    step_at: u64,
    cut_at: u64,
}

impl Log {
    /// Takes the log of `connection` over from SQLite's own automatism.
    pub(crate) fn watch(connection: &mut Connection) -> Result<Self> {
        let pages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let page_size = connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.unsigned_abs();
        Ok(Self { pages, page_size, step_at: STEP, cut_at: MOST })
    }

    /// After a commit: does what the log's length asks for.
    pub(crate) fn committed(&mut self, connection: &Connection) {
        let length = self.pages.load(Ordering::Relaxed) * self.page_size;
        if length < STEP {
            (self.step_at, self.cut_at) = (STEP, MOST);
        } else if length >= self.cut_at {
            Self::cut(connection);
            self.cut_at = length + MOST; // in vain if somebody reads on: not again at once
        } else if length >= self.step_at {
            checkpoint(connection, CheckpointMode::PASSIVE);
            self.step_at = length + STEP;
        }
    }

    /// Nothing is going on: a good time.
    pub(crate) fn idle(&mut self, connection: &Connection) {
        if self.pages.swap(0, Ordering::Relaxed) > 0 {
            checkpoint(connection, CheckpointMode::PASSIVE);
        }
    }

    /// Empties it.
    pub(crate) fn cut(connection: &Connection) {
        checkpoint(connection, CheckpointMode::TRUNCATE);
    }
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) {
    if let Err(error) = connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
        tracing::warn!(%error, "the log could not be written back to the database; it will be tried again");
    }
}
