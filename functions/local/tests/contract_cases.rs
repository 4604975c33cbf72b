//! Every case in `shared/channels/cases/*.json`, through the same code as `bellhop dry-run` and `bellhop verdict`; and
//! `docs/channels.md`, which tells what came of them.
#![expect(clippy::unwrap_used, reason = "a test")]

mod page;

use std::{collections::HashSet, fs, path::Path};

use bellhop_channels::ALL;
use bellhop_core::Timestamp;
use bellhop_local::{dry_run::dry_run, verdict::verdict};
use serde_json::{Value, json};
use url::Url;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/channels/cases");

/// 2024-05-01 08:00:00 UTC, for cases that do not say when they are.
const NOW: i64 = 1_714_550_400;

/// Every case, with its channel in it.
fn cases() -> Vec<Value> {
    let read = |path: &Path| -> Vec<Value> {
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut cases = file["cases"].as_array().unwrap().clone();
        for case in &mut cases {
            case["channel"] = file["channel"].clone();
        }
        cases
    };
    let mut files: Vec<_> = fs::read_dir(CASES).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| read(path)).collect()
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn sent(case: &Value) -> Value {
    dry_run(&case.to_string(), ALL, now()).unwrap()
}

/// What a case abbreviates, written out.
fn expanded(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(expanded).collect(),
        Value::Object(object) => match object.iter().next() {
            Some((name, Value::Array(parts))) if name == "$repeat" => {
                let times = usize::try_from(parts[1].as_u64().unwrap()).unwrap();
                parts[0].as_str().unwrap().repeat(times).into()
            }
            Some((name, Value::Array(parts))) if name == "$concat" => {
                parts.iter().map(|part| expanded(part).as_str().unwrap().to_owned()).collect::<String>().into()
            }
            _ => Value::Object(object.iter().map(|(name, value)| (name.clone(), expanded(value))).collect()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Sessions are compared line by line, headers by how they begin and without regard to how a charset is spelt.
fn assert_mail(request: &Value, case: &Value) {
    let name = &case["name"];
    if let Some(dialog) = case.get("expect_smtp") {
        assert_eq!(&request["smtp"], dialog, "{name}");
    }
    for (header, value) in case.get("expect_headers").and_then(Value::as_object).into_iter().flatten() {
        let (sent, wanted) =
            (request["headers"][header].as_str().unwrap(), value.as_str().unwrap().replace("=?UTF-8?", "=?utf-8?"));
        assert!(sent.starts_with(&wanted), "{name}: {header}: {sent}");
    }
    assert_eq!(request.get("parts"), case.get("parts"), "{name}");
}

/// A part of what is shown, with everything in it that the case names.
fn assert_names(shown: &Value, expected: &Value, case: &str) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{case}: {name}");
    }
}

fn assert_request(request: &Value, expected: &Value, case: &str) {
    assert_eq!(request["method"], expected["method"], "{case}");
    if expected["url_exact"] == true {
        assert_eq!(request["url"], expected["url"], "{case}");
    } else {
        let address = |request: &Value| Url::parse(request["url"].as_str().unwrap()).unwrap();
        let (sent, wanted) = (address(request), address(expected));
        assert_eq!((sent.origin(), sent.path()), (wanted.origin(), wanted.path()), "{case}");
    }
    if let Some(query) = expected.get("query") {
        assert_eq!(&request["query"], query, "{case}");
    }
    for (name, value) in expected.get("headers").and_then(Value::as_object).into_iter().flatten() {
        assert_eq!(&request["headers"][name], value, "{case}: {name}");
    }
    assert_eq!(request["body_kind"], expected["body_kind"], "{case}");
    assert_eq!(request.get("body"), expected.get("body").map(expanded).as_ref(), "{case}");
    assert_eq!(request.get("body_b64url"), expected.get("body_b64url"), "{case}");
}

#[test]
fn every_channel_has_cases_and_every_case_a_name() {
    let cases = cases();
    let covered: HashSet<_> = cases.iter().map(|case| case["channel"].as_str().unwrap()).collect();
    let known: HashSet<_> = ALL.specs.iter().map(|spec| spec.id).collect();
    assert_eq!(covered, known);
    let names: HashSet<_> = cases.iter().map(|case| (case["channel"].as_str(), case["name"].as_str().unwrap())).collect();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn what_is_sent_is_what_the_case_expects() {
    assert_sent(cases());
}

fn assert_sent(cases: Vec<Value>) {
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let sent = sent(&case);
        if let Some(verdict) = case.get("expect_error") {
            assert_eq!(&sent["error"]["verdict"], verdict, "{name}: {sent}");
        } else if let Some(expected) = case.get("expect_websocket") {
            let [request] = sent["requests"].as_array().unwrap().as_slice() else { panic!("{name}: {sent}") };
            assert_names(&request["websocket"], expected, name);
        } else if let Some(expected) = case.get("expect_ses") {
            let [request] = sent["requests"].as_array().unwrap().as_slice() else { panic!("{name}: {sent}") };
            assert_names(&request["ses"], expected, name);
            assert_mail(&request["ses"], &case);
        } else if case.get("parts").is_some() {
            let [request] = sent["requests"].as_array().unwrap().as_slice() else { panic!("{name}: {sent}") };
            assert_mail(request, &case);
        } else {
            let expected = case.get("expect_requests").and_then(Value::as_array).cloned();
            let expected = expected.unwrap_or_else(|| vec![case["expect_request"].clone()]);
            let requests = sent["requests"].as_array().unwrap_or_else(|| panic!("{name}: {sent}"));
            assert_eq!(requests.len(), expected.len(), "{name}");
            for (request, expected) in requests.iter().zip(&expected) {
                assert_request(request, expected, name);
            }
            let before = case.get("preflight").and_then(Value::as_array).into_iter().flatten();
            let before: Vec<_> = before.map(|step| &step["request"]).collect();
            let sent = sent["preflight"].as_array().unwrap();
            assert_eq!(sent.len(), before.len(), "{name}: {sent:?}");
            for (request, expected) in sent.iter().zip(before) {
                assert_request(request, expected, name);
            }
        }
    }
}

#[test]
fn what_becomes_of_an_answer_is_what_the_case_expects() {
    assert!(judged_as_expected(cases()).len() > 100);
}

/// Each answer, and what became of it.
fn judged_as_expected(cases: Vec<Value>) -> Vec<(Value, Value)> {
    let mut all = Vec::new();
    for case in cases {
        for response in case.get("responses").and_then(Value::as_array).into_iter().flatten() {
            let input = json!({
                "channel": case["channel"], "registration": case["registration"], "now_unix": case.get("now_unix"),
                "response": response,
            });
            let judged = verdict(&input.to_string(), ALL, now()).unwrap();
            let at = format!("{}: {response}", case["name"]);
            assert_eq!(judged["verdict"], response["verdict"], "{at}");
            assert_eq!(judged.get("retry_after_s"), response.get("retry_after_s"), "{at}");
            assert_eq!(judged.get("per_recipient"), response.get("per_recipient"), "{at}");
            assert_eq!(judged["reason"].is_null(), response["verdict"] == "delivered", "{at}");
            all.push((response.clone(), judged));
        }
    }
    all
}

#[test]
fn the_page_of_channels_is_what_they_declare_and_what_came_of_their_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/channels.md");
    let page = page::page(&cases());
    if std::env::var_os("BELLHOP_WRITE_DOCS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(made, there)| made != there);
    assert!(page == committed, "docs/channels.md is out of date (run `cargo xtask docs`): {differs:?}");
}

#[test]
fn the_same_case_gives_the_same_output() {
    for case in cases() {
        assert_eq!(sent(&case).to_string(), sent(&case).to_string(), "{}", case["name"]);
    }
}

#[test]
fn an_answer_is_judged_without_a_registration() {
    let input = json!({"channel": "webhook", "response": {"status": 503, "headers": {"Retry-After": "7"}}});
    let expected = json!({"verdict": "retry_after", "retry_after_s": 7, "reason": "provider_error"});
    assert_eq!(verdict(&input.to_string(), ALL, now()).unwrap(), expected);
}

#[test]
fn a_refusal_names_the_field() {
    let sent = sent(&json!({"channel": "webhook", "registration": {"url": "https://e.com", "secret": "x"}}));
    assert_eq!(sent["error"]["reason"], "invalid_params");
    assert!(sent["error"]["detail"].as_str().unwrap().starts_with("`params.secret`: "), "{sent}");
}

#[test]
fn what_is_no_case_is_said_in_words() {
    for (input, code) in [
        ("{", "malformed_json"),
        (r#"{"channel":"no_such"}"#, "unknown_channel"),
        (r#"{"registration":{}}"#, "invalid_field"),
        (r#"{"channel":"webhook","registration":{"url":"https://e.com"},"now_unix":1e300}"#, "invalid_field"),
    ] {
        assert_eq!(dry_run(input, ALL, now()).unwrap_err().code.as_str(), code, "{input}");
    }
}
