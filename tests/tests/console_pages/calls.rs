//! What each page asks of DynamoDB: so many calls and no more, however much is stored.

use std::{collections::BTreeMap, sync::Arc};

use acceptance::Client;
use bellhop_core::{model::Registration, ports::Ports, tick};
use bellhop_testkit::{name, registration};
use futures_util::{StreamExt, stream};
use reqwest::redirect::Policy;
use serde_json::json;

use crate::worlds::{
    OPERATORS,
    emulated::wire::{Counting, Wire},
    on_aws_over, webhook,
};

/// How many write at the same time.
const AT_ONCE: usize = 32;

/// How many tasks there are, each of which has run: a list reads the event of each one's last run, and its rows by their keys.
const TASKS: usize = 10;

/// What a page may ask for, whose key and account are known already. Rows are read by their keys a hundred at a time.
const MOST: [(&str, usize); 22] = [
    ("", 30 + 3 * TASKS),
    ("/registrations", 12),
    ("/registrations/desk-1", 12),
    ("/rules", 2),
    ("/sources", 2),
    ("/messages", 6),
    ("/messages?q=nowhere", 6),
    ("/messages?from=2001-01-01T00:00:00Z", 6),
    ("/messages/{event}", 13),
    ("/deliveries", 8),
    ("/deliveries?event={event}", 6),
    ("/deliveries?event={event}&state=failed", 16),
    ("/deliveries?state=delivered", 16),
    ("/deliveries?registration=desk-1", 8),
    ("/tasks", 3 + 3 * TASKS),
    ("/tasks/{task}", 8),
    ("/tasks?state=scheduled", 3 + 3 * TASKS),
    ("/dead-letters", 1),
    ("/contacts", 2),
    ("/hooks", 2),
    ("/keys", 3),
    ("/audit", 2),
];

/// Fills an account: so many registrations, all in one group, as many events to one of them, and one event to all, which is
/// answered, and tasks that have run, of which one is answered.
async fn fill(ports: &Ports, client: &Client, count: usize) -> [String; 2] {
    client.put("/v1/account", json!({ "rate": { "per_second": 0, "burst": 0 } })).await;
    let saved = stream::iter(0..count).for_each_concurrent(AT_ONCE, async |number| {
        let desk = registration(&format!("desk-{number}"));
        let desk = Registration { channel: webhook(), groups: vec![name("everybody")], ..desk };
        assert!(ports.registrations.put(&desk).await.unwrap());
    });
    saved.await;
    let event = client.report(json!({ "message": "Hello", "send_to": "group:everybody" })).await;
    let bulks = stream::iter(0..count / 100).for_each_concurrent(AT_ONCE, async |_| {
        let events = vec![json!({ "source": "QD/backup", "message": "The disk is full.", "send_to": "desk-1" }); 100];
        let (status, answer) = client.call("POST", "/v1/events/bulk", Some(json!({ "events": events }))).await;
        assert_eq!(status, 202, "{answer}");
    });
    bulks.await;
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        let task = json!({ "name": format!("no. {number}"), "to": "desk-1", "body": "Hello", "schedule": { "kind": "now" } });
        let (status, answer) = client.call("POST", "/v1/tasks", Some(task)).await;
        assert_eq!(status, 201, "{answer}");
        tasks.push(answer["id"].as_str().unwrap().to_owned());
    }
    for due in ports.agenda.due(ports.clock.now(), None, 100).await.unwrap() {
        tick::look(ports, &due).await.unwrap();
    }
    [event["event"].as_str().unwrap().to_owned(), tasks.swap_remove(0)]
}

/// How often each page calls DynamoDB in an account with so much.
#[expect(clippy::disallowed_methods, reason = "a test's own client")]
async fn calls(count: usize) -> Vec<(&'static str, usize)> {
    let counting = Arc::new(Counting::default());
    let world = on_aws_over(Wire::with(Arc::clone(&counting) as _)).await;
    let [event, task] = fill(&world.ports, &world.client, count).await;
    let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let sign_in = browser.post(format!("{}/console/sign-in", world.client.url)).body(format!("key={OPERATORS}"));
    let signed_in = sign_in.send().await.unwrap();
    assert_eq!(signed_in.status(), 303, "{:?}", signed_in.text().await);
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut each = Vec::new();
    for (page, _) in MOST {
        let url = format!("{}/console{}", world.client.url, page.replace("{event}", &event).replace("{task}", &task));
        let open = async || {
            let answer = browser.get(&url).header("cookie", &cookie).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{page}");
        };
        open().await; // what is kept for half a minute is known now
        counting.take();
        open().await;
        let calls: BTreeMap<_, _> = counting.take().into_iter().filter(|(call, _)| call != "ReceiveMessage").collect();
        println!("{page}: {calls:?}");
        each.push((page, calls.values().sum()));
    }
    each
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_dynamodb_for_so_much_and_no_more_however_much_is_stored() {
    let (some, much) = (calls(100).await, calls(1_100).await);
    for (((page, some), (_, much)), (_, most)) in some.into_iter().zip(much).zip(MOST) {
        assert!(some <= most && much <= most, "{page}: {some}, {much}");
    }
}
