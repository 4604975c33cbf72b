//! Pull the plug: `kill -9` under load, and power cuts. Nothing that was answered with 202 is lost.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use acceptance::{BODY_SECRET, Bellhop, Client, Sink, URL_SECRET, powercut};
use serde_json::{Value, json};

const ROUNDS: u64 = 8;
const CLIENTS: usize = 8;

async fn register(client: &Client, sink: &Sink) {
    let params = json!({ "url": format!("{}/{URL_SECRET}", sink.url) });
    client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    client.put("/v1/account", json!({ "rate": { "per_second": 0, "burst": 0 } })).await;
}

/// Where the server is just now; clients ask again after every failure.
type Server = Arc<Mutex<Option<Client>>>;

/// Posts one message after the other until told to stop, each with a key of its own, each until it is answered.
/// Answers with the deliveries that were accepted.
async fn post_until_stopped(server: Server, name: usize, stop: Arc<Mutex<bool>>) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0.. {
        if *stop.lock().unwrap() {
            break;
        }
        let key = format!("{name}-{number}");
        let body = json!({ "to": "desk", "title": key, "body": BODY_SECRET }).to_string();
        loop {
            let client = server.lock().unwrap().clone();
            let answer = match client {
                Some(client) => client.try_call("POST", "/v1/messages", &[("idempotency-key", &key)], Some(body.clone())).await,
                None => None,
            };
            match answer {
                Some((202, answer)) => {
                    accepted.push(answer["deliveries"][0]["id"].as_str().unwrap().to_owned());
                    break;
                }
                Some((503, _)) | None => tokio::time::sleep(Duration::from_millis(5)).await,
                Some((status, answer)) => panic!("{status} {answer}"),
            }
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_under_load_loses_nothing_and_repeats_only_what_is_unknown() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let mut bellhop = Bellhop::start(data.path());
    register(&bellhop.client, &sink).await;
    let server: Server = Arc::new(Mutex::new(Some(bellhop.client.clone())));
    let stop = Arc::new(Mutex::new(false));
    let clients: Vec<_> =
        (0..CLIENTS).map(|name| tokio::spawn(post_until_stopped(Arc::clone(&server), name, Arc::clone(&stop)))).collect();
    for round in 1..=ROUNDS {
        // in the thick of it: at another point of the load in every round
        let before = sink.arrivals().len();
        sink.until(before + usize::try_from(round * 13).unwrap()).await;
        *server.lock().unwrap() = None;
        bellhop.kill();
        bellhop = Bellhop::start(data.path());
        *server.lock().unwrap() = Some(bellhop.client.clone());
    }
    *stop.lock().unwrap() = true;
    let mut accepted = BTreeSet::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }

    let mut unknown = BTreeSet::new();
    for delivery in &accepted {
        let delivered = bellhop.client.until(delivery, &["delivered"]).await;
        let attempts = delivered["attempts"].as_array().unwrap();
        if attempts.iter().any(|attempt| attempt["outcome"] == "unknown") {
            unknown.insert(delivery.clone());
        }
    }
    bellhop.stop();
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for arrival in sink.arrivals() {
        *arrived.entry(arrival.header("webhook-id").to_owned()).or_default() += 1;
    }
    assert!(accepted.len() > 500, "that was no load: {}", accepted.len());
    let lost: Vec<_> = accepted.iter().filter(|delivery| !arrived.contains_key(*delivery)).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), accepted.len());
    let repeated: BTreeSet<_> = arrived.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id.clone()).collect();
    assert!(repeated.is_subset(&unknown), "sent twice without an unknown outcome: {:?}", repeated.difference(&unknown));
    assert_eq!(arrived.len(), accepted.len(), "something arrived that nobody was told is accepted");
}

const LOCAL: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

/// A picture, as base64.
const PICTURE: &str = "iVBORw0KGgo=";

/// Runs the server under the recorder, posts events for a receiver that does not answer yet, and answers with the cuts at
/// some of its answers.
async fn recorded(data: &Path, scratch: &Path, sink: &Sink, options: &[&str]) -> Vec<powercut::Cut> {
    let (library, log) = (powercut::recorder(scratch), scratch.join("recording"));
    let bellhop = Bellhop::start_command(data, &[&LOCAL[..], options].concat(), |command| {
        command.env("LD_PRELOAD", library).env("POWERCUT_DIR", data).env("POWERCUT_LOG", &log);
    });
    register(&bellhop.client, sink).await;
    sink.hold(true);
    let posts = (0..200).map(|number| {
        let client = bellhop.client.clone();
        tokio::spawn(async move {
            // every tenth with a picture, which is kept beside the store
            let picture = (number % 10 == 0).then_some(PICTURE);
            let event = json!({ "message": BODY_SECRET, "data": { "number": number }, "screenshot": picture, "send_to": "desk" });
            let (status, answer) = client.call("POST", "/v1/events", Some(event)).await;
            assert_eq!(status, 202, "{answer}");
        })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.unwrap();
    }
    bellhop.kill();
    powercut::cuts(&log, 20)
}

/// The deliveries that the cut's answers promised and that are not there after the power is back. Those that are there
/// arrive, with their pictures.
async fn missing_after(cut: &powercut::Cut, data: &Path, sink: &Sink) -> Vec<String> {
    let left = tempfile::tempdir().unwrap();
    cut.restore(data, left.path());
    sink.hold(false);
    let before = sink.arrivals().len();
    let bellhop = Bellhop::start_with(left.path(), &LOCAL);
    let (mut missing, mut kept) = (Vec::new(), BTreeSet::new());
    for answer in &cut.answered {
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let answer: Value = serde_json::from_str(body).unwrap();
        let id = answer["deliveries"][0]["id"].as_str().unwrap();
        let (status, _) = bellhop.client.call("GET", &format!("/v1/deliveries/{id}"), None).await;
        if status == 200 {
            bellhop.client.until(id, &["delivered"]).await;
            kept.insert(id.to_owned());
        } else {
            missing.push(id.to_owned());
        }
    }
    for arrival in &sink.arrivals()[before..] {
        let event = arrival.json();
        let has_picture = event["data"]["number"].as_u64().unwrap() % 10 == 0;
        assert_eq!(event["screenshot"], if has_picture { json!(PICTURE) } else { Value::Null });
        kept.remove(arrival.header("webhook-id"));
    }
    assert!(kept.is_empty(), "said to be delivered, but never arrived: {kept:?}");
    missing
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_after_an_answer_loses_nothing_that_was_answered() {
    let (data, scratch, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let cuts = recorded(data.path(), scratch.path(), &sink, &[]).await;
    assert_eq!(cuts.last().unwrap().answered.len(), 200);
    for cut in &cuts {
        assert_eq!(missing_after(cut, data.path(), &sink).await, [""; 0], "after {} answers", cut.answered.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_power_cut_is_seen_to_lose_answers_when_nothing_is_synced() {
    let (data, scratch, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let cuts = recorded(data.path(), scratch.path(), &sink, &["--unsafe-no-sync"]).await;
    assert!(!missing_after(cuts.last().unwrap(), data.path(), &sink).await.is_empty());
}
