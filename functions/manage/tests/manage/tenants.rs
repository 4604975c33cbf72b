//! `/v1/accounts`

use std::time::Duration;

use axum::{body::Body, http::Request};
use bellhop_core::ports::Freshness;
use bellhop_testkit::name;
use serde_json::{Value, json};

use crate::{
    world,
    world::{Answer, World},
};

pub(crate) async fn with_key(world: &World, key: &str, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(path).header("x-api-key", key).body(body).unwrap();
    world.send(request).await
}

async fn made(world: &World, id: &str) -> String {
    let made = world.call("operate", "POST", "/v1/accounts", json!({ "id": id })).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["key"]["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_account_is_told_its_first_key_once_and_sees_nothing_of_others() {
    let world = world().await;

    let made = world.call("operate", "POST", "/v1/accounts", json!({"id": "acme"})).await;

    assert_eq!((made.status, &made.body["id"]), (201, &json!("acme")));
    assert_eq!(made.body["key"]["scopes"], json!(["send", "read", "manage"]));
    let key = made.body["key"]["key"].as_str().unwrap();
    assert_eq!(with_key(&world, key, "GET", "/v1/account", Value::Null).await.body["id"], "acme");
    assert_eq!(with_key(&world, key, "GET", "/v1/registrations", Value::Null).await.body["items"], json!([]));
    assert_eq!(with_key(&world, key, "GET", "/v1/registrations/phone", Value::Null).await.status, 404);
    assert_eq!(with_key(&world, key, "PUT", "/v1/registrations/phone", json!({"channel": "probe"})).await.status, 200);
    assert_eq!(with_key(&world, key, "GET", "/v1/accounts", Value::Null).await.refusal(), (403, "forbidden", ""));
    let listed = world.call("operate", "GET", "/v1/accounts", "").await.body;
    assert!(!listed.to_string().contains(key.rsplit('_').next().unwrap()), "{listed}");
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_the_operators_own_among_them() {
    let world = world().await;
    for id in ["acme", "zeta"] {
        made(&world, id).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/accounts?limit=2".to_owned());
    loop {
        let page = world.call("operate", "GET", &path, "").await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/accounts?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["acme", "main", "zeta"]);
}

#[tokio::test]
async fn a_repeated_request_for_an_account_makes_no_other_and_tells_no_secret() {
    let world = world().await;
    let body = json!({"id": "acme"});

    let first = world.repeatable("/v1/accounts", "k", &body).await;
    let again = world.repeatable("/v1/accounts", "k", &body).await;

    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(again.body["key"]["id"], first.body["key"]["id"]);
    assert_eq!(again.body["key"].get("key"), None);
    let other = world.repeatable("/v1/accounts", "k", json!({"id": "globex"})).await;
    assert_eq!(other.refusal(), (422, "idempotency_mismatch", "Idempotency-Key"));
    let without = world.call("full", "POST", "/v1/accounts", &body).await;
    assert_eq!(without.refusal(), (409, "conflict", "id"));
    world.rig.sim.pass(Duration::from_hours(24));
    assert_eq!(world.repeatable("/v1/accounts", "k", &body).await.refusal(), (409, "conflict", "id"));
}

#[tokio::test]
async fn an_account_that_makes_no_sense_is_refused() {
    let world = world().await;
    for (body, refusal) in [
        (json!({}), (422, "missing_field", "id")),
        (json!({"id": "a/b"}), (422, "invalid_name", "id")),
        (json!({"id": "acme", "key": "x"}), (422, "unknown_field", "key")),
        (json!({"id": "main"}), (409, "conflict", "id")),
    ] {
        assert_eq!(world.call("operate", "POST", "/v1/accounts", &body).await.refusal(), refusal, "{body}");
    }
}

#[tokio::test]
async fn a_deleted_account_is_let_in_no_more_keeps_no_secret_and_leaves_its_name_to_nobody() {
    // given an account with a registration, a rule that collects, a contact and a hook
    let world = world().await;
    let key = made(&world, "acme").await;
    for (path, body) in [
        ("/v1/registrations/phone", json!({"channel": "probe", "params": {"url": "https://probe.invalid/S3cr3t"}})),
        ("/v1/rules/daily", json!({"to": ["phone"], "batch": {"at": "12:00:00"}})),
        ("/v1/contacts/alice", json!({"email": "a@example.org"})),
    ] {
        assert_eq!(with_key(&world, &key, "PUT", path, body).await.status, 200, "{path}");
    }
    let hook = with_key(&world, &key, "POST", "/v1/hooks", json!({"name": "qd", "kind": "qd"})).await;
    let (_, token) = hook.body["url"].as_str().unwrap().rsplit_once("/in/").unwrap();

    // when it is deleted
    let deleted = world.call("operate", "DELETE", "/v1/accounts/acme", "").await;

    // then
    assert_eq!((deleted.status, deleted.body), (204, Value::Null));
    assert_eq!(with_key(&world, &key, "GET", "/v1/account", Value::Null).await.status, 401);
    let report = Request::post(format!("/in/{token}")).body(Body::from("t=x&log=y")).unwrap();
    assert_eq!(world.send(report).await.status, 404);
    let acme = bellhop_core::model::AccountId::parse("acme").unwrap();
    let ports = &world.rig.ports;
    assert_eq!(ports.registrations.get(&acme, &name("phone"), Freshness::Fresh).await.unwrap(), None);
    for kind in [bellhop_core::ports::Kind::Rule, bellhop_core::ports::Kind::Contact, bellhop_core::ports::Kind::Use] {
        assert_eq!(ports.records.list(&acme, kind, None, 10).await.unwrap(), [], "{kind:?}");
    }
    assert!(ports.digests.get(&acme, &name("daily")).await.unwrap().is_none_or(|schedule| schedule.closing.is_some()));
    let again = world.call("operate", "POST", "/v1/accounts", json!({"id": "acme"})).await;
    assert_eq!(again.refusal(), (409, "conflict", "id"));
    let listed = world.call("operate", "GET", "/v1/accounts", "").await.body;
    assert!(listed["items"][0]["deleted_at"].is_string(), "{listed}");
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/acme", "").await.status, 204, "as often as somebody likes");
}

#[tokio::test]
async fn a_large_account_is_deleted_in_several_calls() {
    let world = world().await;
    let key = made(&world, "acme").await;
    for n in 0..501 {
        let contact = json!({"email": "a@example.org"});
        assert_eq!(with_key(&world, &key, "PUT", &format!("/v1/contacts/c{n}"), contact).await.status, 200);
    }
    let first = world.call("operate", "DELETE", "/v1/accounts/acme", "").await;
    assert_eq!((first.status, first.body["deleted_at"].is_string()), (202, true));
    assert_eq!(with_key(&world, &key, "GET", "/v1/account", Value::Null).await.status, 401, "whatever is left");
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/acme", "").await.status, 204);
}

#[tokio::test]
async fn the_operators_own_account_cannot_be_deleted_and_what_is_none_is_not_there() {
    let world = world().await;
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/main", "").await.refusal(), (409, "conflict", ""));
    assert_eq!(world.call("operate", "DELETE", "/v1/accounts/nobody", "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("read", "GET", "/v1/registrations/phone", "").await.status, 200);
}
