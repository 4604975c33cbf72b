//! `/v1/registrations/{name}/reveal` and `/v1/audit`

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, AuditEntry, AuditId},
    ports::{Audit, Ports},
};
use bellhop_http::{Api, complete};
use serde_json::{Value, json};

use crate::{
    world,
    world::{Answer, World, key},
};

const ROBOT: &str = "/v1/registrations/robot";
const TOKEN: &str = "token-0123456789-ab12";

fn robot(token: &str) -> Value {
    json!({"channel": "safe", "params": {"token": token, "headers": {"Authorization": "Bearer cd34"}, "room": "7"}})
}

async fn reveal(world: &World, caller: &str, given: &str) -> Answer {
    world.call(caller, "POST", &format!("{ROBOT}/reveal"), json!({"key": given})).await
}

/// Action, object and key of each entry, the latest first.
async fn audit(world: &World, caller: &str) -> Vec<(String, Value, String)> {
    let listed = world.call(caller, "GET", "/v1/audit", "").await;
    assert_eq!(listed.status, 200, "{:?}", listed.body);
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = listed.body["items"].as_array().unwrap().iter();
    items.map(|item| (text(item, "action"), item["object"].clone(), text(item, "key"))).collect()
}

/// So that entries have an order.
fn later(world: &World) {
    world.rig.sim.pass(Duration::from_secs(1));
}

fn entry(action: &str, object: &str, caller: &str) -> (String, Value, String) {
    (action.to_owned(), json!(object), format!("key_{caller}"))
}

#[tokio::test]
async fn a_managers_key_given_again_shows_the_parameters_in_clear_and_the_former_ones() {
    let world = world().await;
    let first = world.call("manage", "PUT", ROBOT, robot("an older token")).await;
    later(&world);
    let second = world.call("manage", "PUT", ROBOT, robot(TOKEN)).await;
    later(&world);

    let revealed = reveal(&world, "manage", &key("full")).await;

    assert_eq!((revealed.status, &revealed.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
    let former = json!({"version": 1, "channel": "safe", "params": robot("an older token")["params"],
        "saved_at": first.body["updated_at"], "replaced_at": second.body["updated_at"]});
    let wanted = json!({"name": "robot", "channel": "safe", "params": robot(TOKEN)["params"], "version": 2,
        "updated_at": second.body["updated_at"], "former": [former]});
    assert_eq!(revealed.body, wanted);
    assert_eq!(audit(&world, "manage").await[0], entry("registration_revealed", "robot", "manage"));
}

#[tokio::test]
async fn without_a_managers_key_of_the_account_nothing_is_shown_and_the_audit_says_who_tried() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, robot(TOKEN)).await;
    let wrong = format!("{}x", key("manage"));
    let given = [key("read"), key("other"), key("expired"), key("nobody"), wrong, "bh_".to_owned(), String::new()];
    for given in &given {
        later(&world);
        let refused = reveal(&world, "full", given).await;
        assert_eq!(refused.refusal(), (403, "forbidden", "key"), "{given}");
        assert!(!refused.body.to_string().contains(TOKEN) && (given.len() < 5 || !refused.body.to_string().contains(given)));
        assert_eq!(audit(&world, "full").await[0], entry("reveal_refused", "robot", "full"));
    }
    assert_eq!(audit(&world, "full").await.len(), given.len() + 1);
    for (body, refusal) in [
        (json!({}), (422, "missing_field", "key")),
        (json!({"key": 7}), (422, "invalid_field", "key")),
        (json!({"key": key("full"), "keys": 1}), (422, "unknown_field", "keys")),
    ] {
        assert_eq!(world.call("full", "POST", &format!("{ROBOT}/reveal"), &body).await.refusal(), refusal, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_account_is_not_revealed() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, robot(TOKEN)).await;
    assert_eq!(reveal(&world, "other", &key("other")).await.refusal(), (404, "not_found", ""));
    assert_eq!(reveal(&world, "other", &key("manage")).await.refusal(), (403, "forbidden", "key"));
    world.call("manage", "DELETE", ROBOT, "").await;
    assert_eq!(reveal(&world, "manage", &key("manage")).await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn keys_cannot_be_tried_out() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, robot(TOKEN)).await;
    for _ in 0..20 {
        assert_eq!(reveal(&world, "manage", &key("manage")).await.status, 200, "a right one is one request");
    }
    world.rig.sim.pass(Duration::from_secs(1));
    for _ in 0..10 {
        assert_eq!(reveal(&world, "manage", "bh_x").await.status, 403);
    }
    let refused = reveal(&world, "manage", &key("manage")).await;
    assert_eq!((refused.refusal(), &refused.headers["retry-after"]), ((429, "rate_limited", ""), &"1".parse().unwrap()));
}

#[tokio::test]
async fn what_is_done_with_what_an_account_owns_stands_in_its_audit() {
    let world = world().await;
    let done = async |caller: &str, method: &str, path: &str, body: Value| {
        later(&world);
        let answer = world.call(caller, method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {:?}", answer.body);
    };
    done("manage", "PUT", ROBOT, robot(TOKEN)).await;
    done("full", "PATCH", ROBOT, json!({"enabled": false})).await;
    done("manage", "DELETE", ROBOT, json!(null)).await;
    later(&world);
    let made = world.repeatable("/v1/keys", "k", json!({"scopes": ["read"]})).await;
    let again = world.repeatable("/v1/keys", "k", json!({"scopes": ["read"]})).await;
    assert_eq!((made.status, again.status), (201, 200));
    let id = made.body["id"].as_str().unwrap();
    done("manage", "DELETE", &format!("/v1/keys/{id}"), json!(null)).await;
    done("manage", "POST", "/v1/hooks", json!({"name": "qd", "kind": "qd"})).await;
    done("manage", "DELETE", "/v1/hooks/qd", json!(null)).await;
    done("manage", "PUT", "/v1/account", json!({"retention_days": 60})).await;
    done("operate", "POST", "/v1/dead-letters/redrive", json!({"channel": "probe"})).await;

    let wanted = [
        entry("dead_letters_redriven", "probe", "operate"),
        ("account_saved".to_owned(), Value::Null, "key_manage".to_owned()),
        entry("hook_deleted", "qd", "manage"),
        entry("hook_made", "qd", "manage"),
        entry("key_revoked", id, "manage"),
        entry("key_made", id, "full"),
        entry("registration_deleted", "robot", "manage"),
        entry("registration_saved", "robot", "full"),
        entry("registration_saved", "robot", "manage"),
    ];
    assert_eq!(audit(&world, "manage").await, wanted);
    assert_eq!(audit(&world, "other").await, []);
}

#[tokio::test]
async fn what_is_refused_does_not_stand_there() {
    let world = world().await;
    for (method, path, body) in [
        ("PUT", ROBOT, json!({"channel": "safe"})),
        ("PATCH", ROBOT, json!({"enabled": false})),
        ("DELETE", ROBOT, json!(null)),
        ("POST", "/v1/keys", json!({"scopes": []})),
        ("DELETE", "/v1/keys/key_other", json!(null)),
        ("DELETE", "/v1/keys/key_nobody", json!(null)),
        ("POST", "/v1/hooks", json!({"name": "kinds", "kind": "qd"})),
        ("DELETE", "/v1/hooks/qd", json!(null)),
        ("PUT", "/v1/account", json!({"retention_days": 0})),
    ] {
        assert!(world.call("manage", method, path, body).await.status >= 400, "{method} {path}");
    }
    assert_eq!(audit(&world, "manage").await, []);
}

#[tokio::test]
async fn the_audit_is_paged() {
    let world = world().await;
    for name in ["a", "b", "c"] {
        world.call("manage", "PUT", &format!("/v1/registrations/{name}"), json!({"channel": "probe"})).await;
        later(&world);
    }
    let first = world.call("manage", "GET", "/v1/audit?limit=2", "").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.call("manage", "GET", &format!("/v1/audit?limit=2&cursor={cursor}"), "").await.body;
    let objects =
        |page: &Value| -> Vec<Value> { page["items"].as_array().unwrap().iter().map(|item| item["object"].clone()).collect() };
    assert_eq!((objects(&first), objects(&second)), (vec![json!("c"), json!("b")], vec![json!("a")]));
    assert!(first["items"][0]["at"].as_str() > second["items"][0]["at"].as_str());
    assert!(first["items"][0]["id"].as_str().unwrap().starts_with("aud_"));
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(world.call("manage", "GET", "/v1/audit?action=x", "").await.refusal(), (422, "invalid_query", "action"));
}

/// A store that has no room for another entry.
struct Full;

#[async_trait]
impl Audit for Full {
    async fn record(&self, _: &AuditEntry) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("no room".to_owned()))
    }

    async fn list(&self, _: &AccountId, _: Option<AuditId>, _: usize) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }
}

/// Of the account's keys.
async fn ids(world: &World) -> Vec<Value> {
    let keys = world.call("manage", "GET", "/v1/keys", "").await.body;
    keys["items"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect()
}

#[tokio::test]
async fn nothing_is_done_that_the_audit_cannot_keep() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, robot(TOKEN)).await;
    let keys = ids(&world).await;
    let ports = Ports { audit: Arc::new(Full), ..world.rig.ports.clone() };
    let world = World { routes: complete(bellhop_manage::routes(Api::new(ports))), ..world };

    let mut refused = vec![reveal(&world, "manage", &key("manage")).await, reveal(&world, "manage", "bh_x").await];
    refused.push(world.call("manage", "PUT", ROBOT, robot("another")).await);
    refused.push(world.call("manage", "DELETE", ROBOT, "").await);
    refused.push(world.call("full", "POST", "/v1/keys", json!({"scopes": ["read"]})).await);
    refused.push(world.call("manage", "DELETE", "/v1/keys/key_read", "").await);

    for answer in refused {
        assert_eq!(answer.refusal(), (503, "unavailable", ""));
        assert!(!answer.body.to_string().contains(TOKEN));
    }
    assert_eq!(world.call("read", "GET", ROBOT, "").await.body["version"], 1);
    assert_eq!(ids(&world).await, keys);
}
