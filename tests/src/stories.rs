//! What Mpush's clients and scripts see, wherever the server runs: on one machine (`tests/mpush.rs`) and deployed
//! (`tests/stack.rs`). Each story has clients of its own, and leaves nothing waiting.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{Client, MpushClient, Sink, eventually, mpush};

/// Where the account is that has the token `t0ken`, and that is reached without it.
#[derive(Clone)]
pub struct Server {
    /// Its owner's.
    pub client: Client,
    /// Where connections are taken.
    pub sockets: String,
}

impl Server {
    async fn get(&self, path: &str) -> (u16, Value) {
        mpush::get(&self.client, path).await
    }

    async fn send(&self, path: &str) -> Value {
        mpush::send(&self.client, path).await
    }

    async fn post(&self, packet: Value) -> (u16, Value) {
        mpush::post(&self.client, packet).await
    }

    async fn webhook(&self, name: &str, group: &str, method: &str, sink: &Sink) {
        mpush::webhook(&self.client, name, group, method, sink).await;
    }

    /// Keeps a message for a client, and waits for nothing.
    async fn keep(&self, name: &str, text: &str) {
        self.client.send(json!({ "to": name, "title": text })).await;
    }

    async fn join(&self, name: &str, group: &str) -> MpushClient {
        MpushClient::join(&self.sockets, name, group).await
    }
}

/// The next message under another number than that one, which comes again until it is known to be acknowledged.
async fn next(client: &mut MpushClient, before: &Value) -> Value {
    loop {
        let message = client.message().await;
        if message["mid"] != before["mid"] {
            client.acknowledge(&message).await;
            return message;
        }
    }
}

pub async fn a_script_sends_by_name_and_by_group_and_hears_what_became_of_it(server: &Server) {
    let sink = Sink::start().await;
    server.webhook("wh1", "hooks", "webhook_get", &sink).await;
    server.webhook("wh2", "hooks", "webhook_post", &sink).await;

    assert_eq!(server.send("/wh1.send?text=hello&desp=world&a=233&b=%7B%22x%22:1%7D").await, json!({"wh1": "ok"}));
    let arrival = sink.until(1).await.remove(0);
    assert_eq!(arrival.header("authorization"), "t0k");
    assert!(arrival.path.starts_with("/wh1?text=hello&desp=world&sendType=personal&target=wh1&fromMethod=http&fromName=&mid="));
    assert!(arrival.path.ends_with("&a=233&b=%7B%22x%22%3A1%7D"), "{}", arrival.path);

    assert_eq!(server.send("/hooks.group?text=g1&desp=d1").await, json!({"wh1": "ok", "wh2": "ok"}));
    let post = sink.until(3).await.into_iter().find(|arrival| arrival.path == "/wh2").unwrap().json();
    let data = &post["data"];
    assert_eq!((&post["cmd"], &data["sendType"], &data["target"]), (&json!("MESSAGE"), &json!("group"), &json!("hooks")));
    assert_eq!(data["message"], json!({"text": "g1", "desp": "d1", "extra": {}}));

    assert_eq!(server.send("/wh1.send").await, json!({"wh1": "ok"}), "nothing has to be said");
    assert_eq!(server.send("/nobody.send?text=x").await, json!({"nobody": "no"}));
    assert_eq!(server.send("/a.b.send?text=x").await, json!({"a.b": "no"}));
    for nobody in ["/nogroup.group?text=x", "/.group?text=x"] {
        assert_eq!(server.send(nobody).await, json!({}));
    }
    assert_eq!(server.get("/bad").await.0, 404);
}

pub async fn packets_come_by_post_and_are_refused_in_mpushs_words(server: &Server) {
    let sink = Sink::start().await;
    server.webhook("wh3", "others", "webhook_post", &sink).await;
    let info = |text: &str| json!({"cmd": "INFO", "data": text});
    let post = async |packet| server.post(packet).await;

    assert_eq!(post(json!({"cmd": "NOPE"})).await, (500, info("Unknow cmd: NOPE")));
    assert_eq!(post(json!({"cmd": "TEST_HTTP"})).await, (200, Value::Null));
    let wrong_type = json!({"cmd": "MESSAGE", "data": {"sendType": "x", "target": "wh3", "message": {}}});
    assert_eq!(post(wrong_type).await, (500, info("sendType property must 'personal' or 'group'")));
    let no_target = json!({"cmd": "MESSAGE", "data": {"sendType": "personal", "message": {}}});
    assert_eq!(post(no_target).await, (500, info("target property is required")));
    let nameless = json!({"cmd": "AUTH", "data": {"token": "t0ken"}});
    assert_eq!(post(nameless).await, (500, info("name property is required")));
    let wrong = json!({"cmd": "AUTH", "data": {"token": "bad", "name": "n1"}});
    assert_eq!(post(wrong).await, (200, json!({"cmd": "AUTH", "data": {"code": 403, "msg": "Token invalid"}})));
    let unknown = json!({"cmd": "MESSAGE_CALLBACK", "data": {"mid": "1"}});
    assert_eq!(post(unknown).await, (200, info("The MESSAGE_CALLBACK cmd must need auth.")));
    let request = mpush::client().post(format!("{}/", server.client.url)).header("content-type", "text/plain");
    let answer = request.body("{}").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()),
        (500, info("Unsupported Content Type: text/plain"))
    );

    let (_, granted) = post(json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "n1", "group": "g"}})).await;
    let auth = granted["data"]["auth"].clone();
    let extra = json!({"scheme": "x://y", "n": {"a": 1}});
    let message = json!({"sendType": "personal", "target": "wh3", "message": {"text": "pt", "desp": "pd", "extra": extra}});
    let (status, reply) = post(json!({"cmd": "MESSAGE", "auth": auth, "data": message})).await;
    assert_eq!((status, &reply["data"]["status"]), (200, &json!({"wh3": "ok"})));
    let arrived = sink.until(1).await.remove(0).json();
    assert_eq!(arrived["data"]["from"], json!({"method": "http", "name": "n1"}));
    assert_eq!(arrived["data"]["message"]["extra"], extra);
    assert_eq!(arrived["data"]["mid"], reply["data"]["mid"]);
    let (status, _) = post(json!({"cmd": "MESSAGE", "auth": "x.y.z", "data": message})).await;
    assert_eq!(status, 500, "what AUTH did not give counts for nothing");
}

pub async fn a_connection_says_who_it_is_before_anything_else(server: &Server) {
    let sink = Sink::start().await;
    server.webhook("wh4", "others", "webhook_get", &sink).await;
    let mut client = MpushClient::connect(&server.sockets).await;
    let need_auth = json!({"cmd": "AUTH", "data": {"code": 401, "msg": "Need Auth"}});
    client.write(r#"{"cmd":"PING"}"#).await;
    assert_eq!(client.hear().await, need_auth);
    client.write(r#""not json obj""#).await;
    assert_eq!(client.hear().await, need_auth);
    client.write("garbage{").await;
    assert_eq!(client.hear().await["cmd"], "INFO");
    client.say("AUTH", json!({"token": "bad", "name": "early"})).await;
    assert_eq!(client.hear().await, json!({"cmd": "AUTH", "data": {"code": 403, "msg": "Token invalid"}}));
    client.say("AUTH", json!({"token": "t0ken"})).await;
    assert_eq!(client.hear().await, json!({"cmd": "INFO", "data": "name property is required"}));
    client.say("AUTH", json!({"token": "t0ken", "name": "wh4"})).await;
    let used = json!({"cmd": "AUTH", "data": {"code": 403, "msg": "The name [wh4] is already used"}});
    assert_eq!(client.hear().await, used);
    client.say("AUTH", json!({"token": "t0ken", "name": "early", "group": "birds"})).await;
    let welcome = client.hear().await;
    assert_eq!(welcome["data"]["code"], 200);
    assert!(welcome["data"]["webpushServerKey"].is_string(), "it can subscribe");
    client.say("PING", json!({})).await;
    assert_eq!(client.hear().await, json!({"cmd": "PONG", "data": ""}));
    client.say("NOPE", json!({})).await;
    assert_eq!(client.hear().await, json!({"cmd": "INFO", "data": "Unknow cmd: NOPE"}));
    let registration = server.client.get("/v1/registrations/early").await;
    assert_eq!((&registration["channel"], &registration["groups"]), (&json!("mpush"), &json!(["birds"])));
}

pub async fn clients_send_to_each_other_and_to_groups(server: &Server) {
    let mut a = server.join("cA", "g1").await;
    let mut b = server.join("cB", "").await;
    let mut c = server.join("cH", "g1").await;

    let message = json!({"text": "ws", "desp": "hello", "extra": {"k": 1}});
    b.say("MESSAGE", json!({"sendType": "personal", "target": "cA", "message": message})).await;
    let got = a.take().await;
    assert_eq!((&got["from"], &got["message"]), (&json!({"method": "websocket", "name": "cB"}), &message));
    assert_eq!(b.reply().await, json!({"mid": got["mid"], "status": {"cA": "ok"}}));

    b.say("MESSAGE", json!({"sendType": "group", "target": "g1", "message": {"text": "ws"}})).await;
    let to_a = next(&mut a, &got).await;
    let to_c = c.take().await;
    assert_eq!(to_a["mid"], to_c["mid"]);
    assert_eq!(b.reply().await["status"], json!({"cA": "ok", "cH": "ok"}));

    b.say("MESSAGE", json!({"sendType": "personal", "target": "zz", "message": {"text": "ws"}})).await;
    assert_eq!(b.reply().await["status"], json!({"zz": "no"}));
    b.say("MESSAGE", json!({"sendType": "zz", "target": "g1", "message": {"text": "ws"}})).await;
    assert_eq!(b.info().await, "sendType property must 'personal' or 'group'");
}

pub async fn the_next_message_comes_when_the_one_before_is_acknowledged_and_that_one_comes_again_until_then(server: &Server) {
    let mut client = server.join("cC", "").await;
    let (first, second) = (server.send("/cC.send?text=1"), server.send("/cC.send?text=2"));
    let (first, second) = tokio::join!(first, async {
        // behind the first, which is kept by now
        let seen = client.message().await;
        assert_eq!(seen["message"]["text"], "1");
        second.await
    });
    assert_eq!((first, second), (json!({"cC": "wait"}), json!({"cC": "ready"})));
    let again = client.message().await;
    assert_eq!(again["message"]["text"], "1");
    client.say("MESSAGE_CALLBACK", json!({"mid": "123"})).await;
    client.acknowledge(&again).await;
    let second = next(&mut client, &again).await;
    assert_eq!(second["message"]["text"], "2", "another number acknowledges nothing");
    eventually("both are confirmed", async || {
        (mpush::states(&server.client, "cC").await == ["confirmed", "confirmed"]).then_some(())
    })
    .await;
}

pub async fn what_waits_for_a_client_comes_in_order_after_its_welcome(server: &Server) {
    drop(server.join("cD", "").await);
    for number in 0..8 {
        server.keep("cD", &number.to_string()).await;
    }
    let mut client = server.join("cD", "").await;
    let mut texts = Vec::new();
    let mut seen = HashSet::new();
    while texts.len() < 8 {
        let message = client.take().await;
        if seen.insert(message["mid"].to_string()) {
            texts.push(message["message"]["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(texts, (0..8).map(|number| number.to_string()).collect::<Vec<_>>());
}

pub async fn of_two_connections_under_one_name_the_later_gets_what_waits_and_the_earlier_is_closed(server: &Server) {
    let mut first = server.join("cE", "").await;
    server.keep("cE", "1").await;
    let seen = first.message().await;
    assert_eq!(seen["message"]["text"], "1");
    let mut second = server.join("cE", "").await;
    first.until_closed().await;
    let first = second.take().await;
    assert_eq!(first["message"]["text"], "1", "what the first did not acknowledge is the second's");
    server.keep("cE", "2").await;
    assert_eq!(next(&mut second, &first).await["message"]["text"], "2");
}

pub async fn an_acknowledgement_by_request_lets_the_next_message_go(server: &Server) {
    let mut client = server.join("cF", "").await;
    let (_, granted) = server.post(json!({"cmd": "AUTH", "data": {"token": "t0ken", "name": "cF"}})).await;
    server.keep("cF", "1").await;
    server.keep("cF", "2").await;
    let first = client.message().await;
    let callback = json!({"cmd": "MESSAGE_CALLBACK", "data": {"mid": first["mid"]}, "auth": granted["data"]["auth"]});
    assert_eq!(server.post(callback).await.0, 200);
    assert_eq!(next(&mut client, &first).await["message"]["text"], "2");
}

pub async fn any_message_reaches_a_client_and_an_mpush_call_reaches_any_registration(server: &Server) {
    let sink = Sink::start().await;
    let mut client = server.join("cG", "").await;
    let message = json!({"to": "cG", "title": "签到失败", "body": "403", "url": "https://e.com/", "wait_seconds": 10});
    let (status, sent) = tokio::join!(server.client.call("POST", "/v1/messages", Some(message)), client.take());
    assert_eq!(status.0, 202);
    assert_eq!(status.1["deliveries"][0]["state"], "confirmed");
    assert_eq!(sent["message"], json!({"text": "签到失败", "desp": "403", "extra": {"scheme": "https://e.com/"}}));
    server.client.put("/v1/registrations/no-client", json!({"channel": "webhook", "params": {"url": sink.url}})).await;
    assert_eq!(server.send("/no-client.send?text=hello&desp=world").await, json!({"no-client": "ok"}));
    assert_eq!(sink.until(1).await[0].json()["message"], "world");
    let over = json!({"sendType": "personal", "target": "no-client", "message": {"desp": "over a connection"}});
    client.say("MESSAGE", over).await;
    assert_eq!(client.reply().await["status"], json!({"no-client": "ok"}));
    client.say("AUTH", json!({"token": "t0ken", "name": "no-client"})).await;
    let used = json!({"code": 403, "msg": "The name [no-client] is already used"});
    assert_eq!(client.packet("AUTH").await, used, "its name is something else's");
}
