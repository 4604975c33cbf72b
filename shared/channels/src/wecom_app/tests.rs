use bellhop_core::{
    Retry::{After, Later, Never},
    channel::Limit,
    model::Picture,
    render::length,
};
use proptest::prelude::*;

use super::*;
use crate::sample;

fn params(mut params: Value) -> Params {
    for (name, value) in [("corp_id", json!("ww1")), ("corp_secret", json!("s3cret")), ("agent_id", json!("1000002"))] {
        params[name] = value;
    }
    sample::params(&SPEC, params)
}

fn body(text: &str, fields: Value, options: Value) -> Value {
    let job = sample::event(text, fields);
    let outgoing = sample::request(&WecomApp, &sample::message(&job), &params(options));
    let Body::Json(body) = outgoing.body else { panic!("not JSON") };
    serde_json::from_str(&body).unwrap()
}

fn reply(body: &Value) -> Reply {
    Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

fn step(token: Option<&str>, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
    let cx = Context { token: token.map(Secret::new), ..sample::context() };
    WecomApp.step(&cx, message, params, so_far)
}

/// To the address, if that is one.
fn to(address: &str) -> Result<Value, SendError> {
    let mut job = sample::event("b", json!({}));
    job.address = Some(format!("wecom:{address}").parse().unwrap());
    match step(Some("t0k"), &sample::message(&job), &params(json!({"to_user": "@all", "to_tag": 7})), &[]) {
        Step::Call(Outgoing { body: Body::Json(body), .. }) => Ok(serde_json::from_str(&body).unwrap()),
        Step::Fail(error) => Err(error),
        step => panic!("{step:?}"),
    }
}

#[test]
fn an_address_is_one_member_and_nobody_else() {
    let body = to("zhangsan").unwrap();
    assert_eq!((&body["touser"], body.get("totag")), (&json!("zhangsan"), None));
    for several in ["a|b", "@all"] {
        assert_eq!(to(several).unwrap_err().reason, Reason::Rejected, "{several}");
    }
}

#[test]
fn recipients_are_written_as_a_list_or_as_wecom_writes_them_and_without_any_it_is_everybody() {
    let to = |options| body("b", json!({}), options);
    assert_eq!(to(json!({"to_user": ["a", " b "], "to_party": [1, 2]}))["touser"], "a|b");
    assert_eq!(to(json!({"to_party": [1, 2]}))["toparty"], "1|2");
    assert_eq!(to(json!({}))["touser"], "@all");
}

#[test]
fn the_token_is_fetched_where_messages_are_sent() {
    let job = sample::event("b", json!({}));
    let options = params(json!({"base_url": "https://wx.example.com/sub/", "proxy": "http://proxy:8080"}));
    let wanted = |params: &Params| match step(None, &sample::message(&job), params, &[]) {
        Step::Token(credential) => credential,
        step => panic!("no token is wanted but {step:?}"),
    };
    let fetched = WecomApp.fetch(&sample::context(), &options).unwrap();
    let Step::Call(sent) = step(Some("t+k"), &sample::message(&job), &options, &[]) else { panic!("nothing is sent") };
    assert_eq!(fetched.url, "https://wx.example.com/sub/cgi-bin/gettoken?corpid=ww1&corpsecret=s3cret");
    assert_eq!(sent.url, "https://wx.example.com/sub/cgi-bin/message/send?access_token=t%2Bk");
    assert_eq!([&fetched.proxy, &sent.proxy], [&Some("http://proxy:8080".to_owned()); 2]);
    assert_ne!(wanted(&options), wanted(&params(json!({}))));
}

#[test]
fn who_does_not_have_it_is_counted_and_not_named() {
    let answer = json!({
        "errcode": 0, "invaliduser": "zhangsan|lisi", "invalidparty": "", "invalidtag": "3", "unlicenseduser": "wangwu",
    });
    let Step::DoneBut(whom) = judge(&reply(&answer), Timestamp::UNIX_EPOCH) else { panic!("everybody has it") };
    let names = ["zhangsan", "lisi", "wangwu"];
    assert!(whom.contains("2 unknown") && whom.contains("1 without") && !names.iter().any(|name| whom.contains(name)), "{whom}");
    assert_eq!(judge(&reply(&json!({"errcode": 0, "invaliduser": ""})), Timestamp::UNIX_EPOCH), Step::Done);
}

#[test]
fn codes_are_told_apart_by_what_is_to_be_done() {
    for (code, reason, retry) in [
        (-1, Reason::ProviderError, Later),
        (45_009, Reason::RateLimited, After(Duration::from_mins(1))),
        (45_033, Reason::RateLimited, After(Duration::from_secs(5))),
        (40_001, Reason::Unauthorized, Never),
        (40_013, Reason::Unauthorized, Never),
        (40_056, Reason::Unauthorized, Never),
        (301_002, Reason::Unauthorized, Never),
        (60_020, Reason::Unauthorized, Never),
        (81_013, Reason::Rejected, Never),
        (40_007, Reason::Rejected, Never),
        (4711, Reason::Rejected, Never),
    ] {
        let Step::Fail(error) = judge(&reply(&json!({ "errcode": code })), Timestamp::UNIX_EPOCH) else { panic!("{code}") };
        assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, false), "{code}");
    }
    for code in [40_014, 41_001, 42_001] {
        let step = judge(&reply(&json!({ "errcode": code })), Timestamp::UNIX_EPOCH);
        let Step::Renew(error) = step else { panic!("{code}: {step:?}") };
        assert_eq!((error.reason, error.retry), (Reason::Unauthorized, Never), "{code}");
    }
}

#[test]
fn a_token_that_is_refused_to_the_upload_is_renewed() {
    let job = sample::event("b", json!({}));
    let picture = Picture(b"\x89PNG".as_slice().into());
    let message = Message { picture: Some(&picture), ..sample::message(&job) };
    let step = step(Some("t0k"), &message, &params(json!({})), &[reply(&json!({"errcode": 42_001}))]);
    assert!(matches!(step, Step::Renew(_)), "{step:?}");
}

#[test]
fn a_picture_that_is_not_wanted_or_not_shown_is_not_uploaded() {
    let job = sample::event("b", json!({}));
    let picture = Picture(b"\x89PNG".as_slice().into());
    let message = Message { picture: Some(&picture), ..sample::message(&job) };
    for options in [json!({"include_picture": false}), json!({"style": "text"}), json!({"style": "textcard"})] {
        let Step::Call(sent) = step(Some("t0k"), &message, &params(options), &[]) else { panic!("nothing is sent") };
        assert!(sent.url.contains("/message/send?"), "{}", sent.url);
    }
}

#[test]
fn a_picture_by_url_makes_a_card_only_of_what_fits_onto_one() {
    let kind = |text: &str, options| body(text, json!({"image_url": "https://e.com/p.png"}), options)["msgtype"].clone();
    assert_eq!(kind("short", json!({})), "news");
    assert_eq!(kind(&"long".repeat(200), json!({})), "text");
    assert_eq!(kind(&"long".repeat(200), json!({"style": "mpnews"})), "news");
}

#[test]
fn what_wecom_would_not_take_is_refused_when_it_is_saved() {
    for (name, value) in [
        ("duplicate_check_s", json!(0)),
        ("duplicate_check_s", json!(14_401)),
        ("to_party", json!(vec!["1"; 101])),
        ("to_user", json!(vec!["a"; 501].join("|b|"))),
        ("base_url", json!("https://wx.example.com/?x")),
        ("proxy", json!("ftp://proxy")),
    ] {
        let field = check(&params(json!({ name: value }))).unwrap_err().field;
        assert_eq!(field, Some(format!("params.{name}")));
    }
}

fn fits(text: &Value, limit: Limit) -> bool {
    length(text.as_str().unwrap(), limit.unit) <= limit.max
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_over_its_limit(text in sample::any_text(), times in 1_usize..200, style in 0_usize..4) {
        let style = ["text", "markdown", "textcard", "mpnews"][style];
        let fields = json!({"url": "https://e.com/", "title": text.repeat(9), "image_url": "https://e.com/p.png"});
        let body = body(&text.repeat(times), fields, json!({ "style": style }));
        match style {
            "textcard" => {
                prop_assert!(fits(&body["textcard"]["title"], CARD_TITLE) && fits(&body["textcard"]["description"], CARD_TEXT));
            }
            "mpnews" => {
                let article = &body["news"]["articles"][0];
                prop_assert!(fits(&article["title"], TITLE) && fits(&article["description"], DIGEST));
            }
            style => prop_assert!(fits(&body[style]["content"], TEXT)),
        }
    }
}
