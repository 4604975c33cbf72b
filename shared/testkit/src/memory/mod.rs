//! Every port on memory, shaped like DynamoDB and SQS: ordered writes and an at-least-once queue.
//!
//! Promises: each primitive write is atomic and conditional on what was read, happens between two points of an
//! [`Effects`], and of every sequence of writes any beginning is finished by the next call. Left to others: durability.

mod audit;
mod clients;
mod digests;
mod directory;
mod ledger;
mod queue;
mod readers;
mod tables;
mod tasks;
mod tokens;
mod vapid;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellhop_core::{
    StoreError, Timestamp,
    clients::Mids,
    ids::Ids,
    model::{AccountId, Delivery, DeliveryId, Job},
    ports::{Clock, Ports},
    rules::turns::Turns,
    token::flights::Flights,
    vapid::Contact,
};

use queue::Messages;
pub use queue::Visibility;
use tables::Tables;

use crate::{
    CATALOG, Provider, Silent, Sim,
    effects::{Calm, Effects, Point},
};

/// The rows and queues of one simulated deployment. Workers reach it through [`Memory::ports_with`].
pub struct Memory {
    sim: Arc<Sim>,
    tables: Mutex<Tables>,
    visibility: Visibility,
}

impl Memory {
    /// An empty one. The queue keeps `sim`'s time, whatever the workers' clocks say.
    pub fn new(sim: Arc<Sim>, visibility: Visibility) -> Arc<Self> {
        Arc::new(Self { sim, tables: Mutex::default(), visibility })
    }

    /// Ports for a worker that nothing happens to, with a provider that takes everything.
    pub fn ports(self: &Arc<Self>) -> Ports {
        self.ports_with(Arc::clone(&self.sim) as _, Arc::new(Calm))
    }

    /// Ports for one worker, with its own clock and its own fate.
    pub fn ports_with(self: &Arc<Self>, clock: Arc<dyn Clock>, effects: Arc<dyn Effects>) -> Ports {
        let worker = Arc::new(Worker { memory: Arc::clone(self), effects });
        Ports {
            ledger: Arc::clone(&worker) as _,
            queue: Arc::clone(&worker) as _,
            events: Arc::clone(&worker) as _,
            deliveries: Arc::clone(&worker) as _,
            registrations: Arc::clone(&worker) as _,
            pace: Arc::clone(&worker) as _,
            records: Arc::clone(&worker) as _,
            digests: Arc::clone(&worker) as _,
            tasks: Arc::clone(&worker) as _,
            agenda: Arc::clone(&worker) as _,
            accounts: Arc::clone(&worker) as _,
            keys: Arc::clone(&worker) as _,
            hooks: Arc::clone(&worker) as _,
            audit: Arc::clone(&worker) as _,
            attachments: Arc::clone(&worker) as _,
            tokens: Arc::clone(&worker) as _,
            clients: Arc::clone(&worker) as _,
            vapid: worker,
            contact: Contact::default(),
            public_url: None,
            flights: Flights::default(),
            mids: Mids::default(),
            turns: Turns::default(),
            ids: Ids::default(),
            clock,
            telemetry: Arc::new(Silent),
            transport: Provider::new(&[]).into(),
            channels: CATALOG,
        }
    }

    /// The primitive writes alone, for ledgers that put them in another order.
    pub fn worker(self: &Arc<Self>, effects: Arc<dyn Effects>) -> Arc<Worker> {
        Arc::new(Worker { memory: Arc::clone(self), effects })
    }

    /// When the next message becomes visible, if there is one.
    pub fn next_message(&self) -> Option<Timestamp> {
        self.tables().queues.values().filter_map(Messages::next_visible).min()
    }

    /// Nothing is queued, received or parked; dead letters may be there.
    pub fn is_quiet(&self) -> bool {
        let tables = self.tables();
        tables.due.is_empty() && tables.queues.values().all(|queue| queue.next_visible().is_none())
    }

    /// How many wake-ups have ever waited in the due index.
    pub fn parked(&self) -> usize {
        self.tables().parked
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's way to a [`Memory`].
pub struct Worker {
    memory: Arc<Memory>,
    effects: Arc<dyn Effects>,
}

impl Worker {
    /// One primitive write, between its two points.
    async fn effect<R: Send>(&self, name: &'static str, write: impl FnOnce(&mut Tables) -> R + Send) -> Result<R, StoreError> {
        self.effects.at(Point::Before(name)).await?;
        let result = write(&mut self.memory.tables());
        self.effects.at(Point::After(name)).await?;
        Ok(result)
    }

    /// A consistent read. It changes nothing, so nothing happens around it.
    fn read<R>(&self, read: impl FnOnce(&Tables) -> R) -> R {
        read(&self.memory.tables())
    }

    /// A delivery's row.
    pub fn row(&self, account: &AccountId, id: DeliveryId) -> Option<Delivery> {
        self.read(|tables| tables.deliveries.get(&(account.clone(), id)).cloned())
    }

    /// Writes a delivery's row if it is still what was `read`.
    pub async fn swap_row(&self, read: Option<&Delivery>, row: &Delivery) -> Result<bool, StoreError> {
        self.effect("delivery row", |tables| {
            let key = (row.account.clone(), row.id);
            let same = tables.deliveries.get(&key) == read;
            if same {
                tables.deliveries.insert(key, row.clone());
            }
            same
        })
        .await
    }

    /// Queues a wake-up, delayed by whole seconds.
    pub async fn send(&self, job: &Job, after: Duration) -> Result<(), StoreError> {
        let visible_at = self.memory.sim.now() + Duration::from_secs(after.as_secs() + u64::from(after.subsec_nanos() > 0));
        self.effect("message", |tables| tables.send(job.clone(), visible_at)).await?;
        self.memory.sim.stir();
        Ok(())
    }

    /// Parks a wake-up in the due index.
    pub async fn park(&self, job: &Job, at: Timestamp) -> Result<(), StoreError> {
        self.effect("due row", |tables| {
            tables.parked += 1;
            tables.due.insert((at, job.delivery, job.n), job.clone());
        })
        .await
    }

    /// Takes a wake-up out of the due index.
    pub async fn unpark(&self, job: &Job, at: Timestamp) -> Result<(), StoreError> {
        self.effect("due row gone", |tables| drop(tables.due.remove(&(at, job.delivery, job.n)))).await
    }
}
