//! What is committed reaches the disk, and then its callers hear of it. Where much is under way this is done on a thread of
//! its own, so that the writer goes on while the disk is waited for, and what was committed meanwhile is synced at once.
//!
//! Promise: nobody hears of a commit before the write-ahead log has been synced behind it. A disk that has failed to sync
//! once is not believed again: what it says afterwards tells nothing of what it lost.
//! <https://www.sqlite.org/wal.html>, <https://wiki.postgresql.org/wiki/Fsync_Errors>

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use bellhop_core::StoreError;

use crate::writer::Work;

type Works = Vec<Box<dyn Work>>;

/// Syncs and tells.
pub(crate) struct Syncer {
    log: Arc<SyncedLog>,
    committed: Sender<Works>,
    thread: JoinHandle<()>,
}

/// The write-ahead log as a file.
struct SyncedLog {
    /// None where an answer does not mean synced.
    file: Option<File>,
    has_failed: AtomicBool,
}

impl Syncer {
    /// Of that log; without one nothing is synced.
    pub(crate) fn of(file: Option<File>) -> io::Result<Self> {
        let log = Arc::new(SyncedLog { file, has_failed: AtomicBool::new(false) });
        let (committed, received) = mpsc::channel();
        let its = Arc::clone(&log);
        let thread = thread::Builder::new().name("bellhop-syncer".to_owned()).spawn(move || its.run(&received))?;
        Ok(Self { log, committed, thread })
    }

    /// Answers when the disk has it, now.
    pub(crate) fn at_once(&self, works: Works) {
        self.log.tell(works);
    }

    /// Answers when the disk has it, later.
    pub(crate) fn meanwhile(&self, works: Works) {
        if let Err(unsent) = self.committed.send(works) {
            self.log.tell(unsent.0); // the thread is gone: better late than never
        }
    }

    /// Answers what is left.
    pub(crate) fn end(self) {
        drop(self.committed);
        if self.thread.join().is_err() {
            tracing::error!("the thread that syncs did not end as it should");
        }
    }
}

impl SyncedLog {
    fn run(&self, committed: &Receiver<Works>) {
        while let Ok(mut works) = committed.recv() {
            works.extend(committed.try_iter().flatten());
            self.tell(works);
        }
    }

    fn tell(&self, works: Works) {
        let told = self.sync();
        for work in works {
            work.tell(told.clone());
        }
    }

    fn sync(&self) -> Result<(), StoreError> {
        let failed = || StoreError::Unavailable("the disk has failed to sync; the log says more".to_owned());
        let Some(file) = &self.file else { return Ok(()) };
        if self.has_failed.load(Ordering::SeqCst) {
            return Err(failed());
        }
        file.sync_data().map_err(|error| {
            self.has_failed.store(true, Ordering::SeqCst);
            tracing::error!(%error, "the disk has failed to sync: nothing is taken any more; see to the disk, then start again");
            failed()
        })
    }
}
