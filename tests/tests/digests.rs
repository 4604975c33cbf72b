//! Digests, from the rule to the receiver, through the binary.

#![expect(clippy::disallowed_methods, reason = "a test, which has no other clock")]

use std::time::SystemTime;

use acceptance::{Bellhop, Sink, eventually};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

/// Whom rules tell.
const WEBHOOKS: [&str; 3] = ["phone", "desk", "hall"];

async fn flush(bellhop: &Bellhop, rule: &str) {
    let (status, answer) = bellhop.client.call("POST", &format!("/v1/rules/{rule}/flush"), None).await;
    assert_eq!(status, 202, "{answer}");
}

fn run(source: &str, result: &str, message: &str) -> Value {
    json!({ "source": source, "result": result, "message": message })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_leaves_at_its_second_and_tells_what_was_collected() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    let soon = Timestamp::try_from(SystemTime::now()).unwrap() + SignedDuration::from_secs(4);
    let due = soon.round(jiff::Unit::Second).unwrap();
    let at = due.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).strftime("%H:%M:%S").to_string();
    let batch = json!({ "at": at, "every_seconds": 86_400, "time_zone": "Asia/Shanghai", "immediate": ["failure"] });
    bellhop.client.put("/v1/rules/daily", json!({ "to": ["phone"], "batch": batch })).await;

    let held = bellhop.client.report(run("QD/Example/main", "success", "签到成功 +10")).await;
    assert_eq!(held["deliveries"], json!([]));
    assert_eq!(held["collected"], json!([{ "rule": "daily", "due_at": due.to_string() }]));
    let told = bellhop.client.report(run("QD/Example/main", "failure", "HTTP 403")).await;
    assert_eq!(told["collected"], json!([{ "rule": "daily", "due_at": due.to_string(), "at_once": true }]));
    let (_, preview) = bellhop.client.call("POST", "/v1/rules/daily/preview-digest", None).await;
    assert_eq!((&preview["events"], &preview["due_at"]), (&json!(2), &json!(due.to_string())), "{preview}");

    let arrivals = sink.until(2).await;
    let digest = arrivals.iter().map(acceptance::Arrival::json).find(|body| body["type"] == "digest").unwrap();
    let text = digest["message"].as_str().unwrap();
    assert!(text.contains("签到成功 +10") && text.contains("HTTP 403"), "{text}");
    assert_eq!((&digest["data"]["successes"], &digest["data"]["failures"]), (&json!(1), &json!(1)));
    let events = bellhop.client.get("/v1/events?type=digest").await;
    let event = bellhop.client.get(&format!("/v1/events/{}", events["items"][0]["id"].as_str().unwrap())).await;
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    let delivery = bellhop.client.until(delivery, &["delivered"]).await;
    let left: Timestamp = delivery["attempts"][0]["at"].as_str().unwrap().parse().unwrap();
    let late = left.duration_since(due);
    assert!(late >= SignedDuration::ZERO && late <= SignedDuration::from_secs(2), "{late}");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_has_the_digest_now_and_a_restart_forgets_nothing() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    bellhop
        .client
        .put("/v1/rules/weekly", json!({ "to": ["phone"], "batch": { "at": "00:00:00", "every_seconds": 604_800 } }))
        .await;
    bellhop.client.report(run("a/b", "success", "before the restart")).await;
    bellhop.kill();

    let bellhop = Bellhop::start(data.path());
    bellhop.client.report(run("a/b", "failure", "after the restart")).await;
    flush(&bellhop, "weekly").await;
    let first = sink.until(1).await.remove(0).json();
    let text = first["message"].as_str().unwrap();
    assert!(text.contains("before the restart") && text.contains("after the restart"), "{text}");
    assert_eq!(first["data"]["because"], "flushed");

    bellhop.client.report(run("a/b", "success", "behind the flush")).await;
    flush(&bellhop, "weekly").await;
    let second = sink.until(2).await.remove(1).json();
    assert_eq!((&second["data"]["events"], &second["data"]["number"]), (&json!(1), &json!(2)));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_deleted_or_switched_off_sends_what_it_has_in_a_last_digest() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    let batch = json!({ "at": "00:00:00", "every_seconds": 604_800 });
    bellhop.client.put("/v1/rules/deleted", json!({ "to": ["phone"], "batch": batch })).await;
    bellhop.client.put("/v1/rules/switched-off", json!({ "to": ["desk"], "batch": batch })).await;
    bellhop.client.put("/v1/rules/at-rest", json!({ "to": ["hall"], "batch": batch })).await;
    bellhop.client.report(run("a/b", "success", "kept")).await;

    let (status, _) = bellhop.client.call("DELETE", "/v1/rules/deleted", None).await;
    assert_eq!(status, 204);
    let off = json!({ "batch": { "enabled": false } });
    let (status, answer) = bellhop.client.call("PATCH", "/v1/rules/switched-off", Some(off)).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = bellhop.client.call("PATCH", "/v1/rules/at-rest", Some(json!({ "enabled": false }))).await;
    assert_eq!(status, 200, "{answer}");

    let mut paths: Vec<_> =
        sink.until(3).await.iter().map(|arrival| (arrival.path.clone(), arrival.json()["data"]["because"].clone())).collect();
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(paths, ["/desk", "/hall", "/phone"].map(|path| (path.to_owned(), json!("last"))));
    let at_once = bellhop.client.report(run("a/b", "success", "told at once")).await;
    assert_eq!((at_once["deliveries"][0]["registration"].as_str(), &at_once["collected"]), (Some("desk"), &json!([])));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_event_names_has_a_digest_of_their_own_and_who_is_gone_delays_nobody() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    let batch = json!({ "at": "00:00:00", "every_seconds": 604_800, "title": "{{ events }} of {{ rule }}" });
    bellhop.client.put("/v1/rules/each", json!({ "to": ["event.send_to"], "batch": batch })).await;
    let broken = json!({ "at": "00:00:00", "title": "{{ events | no_such_filter }}" });
    bellhop
        .client
        .put("/v1/rules/broken", json!({ "to": ["gone", "desk"], "match": { "sources": ["other"] }, "batch": broken }))
        .await;
    let event = |to: Value, message: &str| json!({ "source": "s", "message": message, "send_to": to });

    bellhop.client.report(event(json!(["phone"]), "for the phone")).await;
    bellhop.client.report(event(json!(["desk"]), "for the desk")).await;
    bellhop.client.report(json!({ "source": "other", "message": "x" })).await;
    flush(&bellhop, "broken").await;
    flush(&bellhop, "each").await;

    let arrivals = sink.until(5).await; // two went out at once, as `send_to` says
    let digests: Vec<_> =
        arrivals.iter().map(|at| (at.path.clone(), at.json())).filter(|(_, body)| body["type"] == "digest").collect();
    let said = |path: &str, rule: &str| {
        let found = digests.iter().find(|(to, body)| to == path && body["data"]["rule"] == rule);
        found.map(|(_, body)| (body["title"].clone(), body["message"].as_str().unwrap().to_owned())).unwrap()
    };
    let (title, text) = said("/phone", "each");
    assert!(title == "1 of each" && text.contains("for the phone") && !text.contains("for the desk"), "{title}: {text}");
    assert!(said("/desk", "each").1.contains("for the desk"));
    let (title, _) = said("/desk", "broken");
    assert!(!title.as_str().unwrap().is_empty(), "the plain form");
    let events = bellhop.client.get("/v1/events?type=digest&source=digest/broken").await;
    let event = bellhop.client.get(&format!("/v1/events/{}", events["items"][0]["id"].as_str().unwrap())).await;
    assert!(event["decisions"][0]["template_error"].as_str().unwrap().contains("no_such_filter"), "{event}");
    assert_eq!(event["dropped"], json!([{ "recipient": "gone", "rule": "broken", "why": "unknown_recipient" }]));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_of_where_it_is_asked_for() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    let rule = json!({
        "to": ["phone"], "match": { "sources": ["QD/a", "QD/b"] }, "batch": { "at": "00:00:00", "report_idle": true },
    });
    bellhop.client.put("/v1/rules/watch", rule).await;
    bellhop.client.report(run("QD/a", "success", "ran")).await;
    flush(&bellhop, "watch").await;
    let text = sink.until(1).await.remove(0).json()["message"].as_str().unwrap().to_owned();
    assert!(text.contains("ran") && text.contains("not run in this period"), "{text}");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_makes_no_sense_is_refused_with_its_field() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &WEBHOOKS).await;
    for (batch, field) in [
        (json!({}), "batch.at"),
        (json!({ "at": "25:00:00" }), "batch.at"),
        (json!({ "at": "12:00:00", "every_seconds": 59 }), "batch.every_seconds"),
        (json!({ "at": "12:00:00", "time_zone": "Mars/Olympus" }), "batch.time_zone"),
        (json!({ "at": "12:00:00", "title": "{{" }), "batch.title"),
        (json!({ "at": "12:00:00", "max_lines": 0 }), "batch.max_lines"),
        (json!({ "at": "12:00:00", "when": 1 }), "batch.when"),
    ] {
        let (status, problem) =
            bellhop.client.call("PUT", "/v1/rules/wrong", Some(json!({ "to": ["phone"], "batch": batch }))).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{problem}");
    }
    bellhop.client.put("/v1/rules/plain", json!({ "to": ["phone"] })).await;
    for path in ["/v1/rules/plain/flush", "/v1/rules/plain/preview-digest"] {
        let (status, problem) = bellhop.client.call("POST", path, None).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("conflict")), "{problem}");
    }
    let (status, _) = bellhop.client.call("POST", "/v1/rules/nobody/flush", None).await;
    assert_eq!(status, 404);
    let kept = eventually("the rule keeps its first day", async || {
        bellhop
            .client
            .put("/v1/rules/plain", json!({ "to": ["phone"], "batch": { "at": "12:00:00", "anchor": "1999-01-01" } }))
            .await;
        let rule = bellhop.client.get("/v1/rules/plain").await;
        rule["batch"]["anchor"].as_str().map(str::to_owned)
    });
    assert_ne!(kept.await, "1999-01-01", "the day of the first save is ours to say");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_links_to_the_console_where_it_was_said_how_people_reach_it() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop =
        Bellhop::start_with(data.path(), &["--allow-private", "127.0.0.0/8", "--public-url", "https://bellhop.example.com/"]);
    let desk = json!({ "channel": "webhook", "params": { "url": sink.url } });
    bellhop.client.put("/v1/registrations/desk", desk).await;
    bellhop.client.put("/v1/rules/daily", json!({ "to": ["desk"], "batch": { "at": "12:00:00" } })).await;
    bellhop.client.report(json!({ "message": "the backup is done" })).await;
    flush(&bellhop, "daily").await;
    let digest = sink.until(1).await.remove(0).json();
    let said = digest["message"].as_str().unwrap();
    assert!(said.contains("https://bellhop.example.com/console/messages?from="), "{said}");
    bellhop.stop();
}
