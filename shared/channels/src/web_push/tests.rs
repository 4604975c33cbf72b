use std::time::Duration;

use bellhop_core::Retry::{After, Later, Never};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sample;

const P256DH: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";

fn params(more: Value) -> Params {
    let mut params = json!({"endpoint": "https://push.example.com/S3cr3t", "p256dh": P256DH, "auth": "BTBZMqHH6r4Tts7J_aSIgg"});
    let Value::Object(more) = more else { panic!("not an object") };
    params.as_object_mut().unwrap().extend(more);
    sample::params(&SPEC, params)
}

fn sent(params: Value, id: Option<&str>) -> Outgoing {
    let job = sample::event("b", json!({}));
    let message = Message { id: id.map(str::to_owned), ..sample::message(&job) };
    sample::request(&WebPush, &message, &self::params(params))
}

fn header(outgoing: &Outgoing, name: &str) -> Option<String> {
    outgoing.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

#[test]
fn a_subscription_is_checked_and_what_is_wrong_is_named_and_not_repeated() {
    assert_eq!(check(&params(json!({}))), Ok(()));
    let padded = P256DH.replace('_', "/").replace('-', "+") + "=";
    assert_eq!(check(&params(json!({"p256dh": padded, "auth": " BTBZMqHH6r4Tts7J/aSIgg== "}))), Ok(()));
    for (name, bad) in [
        ("endpoint", "http://push.example.com/S3cr3t"),
        ("endpoint", "http://169.254.169.254/S3cr3t"),
        ("endpoint", "https://u:S3cr3t@push.example.com/"),
        ("endpoint", "https:///S3cr3t@"),
        ("p256dh", "S3cr3t"),
        ("p256dh", "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw5"),
        ("auth", "S3cr3t"),
        ("auth", "not base64: S3cr3t"),
        ("proxy", "ftp://S3cr3t"),
    ] {
        let problem = check(&params(json!({ name: bad }))).unwrap_err();
        assert_eq!(problem.field, Some(format!("params.{name}")), "{bad}");
        assert!(!problem.detail.contains("S3cr3t"), "{}", problem.detail);
    }
}

#[test]
fn a_whole_subscription_is_read_as_the_browser_writes_it() {
    let browsers = json!({"endpoint": "https://e.com/1", "expirationTime": null, "keys": {"auth": "a", "p256dh": "p"}});
    let found = from_json(&browsers.to_string()).map(Value::Object);
    assert_eq!(found, Ok(json!({"endpoint": "https://e.com/1", "p256dh": "p", "auth": "a"})));
    for bad in ["S3cr3t", "{}", r#"{"endpoint":"S3cr3t","keys":{"auth":"S3cr3t"}}"#] {
        assert!(!from_json(bad).unwrap_err().contains("S3cr3t"), "{bad}");
    }
}

#[test]
fn a_repetition_has_the_topic_of_the_first_try_and_another_message_another() {
    let of = |id| header(&sent(json!({}), Some(id)), "topic").unwrap();
    assert_eq!(of("dlv_1"), of("dlv_1"));
    assert_ne!(of("dlv_1"), of("dlv_2"));
    assert!(of("dlv_1").len() == 32 && of("dlv_1").bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert_eq!(header(&sent(json!({}), None), "topic"), None);
}

#[test]
fn a_topic_of_ones_own_is_kept_if_it_is_one() {
    let of = |topic: &str| header(&sent(json!({ "topic": topic }), Some("dlv_1")), "topic").unwrap();
    assert_eq!(of("build-7"), "build-7");
    for odd in ["a b", "天气", &"x".repeat(33)] {
        assert!(of(odd).len() == 32 && of(odd) == of(odd), "{odd}");
    }
}

#[test]
fn a_time_to_live_stays_in_its_range_and_urgency_has_a_default() {
    for (params, ttl, urgency) in [
        (json!({}), "2419200", "high"),
        (json!({"ttl": "60", "urgency": "very-low"}), "60", "very-low"),
        (json!({"ttl": -1}), "0", "high"),
        (json!({"ttl": 9_999_999}), "2419200", "high"),
    ] {
        let sent = sent(params, None);
        assert_eq!((header(&sent, "ttl"), header(&sent, "urgency")), (Some(ttl.to_owned()), Some(urgency.to_owned())));
    }
}

#[test]
fn without_the_deployments_key_it_is_asked_for() {
    let job = sample::event("b", json!({}));
    let context = Context { vapid: None, ..sample::context() };
    assert_eq!(WebPush.step(&context, &sample::message(&job), &params(json!({})), &[]), Step::Vapid);
}

#[test]
fn an_answer_is_what_the_push_services_mean_by_it() {
    let judged = |status, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        judge(&Reply { status, headers, body: Vec::new() }, Timestamp::UNIX_EPOCH)
    };
    for status in [200, 201, 202] {
        assert_eq!(judged(status, &[]), Step::Done, "{status}");
    }
    for (status, reason, retry) in [
        (204, Reason::UnexpectedAnswer, Later),
        (301, Reason::Redirected, Never),
        (400, Reason::Rejected, Never),
        (401, Reason::Unauthorized, Never),
        (403, Reason::Unauthorized, Never),
        (404, Reason::Gone, Never),
        (410, Reason::Gone, Never),
        (413, Reason::Rejected, Never),
        (429, Reason::RateLimited, After(Duration::from_secs(10))),
        (500, Reason::ProviderError, Later),
        (503, Reason::ProviderError, After(Duration::from_secs(10))),
    ] {
        let Step::Fail(error) = judged(status, &[("retry-after", "10")]) else { panic!("{status}") };
        assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, reason == Reason::Gone), "{status}");
    }
}

#[test]
fn what_has_no_title_is_told_by_its_text() {
    let job = sample::event("b", json!({"url": "https://e.com"}));
    let said: Value = serde_json::from_str(&fitting(&sample::message(&job))).unwrap();
    assert_eq!(said["data"]["message"], json!({"text": "b", "desp": "", "extra": {"scheme": "https://e.com"}}));
}

#[test]
fn what_stands_beside_the_text_goes_where_it_leaves_no_room() {
    let told = |mut fields: Value| -> Value {
        fields["title"] = "t".into();
        let job = sample::event(&"x".repeat(5_000), fields);
        serde_json::from_str(&fitting(&sample::message(&job))).unwrap()
    };
    let (link, long) = ("https://e.com/", format!("https://e.com/{}", "y".repeat(5_000)));
    for (fields, extra) in [
        (json!({"url": link, "data": {"a": 1}}), json!({"a": 1, "scheme": link})),
        (json!({"url": link, "data": {"a": "z".repeat(5_000)}}), json!({"scheme": link})),
        (json!({"url": long, "data": {"a": 1}}), json!({})),
    ] {
        let said = &told(fields)["data"]["message"];
        assert_eq!(said["extra"], extra);
        assert!(said["desp"].as_str().unwrap().len() > 1_900, "{said}");
    }
}

proptest! {
    #[test]
    fn whatever_is_said_what_is_sent_fits_and_is_json(title in sample::any_text(), text in sample::any_text(), times in 1_usize..400) {
        let job = sample::event(&text.repeat(times), json!({"title": title.repeat(times)}));
        let message = crate::format::message(&job, &SPEC, None);
        let said = fitting(&message);
        prop_assert!(said.len() <= encryption::MOST, "{}", said.len());
        let said: Value = serde_json::from_str(&said).unwrap();
        prop_assert!(said["data"]["message"]["desp"].is_string());
        let outgoing = sample::request(&WebPush, &message, &params(json!({})));
        let Body::Raw(body) = outgoing.body else { panic!("not raw") };
        prop_assert!(body.len() <= 4096);
    }
}
