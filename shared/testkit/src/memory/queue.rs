//! A queue like an SQS standard queue with a dead-letter queue behind it.
//!
//! At least once, in no certain order, fair among accounts. A received message is invisible for a while and comes again if
//! nobody deletes it; one that was received [`MOST_RECEIVES`] times goes to the dead letters when it would come again. A
//! receipt is good for the last receive alone: an older one does nothing.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{ChannelId, Job},
    ports::{Clock, MOST_RECEIVES, Queue, Wake},
};

use super::Worker;
use crate::Dice;

/// How a queue treats its messages.
#[derive(Debug)]
pub struct Visibility {
    timeout: Duration,
    unruly: Option<Mutex<Dice>>,
}

impl Visibility {
    /// Received messages stay away for so long; none comes twice, and they come in order.
    pub fn orderly(timeout: Duration) -> Self {
        Self { timeout, unruly: None }
    }

    /// Messages also come in any order, and now and then twice.
    pub fn unruly(timeout: Duration, dice: Dice) -> Self {
        Self { timeout, unruly: Some(Mutex::new(dice)) }
    }

    fn dice(&self) -> Option<std::sync::MutexGuard<'_, Dice>> {
        self.unruly.as_ref().map(|dice| dice.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Visibility {
    fn default() -> Self {
        Self::orderly(Duration::from_mins(6))
    }
}

/// One channel's messages.
#[derive(Default)]
pub(super) struct Messages {
    queued: Vec<Message>,
    dead: Vec<Message>,
}

#[derive(Clone)]
struct Message {
    number: u64,
    job: Job,
    visible_at: Timestamp,
    receives: u32,
}

impl Message {
    fn receipt(&self) -> String {
        format!("{}:{}", self.number, self.receives)
    }
}

impl Messages {
    pub(super) fn push(&mut self, number: u64, job: Job, visible_at: Timestamp) {
        self.queued.push(Message { number, job, visible_at, receives: 0 });
    }

    pub(super) fn next_visible(&self) -> Option<Timestamp> {
        self.queued.iter().map(|message| message.visible_at).min()
    }

    fn has_visible(&self, now: Timestamp) -> bool {
        self.queued.iter().any(|message| message.visible_at <= now)
    }

    /// Moves what has been received too often.
    fn bury_used_up(&mut self, now: Timestamp) {
        let used_up = |message: &mut Message| message.receives >= MOST_RECEIVES && message.visible_at <= now;
        self.dead.extend(self.queued.extract_if(.., used_up));
    }

    /// The places of what is visible: first one message of each account, then another of each …
    fn in_turn(&self, now: Timestamp) -> Vec<usize> {
        let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
        let mut places = Vec::new();
        for (place, message) in self.queued.iter().enumerate().filter(|(_, message)| message.visible_at <= now) {
            let turn = turns.entry(message.job.account().as_str()).or_default();
            places.push((*turn, place));
            *turn += 1;
        }
        places.sort_unstable();
        places.into_iter().map(|(_, place)| place).collect()
    }

    /// The message that a receipt is good for.
    fn held(&self, receipt: &str) -> Option<usize> {
        self.queued.iter().position(|message| message.receives > 0 && message.receipt() == receipt)
    }
}

/// What the next runtime's queues are set to.
const RETENTION: Duration = Duration::from_hours(10 * 24);

#[async_trait]
impl Queue for Worker {
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError> {
        let now = self.memory.sim.now();
        let visibility = &self.memory.visibility;
        self.effect("receive", |tables| {
            let Some(messages) = tables.queues.get_mut(channel) else { return Vec::new() };
            messages.bury_used_up(now);
            let mut places = messages.in_turn(now);
            if let Some(mut dice) = visibility.dice() {
                dice.shuffle(&mut places);
            }
            let mut wakes = Vec::new();
            let mut twice = Vec::new();
            for place in places.into_iter().take(most) {
                let message = &mut messages.queued[place];
                if visibility.dice().is_some_and(|mut dice| dice.one_in(8)) {
                    twice.push(message.clone());
                }
                message.receives += 1;
                message.visible_at = now + visibility.timeout;
                wakes.push(Wake { job: message.job.clone(), receives: message.receives, receipt: message.receipt() });
            }
            for copy in twice {
                tables.messages_sent += 1;
                messages.queued.push(Message { number: tables.messages_sent, ..copy });
            }
            wakes
        })
        .await
    }

    async fn ready(&self, channel: &ChannelId) {
        loop {
            let stirred = self.memory.sim.stirred();
            let now = self.memory.sim.now();
            if self.read(|tables| tables.queues.get(channel).is_some_and(|messages| messages.has_visible(now))) {
                return;
            }
            stirred.await;
        }
    }

    async fn ack(&self, wake: &Wake) -> Result<(), StoreError> {
        self.of(wake, "ack", |messages, place| drop(messages.queued.remove(place))).await
    }

    async fn give_back(&self, wake: &Wake, after: Duration) -> Result<(), StoreError> {
        let visible_at = self.memory.sim.now() + Duration::from_secs(after.as_secs() + u64::from(after.subsec_nanos() > 0));
        self.of(wake, "give back", |messages, place| messages.queued[place].visible_at = visible_at).await?;
        self.memory.sim.stir();
        Ok(())
    }

    async fn bury(&self, wake: &Wake) -> Result<(), StoreError> {
        self.of(wake, "bury", |messages, place| {
            let message = messages.queued.remove(place);
            messages.dead.push(message);
        })
        .await
    }

    fn retention(&self) -> Option<Duration> {
        Some(RETENTION)
    }

    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        Ok(self.read(|tables| {
            let queues = tables.queues.iter().filter(|(_, messages)| !messages.dead.is_empty());
            queues.map(|(channel, messages)| (channel.clone(), messages.dead.len() as u64)).collect()
        }))
    }

    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        let now = self.memory.sim.now();
        let moved = self
            .effect("redrive", |tables| {
                let Some(messages) = tables.queues.get_mut(channel) else { return 0 };
                let dead = std::mem::take(&mut messages.dead);
                let moved = dead.len() as u64;
                for message in dead {
                    tables.messages_sent += 1;
                    messages.push(tables.messages_sent, message.job, now);
                }
                moved
            })
            .await?;
        self.memory.sim.stir();
        Ok(moved)
    }
}

impl Worker {
    /// Changes the message that `wake` stands for, if its receipt is still good.
    async fn of(
        &self,
        wake: &Wake,
        name: &'static str,
        change: impl FnOnce(&mut Messages, usize) + Send,
    ) -> Result<(), StoreError> {
        self.effect(name, |tables| {
            let Some(messages) = tables.queues.get_mut(&wake.job.channel) else { return };
            if let Some(place) = messages.held(&wake.receipt) {
                change(messages, place);
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bellhop_core::ports::Ports;

    use super::*;
    use crate::{Memory, Sim, acceptance, account, channel, event};

    const TIMEOUT: Duration = Duration::from_secs(30);

    async fn one_message() -> (Arc<Sim>, Ports) {
        let sim = Sim::new(0);
        let ports = Memory::new(Arc::clone(&sim), Visibility::orderly(TIMEOUT)).ports();
        ports.ledger.accept(acceptance(event(&account(), sim.now(), 1), &["phone"], None)).await.unwrap();
        (sim, ports)
    }

    async fn receive(ports: &Ports) -> Option<Wake> {
        ports.queue.receive(&channel(), 10).await.unwrap().pop()
    }

    #[tokio::test]
    async fn a_received_message_comes_again_when_its_time_is_over_and_not_before() {
        let (sim, ports) = one_message().await;
        assert_eq!(receive(&ports).await.unwrap().receives, 1);
        sim.pass(Duration::from_millis(29_999));
        assert!(receive(&ports).await.is_none());
        sim.pass(Duration::from_millis(1));
        assert_eq!(receive(&ports).await.unwrap().receives, 2);
    }

    #[tokio::test]
    async fn the_receipt_of_an_earlier_receive_does_nothing() {
        let (sim, ports) = one_message().await;
        let old = receive(&ports).await.unwrap();
        sim.pass(TIMEOUT);
        receive(&ports).await.unwrap();
        ports.queue.ack(&old).await.unwrap();
        ports.queue.give_back(&old, Duration::ZERO).await.unwrap();
        ports.queue.bury(&old).await.unwrap();
        assert!(receive(&ports).await.is_none());
        sim.pass(TIMEOUT);
        assert_eq!(receive(&ports).await.unwrap().receives, 3);
    }

    #[tokio::test]
    async fn what_was_received_too_often_is_a_dead_letter_until_it_is_redriven() {
        let (sim, ports) = one_message().await;
        for receives in 1..=MOST_RECEIVES {
            assert_eq!(receive(&ports).await.unwrap().receives, receives);
            sim.pass(TIMEOUT);
        }
        assert!(receive(&ports).await.is_none());
        assert_eq!(ports.queue.dead_letters().await.unwrap(), [(channel(), 1)]);
        assert_eq!(ports.queue.redrive(&channel()).await.unwrap(), 1);
        assert_eq!(receive(&ports).await.unwrap().receives, 1);
    }

    #[tokio::test]
    async fn an_unruly_queue_brings_messages_twice() {
        let sim = Sim::new(0);
        let ports = Memory::new(Arc::clone(&sim), Visibility::unruly(TIMEOUT, Dice::new(3))).ports();
        let names: Vec<_> = (0..50).map(|number| format!("r{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        ports.ledger.accept(acceptance(event(&account(), sim.now(), 1), &names, None)).await.unwrap();
        let first = ports.queue.receive(&channel(), 50).await.unwrap();
        let twice = ports.queue.receive(&channel(), 50).await.unwrap();
        assert_eq!(first.len(), 50);
        assert!(!twice.is_empty() && twice.iter().all(|wake| first.iter().any(|known| known.job == wake.job)));
    }
}
