//! The queue as its workers see it: order, limits, time, and rows that nobody can read.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    time::Duration,
};

use bellhop_core::{
    Reason, Timestamp,
    model::AccountId,
    ports::{Clock, Ledger, Queue},
    transition::{Claimed, Next},
};
use bellhop_testkit::{account, channel};
use futures_util::FutureExt;
use tokio::{runtime, task};

use super::{House, PATIENCE};
use crate::{
    Options, Store, SystemClock,
    queue::window::{HIDDEN, MOST_IN_CHANNEL, MOST_IN_FLIGHT},
};

const HOUR: Duration = Duration::from_hours(1);

fn other() -> AccountId {
    AccountId::parse("other").unwrap()
}

#[tokio::test]
async fn no_more_than_eight_of_one_registration_are_under_way() {
    let house = House::new();
    for _ in 0..20 {
        house.accept(&["phone"]).await;
    }
    let wakes = house.receive(20).await;
    assert_eq!(wakes.len(), MOST_IN_FLIGHT);
    assert_eq!(house.receive(20).await.len(), 0);
    house.store.ack(&wakes[3]).await.unwrap();
    assert_eq!(house.receive(20).await.len(), 1);
}

#[tokio::test]
async fn an_account_gets_no_more_than_it_leaves_free_and_who_comes_new_finds_room() {
    let house = House::new();
    let names: Vec<_> = (0..40).map(|number| format!("r{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for _ in 0..MOST_IN_FLIGHT {
        house.accept(&names).await;
    }
    let greedy = house.receive(MOST_IN_CHANNEL).await;
    assert_eq!(greedy.len(), MOST_IN_CHANNEL / 2, "320 wait, of 40 registrations");
    assert!(house.store.ready(&channel()).now_or_never().is_none(), "nobody is woken for what may not go yet");

    house.accept_for(&other(), &["c"]).await;
    assert!(house.store.ready(&channel()).now_or_never().is_some());
    assert_eq!(house.receive(MOST_IN_CHANNEL).await.len(), 1);
    assert_eq!(house.receive(MOST_IN_CHANNEL).await.len(), 0);
    house.store.ack(&greedy[0]).await.unwrap();
    assert_eq!(house.receive(MOST_IN_CHANNEL).await.len(), 1, "one for one");
}

#[tokio::test]
async fn accounts_take_turns_and_so_do_the_registrations_of_one() {
    let house = House::new();
    for _ in 0..20 {
        house.accept(&["a", "b"]).await;
    }
    house.accept_for(&other(), &["c"]).await;
    house.accept_for(&other(), &["c"]).await;
    let wakes = house.receive(6).await;
    let order: Vec<_> = wakes.iter().map(|wake| wake.job.registration.as_str()).collect();
    assert_eq!(order, ["a", "c", "b", "c", "a", "b"]);
}

#[tokio::test]
async fn a_thousand_wake_ups_of_one_lane_come_once_each_and_in_order() {
    let mut house = House::new();
    for _ in 0..1000 {
        house.accept(&["phone"]).await;
    }
    house.reopen().await;
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        let wakes = house.receive(10).await;
        assert!(!wakes.is_empty(), "after {}", seen.len());
        for wake in wakes {
            seen.push(wake.job.event.id);
            house.store.ack(&wake).await.unwrap();
        }
    }
    assert_eq!(house.receive(10).await.len(), 0);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(house.number("SELECT count(*) FROM queue").await, 0);
}

#[tokio::test]
async fn a_retry_comes_at_its_time_and_not_before() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    let at = house.sim.now() + Duration::from_secs(30);
    house.settle(&wake.job, Next::Again { at, reason: Reason::Timeout }).await;
    house.sim.pass(Duration::from_millis(29_999));
    assert_eq!(house.receive(10).await.len(), 0);
    house.sim.pass(Duration::from_millis(1));
    let again = house.the_wake().await;
    assert_eq!((again.job.n, again.receives), (2, 1));
    house.claim_mine(&again.job).await;
}

#[tokio::test]
async fn a_retry_of_a_restarted_store_comes_at_its_time() {
    let mut house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.store.give_back(&wake, Duration::from_secs(30)).await.unwrap();
    house.reopen().await;
    assert_eq!(house.receive(10).await.len(), 0);
    house.sim.pass(Duration::from_secs(30));
    assert_eq!(house.the_wake().await.job, wake.job);
}

#[tokio::test]
async fn who_waits_is_woken_when_a_delayed_wake_up_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default(), Arc::new(SystemClock)).unwrap();
    let house = House { dir, sim: bellhop_testkit::Sim::new(1), store };
    house.sim.set(SystemClock.now());
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.store.give_back(&wake, Duration::from_millis(200)).await.unwrap();
    let comes = async {
        loop {
            house.store.ready(&channel()).await;
            if let Some(wake) = house.receive(1).await.pop() {
                return wake;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, comes).await.unwrap().job, wake.job);
}

#[tokio::test]
async fn what_waits_longer_than_a_quarter_of_an_hour_waits_in_the_due_index() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    let begin = house.sim.now();
    house.settle(&wake.job, Next::Again { at: begin + HOUR, reason: Reason::Timeout }).await;
    assert_eq!(house.number("SELECT count(*) FROM due").await, 1);
    house.sim.pass(Duration::from_mins(55));
    let now = house.sim.now();
    assert_eq!(house.store.advance(now, now + Duration::from_mins(5), 100).await.unwrap(), 0, "due before that, not then");
    assert_eq!(house.store.advance(now, now + Duration::from_mins(6), 100).await.unwrap(), 1);
    assert_eq!(house.receive(10).await.len(), 0);
    house.sim.set(begin + HOUR);
    assert_eq!(house.the_wake().await.job.n, 2);
}

#[tokio::test]
async fn a_clock_that_goes_back_keeps_nothing_that_was_ready() {
    let mut house = House::new();
    for _ in 0..100 {
        house.accept(&["phone"]).await;
    }
    house.sim.set(Timestamp::UNIX_EPOCH);
    house.reopen().await;
    for left in (0..100).rev() {
        let wake = house.receive(1).await.remove(0);
        house.claim_mine(&wake.job).await;
        house.store.ack(&wake).await.unwrap();
        assert_eq!(house.number("SELECT count(*) FROM queue").await, left);
    }
}

#[tokio::test]
async fn a_wake_up_that_comes_too_early_is_armed_again_and_not_lost() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    let at = house.sim.now() + Duration::from_secs(30);
    house.settle(&wake.job, Next::Again { at, reason: Reason::Timeout }).await;
    house.sim.set(at);
    let early = house.the_wake().await;
    // the clock is set back between receive and claim
    house.sim.set(at - Duration::from_secs(10));
    let claimed = house.claim(&early.job).await;
    assert_eq!(claimed, Claimed::NotDue { at });
    house.store.arm(&early.job, at, house.sim.now()).await.unwrap();
    house.store.ack(&early).await.unwrap();
    house.sim.set(at);
    assert_eq!(house.the_wake().await.job, early.job);
}

#[tokio::test]
async fn a_wake_up_that_nobody_speaks_of_again_comes_again() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    house.sim.pass(HIDDEN.checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(house.receive(10).await.len(), 0);
    house.sim.pass(Duration::from_millis(1));
    let again = house.the_wake().await;
    assert_eq!((&again.job, again.receives), (&wake.job, 2));
    house.store.ack(&wake).await.unwrap();
    assert_eq!(house.number("SELECT count(*) FROM queue").await, 1, "an old receipt is good for nothing");
}

#[test]
fn a_receiver_that_goes_away_leaves_what_it_had_taken() {
    // given one thread that reads, which is held up
    let runtime = runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let house = House::new();
        let large = house.acceptance(&account(), &"x".repeat(10_000), &["phone"]);
        house.store.accept(large).await.unwrap();
        let (go_on, held_up) = mpsc::channel::<()>();
        let reading = task::spawn_blocking(move || held_up.recv());

        let to = channel();
        let mut receiving = house.store.receive(&to, 10);
        assert!((&mut receiving).now_or_never().is_none(), "a large event is read first");
        drop(receiving);
        drop(go_on);
        assert!(reading.await.unwrap().is_err(), "nobody said anything");
        assert_eq!(house.the_wake().await.receives, 1);
    });
}

#[tokio::test]
async fn a_wake_up_whose_event_is_gone_becomes_a_dead_letter_again_and_again() {
    let mut house = House::new();
    house.accept(&["phone"]).await;
    house.tamper("DELETE FROM events").await;
    house.accept(&["phone"]).await;
    house.reopen().await;
    assert_eq!(house.receive(10).await.len(), 1, "the lane goes on");
    assert_eq!(house.number("SELECT count(*) FROM dead_letters WHERE reason = 'unreadable'").await, 1);
    assert_eq!(house.store.redrive(&channel()).await.unwrap(), 1);
    assert_eq!(house.receive(10).await.len(), 0);
    assert_eq!(house.store.dead_letters().await.unwrap(), [(channel(), 1)]);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_becomes_a_dead_letter() {
    let mut house = House::new();
    for _ in 0..3 {
        house.accept(&["phone"]).await;
    }
    house.tamper("UPDATE queue SET delivery = x'01' WHERE seq = (SELECT min(seq) FROM queue)").await;
    house.tamper("UPDATE queue SET address = 'nonsense' WHERE seq = (SELECT max(seq) FROM queue)").await;
    house.reopen().await;
    assert_eq!(house.receive(10).await.len(), 1);
    assert_eq!(house.store.dead_letters().await.unwrap(), [(channel(), 2)]);
    assert_eq!(house.store.redrive(&channel()).await.unwrap(), 2);
    assert_eq!(house.receive(10).await.len(), 0);
    assert_eq!(house.store.dead_letters().await.unwrap(), [(channel(), 2)]);
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_says_so_and_goes_on_when_it_can() {
    let mut house = House::new();
    house.accept(&["phone"]).await;
    house.reopen().await;
    house.tamper("ALTER TABLE queue RENAME TO lost").await;
    house.store.receive(&channel(), 10).await.unwrap_err();
    house.tamper("ALTER TABLE lost RENAME TO queue").await;
    assert_eq!(house.receive(10).await.len(), 1);
}
