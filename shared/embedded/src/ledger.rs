//! The ledger: each transition is one transaction, the wake-ups that belong to it included.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, DeliveryId, Event, Job},
    plan::Planned,
    ports::{Acceptance, Accepted, IdempotencyKey, Ledger},
    transition::{self, Claim, Claimed, Hastened, Reopened, Settlement},
};

use crate::{
    Store, digests,
    error::{Fault, json},
    events, idempotency,
    queue::{
        AT_ONCE, Lane, Message, Place, Ready, Riding, lane_of, millis,
        table::{self, limit},
    },
    writer::{Effect, Tx},
};

/// A larger event (as JSON) is read again by its worker, instead of riding along in memory.
const MOST_RIDING: usize = 4096;

#[async_trait]
impl Ledger for Store {
    async fn accept(&self, Acceptance { key, event, plan }: Acceptance) -> Result<Accepted, StoreError> {
        let (body, kept_plan) = (json(&event)?, json(&plan)?);
        let event = Arc::new(event);
        let wakes: Vec<_> = plan.deliveries.iter().map(|planned| first_wake(planned, &event)).collect();
        self.write(move |tx| {
            if let Some(key) = &key
                && let Some(before) = idempotency::remember(tx, key, &event)?
            {
                return Ok(before);
            }
            if let Some(before) = events::put(tx.connection, &event, &body, &kept_plan)? {
                return Ok(Accepted::Same(Box::new(before)));
            }
            digests::collect(tx, &event, &plan)?;
            let riding = (body.len() <= MOST_RIDING).then(|| Riding { event: Arc::clone(&event), size: body.len() });
            for (lane, message) in &wakes {
                let place = Place { lane: tx.lane(lane)?, visible_at: AT_ONCE, seq: tx.fresh() };
                let message = Message { place, ..message.clone() };
                table::push(tx.connection, &message)?;
                tx.effects.push(Effect::Ready(Arc::clone(lane), Ready { message, riding: riding.clone() }));
            }
            Ok(Accepted::New(event.id))
        })
        .await
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        let (memory, key) = (Arc::clone(&self.memory), key.clone());
        self.readers.read(move |connection| idempotency::known(connection, &memory.idempotency, &key, now)).await
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        let (job, claim, wake) = (job.clone(), claim.clone(), self.wake_of(job));
        self.write(move |tx| {
            let row = tx.delivery(job.account(), job.delivery)?;
            let claimed = transition::claim(row, &job, &claim, tx.epoch);
            if let Some(row) = claimed.row() {
                tx.put_delivery(row)?;
                if let Some((place, receives)) = wake {
                    table::postpone(tx.connection, place, place.visible_at, receives)?;
                }
            }
            Ok(claimed)
        })
        .await
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        let (job, settlement, wake) = (job.clone(), settlement.clone(), self.wake_of(job));
        self.write(move |tx| {
            let Some(row) = tx.delivery(job.account(), job.delivery)? else { return Ok(false) };
            let Some(row) = transition::settle(row, &settlement) else { return Ok(false) };
            tx.put_delivery(&row)?;
            if let Some((place, _)) = wake {
                tx.remove(place)?;
            }
            if let Some(due) = row.due {
                arm(tx, &job, row.n, due, settlement.now)?;
            }
            Ok(true)
        })
        .await
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let job = job.clone();
        self.write(move |tx| arm(tx, &job, job.n, at, now)).await
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let (job, under) = (job.clone(), under.map(str::to_owned));
        self.write(move |tx| {
            let Some(row) = tx.delivery(job.account(), job.delivery)? else {
                arm(tx, &job, 1, now, now)?;
                return Ok(true);
            };
            let row = match transition::reopen(row, under.as_deref(), now) {
                Reopened::Again(row) => row,
                Reopened::Before => return Ok(true),
                Reopened::NotOver => return Ok(false),
            };
            tx.put_delivery(&row)?;
            arm(tx, &job, row.n, now, now)?;
            Ok(true)
        })
        .await
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write(move |tx| {
            let Some(row) = tx.delivery(&account, id)?.and_then(|row| transition::confirm(row, now)) else { return Ok(false) };
            tx.put_delivery(&row)?;
            Ok(true)
        })
        .await
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        let job = job.clone();
        self.write(move |tx| {
            let Some(row) = tx.delivery(job.account(), job.delivery)? else { return Ok(false) };
            // what is due has its wake-up: both are written at once here
            let Hastened::Now(row) = transition::hasten(row, now) else { return Ok(false) };
            tx.put_delivery(&row)?;
            arm(tx, &job, row.n, now, now)?;
            Ok(true)
        })
        .await
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.write(move |tx| {
            let moved = table::unpark(tx.connection, millis(now), millis(until), most)?;
            for place in &moved {
                let lane = table::lane_named(tx.connection, place.lane)?;
                tx.visible(&lane, *place);
            }
            Ok(moved.len())
        })
        .await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        let expired = self.write(move |tx| {
            let gone = idempotency::expire(tx.connection, now, most)?;
            let mut audit = tx.connection.prepare_cached(
                "DELETE FROM audit WHERE (account, id) IN
                 (SELECT account, id FROM audit WHERE until <= ?1 ORDER BY until LIMIT ?2)",
            )?;
            Ok(gone + audit.execute((millis(now), limit(most - gone)))?)
        });
        let expired = expired.await?;
        if expired < most { Ok(expired + self.forget_old(now, most - expired).await?) } else { Ok(expired) }
    }
}

impl Store {
    /// The wake-up under way that asks for this job, if it came from here.
    fn wake_of(&self, job: &Job) -> Option<(Place, u32)> {
        self.memory.window().of_job(job.delivery, job.n)
    }
}

/// The first wake-up of a planned delivery; its place is found when it is written.
fn first_wake(planned: &Planned, event: &Event) -> (Arc<Lane>, Message) {
    let Planned { registration, channel, address } = planned.clone();
    let place = Place { lane: table::LaneId(0), visible_at: AT_ONCE, seq: 0 };
    let message = Message { place, delivery: planned.id(event.id), n: 1, receives: 0, address };
    (Arc::new(Lane { channel, account: event.account.clone(), registration }), message)
}

fn arm(tx: &mut Tx<'_>, job: &Job, n: u32, at: Timestamp, now: Timestamp) -> Result<(), Fault> {
    tx.arm(&Arc::new(lane_of(job)), (job.delivery, n, job.address.clone()), at, now)
}
