//! One notification, all the way: the real binary, a real receiver, and everything that can happen in between.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use acceptance::{Answer, BODY_SECRET, Bellhop, HEADER_SECRET, Sink, URL_SECRET, eventually};
use serde_json::{Value, json};

/// A registration `desk` that leads to the sink, with secrets planted everywhere.
async fn register(bellhop: &Bellhop, sink: &Sink) {
    let url = format!("{}/hook/{URL_SECRET}", sink.url);
    let params = json!({ "url": url, "headers": { "X-Token": HEADER_SECRET } });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
}

fn message() -> Value {
    json!({ "to": "desk", "title": "hello", "body": BODY_SECRET })
}

fn outcomes(delivery: &Value) -> Vec<&str> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_once_and_its_fate_is_known() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;

    let event = json!({ "source": "QD/Example/main", "type": "domain.end", "result": "failure", "message": BODY_SECRET, "send_to": "desk" });
    let (status, answer) = bellhop.client.call("POST", "/v1/events", Some(event)).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["deliveries"][0]["state"], "queued");

    let arrival = sink.until(1).await.remove(0);
    assert_eq!(arrival.path, format!("/hook/{URL_SECRET}"));
    assert_eq!(arrival.header("x-token"), HEADER_SECRET);
    assert_eq!(arrival.header("webhook-id"), answer["deliveries"][0]["id"].as_str().unwrap());
    assert_eq!(arrival.json()["message"], BODY_SECRET);
    assert_eq!(arrival.json()["source"], "QD/Example/main");
    let delivery = bellhop.client.until(answer["deliveries"][0]["id"].as_str().unwrap(), &["delivered"]).await;
    assert_eq!(outcomes(&delivery), ["delivered"]);
    let event = bellhop.client.get(&format!("/v1/events/{}", answer["event"].as_str().unwrap())).await;
    assert_eq!(event["deliveries"][0]["state"], "delivered");
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_picture_goes_with_messages_that_have_none_unless_it_is_not_wanted() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    bellhop.client.put("/v1/account", json!({ "default_image_url": "https://e.com/default.png" })).await;
    for (name, wanted) in [("with", true), ("without", false)] {
        let params = json!({ "webhook": sink.url, "include_picture": wanted });
        bellhop.client.put(&format!("/v1/registrations/{name}"), json!({ "channel": "discord", "params": params })).await;
    }
    let send = async |message: Value| {
        let before = sink.arrivals().len();
        bellhop.client.send(message).await;
        sink.until(before + 1).await.remove(before).json()["embeds"][0]["image"]["url"].clone()
    };

    assert_eq!(send(json!({ "to": "with", "body": "b" })).await, "https://e.com/default.png");
    let own = json!({ "to": "with", "body": "b", "image_url": "https://e.com/own.png" });
    assert_eq!(send(own).await, "https://e.com/own.png");
    assert_eq!(send(json!({ "to": "without", "body": "b" })).await, Value::Null);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_sends_nothing_twice() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.slow(Duration::from_millis(300));
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    for _ in 0..30 {
        bellhop.client.send(message()).await;
    }
    sink.until(1).await;
    let log = bellhop.stop();
    assert!(log.contains("\"message\":\"stopped\""), "{log}");

    let bellhop = Bellhop::start(data.path());
    let listed = eventually("all are delivered", async || {
        let listed = bellhop.client.get("/v1/deliveries?state=delivered&limit=200").await;
        (listed["items"].as_array().unwrap().len() == 30).then_some(listed)
    });
    listed.await;
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_503_it_is_tried_again_when_the_receiver_said_and_arrives() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.answer([Answer::status(503).header("retry-after", "1")]);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);

    let waiting = bellhop.client.until(&delivery, &["retrying"]).await;
    assert!(waiting["next_attempt_at"].is_string(), "{waiting}");
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(outcomes(&delivered), ["retry", "delivered"]);
    assert_eq!(delivered["attempts"][0]["status"], 503);
    let arrivals = sink.arrivals();
    assert_eq!(arrivals.len(), 2);
    assert_eq!(arrivals[0].header("webhook-id"), arrivals[1].header("webhook-id"), "a retry keeps the id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_retry_survives_a_restart() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.answer([Answer::status(503).header("retry-after", "2")]);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);
    bellhop.client.until(&delivery, &["retrying"]).await;
    bellhop.kill();

    let bellhop = Bellhop::start(data.path());
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(outcomes(&delivered), ["retry", "delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_410_disables_the_registration_and_says_so() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.answer([Answer::status(410)]);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);

    let failed = bellhop.client.until(&delivery, &["failed"]).await;
    assert_eq!(failed["reason"], "gone");
    let disabled = eventually("the registration is disabled", async || {
        let found = bellhop.client.get("/v1/registrations/desk").await;
        found["disabled"].is_object().then_some(found)
    });
    assert_eq!(disabled.await["disabled"]["reason"], "gone");
    let (_, answer) = bellhop.client.call("POST", "/v1/messages", Some(message())).await;
    assert_eq!(answer["dropped"][0]["why"], "registration_disabled", "{answer}");
    assert_eq!(answer["deliveries"], json!([]));

    register(&bellhop, &sink).await; // mended by its owner
    let delivery = bellhop.client.send(message()).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(sink.arrivals().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_workers_becomes_a_dead_letter_and_a_redrive_delivers_it() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.hold(true);
    let mut bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);
    for kill in 1..=4 {
        sink.until(kill).await;
        bellhop.kill();
        bellhop = Bellhop::start(data.path());
    }

    let dead = bellhop.client.until(&delivery, &["failed"]).await;
    assert_eq!(dead["reason"], "dead_letter");
    assert_eq!(outcomes(&dead), ["unknown"; 4]);
    let letters = bellhop.client.get("/v1/dead-letters").await;
    assert_eq!(letters["items"], json!([{ "channel": "webhook", "count": 1 }]));

    sink.hold(false);
    let (status, answer) = bellhop.client.call("POST", "/v1/dead-letters/redrive", Some(json!({ "channel": "webhook" }))).await;
    assert_eq!((status, &answer["redriven"]), (200, &json!(1)), "{answer}");
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(outcomes(&delivered).last(), Some(&"delivered"));
    assert_eq!(delivered["attempts"][4]["repeated"], true);
    assert_eq!(bellhop.client.get("/v1/dead-letters").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_retry_what_has_failed() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.answer([Answer::status(400)]);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);
    bellhop.client.until(&delivery, &["failed"]).await;

    let (status, answer) = bellhop.client.call("POST", &format!("/v1/deliveries/{delivery}/retry"), None).await;
    assert_eq!(status, 202, "{answer}");
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(outcomes(&delivered), ["failed", "delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_retry_under_one_key_begins_one_round() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    let retry = async |body: &str| {
        let path = format!("/v1/deliveries/{delivery}/retry");
        bellhop.client.try_call("POST", &path, &[("idempotency-key", "again")], Some(body.to_owned())).await.unwrap()
    };
    assert_eq!(retry("{}").await.0, 202);
    sink.until(2).await;
    bellhop.client.until(&delivery, &["delivered"]).await;
    assert_eq!(retry("{}").await.0, 202, "it is answered with the states of now");
    assert_eq!(retry("{\"x\": 1}").await.1["code"], "unknown_field");
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_no_request_and_no_send() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.slow(Duration::from_millis(300));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let bellhop = Bellhop::start_command(data.path(), &["--allow-private", "127.0.0.0/8"], |command| {
        command.stderr(full);
    });
    register(&bellhop, &sink).await;
    let delivery = bellhop.client.send(message()).await.remove(0);
    sink.until(1).await;
    bellhop.stop(); // checks that it ends well
    let bellhop = Bellhop::start(data.path());
    assert_eq!(outcomes(&bellhop.client.until(&delivery, &["delivered"]).await), ["delivered"]);
    assert_eq!(sink.arrivals().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_answered_when_the_server_stops() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.answer([Answer::status(503).header("retry-after", "60")]);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let client = bellhop.client.clone();
    let waiting = json!({ "to": "desk", "body": BODY_SECRET, "wait_seconds": 25 });
    let waiting = tokio::spawn(async move { client.call("POST", "/v1/messages", Some(waiting)).await });
    sink.until(1).await;
    let stopping = tokio::task::spawn_blocking(|| bellhop.stop());
    let (status, answer) = waiting.await.unwrap();
    assert_eq!(status, 202);
    assert!(answer["deliveries"][0]["state"].is_string());
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_answered_with_what_was_kept_and_sends_nothing_more() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let send = async |body: Value| {
        let key = [("idempotency-key", "once")];
        bellhop.client.try_call("POST", "/v1/messages", &key, Some(body.to_string())).await.unwrap()
    };
    let (status, first) = send(message()).await;
    assert_eq!(status, 202);
    let delivery = first["deliveries"][0]["id"].as_str().unwrap();
    bellhop.client.until(delivery, &["delivered"]).await;

    let (status, second) = send(message()).await;
    assert_eq!((status, &second["event"]), (202, &first["event"]));
    assert_eq!(second["deliveries"][0]["state"], "delivered", "the states of now");
    let (status, third) = send(json!({ "to": "desk", "body": "another" })).await;
    assert_eq!((status, &third["code"]), (422, &json!("idempotency_mismatch")));
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_wait_for_the_outcome() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    register(&bellhop, &sink).await;
    let waiting = json!({ "to": "desk", "body": BODY_SECRET, "wait_seconds": 20 });
    let (status, answer) = bellhop.client.call("POST", "/v1/messages", Some(waiting)).await;
    assert_eq!((status, &answer["deliveries"][0]["state"]), (202, &json!("delivered")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_receiver_holds_up_nobody_else() {
    let (data, hanging, quick) = (tempfile::tempdir().unwrap(), Sink::start().await, Sink::start().await);
    hanging.hold(true);
    let bellhop = Bellhop::start(data.path());
    let open = |sink: &Sink| json!({ "channel": "webhook", "params": { "url": sink.url } });
    bellhop.client.put("/v1/registrations/hanging", open(&hanging)).await;
    bellhop.client.put("/v1/registrations/quick", open(&quick)).await;
    bellhop.client.put("/v1/account", json!({ "rate": { "per_second": 0, "burst": 0 } })).await;
    for _ in 0..100 {
        bellhop.client.send(json!({ "to": "hanging", "body": "x" })).await;
    }
    hanging.until(8).await;
    for _ in 0..20 {
        bellhop.client.send(json!({ "to": "quick", "body": "x" })).await;
    }
    quick.until(20).await;
    assert_eq!(hanging.arrivals().len(), 8, "no more than eight at a time of one registration");
}
