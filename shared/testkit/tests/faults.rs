//! What a worker and the tick do about a store that fails, and about ticks that did not come.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    accept::{Wanted, accept},
    deliver::{Disposition, LEASE, deliver},
    ports::{MOST_RECEIVES, Ports, Wake},
    tick::{AHEAD, tick},
};
use bellhop_testkit::{
    Provider, Rig, account, channel, draft,
    effects::{Effects, Point, between_points},
    registration,
};

/// A store whose claims end like this.
enum Claims {
    Fail,
    Panic,
}

#[async_trait]
impl Effects for Claims {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        match self {
            _ if point != Point::Before("ledger.claim") => Ok(()),
            Self::Fail => Err(StoreError::Unavailable("on purpose".to_owned())),
            Self::Panic => std::panic::resume_unwind(Box::new("on purpose")),
        }
    }
}

async fn a_wake(rig: &Rig) -> Wake {
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    accept(&rig.ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    rig.ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0)
}

fn with(rig: &Rig, claims: Claims) -> Ports {
    let effects: Arc<dyn Effects> = Arc::new(claims);
    between_points(rig.ports.clone(), &effects)
}

#[tokio::test]
async fn in_an_outage_a_wake_up_waits_longer_each_time_and_outlasts_ten_minutes() {
    let rig = Rig::new(Provider::new(&[]));
    let (wake, ports) = (a_wake(&rig).await, with(&rig, Claims::Fail));
    let mut waited = Vec::new();
    for receives in 1..MOST_RECEIVES {
        match deliver(&ports, &Wake { receives, ..wake.clone() }, LEASE).await {
            Disposition::GiveBack(wait) => waited.push(wait),
            other => panic!("{other:?}"),
        }
    }
    assert!(waited.is_sorted() && waited[0] > Duration::ZERO, "{waited:?}");
    assert!(waited.iter().sum::<Duration>() > Duration::from_mins(10), "{waited:?}");
}

#[tokio::test]
async fn a_panic_of_the_store_is_a_fault_like_any_other() {
    let rig = Rig::new(Provider::new(&[]));
    let (wake, ports) = (a_wake(&rig).await, with(&rig, Claims::Panic));
    assert!(matches!(deliver(&ports, &wake, LEASE).await, Disposition::GiveBack(_)));
}

#[tokio::test]
async fn four_ticks_in_a_row_may_fail_and_what_is_due_still_goes_on_time() {
    // given a wake-up that is due just before the sixth tick, each tick somewhere in its minute: 0:00 … 5:59
    let rig = Rig::new(Provider::new(&[]));
    let job = a_wake(&rig).await.job.at(2);
    let (now, due) = (rig.ports.clock.now(), Duration::from_secs(5 * 60 + 58));
    rig.ports.ledger.arm(&job, now + Duration::from_hours(1), now).await.expect("memory does not fail");
    rig.sim.pass(Duration::from_hours(1).saturating_sub(due));

    // when only the first of them comes
    let ticked = tick(&rig.ports, rig.ports.clock.now()).await.expect("memory does not fail");

    // then it is queued, with its exact delay
    assert_eq!(ticked.queued, 1);
    assert!(AHEAD >= Duration::from_mins(6));
    rig.sim.pass(due.saturating_sub(Duration::from_secs(1)));
    assert_eq!(second_wake_ups(&rig).await, 0);
    rig.sim.pass(Duration::from_secs(2));
    assert_eq!(second_wake_ups(&rig).await, 1);
}

/// How many wake-ups with the number 2 may be received now.
async fn second_wake_ups(rig: &Rig) -> usize {
    let wakes = rig.ports.queue.receive(&channel(), 9).await.expect("memory does not fail");
    wakes.iter().filter(|wake| wake.job.n == 2).count()
}
