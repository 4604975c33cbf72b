//! A year of minutes, in four time zones, with the clock going forth and back, stops and restarts: every event stands in
//! exactly one digest of each rule that collects it, no digest is empty, and none is late while somebody looks.

use std::{collections::BTreeMap, time::Duration};

use bellhop_core::{
    Timestamp,
    accept::{Wanted, accept},
    digest::{compose, follow},
    model::{Account, Draft, Rule, RunResult, Source},
    ports::{Kind, Ports, Record},
    tick::tick,
};
use bellhop_testkit::{Dice, Provider, Rig, account, name, registration};
use serde_json::{Value, json};

const MINUTES: usize = 366 * 24 * 60;

/// Rules that collect everything, by the local times of their digests.
const RULES: [(&str, &str, u64, &str); 7] = [
    ("shanghai", "12:00:00", 86_400, "Asia/Shanghai"),
    ("berlin-in-the-gap", "02:30:00", 86_400, "Europe/Berlin"),
    ("new-york", "01:30:00", 86_400, "America/New_York"),
    ("lord-howe", "02:00:00", 172_800, "Australia/Lord_Howe"),
    ("berlin-twice-a-day", "08:00:00", 43_200, "Europe/Berlin"),
    ("weekly", "00:00:00", 604_800, "Europe/Berlin"),
    ("seven-hours", "00:01:00", 25_200, "UTC"),
];

async fn save(ports: &Ports, called: &str, at: &str, every: u64, zone: &str) {
    let batch = json!({"at": at, "every_seconds": every, "time_zone": zone, "max_lines": 1_000});
    let rule: Rule = serde_json::from_value(json!({"to": ["phone"], "batch": batch})).expect("a rule");
    let settings = Account::new(account());
    let rule = follow::anchored(rule, None, &settings, ports.clock.now());
    follow::follow(ports, &settings, &name(called), None, Some(&rule)).await.expect("memory does not fail");
    let body = serde_json::to_string(&rule).expect("JSON");
    let record = Record { name: called.to_owned(), version: 1, body };
    assert!(ports.records.put(&account(), Kind::Rule, &record).await.expect("memory does not fail"));
}

async fn compose_due(ports: &Ports) {
    for due in ports.digests.due(ports.clock.now(), None, 100).await.expect("memory does not fail") {
        compose(ports, &due.account, &due.rule).await.expect("memory does not fail");
    }
}

async fn report(ports: &Ports, number: usize) {
    let source = Source::parse(["QD/a", "QD/b", "c"][number % 3]).expect("a source");
    let result = [Some(RunResult::Success), Some(RunResult::Failure), None][number % 3];
    let draft = Draft { source, result, ..Draft::new(format!("<{number}>")) };
    let answer = accept(ports, &account(), draft, Wanted::Event, None).await.expect("it is accepted");
    assert_eq!((answer.collected.len(), answer.deliveries.len()), (RULES.len(), 0));
}

/// What stands in each rule's digests, and how they ended.
#[derive(Default)]
struct Told {
    events: BTreeMap<usize, usize>,
    ends: Vec<Timestamp>,
}

/// Reads the digests that were sent behind `seen`.
async fn read(ports: &Ports, seen: &mut Option<Timestamp>, told: &mut BTreeMap<String, Told>) {
    let from = seen.map(bellhop_core::model::EventId::floor);
    let mut before = None;
    let mut newest = *seen;
    loop {
        let page = ports.events.list(&account(), from, before, 500).await.expect("memory does not fail");
        let Some(last) = page.last() else { break };
        before = Some(last.event.id);
        for stored in page {
            let event = &stored.event;
            newest = newest.max(Some(event.accepted_at));
            let Some(data) = event.data.as_ref().filter(|data| data.get("number").is_some()) else { continue };
            let rule = data["rule"].as_str().expect("a rule").to_owned();
            let until: Timestamp = data["until"].as_str().and_then(|at| at.parse().ok()).expect("a time");
            let told = told.entry(rule.clone()).or_default();
            let numbers = event.message.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse::<usize>().ok());
            let mut count = 0;
            for number in numbers {
                *told.events.entry(number).or_default() += 1;
                count += 1;
            }
            assert!(count > 0, "a digest of {rule} is empty: {}", event.message);
            told.ends.push(until);
        }
    }
    *seen = newest;
}

#[tokio::test]
async fn every_event_stands_in_one_digest_of_each_rule_and_none_is_late_while_somebody_looks() {
    let rig = Rig::new(Provider::new(&[]));
    let ports = &rig.ports;
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    for (called, at, every, zone) in RULES {
        save(ports, called, at, every, zone).await;
    }
    let mut dice = Dice::new(2026);
    let (mut reported, mut minute) = (0, 0);
    let (mut in_time, mut was_away) = (0, false);
    while minute < MINUTES {
        if dice.one_in(20_000) {
            // nobody looks, and nobody takes reports: from a minute to three days
            let pause = 1 + dice.index(3 * 24 * 60);
            rig.sim.pass(Duration::from_mins(pause as u64));
            minute += pause;
            was_away = true;
        }
        for due in due_now(ports).await {
            assert!(was_away || ports.clock.now().duration_since(due).as_secs() <= 2, "what was due at {due} is late");
            in_time += usize::from(!was_away);
        }
        was_away = false;
        // now and then two look at once, or one twice
        if dice.one_in(10) {
            tokio::join!(compose_due(ports), compose_due(ports));
        }
        compose_due(ports).await;
        if dice.one_in(1_000) {
            tick(ports, ports.clock.now()).await.expect("memory does not fail");
        }
        let offset = Duration::from_millis(dice.below(60_000));
        if dice.one_in(150) {
            if dice.one_in(3) {
                report(ports, reported).await; // at the very moment of the minute
                reported += 1;
            }
            rig.sim.pass(offset);
            report(ports, reported).await;
            reported += 1;
            rig.sim.pass(Duration::from_mins(1).saturating_sub(offset));
        } else {
            rig.sim.pass(Duration::from_mins(1));
        }
        minute += 1;
    }
    rig.sim.pass(Duration::from_hours(9 * 24));
    compose_due(ports).await;

    let mut told = BTreeMap::new();
    read(ports, &mut None, &mut told).await;
    assert!(reported > 3_000, "{reported}");
    for (called, ..) in RULES {
        let Told { events, ends } = &told[called];
        let wrong: Vec<_> = (0..reported).filter(|number| events.get(number) != Some(&1)).take(5).collect();
        assert!(wrong.is_empty(), "{called}: {wrong:?} are not in exactly one digest");
        assert!(ends.len() > 40, "{called}: {}", ends.len());
    }
    assert!(in_time > 2_000, "{in_time}");
}

/// What is due and not yet looked at.
async fn due_now(ports: &Ports) -> Vec<Timestamp> {
    let due = ports.digests.due(ports.clock.now(), None, 100).await.expect("memory does not fail");
    due.into_iter().map(|due| due.at).collect()
}

#[tokio::test]
async fn after_a_stop_one_digest_covers_what_was_missed_and_says_so() {
    let rig = Rig::new(Provider::new(&[]));
    let ports = &rig.ports;
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    save(ports, "daily", "12:00:00", 86_400, "UTC").await;
    accept(ports, &account(), Draft::new("x"), Wanted::Event, None).await.expect("it is accepted");

    rig.sim.pass(Duration::from_hours(5 * 24));
    compose_due(ports).await;

    let events = ports.events.list(&account(), None, None, 10).await.expect("memory does not fail");
    let digests: Vec<&Value> = events.iter().filter_map(|stored| stored.event.data.as_ref()).collect();
    assert_eq!(digests.len(), 1);
    assert_eq!((&digests[0]["intervals"], &digests[0]["until"]), (&json!(5), &json!("2026-01-05T12:00:00Z")));
}
