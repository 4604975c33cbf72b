//! What reading the composer again has taught, each as its smallest case.

use std::time::Duration;

use bellhop_core::{
    accept::{Wanted, accept},
    digest::{compose, follow, preview},
    model::{Account, Because, Draft, Frozen, Rule, Schedule, Source},
    ports::{Kind, Ports, Record},
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
    let frozen = Frozen { since: before.since, until: rig.ports.clock.now(), intervals: 1, because: Because::Due, rule: None };
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

/// Saves a rule in the place of `before`, as `manage` does.
async fn save(ports: &Ports, called: &str, before: Option<&Rule>, rule: &Value) -> Rule {
    let (settings, called) = (Account::new(account()), name(called));
    let rule = follow::anchored(serde_json::from_value(rule.clone()).expect("a rule"), before, &settings, ports.clock.now());
    follow::follow(ports, &settings, &called, before, Some(&rule)).await.expect("memory does not fail");
    let stored = ports.records.get(&account(), Kind::Rule, called.as_str()).await.expect("memory does not fail");
    let version = stored.map_or(0, |stored| stored.version) + 1;
    let record = Record { name: called.as_str().to_owned(), version, body: serde_json::to_string(&rule).expect("JSON") };
    assert!(ports.records.put(&account(), Kind::Rule, &record).await.expect("memory does not fail"));
    follow::follow(ports, &settings, &called, Some(&rule), Some(&rule)).await.expect("memory does not fail");
    rule
}

async fn delete(ports: &Ports, called: &str, before: &Rule) {
    let (settings, called) = (Account::new(account()), name(called));
    follow::follow(ports, &settings, &called, Some(before), None).await.expect("memory does not fail");
    assert!(ports.records.delete(&account(), Kind::Rule, called.as_str()).await.expect("memory does not fail"));
}

fn daily(at: &str, more: &Value) -> Value {
    let mut rule = json!({"to": ["phone"], "batch": {"at": at, "every_seconds": 86_400, "time_zone": "UTC"}});
    rule.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    rule
}

#[tokio::test]
async fn a_digest_that_was_due_before_its_rule_was_edited_is_sent_as_it_was_due() {
    // given a digest that is due, and that nobody has looked at
    let rig = rig().await;
    let rule = save(&rig.ports, "daily", None, &daily("12:00:00", &json!({}))).await;
    report(&rig.ports, "in time").await;
    let due = schedule(&rig.ports, "daily").await.due;
    rig.sim.pass((due.duration_since(rig.ports.clock.now())).unsigned_abs() + Duration::from_millis(500));

    // when its rule is edited
    save(&rig.ports, "daily", Some(&rule), &daily("18:00:00", &json!({}))).await;
    report(&rig.ports, "too late").await;
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");

    // then it is sent up to when it was due, and the next one is due by the new times
    let said = digests(&rig.ports).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0].1["until"], &said[0].1["because"]), (&json!(due.to_string()), &json!("due")));
    assert!(said[0].0.contains("in time") && !said[0].0.contains("too late"), "{said:?}");
    assert_eq!(schedule(&rig.ports, "daily").await.due, due + Duration::from_hours(6));
}

#[tokio::test]
async fn whoever_works_on_a_digest_while_its_rule_is_edited_goes_by_the_new_times() {
    // given a digest under way
    let rig = rig().await;
    let rule = save(&rig.ports, "daily", None, &daily("12:00:00", &json!({}))).await;
    report(&rig.ports, "in time").await;
    follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail").expect("it collects");
    let before = schedule(&rig.ports, "daily").await;

    // when its rule is edited, then whoever has read the schedule before cannot save what follows from that
    save(&rig.ports, "daily", Some(&rule), &daily("18:00:00", &json!({}))).await;
    let stale = Schedule { version: before.version + 1, ..before };
    assert!(!rig.ports.digests.put(&stale).await.expect("memory does not fail"));
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");
    assert!(schedule(&rig.ports, "daily").await.due.to_string().contains("T18:00:00"));
}

#[tokio::test]
async fn a_rule_that_is_deleted_and_made_anew_at_once_keeps_the_old_events_from_the_new_recipients() {
    let rig = rig().await;
    assert!(rig.ports.registrations.put(&registration("desk")).await.expect("memory does not fail"));
    let rule = save(&rig.ports, "daily", None, &daily("12:00:00", &json!({}))).await;
    report(&rig.ports, "the old one's").await;

    delete(&rig.ports, "daily", &rule).await;
    rig.sim.pass(Duration::from_millis(5));
    save(&rig.ports, "daily", None, &daily("12:00:00", &json!({"to": ["desk"]}))).await;
    report(&rig.ports, "the new one's").await;
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");
    rig.sim.pass(Duration::from_secs(1));
    follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail").expect("it collects");
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");

    let events = rig.ports.events.list(&account(), None, None, 100).await.expect("memory does not fail");
    let told = |words: &str| {
        let digest = events.iter().find(|stored| stored.event.data.is_some() && stored.event.message.contains(words));
        let deliveries = &digest.expect("a digest says so").plan.deliveries;
        deliveries.iter().map(|planned| planned.registration.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((told("the old one's"), told("the new one's")), (vec!["phone".to_owned()], vec!["desk".to_owned()]));
}

#[tokio::test]
async fn whoever_asks_again_is_promised_what_has_come_in_since() {
    let rig = rig().await;
    save(&rig.ports, "daily", None, &daily("12:00:00", &json!({}))).await;
    report(&rig.ports, "the first").await;
    let first = follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");
    rig.sim.pass(Duration::from_millis(7));
    report(&rig.ports, "the second").await;

    let second = follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");

    assert!(first < second, "{first:?} {second:?}");
    let said = digests(&rig.ports).await;
    assert!(said.len() == 1 && said[0].0.contains("the first") && said[0].0.contains("the second"), "{said:?}");
}

#[tokio::test]
async fn a_source_that_is_switched_off_or_no_longer_looked_at_is_not_missed() {
    let rig = rig().await;
    let idle = json!({"at": "12:00:00", "every_seconds": 3_600, "report_idle": true});
    let rule = |sources: Value| json!({"to": ["phone"], "match": {"sources": sources}, "batch": idle});
    let all = save(&rig.ports, "watch", None, &rule(json!(["*"]))).await;
    for source in ["kept", "off", "dropped"] {
        let draft = Draft { source: Source::parse(source).expect("a source"), ..Draft::new("ran") };
        accept(&rig.ports, &account(), draft, Wanted::Event, None).await.expect("it is accepted");
    }
    rig.sim.pass(Duration::from_hours(1));
    compose_due(&rig.ports).await;

    let off = Record { name: "off".to_owned(), version: 1, body: json!({"source": "off", "enabled": false}).to_string() };
    assert!(rig.ports.records.put(&account(), Kind::Source, &off).await.expect("memory does not fail"));
    save(&rig.ports, "watch", Some(&all), &rule(json!(["kept", "off"]))).await;
    rig.sim.pass(Duration::from_hours(1));
    compose_due(&rig.ports).await;

    let said = digests(&rig.ports).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].0.contains("kept"), "{said:?}");
    assert!(!said[1].0.contains("off") && !said[1].0.contains("dropped"), "{said:?}");
}

#[tokio::test]
async fn a_title_that_comes_to_nothing_is_told_and_the_preview_has_the_rules_own() {
    let rig = rig().await;
    let titled = |title: &str| daily("12:00:00", &json!({"batch": {"at": "12:00:00", "title": title}}));
    let rule = save(&rig.ports, "daily", None, &titled("{{ events }} of {{ rule }}")).await;
    report(&rig.ports, "one").await;
    let preview = preview(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail").expect("it collects");
    assert_eq!(preview.digests[0].title, "1 of daily");

    rig.sim.pass(Duration::from_secs(1));
    save(&rig.ports, "daily", Some(&rule), &titled("{{ nothing }}")).await;
    follow::flush(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail").expect("it collects");
    compose(&rig.ports, &account(), &name("daily")).await.expect("memory does not fail");

    let events = rig.ports.events.list(&account(), None, None, 1).await.expect("memory does not fail");
    assert_eq!(events[0].event.title.as_deref(), Some("Digest of daily"));
    assert_eq!(events[0].plan.decisions[0].template_error.as_deref(), Some("it makes no text"));
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
