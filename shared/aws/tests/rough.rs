//! The contract suites of all ports where throttles, broken connections, lost answers and half-done batches are common.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use bellhop_aws::SystemClock;
use bellhop_core::{
    Reason,
    model::{DeliveryId, State},
    ports::{Clock, Ports},
    transition::{Claim, Claimed, Next, Settlement},
};
use bellhop_testkit::{acceptance, account, event, port_suite};
use emulated::{
    Deployment, Emulator, Kind,
    rough::{Lagging, Rough},
    wire::Wire,
};

/// The same case, the same faults: the thread has the name of the test.
fn seed() -> u64 {
    let mut hasher = DefaultHasher::new();
    std::thread::current().name().hash(&mut hasher);
    hasher.finish()
}

async fn ports() -> (Ports, ()) {
    let emulator = Emulator::shared(Kind::Moto).await;
    let rough = Rough::new(seed(), false);
    (Deployment::on(emulator, Duration::from_mins(6)).await.ports(Wire::with(Arc::new(rough))), ())
}

port_suite!(hosted ports);

async fn in_state(ports: &Ports, state: State) -> Vec<DeliveryId> {
    let rows = ports.deliveries.in_state(&account(), state, None, 10).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn an_index_that_lags_shows_nothing_that_is_no_longer_so() {
    let emulator = Emulator::shared(Kind::Moto).await;
    let wire = Wire::with(Arc::new(Lagging::default()));
    let ports = Deployment::on(emulator, Duration::from_mins(6)).await.ports(wire);
    let event = event(&account(), ports.clock.now(), 1);
    let job = acceptance(event.clone(), &["phone"], None).plan.deliveries[0].job(&Arc::new(event));
    let settle = async |n, token, next| {
        let now = ports.clock.now();
        let claim = Claim { token, now, lease: Duration::from_mins(1), last_receive: false };
        assert!(matches!(ports.ledger.claim(&job.at(n), &claim).await.unwrap(), Claimed::Mine(_)));
        assert!(
            ports
                .ledger
                .settle(&job.at(n), &Settlement { token, attempt: None, done: 0, uncounted: false, next, now })
                .await
                .unwrap()
        );
    };

    settle(1, 7, Next::Again { at: SystemClock.now(), reason: Reason::Timeout }).await;
    assert_eq!(in_state(&ports, State::Retrying).await, [], "the index has not heard of it");
    settle(2, 8, Next::Final { state: State::Failed, reason: Some(Reason::Timeout) }).await;
    assert_eq!(in_state(&ports, State::Retrying).await, [], "the index still names it, and its row says otherwise");
    assert_eq!(in_state(&ports, State::Failed).await, []);
    assert_eq!(in_state(&ports, State::Failed).await, [job.delivery]);
}
