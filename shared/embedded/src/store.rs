//! The store as a whole: opened, asked, closed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use bellhop_core::{
    StoreError,
    channel::Catalog,
    clients::Mids,
    ids::Ids,
    model::{Account, AccountId, ChannelId, Hook, Key, KeyId, Name, Registration},
    ports::{Clock, Kind, Ports, Record, Transport},
    report::Telemetry,
    rules::turns::Turns,
    token::flights::Flights,
    vapid::Contact,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task,
};

use crate::{
    OpenError, attachments,
    cache::Cache,
    changes::Changes,
    clients::Connections,
    directory,
    error::Fault,
    idempotency,
    opening::{self, Opened},
    queue::{Window, millis, table},
    readers::Readers,
    schema,
    sealing::Seals,
    sync::Syncer,
    writer::{Effect, Item, Tx, Writer, piece},
};

/// How many pieces of work may be under way; whoever comes then waits before it is one.
const MOST_WAITING: usize = 1024;

/// How a store is to behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What an answer means.
    pub durability: Durability,
}

/// What an answer of the store means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was answered survives a power cut.
    #[default]
    Full,
    /// It may not: for tests that are to see the difference.
    None,
}

/// Every port of [`bellhop_core::ports`] that keeps something, on one data directory.
pub struct Store {
    pub(crate) memory: Arc<Memory>,
    pub(crate) readers: Readers,
    pub(crate) dir: PathBuf,
    items: mpsc::Sender<Item>,
    room: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer and the callers share.
pub(crate) struct Memory {
    window: Mutex<Window>,
    pub(crate) registrations: Cache<(AccountId, Name), Registration>,
    pub(crate) records: Cache<(AccountId, Kind), Vec<Record>>,
    pub(crate) accounts: Cache<AccountId, Account>,
    pub(crate) keys: Cache<KeyId, Key>,
    /// By the hash of their tokens.
    pub(crate) hooks: Cache<String, Hook>,
    pub(crate) idempotency: idempotency::Index,
    pub(crate) changes: Changes,
    pub(crate) connections: Connections,
    pub(crate) seals: Arc<Seals>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How much a channel has before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Which.
    pub channel: ChannelId,
    /// Wake-ups in the queue, those under way and those delayed included.
    pub queued: u64,
    /// Wake-ups that wait longer than 15 minutes.
    pub due: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

impl Store {
    /// Opens the store in `dir`, making what is missing, and keeps everybody else out of it until it is closed.
    pub fn open(dir: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let Opened { connection, epoch, seals, lock } = opening::open(dir, options)?;
        attachments::clear_unfinished(dir)?;
        let database = |error| OpenError::Database { dir: dir.to_owned(), error };
        let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
        let memory = Arc::new(Memory {
            window: Mutex::default(),
            registrations: Cache::default(),
            records: Cache::default(),
            accounts: Cache::default(),
            keys: Cache::default(),
            hooks: Cache::default(),
            idempotency: idempotency::Index::read(&connection).map_err(unreadable)?,
            changes: Changes::default(),
            connections: Connections::default(),
            seals: Arc::new(seals),
            clock,
        });
        let lanes = table::lanes_in_use(&connection).map_err(unreadable)?;
        for (id, lane) in &lanes {
            memory.window().look(*id, lane);
        }
        let io = |error| OpenError::Io { path: dir.to_owned(), error };
        let log = match options.durability {
            Durability::Full => Some(File::open(directory::log(dir)).map_err(io)?),
            Durability::None => None,
        };
        let (items, received) = mpsc::channel();
        let syncer = Syncer::of(log).map_err(io)?;
        let writer = Writer::new(connection, epoch, received, Arc::clone(&memory), syncer, lock).map_err(database)?;
        let writer = thread::Builder::new().name("bellhop-writer".to_owned()).spawn(|| writer.run()).map_err(io)?;
        Ok(Arc::new(Self {
            memory,
            readers: Readers::new(directory::database(dir)),
            dir: dir.to_owned(),
            items,
            room: Arc::new(Semaphore::new(MOST_WAITING)),
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Finishes what has been asked, writes the log back and gives the directory free. Whatever is asked later is refused.
    pub async fn close(&self) {
        self.readers.close().await; // first, so that nobody keeps the log from going back
        let writer = self.end();
        let ended = task::spawn_blocking(move || writer.map(JoinHandle::join)).await;
        if !matches!(ended, Ok(None | Some(Ok(())))) {
            tracing::error!("the writer did not end as it should");
        }
    }

    /// Every port: the store's, and those that it knows nothing of.
    pub fn ports(self: &Arc<Self>, transport: impl Into<Transport>, telemetry: Arc<dyn Telemetry>, channels: Catalog) -> Ports {
        Ports {
            ledger: Arc::clone(self) as _,
            queue: Arc::clone(self) as _,
            events: Arc::clone(self) as _,
            deliveries: Arc::clone(self) as _,
            registrations: Arc::clone(self) as _,
            pace: Arc::clone(self) as _,
            records: Arc::clone(self) as _,
            digests: Arc::clone(self) as _,
            tasks: Arc::clone(self) as _,
            agenda: Arc::clone(self) as _,
            accounts: Arc::clone(self) as _,
            keys: Arc::clone(self) as _,
            hooks: Arc::clone(self) as _,
            audit: Arc::clone(self) as _,
            attachments: Arc::clone(self) as _,
            tokens: Arc::clone(self) as _,
            clients: Arc::clone(self) as _,
            vapid: Arc::clone(self) as _,
            contact: Contact::default(),
            public_url: None,
            flights: Flights::default(),
            mids: Mids::default(),
            turns: Turns::default(),
            ids: Ids::default(),
            clock: Arc::clone(&self.memory.clock),
            telemetry,
            transport: transport.into(),
            channels,
        }
    }

    /// Whether a write comes through now.
    pub async fn is_writable(&self) -> bool {
        let now = millis(self.memory.clock.now());
        self.write(move |tx| Ok(schema::set_meta(tx.connection, "written_at", now)?)).await.is_ok()
    }

    /// How much each channel has before it.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.readers.read(table::backlog).await
    }

    /// Has the writer do something, twice if need be. Once this has begun to wait for the answer, it is done whether or not
    /// it is waited for.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| closed())?;
        let (work, answered) = piece(work, Some(permit));
        self.items.send(Item::Write(work)).map_err(|_| closed())?;
        let given_up = |_| StoreError::Unavailable("the write was given up; the log says why".to_owned());
        answered.await.map_err(given_up)?
    }

    /// Has the writer feed hungry lanes, and waits for it.
    pub(crate) async fn feed(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.items.send(Item::Feed(Some(answer))).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Has the writer feed hungry lanes when it comes to it.
    pub(crate) fn nudge(&self) {
        drop(self.items.send(Item::Feed(None))); // a closed store has nothing to feed
    }

    fn end(&self) -> Option<JoinHandle<()>> {
        self.room.close();
        drop(self.items.send(Item::Close)); // if it is gone already, all the better
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Store {
    /// For those who did not [`Store::close`]: when the store is gone, so is its lock.
    fn drop(&mut self) {
        if self.end().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer did not end as it should");
        }
    }
}

impl Memory {
    /// The window onto the queue. Nobody keeps it for longer than a look.
    pub(crate) fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        millis(self.clock.now())
    }

    /// What a commit changed.
    pub(crate) fn apply(&self, effects: impl Iterator<Item = Effect>) {
        let mut window = self.window();
        for effect in effects {
            match effect {
                Effect::Ready(lane, ready) => window.ready(&lane, ready),
                Effect::Delayed(lane, id, at) => window.delayed(id, &lane, at),
                Effect::Look(lane, id) => window.look(id, &lane),
                Effect::Gone(seq) => window.gone(seq),
                Effect::Delivery(account, event) => {
                    self.changes.tell(event);
                    self.changes.tell_account(&account);
                }
                Effect::Task(account) => self.changes.tell_account(&account),
                Effect::Records(account, kind) => self.records.forget(&(account, kind)),
                Effect::Registration(account, name) => self.registrations.forget(&(account, name)),
                Effect::Account(id) => self.accounts.forget(&id),
                Effect::Key(account, id) => {
                    self.keys.forget(&id);
                    self.changes.tell_account(&account);
                }
                Effect::Hook(hash) => self.hooks.forget(&hash),
                Effect::KeysOrdered(ordered) => self.idempotency.ordered(&ordered),
                Effect::KeysSpent => self.idempotency.spent(),
            }
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
