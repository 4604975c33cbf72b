//! A DingTalk group robot: text, markdown, link or action card.
//!
//! Signed if there is a secret; the robot's keyword is appended where the text lacks it. The answer is read by its
//! `errcode`: HTTP is 200 for nearly everything, and the gateway's throttle page has no `errcode` at all.
//! <https://open.dingtalk.com/document/robots/custom-robot-access>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, SendError, Timestamp,
    channel::{Context, Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    pace::SendRate,
    render,
    short::Short,
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    format::{as_text, markdown},
    join::{Joined, paragraphs},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json_as},
    sign,
    template::percent_encoded,
};

/// Of the whole request.
const MOST_BYTES: usize = 20_000;

const HOST: &str = "oapi.dingtalk.com";

pub(crate) static SPEC: Spec = Spec {
    id: "dingtalk",
    label: text("DingTalk robot", "钉钉群机器人"),
    help: text("Posts to a DingTalk group by a custom robot.", "通过自定义机器人发送到钉钉群。"),
    docs: "https://open.dingtalk.com/document/robots/custom-robot-access",
    limits: Limits {
        title: None,
        body: Some(Limit { max: MOST_BYTES, unit: Unit::Bytes }),
        part: Some(Limit { max: 9_000, unit: Unit::Bytes }),
        rate: Some(SendRate::of(20, Duration::from_mins(1))),
    },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[ACCESS_TOKEN, SECRET, KEYWORD, STYLE, AT_MOBILES, AT_USER_IDS, AT_ALL, IMAGE_URL, INCLUDE_PICTURE],
    short: Some(Short::Positions(&["access_token", "image_url"])),
    check,
};

const ACCESS_TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param(
        "access_token",
        Kind::Text,
        text("Access token", "access_token"),
        text(
            "What follows `access_token=` in the robot's webhook URL, or that whole URL.",
            "机器人 Webhook 地址中 `access_token=` 之后的部分，也可以填写整个地址。",
        ),
    )
};

const SECRET: Param = Param {
    secret: true,
    ..param(
        "secret",
        Kind::Text,
        text("Signing secret", "加签密钥"),
        text(
            "The text that begins with `SEC`, if the robot's security setting is to sign.",
            "安全设置选择“加签”时显示的、以 `SEC` 开头的字符串。",
        ),
    )
};

const KEYWORD: Param = param(
    "keyword",
    Kind::Text,
    text("Keyword", "自定义关键词"),
    text(
        "One of the robot's keywords, if it demands one; it is appended to texts that lack it.",
        "安全设置选择“自定义关键词”时填写其中一个；内容中没有时会追加在末尾。",
    ),
);

const STYLE: Param = Param {
    default: Some("auto"),
    per_message: true,
    ..param(
        "style",
        Kind::Choice(&["auto", "text", "markdown", "link", "actionCard"]),
        text("Style", "消息类型"),
        text(
            "`auto` is markdown if the message is markdown or has a picture, else text. `link` and `actionCard` need a message \
             with a URL; any other is sent as by `auto`.",
            "`auto`：消息为 Markdown 或带图片时用 markdown，否则用 text。`link` 和 `actionCard` 需要消息带链接，否则按 `auto` 发送。",
        ),
    )
};

const AT_MOBILES: Param = Param {
    per_message: true,
    ..param(
        "at_mobiles",
        Kind::List,
        text("Mention by mobile number", "按手机号 @"),
        text("Mobile numbers of members who are mentioned.", "被 @ 的群成员的手机号。"),
    )
};

const AT_USER_IDS: Param = Param {
    per_message: true,
    ..param(
        "at_user_ids",
        Kind::List,
        text("Mention by user id", "按用户 ID @"),
        text("User ids of members who are mentioned.", "被 @ 的群成员的用户 ID。"),
    )
};

const AT_ALL: Param = Param {
    default: Some("false"),
    per_message: true,
    ..param("at_all", Kind::Bool, text("Mention all", "@ 所有人"), text("Mention everybody in the group.", "@ 群内所有人。"))
};

const IMAGE_URL: Param = param(
    "image_url",
    Kind::Url,
    text("Picture", "图片"),
    text("A picture for messages that have none of their own.", "消息自身没有图片时使用的图片地址。"),
);

/// The channel `dingtalk`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request, judge };

fn check(params: &Params) -> Result<(), Problem> {
    let token = address::token(params.text(ACCESS_TOKEN.name).unwrap_or_default(), HOST, ACCESS_TOKEN.name);
    token.map(drop).map_err(|detail| Problem::field(Code::InvalidParams, "params.access_token", detail))
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let pasted = required(params, ACCESS_TOKEN.name)?;
    let token = address::token(pasted, HOST, ACCESS_TOKEN.name).unwrap_or_else(|_| pasted.to_owned());
    let now = cx.now.as_millisecond().to_string();
    let sign = params.text(SECRET.name).map(|secret| percent_encoded(&sign::dingtalk(secret, &now)));
    let signed = sign.map(|sign| format!("&timestamp={now}&sign={sign}")).unwrap_or_default();
    let url = format!("https://{HOST}/robot/send?access_token={}{signed}", percent_encoded(&token));
    Ok(post_json_as("application/json; charset=utf-8", url, &body(message, params)))
}

/// What a message is sent as.
enum Style<'a> {
    Text,
    Markdown,
    Link(&'a str),
    ActionCard(&'a str),
}

impl<'a> Style<'a> {
    fn of(message: &Message<'a>, params: &Params) -> Self {
        match (params.text(STYLE.name), message.url) {
            (Some("text"), _) => Self::Text,
            (Some("markdown"), _) => Self::Markdown,
            (Some("link"), Some(url)) => Self::Link(url),
            (Some("actionCard"), Some(url)) => Self::ActionCard(url),
            _ if message.format == Format::Markdown || message.image_url.is_some() => Self::Markdown,
            _ => Self::Text,
        }
    }

    /// The body with this text in it.
    fn write(&self, title: &str, text: &str, picture: Option<&str>) -> Value {
        match self {
            Self::Text => json!({ "msgtype": "text", "text": { "content": text } }),
            Self::Markdown => json!({ "msgtype": "markdown", "markdown": { "title": title, "text": text } }),
            Self::Link(url) => {
                let mut link = json!({ "title": title, "text": text, "messageUrl": url });
                if let Some(picture) = picture {
                    link["picUrl"] = picture.into();
                }
                json!({ "msgtype": "link", "link": link })
            }
            Self::ActionCard(url) => json!({ "msgtype": "actionCard", "actionCard": {
                "title": title, "text": text, "singleTitle": "查看详情", "singleURL": url, "btnOrientation": "0",
            } }),
        }
    }
}

fn body(message: &Message, params: &Params) -> Value {
    const PREVIEW: Limit = Limit { max: 200, unit: Unit::Chars };
    let (mobiles, user_ids) = (params.list(AT_MOBILES.name), params.list(AT_USER_IDS.name));
    let mentions = mobiles.iter().chain(&user_ids).map(|id| format!("@{id}")).collect::<Vec<_>>().join(" ");
    let style = Style::of(message, params);
    let plain = Message { body: as_text(message), format: Format::Text, ..message.clone() };
    let lines = Message { body: paragraphs(message), ..message.clone() };
    let joined = match style {
        Style::Text => Joined::plain(&plain),
        Style::Markdown => Joined::markdown(&lines),
        Style::Link(_) => Joined::plain(&Message { title: String::new(), url: None, image_url: None, ..plain.clone() }),
        Style::ActionCard(_) => {
            let heading =
                if message.title.is_empty() { String::new() } else { format!("### {}", markdown::literal(&message.title)) };
            let text = render::join(&heading, &lines.body, Format::Text);
            Joined::markdown(&Message { url: None, ..lines }).with_text(text)
        }
    };
    let first_line = plain.body.lines().next().unwrap_or_default();
    let title = if message.title.is_empty() { first_line } else { &message.title };
    let title = render::shorten(title, PREVIEW); // a preview only; markdown repeats the whole title in the text
    let write = |text: &str| {
        let mut text = text.to_owned();
        if let Some(keyword) = params.text(KEYWORD.name).filter(|keyword| !text.contains(keyword)) {
            text = render::join(&text, keyword, Format::Text);
        }
        if !mentions.is_empty() {
            text = format!("{text}\n{mentions}");
        }
        let mut body = style.write(&title, &text, message.image_url);
        let at_all = params.flag(AT_ALL.name, false);
        if at_all || !mentions.is_empty() {
            body["at"] = at(&mobiles, &user_ids, at_all);
        }
        body
    };
    write(&joined.fit(MOST_BYTES, |text| write(text).to_string().len()))
}

fn at(mobiles: &[String], user_ids: &[String], all: bool) -> Value {
    let mut at = json!({});
    for (name, ids) in [("atMobiles", mobiles), ("atUserIds", user_ids)] {
        if !ids.is_empty() {
            at[name] = ids.into();
        }
    }
    at["isAtAll"] = all.into();
    at
}

/// <https://open.dingtalk.com/document/robots/custom-robot-access>, and for the codes
/// <https://open.dingtalk.com/document/orgapp/server-api-error-codes-1>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    const MOST: u64 = 3600;
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let Some(code) = answer.number("errcode") else {
        // the gateway's throttle page: {"status":1111,"wait":5,…}
        return match (answer.number("status"), answer.number("wait").and_then(|wait| u64::try_from(wait).ok())) {
            (Some(status), Some(wait)) => {
                refused(status, &Fault::TooFast(Duration::from_secs(wait.min(MOST))), "the robot sends too fast")
            }
            _ => undocumented(reply, now),
        };
    };
    let text = answer.text("errmsg");
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Step::Done,
        0 => return undocumented(reply, now),
        -1 => (Fault::Theirs, "DingTalk is busy"),
        130_101 | 410_100 => (Fault::TooFast(Duration::from_mins(1)), "a robot may send 20 messages in a minute"),
        90_030 => (Fault::TooFast(Duration::from_hours(1)), "the robot's daily quota is used up"),
        310_000 if text.contains("keywords") => {
            (Fault::Message, "the text has none of the robot's keywords: set `keyword` to one of them")
        }
        310_000 if text.contains("whitelist") => {
            (Fault::Credentials, "the robot accepts other IP addresses only: choose another security setting")
        }
        310_000 => (Fault::Credentials, "the signature is refused: check `secret`"),
        300_001 | 300_005 | 400_101 | 88 => (Fault::Dead, "there is no such robot: check `access_token`"),
        400_013 => (Fault::Dead, "the group was dissolved"),
        400_102 => (Fault::Dead, "the robot is switched off in DingTalk"),
        400_106 => (Fault::Dead, "the robot was removed from the group"),
        430_101..=430_104 => (Fault::Message, "DingTalk refuses the content of the message"),
        460_101 => (Fault::Message, "the message is longer than 20000 bytes"),
        400_105 | 40_035 | 43_002 | 43_004 => (Fault::Message, "DingTalk refuses the form of the message"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, Retry};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value, mut params: Value) -> Value {
        params["access_token"] = "t0k".into();
        let job = sample::event(text, fields);
        let outgoing = sample::request(&SPEAKER, &sample::message(&job), &sample::params(&SPEC, params));
        let bellhop_core::channel::Body::Json(body) = outgoing.body else { panic!("not JSON") };
        assert!(body.len() <= MOST_BYTES, "{} bytes", body.len());
        serde_json::from_str(&body).unwrap()
    }

    fn failure(body: &Value) -> SendError {
        let reply = Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        let Step::Fail(error) = judge(&reply, Timestamp::UNIX_EPOCH) else { panic!("{body}") };
        error
    }

    #[test]
    fn a_picture_makes_it_markdown_in_which_line_breaks_survive() {
        let fields = json!({"title": "t", "url": "https://e.com/", "image_url": "https://e.com/p.png"});
        let body = sent("1\n2", fields, json!({}));
        let text = "# t\n\n1\n\n2\n\n![](https://e.com/p.png)\n\n[https://e.com/](https://e.com/)";
        assert_eq!(body["markdown"], json!({"title": "t", "text": text}));
    }

    #[test]
    fn a_picture_of_the_registration_is_for_messages_without_and_none_goes_where_none_is_wanted() {
        let own = json!({"image_url": "https://e.com/own.png"});
        let params = json!({"image_url": "https://e.com/ours.png"});
        let text = |body: Value| body["markdown"]["text"].as_str().unwrap_or_default().to_owned();
        assert_eq!(text(sent("b", own.clone(), params.clone())), "b\n\n![](https://e.com/own.png)");
        assert_eq!(text(sent("b", json!({}), params)), "b\n\n![](https://e.com/ours.png)");
        assert_eq!(sent("b", own, json!({"include_picture": false}))["text"]["content"], "b");
    }

    #[test]
    fn without_a_url_there_is_nothing_to_link_to() {
        assert_eq!(sent("b", json!({}), json!({"style": "link"})), json!({"msgtype": "text", "text": {"content": "b"}}));
    }

    #[test]
    fn a_long_text_keeps_keyword_mentions_and_link() {
        let params = json!({"keyword": "kw", "at_mobiles": "13800138000", "at_all": true});
        let body = sent(&"\"测\n".repeat(9000), json!({"url": "https://e.com/"}), params);
        let content = body["text"]["content"].as_str().unwrap();
        assert!(content.ends_with("…\n\nhttps://e.com/\n\nkw\n@13800138000"), "{content}");
        assert_eq!(body["at"], json!({"atMobiles": ["13800138000"], "isAtAll": true}));
    }

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        for (body, reason, retry, dead) in [
            (json!({"errcode": 310_000, "errmsg": "sign not match"}), Reason::Unauthorized, Retry::Never, false),
            (json!({"errcode": 310_000, "errmsg": "keywords not in content"}), Reason::Rejected, Retry::Never, false),
            (json!({"errcode": 300_005}), Reason::Gone, Retry::Never, true),
            (json!({"errcode": -1}), Reason::ProviderError, Retry::Later, false),
            (json!({"errcode": 4711}), Reason::Rejected, Retry::Never, false),
            (json!({"status": 1111, "wait": 5}), Reason::RateLimited, Retry::After(Duration::from_secs(5)), false),
            (json!({"status": 1111, "wait": 99_999}), Reason::RateLimited, Retry::After(Duration::from_hours(1)), false),
            (json!({"errcode": "0"}), Reason::UnexpectedAnswer, Retry::Later, false),
            (json!({}), Reason::UnexpectedAnswer, Retry::Later, false),
        ] {
            let error = failure(&body);
            assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, dead), "{body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))] // long texts take long

        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..500) {
            let body = sent(&text.repeat(times), json!({"title": text, "url": "https://e.com/"}), json!({}));
            prop_assert!(body["text"]["content"].is_string());
        }
    }
}
