//! What is refused, is refused with a code and a field; nothing of it is kept, nothing of it is sent.

use acceptance::{BODY_SECRET, Bellhop, HEADER_SECRET, PLANTED, Sink, URL_SECRET, find_planted};
use serde_json::{Value, json};

/// `(path, body, status, code, field)`
fn refusals() -> Vec<(&'static str, String, u16, &'static str, Value)> {
    let large = "x".repeat(300 * 1024);
    let picture = "A".repeat(5_600_000);
    let to = |name: &str| json!({ "to": name, "body": BODY_SECRET }).to_string();
    let event = |field: &str, value: Value| json!({ "message": BODY_SECRET, field: value }).to_string();
    vec![
        ("/v1/messages", format!("{{\"to\": \"desk\", \"body\": \"{BODY_SECRET}"), 400, "malformed_json", Value::Null),
        ("/v1/messages", "[]".to_owned(), 422, "invalid_field", Value::Null),
        ("/v1/messages", json!({ "to": "desk", "boddy": BODY_SECRET }).to_string(), 422, "unknown_field", json!("boddy")),
        ("/v1/messages", json!({ "body": BODY_SECRET }).to_string(), 422, "missing_field", json!("to")),
        ("/v1/messages", json!({ "to": 7, "body": BODY_SECRET }).to_string(), 422, "invalid_field", json!("to")),
        ("/v1/messages", to("nobody"), 422, "unknown_recipient", json!("to[0]")),
        ("/v1/messages", to("group:none"), 422, "unknown_recipient", json!("to[0]")),
        ("/v1/messages", to("contact:none"), 422, "unknown_recipient", json!("to[0]")),
        ("/v1/messages", to("a/b"), 422, "invalid_name", json!("to[0]")),
        (
            "/v1/messages",
            json!({ "to": "desk", "via": "nobody", "body": "x" }).to_string(),
            422,
            "unknown_recipient",
            json!("via"),
        ),
        ("/v1/messages", to("email:a@example.org"), 422, "no_default_registration", json!("to[0]")),
        ("/v1/messages", json!({ "to": ["desk", "nobody"], "body": "x" }).to_string(), 422, "unknown_recipient", json!("to[1]")),
        ("/v1/messages", json!({ "to": "desk", "body": large }).to_string(), 413, "body_too_large", Value::Null),
        (
            "/v1/messages",
            json!({ "to": "desk", "body": "x", "options": { "webhook": { "url": "http://x" } } }).to_string(),
            422,
            "invalid_option",
            json!("options.webhook.url"),
        ),
        ("/v1/messages", json!({ "to": vec!["desk"; 1001], "body": "x" }).to_string(), 422, "too_many_items", json!("to")),
        ("/v1/events", json!({ "title": "x" }).to_string(), 422, "missing_field", json!("message")),
        ("/v1/events", event("result", json!("maybe")), 422, "invalid_field", json!("result")),
        ("/v1/events", event("screenshot", json!("not base64!")), 422, "invalid_base64", json!("screenshot")),
        ("/v1/events", event("screenshot", json!(picture)), 413, "picture_too_large", json!("screenshot")),
        ("/v1/events", event("occurred_at", json!("yesterday")), 422, "invalid_field", json!("occurred_at")),
        ("/v1/events", event("image_url", json!("ftp://x")), 422, "invalid_field", json!("image_url")),
        ("/v1/events", event("send_to", json!(["desk", "x y"])), 422, "invalid_name", json!("send_to[1]")),
        (
            "/v1/events/bulk",
            json!({ "events": vec![json!({ "message": "x" }); 101] }).to_string(),
            422,
            "too_many_items",
            json!("events"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_neither_kept_nor_sent() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    let params = json!({ "url": sink.url });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;

    for (path, body, status, code, field) in refusals() {
        let case = format!("{path} {}", body.chars().take(120).collect::<String>());
        let (answered, problem) = bellhop.client.try_call("POST", path, &[], Some(body)).await.unwrap();
        assert_eq!((answered, &problem["code"], &problem["field"]), (status, &json!(code), &field), "{case}\n{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(find_planted(&problem.to_string(), &[BODY_SECRET]), None, "{case}");
    }
    assert_eq!(bellhop.client.get("/v1/events").await["items"], json!([]));
    bellhop.stop();
    assert_eq!(sink.arrivals().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_cannot_work_is_refused_with_the_parameter() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    for (name, body, code, field) in [
        ("desk", json!({ "channel": "pigeon", "params": {} }), "unknown_channel", json!("channel")),
        ("desk", json!({ "channel": "webhook", "params": {} }), "invalid_params", json!("params.url")),
        ("desk", json!({ "channel": "webhook", "params": { "url": "ftp://x" } }), "invalid_params", json!("params.url")),
        (
            "desk",
            json!({ "channel": "webhook", "params": { "url": "http://x", "color": "red" } }),
            "invalid_params",
            json!("params.color"),
        ),
        (
            "desk",
            json!({ "channel": "webhook", "params": { "url": "http://x", "headers": { "X": "a\r\nb" } } }),
            "invalid_params",
            json!("params.headers"),
        ),
        ("a%2Fb", json!({ "channel": "webhook", "params": { "url": "http://x" } }), "invalid_name", json!("name")),
    ] {
        let (status, problem) = bellhop.client.call("PUT", &format!("/v1/registrations/{name}"), Some(body)).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (422, &json!(code), &field), "{problem}");
    }
    assert_eq!(bellhop.client.get("/v1/registrations").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_is_told() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut stranger = bellhop.client.clone();
    for key in ["", "bh_nobody_00000000000000000000000000000000", "x"] {
        key.clone_into(&mut stranger.key);
        let (status, problem) = stranger.call("GET", "/v1/events", None).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthorized")));
    }
}

/// Makes everything go wrong that can, with secrets planted in all of it; the search of the output is the assertion.
#[tokio::test(flavor = "multi_thread")]
async fn failures_of_every_kind_leave_no_secret_in_logs_or_answers() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with(data.path(), &["--allow-private", "127.0.0.0/8", "--log", "trace"]);
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink_host = sink.url.strip_prefix("http://").unwrap();
    let urls = [
        format!("{}/{URL_SECRET}", sink.url),
        format!("http://{refused}/{URL_SECRET}"),
        format!("https://{sink_host}/{URL_SECRET}"),
        format!("http://10.0.0.1/{URL_SECRET}"),
        format!("http://nobody.invalid/{URL_SECRET}"),
    ];
    let mut registrations: Vec<Value> =
        urls.iter().map(|url| json!({ "url": url, "headers": { "X-Token": HEADER_SECRET } })).collect();
    registrations.push(json!({ "url": urls[0], "proxy": format!("http://user:{HEADER_SECRET}@{refused}") }));
    registrations.push(json!({ "url": urls[0], "token": HEADER_SECRET, "format": "bettergi" }));
    sink.answer(vec![acceptance::Answer::status(500).header("x-echo", URL_SECRET); 2]);
    for (number, params) in registrations.iter().enumerate() {
        let name = format!("r{number}");
        bellhop.client.put(&format!("/v1/registrations/{name}"), json!({ "channel": "webhook", "params": params })).await;
        let shown = bellhop.client.get(&format!("/v1/registrations/{name}")).await;
        assert_eq!(find_planted(&shown.to_string(), &PLANTED), None);
        let delivery = bellhop.client.send(json!({ "to": name, "title": BODY_SECRET, "body": BODY_SECRET })).await.remove(0);
        let tried = bellhop.client.until(&delivery, &["retrying", "failed", "delivered"]).await;
        assert_eq!(find_planted(&tried.to_string(), &PLANTED), None);
        assert!(!tried["attempts"].as_array().unwrap().is_empty());
    }
    let output = bellhop.stop();
    assert!(output.contains("blocked_address") && output.contains("connect_failed"), "the failures are logged");
}

#[test]
fn the_search_for_secrets_finds_them() {
    let output = format!("a line\nerror sending request for url (http://x/{URL_SECRET})\n");
    assert!(find_planted(&output, &PLANTED).is_some());
}
