//! `/v1/account` and `/v1/keys`

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    world,
    world::{World, request},
};

async fn put(world: &World, body: Value) -> crate::world::Answer {
    world.call("manage", "PUT", "/v1/account", body).await
}

/// What a new account says of Mpush.
fn mpush() -> Value {
    json!({"token": {"set": false}, "http_verify_token": false, "ws_verify_token": true, "cors": false,
        "wait_timeout_ms": 5000, "retry_timeout_ms": 3000, "auth_timeout_ms": 30000})
}

#[tokio::test]
async fn an_account_has_settings_before_it_saved_any() {
    let world = world().await;
    let settings = json!({"id": "main", "time_zone": "UTC", "locale": "en", "retention_days": 30,
        "rate": {"per_second": 100, "burst": 500}, "quotas": {"tasks": 1000, "registrations_per_channel": 1000}, "mpush": mpush()});
    assert_eq!(world.call("manage", "GET", "/v1/account", "").await.body, settings);
}

#[tokio::test]
async fn settings_that_are_not_named_are_kept_and_null_is_the_usual_one() {
    let world = world().await;

    let first = put(
        &world,
        json!({"time_zone": "Asia/Shanghai", "locale": "zh-CN", "rate": {"per_second": 5},
        "default_image_url": "https://example.org/a.png"}),
    );
    assert_eq!(first.await.status, 200);
    let second = put(&world, json!({"retention_days": 7, "locale": null, "default_image_url": null})).await;

    let settings = json!({"id": "main", "time_zone": "Asia/Shanghai", "locale": "en", "retention_days": 7,
        "rate": {"per_second": 5, "burst": 500}, "quotas": {"tasks": 1000, "registrations_per_channel": 1000}, "mpush": mpush()});
    assert_eq!((second.status, &second.body), (200, &settings));
    assert_eq!(world.call("manage", "GET", "/v1/account", "").await.body, settings);
    assert_eq!(world.call("other", "GET", "/v1/account", "").await.body["time_zone"], "UTC");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_and_nothing_is_saved() {
    let world = world().await;
    let before = world.call("manage", "GET", "/v1/account", "").await.body;
    for (body, refusal) in [
        (json!({"time_zone": "Mars/Olympus"}), (422, "invalid_field", "time_zone")),
        (json!({"locale": "english"}), (422, "invalid_field", "locale")),
        (json!({"default_image_url": "a.png"}), (422, "invalid_field", "default_image_url")),
        (json!({"retention_days": 0}), (422, "invalid_field", "retention_days")),
        (json!({"retention_days": 3651}), (422, "invalid_field", "retention_days")),
        (json!({"retention_days": -1}), (422, "invalid_field", "retention_days")),
        (json!({"rate": {"burst": 0}}), (422, "invalid_field", "rate.burst")),
        (json!({"rate": {"per_second": "x"}}), (422, "invalid_field", "rate.per_second")),
        (json!({"rate": {"per_hour": 1}}), (422, "unknown_field", "rate.per_hour")),
        (json!({"rate": [1, 2]}), (422, "invalid_field", "rate")),
        (json!({"mpush": {"token": "abc"}}), (422, "invalid_field", "mpush.token")),
        (json!({"mpush": {"retry_timeout_ms": 1}}), (422, "invalid_field", "mpush.retry_timeout_ms")),
        (json!({"mpush": {"port": 9093}}), (422, "unknown_field", "mpush.port")),
        (json!({"id": "other"}), (422, "unknown_field", "id")),
    ] {
        assert_eq!(put(&world, body.clone()).await.refusal(), refusal, "{body}");
    }
    assert_eq!(world.call("manage", "GET", "/v1/account", "").await.body, before);
}

#[tokio::test]
async fn a_new_key_is_told_once_and_works_until_it_is_revoked() {
    let world = world().await;

    let made = world.call("full", "POST", "/v1/keys", json!({"scopes": ["read", "send", "read"], "description": "ci"})).await;

    assert_eq!(made.status, 201);
    assert_eq!(made.body["scopes"], json!(["send", "read"]));
    let whole = made.body["key"].as_str().unwrap();
    let id = made.body["id"].as_str().unwrap();
    let secret = whole.rsplit('_').next().unwrap();
    let call = async || {
        let request = Request::builder().uri("/v1/channels").header("x-api-key", whole).body(Body::empty()).unwrap();
        world.send(request).await.status
    };
    assert_eq!(call().await, 200);
    let listed = world.call("manage", "GET", "/v1/keys", "").await.body;
    assert!(!listed.to_string().contains(secret));
    assert!(!listed.to_string().contains("hash"));
    assert!(listed["items"].as_array().unwrap().iter().any(|item| item["id"] == id && item["description"] == "ci"));
    let path = format!("/v1/keys/{id}");
    assert_eq!(world.call("other", "DELETE", &path, "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("manage", "DELETE", &path, "").await.status, 204);
    assert_eq!(world.call("manage", "DELETE", &path, "").await.refusal(), (404, "not_found", ""));
    assert_eq!(call().await, 401);
}

#[tokio::test]
async fn a_repeated_request_for_a_key_makes_no_other_and_tells_no_secret() {
    let world = world().await;
    let body = json!({"scopes": ["read"], "description": "ci"});

    let first = world.repeatable("/v1/keys", "k", &body).await;
    let again = world.repeatable("/v1/keys", "k", &body).await;

    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(again.body["id"], first.body["id"]);
    assert_eq!((again.body.get("key"), again.body["description"].as_str()), (None, Some("ci")));
    for other in [json!({"scopes": ["send"], "description": "ci"}), json!({"scopes": ["read"]})] {
        assert_eq!(world.repeatable("/v1/keys", "k", &other).await.refusal(), (422, "idempotency_mismatch", "Idempotency-Key"));
    }
    let elsewhere = world.send(request("other", "POST", "/v1/keys", &[("idempotency-key", "k")], &body)).await;
    assert_eq!(elsewhere.status, 201);
    assert_ne!(elsewhere.body["id"], first.body["id"]);
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_refused() {
    let world = world().await;
    let keys = async || world.rig.ports.keys.list(&bellhop_testkit::account()).await.unwrap();
    let before = keys().await;
    for (id, body, refusal) in [
        ("full", json!({}), (422, "missing_field", "scopes")),
        ("full", json!({"scopes": []}), (422, "invalid_field", "scopes")),
        ("full", json!({"scopes": ["read", "root"]}), (422, "invalid_field", "scopes[1]")),
        ("full", json!({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}), (422, "invalid_field", "expires_at")),
        ("full", json!({"scopes": ["read"], "expires_at": "soon"}), (422, "invalid_field", "expires_at")),
        ("full", json!({"scopes": ["read"], "account": "other"}), (422, "invalid_field", "account")),
        ("full", json!({"scopes": ["read"], "account": "no name"}), (422, "invalid_field", "account")),
        ("manage", json!({"scopes": ["manage"], "account": "other"}), (403, "forbidden", "")),
        ("manage", json!({"scopes": ["manage", "operate"]}), (403, "forbidden", "scopes")),
    ] {
        assert_eq!(world.call(id, "POST", "/v1/keys", &body).await.refusal(), refusal, "{body}");
    }
    assert_eq!(keys().await, before);
}

#[tokio::test]
async fn the_list_of_keys_is_paged() {
    let world = world().await;
    let (mut seen, mut path) = (Vec::new(), "/v1/keys?limit=4".to_owned());
    loop {
        let page = world.call("manage", "GET", &path, "").await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/keys?limit=4&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["key_expired", "key_full", "key_manage", "key_operate", "key_read", "key_send"]);
}

#[tokio::test]
async fn an_mpush_token_is_one_accounts_and_is_never_shown() {
    let world = world().await;
    let set = async |key: &str, token: Value| world.call(key, "PUT", "/v1/account", json!({"mpush": {"token": token}})).await;
    let first = set("manage", json!("a long t0ken")).await;
    assert_eq!(first.refusal(), (422, "invalid_field", "mpush.token"), "spaces do not fit into a header");
    let first = set("manage", json!("a-long-t0ken")).await;
    assert_eq!((first.status, &first.body["mpush"]["token"]), (200, &json!({"set": true})));
    assert!(!first.body.to_string().contains("t0ken\""), "{}", first.body);
    assert_eq!(set("other", json!("a-long-t0ken")).await.refusal(), (422, "invalid_field", "mpush.token"));
    assert_eq!(
        set("manage", json!({"set": true})).await.body["mpush"]["token"],
        json!({"set": true}),
        "what GET shows changes nothing"
    );
    assert_eq!(set("manage", Value::Null).await.body["mpush"]["token"], json!({"set": false}));
    assert_eq!(set("other", json!("a-long-t0ken")).await.status, 200);
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/other", "").await.status, 204);
    assert_eq!(set("manage", json!("a-long-t0ken")).await.status, 200, "whoever is gone has none");
}
