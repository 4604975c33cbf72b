//! Push settings at the console.

use serde_json::{Value, json};

use crate::{browser::Browser, world, world::World};

async fn stored(world: &World, name: &str) -> Value {
    world.call("full", "GET", &format!("/v1/rules/{name}"), "").await.body
}

#[tokio::test]
async fn a_rule_is_made_with_its_switches_and_its_digest_and_says_when_the_next_three_are_due() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let fields = [
        ("name", "daily"),
        ("enabled", "on"),
        ("match.sources", "QD/*\r\n"),
        ("notify.auto_failure", "on"),
        ("after_failures", "3"),
        ("tell", "once"),
        ("to", "phone\r\ngroup:night"),
        ("batch.enabled", "on"),
        ("batch.at", "20:00:00"),
        ("batch.every_seconds", "86400"),
        ("batch.time_zone", "Asia/Shanghai"),
        ("batch.immediate", "failure"),
        ("batch.collect", "all"),
    ];
    let made = browser.send("/console/new-rule", &fields).await;
    assert_eq!(made.leads_to(), "/console/rules/daily?notice=saved");
    let rule = stored(&world, "daily").await;
    assert_eq!(
        (&rule["to"], &rule["after_failures"], &rule["tell"]),
        (&json!(["phone", "group:night"]), &json!(3), &json!("once"))
    );
    let notify = json!({"manual_success": false, "manual_failure": false, "auto_success": false, "auto_failure": true});
    assert_eq!((&rule["notify"], &rule["batch"]["immediate"]), (&notify, &json!(["failure"])));

    let page = browser.open("/console/rules/daily").await;
    let due: Vec<_> = page.text.split("<li><time datetime=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(due.len(), 3, "{}", page.text);
    assert!(due.iter().all(|at| at.ends_with("T12:00:00Z")), "{due:?}");
    let preview = browser.open("/console/rules/daily/preview").await;
    assert!(preview.status == 200 && preview.text.contains("Nothing has been collected yet."), "{}", preview.text);
}

#[tokio::test]
async fn what_would_become_of_an_event_is_shown_and_nothing_comes_of_it() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for (name, body) in [
        ("ops", json!({"to": ["phone"], "after_failures": 2})),
        ("told", json!({"to": ["phone"], "title": "{{ source }} is down"})),
        ("daily", json!({"to": ["phone"], "batch": {"at": "20:00:00"}})),
    ] {
        assert_eq!(world.call("full", "PUT", &format!("/v1/rules/{name}"), &body).await.status, 200);
    }
    let form = browser.open("/console/explain").await;
    assert!(form.text.contains("event.message") && !form.text.contains("id=\"explanation\""), "{}", form.text);
    let fields =
        [("event.source", "a/b"), ("event.trigger", "auto"), ("event.result", "failure"), ("event.message", "<i>no</i>")];
    let told = browser.send("/console/explain", &fields).await;
    assert_eq!(told.status, 200, "{}", told.text);
    for shown in ["below_failure_threshold", "a/b is down", "collect for a digest", "<td>told</td>", "&lt;i&gt;no"] {
        assert!(told.text.contains(shown), "{shown}: {}", told.text);
    }
    let refused = browser.send("/console/explain", &[("event.source", "a/b"), ("event.message", " ")]).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"f-event-message-error\""), "{}", refused.text);
    assert!(refused.text.contains("value=\"a/b\""), "what was typed is kept: {}", refused.text);
    assert_eq!(world.call("full", "GET", "/v1/events", "").await.body["items"], json!([]), "nothing was reported");
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_beside_its_field_and_what_was_typed_is_kept() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let usual = [("name", "r"), ("to", "phone"), ("tell", "every"), ("batch.collect", "all")];
    let wrong = [
        ("batch.time_zone", "Mars/Olympus", "f-batch-time-zone-error", Some(("batch.at", "20:00:00"))),
        ("after_failures", "many", "f-after-failures-error", None),
        ("title", "{{ nonsense", "f-title-error", None),
        ("batch.enabled", "on", "f-batch-at-error", None),
    ];
    for (name, value, error, also) in wrong {
        let fields: Vec<_> = usual.into_iter().chain([(name, value)]).chain(also).collect();
        let page = browser.send("/console/new-rule", &fields).await;
        assert!(page.status == 422 && page.text.contains(&format!("id=\"{error}\"")), "{name}: {}", page.text);
        assert!(page.text.contains(value), "{name}");
    }
    assert_eq!(stored(&world, "r").await["code"], "not_found");
}

#[tokio::test]
async fn a_rule_is_changed_from_what_it_was_and_deleted() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let body = json!({"to": ["phone"], "match": {"sources": ["QD/*"]}, "body": "<b>{{ title }}</b>"});
    assert_eq!(world.call("full", "PUT", "/v1/rules/r", &body).await.status, 200);
    let form = browser.open("/console/rules/r/edit").await;
    assert!(form.text.contains("QD/*") && form.text.contains("&lt;b&gt;{{ title }}"), "{}", form.text);

    let fields = [("to", "phone"), ("tell", "every"), ("match.sources", "SQLE/*"), ("batch.collect", "all")];
    assert_eq!(browser.send("/console/rules/r/edit", &fields).await.leads_to(), "/console/rules/r?notice=saved");
    let rule = stored(&world, "r").await;
    assert_eq!((&rule["match"]["sources"], &rule["enabled"], rule.get("body")), (&json!(["SQLE/*"]), &json!(false), None));
    assert_eq!(browser.send("/console/rules/r/delete", &[]).await.leads_to(), "/console/rules?notice=deleted");
    assert_eq!(stored(&world, "r").await["code"], "not_found");
}

#[tokio::test]
async fn a_source_is_switched_off_for_all_rules_and_forgotten() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let hostile = "<script>alert(1)</script>/x";
    assert_eq!(browser.send("/console/sources", &[("source", hostile)]).await.leads_to(), "/console/sources?notice=saved");
    let listed = world.call("full", "GET", "/v1/sources", "").await.body;
    assert_eq!(listed["items"][0], json!({"source": hostile, "enabled": false}));
    let page = browser.open("/console/sources").await;
    assert!(page.text.contains("&lt;script&gt;alert(1)") && !page.text.contains("<script>"), "{}", page.text);
    assert_eq!(browser.send("/console/sources/forget", &[("source", hostile)]).await.status, 303);
    assert_eq!(world.call("full", "GET", "/v1/sources", "").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_key_that_may_not_look_saves_over_nothing() {
    let world = world().await;
    let browser = Browser::of(&world, "manage").await;
    let before = json!({"to": ["phone"], "title": "as it was"});
    assert_eq!(world.call("full", "PUT", "/v1/rules/nightly", &before).await.status, 200);
    let page = browser.send("/console/new-rule", &[("name", "nightly"), ("to", "phone")]).await;
    assert_eq!(page.status, 403, "{}", page.text);
    assert_eq!(world.call("full", "GET", "/v1/rules/nightly", "").await.body["title"], "as it was");
}
