//! PushPlus: to WeChat and, by its own channels, to others.
//!
//! A message is accepted, not delivered, when PushPlus answers 200; an account that sends too much is banned for days, so
//! code 900 stops everything for one. <https://www.pushplus.plus/doc/guide/api.html>

use std::time::Duration;

use bellhop_core::{
    SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit, unchecked},
    model::Format,
};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

const CONTENT: Limit = Limit { max: 20_000, unit: Unit::Chars };

pub(crate) static SPEC: Spec = Spec {
    id: "pushplus",
    label: text("PushPlus", "PushPlus 推送加"),
    help: text("Sends to a PushPlus user or group.", "发送给 PushPlus 用户或群组。"),
    docs: "https://www.pushplus.plus/doc/guide/api.html",
    limits: Limits {
        title: Some(Limit { max: 200, unit: Unit::Chars }),
        body: Some(CONTENT),
        part: Some(Limit { max: 19_000, unit: Unit::Chars }),
        rate: None,
    },
    shows: &[Format::Html, Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[TOKEN, TOPIC, TO, CHANNEL, WEBHOOK, INCLUDE_PICTURE],
    short: None,
    check: unchecked,
};

const TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param("token", Kind::Text, text("Token", "令牌"), text("A user's or a message's token.", "用户令牌或消息令牌。"))
};

const TOPIC: Param = param(
    "topic",
    Kind::Text,
    text("Group", "群组编码"),
    text("The code of a group; without it, only you receive it.", "群组编码；留空则只发给自己。"),
);

const TO: Param = Param {
    secret: true,
    ..param(
        "to",
        Kind::Text,
        text("Friends", "好友令牌"),
        text("Tokens of friends, separated by commas.", "好友令牌，多个用逗号分隔。"),
    )
};

const CHANNEL: Param = param(
    "channel",
    Kind::Text,
    text("Channel", "发送渠道"),
    text(
        "How PushPlus passes it on: `wechat` (its default), `webhook`, `cp`, `mail`, `sms` and others.",
        "PushPlus 的发送渠道：`wechat`（默认）、`webhook`、`cp`、`mail`、`sms` 等。",
    ),
);

const WEBHOOK: Param = param(
    "webhook",
    Kind::Text,
    text("Webhook code", "webhook 编码"),
    text(
        "Which of the webhooks, robots or mailboxes configured in PushPlus.",
        "在 PushPlus 中配置的 webhook、企业微信应用或邮箱的编码。",
    ),
);

/// The channel `pushplus`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let mut body = body(message);
    body["token"] = required(params, TOKEN.name)?.trim().into();
    for param in [TOPIC, TO, CHANNEL, WEBHOOK] {
        if let Some(value) = params.text(param.name) {
            body[param.name] = value.trim().into();
        }
    }
    Ok(post_json("https://www.pushplus.plus/send".to_owned(), &body))
}

fn body(message: &Message) -> Value {
    // a message without content is refused, and a title alone is as good as content
    let (title, text) = if message.body.is_empty() { ("", &message.title) } else { (&*message.title, &message.body) };
    let alone = Message { title: String::new(), body: text.clone(), ..message.clone() };
    let (template, content) = match message.format {
        Format::Text => ("txt", Joined::plain(&alone)),
        Format::Markdown => ("markdown", Joined::markdown_without_title(&alone)),
        Format::Html => ("html", Joined::html_without_title(&alone)),
    };
    let mut body = json!({ "content": content.within(CONTENT), "template": template });
    if !title.is_empty() {
        body["title"] = title.into();
    }
    body
}

/// <https://www.pushplus.plus/doc/guide/code.html>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let Some(code) = answer.number("code") else { return undocumented(reply, now) };
    let (fault, advice) = match code {
        200 if (200..300).contains(&reply.status) => return Step::Done,
        200 => return undocumented(reply, now),
        302 | 401 | 903 => (Fault::Credentials, "PushPlus refuses the token: check `token`"),
        403 => (Fault::Credentials, "the account accepts other IP addresses only: change that in PushPlus"),
        500 => (Fault::Theirs, "PushPlus failed"),
        805 => (Fault::Message, "the account may not do this: check `topic`, `to` and `channel`"),
        888 => (Fault::Message, "the account has no points left: buy some"),
        900 => (Fault::TooFast(Duration::from_hours(24)), "the account is banned for sending too much: send less"),
        905 => (Fault::Credentials, "the account has not verified its owner's name: do so in PushPlus"),
        600 | 999 => (Fault::Message, "PushPlus refuses the content of the message"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, Retry, render::length};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Value {
        body(&crate::format::message(&sample::event(text, fields), &SPEC, None))
    }

    #[test]
    fn the_template_follows_the_format() {
        for (format, template) in [("text", "txt"), ("markdown", "markdown"), ("html", "html")] {
            assert_eq!(sent("b", json!({"format": format})), json!({"content": "b", "template": template}));
        }
    }

    #[test]
    fn a_title_alone_is_the_content() {
        assert_eq!(sent("", json!({"title": "t"})), json!({"content": "t", "template": "txt"}));
    }

    #[test]
    fn picture_and_link_stand_below_in_the_words_of_the_format() {
        let fields = json!({"format": "html", "image_url": "https://e.com/p", "url": "https://e.com/"});
        let content = "b\n\n<img src=\"https://e.com/p\">\n\n<a href=\"https://e.com/\">https://e.com/</a>";
        assert_eq!(sent("b", fields)["content"], content);
        assert_eq!(sent("b", json!({"url": "https://e.com/"}))["content"], "b\n\nhttps://e.com/");
    }

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        let judged = |status, body: &Value| {
            judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(judged(200, &json!({"code": 200})), Step::Done);
        for (status, body, reason, retry) in [
            (200, json!({"code": "200"}), Reason::UnexpectedAnswer, Retry::Later),
            (200, json!({}), Reason::UnexpectedAnswer, Retry::Later),
            (502, json!({"code": 200}), Reason::ProviderError, Retry::Later),
            (200, json!({"code": 500}), Reason::ProviderError, Retry::Later),
            (200, json!({"code": 900}), Reason::RateLimited, Retry::After(Duration::from_hours(24))),
            (200, json!({"code": 903}), Reason::Unauthorized, Retry::Never),
            (200, json!({"code": 4711}), Reason::Rejected, Retry::Never),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..1000) {
            let body = sent(&text.repeat(times), json!({"title": text, "url": "https://e.com/"}));
            let content = body["content"].as_str().unwrap();
            prop_assert!(length(content, Unit::Chars) <= CONTENT.max && content.ends_with("https://e.com/"));
        }
    }
}
