//! Mpush's clients that are told by Web Push, against the real binary and a push service that is played.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use acceptance::{
    Answer, Bellhop, MpushClient, Providers, Subscriber, eventually,
    mpush::{post, send, start_with, states},
    push_service,
};
use serde_json::{Value, json};

/// A server that reaches the push service.
async fn start(data: &Path, settings: Value) -> (Bellhop, Providers) {
    let providers = Providers::start(vec![push_service()]).await;
    let bellhop = start_with(data, &providers.options(data), settings).await;
    (bellhop, providers)
}

/// The packet that has come to the push service, once so many have.
async fn pushed(providers: &Providers, subscriber: &Subscriber, count: usize) -> Value {
    let body = eventually("a push comes", async || Some(providers.arrivals("push").get(count - 1)?.body.clone())).await;
    serde_json::from_str(&subscriber.read(&body)).unwrap()
}

/// Registers a browser that keeps no connection.
async fn browser(bellhop: &Bellhop, name: &str, subscriber: &Subscriber) {
    let subscription = subscriber.subscription();
    let (endpoint, keys) = (&subscription["endpoint"], &subscription["keys"]);
    let params = json!({ "endpoint": endpoint, "p256dh": keys["p256dh"], "auth": keys["auth"] });
    bellhop.client.put(&format!("/v1/registrations/{name}"), json!({ "channel": "web_push", "params": params })).await;
}

/// What AUTH gives to somebody of that name.
async fn auth(bellhop: &Bellhop, name: &str) -> Value {
    let (_, granted) = post(&bellhop.client, json!({ "cmd": "AUTH", "data": { "token": "t0ken", "name": name } })).await;
    granted["data"]["auth"].clone()
}

/// Has a client subscribe, and waits until that is kept.
async fn subscribe(bellhop: &Bellhop, client: &mut MpushClient, name: &str, cmd: &str, subscriber: &Subscriber) {
    let subscription = subscriber.subscription();
    client.say(cmd, subscription.clone()).await;
    eventually("the subscription is kept", async || {
        let kept = bellhop.client.get(&format!("/v1/registrations/{name}")).await;
        (kept["params"]["p256dh"] == subscription["keys"]["p256dh"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_subscribed_by_either_packet_is_told_by_its_push_service_while_it_is_not_connected() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, providers) = start(data.path(), json!({})).await;
    for (count, cmd) in ["REGISTER_WEBPUSH", "REGISTER_FCM"].into_iter().enumerate() {
        let (name, subscriber) = (cmd.to_lowercase(), Subscriber::new());
        let mut client = MpushClient::join(&bellhop.client.url, &name, "").await;
        subscribe(&bellhop, &mut client, &name, cmd, &subscriber).await;

        // connected, it is told over its connection alone
        let path = format!("/{name}.send?text=here");
        let (status, message) = tokio::join!(send(&bellhop.client, &path), client.take());
        assert_eq!((status, &message["message"]["text"]), (json!({ &name: "ok" }), &json!("here")));
        assert_eq!(providers.arrivals("push").len(), count, "{cmd}");

        // and gone, by its push service
        drop(client);
        assert_eq!(send(&bellhop.client, &format!("/{name}.send?text=gone&k=v")).await, json!({ &name: "webpush-ok" }));
        let told = pushed(&providers, &subscriber, count + 1).await;
        assert_eq!((&told["cmd"], &told["data"]["target"]), (&json!("MESSAGE"), &json!(name)));
        assert_eq!(told["data"]["message"], json!({ "text": "gone", "desp": "", "extra": { "k": "v" } }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_used_is_refused_and_what_pages_send_besides_is_passed_over() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, _) = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    client.say("REGISTER_WEBPUSH", json!({ "endpoint": "https://push.example.net/send/1" })).await;
    assert_eq!(client.hear().await, json!({ "cmd": "INFO", "data": "endpoint and keys properties are required" }));
    let keys = json!({ "p256dh": "no point on the curve", "auth": "short" });
    client.say("REGISTER_WEBPUSH", json!({ "endpoint": "https://push.example.net/send/1", "keys": keys })).await;
    let refused = client.hear().await;
    assert!(refused["cmd"] == "INFO" && refused["data"].as_str().unwrap().contains("`keys.p256dh`"), "{refused}");
    client.say("REGISTER_FCM", json!({ "token": "an old one" })).await;
    let refused = client.hear().await;
    assert!(refused["cmd"] == "INFO" && refused["data"].as_str().unwrap().contains("Web Push"), "{refused}");
    // a page without a subscription says nothing in it, and shows whatever it is answered
    client.say("REGISTER_FCM", json!({})).await;
    client.say("PING", json!({})).await;
    assert_eq!(client.hear().await["cmd"], "PONG");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_what_was_pushed_says_so_and_its_sender_hears_of_it() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, providers) = start(data.path(), json!({ "wait_timeout_ms": 25_000 })).await;
    let subscriber = Subscriber::new();
    browser(&bellhop, "desk", &subscriber).await;
    let auth = auth(&bellhop, "desk").await;
    let shows = async {
        let told = pushed(&providers, &subscriber, 1).await;
        let callback =
            |auth: &Value| json!({ "cmd": "MESSAGE_WEBPUSH_CALLBACK", "data": { "mid": told["data"]["mid"] }, "auth": auth });
        let need_auth = json!({ "cmd": "INFO", "data": "The MESSAGE_WEBPUSH_CALLBACK cmd must need auth." });
        assert_eq!(post(&bellhop.client, callback(&Value::Null)).await, (200, need_auth));
        assert_eq!(post(&bellhop.client, callback(&json!("x.y.z"))).await.0, 500);
        let delivery = bellhop.client.get("/v1/deliveries?registration=desk").await["items"][0].take();
        assert_ne!(delivery["state"], "confirmed", "whoever that was");
        assert_eq!(post(&bellhop.client, callback(&auth)).await.0, 200);
    };
    let (status, ()) = tokio::join!(send(&bellhop.client, "/desk.send?text=x"), shows);
    assert_eq!(status, json!({ "desk": "webpush-ok-comfirm" }));
    assert_eq!(states(&bellhop.client, "desk").await, ["confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_confirms_over_its_connection_what_it_was_pushed_meanwhile() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, providers) = start(data.path(), json!({})).await;
    let subscriber = Subscriber::new();
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    subscribe(&bellhop, &mut client, "cA", "REGISTER_WEBPUSH", &subscriber).await;
    drop(client);
    assert_eq!(send(&bellhop.client, "/cA.send?text=x").await, json!({ "cA": "webpush-ok" }));
    let told = pushed(&providers, &subscriber, 1).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    client.say("MESSAGE_WEBPUSH_CALLBACK", json!({ "mid": told["data"]["mid"] })).await;
    eventually("it is confirmed", async || (states(&bellhop.client, "cA").await == ["confirmed"]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_hears_that_the_push_service_has_not_taken_it_yet_and_then_that_it_has() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, providers) = start(data.path(), json!({ "wait_timeout_ms": 500 })).await;
    browser(&bellhop, "desk", &Subscriber::new()).await;
    providers.answer("push", [Answer::status(503).header("retry-after", "1")]);
    assert_eq!(send(&bellhop.client, "/desk.send?text=1").await, json!({ "desk": "webpush-wait" }));
    eventually("it is delivered", async || (states(&bellhop.client, "desk").await == ["delivered"]).then_some(())).await;
    assert_eq!(send(&bellhop.client, "/desk.send?text=2").await, json!({ "desk": "webpush-ok" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_subscription_has_ended_comes_back_without_it() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, providers) = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    subscribe(&bellhop, &mut client, "cA", "REGISTER_WEBPUSH", &Subscriber::new()).await;
    drop(client);

    // given a push service that has given it up: what it did not take waits, and it is not asked again
    providers.answer("push", [Answer::status(410)]);
    assert_eq!(send(&bellhop.client, "/cA.send?text=1").await, json!({ "cA": "wait" }));
    eventually("the subscription is switched off", async || {
        (bellhop.client.get("/v1/registrations/cA").await["disabled"]["reason"] == "gone").then_some(())
    })
    .await;
    bellhop.client.send(json!({ "to": "cA", "title": "1b" })).await;

    // when the client is there again, it gets what waited
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "g").await;
    assert_eq!(client.take().await["message"]["text"], "1");
    assert_eq!(client.take().await["message"]["text"], "1b");

    // its messages come over its connection
    let (status, message) = tokio::join!(send(&bellhop.client, "/g.group?text=2"), client.take());
    assert_eq!((status, &message["message"]["text"]), (json!({ "cA": "ok" }), &json!("2")));

    // and wait for it when it is gone
    drop(client);
    assert_eq!(send(&bellhop.client, "/cA.send?text=3").await, json!({ "cA": "wait" }));
    assert_eq!(providers.arrivals("push").len(), 1);
}
