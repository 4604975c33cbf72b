//! Days on the calendar, through a store: rules in four time zones collect and tasks of every kind run while clocks go forth and back,
//! nobody looks for a while, and two look at once. What is judged: every event stands in exactly one digest of each rule, no digest is empty,
//! and none is late while somebody looks; every run of every task is made once, at its time.

mod tasks;

use std::{collections::BTreeMap, time::Duration};

use bellhop_core::{
    StoreError, Timestamp,
    accept::{Wanted, accept},
    digest::follow,
    model::{Account, Draft, Rule, RunResult, Source},
    ports::{Kind, Ports, Record},
    task::Ran,
    tick::{Looked, look, tick},
};
use serde_json::json;

use crate::{Dice, Sim, account, name, registration};

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

/// How long, and how much happens.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// How far from the beginning of the simulated time.
    pub from: Duration,
    /// How many looks.
    pub looks: usize,
    /// From one look to the next; due times are whole minutes.
    pub each: Duration,
    /// Something is reported between two looks once in so many.
    pub report_one_in: u64,
    /// Nobody looks for up to three days once in so many.
    pub stop_one_in: u64,
    /// A tick comes after so many looks, on average.
    pub tick_one_in: u64,
}

/// What came of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// How many events were reported.
    pub reported: usize,
    /// How many digests were sent.
    pub digests: usize,
    /// How many runs tasks had.
    pub runs: usize,
}

/// Plays them and judges.
///
/// # Panics
/// If a promise is broken, or the store fails.
pub async fn play(ports: &Ports, sim: &Sim, days: Days) -> Played {
    assert!(ports.registrations.put(&registration("phone")).await.expect("the store does not fail"));
    sim.pass(days.from);
    for (called, at, every, zone) in RULES {
        save_rule(ports, called, at, every, zone).await;
    }
    let mut tasks = tasks::Tasks::make(ports).await;
    let mut come = ports.clock.now();
    let mut dice = Dice::new(2026);
    let (mut reported, mut was_away) = (0, false);
    for _ in 0..days.looks {
        if dice.one_in(days.stop_one_in) {
            sim.pass(Duration::from_mins(1 + dice.below(3 * 24 * 60)));
            was_away = true;
        }
        for due in ports.agenda.due(ports.clock.now(), None, 100).await.expect("the store does not fail") {
            let late = ports.clock.now().duration_since(due.at);
            assert!(was_away || late.unsigned_abs() < days.each, "what was due at {} is late", due.at);
        }
        was_away = false;
        let now = ports.clock.now();
        tasks.come(come, now);
        tasks.looked_at(now);
        come = now;
        if dice.one_in(10) {
            tokio::join!(compose_due(ports), compose_due(ports));
        }
        compose_due(ports).await;
        if dice.one_in(days.tick_one_in) {
            tick(ports, ports.clock.now()).await.expect("the store does not fail");
        }
        let offset = Duration::from_millis(dice.below(60_000));
        let mut left = days.each;
        if dice.one_in(days.report_one_in) {
            if dice.one_in(3) {
                report(ports, reported).await; // at the very moment of the minute
                reported += 1;
            }
            sim.pass(offset);
            left -= offset;
            report(ports, reported).await;
            reported += 1;
        }
        sim.pass(left);
    }
    let runs = tasks.judge(ports).await;
    tasks.cancel(ports).await;
    sim.pass(Duration::from_hours(9 * 24));
    compose_due(ports).await;
    Played { runs, ..judge(ports, reported).await }
}

/// Saves a rule that collects everything, as `manage` does.
///
/// # Panics
/// If the store fails.
pub async fn save_rule(ports: &Ports, called: &str, at: &str, every: u64, zone: &str) {
    let batch = json!({"at": at, "every_seconds": every, "time_zone": zone, "max_lines": 1_000});
    let rule: Rule = serde_json::from_value(json!({"to": ["phone"], "batch": batch})).expect("a rule");
    let settings = Account::new(account());
    let rule = follow::anchored(rule, None, &settings, ports.clock.now());
    follow::follow(ports, &settings, &name(called), None, Some(&rule)).await.expect("the store does not fail");
    let body = serde_json::to_string(&rule).expect("JSON");
    let record = Record { name: called.to_owned(), version: 1, body };
    assert!(ports.records.put(&account(), Kind::Rule, &record).await.expect("the store does not fail"));
}

/// Composes and runs whatever is due; what somebody else is working on, that one goes on with.
///
/// # Panics
/// If the store fails.
pub async fn compose_due(ports: &Ports) {
    loop {
        let mut has_run = false;
        for due in ports.agenda.due(ports.clock.now(), None, 100).await.expect("the store does not fail") {
            match look(ports, &due).await {
                Ok(Looked::Task(Ran::Once(_))) => has_run = true,
                Ok(Looked::Task(Ran::Not) | Looked::Digest(_)) | Err(StoreError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // a task that makes up for what it missed is due again
        if !has_run {
            return;
        }
    }
}

async fn report(ports: &Ports, number: usize) {
    let source = Source::parse(["QD/a", "QD/b", "c"][number % 3]).expect("a source");
    let result = [Some(RunResult::Success), Some(RunResult::Failure), None][number % 3];
    let draft = Draft { source, result, ..Draft::new(format!("<{number}>")) };
    let answer = accept(ports, &account(), draft, Wanted::Event, None).await.expect("it is accepted");
    assert_eq!((answer.collected.len(), answer.deliveries.len()), (RULES.len(), 0));
}

/// How often each event stands in a rule's digests, and how many those are.
async fn judge(ports: &Ports, reported: usize) -> Played {
    let mut told: BTreeMap<String, BTreeMap<usize, usize>> = BTreeMap::new();
    let (mut before, mut digests) = (None, 0);
    loop {
        let page = ports.events.list(&account(), None, before, 500).await.expect("the store does not fail");
        let Some(last) = page.last() else { break };
        before = Some(last.event.id);
        for stored in page {
            let event = &stored.event;
            let Some(rule) = event.data.as_ref().and_then(|data| data["rule"].as_str()) else { continue };
            let numbers = event.message.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse::<usize>().ok());
            let numbers: Vec<_> = numbers.collect();
            assert!(!numbers.is_empty(), "a digest of {rule} is empty: {}", event.message);
            digests += 1;
            let told = told.entry(rule.to_owned()).or_default();
            for number in numbers {
                *told.entry(number).or_default() += 1;
            }
        }
    }
    for (called, ..) in RULES {
        let told = &told[called];
        let wrong: Vec<_> = (0..reported).filter(|number| told.get(number) != Some(&1)).take(5).collect();
        assert!(wrong.is_empty(), "{called}: {wrong:?} are not in exactly one digest");
    }
    Played { reported, digests, runs: 0 }
}

/// A rule that is due each day at noon, five days after it was looked at last, with one event: one digest that says so.
///
/// # Panics
/// If it does not.
pub async fn after_a_stop(ports: &Ports, sim: &Sim) {
    assert!(ports.registrations.put(&registration("phone")).await.expect("the store does not fail"));
    save_rule(ports, "daily", "12:00:00", 86_400, "UTC").await;
    accept(ports, &account(), Draft::new("x"), Wanted::Event, None).await.expect("it is accepted");

    let due: Timestamp = ports.agenda.due(ports.clock.now() + Duration::from_hours(24), None, 1).await.expect("it is read")[0].at;
    sim.pass(Duration::from_hours(5 * 24));
    compose_due(ports).await;

    let events = ports.events.list(&account(), None, None, 10).await.expect("the store does not fail");
    let digests: Vec<_> = events.iter().filter_map(|stored| stored.event.data.as_ref()).collect();
    assert_eq!(digests.len(), 1);
    let until = due + Duration::from_hours(4 * 24);
    assert_eq!((&digests[0]["intervals"], &digests[0]["until"]), (&json!(5), &json!(until.to_string())));
}
