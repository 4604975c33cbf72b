//! Parameters on one line, as QD's users have written them.
#![expect(clippy::unwrap_used, reason = "a test")]

use bellhop_channels::SPECS;
use bellhop_core::{
    Problem,
    channel::{Params, Spec},
    short,
};
use serde_json::{Value, json};

fn spec(id: &str) -> &'static Spec {
    SPECS.get(id).unwrap()
}

fn read(id: &str, line: &str) -> Result<Value, Problem> {
    let params = Params::parse(spec(id), short::read(spec(id), line)?)?;
    (spec(id).check)(&params)?;
    Ok(Value::Object(params.expose().clone()))
}

const BOT: &str = "1111111111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn documented_lines_are_read_by_position() {
    let bot = |rest: &str| format!("{BOT};222222222{rest}");
    for (id, line, params) in [
        ("bark", "https://api.day.app/push_key".to_owned(), json!({"device_key": "push_key", "base_url": "https://api.day.app"})),
        (
            "bark",
            "http://bark.example.com/push_key/".to_owned(),
            json!({"device_key": "push_key", "base_url": "http://bark.example.com"}),
        ),
        (
            "bark",
            "bark.example.com/sub/push_key".to_owned(),
            json!({"device_key": "push_key", "base_url": "https://bark.example.com/sub"}),
        ),
        (
            "bark",
            "http://u:p%40w@bark.example.com/push_key".to_owned(),
            json!({"device_key": "push_key", "user": "u", "password": "p@w", "base_url": "http://bark.example.com"}),
        ),
        ("serverchan", "SCT1T.send".to_owned(), json!({"send_key": "SCT1T.send"})),
        ("telegram", bot(""), json!({"bot_token": BOT, "chat_id": "222222222"})),
        (
            "telegram",
            bot(";tg.mydomain.com"),
            json!({"bot_token": BOT, "chat_id": "222222222", "base_url": "https://tg.mydomain.com"}),
        ),
        (
            "telegram",
            bot(";;http://user:password@host:8080;"),
            json!({"bot_token": BOT, "chat_id": "222222222", "proxy": "http://user:password@host:8080"}),
        ),
        (
            "telegram",
            bot(";;;e.com/p.png"),
            json!({"bot_token": BOT, "chat_id": "222222222", "image_url": "https://e.com/p.png"}),
        ),
        ("dingtalk", "t0k".to_owned(), json!({"access_token": "t0k"})),
        ("dingtalk", "t0k; http://e.com/p.png".to_owned(), json!({"access_token": "t0k", "image_url": "http://e.com/p.png"})),
        (
            "dingtalk",
            "https://oapi.dingtalk.com/robot/send?access_token=t0k;".to_owned(),
            json!({"access_token": "https://oapi.dingtalk.com/robot/send?access_token=t0k"}),
        ),
        ("wxpusher", "AT_x;UID_y".to_owned(), json!({"app_token": "AT_x", "uids": "UID_y"})),
        ("wecom_bot", "k3y;".to_owned(), json!({"key": "k3y"})),
        (
            "wecom_bot",
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k3y".to_owned(),
            json!({"key": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k3y"}),
        ),
    ] {
        assert_eq!(read(id, &line), Ok(params), "{line}");
    }
}

#[test]
fn a_line_that_says_too_little_or_too_much_is_refused_without_repeating_it() {
    for (id, line, field) in [
        ("telegram", "s3cret", "params.chat_id"),
        ("telegram", ";s3cret", "params.bot_token"),
        ("dingtalk", "s3cret;;s3cret", "params"),
        ("bark", "https://s3cret.example.com/", "params"),
        ("bark", "https:// s3cret", "params"),
        ("wxpusher", "s3cret", "params.uids"),
        ("webhook", "https://e.com/s3cret", "params"),
    ] {
        let problem = read(id, line).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some(field), "{id}: {line}");
        assert!(!problem.detail.contains("s3cret"), "{}", problem.detail);
    }
}
