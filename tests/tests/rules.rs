//! Rules, from the API to the receiver: what is told, what is not, and that it says why.

#![expect(clippy::unwrap_used, reason = "a test")]

use acceptance::{Bellhop, Sink};
use serde_json::{Value, json};

fn run(result: &str, message: &str) -> Value {
    json!({ "source": "QD/Example/main", "type": "task.end", "result": result, "message": message })
}

fn reached(answer: &Value) -> Vec<&str> {
    answer["deliveries"].as_array().unwrap().iter().map(|delivery| delivery["registration"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_tells_what_it_looks_at_and_says_why_it_is_silent() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    let rule = json!({
        "match": { "sources": ["qd/*"] }, "notify": { "auto_failure": true }, "to": ["phone"],
        "title": "{{ task }}: {{ result }}", "body": "[{log}]",
    });
    bellhop.client.put("/v1/rules/failures", rule).await;

    let told = bellhop.client.report(run("failure", "签到失败: 403")).await;
    assert_eq!((reached(&told), &told["dropped"]), (vec!["phone"], &json!([])));
    let arrival = sink.until(1).await.remove(0);
    assert_eq!(
        (arrival.json()["title"].as_str(), arrival.json()["message"].as_str()),
        (Some("main: failure"), Some("[签到失败: 403]"))
    );

    let silent = bellhop.client.report(run("success", "ok")).await;
    assert_eq!(silent["deliveries"], json!([]));
    assert_eq!(silent["dropped"], json!([{ "rule": "failures", "why": "notify_switched_off" }]));
    let event = bellhop.client.get(&format!("/v1/events/{}", silent["event"].as_str().unwrap())).await;
    assert_eq!(event["decisions"], json!([{ "rule": "failures", "decided": "drop", "why": "notify_switched_off" }]));
    let other = bellhop.client.report(json!({ "source": "other", "result": "failure", "message": "x" })).await;
    assert_eq!((&other["deliveries"], &other["dropped"]), (&json!([]), &json!([])));
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_failure_in_a_row_is_told_and_the_recovery() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    let rule = json!({ "after_failures": 3, "tell_recovery": true, "notify": { "auto_failure": true }, "to": ["phone"] });
    bellhop.client.put("/v1/rules/third", rule).await;

    for count in [1, 2] {
        let below = bellhop.client.report(run("failure", "no")).await;
        let why = json!([{ "rule": "third", "why": "below_failure_threshold", "count": count, "needed": 3 }]);
        assert_eq!(below["dropped"], why);
    }
    // a person's run neither counts nor resets
    let by_hand = json!({ "source": "QD/Example/main", "trigger": "manual", "result": "success", "message": "by hand" });
    assert_eq!(bellhop.client.report(by_hand).await["dropped"][0]["why"], "notify_switched_off");
    assert_eq!(reached(&bellhop.client.report(run("failure", "no")).await), ["phone"]);
    sink.until(1).await; // messages that are under way at the same time may overtake each other
    assert_eq!(reached(&bellhop.client.report(run("success", "yes")).await), ["phone"]);
    let arrivals = sink.until(2).await;
    let titles: Vec<_> = arrivals.iter().map(|arrival| arrival.json()["title"].as_str().map(str::to_owned)).collect();
    assert_eq!(titles, [Some(String::new()), Some("QD/Example/main: recovered after 3 failures".to_owned())]);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_bulk_count_in_its_order() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    bellhop.client.put("/v1/rules/third", json!({ "after_failures": 3, "to": ["phone"] })).await;
    // whoever is named besides has to be looked up first, which takes the one longer than the other
    let named = |index: usize| if index.is_multiple_of(2) { json!(["phone"]) } else { json!([]) };
    let events: Vec<_> = (0..40).map(|index| (named(index), if index % 4 == 3 { "success" } else { "failure" })).collect();
    let events: Vec<_> = events
        .into_iter()
        .map(|(whom, result)| json!({ "source": "a", "result": result, "message": "ran", "send_to": whom }))
        .collect();

    let (status, answer) = bellhop.client.call("POST", "/v1/events/bulk", Some(json!({ "events": events }))).await;

    assert_eq!(status, 202, "{answer}");
    let counted = |item: &Value| item["dropped"].as_array().unwrap().iter().find_map(|dropped| dropped["count"].as_u64());
    let counted: Vec<_> = answer["items"].as_array().unwrap().iter().map(counted).collect();
    assert_eq!(counted, [Some(1), Some(2), None, None].repeat(10));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_one_event_twice_and_who_is_gone_costs_nobody_else() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone", "desk"]).await;
    bellhop.client.put("/v1/rules/a", json!({ "to": ["phone", "gone"], "body": "from a" })).await;
    bellhop.client.put("/v1/rules/b", json!({ "to": ["phone", "event.send_to"], "body": "from b" })).await;

    let answer = bellhop.client.report(json!({ "message": "x", "send_to": ["desk"] })).await;

    assert_eq!(reached(&answer), ["desk", "phone"]);
    assert_eq!(answer["dropped"], json!([{ "recipient": "gone", "rule": "a", "why": "unknown_recipient" }]));
    let mut said: Vec<_> = sink.until(2).await.iter().map(|at| (at.path.clone(), at.json()["message"].clone())).collect();
    said.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(said, [("/desk".to_owned(), json!("x")), ("/phone".to_owned(), json!("from a"))]);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_switched_off_for_all_rules_and_on_again() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    bellhop.client.put("/v1/rules/all", json!({ "to": ["phone"] })).await;
    bellhop.client.put("/v1/sources", json!({ "source": "QD/Example/main", "enabled": false })).await;

    assert_eq!(bellhop.client.report(run("failure", "x")).await["dropped"][0]["why"], "source_switched_off");
    assert_eq!(bellhop.client.get("/v1/sources").await["items"], json!([{ "source": "QD/Example/main", "enabled": false }]));
    let (status, _) = bellhop.client.call("DELETE", "/v1/sources?source=QD%2FExample%2Fmain", None).await;
    assert_eq!(status, 204);
    assert_eq!(reached(&bellhop.client.report(run("failure", "x")).await), ["phone"]);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_leaves_the_events_own_words_and_says_so() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    bellhop.client.put("/v1/rules/broken", json!({ "to": ["phone"], "body": "{{ message | no_such_filter }}" })).await;

    let answer = bellhop.client.report(json!({ "message": "as it was" })).await;

    assert_eq!(sink.until(1).await[0].json()["message"], "as it was");
    let event = bellhop.client.get(&format!("/v1/events/{}", answer["event"].as_str().unwrap())).await;
    assert!(event["decisions"][0]["template_error"].as_str().unwrap().contains("filter"), "{event}");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_saved_changed_listed_and_refused_with_the_field() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    bellhop.client.put("/v1/rules/night", json!({ "to": ["phone"], "match": { "types": ["a.*"] }, "after_failures": 2 })).await;

    let (status, patched) = bellhop
        .client
        .call("PATCH", "/v1/rules/night", Some(json!({ "match": { "sources": ["b"] }, "after_failures": null })))
        .await;
    assert_eq!(
        (status, &patched["match"], &patched["after_failures"]),
        (200, &json!({ "sources": ["b"], "types": ["a.*"] }), &json!(0))
    );
    assert_eq!(bellhop.client.get("/v1/rules").await["items"], json!([patched]));

    for (body, field) in [
        (json!({}), "to"),
        (json!({ "to": [] }), "to"),
        (json!({ "to": ["phone"], "after_failures": 101 }), "after_failures"),
        (json!({ "to": ["phone"], "notify": { "always": true } }), "notify.always"),
        (json!({ "to": ["phone"], "body": "{% if %}" }), "body"),
        (json!({ "to": ["a b"] }), "to[0]"),
    ] {
        let (status, problem) = bellhop.client.call("PUT", "/v1/rules/night", Some(body.clone())).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{body} {problem}");
    }
    let (status, _) = bellhop.client.call("DELETE", "/v1/rules/night", None).await;
    assert_eq!((status, bellhop.client.get("/v1/rules").await["items"].as_array().unwrap().len()), (204, 0));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_reached_by_every_registration_that_serves_contacts_and_has_an_address_for() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["phone"]).await;
    let mail = json!({ "host": "127.0.0.1", "port": 9, "tls": "none", "from": "bell@example.org" });
    let serving = json!({ "channel": "email", "params": mail, "serves": "contacts" });
    bellhop.client.put("/v1/registrations/mail", serving).await;
    bellhop.client.put("/v1/contacts/alice", json!({ "email": "alice@example.org", "locale": "zh-CN" })).await;
    bellhop.client.put("/v1/contacts/bob", json!({ "phone": "+8613800000000" })).await;

    let to_alice = json!({ "to": ["contact:alice"], "body": "x" });
    let (status, answer) = bellhop.client.call("POST", "/v1/messages", Some(to_alice)).await;
    let reached = &answer["deliveries"][0];
    assert_eq!((status, &reached["registration"], &reached["address"]), (202, &json!("mail"), &json!("email:alice@example.org")));

    for (to, code) in [("contact:bob", "no_address"), ("contact:carol", "unknown_recipient")] {
        let (status, problem) = bellhop.client.call("POST", "/v1/messages", Some(json!({ "to": to, "body": "x" }))).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (422, &json!(code), &json!("to[0]")), "{problem}");
    }
    bellhop.client.put("/v1/rules/people", json!({ "to": ["contact:bob", "phone"] })).await;
    let told = bellhop.client.report(json!({ "message": "x" })).await;
    assert_eq!(told["dropped"], json!([{ "recipient": "contact:bob", "rule": "people", "why": "no_address" }]));

    let (_, changed) = bellhop.client.call("PATCH", "/v1/contacts/bob", Some(json!({ "email": "bob@example.org" }))).await;
    assert_eq!((&changed["email"], &changed["phone"]), (&json!("bob@example.org"), &json!("+8613800000000")));
    let (status, problem) = bellhop.client.call("PUT", "/v1/contacts/bob", Some(json!({ "email": "not one" }))).await;
    assert_eq!((status, &problem["field"]), (422, &json!("email")));
    assert_eq!(bellhop.client.get("/v1/contacts").await["items"].as_array().unwrap().len(), 2);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_that_is_switched_off_hides_no_other() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &[]).await;
    let mail = json!({ "host": "127.0.0.1", "port": 9, "tls": "none", "from": "bell@example.org" });
    let default = |enabled: bool| json!({ "channel": "email", "params": mail, "default": true, "enabled": enabled });
    bellhop.client.put("/v1/registrations/aa", default(false)).await;
    let to_somebody = json!({ "to": "email:x@example.org", "body": "x" });

    let (_, alone) = bellhop.client.call("POST", "/v1/messages", Some(to_somebody.clone())).await;
    assert_eq!(alone["dropped"], json!([{ "registration": "aa", "why": "registration_disabled" }]));

    bellhop.client.put("/v1/registrations/bb", default(true)).await;
    let (_, answer) = bellhop.client.call("POST", "/v1/messages", Some(to_somebody)).await;
    assert_eq!(reached(&answer), ["bb"]);
    bellhop.stop();
}
