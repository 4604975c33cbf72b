use std::time::Duration;

use bellhop_core::{
    Retry::{After, Later, Never},
    channel::Body,
};
use proptest::prelude::*;

use super::*;
use crate::sample;

fn params(mut params: Value) -> Params {
    params["app_id"] = "cli_1".into();
    params["app_secret"] = "s3cret".into();
    sample::params(&SPEC, params)
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// What is asked or sent.
fn sent(step: Step) -> (String, Value) {
    let (Step::Ask(outgoing) | Step::Call(outgoing)) = step else { panic!("no request but {step:?}") };
    let Outgoing { url, body: Body::Json(body), .. } = outgoing else { panic!("not JSON") };
    (url, serde_json::from_str(&body).unwrap())
}

#[test]
fn one_recipient_takes_five_a_second_and_all_together_what_the_app_may_call() {
    let rate = |options| FeishuApp.rate(&params(options)).unwrap();
    for one in [json!({"receive_id": "oc_1"}), json!({"email": "a@example.org"}), json!({"mobile": "+1"})] {
        assert_eq!(rate(one), SendRate::of(5, Duration::from_secs(1)));
    }
    // with one that is late for its slot
    let SendRate { burst, every } = rate(json!({}));
    let most_in = |stretch: Duration| u128::from(burst) + stretch.as_millis() / every.as_millis() + 1;
    assert!(most_in(Duration::from_secs(1)) <= 50 && most_in(Duration::from_mins(1)) <= 1000);
}

#[test]
fn an_address_is_the_open_id_of_one_person() {
    let mut job = sample::event("b", json!({}));
    job.address = Some("feishu:ou_7".parse().unwrap());
    for options in [json!({}), json!({"email": "a@example.org"}), json!({"receive_id": "oc_1", "receive_id_type": "chat_id"})] {
        let (url, body) = sent(FeishuApp.step(&sample::context(), &sample::message(&job), &params(options), &[]));
        assert!(url.ends_with("/im/v1/messages?receive_id_type=open_id"), "{url}");
        assert_eq!(body["receive_id"], "ou_7");
    }
}

#[test]
fn who_is_named_by_mobile_is_looked_up_and_gets_the_message_then() {
    let job = sample::event("b", json!({}));
    let options = params(json!({"mobile": "+13012345678"}));
    let step = |so_far: &[Reply]| FeishuApp.step(&sample::context(), &sample::message(&job), &options, so_far);
    let (url, body) = sent(step(&[]));
    assert!(url.ends_with("/contact/v3/users/batch_get_id?user_id_type=open_id"), "{url}");
    assert_eq!(body, json!({"mobiles": ["+13012345678"]}));
    let found = reply(200, &json!({"code": 0, "data": {"user_list": [{"user_id": "ou_7", "mobile": "+13012345678"}]}}));
    let (url, body) = sent(step(std::slice::from_ref(&found)));
    assert_eq!((url.ends_with("receive_id_type=open_id"), &body["receive_id"]), (true, &json!("ou_7")));
    assert_eq!(step(&[found, reply(200, &json!({"code": 0}))]), Step::Done);
    assert!(matches!(step(&[reply(401, &json!({"code": 99_991_663}))]), Step::Renew(_)), "a lookup's token is renewed, too");
}

#[test]
fn nobody_and_several_are_no_recipient() {
    let job = sample::event("b", json!({}));
    let step = FeishuApp.step(&sample::context(), &sample::message(&job), &params(json!({})), &[]);
    let Step::Fail(error) = step else { panic!("{step:?}") };
    assert_eq!(error.reason, Reason::InvalidParams);
    let both = check(&params(json!({"receive_id": "ou_7", "email": "a@example.org"}))).unwrap_err();
    assert_eq!(both.field.as_deref(), Some("params.email"));
    assert_eq!(check(&params(json!({}))), Ok(()), "it serves those who send to addresses");
}

#[test]
fn a_repeated_message_has_the_same_id_of_fifty_characters_at_most() {
    let job = sample::event("b", json!({}));
    let options = params(json!({"receive_id": "ou_7"}));
    let uuid = |id: &str| {
        let message = Message { id: Some(id.to_owned()), ..sample::message(&job) };
        sent(FeishuApp.step(&sample::context(), &message, &options, &[])).1["uuid"].clone()
    };
    let own = job.delivery.to_string();
    assert_eq!(uuid(&own), json!(own));
    assert_eq!(uuid(&"测".repeat(60)), json!("测".repeat(50)));
}

#[test]
fn codes_are_told_apart_by_what_is_to_be_done() {
    for (code, reason, retry) in [
        (99_991_400, Reason::RateLimited, After(Duration::from_mins(1))),
        (230_020, Reason::RateLimited, After(Duration::from_secs(1))),
        (99_991_672, Reason::Unauthorized, Never),
        (10_014, Reason::Unauthorized, Never),
        (230_002, Reason::Rejected, Never),
        (230_013, Reason::Rejected, Never),
        (4711, Reason::Rejected, Never),
    ] {
        let Err(Step::Fail(error)) = accepted(&reply(400, &json!({ "code": code })), Timestamp::UNIX_EPOCH) else {
            panic!("{code}")
        };
        assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, false), "{code}");
    }
    for code in [99_991_661, 99_991_663, 99_991_664, 99_991_671] {
        let Err(Step::Renew(error)) = accepted(&reply(400, &json!({ "code": code })), Timestamp::UNIX_EPOCH) else {
            panic!("{code}")
        };
        assert_eq!((error.reason, error.retry), (Reason::Unauthorized, Never), "{code}");
    }
    let Err(Step::Fail(error)) = accepted(&reply(500, &json!({"code": 0})), Timestamp::UNIX_EPOCH) else { panic!("delivered") };
    assert_eq!((error.reason, error.retry), (Reason::ProviderError, Later));
}

#[test]
fn a_picture_is_uploaded_first_and_the_text_goes_without_one_that_is_refused() {
    let job = sample::event("b", json!({}));
    let picture = bellhop_core::model::Picture(b"\x89PNG".as_slice().into());
    let message = Message { picture: Some(&picture), ..sample::message(&job) };
    let options = params(json!({"receive_id": "ou_7", "proxy": "http://proxy.example.com:8080"}));
    let step = |so_far: &[Reply]| FeishuApp.step(&sample::context(), &message, &options, so_far);
    let Step::Ask(upload) = step(&[]) else { panic!("{:?}", step(&[])) };
    let Body::Raw(form) = &upload.body else { panic!("no form") };
    assert!(upload.url.ends_with("/open-apis/im/v1/images") && upload.proxy.is_some(), "{}", upload.url);
    assert!(upload.headers.contains(&("authorization".to_owned(), "Bearer t0k".to_owned())));
    let form = String::from_utf8_lossy(form);
    assert!(form.contains("name=\"image_type\"\r\n\r\nmessage\r\n") && form.contains("name=\"image\"; filename"), "{form}");
    let taken = reply(200, &json!({"code": 0, "data": {"image_key": "img_1"}}));
    let (_, body) = sent(step(std::slice::from_ref(&taken)));
    assert!(body["content"].as_str().unwrap().contains("img_1"), "{body}");
    assert_eq!(step(&[taken, reply(200, &json!({"code": 0}))]), Step::Done);
    for code in [234_011, 99_991_672] {
        let refused = reply(400, &json!({ "code": code }));
        let (_, body) = sent(step(std::slice::from_ref(&refused)));
        assert_eq!(body["msg_type"], "text");
        assert!(matches!(step(&[refused, reply(200, &json!({"code": 0}))]), Step::DoneBut(_)));
    }
    for (status, code) in [(400, 99_991_663), (429, 99_991_400), (500, 1)] {
        let step = step(&[reply(status, &json!({ "code": code }))]);
        assert!(matches!(step, Step::Renew(_) | Step::Fail(_)), "{code}: {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))] // long texts take long

    #[test]
    fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..2000, format in 0_usize..4) {
        let fields = [json!({}), json!({"url": "https://e.com/"}), json!({"format": "markdown"}), json!({"format": "html"})];
        let job = sample::event(&text.repeat(times), fields[format].clone());
        let step = FeishuApp.step(&sample::context(), &sample::message(&job), &params(json!({"receive_id": "ou_7"})), &[]);
        let (_, body) = sent(step);
        let most = if body["msg_type"] == "text" { MOST_TEXT } else { MOST_RICH };
        prop_assert!(body.to_string().len() <= most);
        prop_assert!(serde_json::from_str::<Value>(body["content"].as_str().unwrap()).is_ok());
    }
}
