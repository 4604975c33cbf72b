//! `/v1/events` and `/v1/deliveries`

use std::{collections::HashSet, time::Duration};

use bellhop_core::{model::Registration, ports::Clock};
use serde_json::{Value, json};

use crate::{
    world,
    world::{Answer, World},
};

async fn report(world: &World, body: Value) -> Value {
    let answer = world.call("send", "POST", "/v1/events", body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body
}

async fn get(world: &World, path: &str) -> Answer {
    world.call("read", "GET", path, "").await
}

/// The field `name` of every item, page by page.
async fn walk(world: &World, path: &str, name: &str) -> Vec<String> {
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(world, &format!("{path}{next}")).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn an_event_tells_what_became_of_it() {
    let world = world().await;
    let accepted = report(&world, json!({"message": "x", "source": "a/b", "send_to": "phone"})).await;
    world.work().await;

    let path = format!("/v1/events/{}", accepted["event"].as_str().unwrap());
    let told = get(&world, &path).await.body;

    assert_eq!((&told["id"], &told["source"], &told["message"]), (&accepted["event"], &json!("a/b"), &json!("x")));
    let delivery = &told["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["registration"]), (&json!("delivered"), &json!("phone")));
    assert_eq!((&delivery["attempts"][0]["outcome"], &delivery["attempts"][0]["status"]), (&json!("delivered"), &json!(200)));
    assert_eq!((&told["decisions"], &told["collected"], &told["dropped"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(world.call("other", "GET", &path, "").await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let world = world().await;
    for path in ["/v1/events/x", "/v1/deliveries/x", "/v1/deliveries/evt_00000000000000000000000000", "/v1/events/%FF"] {
        assert_eq!(get(&world, path).await.refusal(), (404, "not_found", ""), "{path}");
    }
    assert_eq!(world.call("manage", "POST", "/v1/deliveries/x/retry", "").await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn events_are_listed_newest_first_and_filtered() {
    let world = world().await;
    let begin = world.rig.sim.now();
    for n in 0..6 {
        let (source, result) = if n % 2 == 0 { ("even", "success") } else { ("odd", "failure") };
        let kind = format!("n.{n}");
        report(&world, json!({"message": n.to_string(), "source": source, "result": result, "type": kind})).await;
        world.rig.sim.pass(Duration::from_mins(1));
    }

    let messages = async |query: &str| walk(&world, &format!("/v1/events?limit=2{query}"), "message").await.concat();
    assert_eq!(messages("").await, "543210");
    assert_eq!(messages("&source=odd").await, "531");
    assert_eq!(messages("&result=success").await, "420");
    assert_eq!(messages("&type=n.3").await, "3");
    let at = |minute: u64| begin + Duration::from_mins(minute);
    assert_eq!(messages(&format!("&from={}", at(2))).await, "5432");
    assert_eq!(messages(&format!("&to={}", at(2))).await, "10");
    assert_eq!(messages(&format!("&from={}&to={}&source=even", at(1), at(4))).await, "2");
    assert_eq!(world.call("other", "GET", "/v1/events", "").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_filtered_page_is_bounded_and_leads_on() {
    let world = world().await;
    report(&world, json!({"message": "needle", "source": "needle"})).await;
    for _ in 0..3 {
        world.rig.sim.pass(Duration::from_secs(10));
        let hay = json!({"events": vec![json!({"message": "hay"}); 100]});
        assert_eq!(world.call("send", "POST", "/v1/events/bulk", hay).await.status, 202);
    }

    let first = get(&world, "/v1/events?source=needle").await.body;

    assert_eq!(first["items"], json!([]));
    assert!(first["next_cursor"].is_string());
    assert_eq!(walk(&world, "/v1/events?source=needle", "message").await, ["needle"]);
}

#[tokio::test]
async fn a_list_that_is_asked_for_nonsense_refuses() {
    let world = world().await;
    for (path, refusal) in [
        ("/v1/events?state=failed", (422, "invalid_query", "state")),
        ("/v1/events?result=maybe", (422, "invalid_query", "result")),
        ("/v1/events?from=yesterday", (422, "invalid_query", "from")),
        ("/v1/events?limit=201", (422, "invalid_query", "limit")),
        ("/v1/events?cursor=x", (422, "invalid_cursor", "cursor")),
        ("/v1/deliveries?state=lost", (422, "invalid_query", "state")),
        ("/v1/deliveries?registration=a%2Fb", (422, "invalid_query", "registration")),
        ("/v1/deliveries?channel=telegarm", (422, "invalid_query", "channel")),
        ("/v1/deliveries?source=x", (422, "invalid_query", "source")),
        ("/v1/deliveries?cursor=x", (422, "invalid_cursor", "cursor")),
    ] {
        assert_eq!(get(&world, path).await.refusal(), refusal, "{path}");
    }
}

#[tokio::test]
async fn deliveries_are_listed_and_filtered() {
    let world = world().await;
    let safe = json!({"channel": "safe", "params": {"token": "x"}});
    world.call("manage", "PUT", "/v1/registrations/robot", safe).await;
    for _ in 0..3 {
        report(&world, json!({"message": "x", "send_to": ["phone", "robot"]})).await;
        world.rig.sim.pass(Duration::from_secs(1));
    }
    world.work().await;

    let count = async |query: &str| walk(&world, &format!("/v1/deliveries?limit=2{query}"), "id").await.len();
    assert_eq!(count("").await, 6);
    assert_eq!(count("&state=delivered").await, 3);
    assert_eq!(count("&registration=robot").await, 3);
    assert_eq!(count("&channel=probe&state=queued").await, 0);
    assert_eq!(count("&channel=safe&state=queued").await, 3);
    assert_eq!(world.call("other", "GET", "/v1/deliveries", "").await.body["items"], json!([]));
}

/// Begins the runs that are due.
async fn tick(world: &World) {
    let ports = &world.rig.ports;
    for due in ports.agenda.due(ports.clock.now(), None, 100).await.unwrap() {
        bellhop_core::tick::look(ports, &due).await.unwrap();
    }
}

/// So many registrations in the group `all`.
async fn crowd(world: &World, count: usize) {
    for n in 0..count {
        let one = bellhop_testkit::registration(&format!("desk-{n}"));
        let one = Registration { groups: vec![bellhop_testkit::name("all")], ..one };
        assert!(world.rig.ports.registrations.put(&one).await.unwrap());
    }
}

#[tokio::test]
async fn the_deliveries_of_one_event_are_listed_and_filtered() {
    let world = world().await;
    crowd(&world, 5).await;
    let accepted = report(&world, json!({"message": "x", "send_to": ["phone", "group:all"]})).await;
    world.work().await;
    world.rig.sim.pass(Duration::from_secs(1));
    report(&world, json!({"message": "x", "send_to": ["phone", "group:all"]})).await;
    let event = accepted["event"].as_str().unwrap();
    let list = async |query: &str| walk(&world, &format!("/v1/deliveries?event={event}&limit=2{query}"), "event").await;
    assert_eq!(list("").await, [event; 6]);
    assert_eq!(
        (list("&state=delivered").await, list("&registration=phone").await),
        (vec![event.to_owned(); 6], vec![event.to_owned()])
    );
    assert_eq!(
        (list("&state=queued").await.len(), list("&state=failed").await.len(), list("&from=2999-01-01T00:00:00Z").await.len()),
        (0, 0, 0)
    );
    let unknown = get(&world, "/v1/deliveries?event=evt_00000000000000000000000000").await;
    assert_eq!((unknown.status, &unknown.body["items"]), (200, &json!([])));
    assert_eq!(get(&world, "/v1/deliveries?event=x").await.refusal(), (422, "invalid_query", "event"));
    let strange = world.call("other", "GET", &format!("/v1/deliveries?event={event}"), "").await;
    assert_eq!(strange.body["items"], json!([]));
}

#[tokio::test]
async fn an_event_tells_of_a_thousand_deliveries_a_run_of_a_hundred_and_the_list_has_all() {
    let world = world().await;
    crowd(&world, 1_003).await;
    let task = json!({"name": "all", "to": "group:all", "body": "x", "schedule": {"kind": "now"}});
    let task = world.call("manage", "POST", "/v1/tasks", task).await.body;
    tick(&world).await;
    let runs = get(&world, &format!("/v1/tasks/{}/runs", task["id"].as_str().unwrap())).await.body;
    let event = runs["items"][0]["event"].as_str().unwrap();
    let event_told = get(&world, &format!("/v1/events/{event}")).await.body;
    for (told, count) in [(&runs["items"][0], 100), (&event_told, 1_000)] {
        assert_eq!(told["deliveries"].as_array().map(Vec::len), Some(count));
        assert_eq!(told["deliveries_left_out"], 1_003 - count);
    }
    let all: HashSet<_> =
        walk(&world, &format!("/v1/deliveries?event={event}&limit=200"), "registration").await.into_iter().collect();
    assert_eq!(all.len(), 1_003);

    let state =
        async || get(&world, &format!("/v1/tasks/{}/runs", task["id"].as_str().unwrap())).await.body["items"][0]["state"].clone();
    assert_eq!(state().await, "running");
    world.work().await;
    assert_eq!(state().await, "succeeded");
}

#[tokio::test]
async fn a_page_looks_at_a_thousand_deliveries_at_most_and_at_those_of_a_registration_alone_where_it_is_named() {
    let world = world().await;
    crowd(&world, 1_001).await;
    report(&world, json!({"message": "x", "send_to": "group:all"})).await;

    let none = get(&world, "/v1/deliveries?state=delivered").await.body;
    assert_eq!(none["items"], json!([]));
    assert!(none["next_cursor"].is_string(), "one delivery was not looked at");
    assert_eq!(walk(&world, "/v1/deliveries?state=delivered", "id").await, Vec::<String>::new());

    let seen: HashSet<_> = walk(&world, "/v1/deliveries?state=queued&limit=200", "registration").await.into_iter().collect();
    assert_eq!(seen.len(), 1_001);
    for n in [0, 500, 1_000] {
        let page = get(&world, &format!("/v1/deliveries?registration=desk-{n}")).await.body;
        assert_eq!((page["items"].as_array().map(Vec::len), &page["next_cursor"]), (Some(1), &Value::Null), "{n}");
    }
}

#[tokio::test]
async fn a_delivery_that_is_over_is_tried_again_by_a_persons_wish() {
    let world = world().await;
    let accepted = report(&world, json!({"message": "x", "send_to": "phone"})).await;
    let path = format!("/v1/deliveries/{}", accepted["deliveries"][0]["id"].as_str().unwrap());
    let retry = format!("{path}/retry");
    assert_eq!(world.call("manage", "POST", &retry, "").await.refusal(), (409, "conflict", ""));
    world.work().await;
    assert_eq!(get(&world, &path).await.body["state"], "delivered");

    let answer = world.call("manage", "POST", &retry, "").await;

    assert_eq!((answer.status, &answer.body["id"]), (202, &accepted["deliveries"][0]["id"]));
    assert_eq!(answer.body["state"], "retrying");
    world.work().await;
    let told = get(&world, &path).await.body;
    assert_eq!((&told["state"], told["attempts"].as_array().map(Vec::len)), (&json!("delivered"), Some(2)));
    for (method, path) in [("GET", &path), ("POST", &retry)] {
        assert_eq!(world.call("other", method, path, "").await.refusal(), (404, "not_found", ""));
    }
}

#[tokio::test]
async fn a_retry_counts_as_a_message_and_a_delivery_is_tried_a_hundred_times_at_most() {
    let world = world().await;
    let accepted = report(&world, json!({"message": "x", "send_to": "phone"})).await;
    let path = format!("/v1/deliveries/{}", accepted["deliveries"][0]["id"].as_str().unwrap());
    world.work().await;
    for _ in 1..100 {
        assert_eq!(world.call("manage", "POST", &format!("{path}/retry"), "").await.status, 202);
        world.work().await;
    }
    assert_eq!(get(&world, &path).await.body["attempts"].as_array().map(Vec::len), Some(100));
    assert_eq!(world.call("manage", "POST", &format!("{path}/retry"), "").await.refusal(), (409, "conflict", ""));

    let slow = json!({"rate": {"per_second": 1, "burst": 1}});
    assert_eq!(world.call("manage", "PUT", "/v1/account", slow).await.status, 200);
    world.rig.sim.pass(Duration::from_mins(10));
    let other = report(&world, json!({"message": "y", "send_to": "phone"})).await;
    world.work().await;
    let retry = format!("/v1/deliveries/{}/retry", other["deliveries"][0]["id"].as_str().unwrap());
    assert_eq!(world.call("manage", "POST", &retry, "").await.refusal(), (429, "rate_limited", ""));
}

#[tokio::test]
async fn events_are_searched_by_what_their_source_title_or_text_says_in_capitals_or_not() {
    let world = world().await;
    for (source, title, message) in
        [("QD/Backup", "One", "fine"), ("a/b", "The BACKUP", "x"), ("a/b", "Two", "no backup, 签到"), ("a/b", "Four", "none")]
    {
        report(&world, json!({"source": source, "title": title, "message": message})).await;
    }
    assert_eq!(walk(&world, "/v1/events?q=backUp&limit=2", "title").await, ["Two", "The BACKUP", "One"]);
    assert_eq!(walk(&world, "/v1/events?q=%E7%AD%BE%E5%88%B0", "title").await, ["Two"]);
    assert_eq!(walk(&world, "/v1/events?q=backup&source=a%2Fb", "title").await, ["Two", "The BACKUP"]);
    assert_eq!(get(&world, "/v1/events?q=").await.refusal(), (422, "invalid_query", "q"));
}

#[tokio::test]
async fn a_search_looks_through_two_hundred_events_a_page_and_says_where_to_go_on() {
    let world = world().await;
    report(&world, json!({"title": "needle", "message": "x"})).await;
    for _ in 0..200 {
        report(&world, json!({"message": "hay"})).await;
    }
    let first = get(&world, "/v1/events?q=needle").await.body;
    assert_eq!(first["items"], json!([]));
    assert!(first["next_cursor"].is_string(), "{first}");
    assert_eq!(walk(&world, "/v1/events?q=needle", "title").await, ["needle"]);
}

#[tokio::test]
async fn deliveries_are_listed_behind_events_that_reach_nobody() {
    let world = world().await;
    report(&world, json!({"message": "x", "send_to": "phone"})).await;
    for _ in 0..120 {
        world.rig.sim.pass(Duration::from_secs(1));
        report(&world, json!({"message": "all went well"})).await;
    }
    let page = get(&world, "/v1/deliveries").await.body;
    assert_eq!((page["items"].as_array().map(Vec::len), &page["next_cursor"]), (Some(1), &Value::Null));
    let page = get(&world, "/v1/deliveries?limit=1").await.body;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
}
