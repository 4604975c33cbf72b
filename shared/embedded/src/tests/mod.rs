//! What the contract suites do not see: files, commits, memory. On real files; time is the simulation's.

mod idempotency;
mod opening;
mod queueing;
mod sealing;
mod vapid;
mod window;
mod writing;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bellhop_core::{
    model::{AccountId, Delivery, Draft, EventId, Job},
    ports::{Acceptance, Accepted, Clock, Ledger, Queue, Wake},
    transition::{Claim, Claimed, Next, Settlement},
};
use bellhop_testkit::{Sim, acceptance, account, channel};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Options, Store};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files of a folder in which that text stands.
fn files_with(dir: &Path, text: &[u8]) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.file_type().unwrap().is_file());
    let holds = |path: PathBuf| fs::read(path).unwrap().windows(text.len()).any(|window| window == text);
    files.filter(|entry| holds(entry.path())).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// A store that can be opened again.
struct House {
    dir: TempDir,
    sim: Arc<Sim>,
    store: Arc<Store>,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::new(1);
        let store = Store::open(&dir.path().join("data"), Options::default(), Arc::clone(&sim) as _).unwrap();
        Self { dir, sim, store }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The files in which that text stands.
    fn files_with(&self, text: &[u8]) -> Vec<String> {
        files_with(&self.path(), text)
    }

    /// Another process takes over.
    async fn reopen(&mut self) {
        self.store.close().await;
        self.store = Store::open(&self.path(), Options::default(), Arc::clone(&self.sim) as _).unwrap();
    }

    fn acceptance(&self, account: &AccountId, text: &str, to: &[&str]) -> Acceptance {
        let (now, chance) = (self.sim.now(), self.sim.chance());
        acceptance(Draft::new(text).into_event(EventId::new(now, chance), account.clone(), now), to, None)
    }

    async fn accept(&self, to: &[&str]) {
        self.accept_for(&account(), to).await;
    }

    async fn accept_for(&self, account: &AccountId, to: &[&str]) {
        let accepted = self.store.accept(self.acceptance(account, "text", to)).await.unwrap();
        assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
    }

    async fn receive(&self, most: usize) -> Vec<Wake> {
        self.store.receive(&channel(), most).await.unwrap()
    }

    async fn the_wake(&self) -> Wake {
        let mut wakes = self.receive(10).await;
        assert_eq!(wakes.len(), 1, "{wakes:?}");
        wakes.remove(0)
    }

    fn wish(&self) -> Claim {
        Claim { token: 7, now: self.sim.now(), lease: Duration::from_mins(1), last_receive: false }
    }

    async fn claim(&self, job: &Job) -> Claimed {
        self.store.claim(job, &self.wish()).await.unwrap()
    }

    async fn claim_mine(&self, job: &Job) -> Delivery {
        match self.claim(job).await {
            Claimed::Mine(row) => row,
            other => panic!("not mine: {other:?}"),
        }
    }

    async fn settle(&self, job: &Job, next: Next) {
        let settlement = Settlement { token: 7, attempt: None, done: 0, uncounted: false, next, now: self.sim.now() };
        assert!(self.store.settle(job, &settlement).await.unwrap());
    }

    /// Keeps the writer busy until the answer is used, so that what is asked meanwhile becomes one group.
    async fn hold_the_writer(&self) -> oneshot::Sender<()> {
        let (begun, begins) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let mut once = Some((begun, released));
            let wait = move |_: &mut crate::writer::Tx<'_>| {
                if let Some((begun, released)) = once.take() {
                    begun.send(()).unwrap();
                    released.blocking_recv().unwrap();
                }
                Ok(())
            };
            store.write(wait).await.unwrap();
        });
        begins.await.unwrap();
        release
    }

    /// A number out of the database.
    async fn number(&self, sql: &'static str) -> i64 {
        self.store.readers.read(move |connection| Ok(connection.query_row(sql, [], |row| row.get(0))?)).await.unwrap()
    }

    /// Does something to the database that nobody should.
    async fn tamper(&self, sql: &'static str) {
        self.store.write(move |tx| Ok(tx.connection.execute_batch(sql)?)).await.unwrap();
    }
}
