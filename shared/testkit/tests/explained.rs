//! What is explained is what happens: asked just before an event is accepted, the answer is what was then kept.

use std::time::Duration;

use bellhop_core::{
    accept::{Wanted, accept},
    explain::{Explanation, explain},
    model::{AccountId, Draft, EventType, Name, Recipient, Registration, Rule, RunResult, Source, Trigger},
    ports::{Clock, Kind, Record},
};
use bellhop_testkit::{Provider, Rig, account, name, registration};
use serde_json::{Value, json};

/// Numbers that look like chance, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % most
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

fn rule(dice: &mut Dice, rig: &Rig) -> Rule {
    let to = [json!("phone"), json!("desk"), json!("off"), json!("gone"), json!("group:ops"), json!("event.send_to")];
    let mut rule = json!({
        "enabled": dice.below(8) > 0,
        "match": {"sources": dice.of(&[json!([]), json!(["a/*"]), json!(["b"])]), "types": dice.of(&[json!([]), json!(["x.*"])])},
        "notify": {"auto_failure": dice.is(), "auto_success": dice.is(), "manual_failure": dice.is(), "manual_success": dice.is()},
        "after_failures": dice.below(4),
        "tell": dice.of(&["every", "once"]),
        "count_manual": dice.is(),
        "tell_recovery": dice.is(),
        "to": [dice.of(&to), dice.of(&to)],
        "created_at": rig.sim.now(),
    });
    if dice.is() {
        rule["body"] = json!(dice.of(&["{{ source }}: {{ message }} at {{ accepted_at }}", "{{ 'x' * 1000000000 }}"]));
    }
    if dice.below(3) == 0 {
        let (immediate, collect) = (dice.of(&[json!([]), json!(["failure"])]), dice.of(&["all", "notified"]));
        rule["batch"] = json!({"at": "12:00:00", "immediate": immediate, "collect": collect});
    }
    serde_json::from_value(rule).expect("it is a rule")
}

fn draft(dice: &mut Dice) -> Draft {
    Draft {
        source: Source::parse(dice.of(&["a/one", "a/two", "b"])).expect("a source"),
        event_type: dice.of(&[None, EventType::parse("x.y"), EventType::parse(EventType::TEST)]),
        trigger: dice.of(&[Trigger::Auto, Trigger::Manual]),
        result: dice.of(&[None, Some(RunResult::Success), Some(RunResult::Failure), Some(RunResult::Failure)]),
        is_final: dice.below(8) == 0,
        send_to: dice.of(&[vec![], vec![Recipient::Registration(name("phone"))]]),
        ..Draft::new("text")
    }
}

async fn save(rig: &Rig, kind: Kind, called: &str, body: &Value) {
    let before = rig.ports.records.get(&account(), kind, called).await.expect("memory does not fail");
    let version = before.map_or(0, |before| before.version) + 1;
    let record = Record { name: called.to_owned(), version, body: body.to_string() };
    assert!(rig.ports.records.put(&account(), kind, &record).await.expect("memory does not fail"));
}

async fn house() -> Rig {
    let rig = Rig::new(Provider::new(&[]));
    for (called, enabled) in [("phone", true), ("desk", true), ("off", false)] {
        let groups = if called == "phone" { Vec::new() } else { vec![name("ops")] };
        let made = Registration { enabled, groups, ..registration(called) };
        assert!(rig.ports.registrations.put(&made).await.expect("memory does not fail"));
    }
    save(&rig, Kind::Source, "a/two", &json!({"source": "a/two", "enabled": false})).await;
    rig
}

/// What is kept of counters and events.
async fn kept(rig: &Rig, account: &AccountId) -> (Vec<Option<Record>>, usize) {
    let mut counters = Vec::new();
    for rule in ["r0", "r1", "r2"] {
        for source in ["a/one", "a/two", "b"] {
            let counter = rig.ports.records.get(account, Kind::Counter, &format!("{rule}/{source}")).await;
            counters.push(counter.expect("memory does not fail"));
        }
    }
    (counters, rig.ports.events.list(account, None, None, 10_000).await.expect("memory does not fail").len())
}

/// Accepts it, and tells what was kept as an explanation does.
async fn happened(rig: &Rig, draft: Draft) -> Explanation {
    let answer = accept(&rig.ports, &account(), draft, Wanted::Event, None).await.expect("it is accepted");
    let stored = rig.ports.events.get(&account(), answer.event).await.expect("memory does not fail").expect("it is kept");
    Explanation::of(&stored.event, stored.plan)
}

#[tokio::test]
async fn what_is_explained_is_what_happens_next_and_nothing_is_written_by_asking() {
    let (mut told, mut collected, mut dropped, mut worded) = (0, 0, 0, 0);
    for seed in 0..40 {
        let (mut dice, rig) = (Dice(seed), house().await);
        for called in ["r0", "r1", "r2"] {
            let rule = rule(&mut dice, &rig);
            save(&rig, Kind::Rule, called, &json!(rule)).await;
        }
        for _ in 0..25 {
            let draft = draft(&mut dice);
            let before = kept(&rig, &account()).await;
            let explained = explain(&rig.ports, &account(), draft.clone(), None).await.expect("it is explained");
            assert_eq!(kept(&rig, &account()).await, before, "seed {seed}");
            let happened = happened(&rig, draft).await;
            assert_eq!(explained, happened, "seed {seed}");
            told += happened.deliveries.len();
            collected += happened.collected.len();
            dropped += happened.dropped.len();
            worded += happened.wordings.len();
            rig.sim.pass(Duration::from_mins(7));
        }
    }
    assert!(told > 100 && collected > 100 && dropped > 100 && worded > 20, "{told} {collected} {dropped} {worded}");
}

#[tokio::test]
async fn a_rule_that_stands_in_decides_as_it_would_once_it_is_saved() {
    for seed in 0..40 {
        let (mut dice, rig) = (Dice(seed), house().await);
        let saved = rule(&mut dice, &rig);
        save(&rig, Kind::Rule, "r1", &json!(saved)).await;
        for called in ["r0", "r1", "r2"] {
            let called: Name = name(called);
            let tried = rule(&mut dice, &rig);
            let draft = draft(&mut dice);
            let explained =
                explain(&rig.ports, &account(), draft.clone(), Some((&called, &tried))).await.expect("it is explained");
            save(&rig, Kind::Rule, called.as_str(), &json!(tried)).await;
            assert_eq!(explained, happened(&rig, draft).await, "seed {seed}");
        }
    }
}
