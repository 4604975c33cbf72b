//! The one thread that writes. It takes what has come in, runs it as one transaction, a savepoint for each piece of work,
//! and answers when that is committed.
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
    time::Duration,
};

use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Address, DeliveryId, KeyId, Name},
};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    error::Fault,
    log::Log,
    queue::{AT_ONCE, LONGEST_DELAY, Lane, LaneId, Message, Place, Ready, millis, table},
    store::Memory,
};

/// The most that is committed at once.
const MOST_IN_GROUP: usize = 256;

/// How many hungry lanes of a channel are fed between two groups.
const MOST_FED: usize = 32;

/// After this long without work the log goes back into the database.
const IDLE: Duration = Duration::from_secs(1);

/// How many lanes' ids are remembered.
const MOST_LANES: usize = 10_000;

/// A piece of work, and with it its caller's wish to know.
pub(crate) type Work = Box<dyn FnOnce(&mut Tx<'_>) -> Done + Send>;

/// What came of a piece of work, before the commit.
pub(crate) struct Done {
    /// Whether it is to be kept.
    pub(crate) kept: bool,
    /// Tells the caller; with an error if the commit failed.
    pub(crate) answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// What the thread can be asked.
pub(crate) enum Item {
    /// To write.
    Write(Work, OwnedSemaphorePermit),
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
    /// A registration changed.
    Registration(AccountId, Name),
    /// An account changed.
    Account(AccountId),
    /// A key changed.
    Key(KeyId),
}

/// What a piece of work works with.
pub(crate) struct Tx<'w> {
    /// For reading and writing.
    pub(crate) connection: &'w Connection,
    /// For what memory is to know after the commit.
    pub(crate) effects: &'w mut Vec<Effect>,
    /// This opening's number.
    pub(crate) epoch: u64,
    numbers: &'w mut Numbers,
}

/// Numbers that are given out.
struct Numbers {
    /// The last one of a row of the queue. Begins with the epoch, so that it is never given out twice.
    seq: i64,
    lanes: HashMap<Arc<Lane>, LaneId>,
}

impl Tx<'_> {
    /// A number for a row, higher than all before it.
    pub(crate) fn fresh(&mut self) -> i64 {
        self.numbers.seq += 1;
        self.numbers.seq
    }

    /// The id of a lane.
    pub(crate) fn lane(&mut self, lane: &Arc<Lane>) -> Result<LaneId, Fault> {
        if let Some(id) = self.numbers.lanes.get(lane) {
            return Ok(*id);
        }
        let id = table::lane(self.connection, lane)?;
        if self.numbers.lanes.len() >= MOST_LANES {
            self.numbers.lanes.clear();
        }
        self.numbers.lanes.insert(Arc::clone(lane), id);
        Ok(id)
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
    numbers: Numbers,
    effects: Vec<Effect>,
    /// Of work that is done but not committed.
    answers: Vec<Done>,
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
        lock: File,
    ) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(64);
        let log = Log::watch(&mut connection)?;
        let numbers = Numbers { seq: i64::try_from(epoch << 40).unwrap_or(i64::MAX), lanes: HashMap::new() };
        let (effects, answers) = (Vec::new(), Vec::new());
        Ok(Self { connection, log, items, memory, epoch, numbers, effects, answers, _lock: lock })
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
        Log::cut(&self.connection);
    }

    /// Does `first` and what has come in behind it. `true`: it was told to end.
    fn group(&mut self, first: Item) -> bool {
        let (mut next, mut closing, mut fed) = (Some(first), false, Vec::new());
        let mut taken = 0;
        while let Some(item) = next {
            match item {
                Item::Write(work, _permit) => self.write(work),
                Item::Feed(answer) => fed.extend(answer),
                Item::Close => closing = true,
            }
            taken += 1;
            next = if closing || taken >= MOST_IN_GROUP { None } else { self.items.try_recv().ok() };
        }
        self.commit();
        let result = self.feed();
        for answer in fed {
            answer.send(result.clone()).ok(); // whoever asked may be gone
        }
        self.log.committed(&self.connection);
        closing
    }

    /// Runs one piece of work inside the group's transaction. Work that cannot begin is dropped, and its caller told so.
    fn write(&mut self, work: Work) {
        if let Err(error) = self.begin() {
            tracing::error!(%error, "the database takes no writes");
            return;
        }
        let before = self.effects.len();
        let mut tx =
            Tx { connection: &self.connection, effects: &mut self.effects, epoch: self.epoch, numbers: &mut self.numbers };
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut tx)));
        if done.is_err() {
            tracing::error!("a panic while writing; the request was given up");
        }
        let kept = done.as_ref().is_ok_and(|done| done.kept);
        let ended = self.end_item(kept);
        if !kept {
            self.effects.truncate(before);
            self.numbers.lanes.clear(); // one of them may have been rolled back
        }
        self.answers.extend(done.ok());
        // A full disk may end the whole transaction: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
        if ended.is_err() || self.connection.is_autocommit() {
            self.give_up("the transaction was lost");
        }
    }

    /// Begins the group's transaction if it has not begun, and the savepoint of one piece of work.
    fn begin(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        }
        self.connection.prepare_cached("SAVEPOINT item")?.execute([])?;
        Ok(())
    }

    /// Ends the savepoint of one piece of work.
    fn end_item(&self, kept: bool) -> rusqlite::Result<()> {
        if !kept {
            self.connection.prepare_cached("ROLLBACK TO item")?.execute([])?;
        }
        self.connection.prepare_cached("RELEASE item")?.execute([]).map(drop)
    }

    fn commit(&mut self) {
        if self.answers.is_empty() && self.connection.is_autocommit() {
            return;
        }
        let committed = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        match committed {
            Ok(_) => {
                self.memory.apply(self.effects.drain(..));
                self.answers.drain(..).for_each(|done| (done.answer)(Ok(())));
            }
            Err(error) => self.give_up(&error.to_string()),
        }
    }

    /// Takes everything back that is not committed.
    fn give_up(&mut self, why: &str) {
        tracing::error!(why, requests = self.answers.len(), "nothing of this group could be written");
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the transaction could not be rolled back");
        }
        self.effects.clear();
        self.numbers.lanes.clear();
        let error = StoreError::Unavailable(why.to_owned());
        self.answers.drain(..).for_each(|done| (done.answer)(Err(error.clone())));
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
        self.write(Box::new(move |tx| {
            let kept = table::bury(tx.connection, place, table::UNREADABLE).is_ok();
            Done { kept, answer: Box::new(|_| {}) }
        }));
        self.commit();
    }
}
