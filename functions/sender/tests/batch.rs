//! A batch from Lambda on the memory store: what is reported, what is given back, what is left alone.

#![cfg(feature = "lambda")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bellhop_core::{
    StoreError,
    accept::{Wanted, accept},
    channel::{Outgoing, Reply},
    model::{DeliveryId, State},
    ports::{Clock, Http, MOST_RECEIVES, Ports, Transport, TransportError, Wake},
};
use bellhop_sender::{BEFORE_DEADLINE, handle_batch};
use bellhop_testkit::{Answer, Provider, Rig, account, channel, draft, registration};

/// More than any of these tests lets pass.
const AMPLE: Duration = Duration::from_mins(1);

/// Messages in the form in which Lambda hands them over, and what stands in them.
#[derive(Default)]
struct Batch {
    event: SqsEvent,
    wakes: BTreeMap<String, Wake>,
}

impl Batch {
    fn message(&mut self, id: &str) {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        self.event.records.push(message);
    }

    /// A message that reads as `wake`.
    fn with(mut self, id: &str, wake: Wake) -> Self {
        self.message(id);
        self.wakes.insert(id.to_owned(), wake);
        self
    }

    /// A message that nobody can read.
    fn with_poison(mut self, id: &str) -> Self {
        self.message(id);
        self
    }

    /// The ids that are reported as failed.
    async fn handled(self, ports: &Ports, left: Duration) -> Vec<String> {
        let wakes = Mutex::new(self.wakes);
        let read = async |message: &SqsMessage| {
            let id = message.message_id.as_deref().expect("every message has an id");
            let wake = wakes.lock().expect("nobody panics").remove(id);
            wake.ok_or_else(|| StoreError::Corrupt("not a job".to_owned()))
        };
        let SqsBatchResponse { batch_item_failures, .. } = handle_batch(ports, self.event, ports.clock.now() + left, read).await;
        batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }
}

/// Accepts an event for `phone` and receives its wake-up.
async fn received(ports: &Ports) -> Wake {
    let known = ports.registrations.list(&account(), None, 1).await.expect("memory answers");
    if known.is_empty() {
        assert!(ports.registrations.put(&registration("phone")).await.expect("memory answers"));
    }
    accept(ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    ports.queue.receive(&channel(), 1).await.expect("memory answers").remove(0)
}

async fn state(ports: &Ports, id: DeliveryId) -> Option<State> {
    let rows = ports.deliveries.get(&account(), &[id]).await.expect("memory answers");
    rows.into_iter().flatten().next().map(|row| row.state)
}

async fn visible(ports: &Ports) -> Vec<Wake> {
    ports.queue.receive(&channel(), 10).await.expect("memory answers")
}

#[tokio::test]
async fn what_is_done_is_not_reported() {
    let rig = Rig::new(Provider::new(&[]));
    let (one, two) = (received(&rig.ports).await, received(&rig.ports).await);
    let ids = [one.job.delivery, two.job.delivery];
    let failed = Batch::default().with("one", one).with("two", two).handled(&rig.ports, AMPLE).await;
    assert!(failed.is_empty(), "{failed:?}");
    for id in ids {
        assert_eq!(state(&rig.ports, id).await, Some(State::Delivered));
    }
}

#[tokio::test]
async fn a_message_that_nobody_can_read_fails_alone() {
    let rig = Rig::new(Provider::new(&[]));
    let wake = received(&rig.ports).await;
    let id = wake.job.delivery;
    let failed = Batch::default().with_poison("poison").with("good", wake).handled(&rig.ports, AMPLE).await;
    assert_eq!(failed, ["poison"]);
    assert_eq!(state(&rig.ports, id).await, Some(State::Delivered));
}

#[tokio::test]
async fn a_refused_attempt_is_done_because_the_next_is_armed() {
    let rig = Rig::new(Provider::new(&[Answer::Status(503)]));
    let wake = received(&rig.ports).await;
    let id = wake.job.delivery;
    assert!(Batch::default().with("one", wake).handled(&rig.ports, AMPLE).await.is_empty());
    assert_eq!(state(&rig.ports, id).await, Some(State::Retrying));
    rig.sim.pass(Duration::from_secs(7));
    let next = visible(&rig.ports).await;
    assert_eq!(next.iter().map(|wake| wake.job.n).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_message_whose_delivery_somebody_works_on_is_reported_and_comes_again_after_the_claim() {
    let rig = Rig::new(Provider::new(&[]));
    let wake = received(&rig.ports).await;
    let claim =
        bellhop_core::transition::Claim { token: 1, now: rig.sim.now(), lease: Duration::from_secs(20), last_receive: false };
    rig.ports.ledger.claim(&wake.job, &claim).await.expect("memory answers");
    assert_eq!(Batch::default().with("one", wake).handled(&rig.ports, AMPLE).await, ["one"]);
    rig.sim.pass(Duration::from_secs(19));
    assert!(visible(&rig.ports).await.is_empty());
    rig.sim.pass(Duration::from_secs(1));
    assert_eq!(visible(&rig.ports).await.len(), 1);
}

#[tokio::test]
async fn a_message_on_its_last_receive_is_recorded_and_reported() {
    let rig = Rig::new(Provider::new(&[]));
    let mut wake = received(&rig.ports).await;
    wake.receives = MOST_RECEIVES;
    let id = wake.job.delivery;
    assert_eq!(Batch::default().with("last", wake).handled(&rig.ports, AMPLE).await, ["last"]);
    assert_eq!(state(&rig.ports, id).await, Some(State::Failed));
    assert!(rig.provider.requests().is_empty());
}

/// A provider that never answers one registration's first request and takes all others.
struct Hanging {
    arrived: Mutex<usize>,
}

#[async_trait]
impl Http for Hanging {
    async fn call(&self, _outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let number = {
            let mut arrived = self.arrived.lock().expect("nobody panics");
            *arrived += 1;
            *arrived
        };
        if number == 1 {
            std::future::pending::<()>().await;
        }
        Ok(Reply { status: 200, headers: Vec::new(), body: Vec::new() })
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_before_the_deadline_is_reported_and_the_rest_is_done() {
    let rig = Rig::new(Provider::new(&[]));
    let transport = Transport { http: Arc::new(Hanging { arrived: Mutex::new(0) }), ..rig.ports.transport.clone() };
    let ports = Ports { transport, ..rig.ports.clone() };
    let (hangs, goes) = (received(&ports).await, received(&ports).await);
    let ids = [hangs.job.delivery, goes.job.delivery];
    let left = BEFORE_DEADLINE + Duration::from_secs(1);
    let failed = Batch::default().with("hangs", hangs).with("goes", goes).handled(&ports, left).await;
    assert_eq!(failed, ["hangs"]);
    assert_eq!(state(&ports, ids[0]).await, Some(State::Sending));
    assert_eq!(state(&ports, ids[1]).await, Some(State::Delivered));
    rig.sim.pass(bellhop_core::deliver::LEASE);
    assert_eq!(visible(&ports).await.len(), 1, "it was given back until its claim is over");
}
