//! Events and delivery rows as lists and pages are made of them.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::{
    Reason,
    model::{AccountId, DeliveryId, EventId, Job, Outcome, State},
    ports::Ports,
    transition::Next,
};

use super::{accepted, below, claimed, event_at, failed, kept, other_account, settled};
use crate::{acceptance, account};

async fn list(ports: &Ports, from: Option<EventId>, before: Option<EventId>, most: usize) -> Vec<EventId> {
    let events = ports.events.list(&account(), from, before, most).await.expect("events are listed");
    let heads = ports.events.heads(&account(), from, before, most).await.expect("events are listed");
    assert!(heads.iter().eq(events.iter().map(|stored| &stored.event)), "the same without their plans");
    let first = ports.events.planned(&account(), from, before, most, 1).await.expect("events are listed");
    assert_eq!(first, events.iter().take(1).cloned().collect::<Vec<_>>(), "the first of them plans one delivery");
    assert_eq!(ports.events.planned(&account(), from, before, most, 100).await.expect("events are listed"), events);
    events.into_iter().map(|stored| stored.event.id).collect()
}

async fn in_state(ports: &Ports, state: State) -> Vec<DeliveryId> {
    let rows = ports.deliveries.in_state(&account(), state, None, 10).await.expect("deliveries are listed");
    assert!(rows.iter().all(|row| row.state == state), "{rows:?}");
    rows.into_iter().map(|row| row.id).collect()
}

async fn failed_jobs(ports: &Ports, count: i64) -> Vec<Job> {
    let mut jobs = Vec::new();
    for ms in 1..=count {
        let job = kept(ports, acceptance(event_at(ports, &account(), ms), &["phone"], None)).await.remove(0);
        failed(ports, &job).await;
        jobs.push(job);
    }
    jobs
}

pub async fn an_event_is_read_by_its_own_account_alone(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let get = async |account| ports.events.get(&account, job.event.id).await.expect("events are read");
    assert_eq!(get(account()).await.map(|stored| stored.event), Some(job.event.clone()));
    assert_eq!(get(other_account()).await, None);
    assert_eq!(ports.events.list(&other_account(), None, None, 10).await.expect("events are listed"), []);
    assert_eq!(ports.events.get(&account(), below(job.event.id)).await.expect("events are read"), None);
}

pub async fn events_are_listed_newest_first_within_their_bounds(ports: &Ports) {
    let mut ids = Vec::new();
    for ms in [3, 1, 5, 2, 4] {
        let event = event_at(ports, &account(), ms * 1_000);
        ids.push(event.id);
        kept(ports, acceptance(event, &["phone"], None)).await;
    }
    kept(ports, acceptance(event_at(ports, &other_account(), 2_500), &["phone"], None)).await;
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    assert_eq!(list(ports, None, None, 10).await, ids);
    assert_eq!(list(ports, None, None, 2).await, ids[..2]);
    assert_eq!(list(ports, None, Some(ids[1]), 2).await, ids[2..4], "`before` is left out");
    assert_eq!(list(ports, Some(ids[3]), None, 10).await, ids[..4], "`from` is in it");
    assert_eq!(list(ports, Some(ids[3]), Some(ids[0]), 10).await, ids[1..4]);
    assert_eq!(list(ports, Some(ids[0]), Some(ids[3]), 10).await, []);
    assert_eq!(list(ports, None, Some(ids[4]), 10).await, []);
}

pub async fn delivery_rows_come_in_the_order_they_were_asked_for(ports: &Ports) {
    let jobs = accepted(ports, &["a", "b", "c"]).await;
    claimed(ports, &jobs[0], 7).await;
    claimed(ports, &jobs[2], 7).await;
    let asked = [jobs[2].delivery, jobs[1].delivery, jobs[0].delivery];
    let get = async |account| ports.deliveries.get(&account, &asked).await.expect("deliveries are read");
    let found: Vec<_> = get(account()).await.into_iter().map(|row| row.map(|row| row.id)).collect();
    assert_eq!(found, [Some(asked[0]), None, Some(asked[2])]);
    assert_eq!(get(other_account()).await, [None, None, None]);
    assert_eq!(ports.deliveries.get(&account(), &[]).await.expect("deliveries are read"), []);
}

pub async fn a_delivery_is_listed_in_its_present_state_alone(ports: &Ports) {
    let jobs = accepted(ports, &["a", "b"]).await;
    let again = Next::Again { at: ports.clock.now(), reason: Reason::ProviderError };
    settled(ports, &jobs[0], Outcome::Retry, again).await;
    let dropped = Next::Final { state: State::Dropped, reason: Some(Reason::RegistrationDeleted) };
    settled(ports, &jobs[1], Outcome::Failed, dropped).await;
    let stored = ports.events.get(&account(), jobs[0].event.id).await.expect("events are read").expect("it is there");
    let states = ports.deliveries.states(&account(), jobs[0].event.id, &stored.plan.deliveries).await.expect("rows are counted");
    let counts = [State::Retrying, State::Dropped, State::Queued].map(|state| states.count(|there| there == state));
    assert_eq!(counts, [1, 1, 0], "{states:?}");
    assert_eq!(in_state(ports, State::Retrying).await, [jobs[0].delivery]);
    assert_eq!(in_state(ports, State::Dropped).await, [jobs[1].delivery]);
    failed(ports, &jobs[0].at(2)).await;
    assert_eq!(in_state(ports, State::Retrying).await, []);
    assert_eq!(in_state(ports, State::Failed).await, [jobs[0].delivery]);
    let reopened = ports.ledger.reopen(&jobs[0], None, ports.clock.now()).await.expect("the ledger reopens");
    assert!(reopened);
    assert_eq!(in_state(ports, State::Failed).await, []);
}

pub async fn deliveries_in_a_state_are_listed_newest_first_below_the_cursor(ports: &Ports) {
    let mut ids: Vec<_> = failed_jobs(ports, 5).await.into_iter().map(|job| job.delivery).collect();
    ids.reverse();
    let page = async |account: AccountId, before, most| {
        let rows = ports.deliveries.in_state(&account, State::Failed, before, most).await;
        rows.expect("deliveries are listed").into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(page(account(), None, 2).await, ids[..2]);
    assert_eq!(page(account(), Some(ids[1]), 2).await, ids[2..4]);
    assert_eq!(page(account(), Some(ids[4]), 2).await, []);
    assert_eq!(page(other_account(), None, 10).await, []);
}
