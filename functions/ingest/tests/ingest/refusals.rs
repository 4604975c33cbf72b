//! Whatever is refused leaves nothing behind.

use serde_json::{Value, json};

use crate::{world, world::request};

async fn refuses(path: &str, cases: Vec<(Value, (u16, &str, &str))>) {
    let world = world().await;
    for (body, expected) in cases {
        let answer = world.call("send", "POST", path, &body).await;
        assert_eq!(answer.refusal(), expected, "{body}");
        assert!(world.is_untouched().await, "{body}");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_refused() {
    let to = |to: Value| json!({"to": to, "body": "x"});
    let options = |options: Value| json!({"to": "phone", "body": "x", "options": options});
    refuses(
        "/v1/messages",
        vec![
            (to(json!("nobody")), (422, "unknown_recipient", "to[0]")),
            (to(json!(["phone", "nobody"])), (422, "unknown_recipient", "to[1]")),
            (to(json!("group:ops")), (422, "unknown_recipient", "to[0]")),
            (to(json!("contact:bob")), (422, "unknown_recipient", "to[0]")),
            (to(json!("email:a@example.org")), (422, "no_default_registration", "to[0]")),
            (to(json!("a/b")), (422, "invalid_name", "to[0]")),
            (to(json!("fax:1")), (422, "invalid_field", "to[0]")),
            (to(json!(["phone", 5])), (422, "invalid_field", "to[1]")),
            (to(json!({})), (422, "invalid_field", "to")),
            (to(json!([])), (422, "invalid_field", "to")),
            (json!({"body": "x"}), (422, "missing_field", "to")),
            (json!({"to": "phone"}), (422, "missing_field", "body")),
            (json!({"to": "phone", "body": "x", "messgae": "y"}), (422, "unknown_field", "messgae")),
            (json!({"to": "email:a@b", "via": "phone", "body": "x"}), (422, "invalid_field", "via")),
            (json!({"to": "email:a@b", "via": "nobody", "body": "x"}), (422, "unknown_recipient", "via")),
            (json!({"to": "phone", "via": "a/b", "body": "x"}), (422, "invalid_name", "via")),
            (options(json!({"nothing": {}})), (422, "invalid_option", "options.nothing")),
            (options(json!({"probe": {"url": "https://x/"}})), (422, "invalid_option", "options.probe.url")),
            (options(json!({"probe": {"tone": 1}})), (422, "invalid_option", "options.probe.tone")),
            (options(json!({"probe": []})), (422, "invalid_field", "options.probe")),
            (json!({"to": "phone", "body": "x", "wait_seconds": 26}), (422, "invalid_field", "wait_seconds")),
            (json!({"to": "phone", "body": "x".repeat(300_000)}), (413, "body_too_large", "")),
            (json!({"to": "phone", "body": "x", "screenshot": "A".repeat(5_600_000)}), (413, "picture_too_large", "screenshot")),
            (json!({"to": "phone", "body": "x", "screenshot": "A".repeat(5_800_000)}), (413, "body_too_large", "")),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_refused() {
    let with = |name: &str, value: Value| json!({"message": "x", "send_to": "phone", name: value});
    refuses(
        "/v1/events",
        vec![
            (json!({}), (422, "missing_field", "message")),
            (json!([]), (422, "invalid_field", "")),
            (json!("message"), (422, "invalid_field", "")),
            (json!({"message": " "}), (422, "invalid_field", "message")),
            (with("source", json!("")), (422, "invalid_field", "source")),
            (with("type", json!("a b")), (422, "invalid_field", "type")),
            (with("trigger", json!("cron")), (422, "invalid_field", "trigger")),
            (with("result", json!(3)), (422, "invalid_field", "result")),
            (with("format", json!("rtf")), (422, "invalid_field", "format")),
            (with("url", json!("x")), (422, "invalid_field", "url")),
            (with("image_url", json!("file:///etc/passwd")), (422, "invalid_field", "image_url")),
            (with("screenshot", json!("?")), (422, "invalid_base64", "screenshot")),
            (with("occurred_at", json!("soon")), (422, "invalid_field", "occurred_at")),
            (with("send_to", json!("nobody")), (422, "unknown_recipient", "send_to[0]")),
            (with("send_to", json!(["phone", "a/b"])), (422, "invalid_name", "send_to[1]")),
            (with("final", json!("yes")), (422, "invalid_field", "final")),
            (with("options", json!({})), (422, "unknown_field", "options")),
            (with("title", json!(1)), (422, "invalid_field", "title")),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_bulk_that_is_none_is_refused() {
    refuses(
        "/v1/events/bulk",
        vec![
            (json!({}), (422, "missing_field", "events")),
            (json!({"events": {}}), (422, "invalid_field", "events")),
            (json!({"events": [], "x": 1}), (422, "unknown_field", "x")),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_even_a_request_is_refused_on_every_route() {
    let world = world().await;
    for path in ["/v1/messages", "/v1/events", "/v1/events/bulk"] {
        let deep = "[".repeat(10_000);
        for body in
            ["", "{", "{\"message\":\"\0\"}", "{\"message\":\"a\",\"message\":\"b\"}", "{\"data\":{\"a\":1,\"a\":2}}", &deep]
        {
            assert_eq!(world.call("send", "POST", path, body).await.refusal(), (400, "malformed_json", ""), "{path} {body}");
        }
        let typed = request("send", "POST", path, &[("content-type", "multipart/form-data; boundary=x")], "{}");
        assert_eq!(world.send(typed).await.refusal(), (415, "unsupported_media_type", ""));
        let keyed = request("send", "POST", path, &[("idempotency-key", "a b")], "{}");
        assert_eq!(world.send(keyed).await.refusal(), (422, "invalid_idempotency_key", "Idempotency-Key"));
        let asked = request("send", "POST", &format!("{path}?dry=1"), &[], "{}");
        assert_eq!(world.send(asked).await.refusal(), (422, "invalid_query", "dry"));
        assert!(world.is_untouched().await, "{path}");
    }
}

#[tokio::test]
async fn what_bare_curl_sends_is_read() {
    let world = world().await;
    let typed =
        request("send", "POST", "/v1/events", &[("content-type", "application/x-www-form-urlencoded")], "{\"message\":\"x\"}");
    assert_eq!(world.send(typed).await.status, 202);
}

#[tokio::test]
async fn the_registrations_of_another_account_do_not_exist() {
    let world = world().await;
    let answer = world.call("other", "POST", "/v1/messages", json!({"to": "phone", "body": "x"})).await;
    assert_eq!(answer.refusal(), (422, "unknown_recipient", "to[0]"));
    assert!(world.is_untouched().await);
}
