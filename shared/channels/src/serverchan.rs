//! Server Chan, in its editions Turbo (keys that begin with `SCT`) and 3 (`sctp`).
//!
//! The title is one line of 32 characters; a longer one stands whole above the text. Picture and link go into the text,
//! which is markdown. The first edition (`SCU`) was closed in 2021, so its keys are refused when they are registered.
//! <https://sct.ftqq.com/sendkey>, <https://doc.sc3.ft07.com/serverchan3/server/api>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render,
    short::Short,
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json_as},
};

const TITLE: Limit = Limit { max: 32, unit: Unit::Chars };
const TEXT: Limit = Limit { max: 32 * 1024, unit: Unit::Bytes };
const SUMMARY_LENGTH: Limit = Limit { max: 64, unit: Unit::Chars };

pub(crate) static SPEC: Spec = Spec {
    id: "serverchan",
    label: text("Server Chan", "Server酱"),
    help: text("Pushes to WeChat or the Server Chan app.", "推送到微信或 Server酱 App。"),
    docs: "https://sct.ftqq.com/sendkey",
    // a title that is too long is moved into the text, so it is not cut before
    limits: Limits { title: None, body: Some(TEXT), part: Some(Limit { max: 30_000, unit: Unit::Bytes }), rate: None },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[SEND_KEY, BASE_URL, CHANNEL, OPENID, NO_IP, TAGS, SUMMARY, INCLUDE_PICTURE],
    short: Some(Short::Positions(&["send_key"])),
    check,
};

const SEND_KEY: Param = Param {
    required: true,
    secret: true,
    ..param(
        "send_key",
        Kind::Text,
        text("SendKey", "SendKey"),
        text("Begins with `SCT` (Turbo) or `sctp` (Server Chan 3).", "以 `SCT`（Turbo 版）或 `sctp`（Server酱³）开头。"),
    )
};

const BASE_URL: Param = param(
    "base_url",
    Kind::Url,
    text("Server", "服务器"),
    text("Another server than the provider's own, such as a relay.", "使用中转等其他服务器时填写，留空为官方服务器。"),
);

const CHANNEL: Param = Param {
    per_message: true,
    ..param(
        "channel",
        Kind::Text,
        text("Channels", "消息通道"),
        text("Turbo: where it goes, at most two numbers such as `9|66`.", "Turbo 版：消息通道编号，最多两个，如 `9|66`。"),
    )
};

const OPENID: Param = Param {
    per_message: true,
    ..param(
        "openid",
        Kind::Text,
        text("Copy to", "抄送"),
        text(
            "Turbo: others who get a copy, by their open ids, with `,` or `|` between.",
            "Turbo 版：抄送的 openid，以 `,` 或 `|` 分隔。",
        ),
    )
};

const NO_IP: Param = Param {
    default: Some("false"),
    ..param(
        "no_ip",
        Kind::Bool,
        text("Hide the caller's IP", "隐藏调用 IP"),
        text("Turbo: do not show the sender's IP address.", "Turbo 版：不显示调用方的 IP 地址。"),
    )
};

const TAGS: Param = Param {
    per_message: true,
    ..param("tags", Kind::List, text("Tags", "标签"), text("Server Chan 3: tags of the message.", "Server酱³：消息的标签。"))
};

const SUMMARY: Param = Param {
    per_message: true,
    ..param(
        "summary",
        Kind::Text,
        text("Summary", "卡片内容"),
        text("What the card shows, at most 64 characters.", "消息卡片上显示的内容，最多 64 个字符。"),
    )
};

/// The channel `serverchan`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &BASE_URL)?;
    let key = Key::parse(params.text(SEND_KEY.name).unwrap_or_default());
    key.map(drop).map_err(|detail| Problem::field(Code::InvalidParams, "params.send_key", detail))
}

/// A key of an edition that is still there.
enum Key<'a> {
    Turbo(&'a str),
    /// Its number is part of a host name, so it is digits and nothing else.
    Three {
        key: &'a str,
        uid: &'a str,
    },
}

impl<'a> Key<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let key = text.trim();
        let key = key.strip_suffix(".send").unwrap_or(key);
        if key.starts_with("SCU") {
            return Err("keys that begin with `SCU` stopped working in 2021; get a new one at https://sct.ftqq.com");
        }
        if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            return Err("it takes the key alone: letters and digits");
        }
        if key.starts_with("SCT") {
            return Ok(Self::Turbo(key));
        }
        let uid = key.strip_prefix("sctp").and_then(|rest| rest.split_once('t')).map(|(uid, _)| uid);
        let uid = uid.filter(|uid| !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_digit()));
        uid.map(|uid| Self::Three { key, uid }).ok_or("it takes a key that begins with `SCT`, or with `sctp`, a number and `t`")
    }

    fn url(&self, base: Option<&str>) -> String {
        let base = base.map(|base| base.trim().trim_end_matches('/'));
        match (self, base) {
            (Self::Turbo(key), base) => format!("{}/{key}.send", base.unwrap_or("https://sctapi.ftqq.com")),
            (Self::Three { key, .. }, Some(base)) => format!("{base}/send/{key}.send"),
            (Self::Three { key, uid }, None) => format!("https://{uid}.push.ft07.com/send/{key}.send"),
        }
    }
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let unusable = |detail| SendError::new(Reason::InvalidParams, Retry::Never, format!("`send_key`: {detail}"));
    let key = Key::parse(required(params, SEND_KEY.name)?).map_err(unusable)?;
    let url = key.url(params.text(BASE_URL.name));
    Ok(post_json_as("application/json;charset=utf-8", url, &body(&key, message, params)))
}

fn body(key: &Key, message: &Message, params: &Params) -> Value {
    let one_line = |text: &str| text.replace("\r\n", " ").replace(char::is_control, " ");
    let title = one_line(&message.title);
    let is_whole = render::length(&title, TITLE.unit) <= TITLE.max;
    let above = if is_whole { "" } else { &title };
    let joined = Joined::markdown_without_title(message).with_text(render::join(above, &message.body, Format::Text));
    let first_line = || message.body.lines().find(|line| !line.trim().is_empty()).map_or_else(|| "…".to_owned(), one_line);
    let title = if title.trim().is_empty() { first_line() } else { title }; // the provider refuses an empty one
    let mut body = json!({ "title": render::shorten(&title, TITLE) });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    let filled = |text: String| (!text.is_empty()).then(|| Value::from(text));
    set("desp", filled(joined.within(TEXT)));
    set("short", params.text(SUMMARY.name).map(|summary| render::shorten(summary, SUMMARY_LENGTH).into()));
    match key {
        Key::Turbo(_) => {
            set("channel", params.text(CHANNEL.name).map(Value::from));
            set("openid", params.text(OPENID.name).map(Value::from));
            set("noip", params.flag(NO_IP.name, false).then(|| 1.into()));
        }
        Key::Three { .. } => set("tags", filled(params.list(TAGS.name).join("|"))),
    }
    body
}

/// A bad key and a used-up quota share a code; only the text tells them apart.
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let Some(code) = answer.number("code") else { return undocumented(reply, now) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Step::Done,
        0 => return undocumented(reply, now),
        40_001 | 471 if answer.text("message").contains("次数限制") => {
            (Fault::TooFast(Duration::from_hours(1)), "the day's quota is used up until midnight in China")
        }
        40_001 => (Fault::Credentials, "the key is refused: check `send_key`"),
        20_001 => (Fault::Message, "Server Chan refuses the form of the message"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::channel::Body;
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value, key: &str) -> (String, Value) {
        let job = sample::event(text, fields);
        let params = json!({"send_key": key, "tags": ["a", "b"], "no_ip": true});
        let outgoing = sample::request(&SPEAKER, &sample::message(&job), &sample::params(&SPEC, params));
        let Body::Json(body) = outgoing.body else { panic!("not JSON") };
        (outgoing.url, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn the_key_says_which_edition_it_is() {
        for (key, url) in [
            ("SCT1Tx.send", "https://sctapi.ftqq.com/SCT1Tx.send"),
            (" sctp12tx ", "https://12.push.ft07.com/send/sctp12tx.send"),
        ] {
            assert_eq!(sent("b", json!({}), key).0, url);
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_repeating_it() {
        for key in ["SCU1Ts3cret", "sctptS3cret", "sctp1.evil.example.com/s3cret", "sctp1xs3cret", "s3cret", "SCT/../s3cret"] {
            let params = sample::params(&SPEC, json!({ "send_key": key }));
            let problem = check(&params).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("params.send_key"), "{key}");
            assert!(!problem.detail.to_lowercase().contains("s3cret"), "{key}");
        }
    }

    #[test]
    fn an_edition_is_told_only_what_it_knows() {
        let turbo = json!({"title": "t", "desp": "b", "noip": 1});
        assert_eq!(sent("b", json!({"title": "t"}), "SCT1").1, turbo);
        assert_eq!(sent("b", json!({"title": "t"}), "sctp1t").1, json!({"title": "t", "desp": "b", "tags": "a|b"}));
    }

    #[test]
    fn a_message_without_title_is_titled_by_its_first_line() {
        assert_eq!(sent("\n1\n2", json!({}), "SCT1").1["title"], "1");
    }

    #[test]
    fn a_used_up_quota_is_not_a_bad_key() {
        let retry = |message: &str| {
            let body = json!({"code": 40_001, "message": message}).to_string().into_bytes();
            match judge(&Reply { status: 400, headers: Vec::new(), body }, Timestamp::UNIX_EPOCH) {
                Step::Fail(error) => (error.reason, error.retry),
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(retry("[AUTH]用户不存在或者权限不足"), (Reason::Unauthorized, Retry::Never));
        assert_eq!(retry("[AUTH]超过当天的发送次数限制[5]"), (Reason::RateLimited, Retry::After(Duration::from_hours(1))));
    }

    proptest! {
        #[test]
        fn title_and_text_fit(text in sample::any_text(), times in 1_usize..500) {
            let (_, body) = sent(&text.repeat(times), json!({"title": text, "url": "https://e.com/"}), "SCT1");
            let title = body["title"].as_str().unwrap();
            prop_assert!(title.chars().count() <= TITLE.max && !title.chars().any(char::is_control));
            prop_assert!(body["desp"].as_str().unwrap().len() <= TEXT.max);
        }
    }
}
