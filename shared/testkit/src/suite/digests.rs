//! What rules have collected: each event once, in one digest, whatever comes late.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    model::{AccountId, Because, Entry, EventId, Frozen, Schedule},
    plan::Collected,
    ports::{Acceptance, Due, Matter, Ports},
};

use super::{
    ledger::{accept, new, with_key},
    other_account,
};
use crate::{acceptance, account, event, key, name};

const RULE: &str = "daily";

fn schedule(rule: &str, version: u64, due: Timestamp) -> Schedule {
    Schedule {
        account: account(),
        rule: name(rule),
        version,
        since: due - Duration::from_mins(1),
        due,
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    }
}

async fn get(ports: &Ports, rule: &str) -> Option<Schedule> {
    ports.digests.get(&account(), &name(rule)).await.expect("schedules are read")
}

async fn put(ports: &Ports, schedule: &Schedule) -> bool {
    ports.digests.put(schedule).await.expect("schedules are saved")
}

pub(super) async fn made(ports: &Ports) -> Schedule {
    let schedule = schedule(RULE, 1, ports.clock.now() + Duration::from_mins(1));
    assert!(put(ports, &schedule).await);
    schedule
}

fn collected(rule: &str) -> Collected {
    Collected { rule: name(rule), due_at: Timestamp::UNIX_EPOCH, at_once: false, for_each: false }
}

fn reported(ports: &Ports, account: &AccountId, at: Timestamp, rules: &[&str]) -> Acceptance {
    let mut acceptance = acceptance(event(account, at, ports.clock.chance()), &[], None);
    acceptance.plan.collected = rules.iter().map(|rule| collected(rule)).collect();
    acceptance
}

/// Collects an event of that time for the rule.
async fn collect(ports: &Ports, at: Timestamp) -> EventId {
    new(accept(ports, reported(ports, &account(), at, &[RULE])).await)
}

/// The schedule behind it, with a digest up to `until` under way.
fn freezing(schedule: &Schedule, until: Timestamp) -> Schedule {
    let frozen = Frozen { since: schedule.since, until, intervals: 1, because: Because::Due, rule: None };
    Schedule { frozen: Some(frozen), number: schedule.number + 1, version: schedule.version + 1, ..schedule.clone() }
}

async fn freeze(ports: &Ports, schedule: &Schedule, until: Timestamp) -> Schedule {
    let frozen = freezing(schedule, until);
    assert!(ports.digests.freeze(&frozen).await.expect("digests are frozen"));
    frozen
}

/// The schedule behind a digest that was sent.
async fn done(ports: &Ports, frozen: &Schedule) -> Schedule {
    let since = frozen.frozen.as_ref().expect("one is under way").until;
    let done =
        Schedule { frozen: None, since, due: since + Duration::from_mins(1), version: frozen.version + 1, ..frozen.clone() };
    assert!(put(ports, &done).await);
    done
}

async fn entries(ports: &Ports, schedule: &Schedule) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut visit = |entry| entries.push(entry);
    ports.digests.collected(schedule, Timestamp::UNIX_EPOCH, &mut visit).await.expect("entries are read");
    entries.sort_by_key(|entry| entry.event);
    entries
}

async fn ids(ports: &Ports, schedule: &Schedule) -> Vec<EventId> {
    entries(ports, schedule).await.into_iter().map(|entry| entry.event).collect()
}

fn sorted<const N: usize>(mut ids: [EventId; N]) -> Vec<EventId> {
    ids.sort();
    ids.to_vec()
}

pub async fn a_schedule_is_read_as_it_was_saved(ports: &Ports) {
    assert_eq!(get(ports, RULE).await, None);
    let saved = made(ports).await;
    assert_eq!(get(ports, RULE).await, Some(saved.clone()));
    let frozen = freeze(ports, &saved, saved.due).await;
    assert_eq!(get(ports, RULE).await, Some(frozen));
    let others = ports.digests.get(&other_account(), &name(RULE)).await.expect("schedules are read");
    assert_eq!(others, None, "accounts are apart");
}

pub async fn a_schedule_is_saved_over_the_version_before_alone(ports: &Ports) {
    let due = ports.clock.now();
    assert!(!put(ports, &schedule(RULE, 2, due)).await, "there is no version 1");
    assert!(put(ports, &schedule(RULE, 1, due)).await);
    assert!(!put(ports, &schedule(RULE, 1, due)).await, "there is one already");
    assert!(!ports.digests.freeze(&freezing(&schedule(RULE, 2, due), due)).await.expect("digests are frozen"));
    assert!(put(ports, &schedule(RULE, 2, due)).await);
}

pub async fn of_two_who_freeze_at_once_one_gets_there_and_nothing_stands_twice(ports: &Ports) {
    let mut schedule = made(ports).await;
    let begin = schedule.since;
    let mut told = Vec::new();
    for round in 1..=6_u64 {
        let at = begin + Duration::from_secs(round);
        let reports = (0..4).map(|_| {
            let ports = ports.clone();
            tokio::spawn(async move { collect(&ports, at).await })
        });
        let reports: Vec<_> = reports.collect();
        let freezes = [at, at + Duration::from_millis(500)].map(|until| {
            let (ports, frozen) = (ports.clone(), freezing(&schedule, until));
            tokio::spawn(async move { ports.digests.freeze(&frozen).await })
        });
        let mut winners = 0;
        for freeze in freezes {
            winners += u32::from(freeze.await.expect("no panic").expect("digests are frozen"));
        }
        assert_eq!(winners, 1, "round {round}");
        let frozen = get(ports, RULE).await.expect("it is there");
        told.extend(ids(ports, &frozen).await);
        for report in reports {
            report.await.expect("no panic");
        }
        schedule = done(ports, &frozen).await;
    }
    let last = freeze(ports, &schedule, begin + Duration::from_mins(1)).await;
    told.extend(ids(ports, &last).await);
    let count = told.len();
    told.sort();
    told.dedup();
    assert_eq!((count, told.len()), (24, 24), "each once");
}

pub async fn schedules_are_due_the_earliest_first_page_by_page(ports: &Ports) {
    let now = ports.clock.now();
    let due_at = |rule: &str, seconds| Due {
        at: now + Duration::from_secs(seconds),
        account: account(),
        matter: Matter::Rule(name(rule)),
    };
    for (rule, seconds) in [("b", 2), ("a", 2), ("c", 1), ("later", 3)] {
        assert!(put(ports, &schedule(rule, 1, now + Duration::from_secs(seconds))).await);
    }
    let until = now + Duration::from_secs(2);
    let page = async |after: Option<Due>| ports.agenda.due(until, after.as_ref(), 2).await.expect("what is due is read");
    assert_eq!(page(None).await, [due_at("c", 1), due_at("a", 2)]);
    assert_eq!(page(Some(due_at("a", 2))).await, [due_at("b", 2)]);
    assert_eq!(page(Some(due_at("b", 2))).await, []);
    assert!(put(ports, &schedule("c", 2, now + Duration::from_secs(9))).await);
    assert_eq!(page(None).await, [due_at("a", 2), due_at("b", 2)], "it was moved");
}

pub async fn a_deleted_schedule_is_not_due_and_can_be_made_anew(ports: &Ports) {
    let saved = made(ports).await;
    let stale = Schedule { version: 7, ..saved.clone() };
    assert!(!ports.digests.delete(&stale).await.expect("schedules are deleted"), "somebody else saved in between");
    assert!(ports.digests.delete(&saved).await.expect("schedules are deleted"));
    assert_eq!(get(ports, RULE).await, None);
    assert_eq!(ports.agenda.due(saved.due, None, 10).await.expect("what is due is read"), []);
    assert!(put(ports, &saved).await);
}

pub async fn an_event_is_collected_for_each_rule_of_its_plan(ports: &Ports) {
    let schedule = made(ports).await;
    let at = ports.clock.now();
    let id = new(accept(ports, reported(ports, &account(), at, &[RULE, "weekly"])).await);
    accept(ports, reported(ports, &other_account(), at, &[RULE])).await;
    accept(ports, reported(ports, &account(), at, &["weekly"])).await;
    assert_eq!(ids(ports, &schedule).await, [id], "accounts and rules are apart");
    let entry = entries(ports, &schedule).await.remove(0);
    let stored = ports.events.get(&account(), id).await.expect("events are read").expect("it is there");
    assert_eq!(entry, Entry::of(&stored.event, &collected(RULE)));
}

pub async fn the_same_report_is_collected_once(ports: &Ports) {
    let schedule = made(ports).await;
    let key = key("once", "hash", ports.clock.now() + Duration::from_hours(1));
    for _ in 0..3 {
        let mut again = with_key(ports, &key);
        again.plan.collected = vec![collected(RULE)];
        accept(ports, again).await;
    }
    assert_eq!(ids(ports, &schedule).await.len(), 1);
    let frozen = freeze(ports, &schedule, schedule.due).await;
    let behind = done(ports, &frozen).await;
    let mut again = with_key(ports, &key);
    again.plan.collected = vec![collected(RULE)];
    accept(ports, again).await;
    assert_eq!(ids(ports, &behind).await, [], "nor for the next digest");
}

pub async fn a_digest_holds_what_was_collected_up_to_its_end(ports: &Ports) {
    let schedule = made(ports).await;
    let end = schedule.since + Duration::from_secs(50);
    let (early, last) = (collect(ports, end - Duration::from_secs(3)).await, collect(ports, end).await);
    let next = collect(ports, end + Duration::from_millis(1)).await;
    let frozen = freeze(ports, &schedule, end).await;
    assert_eq!(ids(ports, &frozen).await, sorted([early, last]), "its end belongs to it");
    assert_eq!(ids(ports, &frozen).await, sorted([early, last]), "however often it is read");
    let behind = done(ports, &frozen).await;
    assert_eq!(ids(ports, &behind).await, [next]);
    let frozen = freeze(ports, &behind, end + Duration::from_secs(1)).await;
    assert_eq!(ids(ports, &frozen).await, [next]);
}

pub async fn what_comes_after_the_freeze_stands_in_the_next_digest(ports: &Ports) {
    let schedule = made(ports).await;
    let end = schedule.since + Duration::from_secs(50);
    let first = collect(ports, end - Duration::from_secs(2)).await;
    let frozen = freeze(ports, &schedule, end).await;
    let late = collect(ports, end - Duration::from_secs(1)).await;
    assert_eq!(ids(ports, &frozen).await, [first]);
    let behind = done(ports, &frozen).await;
    assert_eq!(ids(ports, &behind).await, [late]);
    let second = freeze(ports, &behind, end + Duration::from_millis(1)).await;
    let latest = collect(ports, end - Duration::from_millis(1)).await;
    assert_eq!(ids(ports, &second).await, [late]);
    let third = freeze(ports, &done(ports, &second).await, end + Duration::from_millis(2)).await;
    assert_eq!(ids(ports, &third).await, [latest], "however many digests end shortly after each other");
}

pub async fn a_rule_that_is_made_anew_tells_nothing_again(ports: &Ports) {
    let schedule = made(ports).await;
    let end = schedule.since + Duration::from_secs(50);
    collect(ports, end).await;
    let behind = done(ports, &freeze(ports, &schedule, end).await).await;
    assert!(ports.digests.delete(&behind).await.expect("schedules are deleted"));
    let anew = Schedule { since: end, ..schedule };
    assert!(put(ports, &anew).await);
    let next = collect(ports, end + Duration::from_secs(1)).await;
    assert_eq!(ids(ports, &anew).await, [next]);
    let frozen = freeze(ports, &anew, end + Duration::from_secs(2)).await;
    assert_eq!(ids(ports, &frozen).await, [next]);
}

pub async fn what_is_older_than_asked_for_is_not_read(ports: &Ports) {
    let schedule = made(ports).await;
    let at = schedule.since + Duration::from_secs(20);
    collect(ports, at - Duration::from_secs(10)).await;
    let kept = collect(ports, at).await;
    let mut seen = Vec::new();
    let mut visit = |entry: Entry| seen.push(entry.event);
    ports.digests.collected(&schedule, at, &mut visit).await.expect("entries are read");
    assert_eq!(seen, [kept]);
}

pub async fn many_entries_are_read_whole(ports: &Ports) {
    let schedule = made(ports).await;
    let end = schedule.since + Duration::from_secs(50);
    let mut all = Vec::new();
    for chunk in 0..20_u64 {
        let reports = (0..20).map(|_| collect(ports, end - Duration::from_secs(chunk)));
        all.extend(futures_util::future::join_all(reports).await);
    }
    let frozen = freeze(ports, &schedule, end).await;
    all.sort();
    assert_eq!(ids(ports, &frozen).await, all);
}
