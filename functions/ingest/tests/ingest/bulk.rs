//! `POST /v1/events/bulk`

use bellhop_core::model::{Account, Rate};
use bellhop_testkit::account;
use serde_json::{Value, json};

use crate::world;

const PATH: &str = "/v1/events/bulk";

fn bulk(count: usize) -> Value {
    json!({"events": vec![json!({"message": "x"}); count]})
}

#[tokio::test]
async fn a_bad_item_harms_no_other() {
    let world = world().await;

    let events = json!([{"message": "a", "send_to": "phone"}, {"message": "b", "result": "maybe"}, "c", {"mesage": "d"},
        {"message": "e", "send_to": ["phone", "nobody"]}, {"message": "f", "screenshot": "!"}, {"message": "g"}]);
    let answer = world.call("send", "POST", PATH, json!({"events": events})).await;

    assert_eq!(answer.status, 202);
    let items = answer.body["items"].as_array().unwrap();
    let told: Vec<_> = items.iter().map(|item| (item["code"].as_str(), item["field"].as_str())).collect();
    let expected = [
        (None, None),
        (Some("invalid_field"), Some("events[1].result")),
        (Some("invalid_field"), Some("events[2]")),
        (Some("unknown_field"), Some("events[3].mesage")),
        (Some("unknown_recipient"), Some("events[4].send_to[1]")),
        (Some("invalid_base64"), Some("events[5].screenshot")),
        (None, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(items[1]["status"], 422);
    assert!(items[0]["event"].is_string() && items[6]["event"].is_string());
    let mut kept: Vec<_> = world.events().await.iter().map(|stored| stored.event.message.clone()).collect();
    kept.sort();
    assert_eq!(kept, ["a", "g"]);
    assert_eq!(world.work().await, 1);
}

#[tokio::test]
async fn a_repeated_bulk_repeats_each_item_by_itself() {
    let world = world().await;
    let first = world.repeatable(PATH, "k", json!({"events": [{"message": "a"}, {"message": "b"}]})).await;

    let again = world.repeatable(PATH, "k", json!({"events": [{"message": "a"}, {"message": "B"}, {"message": "c"}]})).await;

    let (first, again) = (&first.body["items"], &again.body["items"]);
    assert_eq!(again[0]["event"], first[0]["event"]);
    assert_eq!(again[1]["code"], "idempotency_mismatch");
    assert!(again[2]["event"].is_string());
    assert_eq!(world.events().await.len(), 3);
}

#[tokio::test]
async fn a_hundred_events_fit_and_one_more_does_not() {
    let world = world().await;

    assert_eq!(world.call("send", "POST", PATH, bulk(101)).await.refusal(), (422, "too_many_items", "events"));
    assert!(world.is_untouched().await);
    let answer = world.call("send", "POST", PATH, bulk(100)).await;
    assert_eq!((answer.status, answer.body["items"].as_array().map(Vec::len)), (202, Some(100)));
    assert_eq!(world.events().await.len(), 100);
}

#[tokio::test]
async fn an_empty_bulk_is_answered_with_nothing() {
    let world = world().await;

    let answer = world.call("send", "POST", PATH, bulk(0)).await;

    assert_eq!((answer.status, answer.body), (202, json!({"items": []})));
}

#[tokio::test]
async fn every_event_of_a_bulk_counts_against_the_rate() {
    let world = world().await;
    let slow = Account { rate: Rate { per_second: 1, burst: 10 }, ..Account::new(account()) };
    assert!(world.rig.ports.accounts.put(None, &slow).await.unwrap());

    assert_eq!(world.call("send", "POST", PATH, bulk(6)).await.status, 202);
    let answer = world.call("send", "POST", PATH, bulk(6)).await;

    assert_eq!(answer.refusal(), (429, "rate_limited", ""));
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(world.events().await.len(), 6);
}

#[tokio::test]
async fn a_bulk_has_no_room_for_pictures() {
    let world = world().await;

    let events = json!({"events": [{"message": "x", "screenshot": "A".repeat(300_000)}]});
    let answer = world.call("send", "POST", PATH, events).await;

    assert_eq!(answer.refusal(), (413, "body_too_large", ""));
    assert!(world.is_untouched().await);
}

#[tokio::test]
async fn events_of_a_bulk_are_kept_in_its_order() {
    let world = world().await;
    let events: Vec<_> = (0..50).map(|number| json!({"message": number.to_string(), "send_to": "phone"})).collect();

    world.call("send", "POST", PATH, json!({"events": events})).await;

    let kept: Vec<_> = world.events().await.iter().rev().map(|stored| stored.event.message.clone()).collect();
    assert_eq!(kept, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}
