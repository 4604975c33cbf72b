//! When registrations may be sent to.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    model::Registration,
    pace::{SendRate, Silence},
    ports::{Freshness, Ports},
};

use crate::{account, name, registration};

/// Four at once, then one every four seconds.
const RATE: SendRate = SendRate::of(20, Duration::from_mins(1));

/// Times as they are stored, with nothing below a millisecond.
fn now(ports: &Ports) -> Timestamp {
    Timestamp::from_millisecond(ports.clock.now().as_millisecond()).expect("a time")
}

async fn reserve(ports: &Ports, called: &str, from: Timestamp) -> Timestamp {
    ports.pace.reserve(&account(), &name(called), RATE, from).await.expect("slots are reserved")
}

async fn pause(ports: &Ports, until: Timestamp) {
    ports.pace.pause(&account(), &name("phone"), until).await.expect("registrations are paused");
}

async fn paused_until(ports: &Ports) -> Option<Timestamp> {
    let found = ports.registrations.get(&account(), &name("phone"), Freshness::Cached).await;
    found.expect("registrations are read").and_then(|found| found.paused_until)
}

async fn save(ports: &Ports, version: u64) {
    let saved = ports.registrations.put(&Registration { version, ..registration("phone") }).await;
    assert!(saved.expect("registrations are saved"));
}

fn seconds(slots: &[Timestamp], from: Timestamp) -> Vec<i64> {
    slots.iter().map(|slot| slot.duration_since(from).as_secs()).collect()
}

pub async fn slots_follow_the_rate(ports: &Ports) {
    let from = now(ports);
    let mut slots = Vec::new();
    for _ in 0..6 {
        slots.push(reserve(ports, "phone", from).await);
    }
    assert_eq!(seconds(&slots, from), [0, 0, 0, 0, 4, 8]);
    assert_eq!(reserve(ports, "desk", from).await, from, "each registration has its own");
    let later = from + Duration::from_mins(10);
    assert_eq!(reserve(ports, "phone", later).await, later, "after a rest it is as at the beginning");
}

pub async fn no_two_workers_get_the_same_slot(ports: &Ports) {
    let from = now(ports);
    let workers: Vec<_> = (0..12)
        .map(|_| {
            let ports = ports.clone();
            tokio::spawn(async move { reserve(&ports, "phone", from).await })
        })
        .collect();
    let mut slots = Vec::new();
    for worker in workers {
        slots.push(worker.await.expect("no panic"));
    }
    slots.sort_unstable();
    // where an answer is lost, a slot may stay empty
    let slots = seconds(&slots, from);
    let full = [0, 0, 0, 0, 4, 8, 12, 16, 20, 24, 28, 32];
    assert!(slots.iter().zip(full).all(|(slot, full)| *slot >= full && slot % 4 == 0), "{slots:?}");
    assert!(slots[3..].windows(2).all(|pair| pair[0] < pair[1]), "{slots:?}");
}

pub async fn a_pause_is_seen_on_the_registration_and_only_grows(ports: &Ports) {
    save(ports, 1).await;
    assert_eq!(paused_until(ports).await, None);
    let until = now(ports) + Duration::from_mins(5);
    pause(ports, until).await;
    assert_eq!(paused_until(ports).await, Some(until));
    pause(ports, until - Duration::from_mins(1)).await;
    assert_eq!(paused_until(ports).await, Some(until));
}

pub async fn slots_begin_after_a_pause(ports: &Ports) {
    let from = now(ports);
    let until = from + Duration::from_mins(5);
    assert_eq!(reserve(ports, "phone", from).await, from);
    pause(ports, until).await;
    let mut slots = Vec::new();
    for _ in 0..5 {
        slots.push(reserve(ports, "phone", from).await);
    }
    assert_eq!(seconds(&slots, until), [0, 0, 0, 0, 4]);
}

async fn silence(ports: &Ports) -> Silence {
    let found = ports.registrations.get(&account(), &name("phone"), Freshness::Cached).await;
    found.expect("registrations are read").map(|found| found.silence()).unwrap_or_default()
}

async fn note(ports: &Ports, seen: Silence, now: Silence) -> bool {
    ports.pace.note(&account(), &name("phone"), seen, now).await.expect("silences are noted")
}

pub async fn a_silence_is_noted_over_the_one_that_was_seen_alone(ports: &Ports) {
    save(ports, 1).await;
    let well = Silence::default();
    assert_eq!(silence(ports).await, well);
    let once = well.after_timeout(now(ports));
    assert!(note(ports, well, once).await);
    assert!(!note(ports, well, once).await, "who was under way at the same time has seen nothing of it");
    assert_eq!(silence(ports).await, once);
    let twice = once.after_timeout(now(ports));
    assert!(note(ports, once, twice).await);
    assert_eq!(silence(ports).await, twice);
    assert!(!note(ports, once, well).await);
    pause(ports, now(ports) + Duration::from_mins(9)).await;
    assert!(!note(ports, twice, well).await, "what the provider asked for stays");
    let asked = silence(ports).await;
    assert_eq!(asked.timeouts, 2);
    assert!(note(ports, asked, well).await);
    assert_eq!(silence(ports).await, well);
}

pub async fn of_two_who_would_try_a_silent_registration_one_may(ports: &Ports) {
    save(ports, 1).await;
    let mut seen = Silence::default();
    for round in 0..10 {
        let probed = [1, 2].map(|minutes| seen.probed(now(ports) + Duration::from_mins(10 * round + minutes)));
        let tries = probed.map(|probed| {
            let ports = ports.clone();
            tokio::spawn(async move { note(&ports, seen, probed).await })
        });
        let mut winners = 0;
        for tried in tries {
            winners += u32::from(tried.await.expect("no panic"));
        }
        assert_eq!(winners, 1, "round {round}");
        seen = silence(ports).await;
    }
}

pub async fn a_save_ends_a_silence(ports: &Ports) {
    save(ports, 1).await;
    assert!(note(ports, Silence::default(), Silence { timeouts: 2, paused_until: Some(now(ports)) }).await);
    save(ports, 2).await;
    assert_eq!(silence(ports).await, Silence::default());
}

pub async fn a_save_ends_a_pause(ports: &Ports) {
    save(ports, 1).await;
    pause(ports, now(ports) + Duration::from_mins(5)).await;
    save(ports, 2).await;
    assert_eq!(paused_until(ports).await, None);
}
