//! The one thread that writes. It takes what has come in, runs it as one transaction, and answers when that is committed.
//! Where a piece of work fails after it has written, the transaction is taken back and all is done again, each piece in a
//! savepoint of its own: those cost, and almost nothing fails.
//!
//! Promises: an answer means synced; work that fails or panics leaves no trace and harms no other; what a commit changes
//! in memory (wake-ups, caches) is changed before anybody is answered, whether or not the caller still waits.

use std::{
    collections::HashMap,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Address, Delivery, DeliveryId, EventId, KeyId, Name, State},
    ports::Kind,
};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    deliveries,
    error::Fault,
    idempotency,
    log::Log,
    queue::{AT_ONCE, LONGEST_DELAY, Lane, LaneId, Message, Place, Ready, millis, table},
    sealing::Seals,
    store::Memory,
    sync::Syncer,
};

/// The most that is committed at once.
const MOST_IN_GROUP: usize = 256;

/// When so much is committed at once, more is on its way: the next group waits for it a moment, since half as many commits
/// cost little more than half of the processor and of the disk; and the writer does not wait for the disk.
const CROWD: usize = 4;

/// How long.
const MOMENT: Duration = Duration::from_micros(500);

/// How many hungry lanes of a channel are fed between two groups.
const MOST_FED: usize = 32;

/// After this long without work the log goes back into the database.
const IDLE: Duration = Duration::from_secs(1);

/// How many lanes' ids are remembered.
const MOST_LANES: usize = 10_000;

/// How many rows of deliveries under way.
const MOST_SENDING: usize = 1_000;

/// A piece of work, and with it its caller's wish to know.
pub(crate) trait Work: Send {
    /// Does it, maybe a second time after the first was taken back. `false`: it failed, and is not to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// Tells the caller what came of it, or that it could not be committed.
    fn tell(self: Box<Self>, committed: Result<(), StoreError>);
}

/// The work of a closure.
struct Piece<T, F> {
    work: F,
    /// What came of it last; nothing if it panicked.
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    /// Its place among what is under way, until it is answered.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Makes a closure a piece of work. The answer comes when it is committed; where there is none, the work was given up.
pub(crate) fn piece<T: Send + 'static>(
    work: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    permit: Option<OwnedSemaphorePermit>,
) -> (Box<dyn Work>, oneshot::Receiver<Result<T, StoreError>>) {
    let (answer, answered) = oneshot::channel();
    (Box::new(Piece { work, result: None, answer, _permit: permit }), answered)
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send> Work for Piece<T, F> {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result = None;
        let result = (self.work)(tx).map_err(StoreError::from);
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn tell(self: Box<Self>, committed: Result<(), StoreError>) {
        if let Some(result) = self.result {
            self.answer.send(committed.and(result)).ok(); // whoever asked may be gone
        }
    }
}

/// What the thread can be asked.
pub(crate) enum Item {
    /// To write.
    Write(Box<dyn Work>),
    /// To look for rows of hungry lanes.
    Feed(Option<oneshot::Sender<Result<(), StoreError>>>),
    /// To end, when what came before is done.
    Close,
}

/// What a commit changes in memory.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A row that may go at once was put into the queue.
    Ready(Arc<Lane>, Ready),
    /// A row was put into the queue that may go then.
    Delayed(Arc<Lane>, LaneId, i64),
    /// Rows that may go at once came into that lane.
    Look(Arc<Lane>, LaneId),
    /// The row of that number left the queue, or is another one now.
    Gone(i64),
    /// A delivery of that event is in another state.
    Delivery(AccountId, EventId),
    /// A task of that account changed.
    Task(AccountId),
    /// A registration changed.
    Registration(AccountId, Name),
    /// An account changed.
    Account(AccountId),
    /// A key changed.
    Key(AccountId, KeyId),
    /// The hook of a token of that hash came or went.
    Hook(String),
    /// One of an account's records of a kind changed.
    Records(AccountId, Kind),
    /// Idempotency keys were put in their order.
    KeysOrdered(idempotency::Ordered),
    /// Where they were before, they are gone.
    KeysSpent,
}

/// What a piece of work works with.
pub(crate) struct Tx<'w> {
    /// For reading and writing.
    pub(crate) connection: &'w Connection,
    /// For what memory is to know after the commit.
    pub(crate) effects: &'w mut Vec<Effect>,
    /// This opening's number.
    pub(crate) epoch: u64,
    /// For what is secret.
    pub(crate) seals: &'w Seals,
    /// Where idempotency keys are.
    pub(crate) idempotency: &'w idempotency::Index,
    known: &'w mut Known,
}

/// What the thread knows without looking.
struct Known {
    /// The last number that was given to a row of the queue. Begins with the epoch, so that it is never given out twice.
    seq: i64,
    lanes: HashMap<Arc<Lane>, LaneId>,
    /// Rows of deliveries that are under way: what claimed one mostly settles it soon. Nobody else writes them.
    sending: HashMap<DeliveryId, Delivery>,
}

impl Known {
    /// What was learned in a transaction that is taken back may not be so.
    fn forget(&mut self) {
        self.lanes.clear();
        self.sending.clear();
    }
}

impl Tx<'_> {
    /// A number for a row, higher than all before it.
    pub(crate) fn fresh(&mut self) -> i64 {
        self.known.seq += 1;
        self.known.seq
    }

    /// The id of a lane.
    pub(crate) fn lane(&mut self, lane: &Arc<Lane>) -> Result<LaneId, Fault> {
        if let Some(id) = self.known.lanes.get(lane) {
            return Ok(*id);
        }
        let id = table::lane(self.connection, lane)?;
        if self.known.lanes.len() >= MOST_LANES {
            self.known.lanes.clear();
        }
        self.known.lanes.insert(Arc::clone(lane), id);
        Ok(id)
    }

    /// The row of a delivery.
    pub(crate) fn delivery(&mut self, account: &AccountId, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
        match self.known.sending.remove(&id) {
            Some(row) if row.account == *account => Ok(Some(row)),
            Some(_) | None => deliveries::get(self.connection, account, id),
        }
    }

    /// Writes it.
    pub(crate) fn put_delivery(&mut self, row: &Delivery) -> Result<(), Fault> {
        deliveries::put(self.connection, row)?;
        if row.state == State::Sending {
            if self.known.sending.len() >= MOST_SENDING {
                self.known.sending.clear();
            }
            self.known.sending.insert(row.id, row.clone());
        } else {
            self.known.sending.remove(&row.id);
            self.effects.push(Effect::Delivery(row.account.clone(), row.id.event));
        }
        Ok(())
    }

    /// Queues a wake-up: at once, delayed, or in the due index if the delay would be too long.
    pub(crate) fn arm(
        &mut self,
        lane: &Arc<Lane>,
        (delivery, n, address): (DeliveryId, u32, Option<Address>),
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let id = self.lane(lane)?;
        let visible_at = if at > now { millis(at) } else { AT_ONCE };
        let place = Place { lane: id, visible_at, seq: self.fresh() };
        let message = Message { place, delivery, n, receives: 0, address };
        if at > now + LONGEST_DELAY {
            return table::park(self.connection, &message);
        }
        table::push(self.connection, &message)?;
        self.visible(lane, place);
        Ok(())
    }

    /// A row is in the queue at that place: memory is to know.
    pub(crate) fn visible(&mut self, lane: &Arc<Lane>, place: Place) {
        self.effects.push(match place.visible_at {
            AT_ONCE => Effect::Look(Arc::clone(lane), place.lane),
            at => Effect::Delayed(Arc::clone(lane), place.lane, at),
        });
    }

    /// Takes a row from the queue.
    pub(crate) fn remove(&mut self, place: Place) -> Result<(), Fault> {
        table::remove(self.connection, place)?;
        self.effects.push(Effect::Gone(place.seq));
        Ok(())
    }
}

/// Everything that belongs to the thread.
pub(crate) struct Writer {
    connection: Connection,
    log: Log,
    items: Receiver<Item>,
    memory: Arc<Memory>,
    epoch: u64,
    known: Known,
    effects: Vec<Effect>,
    syncer: Syncer,
    /// How much was committed last.
    last: usize,
    /// Held for as long as the connection is.
    _lock: File,
}

impl Writer {
    /// On `connection`, which nobody else writes on while `lock` is held.
    pub(crate) fn new(
        mut connection: Connection,
        epoch: u64,
        items: Receiver<Item>,
        memory: Arc<Memory>,
        syncer: Syncer,
        lock: File,
    ) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(64);
        let log = Log::watch(&mut connection)?;
        let seq = i64::try_from(epoch << 40).unwrap_or(i64::MAX);
        let known = Known { seq, lanes: HashMap::new(), sending: HashMap::new() };
        Ok(Self { connection, log, items, memory, epoch, known, effects: Vec::new(), syncer, last: 0, _lock: lock })
    }

    /// Works until it is told to end, or nobody is left who could tell.
    pub(crate) fn run(mut self) {
        loop {
            match self.items.recv_timeout(IDLE) {
                Ok(item) => {
                    if self.group(item) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.log.idle(&self.connection),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.syncer.end();
        Log::cut(&self.connection);
    }

    /// Does `first` and what has come in behind it. `true`: it was told to end.
    fn group(&mut self, first: Item) -> bool {
        let (mut next, mut closing, mut fed, mut works) = (Some(first), false, Vec::new(), Vec::new());
        let until = (self.last >= CROWD).then(|| Instant::now() + MOMENT);
        while let Some(item) = next {
            match item {
                Item::Write(work) => works.push(work),
                Item::Feed(answer) => fed.extend(answer),
                Item::Close => closing = true,
            }
            next = if closing || works.len() >= MOST_IN_GROUP { None } else { self.another(until) };
        }
        self.last = works.len();
        let most = self.last * self.memory.idempotency.pace();
        if most > 0 {
            let put_in_order = move |tx: &mut Tx<'_>| {
                let done = idempotency::put_in_order(tx, most).map_err(StoreError::from);
                done.inspect_err(|error| tracing::error!(%error, "idempotency keys could not be put in their order"))
                    .map_err(Fault::from)
            };
            works.push(piece(put_in_order, None).0);
        }
        self.write(works);
        let result = self.feed();
        for answer in fed {
            answer.send(result.clone()).ok(); // whoever asked may be gone
        }
        self.log.committed(&self.connection);
        closing
    }

    /// What has come in, or comes in until then.
    fn another(&self, until: Option<Instant>) -> Option<Item> {
        let here = self.items.try_recv().ok();
        here.or_else(|| self.items.recv_timeout(until?.saturating_duration_since(Instant::now())).ok())
    }

    /// Does all of it in one transaction, and answers.
    fn write(&mut self, mut works: Vec<Box<dyn Work>>) {
        if works.is_empty() {
            return;
        }
        let done = match self.attempt(&mut works, Care::Shared) {
            Err(Failed::Work) => {
                self.take_back();
                self.attempt(&mut works, Care::Apart)
            }
            done => done,
        };
        let result = done.and_then(|()| Ok(self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)?));
        match result {
            Ok(()) => {
                self.memory.idempotency.committed();
                self.memory.apply(self.effects.drain(..));
                if works.len() >= CROWD { self.syncer.meanwhile(works) } else { self.syncer.at_once(works) }
            }
            Err(failed) => {
                let why = match failed {
                    Failed::Work => "the transaction was lost".to_owned(),
                    Failed::Database(error) => error.to_string(),
                };
                tracing::error!(why, requests = works.len(), "nothing of this group could be written");
                self.take_back();
                for work in works {
                    work.tell(Err(StoreError::Unavailable(why.clone())));
                }
            }
        }
    }

    /// Runs each in a transaction that stays open. An error means that nothing may be committed.
    fn attempt(&mut self, works: &mut [Box<dyn Work>], care: Care) -> Result<(), Failed> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for work in works {
            if care == Care::Apart {
                self.connection.prepare_cached("SAVEPOINT item")?.execute([])?;
            }
            let (told, written) = (self.effects.len(), self.connection.total_changes());
            let kept = self.try_one(work.as_mut());
            // A full disk may end the whole transaction: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
            if self.connection.is_autocommit() {
                return Err(Failed::Work);
            }
            if !kept {
                self.effects.truncate(told);
                self.known.forget();
            }
            match care {
                Care::Shared if !kept && self.connection.total_changes() > written => return Err(Failed::Work),
                Care::Shared => {}
                Care::Apart => {
                    if !kept {
                        self.connection.prepare_cached("ROLLBACK TO item")?.execute([])?;
                    }
                    self.connection.prepare_cached("RELEASE item")?.execute([])?;
                }
            }
        }
        Ok(())
    }

    fn try_one(&mut self, work: &mut dyn Work) -> bool {
        let Self { connection, effects, epoch, known, memory, .. } = self;
        let Memory { seals, idempotency, .. } = &**memory;
        let mut tx = Tx { connection, effects, epoch: *epoch, seals, idempotency, known };
        let done = catch_unwind(AssertUnwindSafe(|| work.run(&mut tx)));
        if done.is_err() {
            tracing::error!("a panic while writing; the request was given up");
        }
        done.unwrap_or(false)
    }

    /// Takes back whatever a transaction has done.
    fn take_back(&mut self) {
        self.effects.clear();
        self.known.forget();
        self.memory.idempotency.taken_back();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the transaction could not be rolled back");
        }
    }

    /// Looks for rows of lanes that are about to run dry. Only here, between two transactions, so that what is found and
    /// what commits say of the queue never cross.
    fn feed(&mut self) -> Result<(), StoreError> {
        let hungry = self.memory.window().hungry(MOST_FED);
        let now = self.memory.now();
        let mut result = Ok(());
        for hungry in hungry {
            match table::fetch(&self.connection, hungry.id, now, hungry.most) {
                Ok(mut fetched) => {
                    // before anybody can receive what stood beside it
                    for place in std::mem::take(&mut fetched.poison) {
                        self.bury(&hungry.lane, place);
                    }
                    self.memory.window().fed(&hungry, fetched);
                }
                Err(fault) => {
                    let error = StoreError::from(fault);
                    tracing::error!(%error, "the queue cannot be read; it will be tried again");
                    self.memory.window().unfed(&hungry);
                    result = Err(error);
                }
            }
        }
        result
    }

    /// A row that nobody can read must not keep its lane.
    fn bury(&mut self, lane: &Lane, place: Place) {
        tracing::error!(account = %lane.account, registration = %lane.registration, row = place.seq, "an unreadable wake-up");
        let (work, _) = piece(move |tx| table::bury(tx.connection, place, table::UNREADABLE), None);
        self.write(vec![work]);
    }
}

/// How the pieces of a group stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// One that fails after writing spoils the transaction.
    Shared,
    /// Each can be taken back alone.
    Apart,
}

/// Why a transaction may not be committed.
enum Failed {
    /// A piece of work has spoilt it.
    Work,
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
