//! What is pushed, and what becomes of the answers.

use bellhop_core::channel::Params;
use proptest::prelude::*;

use super::*;
use crate::sample;

fn registered(mut params: Value) -> Params {
    if params.get("device_keys").is_none() {
        params["device_key"] = "k".into();
    }
    sample::params(&SPEC, params)
}

fn sent(text: &str, fields: Value, params: Value) -> Outgoing {
    let job = sample::event(text, fields);
    sample::request(&SPEAKER, &sample::message(&job), &registered(params))
}

fn json_of(outgoing: &Outgoing) -> Value {
    let Body::Json(body) = &outgoing.body else { panic!("not JSON") };
    serde_json::from_str(body).unwrap()
}

fn judged(status: u16, body: &Value) -> Step {
    judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_repetition_replaces_the_first_by_its_id() {
    let body = json_of(&sent("b", json!({}), json!({})));
    assert!(body["id"].as_str().unwrap().starts_with("dlv_") && body["id"].as_str().unwrap().len() <= 64);
}

#[test]
fn everything_is_passed_on_as_text() {
    let params = json!({"group": "g", "badge": 3, "call": true, "is_archive": false, "level": "critical", "volume": "7"});
    let body = json_of(&sent("b", json!({"url": "https://e.com/"}), params));
    for (name, value) in
        [("group", "g"), ("badge", "3"), ("call", "1"), ("isArchive", "0"), ("level", "critical"), ("volume", "7")]
    {
        assert_eq!(body[name], value);
    }
    assert_eq!(body["url"], "https://e.com/");
}

#[test]
fn a_push_can_be_replaced_or_taken_back_by_an_id_of_ones_own() {
    let body = json_of(&sent("b", json!({}), json!({"id": "build", "ttl": 60, "auto_copy": true, "action": "none"})));
    assert_eq!((&body["id"], body.get("delete")), (&json!("build"), None));
    assert_eq!((&body["ttl"], &body["autoCopy"], &body["action"]), (&json!("60"), &json!("1"), &json!("none")));
    let encryption = json!({"id": "build", "delete": true, "encryption": {"key": "1234567890123456"}});
    let body = json_of(&sent("b", json!({}), encryption));
    assert_eq!((&body["id"], &body["delete"]), (&json!("build"), &json!("1")), "the server has to know");
    let body = json_of(&sent("b", json!({}), json!({"delete": true})));
    assert_eq!(body.get("delete"), None, "without an id of one's own there is nothing to take back");
}

#[test]
fn a_path_carries_the_rest_in_its_query_and_what_it_cannot_carry_goes_as_json() {
    let path = |text: &str, params: Value| {
        let mut params = params;
        params["form"] = "path".into();
        sent(text, json!({"title": "a+b/c"}), params)
    };
    let url = path("?", json!({"group": "g 1"})).url;
    assert!(url.starts_with("https://api.day.app/k/a%2Bb%2Fc/%3F?group=g%201&id=dlv_"), "{url}");
    let encryption = json!({"encryption": {"key": "1234567890123456"}});
    for outgoing in [path("", json!({})), path(".", json!({})), path(&"测".repeat(900), json!({})), path("b", encryption)] {
        assert_eq!((outgoing.method, outgoing.url.as_str()), (Method::Post, "https://api.day.app/push"));
    }
}

#[test]
fn several_devices_are_a_batch_of_which_every_answer_counts() {
    let body = json_of(&sent("b", json!({}), json!({"device_keys": ["k1", "k2"]})));
    assert_eq!(body["device_keys"], json!(["k1", "k2"]));
    let batch = |second: Value| judged(200, &json!({"code": 200, "data": [{"code": 200}, second]}));
    assert_eq!(batch(json!({"code": 200})), Step::Done);
    for (second, retry) in [
        (json!({"code": 400, "message": "failed to get device token"}), Retry::Never),
        (json!({"code": 500, "message": "push failed: InternalServerError"}), Retry::Later),
    ] {
        let Step::Fail(error) = batch(second) else { panic!("delivered") };
        assert_eq!((error.retry, error.dead_address), (retry, false), "the first device is well");
    }
}

#[test]
fn a_dead_device_is_told_from_a_server_in_trouble() {
    for (status, message, reason, dead) in [
        (400, "failed to get device token: device token invalid", Reason::Gone, true),
        (400, "request bind failed", Reason::Rejected, false),
        (500, "push failed: BadDeviceToken", Reason::Gone, true),
        (500, "push failed: PayloadTooLarge", Reason::Rejected, false),
        (500, "push failed: TooManyRequests", Reason::ProviderError, false),
        (405, "Method Not Allowed", Reason::Rejected, false),
    ] {
        let Step::Fail(error) = judged(status, &json!({"code": status, "message": message})) else { panic!("{message}") };
        assert_eq!((error.reason, error.dead_address), (reason, dead), "{message}");
    }
}

#[test]
fn without_any_device_a_registration_is_refused() {
    let problem = check(&sample::params(&SPEC, json!({}))).unwrap_err();
    assert_eq!(problem.field.as_deref(), Some("params.device_key"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))] // long texts take long

    #[test]
    fn a_push_fits_into_what_apple_takes(text in sample::any_text(), times in 1_usize..300, encrypted in any::<bool>()) {
        let params = if encrypted { json!({"encryption": {"key": "1234567890123456"}}) } else { json!({}) };
        let body = json_of(&sent(&text.repeat(times), json!({"title": text}), params));
        prop_assert!(size_in_go(&body.to_string()) <= MOST_BYTES + 200);
        prop_assert!(!encrypted || body.get("body").is_none());
    }
}
