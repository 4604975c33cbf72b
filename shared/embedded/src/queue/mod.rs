//! The durable queue: a table that keeps, a window that is fast.
//!
//! Promises: at least once; at most 8 wake-ups of a registration under way at the same time, and of an account no more
//! than it leaves free; accounts and registrations take turns; a received wake-up that nobody speaks of again comes back.
//! Left to others: what a wake-up means.

mod ring;
pub(crate) mod table;
pub(crate) mod window;

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{ChannelId, Event, Job},
    ports::{Queue, Wake},
};

pub(crate) use table::{AT_ONCE, LONGEST_DELAY, Lane, LaneId, Message, Place, millis};
pub use window::MOST_IN_CHANNEL;
pub(crate) use window::{Ready, Riding, Window};

use crate::{Store, events, store::Memory, writer::Effect};
use table::after;
use window::{Outlook, Receipt, Taken};

/// The longest sleep at a time: the wall clock may be set, or the machine suspended.
const NAP: Duration = Duration::from_secs(30);

/// How many dead letters come back in one transaction.
const MOST_REVIVED: usize = 1000;

/// Wake-ups that were taken and not yet handed out: they go back if the receiver does not wait for them.
struct Hand<'m> {
    memory: &'m Memory,
    taken: Vec<Taken>,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        let mut window = self.memory.window();
        self.taken.drain(..).rev().for_each(|taken| window.put_back(taken));
    }
}

#[async_trait]
impl Queue for Store {
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError> {
        // one look at both: between two, what was hungry may have been fed, and would be passed over
        let (taken, hungry) = {
            let mut window = self.memory.window();
            (window.take(channel, most, self.memory.now()), window.is_hungry(channel))
        };
        let mut hand = Hand { memory: &self.memory, taken };
        if hungry {
            if hand.taken.is_empty() {
                self.feed().await?;
                hand.taken = self.memory.window().take(channel, most, self.memory.now());
            } else {
                self.nudge();
            }
        }
        let events = self.load(&hand.taken).await?;
        let mut wakes = Vec::with_capacity(hand.taken.len());
        let mut unreadable = Vec::new();
        for (taken, event) in hand.taken.drain(..).zip(events) {
            match event {
                Some(event) => wakes.push(wake(taken, event)),
                None => unreadable.push(taken),
            }
        }
        drop(hand);
        for taken in unreadable {
            self.bury_unreadable(taken).await;
        }
        Ok(wakes)
    }

    async fn ready(&self, channel: &ChannelId) {
        let notify = self.memory.window().notify(channel);
        loop {
            let mut changed = pin!(notify.notified());
            changed.as_mut().enable();
            let now = self.memory.now();
            let outlook = self.memory.window().outlook(channel, now);
            match outlook {
                Outlook::Now => return,
                Outlook::Nothing => changed.await,
                Outlook::At(at) => {
                    let wait = Duration::from_millis(at.saturating_sub(now).unsigned_abs());
                    // either way the outlook is looked at again
                    drop(tokio::time::timeout(wait.min(NAP), changed).await);
                }
            }
        }
    }

    async fn ack(&self, wake: &Wake) -> Result<(), StoreError> {
        match self.place(wake) {
            Some((place, _)) => self.write(move |tx| tx.remove(place)).await,
            None => Ok(()), // a settlement took it along
        }
    }

    async fn give_back(&self, wake: &Wake, wait: Duration) -> Result<(), StoreError> {
        let Some((place, receives)) = self.place(wake) else { return Ok(()) };
        let visible_at = if wait.is_zero() { AT_ONCE } else { after(self.memory.now(), wait) };
        let lane = Arc::new(lane_of(&wake.job));
        self.write(move |tx| {
            tx.effects.push(Effect::Gone(place.seq));
            if table::postpone(tx.connection, place, visible_at, receives)? {
                tx.visible(&lane, Place { visible_at, ..place });
            }
            Ok(())
        })
        .await
    }

    async fn bury(&self, wake: &Wake) -> Result<(), StoreError> {
        match self.place(wake) {
            Some((place, _)) => self.bury_as(place, table::DEAD_LETTER).await,
            None => Ok(()),
        }
    }

    fn retention(&self) -> Option<Duration> {
        None
    }

    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        let backlog = self.backlog().await?;
        Ok(backlog.into_iter().filter(|one| one.dead_letters > 0).map(|one| (one.channel, one.dead_letters)).collect())
    }

    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        let last = self.write(|tx| Ok(tx.fresh())).await?; // what is buried again in the meantime stays buried
        let mut total = 0;
        loop {
            let channel = channel.clone();
            let revived = self.write(move |tx| {
                let mut lanes = table::revive(tx.connection, &channel, last, MOST_REVIVED, || tx.fresh())?;
                let revived = lanes.len();
                lanes.sort();
                lanes.dedup();
                for id in lanes {
                    let lane = table::lane_named(tx.connection, id)?;
                    tx.effects.push(Effect::Look(lane, id));
                }
                Ok(revived)
            });
            let revived = revived.await?;
            total += u64::try_from(revived).unwrap_or(u64::MAX);
            if revived < MOST_REVIVED {
                return Ok(total);
            }
        }
    }
}

impl Store {
    /// Where a wake-up in flight is, and how often it was received.
    fn place(&self, wake: &Wake) -> Option<(Place, u32)> {
        let (seq, take) = wake.receipt.split_once(':')?;
        let receipt = Receipt { seq: seq.parse().ok()?, take: take.parse().ok()? };
        self.memory.window().in_flight(receipt)
    }

    /// The events that did not ride along, in one read. `None` where there is none that can be read.
    async fn load(&self, taken: &[Taken]) -> Result<Vec<Option<Arc<Event>>>, StoreError> {
        let wanted = |taken: &Taken| (taken.lane.account.clone(), taken.ready.message.delivery.event);
        let missing: Vec<_> = taken.iter().filter(|taken| taken.ready.riding.is_none()).map(wanted).collect();
        let found = if missing.is_empty() {
            HashMap::new()
        } else {
            self.readers.read(move |connection| events::load(connection, missing)).await?
        };
        let event = |taken: &Taken| match &taken.ready.riding {
            Some(riding) => Some(Arc::clone(&riding.event)),
            None => found.get(&wanted(taken)).cloned(),
        };
        Ok(taken.iter().map(event).collect())
    }

    /// Puts a wake-up that nobody can read with the dead letters. Where that fails it comes again.
    async fn bury_unreadable(&self, taken: Taken) {
        let Message { place, delivery, .. } = taken.ready.message;
        tracing::error!(account = %taken.lane.account, %delivery, "the event of a wake-up cannot be read");
        if let Err(error) = self.bury_as(place, table::UNREADABLE).await {
            tracing::error!(%delivery, %error, "it could not be put with the dead letters");
        }
    }

    async fn bury_as(&self, place: Place, reason: &'static str) -> Result<(), StoreError> {
        self.write(move |tx| {
            table::bury(tx.connection, place, reason)?;
            tx.effects.push(Effect::Gone(place.seq));
            Ok(())
        })
        .await
    }
}

/// The lane that a job waits in.
pub(crate) fn lane_of(job: &Job) -> Lane {
    Lane { channel: job.channel.clone(), account: job.account().clone(), registration: job.registration.clone() }
}

fn wake(Taken { lane, ready, receipt }: Taken, event: Arc<Event>) -> Wake {
    let Message { delivery, n, receives, address, .. } = ready.message;
    let Lane { channel, registration, .. } = &*lane;
    let job = Job { delivery, n, registration: registration.clone(), channel: channel.clone(), address, event };
    Wake { job, receives: receives.saturating_add(1), receipt: format!("{}:{}", receipt.seq, receipt.take) }
}
