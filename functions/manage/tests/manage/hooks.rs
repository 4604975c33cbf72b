//! `/v1/hooks`

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    world,
    world::{World, request},
};

fn sqle() -> Value {
    json!({
        "name": "dba", "kind": "sqle", "defaults": {"trigger": "manual", "send_to": "phone"},
        "recipients": [{"action": "approve", "project": "shop*", "step": 2, "to": ["contact:bob"]}],
        "link_base_url": "https://sqle.example.org/", "token": "planted",
    })
}

async fn report(world: &World, path: &str) -> u16 {
    world.send(Request::builder().method("POST").uri(path).body(Body::from("text")).unwrap()).await.status
}

#[tokio::test]
async fn a_hooks_path_is_told_once_and_works_until_it_is_deleted() {
    let world = world().await;
    let headers = [("host", "bellhop.example.org"), ("x-forwarded-proto", "https")];
    let made = world.send(request("manage", "POST", "/v1/hooks", &headers, json!({"name": "game", "kind": "generic"}))).await;
    assert_eq!(made.status, 201);
    let path = made.body["url"].as_str().unwrap().strip_prefix("https://bellhop.example.org").unwrap();
    let token = path.strip_prefix("/in/").unwrap();
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits");
    assert_eq!(report(&world, path).await, 200);

    let shown = world.call("read", "GET", "/v1/hooks/game", "").await;
    let listed = world.call("read", "GET", "/v1/hooks", "").await;
    assert_eq!(listed.body["items"], json!([shown.body]));
    assert!(!listed.body.to_string().contains(token) && !listed.body.to_string().contains("hash"));
    assert_eq!((shown.body["kind"].as_str(), shown.body.get("url")), (Some("generic"), None));

    assert_eq!(world.call("other", "DELETE", "/v1/hooks/game", "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("manage", "DELETE", "/v1/hooks/game", "").await.status, 204);
    assert_eq!(world.call("manage", "DELETE", "/v1/hooks/game", "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("read", "GET", "/v1/hooks/game", "").await.refusal(), (404, "not_found", ""));
    assert_eq!(report(&world, path).await, 404);
}

#[tokio::test]
async fn a_hook_is_shown_as_it_was_made_without_its_token() {
    let world = world().await;
    assert_eq!(world.call("manage", "POST", "/v1/hooks", sqle()).await.status, 201);
    let shown = world.call("read", "GET", "/v1/hooks/dba", "").await.body;
    let mut expected = sqle();
    expected["defaults"]["send_to"] = json!(["phone"]);
    expected["link_base_url"] = json!("https://sqle.example.org");
    expected["token"] = json!({"set": true});
    expected["created_at"] = shown["created_at"].clone();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_repeated_request_for_a_hook_makes_no_other_and_tells_no_path() {
    let world = world().await;

    let first = world.repeatable("/v1/hooks", "k", sqle()).await;
    let again = world.repeatable("/v1/hooks", "k", sqle()).await;

    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!((again.body["name"].as_str(), again.body.get("url")), (Some("dba"), None));
    let other = json!({"name": "other", "kind": "generic"});
    let mismatch = (422, "idempotency_mismatch", "Idempotency-Key");
    assert_eq!(world.repeatable("/v1/hooks", "k", &other).await.refusal(), mismatch);
    assert_eq!(world.repeatable("/v1/hooks", "k2", sqle()).await.refusal(), (409, "conflict", "name"));
    assert_eq!(world.call("manage", "POST", "/v1/hooks", sqle()).await.refusal(), (409, "conflict", "name"));
}

#[tokio::test]
async fn a_hook_that_makes_no_sense_is_refused() {
    let world = world().await;
    for (body, refusal) in [
        (json!({"kind": "qd"}), (422, "missing_field", "name")),
        (json!({"name": "a"}), (422, "missing_field", "kind")),
        (json!({"name": "a", "kind": "jira"}), (422, "invalid_field", "kind")),
        (json!({"name": "kinds", "kind": "qd"}), (422, "invalid_field", "name")),
        (json!({"name": "a", "kind": "qd", "defaults": {"sauce": "x"}}), (422, "unknown_field", "defaults.sauce")),
        (json!({"name": "a", "kind": "qd", "defaults": {"send_to": ["a b"]}}), (422, "invalid_field", "defaults.send_to[0]")),
        (json!({"name": "a", "kind": "qd", "defaults": {"url": "x"}}), (422, "invalid_field", "defaults.url")),
        (json!({"name": "a", "kind": "qd", "defaults": {"url": "javascript:x"}}), (422, "invalid_field", "defaults.url")),
        (json!({"name": "a", "kind": "qd", "defaults": {"image_url": "ftp://x"}}), (422, "invalid_field", "defaults.image_url")),
        (json!({"name": "a", "kind": "qd", "token": "x"}), (422, "invalid_field", "token")),
        (json!({"name": "a", "kind": "sqle", "token": ""}), (422, "invalid_field", "token")),
        (json!({"name": "a", "kind": "sqle", "link_base_url": "sqle"}), (422, "invalid_field", "link_base_url")),
        (json!({"name": "a", "kind": "sqle", "recipients": [{"to": []}]}), (422, "invalid_field", "recipients[0].to")),
        (json!({"name": "a", "kind": "qd", "recipients": [{"to": "b"}]}), (422, "invalid_field", "recipients")),
    ] {
        assert_eq!(world.call("manage", "POST", "/v1/hooks", &body).await.refusal(), refusal, "{body}");
    }
    for id in ["read", "send"] {
        assert_eq!(world.call(id, "POST", "/v1/hooks", sqle()).await.status, 403, "{id}");
    }
    assert_eq!(world.call("read", "GET", "/v1/hooks", "").await.body["items"], json!([]));
}

#[tokio::test]
async fn an_account_has_two_hundred_hooks_at_most() {
    let world = world().await;
    for number in 0..200 {
        let made = world.call("manage", "POST", "/v1/hooks", json!({"name": format!("h{number}"), "kind": "qd"})).await;
        assert_eq!(made.status, 201);
    }
    let one_more = world.call("manage", "POST", "/v1/hooks", json!({"name": "more", "kind": "qd"})).await;
    assert_eq!(one_more.refusal(), (422, "too_many_items", ""));
}

#[tokio::test]
async fn the_kinds_have_their_types_in_both_languages() {
    let world = world().await;
    let kinds = world.call("read", "GET", "/v1/hooks/kinds", "").await.body;
    let names: Vec<_> = kinds["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["bettergi", "sqle", "qd", "generic"]);
    let types = kinds["items"][0]["types"].as_array().unwrap();
    assert_eq!(types.len(), 22);
    let cancel = json!({"type": "task.cancel", "label": {"en": "Task cancelled or ended", "zh": "任务取消或结束"}});
    assert!(types.contains(&cancel));
}
