//! What a bot sends, and what it tries after a refusal.

use bellhop_core::{
    Reason, Retry,
    channel::{Body, Channel, Context, Message, Outgoing, Reply, Step},
    model::{Format, Picture},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SPEC, Telegram, check};
use crate::sample;

const OK: &str = r#"{"ok":true,"result":{}}"#;

/// The message that is sent after these answers, as method and body.
fn after(text: &str, fields: Value, more: &Value, answers: &[&str]) -> Result<(String, Value), Step> {
    let mut params = json!({"bot_token": "1:t0k", "chat_id": "7"});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let job = sample::event(text, fields);
    let reply = |body: &&str| Reply { status: 200, headers: Vec::new(), body: (*body).into() };
    let replies: Vec<_> = answers.iter().map(reply).collect();
    match Telegram.step(&sample::context(), &sample::message(&job), &sample::params(&SPEC, params), &replies) {
        Step::Call(Outgoing { url, body: Body::Json(body), .. }) => {
            Ok((url.rsplit_once('/').unwrap().1.to_owned(), serde_json::from_str(&body).unwrap()))
        }
        step => Err(step),
    }
}

fn refused(code: i64, description: &str) -> String {
    json!({"ok": false, "error_code": code, "description": description}).to_string()
}

fn error(answer: &Value) -> bellhop_core::SendError {
    match after("b", json!({}), &json!({}), &[&answer.to_string()]).unwrap_err() {
        Step::Fail(error) => error,
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_formatting_that_cannot_be_read_is_left_out_once() {
    let bad = refused(400, "Bad Request: can't parse entities: x");
    let params = json!({"parse_mode": "HTML"});
    let (_, plain) = after("<b>", json!({"title": "t"}), &params, &[&bad]).unwrap();
    assert_eq!((&plain["text"], plain.get("parse_mode")), (&json!("t\n\n<b>"), None));
    assert!(matches!(after("<b>", json!({}), &params, &[&bad, &bad]), Err(Step::Fail(_))));
    assert_eq!(after("<b>", json!({}), &params, &[&bad, OK]), Err(Step::Done));
}

#[test]
fn a_message_that_is_html_keeps_its_tags_where_html_is_the_formatting() {
    let fields = json!({"title": "a<b", "format": "html"});
    let (_, body) = after("<i>x</i>", fields, &json!({"parse_mode": "HTML"}), &[]).unwrap();
    assert_eq!(body["text"], "<b>a&lt;b</b>\n\n<i>x</i>");
}

#[test]
fn formatting_goes_beside_the_text_by_default_and_into_it_where_that_is_asked_for() {
    let fields = json!({"title": "😀 t", "format": "markdown"});
    let (_, body) = after("**b** [l](https://e.com/?a&b) `a_b`", fields.clone(), &json!({"bold_title": true}), &[]).unwrap();
    assert_eq!(body["text"], "😀 t\n\nb l a_b");
    let entities = json!([
        {"type": "bold", "offset": 0, "length": 4},
        {"type": "bold", "offset": 6, "length": 1},
        {"type": "text_link", "offset": 8, "length": 1, "url": "https://e.com/?a&b"},
        {"type": "code", "offset": 10, "length": 3},
    ]);
    assert_eq!(body["entities"], entities);
    for (mode, text) in [
        ("HTML", "<b>😀 t</b>\n\n<b>b</b> <a href=\"https://e.com/?a&amp;b\">l</a> <code>a_b</code>"),
        ("MarkdownV2", "*😀 t*\n\n*b* [l](https://e.com/?a&b) `a\\_b`"),
    ] {
        let (_, body) = after("**b** [l](https://e.com/?a&b) `a_b`", fields.clone(), &json!({"parse_mode": mode}), &[]).unwrap();
        assert_eq!((&body["text"], &body["parse_mode"]), (&json!(text), &json!(mode)));
    }
}

#[test]
fn formatting_that_goes_over_two_messages_is_in_both() {
    let fields = json!({"format": "html"});
    let text = format!("<b>{} b</b>", "a".repeat(4096));
    let lengths =
        |answers: &[&str]| after(&text, fields.clone(), &json!({}), answers).unwrap().1["entities"][0]["length"].clone();
    assert_eq!((lengths(&[]), lengths(&[OK])), (json!(4096), json!(2)));
}

#[test]
fn a_picture_that_cannot_be_fetched_becomes_a_link() {
    let fields = json!({"image_url": "https://e.com/p.png"});
    let (method, body) = after("b", fields.clone(), &json!({}), &[]).unwrap();
    assert_eq!((method.as_str(), &body["caption"]), ("sendPhoto", &json!("b")));
    let bad = refused(400, "Bad Request: failed to get HTTP URL content");
    let (method, body) = after("b", fields, &json!({}), &[&bad]).unwrap();
    assert_eq!((method.as_str(), &body["text"]), ("sendMessage", &json!("b\n\nhttps://e.com/p.png")));
}

#[test]
fn a_group_that_became_a_supergroup_is_followed_once_and_the_attempt_says_so() {
    let moved = json!({"ok": false, "error_code": 400, "description": "x", "parameters": {"migrate_to_chat_id": -1_001}});
    let moved = moved.to_string();
    assert_eq!(after("b", json!({}), &json!({}), &[&moved]).unwrap().1["chat_id"], json!(-1_001));
    assert!(matches!(after("b", json!({}), &json!({}), &[&moved, &moved]), Err(Step::Fail(_))));
    let note = "the group has become the supergroup -1001: set `chat_id` to that; this message went there";
    assert_eq!(after("b", json!({}), &json!({}), &[&moved, OK]), Err(Step::DoneBut(note.to_owned())));
}

#[test]
fn the_button_is_below_the_last_piece_only() {
    let (text, fields) = ("a".repeat(5000), json!({"url": "https://e.com/"}));
    assert_eq!(after(&text, fields.clone(), &json!({}), &[]).unwrap().1.get("reply_markup"), None);
    let (_, last) = after(&text, fields, &json!({}), &[OK]).unwrap();
    assert_eq!(last["reply_markup"]["inline_keyboard"][0][0]["url"], "https://e.com/");
}

#[test]
fn codes_are_told_apart_by_what_is_to_be_done() {
    for (answer, reason, retry, dead) in [
        (json!({"ok": false, "error_code": 401}), Reason::Unauthorized, Retry::Never, false),
        (json!({"ok": false, "error_code": 403}), Reason::Gone, Retry::Never, true),
        (json!({"ok": false, "error_code": 400, "description": "chat not found"}), Reason::Rejected, Retry::Never, false),
        (json!({"ok": false, "error_code": 429}), Reason::RateLimited, Retry::Later, false),
        (json!({"ok": false, "error_code": 500}), Reason::ProviderError, Retry::Later, false),
        (json!({"ok": "true"}), Reason::UnexpectedAnswer, Retry::Later, false),
        (json!({"result": {}}), Reason::UnexpectedAnswer, Retry::Later, false),
    ] {
        let error = error(&answer);
        assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, dead), "{answer}");
    }
}

#[test]
fn a_token_that_is_none_is_refused_without_repeating_it() {
    for bad in ["s3cret", "1:", ":s3cret", "1:s3cret/../x", "1:s3cret?x", "bot1:s3cret"] {
        let params = sample::params(&SPEC, json!({"bot_token": bad, "chat_id": "7"}));
        let problem = check(&params).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("params.bot_token"), "{bad}");
        assert!(!problem.detail.contains("s3cret"), "{bad}");
    }
}

#[test]
fn every_piece_is_within_what_telegram_takes_and_the_last_is_followed_by_the_end() {
    for (text, pieces) in [("😀".repeat(5000), 3), ("a\n".repeat(6000), 3), ("\n".repeat(5000), 1)] {
        let answers = vec![OK; pieces];
        for sent in 0..pieces {
            let (_, body) = after(&text, json!({}), &json!({}), answers.get(..sent).unwrap()).unwrap();
            assert!(body["text"].as_str().unwrap().encode_utf16().count() <= 4096);
        }
        assert_eq!(after(&text, json!({}), &json!({}), &answers), Err(Step::Done));
    }
}

#[test]
fn a_later_attempt_begins_after_the_parts_that_have_arrived() {
    let text = format!("{}{}{}", "a".repeat(4096), "b".repeat(4096), "c");
    let job = sample::event(&text, json!({}));
    let (message, params) = (sample::message(&job), sample::params(&SPEC, json!({"bot_token": "1:t0k", "chat_id": "7"})));
    let reply = |body: &str| Reply { status: 200, headers: Vec::new(), body: body.into() };
    let busy = refused(500, "Internal");
    let so_far = [reply(OK), reply(&busy)];
    assert_eq!(Telegram.arrived(&so_far), 1);

    let cx = Context { done: 1, ..sample::context() };
    let sent = |so_far: &[Reply]| match Telegram.step(&cx, &message, &params, so_far) {
        Step::Call(Outgoing { body: Body::Json(body), .. }) => {
            serde_json::from_str::<Value>(&body).unwrap()["text"].as_str().unwrap().chars().take(1).collect()
        }
        step => format!("{step:?}"),
    };
    assert_eq!([sent(&[]), sent(&[reply(OK)]), sent(&[reply(OK), reply(OK)])], ["b", "c", "Done"]);
}

#[test]
fn a_group_is_written_to_more_slowly_than_a_person() {
    let rate = |chat: &str| Telegram.rate(&sample::params(&SPEC, json!({"bot_token": "1:t0k", "chat_id": chat}))).unwrap();
    assert_eq!((rate("7").burst, rate("7").every.as_secs()), (1, 1));
    assert_eq!((rate("-100").burst, rate("-100").every.as_secs()), (4, 4));
    assert_eq!(rate("@channel"), rate("-100"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))] // long texts take long

    #[test]
    fn formatting_stays_within_its_text_however_that_is_split(piece in sample::written(Format::Html), times in 1_usize..60) {
        let text = piece.repeat(times);
        for sent in 0..3 {
            let Ok((_, body)) = after(&text, json!({"format": "html"}), &json!({}), [OK; 3].get(..sent).unwrap()) else { break };
            let units = body["text"].as_str().unwrap().encode_utf16().count();
            prop_assert!(units <= 4096);
            for entity in body["entities"].as_array().into_iter().flatten() {
                let end = entity["offset"].as_u64().unwrap() + entity["length"].as_u64().unwrap();
                prop_assert!(end <= units as u64, "{entity} of {units}");
            }
        }
    }
}

#[test]
fn a_screenshot_goes_along_with_the_text_below_it_and_is_left_out_where_telegram_cannot_read_it() {
    let picture = Picture(b"\x89PNG\r\n--\0".as_slice().into());
    let job = sample::event("b", json!({"title": "t", "url": "https://e.com/"}));
    let message = Message { picture: Some(&picture), ..sample::message(&job) };
    let params = sample::params(&SPEC, json!({"bot_token": "1:t0k", "chat_id": "7", "silent": true}));
    let step = |so_far: &[Reply]| Telegram.step(&sample::context(), &message, &params, so_far);

    let Step::Call(Outgoing { url, body: Body::Raw(form), .. }) = step(&[]) else { panic!("no form") };
    assert!(url.ends_with("/sendPhoto"), "{url}");
    let shown = String::from_utf8_lossy(&form);
    for field in
        ["name=\"chat_id\"\r\n\r\n7\r\n", "name=\"caption\"\r\n\r\nt\n\nb\r\n", "name=\"disable_notification\"\r\n\r\ntrue"]
    {
        assert!(shown.contains(field), "{field}: {shown}");
    }
    assert!(shown.contains("name=\"reply_markup\"\r\n\r\n{\"inline_keyboard\""), "{shown}");
    assert!(form.windows(picture.0.len()).any(|part| part == &*picture.0), "byte for byte");

    let refusal = refused(400, "Bad Request: IMAGE_PROCESS_FAILED");
    let reply = Reply { status: 400, headers: Vec::new(), body: refusal.into() };
    let Step::Call(Outgoing { url, body: Body::Json(plain), .. }) = step(&[reply]) else { panic!("no text") };
    assert!(url.ends_with("/sendMessage") && plain.contains("t\\n\\nb\""), "{plain}");
}
