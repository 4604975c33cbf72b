//! Mpush's clients and scripts against the real binary, as they were seen against Mpush itself.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::HashSet, time::Duration};

use acceptance::{
    Answer, Bellhop, MpushClient, Sink, command, eventually,
    mpush::{client, get, post, send, start, start_with, webhook},
    stories::{self, Server},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A story that holds in either world, on one machine.
async fn told(story: impl AsyncFnOnce(&Server)) {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let sockets = bellhop.client.url.replace("http", "ws");
    story(&Server { client: bellhop.client.clone(), sockets }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sends_by_name_and_by_group_and_hears_what_became_of_it() {
    told(stories::a_script_sends_by_name_and_by_group_and_hears_what_became_of_it).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_come_by_post_and_are_refused_in_mpushs_words() {
    told(stories::packets_come_by_post_and_are_refused_in_mpushs_words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_its_account_and_without_it_only_what_the_operator_named() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"http_verify_token": true})).await;
    let status = async |path: &str, header: Option<&str>| {
        let request = client().get(format!("{}{path}", bellhop.client.url));
        let request = header.into_iter().fold(request, |request, value| request.header("authorization", value));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/x.send", None).await, 500);
    assert_eq!(status("/x.send", Some("wrong")).await, 500);
    for good in ["t0ken", "Bearer t0ken"] {
        assert_eq!(status("/x.send", Some(good)).await, 200, "{good}");
    }
    assert_eq!(status("/x.send?token=t0ken", None).await, 200);
    bellhop.client.put("/v1/account", json!({ "mpush": { "token": null, "http_verify_token": false } })).await;
    eventually("without a token of its own, nobody reaches the account", async || {
        (status("/x.send", None).await == 500 && status("/x.send", Some("t0ken")).await == 500).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_send_where_the_account_says_so() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"cors": true})).await;
    let url = format!("{}/x.send", bellhop.client.url);
    let asked = client().request(reqwest::Method::OPTIONS, &url).header("origin", "http://o");
    let asked = asked.header("access-control-request-method", "POST").header("access-control-request-headers", "x-a");
    let answer = asked.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(answer.status(), 200);
    assert_eq!(header("access-control-allow-origin").as_deref(), Some("http://o"));
    assert_eq!(header("access-control-allow-methods").as_deref(), Some("POST"));
    assert_eq!(header("access-control-allow-headers").as_deref(), Some("x-a"));
    let sent = client().get(&url).header("origin", "http://o").send().await.unwrap();
    assert_eq!(sent.headers()["access-control-allow-origin"], "http://o");
    bellhop.client.put("/v1/account", json!({ "mpush": { "cors": false } })).await;
    let asked = client().request(reqwest::Method::OPTIONS, &url).header("origin", "http://o");
    assert_eq!(asked.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_read_what_they_are_answered_where_the_account_whose_token_they_show_says_so() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--mpush-account".to_owned(), "none".to_owned()];
    let bellhop = start_with(data.path(), &options, json!({"cors": true, "http_verify_token": true})).await;
    let url = bellhop.client.url.clone();
    let readable = async |request: reqwest::RequestBuilder| {
        let answer = request.header("origin", "http://o").send().await.unwrap();
        answer.headers().get("access-control-allow-origin").is_some_and(|origin| origin == "http://o")
    };
    let preflight = || client().request(reqwest::Method::OPTIONS, &url).header("access-control-request-method", "POST");
    let auth = || client().post(&url).json(&json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "n1"}}));
    let welcome: Value = auth().send().await.unwrap().json().await.unwrap();
    let shown = json!({"cmd": "MESSAGE_WEBPUSH_CALLBACK", "auth": welcome["data"]["auth"], "data": {"mid": "1"}});
    let callback = || client().post(&url).json(&shown);
    let sent = || client().get(format!("{url}/x.send")).header("authorization", "t0ken");
    assert!(readable(preflight()).await, "what it shows is not known before");
    assert!(readable(auth()).await && readable(callback()).await && readable(sent()).await);
    bellhop.client.put("/v1/account", json!({ "mpush": { "cors": false } })).await;
    assert!(!readable(auth()).await && !readable(callback()).await && !readable(sent()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_show_the_token_where_they_have_to_however_open_connections_are() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"http_verify_token": true, "ws_verify_token": false})).await;
    let auth = |token: &str| json!({"cmd": "AUTH", "data": {"token": token, "name": "n1"}});
    let (status, refused) = post(&bellhop.client, auth("")).await;
    assert_eq!((status, &refused["cmd"]), (500, &json!("INFO")), "{refused}");
    assert_eq!(post(&bellhop.client, auth("t0ken")).await.1["data"]["code"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_says_who_it_is_before_anything_else() {
    told(stories::a_connection_says_who_it_is_before_anything_else).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_welcome_is_told_the_key_of_web_push_under_every_name_that_clients_know() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let (_, welcome) = post(&bellhop.client, json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "n1"}})).await;
    let key = bellhop.client.get("/v1/web-push").await["public_key"].clone();
    for name in ["webpushServerKey", "webpushPublicKey", "fcmServerKey"] {
        assert_eq!(welcome["data"][name], key, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_say_who_it_is_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"auth_timeout_ms": 200})).await;
    MpushClient::connect(&bellhop.client.url).await.until_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_send_to_each_other_and_to_groups() {
    told(stories::clients_send_to_each_other_and_to_groups).await;
}

/// The deployed emulator hears one packet of a connection after the other has been answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_be_in_the_group_that_it_sends_to() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "g1").await;
    client.say("MESSAGE", json!({"sendType": "group", "target": "g1", "message": {"text": "ws"}})).await;
    client.take().await;
    assert_eq!(client.reply().await["status"], json!({"cA": "ok"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_message_comes_when_the_one_before_is_acknowledged_and_that_one_comes_again_until_then() {
    told(stories::the_next_message_comes_when_the_one_before_is_acknowledged_and_that_one_comes_again_until_then).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_client_comes_in_order_after_its_welcome_even_after_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"wait_timeout_ms": 0})).await;
    drop(MpushClient::join(&bellhop.client.url, "cA", "").await);
    for number in 0..20 {
        send(&bellhop.client, &format!("/cA.send?text={number}")).await;
    }
    bellhop.kill();
    let bellhop = Bellhop::start(data.path());
    for number in 20..25 {
        send(&bellhop.client, &format!("/cA.send?text={number}")).await;
    }
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    let mut texts = Vec::new();
    let mut seen = HashSet::new();
    while texts.len() < 25 {
        let message = client.take().await;
        if seen.insert(message["mid"].to_string()) {
            texts.push(message["message"]["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(texts, (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_under_one_name_the_later_gets_what_waits_and_the_earlier_is_closed() {
    told(stories::of_two_connections_under_one_name_the_later_gets_what_waits_and_the_earlier_is_closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_by_request_lets_the_next_message_go() {
    told(stories::an_acknowledgement_by_request_lets_the_next_message_go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_who_send_at_once_each_hear_of_their_own_message() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop.client, "wh1", "hooks", "webhook_get", &sink).await;
    let sends = (0..64).map(|_| get(&bellhop.client, "/wh1.send?text=x"));
    let replies = join_all(sends).await;
    let mids: HashSet<_> = replies.iter().map(|(_, reply)| reply["data"]["mid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(mids.len(), 64);
    for (status, reply) in replies {
        assert_eq!((status, &reply["data"]["status"]), (200, &json!({"wh1": "ok"})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_again_soon_and_never_twice_at_once() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop.client, "wh1", "hooks", "webhook_get", &sink).await;
    sink.answer([Answer::status(500), Answer::status(503)]);
    assert_eq!(send(&bellhop.client, "/wh1.send?text=1").await, json!({"wh1": "ok"}), "within two seconds, at the third try");
    assert_eq!(sink.until(3).await.len(), 3);
    // three times as long as until the next try
    sink.slow(Duration::from_millis(900));
    assert_eq!(send(&bellhop.client, "/wh1.send?text=2").await, json!({"wh1": "ok"}));
    assert_eq!(sink.arrivals().len(), 4, "no second copy while the first is under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_message_reaches_a_client_and_an_mpush_call_reaches_any_registration() {
    told(stories::any_message_reaches_a_client_and_an_mpush_call_reaches_any_registration).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mpushs_own_configuration_is_brought_along_and_what_is_left_out_is_said() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    let config = json!({
        "token": "t0ken",
        "http": {"verifyToken": false, "port": 9093, "waitTimeout": 2000, "cors": false},
        "websocket": {"verifyToken": true, "port": 9094, "authTimeout": 30000, "retryTimeout": 3000, "waitTimeout": 5000},
        "webhook": {"retryTimeout": 3000, "proxy": {},
            "clients": [{"name": "wh1", "group": "g", "url": sink.url, "method": "GET"}]},
        "webpush": {"serverKey": "AAAA", "proxy": {}, "retryTimeout": 5000},
    });
    let file = data.path().join("config.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let server = ["--url", &bellhop.client.url, "--key", &bellhop.client.key];
    let output = command(["import-mpush", file.to_str().unwrap()]).args(server).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["registrations"], json!(["wh1"]));
    assert!(said["left_out"][0].as_str().unwrap().contains("server key"), "{said}");
    assert_eq!(send(&bellhop.client, "/g.group?text=x").await, json!({"wh1": "ok"}));
    assert_eq!(sink.until(1).await[0].header("authorization"), "t0ken");
}
