//! What becomes of a key over time: its last use, the idempotency key under which it was made, how many there may be.

use std::time::Duration;

use bellhop_core::{model::KeyUse, ports::Kind};
use bellhop_testkit::account;
use serde_json::json;

use crate::{world, world::World};

async fn last_use(world: &World, id: &str) -> Option<String> {
    let listed = world.call("manage", "GET", "/v1/keys", "").await.body;
    let key = listed["items"].as_array().unwrap().iter().find(|key| key["id"] == id).cloned().unwrap();
    key["last_used_at"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn when_a_key_was_last_used_is_told_to_the_minute_and_written_once_a_minute() {
    let world = world().await;
    assert_eq!(last_use(&world, "key_read").await, None, "it was never used");

    world.call("read", "GET", "/v1/channels", "").await;
    let first = last_use(&world, "key_read").await;
    assert!(first.is_some());
    let version = async || {
        let record = world.rig.ports.records.get(&account(), Kind::Use, "key_read").await.unwrap().unwrap();
        assert!(record.read::<KeyUse>().is_ok());
        record.version
    };
    for _ in 0..5 {
        world.rig.sim.pass(Duration::from_secs(10));
        world.call("read", "GET", "/v1/channels", "").await;
    }
    assert_eq!((last_use(&world, "key_read").await, version().await), (first.clone(), 1));

    world.rig.sim.pass(Duration::from_secs(10));
    world.call("read", "GET", "/v1/channels", "").await;
    assert!(last_use(&world, "key_read").await > first);
    assert_eq!(version().await, 2);
}

#[tokio::test]
async fn a_wrong_secret_is_no_use_of_the_key() {
    let world = world().await;
    let wrong = "bh_read_0123456789abcdef0123456789abcdef";
    let request = axum::http::Request::get("/v1/channels").header("x-api-key", wrong).body(axum::body::Body::empty()).unwrap();
    assert_eq!(world.send(request).await.status, 401);
    assert_eq!(last_use(&world, "key_read").await, None);
}

#[tokio::test]
async fn after_24_hours_an_idempotency_key_stands_for_nothing() {
    let world = world().await;
    let body = json!({"scopes": ["read"]});
    let first = world.repeatable("/v1/keys", "weekly", &body).await;
    let hook = json!({"name": "one", "kind": "qd"});
    assert_eq!(world.repeatable("/v1/hooks", "weekly", &hook).await.status, 201);

    world.rig.sim.pass(Duration::from_hours(24));
    let second = world.repeatable("/v1/keys", "weekly", &body).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.body["id"], second.body["id"]);
    let again = world.repeatable("/v1/keys", "weekly", &body).await;
    assert_eq!((again.status, &again.body["id"], again.body.get("key")), (200, &second.body["id"], None));

    let other = json!({"name": "two", "kind": "qd"});
    assert_eq!(world.repeatable("/v1/hooks", "weekly", &other).await.status, 201);
}

#[tokio::test]
async fn an_account_has_so_many_keys_and_no_more() {
    let world = world().await;
    let body = json!({"scopes": ["read"]});
    let there = world.rig.ports.keys.list(&account()).await.unwrap().len();
    for n in there..200 {
        assert_eq!(world.call("full", "POST", "/v1/keys", &body).await.status, 201, "{n}");
    }
    assert_eq!(world.call("full", "POST", "/v1/keys", &body).await.refusal(), (422, "too_many_items", ""));
}
