//! What the harness has taught the core, each as its smallest case.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    accept::{Wanted, accept},
    channel::{Catalog, Channel, Context, Message, Params, Reply, Spec, Step},
    deliver::{Disposition, deliver, work},
    model::{AccountId, DeliveryId, Draft, Job, Picture, State},
    ports::{Acceptance, Accepted, IdempotencyKey, Ledger, MOST_RECEIVES, Ports, Wake},
    transition::{Claim, Claimed, Settlement},
};
use bellhop_testkit::{
    CATALOG, Provider, Rig, account, channel, draft,
    effects::{Effects, Point},
    key, name, registration,
};

const LEASE: Duration = Duration::from_mins(1);

/// A world with the registration `phone`.
async fn rig() -> Rig {
    let rig = Rig::new(Provider::new(&[]));
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    rig
}

async fn receive(ports: &Ports) -> Vec<Wake> {
    ports.queue.receive(&channel(), 10).await.expect("memory does not fail")
}

/// Its provider has taken every message, and has something to say about it.
struct Talkative;

impl Channel for Talkative {
    fn spec(&self) -> &'static Spec {
        CATALOG.specs[0]
    }

    fn step(&self, _cx: &Context, _message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        Step::DoneBut("it went elsewhere".to_owned())
    }
}

#[tokio::test]
async fn what_a_channel_has_to_say_about_a_delivered_message_stands_in_the_attempt() {
    let rig = rig().await;
    let ports = Ports { channels: Catalog { speakers: &[&Talkative], ..CATALOG }, ..rig.ports.clone() };
    accept(&ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = receive(&ports).await.remove(0);

    assert_eq!(deliver(&ports, &wake, LEASE).await, Disposition::Ack);

    let row = ports.deliveries.get(&account(), &[wake.job.delivery]).await.expect("memory does not fail").remove(0);
    let row = row.expect("it was claimed");
    assert_eq!((row.state, row.attempts[0].detail.as_deref()), (State::Delivered, Some("it went elsewhere")));
}

#[tokio::test]
async fn what_is_busy_on_its_last_receive_gets_a_fresh_wake_up() {
    // given a claim whose worker has died, and the last receive of the message that shall take over
    let rig = rig().await;
    accept(&rig.ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = receive(&rig.ports).await.remove(0);
    let claim = Claim { token: 7, now: rig.ports.clock.now(), lease: LEASE, last_receive: false };
    rig.ports.ledger.claim(&wake.job, &claim).await.expect("memory does not fail");
    let last = Wake { receives: MOST_RECEIVES, ..wake };

    // when it meets the claim
    assert_eq!(deliver(&rig.ports, &last, LEASE).await, Disposition::Ack);
    rig.ports.queue.ack(&last).await.expect("memory does not fail");

    // then another one comes when the claim is over, and delivers
    assert_eq!(receive(&rig.ports).await.len(), 0);
    rig.sim.pass(LEASE);
    let fresh = receive(&rig.ports).await.remove(0);
    assert_eq!(fresh.receives, 1);
    work(&rig.ports, &fresh, LEASE).await.expect("memory does not fail");
    let row = rig.ports.deliveries.get(&account(), &[fresh.job.delivery]).await.expect("memory does not fail").remove(0);
    assert_eq!(row.map(|row| row.state), Some(State::Delivered));
}

/// Fails before the first message.
struct FirstMessageFails(AtomicBool);

#[async_trait]
impl Effects for FirstMessageFails {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        let fails = point == Point::Before("message") && self.0.swap(false, Ordering::Relaxed);
        if fails { Err(StoreError::Unavailable("the first message".to_owned())) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_repeated_request_is_queued_even_if_its_registration_is_gone_by_then() {
    // given an event that was kept and not queued, so that the request was not answered
    let rig = rig().await;
    let ports = rig.memory.ports_with(Arc::clone(&rig.sim) as _, Arc::new(FirstMessageFails(AtomicBool::new(true))));
    let key = key("k", "hash", ports.clock.now());
    accept(&ports, &account(), draft("text"), Wanted::Event, Some(key.clone())).await.expect_err("the queue failed");
    assert_eq!(receive(&ports).await.len(), 0);

    // when the registration is deleted, and the client asks again
    assert!(ports.registrations.delete(&account(), &name("phone")).await.expect("memory does not fail"));
    let answer = accept(&ports, &account(), draft("text"), Wanted::Event, Some(key)).await.expect("it was kept");

    // then what it is answered for has been queued
    let queued: Vec<_> = receive(&ports).await.into_iter().map(|wake| wake.job.delivery).collect();
    assert_eq!(queued, answer.deliveries.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>());
}

/// A store whose client repeats a write that had arrived already.
struct WritesTwice(Arc<dyn Ledger>);

#[async_trait]
impl Ledger for WritesTwice {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        self.0.accept(acceptance.clone()).await?;
        self.0.accept(acceptance).await
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        self.0.recall(key, now).await
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        self.0.claim(job, claim).await
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        self.0.settle(job, settlement).await
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        self.0.arm(job, at, now).await
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.0.confirm(account, id, now).await
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        self.0.hasten(job, now).await
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        self.0.reopen(job, under, now).await
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.0.advance(now, until, most).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.0.expire(now, most).await
    }
}

#[tokio::test]
async fn a_request_that_meets_its_own_event_keeps_its_picture() {
    let rig = rig().await;
    let ports = Ports { ledger: Arc::new(WritesTwice(Arc::clone(&rig.ports.ledger))), ..rig.ports };
    let draft = Draft { screenshot: Some(Picture([1, 2, 3].into())), ..draft("text") };
    let answer = accept(&ports, &account(), draft, Wanted::Event, None).await.expect("it is accepted");
    let stored = ports.events.get(&account(), answer.event).await.expect("memory does not fail").expect("it was kept");
    let id = stored.event.screenshot.expect("it has a picture");
    assert!(ports.attachments.get(&account(), id).await.expect("memory does not fail").is_some());
}
