//! What becomes of a key over time: its last use, the idempotency key under which it was made, how many there may be.

use std::time::Duration;

use bellhop_core::{model::KeyUse, ports::Kind};
use bellhop_testkit::account;
use serde_json::json;

use crate::{tenants::with_key, world, world::World};

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

#[tokio::test]
async fn nobody_gives_a_key_that_outlasts_his_own() {
    let world = world().await;
    let end = (world.rig.ports.clock.now() + Duration::from_hours(1)).to_string();
    let late = (world.rig.ports.clock.now() + Duration::from_hours(2)).to_string();
    let made = world.call("full", "POST", "/v1/keys", json!({"scopes": ["manage"], "expires_at": end})).await.body;
    let passing = made["key"].as_str().unwrap();

    for expires_at in [json!(null), json!(late)] {
        let body = json!({"scopes": ["manage"], "expires_at": expires_at});
        assert_eq!(with_key(&world, passing, "POST", "/v1/keys", body).await.refusal(), (403, "forbidden", "expires_at"));
    }
    let body = json!({"scopes": ["manage"], "expires_at": end});
    assert_eq!(with_key(&world, passing, "POST", "/v1/keys", body).await.status, 201);
}

#[tokio::test]
async fn an_account_that_has_lost_its_keys_gets_one_from_the_operator_and_sees_it_in_its_audit() {
    let world = world().await;
    world.call("operate", "POST", "/v1/accounts", json!({"id": "acme"})).await;
    world.call("operate", "POST", "/v1/accounts", json!({"id": "gone"})).await;
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/gone", "").await.status, 204);

    let body = |account: &str| json!({"scopes": ["read", "manage"], "account": account});
    let made = world.repeatable("/v1/keys", "k", body("acme")).await;
    let again = world.repeatable("/v1/keys", "k", body("acme")).await;

    assert_eq!((made.status, again.status, again.body.get("key")), (201, 200, None));
    let key = made.body["key"].as_str().unwrap();
    assert_eq!(with_key(&world, key, "GET", "/v1/account", json!(null)).await.body["id"], "acme");
    let audit = with_key(&world, key, "GET", "/v1/audit", json!(null)).await.body;
    assert_eq!((&audit["items"][0]["action"], &audit["items"][0]["object"]), (&json!("key_made"), &made.body["id"]));
    let own = world.call("full", "GET", "/v1/keys?limit=200", "").await.body;
    assert!(!own.to_string().contains(made.body["id"].as_str().unwrap()), "{own}");
    assert_eq!(world.call("full", "POST", "/v1/keys", body("gone")).await.refusal(), (422, "invalid_field", "account"));
    let too_much = json!({"scopes": ["operate"], "account": "acme"});
    assert_eq!(world.call("full", "POST", "/v1/keys", too_much).await.refusal(), (403, "forbidden", "scopes"));
}
