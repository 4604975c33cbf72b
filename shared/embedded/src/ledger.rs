//! The ledger: each transition is one transaction, the wake-ups that belong to it included.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, DeliveryId, Event, EventId, Job},
    plan::Planned,
    ports::{Acceptance, Accepted, IdempotencyKey, Ledger, StoredEvent},
    transition::{self, Claim, Claimed, Hastened, Reopened, Settlement},
};
use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest, Sha256};

use crate::{
    Store, digests,
    error::{Fault, json},
    events,
    queue::{
        AT_ONCE, Lane, Message, Place, Ready, Riding, lane_of, millis,
        table::{self, event_key, limit},
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
                && let Some(before) = remember(tx.connection, key, &event)?
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
        let key = key.clone();
        self.readers.read(move |connection| known(connection, &key, now)).await
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
            let mut gone = 0;
            for sql in [
                "DELETE FROM idempotency WHERE id IN
                 (SELECT id FROM idempotency WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                "DELETE FROM audit WHERE (account, id) IN
                 (SELECT account, id FROM audit WHERE until <= ?1 ORDER BY until LIMIT ?2)",
            ] {
                gone += tx.connection.prepare_cached(sql)?.execute((millis(now), limit(most - gone)))?;
            }
            Ok(gone)
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

/// What a key stands for. A key whose event is gone stands for nothing any more.
fn known(connection: &Connection, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, Fault> {
    let mut find = connection.prepare_cached("SELECT event, body_hash FROM idempotency WHERE id = ?1 AND expires_at > ?2")?;
    let row = |row: &Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?));
    let Some((event, body_hash)) = find.query_row((id_of(key), now.as_millisecond()), row).optional()? else {
        return Ok(None);
    };
    if body_hash != key.body_hash {
        return Ok(Some(Accepted::Mismatch));
    }
    let stored = events::get(connection, &key.account, EventId(u128::from_be_bytes(event)))?;
    Ok(stored.map(|stored: StoredEvent| Accepted::Same(Box::new(stored))))
}

/// Lets a key stand for `event`, unless it stands for something already: that is the answer then.
fn remember(connection: &Connection, key: &IdempotencyKey, event: &Event) -> Result<Option<Accepted>, Fault> {
    let mut put = connection.prepare_cached(
        "INSERT INTO idempotency (id, event, body_hash, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE
         SET event = excluded.event, body_hash = excluded.body_hash, expires_at = excluded.expires_at WHERE expires_at <= ?5",
    )?;
    let (id, body_hash, expires_at) = (id_of(key), &key.body_hash, millis(key.expires_at));
    let mut put = |before: i64| put.execute((id, event_key(event.id), body_hash, expires_at, before));
    if put(event.accepted_at.as_millisecond())? > 0 {
        return Ok(None);
    }
    let before = known(connection, key, event.accepted_at)?;
    if before.is_none() {
        put(i64::MAX)?;
    }
    Ok(before)
}

/// Short, because there are many: half of a SHA-256 of all that makes a key the same. What separates the parts is in none
/// of them.
fn id_of(key: &IdempotencyKey) -> [u8; 16] {
    let whole = Sha256::digest([key.account.as_str(), key.route, &key.key].join("\0"));
    let mut id = [0; 16];
    id.copy_from_slice(&whole[..16]);
    id
}
