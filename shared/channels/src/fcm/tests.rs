use bellhop_core::Retry::{After, Later, Never};
use proptest::prelude::*;

use super::*;
use crate::sample;

/// A service account whose key was made for the cases.
fn service_account() -> Value {
    let cases: Value = serde_json::from_str(include_str!("../../cases/fcm.json")).unwrap();
    serde_json::from_str(cases["cases"][0]["registration"]["service_account"].as_str().unwrap()).unwrap()
}

fn params(mut params: Value) -> Params {
    if params.get("service_account").is_none() {
        params["service_account"] = service_account().to_string().into();
    }
    sample::params(&SPEC, params)
}

fn refusal(params: Value) -> Problem {
    check(&sample::params(&SPEC, params)).unwrap_err()
}

#[test]
fn a_server_key_is_refused_with_the_reason_wherever_it_is_put() {
    for (name, value) in [("server_key", "AAAA:APA91b"), ("service_account", " AAAAxyz:APA91b")] {
        let problem = refusal(json!({ name: value, "token": "t" }));
        assert_eq!(problem.field, Some(format!("params.{name}")));
        assert!(problem.detail.contains("2024") && problem.detail.contains("service_account"), "{}", problem.detail);
    }
}

#[test]
fn a_service_account_prints_nothing() {
    let account = Account::parse(&service_account().to_string()).unwrap();
    assert_eq!(format!("{account:?}"), "Account");
}

#[test]
fn a_file_that_does_not_sign_is_refused_and_not_repeated() {
    let with = |name: &str, value: Value| {
        let mut account = service_account();
        account[name] = value;
        account.to_string()
    };
    for file in [
        "S3cr3t".to_owned(),
        json!({"type": "service_account", "project_id": "S3cr3t"}).to_string(),
        with("type", json!("authorized_user")),
        with("private_key", json!("S3cr3t")),
        with("private_key", json!("-----BEGIN PRIVATE KEY-----\nUzNjcjN0\n-----END PRIVATE KEY-----\n")),
        with("token_uri", json!("http://oauth2.example.com/S3cr3t")),
    ] {
        let problem = refusal(json!({ "service_account": file, "token": "t" }));
        assert_eq!(problem.field.as_deref(), Some("params.service_account"));
        assert!(!problem.detail.contains("S3cr3t"), "{}", problem.detail);
    }
}

#[test]
fn a_message_has_one_target() {
    for (targets, field) in [(json!({}), "params.token"), (json!({"topic": "a", "condition": "b"}), "params.condition")] {
        assert_eq!(check(&params(targets)).unwrap_err().field.as_deref(), Some(field));
    }
    for target in ["token", "topic", "condition"] {
        assert_eq!(check(&params(json!({ target: "x" }))), Ok(()));
    }
}

#[test]
fn a_link_that_the_web_would_refuse_is_handed_to_the_app() {
    let payload = |url: &str| {
        let job = sample::event("b", json!({ "url": url }));
        Value::from(payload(&sample::message(&job), &params(json!({"token": "t", "data": {"n": 7}}))))
    };
    assert_eq!(payload("https://e.com")["webpush"]["fcm_options"]["link"], "https://e.com");
    assert_eq!(payload("http://e.com")["data"], json!({"n": "7", "url": "http://e.com"}));
}

#[test]
fn codes_are_told_apart_by_what_is_to_be_done() {
    let answer = |status: u16, body: Value| {
        judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
    };
    for (status, code, reason, retry, dead) in [
        (404, "UNREGISTERED", Reason::Gone, Never, true),
        (400, "INVALID_ARGUMENT", Reason::Rejected, Never, false),
        (403, "SENDER_ID_MISMATCH", Reason::Rejected, Never, false),
        (401, "THIRD_PARTY_AUTH_ERROR", Reason::Unauthorized, Never, false),
        (429, "QUOTA_EXCEEDED", Reason::RateLimited, After(Duration::from_mins(1)), false),
        (503, "UNAVAILABLE", Reason::ProviderError, Later, false),
        (500, "INTERNAL", Reason::ProviderError, Later, false),
        (400, "S3cr3t", Reason::Rejected, Never, false),
    ] {
        let step = answer(status, json!({"error": {"status": "OTHER", "details": [{}, {"errorCode": code}]}}));
        let Step::Fail(error) = step else { panic!("{code}: {step:?}") };
        assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, dead), "{code}");
        assert!(!error.detail.contains("S3cr3t"), "{}", error.detail);
    }
    let renewed = answer(401, json!({"error": {"status": "UNAUTHENTICATED"}}));
    let Step::Renew(error) = renewed else { panic!("{renewed:?}") };
    assert_eq!((error.reason, error.retry), (Reason::Unauthorized, Never));
    assert_eq!(answer(200, json!({"name": "projects/p/messages/1"})), Step::Done);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_device_is_handed_no_more_than_it_takes(text in sample::any_text(), times in 1_usize..300, title in sample::any_text()) {
        let job = sample::event(&text.repeat(times), json!({"title": title.repeat(20), "url": "https://e.com/"}));
        let payload = Value::from(payload(&sample::message(&job), &params(json!({"token": "t"}))));
        prop_assert!(payload.to_string().len() <= PAYLOAD);
    }
}
