//! A topic on an ntfy server: ntfy.sh, or one of one's own.
//!
//! Published as JSON, which takes any character (headers would not). The text is cut at 4096 bytes, since a longer one
//! would silently become an attachment. <https://docs.ntfy.sh/publish/#publish-as-json>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render::cut,
};
use serde_json::json;

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

const MESSAGE: Limit = Limit { max: 4096, unit: Unit::Bytes };

pub(crate) static SPEC: Spec = Spec {
    id: "ntfy",
    label: text("ntfy", "ntfy"),
    help: text("Publishes to a topic of an ntfy server.", "发布到 ntfy 服务器的主题。"),
    docs: "https://docs.ntfy.sh/publish/",
    limits: Limits { title: None, body: Some(MESSAGE), part: Some(MESSAGE), rate: None },
    shows: &[Format::Text, Format::Markdown],
    client: None,
    address: None,
    params: &[BASE_URL, TOPIC, TOKEN, PRIORITY, TAGS, INCLUDE_PICTURE],
    short: None,
    check,
};

const DEFAULT_BASE: &str = "https://ntfy.sh";

const BASE_URL: Param = Param {
    default: Some(DEFAULT_BASE),
    ..param(
        "base_url",
        Kind::Url,
        text("Server", "服务器"),
        text("The address of the server, with its path if it has one.", "服务器地址，若有路径也一并填写。"),
    )
};

const TOPIC: Param = Param {
    required: true,
    secret: true, // whoever knows it reads along: <https://docs.ntfy.sh/publish/#picking-a-topic>
    ..param(
        "topic",
        Kind::Text,
        text("Topic", "主题"),
        text("The name of the topic; on a public server it is as good as a password.", "主题名称；在公共服务器上相当于密码。"),
    )
};

const TOKEN: Param = Param {
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Access token", "访问令牌"),
        text("For a topic that is protected; it begins with `tk_`.", "用于受保护的主题，以 `tk_` 开头。"),
    )
};

const PRIORITY: Param = Param {
    per_message: true,
    ..param(
        "priority",
        Kind::Number,
        text("Priority", "优先级"),
        text("From 1 (lowest) to 5 (highest); the server's default is 3.", "从 1（最低）到 5（最高），服务器默认为 3。"),
    )
};

const TAGS: Param = Param {
    per_message: true,
    ..param(
        "tags",
        Kind::List,
        text("Tags", "标签"),
        text("Words, or names of emoji such as `warning`.", "标签，或表情名称，例如 `warning`。"),
    )
};

/// The channel `ntfy`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &BASE_URL)?;
    if params.number(PRIORITY.name).is_none_or(|priority| (1..=5).contains(&priority)) {
        return Ok(());
    }
    Err(Problem::field(Code::InvalidParams, "params.priority", "it takes a number from 1 to 5"))
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    // the server would write "triggered" in place of an empty text
    let (title, text) = if message.body.is_empty() { ("", &message.title) } else { (&*message.title, &message.body) };
    let mut body = json!({ "topic": required(params, TOPIC.name)?, "message": cut(text, MESSAGE) });
    if !title.is_empty() {
        body["title"] = title.into();
    }
    if message.format == Format::Markdown {
        body["markdown"] = true.into();
    }
    if let Some(priority) = params.number(PRIORITY.name) {
        body["priority"] = priority.clamp(1, 5).into(); // a message's option is not checked
    }
    let tags = params.list(TAGS.name);
    if !tags.is_empty() {
        body["tags"] = tags.into();
    }
    for (name, url) in [("click", message.url), ("attach", message.image_url)] {
        if let Some(url) = url {
            body[name] = url.into();
        }
    }
    let base = params.text(BASE_URL.name).unwrap_or(DEFAULT_BASE);
    let mut outgoing = post_json(address::below(base, ""), &body);
    if let Some(token) = params.text(TOKEN.name) {
        outgoing.headers.push(("authorization".to_owned(), format!("Bearer {}", token.trim())));
    }
    Ok(outgoing)
}

/// <https://docs.ntfy.sh/publish/#limitations>; the codes are in the server's `errors.go`.
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    if reply.status == 200 && !answer.text("id").is_empty() {
        return Step::Done;
    }
    let Some(code) = answer.number("code") else { return undocumented(reply, now) };
    let (fault, advice) = match code {
        42_901 => {
            let wait = reply.retry_after(now).unwrap_or(Duration::from_secs(5)); // a request's slot comes back in 5 s
            (Fault::TooFast(wait), "the server wants fewer requests")
        }
        42_908 => (Fault::TooFast(Duration::from_hours(1)), "the daily quota of messages is used up"),
        40_101 => (Fault::Credentials, "the server refuses `token`"),
        40_301 => (Fault::Credentials, "`token` may not publish to this topic"),
        40_009 => (Fault::Message, "`topic` is not a name that a topic can have"),
        41_301..=41_399 => (Fault::Message, "the message is larger than the server takes"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, Retry, channel::Body, render::length};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value, mut params: Value) -> Value {
        params["topic"] = "t".into();
        let job = sample::event(text, fields);
        let message = crate::format::message(&job, &SPEC, None);
        let Body::Json(body) = sample::request(&SPEAKER, &message, &sample::params(&SPEC, params)).body else {
            panic!("not JSON")
        };
        serde_json::from_str(&body).unwrap()
    }

    fn judged(status: u16, body: &Value) -> Step {
        judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_not_there_is_not_sent_and_a_title_alone_is_the_text() {
        assert_eq!(sent("", json!({"title": "x"}), json!({})), json!({"topic": "t", "message": "x"}));
        assert_eq!(sent("b", json!({}), json!({})), json!({"topic": "t", "message": "b"}));
    }

    #[test]
    fn markdown_is_announced_and_a_picture_goes_only_where_it_is_wanted() {
        let fields = json!({"format": "markdown", "image_url": "https://e.com/p.png"});
        let body = sent("**b**", fields, json!({"include_picture": false}));
        assert_eq!(body, json!({"topic": "t", "message": "**b**", "markdown": true}));
    }

    #[test]
    fn a_priority_is_from_one_to_five() {
        let check = |priority: i64| check(&sample::params(&SPEC, json!({"topic": "t", "priority": priority}))).is_ok();
        assert_eq!([0, 1, 5, 6].map(check), [false, true, true, false]);
        assert_eq!(sent("b", json!({}), json!({"priority": 9}))["priority"], 5, "a message's option");
    }

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        for (status, code, reason, retry) in [
            (429, 42_901, Reason::RateLimited, Retry::After(Duration::from_secs(5))),
            (429, 42_908, Reason::RateLimited, Retry::After(Duration::from_hours(1))),
            (429, 42_999, Reason::RateLimited, Retry::Later),
            (400, 40_009, Reason::Rejected, Retry::Never),
            (403, 40_301, Reason::Unauthorized, Retry::Never),
            (507, 50_701, Reason::ProviderError, Retry::Later),
        ] {
            let Step::Fail(error) = judged(status, &json!({"code": code, "http": status})) else { panic!("{code}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{code}");
        }
    }

    #[test]
    fn an_answer_without_an_id_is_no_success() {
        assert_eq!(judged(200, &json!({"id": "x"})), Step::Done);
        for body in [json!({}), json!({"id": ""}), json!({"id": null}), json!("ok")] {
            assert!(matches!(judged(200, &body), Step::Fail(error) if error.reason == Reason::UnexpectedAnswer), "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_never_becomes_an_attachment(text in sample::any_text(), times in 1_usize..300) {
            let body = sent(&text.repeat(times), json!({}), json!({}));
            prop_assert!(length(body["message"].as_str().unwrap(), Unit::Bytes) <= 4096);
        }
    }
}
