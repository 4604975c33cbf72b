//! Wake-ups of events that are accepted at the same time, in common calls: a bulk of a hundred events is a hundred rows, but
//! ten calls of SQS and not a hundred. One of those who wait sends for all; nothing runs beside them.
//!
//! Promise: whoever sends is told what of its own was not taken, and nobody else's. If the one who sends for all goes away,
//! the others send by themselves: twice is harmless, not at all is not. An event that is alone waits for nobody.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use crate::sqs::{BATCH, Parcel, Queues};

/// How long wake-ups wait for those of events that are being written.
const MOMENT: Duration = Duration::from_millis(10);

/// What waits to be sent.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    /// Events that are being written, and whose wake-ups will come.
    coming: AtomicUsize,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    orders: Vec<Order>,
    /// Somebody sends for all.
    is_led: bool,
}

/// One event's wake-ups.
struct Order {
    parcels: Vec<Parcel>,
    refused: oneshot::Sender<Vec<Parcel>>,
}

/// An event that is being written.
pub(crate) struct Coming<'o>(&'o Outbox);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

/// Whoever sends for all. When it goes, whether or not it has sent, somebody else may.
struct Leader<'o>(&'o Outbox);

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.is_led = false;
        waiting.orders.clear(); // they hear of it, and send by themselves
    }
}

impl Outbox {
    /// Announces wake-ups, until it is dropped.
    pub(crate) fn coming(&self) -> Coming<'_> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        Coming(self)
    }

    /// Sends all of them, with others' if there are some; answers those that SQS did not take.
    pub(crate) async fn send(&self, queues: &Queues, parcels: Vec<Parcel>) -> Vec<Parcel> {
        let (refused, told) = oneshot::channel();
        let leader = {
            let mut waiting = self.waiting();
            waiting.orders.push(Order { parcels: parcels.clone(), refused });
            let leads = !std::mem::replace(&mut waiting.is_led, true);
            leads.then(|| Leader(self))
        };
        self.changed.notify_waiters();
        if let Some(leader) = leader {
            self.lead(queues).await;
            drop(leader);
        }
        match told.await {
            Ok(refused) => refused,
            Err(_) => queues.send(parcels).await,
        }
    }

    /// Sends what waits, until nothing does.
    async fn lead(&self, queues: &Queues) {
        while !self.waiting().orders.is_empty() {
            drop(timeout(MOMENT, self.until_full()).await);
            let orders = std::mem::take(&mut self.waiting().orders);
            let all = orders.iter().flat_map(|order| order.parcels.clone()).collect();
            let mut refused = queues.send(all).await;
            for order in orders {
                let (own, others) = refused.into_iter().partition(|parcel| order.parcels.contains(parcel));
                refused = others;
                order.refused.send(own).ok(); // whoever asked may be gone
            }
        }
    }

    /// Until a call is full, or nobody comes any more.
    async fn until_full(&self) {
        loop {
            let changed = self.changed.notified();
            let count: usize = self.waiting().orders.iter().map(|order| order.parcels.len()).sum();
            if count >= BATCH || self.coming.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
