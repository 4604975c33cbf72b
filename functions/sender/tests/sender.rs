//! A sender on the memory queue: what it does about panics, and about being told to stop.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bellhop_core::{
    Reason,
    accept::{Wanted, accept},
    channel::{Outgoing, Reply},
    model::{Delivery, DeliveryId, Outcome, State},
    ports::{Http, Ports, Transport, TransportError},
};
use bellhop_testkit::{Answer, Provider, Rig, account, channel, draft, registration};
use tokio::sync::{Semaphore, watch};

async fn accepted(ports: &Ports) -> DeliveryId {
    accept(ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted").deliveries[0].id
}

async fn registered(ports: &Ports) {
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory answers"));
}

async fn row(ports: &Ports, id: DeliveryId) -> Option<Delivery> {
    ports.deliveries.get(&account(), &[id]).await.expect("memory answers").remove(0)
}

/// Lets others go on until the condition holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..10_000 {
        if holds().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came to hold");
}

#[tokio::test]
async fn a_panic_in_one_job_fails_that_job_alone() {
    let calls = AtomicUsize::new(0);
    let first_panics =
        move |_| if calls.fetch_add(1, Ordering::SeqCst) == 0 { vec![Answer::Panics, Answer::Taken] } else { vec![] };
    let rig = Rig::new(Provider::by(first_panics));
    registered(&rig.ports).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(accepted(&rig.ports).await);
    }
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(bellhop_sender::run(rig.ports.clone(), channel(), 8, stopped));
    until(async || rig.provider.deliveries().len() == 5).await;
    stop.send_replace(true);
    sender.await.expect("the sender itself does not panic");

    let mut rows = Vec::new();
    for id in ids {
        rows.push(row(&rig.ports, id).await.expect("it was worked on"));
    }
    let (panicked, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == State::Retrying);
    assert_eq!(others.iter().filter(|row| row.state == State::Delivered).count(), 4);
    let attempt = &panicked[0].attempts[0];
    assert_eq!((attempt.outcome, attempt.reason), (Outcome::Unknown, Some(Reason::Bug)));
}

/// A provider that takes its time: an answer per permit.
struct Slow {
    asked: AtomicUsize,
    answers: Semaphore,
}

#[async_trait]
impl Http for Slow {
    async fn call(&self, _outgoing: &Outgoing) -> Result<Reply, TransportError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.expect("it is never closed").forget();
        Ok(Reply { status: 200, headers: Vec::new(), body: Vec::new() })
    }
}

#[tokio::test]
async fn told_to_stop_it_takes_nothing_new_and_finishes_what_is_in_flight() {
    let slow = Arc::new(Slow { asked: AtomicUsize::new(0), answers: Semaphore::new(0) });
    let rig = Rig::new(Provider::new(&[]));
    let transport = Transport { http: slow.clone(), ..rig.ports.transport };
    let ports = Ports { transport, ..rig.ports };
    registered(&ports).await;
    let ids = [accepted(&ports).await, accepted(&ports).await, accepted(&ports).await];
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(bellhop_sender::run(ports.clone(), channel(), 2, stopped));
    until(async || slow.asked.load(Ordering::SeqCst) == 2).await;
    stop.send_replace(true);
    slow.answers.add_permits(3);
    sender.await.expect("the sender ends");

    let mut states = Vec::new();
    for id in ids {
        states.push(row(&ports, id).await.map(|row| row.state));
    }
    states.sort_by_key(std::option::Option::is_none);
    assert_eq!(states, [Some(State::Delivered), Some(State::Delivered), None], "the third waits in the queue");
}
