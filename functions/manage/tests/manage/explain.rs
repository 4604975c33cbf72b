//! `POST /v1/rules/explain`

use serde_json::json;

use crate::world;

const PATH: &str = "/v1/rules/explain";

#[tokio::test]
async fn what_would_happen_is_told_and_nothing_is_kept_or_counted() {
    let world = world().await;
    let rule = json!({"to": ["phone"], "after_failures": 2});
    assert_eq!(world.call("manage", "PUT", "/v1/rules/ops", &rule).await.status, 200);
    let event = json!({"source": "a/b", "result": "failure", "message": "no"});
    for _ in 0..3 {
        let told = world.call("read", "POST", PATH, json!({"event": event})).await;
        let below = json!({"rule": "ops", "decided": "drop", "why": "below_failure_threshold", "count": 1, "needed": 2});
        assert_eq!((told.status, &told.body["decisions"], &told.body["deliveries"]), (200, &json!([below]), &json!([])));
    }
    assert!(world.is_untouched().await);
}

#[tokio::test]
async fn a_rule_is_tried_before_it_is_saved_with_its_words() {
    let world = world().await;
    let rule = json!({"to": ["phone"], "title": "{{ source }} {{ result }}", "body": null});
    let body = json!({"event": {"source": "a/b", "result": "failure", "message": "no"}, "name": "ops", "rule": rule});
    let told = world.call("read", "POST", PATH, body).await;
    assert_eq!(told.status, 200, "{:?}", told.body);
    assert_eq!(told.body["wordings"], json!([{"rule": "ops", "title": "a/b failure", "message": "no"}]));
    assert_eq!(told.body["deliveries"], json!([{"registration": "phone", "channel": "probe", "worded_by": "ops"}]));
    assert_eq!(world.call("read", "GET", "/v1/rules/ops", "").await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_where_it_stands() {
    let world = world().await;
    let event = json!({"message": "no"});
    for (body, refusal) in [
        (json!({"event": {}}), (422, "missing_field", "event.message")),
        (json!({"event": {"message": " "}}), (422, "invalid_field", "event.message")),
        (json!({"event": {"message": "x", "send_to": "gone"}}), (422, "unknown_recipient", "event.send_to[0]")),
        (json!({"event": event, "rule": {"to": ["phone"]}}), (422, "missing_field", "name")),
        (json!({"event": event, "name": "r"}), (422, "missing_field", "rule")),
        (json!({"event": event, "name": "r", "rule": {"to": []}}), (422, "invalid_field", "rule.to")),
        (json!({"event": event, "name": "r", "rule": {"to": ["phone"], "titles": "x"}}), (422, "unknown_field", "rule.titles")),
    ] {
        assert_eq!(world.call("read", "POST", PATH, &body).await.refusal(), refusal, "{body}");
    }
    assert_eq!(world.call("read", "POST", "/v1/rules/ops", json!({"event": event})).await.status, 404);
}
