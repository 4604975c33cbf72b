//! The ledger as ordered writes. Every beginning of each sequence is finished by the next call or the next wake-up:
//!
//! * accept: key row → entries for digests → event row → one message per delivery. The same key again takes up the id of an
//!   unfinished try, and queues every planned delivery that has no row yet;
//! * settle: row → next wake-up. The present wake-up is still unacknowledged, and arms the next one if it meets its row;
//! * reopen: parked wake-up → row → message → the parked one goes. Whoever dies leaves the parked one, which opens the
//!   round if the row says so and does nothing if not;
//! * advance: message → due row goes. Whoever dies queues it twice.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, DeliveryId, EventId, Job},
    ports::{Acceptance, Accepted, IdempotencyKey, Ledger, StoredEvent},
    transition::{self, Claim, Claimed, Hastened, Reopened, Settlement},
};

use super::Worker;

/// The longest that SQS delays a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>
pub(super) const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How far ahead a reopened wake-up is parked: no process lives long enough to write its row after that.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
const REOPEN_PARKED: Duration = Duration::from_mins(15);

/// All workers are one deployment: a lease ends by time alone.
const EPOCH: u64 = 0;

/// What the key row said.
enum Use {
    Fresh,
    Again(EventId),
    Mismatch,
}

#[async_trait]
impl Ledger for Worker {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        let Acceptance { key, event, plan } = acceptance;
        let event = match &key {
            None => event,
            Some(key) => match self.use_key(key, event.id, event.accepted_at).await? {
                Use::Fresh => event,
                Use::Again(id) => event.adopt(id),
                Use::Mismatch => return Ok(Accepted::Mismatch),
            },
        };
        let stored = StoredEvent { event: Arc::new(event), plan };
        self.collect(&stored.event, &stored.plan).await?;
        if let Some(before) = self.put_event(&stored).await? {
            self.queue_planned(&before).await?;
            return Ok(Accepted::Same(Box::new(before)));
        }
        self.queue_planned(&stored).await?;
        Ok(Accepted::New(stored.event.id))
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        let found = self.look_up(key, now);
        if let Some(Accepted::Same(stored)) = &found {
            self.queue_planned(stored).await?;
        }
        Ok(found)
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        loop {
            let read = self.row(job.account(), job.delivery);
            let claimed = transition::claim(read.clone(), job, claim, EPOCH);
            let Some(row) = claimed.row() else { return Ok(claimed) };
            if self.swap_row(read.as_ref(), row).await? {
                return Ok(claimed);
            }
        }
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        loop {
            let Some(read) = self.row(job.account(), job.delivery) else { return Ok(false) };
            let Some(row) = transition::settle(read.clone(), settlement) else { return Ok(false) };
            if self.swap_row(Some(&read), &row).await? {
                if let Some(at) = settlement.next.due() {
                    self.arm(&job.at(row.n), at, settlement.now).await?;
                }
                return Ok(true);
            }
        }
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let wait = wait(now, at);
        if wait <= LONGEST_DELAY { self.send(job, wait).await } else { self.park(job, at).await }
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        loop {
            let Some(read) = self.row(job.account(), job.delivery) else {
                self.send(&job.at(1), Duration::ZERO).await?;
                return Ok(true);
            };
            let row = match transition::reopen(read.clone(), under, now) {
                Reopened::Again(row) => row,
                Reopened::Before => return Ok(true),
                Reopened::NotOver => return Ok(false),
            };
            let job = job.at(row.n);
            self.park(&job, now + REOPEN_PARKED).await?;
            if self.swap_row(Some(&read), &row).await? {
                self.send(&job, Duration::ZERO).await?;
                self.unpark(&job, now + REOPEN_PARKED).await?;
                return Ok(true);
            }
        }
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        loop {
            let Some(read) = self.row(account, id) else { return Ok(false) };
            let Some(row) = transition::confirm(read.clone(), now) else { return Ok(false) };
            if self.swap_row(Some(&read), &row).await? {
                return Ok(true);
            }
        }
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        loop {
            let Some(read) = self.row(job.account(), job.delivery) else { return Ok(false) };
            let row = match transition::hasten(read.clone(), now) {
                Hastened::Now(row) => row,
                Hastened::Due => {
                    self.send(&job.at(read.n), Duration::ZERO).await?;
                    return Ok(true);
                }
                Hastened::No => return Ok(false),
            };
            if self.swap_row(Some(&read), &row).await? {
                self.send(&job.at(row.n), Duration::ZERO).await?;
                return Ok(true);
            }
        }
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        let due = self.due(until, most);
        for (at, job) in &due {
            self.send(job, wait(now, *at)).await?;
            self.unpark(job, *at).await?;
        }
        Ok(due.len())
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.effect("key rows gone", |tables| {
            let over = tables.idempotency.iter().filter(|(_, used)| used.expires_at < now).take(most);
            let over: Vec<_> = over.map(|(place, _)| place.clone()).collect();
            for place in &over {
                tables.idempotency.remove(place);
            }
            let gone = over.len() + tables.forget_audit(now, most - over.len());
            gone + tables.forget_old(now, most - gone)
        })
        .await
    }
}

impl Worker {
    /// Writes an event if there is none of that id; else answers the one that is there.
    pub async fn put_event(&self, stored: &StoredEvent) -> Result<Option<StoredEvent>, StoreError> {
        self.effect("event row", |tables| tables.put_event(stored)).await
    }

    /// What a key stands for.
    pub fn look_up(&self, key: &IdempotencyKey, now: Timestamp) -> Option<Accepted> {
        let place = (key.account.clone(), key.route, key.key.clone());
        self.read(|tables| {
            let used = tables.idempotency.get(&place).filter(|used| used.expires_at >= now)?;
            if used.body_hash != key.body_hash {
                return Some(Accepted::Mismatch);
            }
            let stored = tables.events.get(&(key.account.clone(), used.event))?;
            Some(Accepted::Same(Box::new(stored.clone())))
        })
    }

    /// The earliest parked wake-ups that are due before `until`.
    pub fn due(&self, until: Timestamp, most: usize) -> Vec<(Timestamp, Job)> {
        self.read(|tables| {
            let due = tables.due.iter().take_while(|((at, ..), _)| *at < until).take(most);
            due.map(|((at, ..), job)| (*at, job.clone())).collect()
        })
    }

    async fn use_key(&self, key: &IdempotencyKey, event: EventId, now: Timestamp) -> Result<Use, StoreError> {
        self.effect("key row", |tables| match tables.use_key(key, event, now) {
            Ok(()) => Use::Fresh,
            Err(used) if used.body_hash == key.body_hash => Use::Again(used.event),
            Err(_) => Use::Mismatch,
        })
        .await
    }

    /// Queues what has no row yet: it may never have been queued. If it was, there is one wake-up too many, which is Over.
    async fn queue_planned(&self, stored: &StoredEvent) -> Result<(), StoreError> {
        for planned in &stored.plan.deliveries {
            let job = planned.job(&stored.event);
            if self.row(job.account(), job.delivery).is_none() {
                self.send(&job, Duration::ZERO).await?;
            }
        }
        Ok(())
    }
}

fn wait(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}
