//! What acceptance promises: kept once per key, queued, and never planned again.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bellhop_core::{
    model::{Event, EventId},
    ports::{Acceptance, Accepted, IdempotencyKey, Ports, StoredEvent},
};

use super::{other_account, received, row};
use crate::{acceptance, account, event, key};

fn fresh(ports: &Ports) -> Event {
    event(&account(), ports.clock.now(), ports.clock.chance())
}

pub(super) fn with_key(ports: &Ports, key: &IdempotencyKey) -> Acceptance {
    acceptance(event(&key.account, ports.clock.now(), ports.clock.chance()), &["phone"], Some(key.clone()))
}

pub(super) async fn accept(ports: &Ports, acceptance: Acceptance) -> Accepted {
    ports.ledger.accept(acceptance).await.expect("the ledger accepts")
}

pub(super) async fn recall(ports: &Ports, key: &IdempotencyKey) -> Option<Accepted> {
    ports.ledger.recall(key, ports.clock.now()).await.expect("the ledger recalls")
}

pub(super) fn new(accepted: Accepted) -> EventId {
    match accepted {
        Accepted::New(id) => id,
        other => panic!("not new: {other:?}"),
    }
}

fn same(accepted: Accepted) -> StoredEvent {
    match accepted {
        Accepted::Same(stored) => *stored,
        other => panic!("not the same: {other:?}"),
    }
}

pub(super) async fn events(ports: &Ports) -> usize {
    ports.events.list(&account(), None, None, 100).await.expect("events are listed").len()
}

pub async fn a_new_event_is_kept_and_each_delivery_is_queued(ports: &Ports) {
    let acceptance = acceptance(fresh(ports), &["phone", "desk"], None);
    let (given, plan) = (acceptance.event.clone(), acceptance.plan.clone());
    assert_eq!(new(accept(ports, acceptance).await), given.id);

    let stored = ports.events.get(&account(), given.id).await.expect("events are read");
    let stored = stored.expect("what was accepted is there");
    assert_eq!(stored, StoredEvent { event: Arc::new(given), plan });
    let mut jobs = Vec::new();
    while jobs.len() < 2 {
        jobs.extend(received(ports).await.into_iter().map(|wake| wake.job));
    }
    jobs.sort_by_key(|job| job.delivery);
    let mut planned: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.job(&stored.event)).collect();
    planned.sort_by_key(|job| job.delivery);
    assert_eq!(jobs, planned);
    assert_eq!(row(ports, &jobs[0]).await, None, "a row comes with the first claim");
}

pub async fn an_event_without_a_key_is_kept_every_time(ports: &Ports) {
    for _ in 0..2 {
        new(accept(ports, acceptance(fresh(ports), &["phone"], None)).await);
    }
    assert_eq!(events(ports).await, 2);
}

pub async fn an_event_of_the_same_id_is_the_same(ports: &Ports) {
    let first = acceptance(fresh(ports), &["phone"], None);
    let mut again = first.clone();
    "told again".clone_into(&mut again.event.message);
    new(accept(ports, first.clone()).await);
    assert_eq!(same(accept(ports, again).await).event.message, first.event.message);
    assert_eq!(events(ports).await, 1);
}

pub async fn the_same_key_and_body_make_nothing_new(ports: &Ports) {
    let key = key("k", "hash", ports.clock.now());
    let id = new(accept(ports, with_key(ports, &key)).await);
    assert_eq!(same(accept(ports, with_key(ports, &key)).await).event.id, id);
    assert_eq!(events(ports).await, 1);
}

pub async fn the_same_key_never_plans_again(ports: &Ports) {
    let key = key("k", "hash", ports.clock.now());
    let first = acceptance(fresh(ports), &["phone"], Some(key.clone()));
    let second = acceptance(fresh(ports), &["desk", "car"], Some(key));
    let plan = first.plan.clone();
    new(accept(ports, first).await);
    assert_eq!(same(accept(ports, second).await).plan, plan);
    let jobs = received(ports).await;
    assert!(jobs.iter().all(|wake| wake.job.registration.as_str() == "phone"), "{jobs:?}");
}

pub async fn the_same_key_with_another_body_is_a_mismatch(ports: &Ports) {
    let used = key("k", "hash", ports.clock.now());
    new(accept(ports, with_key(ports, &used)).await);
    let other = IdempotencyKey { body_hash: "other".to_owned(), ..used };
    assert_eq!(accept(ports, with_key(ports, &other)).await, Accepted::Mismatch);
    assert_eq!(events(ports).await, 1);
}

pub async fn the_same_key_on_another_route_is_another_key(ports: &Ports) {
    let used = key("k", "hash", ports.clock.now());
    let other = IdempotencyKey { route: "/v1/messages", body_hash: "other".to_owned(), ..used.clone() };
    assert_ne!(new(accept(ports, with_key(ports, &used)).await), new(accept(ports, with_key(ports, &other)).await));
}

pub async fn the_same_key_of_another_account_is_another_key(ports: &Ports) {
    let used = key("k", "hash", ports.clock.now());
    let other = IdempotencyKey { account: other_account(), body_hash: "other".to_owned(), ..used.clone() };
    new(accept(ports, with_key(ports, &used)).await);
    let id = new(accept(ports, with_key(ports, &other)).await);
    assert!(ports.events.get(&other_account(), id).await.expect("events are read").is_some());
    assert_eq!(events(ports).await, 1);
}

pub async fn an_expired_key_can_be_used_again(ports: &Ports) {
    let now = ports.clock.now();
    let used = IdempotencyKey { expires_at: now - Duration::from_millis(1), ..key("k", "hash", now) };
    let first = new(accept(ports, with_key(ports, &used)).await);
    let other = key("k", "other", now);
    let second = new(accept(ports, with_key(ports, &other)).await);
    assert_ne!(first, second);
    assert_eq!(same(accept(ports, with_key(ports, &other)).await).event.id, second);
}

pub async fn recall_tells_what_a_key_stands_for_and_makes_nothing(ports: &Ports) {
    let used = key("k", "hash", ports.clock.now());
    assert_eq!(recall(ports, &used).await, None);
    assert_eq!(events(ports).await, 0);
    let id = new(accept(ports, with_key(ports, &used)).await);
    assert_eq!(same(recall(ports, &used).await.expect("it was used")).event.id, id);
    let other = IdempotencyKey { body_hash: "other".to_owned(), ..used.clone() };
    assert_eq!(recall(ports, &other).await, Some(Accepted::Mismatch));
    let later = used.expires_at + Duration::from_millis(1);
    assert_eq!(ports.ledger.recall(&used, later).await.expect("the ledger recalls"), None);
}

pub async fn two_requests_with_one_key_make_one_event(ports: &Ports) {
    for round in 0..50 {
        let used = key(&format!("k{round}"), "hash", ports.clock.now());
        let tries = [0, 1].map(|_| {
            let (ports, acceptance) = (ports.clone(), with_key(ports, &used));
            tokio::spawn(async move { ports.ledger.accept(acceptance).await })
        });
        let mut ids = BTreeSet::new();
        let mut made = 0;
        for accepted in tries {
            match accepted.await.expect("no panic").expect("the ledger accepts") {
                Accepted::New(id) => (made, _) = (made + 1, ids.insert(id)),
                Accepted::Same(stored) => drop(ids.insert(stored.event.id)),
                Accepted::Mismatch => panic!("the bodies are the same"),
            }
        }
        assert_eq!((made, ids.len()), (1, 1), "round {round}");
    }
    assert_eq!(events(ports).await, 50);
}
