//! The write-ahead log: how long it is, and when it goes back into the database. A thread beside the writer carries it back
//! while the writer goes on; what came meanwhile, and little is left of it, the writer carries back itself, since only a log
//! of which nothing is left begins anew. <https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, DEFAULT_NAME, Result, hooks::Wal, wal::CheckpointMode};

/// The log goes back into the database when it has grown by this many bytes; it then begins anew in the same place.
const STEP: u64 = 8 << 20;

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
    carrier: Carrier,
    /// The carrier was asked, and what it left is still to be carried.
    is_carrying: bool,
}

/// Carries back what is asked of it, on a connection and a thread of its own.
#[derive(Debug)]
pub(crate) struct Carrier {
    ask: Sender<()>,
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Carrier {
    /// On `connection`, to the same database.
    pub(crate) fn on(connection: Connection) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let carry = move || {
            while asked.recv().is_ok() {
                checkpoint(&connection, CheckpointMode::PASSIVE);
                done.store(true, Ordering::Release);
            }
        };
        let thread = thread::Builder::new().name("bellhop-carrier".to_owned()).spawn(carry)?;
        Ok(Self { ask, is_done, thread })
    }
}

impl Log {
    /// Takes the log of `connection` over from SQLite's own automatism.
    pub(crate) fn watch(connection: &mut Connection, carrier: Carrier) -> Result<Self> {
        let pages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let page_size = connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.unsigned_abs();
        Ok(Self { pages, page_size, step_at: STEP, cut_at: MOST, carrier, is_carrying: false })
    }

    /// After a commit: does what the log's length asks for.
    pub(crate) fn committed(&mut self, connection: &Connection) {
        let length = self.pages.load(Ordering::Relaxed) * self.page_size;
        if self.carrier_is_done() {
            checkpoint(connection, CheckpointMode::PASSIVE);
            self.step_at = length + STEP;
        } else if length < STEP {
            (self.step_at, self.cut_at) = (STEP, MOST);
        } else if length >= self.cut_at {
            cut(connection); // waits for the carrier, too
            self.cut_at = length + MOST; // in vain if somebody reads on: not again at once
        } else if length >= self.step_at && !self.is_carrying {
            self.is_carrying = self.carrier.ask.send(()).is_ok();
        }
    }

    /// Nothing is going on: a good time.
    pub(crate) fn idle(&mut self, connection: &Connection) {
        let may = self.carrier_is_done() || !self.is_carrying;
        if may && self.pages.swap(0, Ordering::Relaxed) > 0 {
            checkpoint(connection, CheckpointMode::PASSIVE);
        }
    }

    /// It has carried back what it was asked for. Told once.
    fn carrier_is_done(&mut self) -> bool {
        let is_done = self.is_carrying && self.carrier.is_done.swap(false, Ordering::Acquire);
        self.is_carrying &= !is_done;
        is_done
    }

    /// Empties it: the last thing that is done.
    pub(crate) fn end(self, connection: &Connection) {
        drop(self.carrier.ask);
        if self.carrier.thread.join().is_err() {
            tracing::error!("the thread that carries the log back did not end as it should");
        }
        cut(connection);
    }
}

fn cut(connection: &Connection) {
    checkpoint(connection, CheckpointMode::TRUNCATE);
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) {
    if let Err(error) = connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
        tracing::warn!(%error, "the log could not be written back to the database; it will be tried again");
    }
}
