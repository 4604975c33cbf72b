//! What reading the composer again has taught, each as its smallest case.

use std::time::Duration;

use bellhop_core::{
    accept::{Wanted, accept},
    digest::{compose, follow},
    model::{Account, Because, Draft, Frozen, Rule, Schedule},
    ports::Ports,
};
use bellhop_testkit::{
    Provider, Rig, account,
    calendar::{compose_due, save_rule},
    name, registration,
};
use serde_json::{Value, json};

async fn rig() -> Rig {
    let rig = Rig::new(Provider::new(&[]));
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    rig
}

async fn report(ports: &Ports, message: &str) {
    accept(ports, &account(), Draft::new(message), Wanted::Event, None).await.expect("it is accepted");
}

async fn schedule(ports: &Ports, rule: &str) -> Schedule {
    ports.digests.get(&account(), &name(rule)).await.expect("memory does not fail").expect("it is there")
}

/// What the digests say that were sent, the oldest first.
async fn digests(ports: &Ports) -> Vec<(String, Value)> {
    let mut events = ports.events.list(&account(), None, None, 100).await.expect("memory does not fail");
    events.reverse();
    let digest = |data: &Value| data.get("because").is_some();
    let events = events.iter().filter(|stored| stored.event.data.as_ref().is_some_and(digest));
    events.map(|stored| (stored.event.message.clone(), stored.event.data.clone().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_digest_that_is_asked_for_while_another_is_under_way_is_not_forgotten() {
    // given a digest that is frozen, and whose composer has died
    let rig = rig().await;
    save_rule(&rig.ports, "daily", "12:00:00", 86_400, "UTC").await;
    report(&rig.ports, "the first").await;
    let before = schedule(&rig.ports, "daily").await;
    let frozen = Frozen { since: before.since, until: rig.ports.clock.now(), intervals: 1, because: Because::Due };
    let under_way = Schedule { frozen: Some(frozen), number: 1, version: before.version + 1, ..before };
    assert!(rig.ports.digests.freeze(&under_way).await.expect("memory does not fail"));

    // when somebody asks for what came after it
    rig.sim.pass(Duration::from_secs(1));
    report(&rig.ports, "the second").await;
    follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail").expect("it collects");
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");

    // then both are sent
    let said = digests(&rig.ports).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].0.contains("the first") && said[1].0.contains("the second"), "{said:?}");
    assert_eq!(said[1].1["because"], "flushed");
    assert_eq!(schedule(&rig.ports, "daily").await.flush, None);
}

#[tokio::test]
async fn a_rule_that_has_ended_tells_nothing_of_silence() {
    let rig = rig().await;
    let batch = json!({"at": "12:00:00", "report_idle": true, "anchor": "2026-01-01"});
    let rule = json!({"to": ["phone"], "match": {"sources": ["nightly"]}, "batch": batch});
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    let settings = Account::new(account());
    follow::follow(&rig.ports, &settings, &name("watch"), None, Some(&rule)).await.expect("memory does not fail");

    follow::follow(&rig.ports, &settings, &name("watch"), Some(&rule), None).await.expect("memory does not fail");
    compose_due(&rig.ports).await;
    rig.sim.pass(Duration::from_mins(2));
    compose_due(&rig.ports).await;

    assert_eq!(digests(&rig.ports).await, []);
    assert!(rig.ports.digests.get(&account(), &name("watch")).await.expect("memory does not fail").is_none());
}
