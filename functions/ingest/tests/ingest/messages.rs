//! `POST /v1/messages`

use std::time::Duration;

use bellhop_testkit::{account, registration};
use serde_json::json;
use tokio::time::Instant;

use crate::world;

const PATH: &str = "/v1/messages";

#[tokio::test]
async fn a_message_is_kept_and_queued_and_the_answer_says_where_it_goes() {
    let world = world().await;

    let body = json!({"to": "phone", "title": "hello", "body": "world", "options": {"probe": {"tone": "high"}},
        "data": {"scheme": "x"}, "url": "app://x", "wait_seconds": 0});
    let answer = world.call("send", "POST", PATH, body).await;

    assert_eq!(answer.status, 202);
    let [stored] = &world.events().await[..] else { panic!("{answer:?}") };
    assert_eq!(answer.body["event"], stored.event.id.to_string());
    let delivery = &answer.body["deliveries"][0];
    assert_eq!(delivery["id"], stored.plan.deliveries[0].id(stored.event.id).to_string());
    assert_eq!(delivery["registration"], "phone");
    assert_eq!(delivery["channel"], "probe");
    assert_eq!(delivery["address"], json!(null));
    assert_eq!(delivery["state"], "queued");
    assert_eq!((&answer.body["collected"], &answer.body["dropped"]), (&json!([]), &json!([])));
    assert_eq!((stored.event.title.as_deref(), stored.event.message.as_str()), (Some("hello"), "world"));
    assert_eq!(stored.event.options.len(), 1);
    assert_eq!(world.work().await, 1);
}

#[tokio::test]
async fn what_is_switched_off_is_dropped_and_the_answer_says_so() {
    let world = world().await;
    let off = bellhop_core::model::Registration { enabled: false, ..registration("off") };
    assert!(world.rig.ports.registrations.put(&off).await.unwrap());

    let answer = world.call("send", "POST", PATH, json!({"to": ["off"], "title": "x"})).await;

    assert_eq!(answer.status, 202);
    assert_eq!(answer.body["deliveries"], json!([]));
    assert_eq!(answer.body["dropped"], json!([{"registration": "off", "why": "registration_disabled"}]));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_is_answered_as_soon_as_everything_is_final() {
    let world = world().await;

    let begin = Instant::now();
    let call = world.call("send", "POST", PATH, json!({"to": "phone", "body": "x", "wait_seconds": 25}));
    let worker = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.work().await
    };
    let (answer, done) = tokio::join!(call, worker);

    assert_eq!((answer.status, done), (202, 1));
    assert_eq!(answer.body["deliveries"][0]["state"], "delivered");
    assert!(begin.elapsed() < Duration::from_secs(4), "simulated time");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_in_vain_is_told_the_states_of_then() {
    let world = world().await;

    let begin = Instant::now();
    let answer = world.call("send", "POST", PATH, json!({"to": "phone", "body": "x", "wait_seconds": 2})).await;

    assert_eq!(answer.status, 202);
    assert_eq!(answer.body["deliveries"][0]["state"], "queued");
    assert_eq!(begin.elapsed().as_secs(), 2, "simulated time");
}

#[tokio::test]
async fn a_repeated_message_makes_nothing_new_and_is_answered_with_the_states_of_now() {
    let world = world().await;
    let body = json!({"to": "phone", "body": "x"});

    let first = world.repeatable(PATH, "k", &body).await;
    world.work().await;
    let again = world.repeatable(PATH, "k", &body).await;

    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body["event"], again.body["event"]);
    assert_eq!(again.body["deliveries"][0]["state"], "delivered");
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn a_repeated_message_is_answered_even_when_its_recipient_is_gone() {
    let world = world().await;
    let body = json!({"to": "phone", "body": "x"});
    let first = world.repeatable(PATH, "k", &body).await;

    assert!(world.rig.ports.registrations.delete(&account(), &bellhop_testkit::name("phone")).await.unwrap());
    let again = world.repeatable(PATH, "k", &body).await;

    assert_eq!((again.status, &again.body["event"]), (202, &first.body["event"]));
}

#[tokio::test]
async fn an_idempotency_key_with_another_body_is_refused() {
    let world = world().await;
    world.repeatable(PATH, "k", json!({"to": "phone", "body": "x"})).await;

    let answer = world.repeatable(PATH, "k", json!({"to": "phone", "body": "y"})).await;

    assert_eq!(answer.refusal(), (422, "idempotency_mismatch", "Idempotency-Key"));
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_counts_on_its_own_route_for_its_own_account_and_a_day() {
    let world = world().await;
    let body = json!({"to": "phone", "body": "x"});
    world.repeatable(PATH, "k", &body).await;

    assert_eq!(world.repeatable("/v1/events", "k", json!({"message": "x"})).await.status, 202);
    let other = crate::world::request("other", "POST", PATH, &[("idempotency-key", "k")], &body);
    assert_eq!(world.send(other).await.refusal(), (422, "unknown_recipient", "to[0]"));
    world.rig.sim.pass(Duration::from_hours(25));
    assert_eq!(world.repeatable(PATH, "k", json!({"to": "phone", "body": "y"})).await.status, 202);
    assert_eq!(world.events().await.len(), 3);
}
