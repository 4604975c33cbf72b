//! The ledger as ordered writes. Every beginning of each sequence is finished by the next call or the next wake-up:
//!
//! * accept: key row → entries of the rules that collect it → pages of what is long → event row → one message per delivery.
//!   The same key again takes up the id of an unfinished try, and queues every planned delivery that has no row yet. What
//!   SQS refuses is parked; what can be neither is unavailable;
//! * settle: row → next wake-up. The present wake-up is still unacknowledged, and arms the next one if it meets its row;
//! * reopen: parked wake-up → row → message → the parked one goes. Whoever dies leaves the parked one, which opens the
//!   round if the row says so and does nothing if not;
//! * advance: message → due row goes. Whoever dies queues it twice. What its queue refuses is parked anew, for the next tick.
//!
//! In steady state, an event with one delivery costs three writes and no read: a first claim takes it that there is no
//! row, and a settlement remembers the row that its claim wrote; where either is wrong, the condition says so. Each rule that
//! collects it is one write more.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Delivery, DeliveryId, EventId, Job},
    ports::{Acceptance, Accepted, Events, IdempotencyKey, Ledger, StoredEvent},
    transition::{self, Claim, Claimed, Hastened, Reopened, Settlement},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    keys,
    table::{Condition, Row, Written},
};
use crate::{
    Store,
    error::unfinished,
    letter::Letter,
    sqs::{LONGEST_DELAY, Parcel, group},
};

/// How far ahead a reopened wake-up is parked: no process lives long enough to write its row after that.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
const REOPEN_PARKED: Duration = Duration::from_mins(15);

/// How many messages on their way to their queue are held in memory.
const HELD: usize = 400;

/// How far beyond a tick's horizon a wake-up is parked that its queue refused.
const ASIDE: Duration = Duration::from_secs(1);

/// How many rows are moved at once.
const AT_ONCE: usize = 8;

/// All workers are one deployment: a lease ends by time alone.
const EPOCH: u64 = 0;

const VERSION: &str = "version";
const EVENT: &str = "event";
const BODY_HASH: &str = "body_hash";
/// TTL counts seconds and comes late; this is the very moment.
const EXPIRES_MS: &str = "expires_ms";

/// What the key row said.
enum Use {
    Fresh,
    Again(EventId),
    Mismatch,
}

/// A delivery as it was read or written.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    version: u64,
    delivery: Delivery,
}

#[async_trait]
impl Ledger for Store {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        let Acceptance { key, event, plan } = acceptance;
        let coming = self.outbox.coming();
        let (event, again) = match &key {
            None => (event, false),
            Some(key) => match self.use_key(key, event.id, event.accepted_at).await? {
                Use::Fresh => (event, false),
                Use::Again(id) => (event.adopt(id), true),
                Use::Mismatch => return Ok(Accepted::Mismatch),
            },
        };
        let stored = StoredEvent { event: Arc::new(event), plan };
        if let Some(before) = self.put_event(&stored, again).await? {
            self.queue_what_has_no_row(&before).await?;
            return Ok(Accepted::Same(Box::new(before)));
        }
        drop(coming);
        self.queue(stored.plan.deliveries.iter().map(|planned| planned.job(&stored.event))).await?;
        Ok(Accepted::New(stored.event.id))
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        let Some(row) = self.table.get(keys::idempotency(key)).await? else { return Ok(None) };
        if row.number::<i64>(EXPIRES_MS)? < now.as_millisecond() {
            return Ok(None);
        }
        if row.text(BODY_HASH)? != key.body_hash {
            return Ok(Some(Accepted::Mismatch));
        }
        let Some(stored) = Events::get(self, &key.account, used_for(&row)?).await? else { return Ok(None) };
        self.queue_what_has_no_row(&stored).await?;
        Ok(Some(Accepted::Same(Box::new(stored))))
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        // the first wake-up of a new delivery meets no row, and need not look
        let mut read = if job.n == 1 { None } else { self.read(job).await? };
        loop {
            let before = read.as_ref().map(|read| read.delivery.clone());
            let claimed = transition::claim(before, job, claim, EPOCH);
            let Some(row) = claimed.row() else { return Ok(claimed) };
            match self.swap(read.as_ref(), row).await? {
                Ok(written) => {
                    self.claims.remember(written);
                    return Ok(claimed);
                }
                Err(there) => read = there,
            }
        }
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        let mut read = match self.claims.take(job.delivery, settlement.token) {
            Some(remembered) => Some(remembered),
            None => self.read(job).await?,
        };
        loop {
            let Some(before) = &read else { return Ok(false) };
            let Some(row) = transition::settle(before.delivery.clone(), settlement) else { return Ok(false) };
            match self.swap(Some(before), &row).await? {
                Ok(_) => break,
                Err(there) => read = there,
            }
        }
        if let Some(at) = settlement.next.due() {
            let n = read.map_or(job.n, |before| before.delivery.n) + 1;
            self.arm(&job.at(n), at, settlement.now).await?;
        }
        Ok(true)
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let wait = wait(now, at);
        if wait <= LONGEST_DELAY {
            self.send(job, wait).await
        } else {
            let (letter, text) = Letter::of(job)?;
            self.park(&letter, &text, at).await
        }
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let mut read = self.read(job).await?;
        loop {
            let Some(before) = &read else {
                self.send(&job.at(1), Duration::ZERO).await?;
                return Ok(true);
            };
            let row = match transition::reopen(before.delivery.clone(), under, now) {
                Reopened::Again(row) => row,
                Reopened::Before => return Ok(true),
                Reopened::NotOver => return Ok(false),
            };
            let job = job.at(row.n);
            let (letter, text) = Letter::of(&job)?;
            self.park(&letter, &text, now + REOPEN_PARKED).await?;
            match self.swap(Some(before), &row).await? {
                Ok(_) => {
                    self.send(&job, Duration::ZERO).await?;
                    self.unpark(job.delivery, job.n, now + REOPEN_PARKED).await?;
                    return Ok(true);
                }
                Err(there) => read = there,
            }
        }
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        let row = self.table.get(keys::delivery(account, id)).await?;
        let mut read = row.map(|row| self::read(&row)).transpose()?;
        loop {
            let Some(before) = &read else { return Ok(false) };
            let Some(row) = transition::confirm(before.delivery.clone(), now) else { return Ok(false) };
            match self.swap(Some(before), &row).await? {
                Ok(_) => return Ok(true),
                Err(there) => read = there,
            }
        }
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        let mut read = self.read(job).await?;
        loop {
            let Some(before) = &read else { return Ok(false) };
            let row = match transition::hasten(before.delivery.clone(), now) {
                Hastened::Now(row) => row,
                Hastened::Due => {
                    self.send(&job.at(before.delivery.n), Duration::ZERO).await?;
                    return Ok(true);
                }
                Hastened::No => return Ok(false),
            };
            match self.swap(Some(before), &row).await? {
                Ok(_) => {
                    // whoever dies here leaves a row that is due: whoever hastens it again sends this
                    self.send(&job.at(row.n), Duration::ZERO).await?;
                    return Ok(true);
                }
                Err(there) => read = there,
            }
        }
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        let due = self.due(now, until, most).await?;
        let parcels = due.iter().map(|parked| Parcel {
            channel: parked.letter.channel.clone(),
            group: group(&parked.letter.account),
            body: parked.text.clone(),
            delay: wait(now, parked.at),
        });
        let refused = self.queues.send(parcels.collect()).await;
        let is_refused = |text: &str| refused.iter().any(|parcel| parcel.body == text);
        // beyond this tick, and within the next: what a queue refuses for long must not stand before what others would take
        let aside = until + ASIDE;
        let moves = due.iter().map(async |parked| {
            if is_refused(&parked.text) {
                self.park(&parked.letter, &parked.text, aside).await?;
            }
            self.unpark(parked.letter.delivery, parked.letter.n, parked.at).await
        });
        stream::iter(moves.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        if !refused.is_empty() {
            tracing::error!(count = refused.len(), "parked wake-ups were not taken by their queue; the next tick tries again");
        }
        Ok(due.len())
    }

    /// DynamoDB forgets them by itself, some time after they have expired.
    async fn expire(&self, _now: Timestamp, _most: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

impl Store {
    async fn use_key(&self, key: &IdempotencyKey, event: EventId, now: Timestamp) -> Result<Use, StoreError> {
        let row = Row::new(keys::idempotency(key))
            .with_text(EVENT, event.to_string())
            .with_text(BODY_HASH, &key.body_hash)
            .with_number(EXPIRES_MS, key.expires_at.as_millisecond())
            .with_number(keys::EXPIRES, key.expires_at.as_second() + 1);
        let is_free = "attribute_not_exists(pk) OR expires_ms < :now";
        let is_free = Condition::new(is_free, ":now", now.as_millisecond());
        match self.table.put_if(row, &is_free, self.clock.chance()).await? {
            Written::Yes => Ok(Use::Fresh),
            Written::No(Some(used)) if used.text(BODY_HASH)? == key.body_hash => Ok(Use::Again(used_for(&used)?)),
            Written::No(Some(_)) => Ok(Use::Mismatch),
            Written::No(None) => Err(unfinished("an idempotency key expired at this very moment")),
        }
    }

    /// One delivery's row, as it is now.
    async fn read(&self, job: &Job) -> Result<Option<Read>, StoreError> {
        let row = self.table.get(keys::delivery(job.account(), job.delivery)).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// Writes a delivery's row if it is still what was `read`; else answers what is there.
    async fn swap(&self, read: Option<&Read>, delivery: &Delivery) -> Result<Result<Read, Option<Read>>, StoreError> {
        let version = read.map_or(1, |read| read.version + 1);
        let mut row = Row::new(keys::delivery(&delivery.account, delivery.id))
            .with_body(delivery)?
            .with_number(VERSION, version)
            .with_number(keys::EXPIRES, self.kept_until(&delivery.account).await?);
        if let Some(rare) = keys::rare(&delivery.account, delivery.state) {
            row = row.with_text(keys::RARE_PK, rare).with_text(keys::RARE_SK, delivery.id.to_string());
        }
        let condition = read.map_or(Condition::IS_FREE, |read| Condition::new("version = :version", ":version", read.version));
        match self.table.put_if(row, &condition, self.clock.chance()).await? {
            Written::Yes => Ok(Ok(Read { version, delivery: delivery.clone() })),
            Written::No(there) => Ok(Err(there.map(|row| self::read(&row)).transpose()?)),
        }
    }

    /// Queues what has no row yet: it may never have been queued. If it was, there is one wake-up too many, which is Over.
    async fn queue_what_has_no_row(&self, stored: &StoredEvent) -> Result<(), StoreError> {
        let jobs: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.job(&stored.event)).collect();
        let wanted: Vec<_> = jobs.iter().map(|job| keys::delivery(job.account(), job.delivery)).collect();
        let there = self.table.get_many(wanted).await?;
        let has_row = |job: &Job| there.contains_key(&keys::delivery(job.account(), job.delivery));
        self.queue(jobs.into_iter().filter(|job| !has_row(job))).await
    }

    /// Queues jobs at once; parks what SQS does not take. A few hundred messages are held at a time, not ten thousand.
    async fn queue(&self, mut jobs: impl Iterator<Item = Job> + Send) -> Result<(), StoreError> {
        loop {
            let parcels = jobs.by_ref().take(HELD).map(|job| parcel(&job, Duration::ZERO)).collect::<Result<Vec<_>, _>>()?;
            if parcels.is_empty() {
                return Ok(());
            }
            for refused in self.outbox.send(&self.queues, parcels).await {
                let letter = crate::error::parse::<Letter>("a wake-up", &refused.body)?;
                self.park(&letter, &refused.body, self.clock.now()).await?;
            }
        }
    }

    async fn send(&self, job: &Job, delay: Duration) -> Result<(), StoreError> {
        let refused = self.queues.send(vec![parcel(job, delay)?]).await;
        if refused.is_empty() { Ok(()) } else { Err(unfinished("a wake-up was not taken by its queue")) }
    }

    /// When a row of that account written now may be forgotten, in seconds since 1970.
    pub(crate) async fn kept_until(&self, account: &AccountId) -> Result<i64, StoreError> {
        let account = bellhop_core::ports::Accounts::get(self, account).await?;
        let days = account.map_or(0, |account| account.retention_days).max(LEAST_DAYS);
        Ok(self.clock.now().as_second() + i64::from(days) * 24 * 60 * 60)
    }
}

/// Longer than any queue keeps a message.
const LEAST_DAYS: u32 = 30;

fn parcel(job: &Job, delay: Duration) -> Result<Parcel, StoreError> {
    let (letter, body) = Letter::of(job)?;
    Ok(Parcel { group: group(&letter.account), channel: letter.channel, body, delay })
}

fn read(row: &Row) -> Result<Read, StoreError> {
    Ok(Read { version: row.number(VERSION)?, delivery: row.body()? })
}

fn used_for(row: &Row) -> Result<EventId, StoreError> {
    row.text(EVENT)?.parse().map_err(|_| crate::error::corrupt("an idempotency key's event"))
}

pub(crate) fn wait(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// The claims of this process, so that a settlement need not read what its claim has written.
#[derive(Debug, Default)]
pub(crate) struct Claims(std::sync::Mutex<std::collections::HashMap<DeliveryId, Read>>);

impl Claims {
    /// More than are ever under way: the rest was given up.
    const MOST: usize = 1_024;

    fn remember(&self, written: Read) {
        let mut claims = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if claims.len() >= Self::MOST {
            claims.clear();
        }
        claims.insert(written.delivery.id, written);
    }

    /// The row that a claim with that token wrote.
    fn take(&self, delivery: DeliveryId, token: u128) -> Option<Read> {
        let mut claims = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let holds = |read: &Read| read.delivery.lease.as_ref().is_some_and(|lease| lease.token == token);
        claims.get(&delivery).is_some_and(holds).then(|| claims.remove(&delivery)).flatten()
    }
}
