use acceptance::{Client, eventually};
use serde_json::{Value, json};

use super::World;
use crate::visitor::{Scripts, Visitor};

/// A rule that has never told of anything, as its form and the API call its parts.
async fn fill_in(visitor: &mut Visitor) {
    for (name, value) in [
        ("name", "nightly"),
        ("match.sources", "QD/*\nSQLE/backup"),
        ("match.types", "domain.*"),
        ("after_failures", "3"),
        ("to", "desk\nemail:alice@example.org"),
        ("batch.at", "20:00:00"),
        ("batch.every_seconds", "3600"),
        ("batch.time_zone", "Europe/Berlin"),
        ("batch.max_lines", "50"),
        ("batch.title", "Tonight"),
        ("title", "{{ source }}"),
        ("body", "{{ message }}\n{{ result }}"),
    ] {
        visitor.fill(name, value).await;
    }
    // what is ticked for somebody new: that it is on, and failures
    for label in [
        "manual success",
        "manual failure",
        "Count runs that a person set off, too",
        "Tell of the first success afterwards",
        "Collect for a digest, instead of telling each time",
        "failure",
        "success in part",
        "Tell of sources that did not run",
    ] {
        visitor.tick(label).await;
    }
    visitor.choose("tell", "tell once").await;
    visitor.choose("batch.collect", "those that it would have told of").await;
}

fn nightly() -> Value {
    json!({
        "enabled": true,
        "match": { "sources": ["QD/*", "SQLE/backup"], "types": ["domain.*"] },
        "notify": { "manual_success": true, "manual_failure": false, "auto_success": false, "auto_failure": true },
        "after_failures": 3,
        "tell": "once",
        "count_manual": true,
        "tell_recovery": true,
        "to": ["desk", "email:alice@example.org"],
        "batch": { "enabled": true, "at": "20:00:00", "every_seconds": 3600, "time_zone": "Europe/Berlin", "collect": "notified",
            "immediate": ["failure", "partial"], "report_idle": true, "max_lines": 50, "title": "Tonight" },
        "title": "{{ source }}",
        "body": "{{ message }}\n{{ result }}",
    })
}

/// What a form says of a rule: not its name, since when it is there, and how often it was changed.
async fn said(client: &Client, name: &str) -> Value {
    let mut rule = client.get(&format!("/v1/rules/{name}")).await;
    rule.as_object_mut().unwrap().retain(|member, _| !["name", "created_at", "version"].contains(&member.as_str()));
    rule["batch"].as_object_mut().unwrap().remove("anchor");
    rule
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_rule_is_made_as_its_form_says() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/rules").await;
        visitor.follow("/console/new-rule").await;
        fill_in(visitor).await;
        visitor.submit("/console/new-rule").await;
        assert_eq!(visitor.path().await, "/console/rules/nightly");
        let shown = visitor.text().await;
        for part in ["Saved.", "QD/*, SQLE/backup", "manual success, automatic failure", "desk, email:alice@example.org"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(said(world.client(), "nightly").await, nightly());
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_rule_is_changed_and_what_nobody_touches_stays() {
    let mut world = World::new(Scripts::Off).await;
    world.client().put("/v1/rules/nightly", nightly()).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/rules/nightly").await;
    visitor.follow("/console/rules/nightly/edit").await;
    visitor.fill("after_failures", "5").await;
    visitor.tick("Switched on").await;
    visitor.tick("success in part").await;
    visitor.submit("/console/rules/nightly/edit").await;
    assert!(visitor.text().await.contains("switched off"));
    let mut changed = nightly();
    changed["after_failures"] = json!(5);
    changed["enabled"] = json!(false);
    changed["batch"]["immediate"] = json!(["failure"]);
    assert_eq!(said(world.client(), "nightly").await, changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_rule_is_said_beside_the_field_and_what_was_typed_stays() {
    let mut world = World::new(Scripts::Off).await;
    world.client().put("/v1/rules/there", json!({ "to": ["desk"] })).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/new-rule").await;
    fill_in(visitor).await;
    let too_long = "x".repeat(257);
    for (name, wrong, right) in [
        ("name", "there", "nightly"),
        ("match.sources", too_long.as_str(), "QD/*\nSQLE/backup"),
        ("after_failures", "many", "3"),
        ("to", "group:", "desk\nemail:alice@example.org"),
        ("batch.at", "noon", "20:00:00"),
        ("batch.every_seconds", "5", "3600"),
        ("batch.time_zone", "Mars/Olympus", "Europe/Berlin"),
        ("title", "{{ source", "{{ source }}"),
    ] {
        visitor.fill(name, wrong).await;
        visitor.submit("/console/new-rule").await;
        assert_ne!(visitor.error_at(name).await, "", "{name}: {}", visitor.text().await);
        assert_eq!(visitor.value_of(name).await, wrong);
        visitor.fill(name, right).await;
    }
    visitor.submit("/console/new-rule").await;
    assert_eq!(said(world.client(), "nightly").await, nightly());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_a_name_or_anybody_who_hears_of_it_is_not_sent() {
    let mut world = World::new(Scripts::Off).await;
    world.visitor.open("/console/new-rule").await;
    assert_eq!(world.visitor.asked_for().await, "name to");
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_digest_is_previewed_and_sent_before_it_is_due() {
    let mut world = World::new(Scripts::Off).await;
    let batch = json!({ "at": "20:00:00", "every_seconds": 604_800, "title": "What there was" });
    world.client().put("/v1/rules/weekly", json!({ "to": ["desk"], "batch": batch })).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/rules/weekly").await;
    visitor.follow("/console/rules/weekly/preview").await;
    assert!(visitor.text().await.contains("Nothing has been collected yet."));
    let event = json!({ "source": "QD/backup", "result": "success", "message": "all is well" });
    world.bellhop.client.report(event).await;
    visitor.open("/console/rules/weekly/preview").await;
    let shown = visitor.text().await;
    assert!(shown.contains("What there was") && shown.contains("backup: 1 succeeded"), "{shown}");
    visitor.follow("/console/rules/weekly").await;
    visitor.submit("/console/rules/weekly/flush").await;
    assert!(visitor.text().await.contains("Done."));
    assert_eq!(world.sink.until(1).await[0].json()["title"], "What there was");
    world.visitor.open("/console/rules/weekly/preview").await;
    assert!(world.visitor.text().await.contains("Nothing has been collected yet."));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_rule_is_deleted_once_that_is_confirmed() {
    let mut world = World::new(Scripts::Off).await;
    world.client().put("/v1/rules/nightly", nightly()).await;
    world.visitor.open("/console/rules/nightly").await;
    world.visitor.confirm("/console/rules/nightly/delete").await;
    assert_eq!(world.visitor.path().await, "/console/rules");
    assert_eq!(world.client().get("/v1/rules").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn what_would_happen_to_an_event_is_shown_and_nothing_does() {
    let mut world = World::new(Scripts::On).await;
    let failures = json!({ "to": ["desk"], "match": { "sources": ["QD/*"] }, "notify": { "auto_failure": true } });
    world.client().put("/v1/rules/backups", failures).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/rules").await;
    visitor.follow("/console/explain").await;
    assert_eq!(visitor.asked_for().await, "event.message");
    visitor.fill("event.message", "The disk is full").await;
    visitor.fill("event.source", &"x".repeat(257)).await;
    visitor.submit("/console/explain").await;
    assert_ne!(visitor.error_at("event.source").await, "");

    visitor.fill("event.source", "QD/backup").await;
    visitor.choose("event.result", "failure").await;
    visitor.submit("/console/explain").await;
    let explained = "document.getElementById('explanation').innerText";
    let shown = visitor.text_of(explained).await;
    assert!(shown.contains("backups\ttell at once") && shown.contains("desk\twebhook"), "{shown}");
    visitor.choose("event.result", "success").await;
    visitor.submit("/console/explain").await;
    let shown = visitor.text_of(explained).await;
    assert!(shown.contains("backups\ttell nobody") && shown.contains("Nobody would get it at once."), "{shown}");
    assert_eq!(world.client().get("/v1/events").await["items"], json!([]));
    assert!(world.sink.arrivals().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_source_is_switched_off_for_all_rules_and_on_and_forgotten() {
    let mut world = World::new(Scripts::Off).await;
    world.client().put("/v1/rules/backups", json!({ "to": ["desk"] })).await;
    let sources = async |client: &Client| client.get("/v1/sources").await["items"].take();
    world.visitor.open("/console/sources").await;
    assert_eq!(world.visitor.asked_for().await, "source");
    world.visitor.fill("source", &"x".repeat(257)).await;
    world.visitor.submit("/console/sources").await;
    assert_ne!(world.visitor.error_at("source").await, "");
    world.visitor.fill("source", "QD/backup").await;
    world.visitor.submit("/console/sources").await;
    assert_eq!(sources(world.client()).await, json!([{ "source": "QD/backup", "enabled": false }]));
    let failure = json!({ "source": "QD/backup", "result": "failure", "message": "x" });
    assert_eq!(world.client().report(failure.clone()).await["deliveries"], json!([]));

    world.visitor.fill("source", "QD/backup").await;
    world.visitor.tick("Switched on").await;
    world.visitor.submit("/console/sources").await;
    assert_eq!(sources(world.client()).await, json!([{ "source": "QD/backup", "enabled": true }]));
    world.client().report(failure).await;
    eventually("what it reports is told of", async || world.sink.arrivals().first().map(|_| ())).await;

    world.visitor.submit("/console/sources/forget").await;
    assert!(world.visitor.text().await.contains("Deleted."));
    assert_eq!(sources(world.client()).await, json!([]));
}
