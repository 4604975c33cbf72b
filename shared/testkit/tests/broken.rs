//! The harness can fail: platforms that break the protocol in one place each are found out, by the crash points and by the
//! schedules.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, ChannelId, Delivery, DeliveryId, Job},
    ports::{Acceptance, Accepted, IdempotencyKey, Ledger, Ports, Queue, StoredEvent, Wake},
    transition::{self, Claim, Claimed, Settlement},
};
use bellhop_testkit::{
    Memory,
    crash::{Harm, MemoryWorld, Trial, Violation, World, every_crash_point, stories},
    effects::Effects,
    memory::Worker,
    schedule::{Weather, play},
};

/// The place where a platform breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    AcceptQueuesBeforeItWrites,
    AcceptAnswersWithoutQueueing,
    RecallAnswersWithoutQueueing,
    ClaimIsNotWrittenDown,
    TakeoverRecordsNothing,
    SettleForgetsToArm,
    AdvanceForgetsBeforeItQueues,
    ReceiveAcknowledges,
}

/// Memory with a fault.
struct Broken {
    fault: Fault,
    worker: Arc<Worker>,
}

impl Broken {
    fn ports(fault: Fault, ports: Ports, memory: &Arc<Memory>, effects: Arc<dyn Effects>) -> Ports {
        let broken = Arc::new(Self { fault, worker: memory.worker(effects) });
        Ports { ledger: Arc::clone(&broken) as _, queue: broken, ..ports }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

/// The row without its last attempt, which told of the worker before.
fn forgetful(claimed: Claimed) -> Claimed {
    match claimed {
        Claimed::Mine(mut row) => {
            row.attempts.pop();
            Claimed::Mine(row)
        }
        other => other,
    }
}

#[async_trait]
impl Ledger for Broken {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        if self.is(Fault::AcceptQueuesBeforeItWrites) {
            let event = Arc::new(acceptance.event.clone());
            for planned in &acceptance.plan.deliveries {
                self.worker.send(&planned.job(&event), Duration::ZERO).await?;
            }
        }
        if self.is(Fault::AcceptAnswersWithoutQueueing) {
            let id = acceptance.event.id;
            let stored = StoredEvent { event: Arc::new(acceptance.event), plan: acceptance.plan };
            let before = self.worker.put_event(&stored).await?;
            return Ok(before.map_or(Accepted::New(id), |before| Accepted::Same(Box::new(before))));
        }
        self.worker.accept(acceptance).await
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        if self.is(Fault::RecallAnswersWithoutQueueing) {
            Ok(self.worker.look_up(key, now))
        } else {
            self.worker.recall(key, now).await
        }
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        let read = self.worker.row(job.account(), job.delivery);
        let claimed = transition::claim(read.clone(), job, claim, 0);
        let took_over = claimed.row().is_some_and(|row| row.attempts.len() > read.as_ref().map_or(0, |read| read.attempts.len()));
        if self.is(Fault::ClaimIsNotWrittenDown) {
            return Ok(claimed);
        }
        if self.is(Fault::TakeoverRecordsNothing) && took_over {
            let claimed = forgetful(claimed);
            if let Some(row) = claimed.row() {
                self.worker.swap_row(read.as_ref(), row).await?;
            }
            return Ok(claimed);
        }
        self.worker.claim(job, claim).await
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        if !self.is(Fault::SettleForgetsToArm) {
            return self.worker.settle(job, settlement).await;
        }
        let read = self.worker.row(job.account(), job.delivery);
        let row: Option<Delivery> = read.clone().and_then(|read| transition::settle(read, settlement));
        match row {
            Some(row) => self.worker.swap_row(read.as_ref(), &row).await,
            None => Ok(false),
        }
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        self.worker.arm(job, at, now).await
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.worker.confirm(account, id, now).await
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        self.worker.hasten(job, now).await
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        self.worker.reopen(job, under, now).await
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        if !self.is(Fault::AdvanceForgetsBeforeItQueues) {
            return self.worker.advance(now, until, most).await;
        }
        let due = self.worker.due(until, most);
        for (at, job) in &due {
            self.worker.unpark(job, *at).await?;
            self.worker.send(job, Duration::ZERO).await?;
        }
        Ok(due.len())
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.worker.expire(now, most).await
    }
}

#[async_trait]
impl Queue for Broken {
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError> {
        let wakes = self.worker.receive(channel, most).await?;
        if self.is(Fault::ReceiveAcknowledges) {
            for wake in &wakes {
                self.worker.ack(wake).await?;
            }
        }
        Ok(wakes)
    }

    async fn ready(&self, channel: &ChannelId) {
        self.worker.ready(channel).await;
    }

    async fn ack(&self, wake: &Wake) -> Result<(), StoreError> {
        self.worker.ack(wake).await
    }

    async fn give_back(&self, wake: &Wake, after: Duration) -> Result<(), StoreError> {
        self.worker.give_back(wake, after).await
    }

    async fn bury(&self, wake: &Wake) -> Result<(), StoreError> {
        self.worker.bury(wake).await
    }

    fn retention(&self) -> Option<Duration> {
        self.worker.retention()
    }

    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        self.worker.dead_letters().await
    }

    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        self.worker.redrive(channel).await
    }
}

struct BrokenWorld {
    fault: Fault,
    inner: MemoryWorld,
}

#[async_trait]
impl World for BrokenWorld {
    async fn open(&mut self, effects: Arc<dyn Effects>) -> Ports {
        let ports = self.inner.open(Arc::clone(&effects)).await;
        Broken::ports(self.fault, ports, self.inner.memory(), effects)
    }

    async fn crash(&mut self) {
        self.inner.crash().await;
    }

    async fn pass(&mut self, time: Duration) {
        self.inner.pass(time).await;
    }
}

/// What the crash points say of a platform with that fault.
async fn found_at_a_crash_point(fault: Fault) -> String {
    let trial = Trial { harm: Harm::Dies, times: 1, lease: Duration::from_mins(1) };
    for story in stories() {
        let make = async || BrokenWorld { fault, inner: MemoryWorld::new(Duration::from_mins(2)) };
        if let Err(Violation(what)) = every_crash_point(make, &story, trial).await {
            return what;
        }
    }
    panic!("no crash point finds {fault:?}");
}

/// What the schedules say of it.
fn found_in_a_schedule(fault: Fault) -> String {
    let broken = |ports, memory: &Arc<Memory>, effects| Broken::ports(fault, ports, memory, effects);
    let found = (0..2_000).find_map(|seed| play(seed, Weather::Rough, broken).err());
    found.unwrap_or_else(|| panic!("no schedule finds {fault:?}")).0
}

/// Both find it, and say so in these words.
async fn is_found(fault: Fault, at_a_crash_point: &str, in_a_schedule: &str) {
    let found = found_at_a_crash_point(fault).await;
    assert!(found.contains(at_a_crash_point), "{found}");
    let found = found_in_a_schedule(fault);
    assert!(found.contains(in_a_schedule), "{found}");
}

#[tokio::test]
async fn an_accept_that_queues_before_it_writes_is_found() {
    let never_kept = "was sent, and its event was never kept";
    is_found(Fault::AcceptQueuesBeforeItWrites, never_kept, never_kept).await;
}

#[tokio::test]
async fn an_accept_that_answers_without_queueing_is_found() {
    is_found(Fault::AcceptAnswersWithoutQueueing, "was never tried", "was accepted, and never tried").await;
}

#[tokio::test]
async fn a_recall_that_answers_for_what_was_never_queued_is_found() {
    // no schedule is played often enough to come by it
    let found = found_at_a_crash_point(Fault::RecallAnswersWithoutQueueing).await;
    assert!(found.starts_with("deleted before the client asks again") && found.contains("was never tried"), "{found}");
}

#[tokio::test]
async fn a_claim_that_is_not_written_down_is_found() {
    is_found(Fault::ClaimIsNotWrittenDown, "was never tried", "was accepted, and never tried").await;
}

#[tokio::test]
async fn a_takeover_that_records_nothing_is_found() {
    let untold = "something was sent that no attempt tells of";
    is_found(Fault::TakeoverRecordsNothing, untold, untold).await;
}

#[tokio::test]
async fn a_settlement_that_forgets_to_arm_is_found() {
    is_found(Fault::SettleForgetsToArm, "is retrying", "it is not final").await;
}

#[tokio::test]
async fn a_tick_that_forgets_before_it_queues_is_found() {
    is_found(Fault::AdvanceForgetsBeforeItQueues, "is retrying", "it is not final").await;
}

#[tokio::test]
async fn a_wake_up_that_is_acknowledged_before_it_is_worked_on_is_found() {
    is_found(Fault::ReceiveAcknowledges, "nothing more comes", "it is not final").await;
}
