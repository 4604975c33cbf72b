//! Mpush's clients and scripts against the real binary, as they were seen against Mpush itself.

use std::{collections::HashSet, time::Duration};

use acceptance::{
    Answer, Bellhop, MpushClient, Sink, command, eventually,
    mpush::{client, get, post, send, start, states, webhook},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sends_by_name_and_by_group_and_hears_what_became_of_it() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop, "wh1", "webhook_get", &sink).await;
    webhook(&bellhop, "wh2", "webhook_post", &sink).await;

    assert_eq!(send(&bellhop, "/wh1.send?text=hello&desp=world&a=233&b=%7B%22x%22:1%7D").await, json!({"wh1": "ok"}));
    let arrival = sink.until(1).await.remove(0);
    assert_eq!(arrival.header("authorization"), "t0k");
    assert!(arrival.path.starts_with("/wh1?text=hello&desp=world&sendType=personal&target=wh1&fromMethod=http&fromName=&mid="));
    assert!(arrival.path.ends_with("&a=233&b=%7B%22x%22%3A1%7D"), "{}", arrival.path);

    assert_eq!(send(&bellhop, "/hooks.group?text=g1&desp=d1").await, json!({"wh1": "ok", "wh2": "ok"}));
    let post = sink.until(3).await.into_iter().find(|arrival| arrival.path == "/wh2").unwrap().json();
    let data = &post["data"];
    assert_eq!((&post["cmd"], &data["sendType"], &data["target"]), (&json!("MESSAGE"), &json!("group"), &json!("hooks")));
    assert_eq!(data["message"], json!({"text": "g1", "desp": "d1", "extra": {}}));

    assert_eq!(send(&bellhop, "/wh1.send").await, json!({"wh1": "ok"}), "nothing has to be said");
    assert_eq!(send(&bellhop, "/nobody.send?text=x").await, json!({"nobody": "no"}));
    assert_eq!(send(&bellhop, "/a.b.send?text=x").await, json!({"a.b": "no"}));
    for nobody in ["/nogroup.group?text=x", "/.group?text=x"] {
        assert_eq!(send(&bellhop, nobody).await, json!({}));
    }
    assert_eq!(get(&bellhop, "/bad").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_come_by_post_and_are_refused_in_mpushs_words() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop, "wh2", "webhook_post", &sink).await;
    let info = |text: &str| json!({"cmd": "INFO", "data": text});

    assert_eq!(post(&bellhop, json!({"cmd": "NOPE"})).await, (500, info("Unknow cmd: NOPE")));
    assert_eq!(post(&bellhop, json!({"cmd": "TEST_HTTP"})).await, (200, Value::Null));
    let wrong_type = json!({"cmd": "MESSAGE", "data": {"sendType": "x", "target": "wh2", "message": {}}});
    assert_eq!(post(&bellhop, wrong_type).await, (500, info("sendType property must 'personal' or 'group'")));
    let no_target = json!({"cmd": "MESSAGE", "data": {"sendType": "personal", "message": {}}});
    assert_eq!(post(&bellhop, no_target).await, (500, info("target property is required")));
    let nameless = json!({"cmd": "AUTH", "data": {"token": "t0ken"}});
    assert_eq!(post(&bellhop, nameless).await, (500, info("name property is required")));
    let wrong = json!({"cmd": "AUTH", "data": {"token": "bad", "name": "n1"}});
    assert_eq!(post(&bellhop, wrong).await, (200, json!({"cmd": "AUTH", "data": {"code": 403, "msg": "Token invalid"}})));
    let unknown = json!({"cmd": "MESSAGE_CALLBACK", "data": {"mid": "1"}});
    assert_eq!(post(&bellhop, unknown).await, (200, info("The MESSAGE_CALLBACK cmd must need auth.")));
    let request = client().post(format!("{}/", bellhop.client.url)).header("content-type", "text/plain");
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()),
        (500, info("Unsupported Content Type: text/plain"))
    );

    let (_, granted) = post(&bellhop, json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "n1", "group": "g"}})).await;
    let auth = granted["data"]["auth"].clone();
    let extra = json!({"scheme": "x://y", "n": {"a": 1}});
    let message = json!({"sendType": "personal", "target": "wh2", "message": {"text": "pt", "desp": "pd", "extra": extra}});
    let (status, reply) = post(&bellhop, json!({"cmd": "MESSAGE", "auth": auth, "data": message})).await;
    assert_eq!((status, &reply["data"]["status"]), (200, &json!({"wh2": "ok"})));
    let arrived = sink.until(1).await.remove(0).json();
    assert_eq!(arrived["data"]["from"], json!({"method": "http", "name": "n1"}));
    assert_eq!(arrived["data"]["message"]["extra"], extra);
    assert_eq!(arrived["data"]["mid"], reply["data"]["mid"]);
    let (status, _) = post(&bellhop, json!({"cmd": "MESSAGE", "auth": "x.y.z", "data": message})).await;
    assert_eq!(status, 500, "what AUTH did not give counts for nothing");
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
async fn a_connection_says_who_it_is_before_anything_else() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop, "wh1", "webhook_get", &sink).await;
    let mut client = MpushClient::connect(&bellhop.client.url).await;
    let need_auth = json!({"cmd": "AUTH", "data": {"code": 401, "msg": "Need Auth"}});
    client.write(r#"{"cmd":"PING"}"#).await;
    assert_eq!(client.hear().await, need_auth);
    client.write(r#""not json obj""#).await;
    assert_eq!(client.hear().await, need_auth);
    client.write("garbage{").await;
    assert_eq!(client.hear().await["cmd"], "INFO");
    client.say("AUTH", json!({"token": "bad", "name": "cA"})).await;
    assert_eq!(client.hear().await, json!({"cmd": "AUTH", "data": {"code": 403, "msg": "Token invalid"}}));
    client.say("AUTH", json!({"token": "t0ken"})).await;
    assert_eq!(client.hear().await, json!({"cmd": "INFO", "data": "name property is required"}));
    client.say("AUTH", json!({"token": "t0ken", "name": "wh1"})).await;
    let used = json!({"cmd": "AUTH", "data": {"code": 403, "msg": "The name [wh1] is already used"}});
    assert_eq!(client.hear().await, used);
    client.say("AUTH", json!({"token": "t0ken", "name": "cA", "group": "g1"})).await;
    assert_eq!(client.hear().await["data"]["code"], 200);
    client.say("PING", json!({})).await;
    assert_eq!(client.hear().await, json!({"cmd": "PONG", "data": ""}));
    client.say("NOPE", json!({})).await;
    assert_eq!(client.hear().await, json!({"cmd": "INFO", "data": "Unknow cmd: NOPE"}));
    let registration = bellhop.client.get("/v1/registrations/cA").await;
    assert_eq!((&registration["channel"], &registration["groups"]), (&json!("mpush"), &json!(["g1"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_welcome_is_told_the_key_of_web_push_under_every_name_that_clients_know() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let (_, welcome) = post(&bellhop, json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "n1"}})).await;
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
async fn clients_send_to_each_other_and_to_groups_with_themselves_in_it() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let mut a = MpushClient::join(&bellhop.client.url, "cA", "g1").await;
    let mut b = MpushClient::join(&bellhop.client.url, "cB", "g1").await;

    let message = json!({"text": "ws", "desp": "hello", "extra": {"k": 1}});
    b.say("MESSAGE", json!({"sendType": "personal", "target": "cA", "message": message})).await;
    let got = a.take().await;
    assert_eq!((&got["from"], &got["message"]), (&json!({"method": "websocket", "name": "cB"}), &message));
    let reply = b.hear().await;
    assert_eq!(reply, json!({"cmd": "MESSAGE_REPLY", "data": {"mid": got["mid"], "status": {"cA": "ok"}}}));

    b.say("MESSAGE", json!({"sendType": "group", "target": "g1", "message": {"text": "ws"}})).await;
    let (to_a, to_b) = (a.take().await, b.take().await);
    assert_eq!(to_a["mid"], to_b["mid"]);
    assert_eq!(b.hear().await["data"]["status"], json!({"cA": "ok", "cB": "ok"}));

    b.say("MESSAGE", json!({"sendType": "personal", "target": "zz", "message": {"text": "ws"}})).await;
    assert_eq!(b.hear().await["data"]["status"], json!({"zz": "no"}));
    b.say("MESSAGE", json!({"sendType": "zz", "target": "g1", "message": {"text": "ws"}})).await;
    assert_eq!(b.hear().await, json!({"cmd": "INFO", "data": "sendType property must 'personal' or 'group'"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_message_comes_when_the_one_before_is_acknowledged_and_that_one_comes_again_until_then() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    let (first, second) = (send(&bellhop, "/cA.send?text=1"), send(&bellhop, "/cA.send?text=2"));
    let (first, second) = tokio::join!(first, async {
        // behind the first, which is kept by now
        let seen = client.message().await;
        assert_eq!(seen["message"]["text"], "1");
        second.await
    });
    assert_eq!((first, second), (json!({"cA": "wait"}), json!({"cA": "ready"})));
    let again = client.message().await;
    assert_eq!(again["message"]["text"], "1");
    client.say("MESSAGE_CALLBACK", json!({"mid": "123"})).await;
    client.acknowledge(&again).await;
    let next = loop {
        let message = client.take().await;
        if message["mid"] != again["mid"] {
            break message;
        }
    };
    assert_eq!(next["message"]["text"], "2", "another number acknowledges nothing");
    eventually("both are confirmed", async || (states(&bellhop, "cA").await == ["confirmed", "confirmed"]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_client_comes_in_order_after_its_welcome_even_after_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"wait_timeout_ms": 0})).await;
    drop(MpushClient::join(&bellhop.client.url, "cA", "").await);
    for number in 0..20 {
        send(&bellhop, &format!("/cA.send?text={number}")).await;
    }
    bellhop.kill();
    let bellhop = Bellhop::start(data.path());
    for number in 20..25 {
        send(&bellhop, &format!("/cA.send?text={number}")).await;
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
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"wait_timeout_ms": 0})).await;
    let mut first = MpushClient::join(&bellhop.client.url, "cA", "").await;
    send(&bellhop, "/cA.send?text=1").await;
    assert_eq!(first.message().await["message"]["text"], "1");
    let mut second = MpushClient::join(&bellhop.client.url, "cA", "").await;
    first.until_closed().await;
    assert_eq!(second.take().await["message"]["text"], "1", "what the first did not acknowledge is the second's");
    send(&bellhop, "/cA.send?text=2").await;
    assert_eq!(second.take().await["message"]["text"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_by_request_lets_the_next_message_go() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({"wait_timeout_ms": 0})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cB", "").await;
    let (_, granted) = post(&bellhop, json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "cB"}})).await;
    send(&bellhop, "/cB.send?text=1").await;
    send(&bellhop, "/cB.send?text=2").await;
    let first = client.message().await;
    let callback = json!({"cmd": "MESSAGE_CALLBACK", "data": {"mid": first["mid"]}, "auth": granted["data"]["auth"]});
    assert_eq!(post(&bellhop, callback).await.0, 200);
    let next = loop {
        let message = client.message().await;
        if message["mid"] != first["mid"] {
            break message;
        }
    };
    assert_eq!(next["message"]["text"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_who_send_at_once_each_hear_of_their_own_message() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop, "wh1", "webhook_get", &sink).await;
    let sends = (0..64).map(|_| get(&bellhop, "/wh1.send?text=x"));
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
    webhook(&bellhop, "wh1", "webhook_get", &sink).await;
    sink.answer([Answer::status(500), Answer::status(503)]);
    assert_eq!(send(&bellhop, "/wh1.send?text=1").await, json!({"wh1": "ok"}), "within two seconds, at the third try");
    assert_eq!(sink.until(3).await.len(), 3);
    // three times as long as until the next try
    sink.slow(Duration::from_millis(900));
    assert_eq!(send(&bellhop, "/wh1.send?text=2").await, json!({"wh1": "ok"}));
    assert_eq!(sink.arrivals().len(), 4, "no second copy while the first is under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_message_reaches_a_client_and_an_mpush_call_reaches_any_registration() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    let message = json!({"to": "cA", "title": "签到失败", "body": "403", "url": "https://e.com/", "wait_seconds": 5});
    let (status, sent) = tokio::join!(bellhop.client.call("POST", "/v1/messages", Some(message)), client.take());
    assert_eq!(status.0, 202);
    assert_eq!(status.1["deliveries"][0]["state"], "confirmed");
    assert_eq!(sent["message"], json!({"text": "签到失败", "desp": "403", "extra": {"scheme": "https://e.com/"}}));
    bellhop.client.put("/v1/registrations/desk", json!({"channel": "webhook", "params": {"url": sink.url}})).await;
    assert_eq!(send(&bellhop, "/desk.send?text=hello&desp=world").await, json!({"desk": "ok"}));
    assert_eq!(sink.until(1).await[0].json()["message"], "world");
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
    assert_eq!(send(&bellhop, "/g.group?text=x").await, json!({"wh1": "ok"}));
    assert_eq!(sink.until(1).await[0].header("authorization"), "t0ken");
}
