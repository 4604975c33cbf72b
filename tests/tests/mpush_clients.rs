//! What Mpush's clients do to each other, to their senders and to the server, which is: nothing. Against the real binary.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    cell::Cell,
    collections::HashSet,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acceptance::{
    Answer, Bellhop, Client, MpushClient, Sink, eventually,
    mpush::{client, post, send, start, start_with, states, webhook},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 2_000 })).await;
    let mut quick = MpushClient::join(&bellhop.client.url, "quick", "g").await;
    let mut slow = MpushClient::join(&bellhop.client.url, "slow", "g").await;

    // given one that asks more and more and reads no answer, each of which says the question again, until nothing moves
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = {
        let (asked, question) = (Arc::clone(&asked), json!({ "cmd": "x".repeat(100_000) }).to_string());
        tokio::spawn(async move {
            for _ in 0..10_000 {
                slow.write(&question).await;
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let (before, unmoved) = (Cell::new(0), Cell::new(0));
    eventually("nothing moves any more", async || {
        let now = asked.load(Ordering::Relaxed);
        unmoved.set(if now > 0 && before.replace(now) == now { unmoved.get() + 1 } else { 0 });
        (unmoved.get() == 10).then_some(())
    })
    .await;

    // when messages go to both
    for slow in ["wait", "ready"] {
        let (statuses, _) = tokio::join!(send(&bellhop.client, "/g.group?text=x"), quick.take());
        assert_eq!(statuses, json!({ "quick": "ok", "slow": slow }), "the first is on its way, the next one behind it");
    }

    // then each sender was answered, and the other one's sender at once
    let begun = Instant::now();
    let (status, _) = tokio::join!(send(&bellhop.client, "/quick.send?text=x"), quick.take());
    assert_eq!(status, json!({ "quick": "ok" }));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(!asking.is_finished());
    asking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_acknowledges_holds_its_senders_no_longer_than_the_account_says() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 1_000 })).await;
    let _mute = MpushClient::join(&bellhop.client.url, "mute", "").await;
    let timed = async || {
        let begun = Instant::now();
        (send(&bellhop.client, "/mute.send?text=x").await, begun.elapsed())
    };
    let answers = join_all((0..16).map(|_| timed())).await;
    for (status, took) in &answers {
        assert!(status["mute"] == "wait" || status["mute"] == "ready", "{status}");
        assert!(*took >= Duration::from_secs(1) && *took < Duration::from_secs(3), "{took:?}");
    }
    let waits = answers.iter().filter(|(status, _)| status["mute"] == "wait").count();
    assert_eq!(waits, 1, "one is sent, and the others stand behind it");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_connections_that_race_for_one_name_get_everything_in_order() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 0 })).await;
    bellhop.client.put("/v1/registrations/cA", json!({ "channel": "mpush", "params": { "method": "socket" } })).await;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let mut racing = JoinSet::new();
    for _ in 0..10 {
        let (url, taken) = (bellhop.client.url.clone(), Arc::clone(&taken));
        racing.spawn(async move {
            let client = MpushClient::join(&url, "cA", "").await;
            client.take_all(|message| taken.lock().unwrap().push(message["message"]["text"].as_str().unwrap().to_owned())).await;
        });
    }
    for number in 0..40 {
        send(&bellhop.client, &format!("/cA.send?text={number}")).await;
    }
    eventually("all are acknowledged", async || {
        let states = states(&bellhop.client, "cA").await;
        (states.len() == 40 && states.iter().all(|state| state == "confirmed")).then_some(())
    })
    .await;
    let mut seen = HashSet::new();
    let first: Vec<_> = taken.lock().unwrap().iter().filter(|text| seen.insert((*text).clone())).cloned().collect();
    assert_eq!(first, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    for _ in 0..9 {
        racing.join_next().await.unwrap().unwrap();
    }
    send(&bellhop.client, "/cA.send?text=after").await;
    eventually("one has the name, and keeps it", async || {
        let states = states(&bellhop.client, "cA").await;
        (states.len() == 41 && states.iter().all(|state| state == "confirmed")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_and_goes_misses_nothing_and_gets_it_in_order() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 0, "retry_timeout_ms": 100 })).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    let mut taken = Vec::<String>::new();
    for number in 0..12 {
        send(&bellhop.client, &format!("/cA.send?text={number}")).await;
        if number % 3 == 2 {
            // what it has and did not acknowledge comes again
            let message = client.message().await;
            client = MpushClient::join(&bellhop.client.url, "cA", "").await;
            assert_eq!(client.message().await["message"]["text"], message["message"]["text"]);
            while taken.len() <= number {
                let text = client.take().await["message"]["text"].as_str().unwrap().to_owned();
                if taken.last() != Some(&text) {
                    taken.push(text);
                }
            }
        }
    }
    assert_eq!(taken, (0..12).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_wait_for_a_client_and_the_next_one_fails_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 25_000 })).await;
    bellhop.client.put("/v1/account", json!({ "rate": { "per_second": 0, "burst": 0 } })).await;
    bellhop.client.put("/v1/registrations/cA", json!({ "channel": "mpush", "params": { "method": "socket" } })).await;
    let events: Vec<_> = (0..100).map(|_| json!({ "message": "x", "send_to": "cA" })).collect();
    for _ in 0..10 {
        let (status, answer) = bellhop.client.call("POST", "/v1/events/bulk", Some(json!({ "events": events }))).await;
        assert!(status == 202 && !answer.to_string().contains("\"code\""), "{answer}");
    }
    assert_eq!(send(&bellhop.client, "/cA.send?text=one%20too%20many").await, json!({ "cA": "no" }));
    let failed = bellhop.client.get("/v1/deliveries?registration=cA&state=failed").await;
    let reasons: Vec<_> = failed["items"].as_array().unwrap().iter().map(|failed| &failed["reason"]).collect();
    assert_eq!(reasons, ["client_queue_full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_clients_connect_than_programs_are_usually_let_have_open_files() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start_command(data.path(), &[], |command| {
        let mut limited = Command::new("sh");
        limited.args(["-c", r#"ulimit -S -n 64 && exec "$0" "$@""#]).arg(command.get_program()).args(command.get_args());
        limited.stdout(Stdio::piped()).stderr(Stdio::piped());
        *command = limited;
    });
    bellhop.client.put("/v1/account", json!({ "mpush": { "token": "t0ken" } })).await;
    let mut clients = Vec::new();
    for number in 0..80 {
        clients.push(MpushClient::join(&bellhop.client.url, &format!("c{number}"), "").await);
    }
    for client in &mut clients {
        client.say("PING", json!({})).await;
        assert_eq!(client.hear().await["cmd"], "PONG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_has_128_kib_at_most() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let text = |length: usize| json!({ "cmd": "x".repeat(length - r#"{"cmd":""}"#.len()) }).to_string();
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    client.write(&text(128 * 1024)).await;
    assert_eq!(client.hear().await["cmd"], "INFO");
    client.write(&text(128 * 1024 + 1)).await;
    client.until_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_longer_is_sent_to_nobody() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let long = client().post(format!("{}/cA.send", bellhop.client.url)).json(&json!({ "desp": "x".repeat(128 * 1024) }));
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    let answer: Value = long.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["status"], json!({ "cA": "no" }));
    let (status, taken) = tokio::join!(send(&bellhop.client, "/cA.send?text=short"), client.take());
    assert_eq!((&status["cA"], &taken["message"]["text"]), (&json!("ok"), &json!("short")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_changed_ends_what_it_has_opened() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 0 })).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    bellhop.client.put("/v1/account", json!({ "mpush": { "cors": true } })).await;
    client.say("PING", json!({})).await;
    assert_eq!(client.hear().await["cmd"], "PONG", "another setting ends nothing");
    bellhop.client.put("/v1/account", json!({ "mpush": { "token": "another-token" } })).await;
    client.until_closed().await;
    assert_eq!(send(&bellhop.client, "/cA.send?text=x").await, json!({ "cA": "wait" }), "nobody is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_deleted_is_let_go() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    assert_eq!(bellhop.client.call("DELETE", "/v1/registrations/cA", None).await.0, 204);
    client.until_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_webhook_refuses_with_it_is_tried_again() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 20_000, "retry_timeout_ms": 100 })).await;
    webhook(&bellhop.client, "wh2", "hooks", "webhook_post", &sink).await;
    sink.answer([302, 400, 401, 404].map(Answer::status));
    assert_eq!(send(&bellhop.client, "/wh2.send?text=x").await, json!({ "wh2": "ok" }));
    assert_eq!(sink.arrivals().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_and_a_task_reach_a_client() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let mut client = MpushClient::join(&bellhop.client.url, "cA", "").await;
    bellhop.client.put("/v1/rules/all", json!({ "to": ["cA"] })).await;
    let event = bellhop.client.call("POST", "/v1/events", Some(json!({ "message": "by a rule" })));
    let (_, taken) = tokio::join!(event, client.take());
    assert_eq!(taken["message"]["text"], "by a rule");
    let task = json!({ "name": "t", "to": "cA", "body": "by a task", "schedule": { "kind": "now" } });
    let (_, taken) = tokio::join!(bellhop.client.call("POST", "/v1/tasks", Some(task)), client.take());
    assert_eq!(taken["message"]["text"], "by a task");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_by_post_counts_as_what_stands_in_the_path() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    webhook(&bellhop.client, "wh2", "hooks", "webhook_post", &sink).await;
    let url = format!("{}/wh2.send?text=t&k=1", bellhop.client.url);
    let form = client().post(&url).header("content-type", "application/x-www-form-urlencoded").body("desp=a+form&n=2");
    let json_body = client().post(&url).json(&json!({ "desp": "json", "n": { "x": 2 } }));
    for (request, desp, n) in [(form, "a form", json!("2")), (json_body, "json", json!({ "x": 2 }))] {
        let reply: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(reply["data"]["status"], json!({ "wh2": "ok" }));
        let arrival = sink.arrivals().pop().unwrap().json();
        assert_eq!(arrival["data"]["message"], json!({ "text": "t", "desp": desp, "extra": { "k": "1", "n": n } }));
    }
    let status = client().put(&url).send().await.unwrap().status();
    assert_eq!(status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_will_not_get_it_is_answered_for_at_once() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 25_000 })).await;
    webhook(&bellhop.client, "dead", "hooks", "webhook_post", &sink).await;
    sink.answer([Answer::status(410)]);
    assert_eq!(send(&bellhop.client, "/dead.send?text=x").await, json!({ "dead": "no" }), "it fails for good");
    eventually("it is switched off", async || {
        (bellhop.client.get("/v1/registrations/dead").await["disabled"]["reason"] == "gone").then_some(())
    })
    .await;
    assert_eq!(send(&bellhop.client, "/dead.send?text=x").await, json!({ "dead": "no" }), "it is switched off");
    assert_eq!(sink.arrivals().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_auth_gave_ends_with_the_token_and_counts_for_its_own_name_alone() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({ "wait_timeout_ms": 0 })).await;
    let auth = async |name: &str| {
        let (_, granted) = post(&bellhop.client, json!({ "cmd": "AUTH", "data": { "token": "t0ken", "name": name } })).await;
        granted["data"]["auth"].clone()
    };
    let (of_a, of_b) = (auth("cA").await, auth("cB").await);
    let mut a = MpushClient::join(&bellhop.client.url, "cA", "").await;
    send(&bellhop.client, "/cA.send?text=x").await;
    let message = a.message().await;
    let callback = |auth: &Value| json!({ "cmd": "MESSAGE_CALLBACK", "data": { "mid": message["mid"] }, "auth": auth });

    // another client's acknowledges nothing of this one's
    assert_eq!(post(&bellhop.client, callback(&of_b)).await.0, 200);
    assert_eq!(a.message().await["mid"], message["mid"], "it comes again");

    // and with another token, nothing is left of it
    bellhop.client.put("/v1/account", json!({ "mpush": { "token": "a-new-one" } })).await;
    eventually("what the old token gave is refused", async || {
        (post(&bellhop.client, callback(&of_a)).await.0 == 500).then_some(())
    })
    .await;
    assert_ne!(states(&bellhop.client, "cA").await, ["confirmed"]);
}

/// A second account, with this token.
async fn account(bellhop: &Bellhop, id: &str, token: &str) -> Client {
    let (status, made) = bellhop.client.call("POST", "/v1/accounts", Some(json!({ "id": id }))).await;
    assert_eq!(status, 201, "{made}");
    let client = bellhop.client.with_key(made["key"]["key"].as_str().unwrap());
    client.put("/v1/account", json!({ "mpush": { "token": token } })).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_for_in_the_account_of_the_token_alone() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = start(data.path(), json!({})).await;
    let acme = account(&bellhop, "acme", "acmes-token").await;
    let registration = json!({ "channel": "mpush", "params": { "method": "webhook_get", "url": sink.url } });
    acme.put("/v1/registrations/desk", registration).await;
    assert_eq!(send(&bellhop.client, "/desk.send?token=acmes-token").await, json!({ "desk": "ok" }));
    assert_eq!(send(&bellhop.client, "/desk.send?token=t0ken").await, json!({ "desk": "no" }));
    assert_eq!(send(&bellhop.client, "/desk.send").await, json!({ "desk": "no" }), "`main` is whose who show nothing");
    let taken = json!({ "mpush": { "token": "acmes-token" } });
    let (status, problem) = bellhop.client.call("PUT", "/v1/account", Some(taken)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_names_no_account_nobody_is_reached_without_a_token_at_any_of_the_addresses() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--mpush-account", "none", "--listen", "127.0.0.1:0"].map(str::to_owned);
    let bellhop = start_with(data.path(), &options, json!({})).await;
    let urls = eventually("it listens twice", async || Some(bellhop.addresses()).filter(|urls| urls.len() == 2)).await;
    for url in urls {
        let status = async |path: &str| reqwest::get(format!("{url}{path}")).await.unwrap().status().as_u16();
        assert_eq!(status("/x.send").await, 500, "{url}");
        assert_eq!(status("/x.send?token=t0ken").await, 200, "{url}");
    }
}
