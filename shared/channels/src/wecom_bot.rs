//! A WeCom group robot: text, markdown, news (a card with picture and link) or the picture's bytes.
//!
//! The robot refuses what is too long, so every text is cut to its kind's limit in bytes. A picture in bytes is a message
//! of its own, after the text.
//! <https://developer.work.weixin.qq.com/document/path/91770>

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Code, Problem, SendError, Timestamp,
    channel::{Channel, Context, Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::{Format, Picture},
    pace::SendRate,
    render,
    short::Short,
};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    format::as_text,
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text, with_own_picture, with_picture},
    request::post_json,
    sign::hex,
    template::percent_encoded,
};

const HOST: &str = "qyapi.weixin.qq.com";

const TEXT: Limit = Limit { max: 2048, unit: Unit::Bytes };
const MARKDOWN: Limit = Limit { max: 4096, unit: Unit::Bytes };
const NEWS_TITLE: Limit = Limit { max: 128, unit: Unit::Bytes };
const NEWS_TEXT: Limit = Limit { max: 512, unit: Unit::Bytes };

/// Of a picture, before base64.
const MOST_PICTURE_BYTES: usize = 2 * 1024 * 1024;

pub(crate) static SPEC: Spec = Spec {
    id: "wecom_bot",
    label: text("WeCom group robot", "企业微信群机器人"),
    help: text("Posts to a WeCom group by a group robot.", "通过群机器人发送到企业微信群。"),
    docs: "https://developer.work.weixin.qq.com/document/path/91770",
    limits: Limits {
        title: None,
        body: Some(MARKDOWN),
        part: Some(Limit { max: 3_500, unit: Unit::Bytes }),
        rate: Some(SendRate::of(20, Duration::from_mins(1))),
    },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[KEY, MARKDOWN_VERSION, MENTIONED_LIST, MENTIONED_MOBILE_LIST, INCLUDE_PICTURE],
    short: Some(Short::Positions(&["key"])),
    check,
};

const KEY: Param = Param {
    required: true,
    secret: true,
    ..param(
        "key",
        Kind::Text,
        text("Key", "key"),
        text(
            "What follows `key=` in the robot's webhook URL, or that whole URL.",
            "机器人 Webhook 地址中 `key=` 之后的部分，也可以填写整个地址。",
        ),
    )
};

const MARKDOWN_VERSION: Param = Param {
    default: Some("1"),
    ..param(
        "markdown_version",
        Kind::Number,
        text("Markdown version", "Markdown 版本"),
        text(
            "`1` has colours and mentions; `2` has tables and pictures, and is plain text in old clients. Messages with a \
             picture by URL use `2`.",
            "`1` 支持颜色和 @ 成员；`2` 支持表格和图片，旧版客户端显示为纯文本。带图片地址的消息使用 `2`。",
        ),
    )
};

const MENTIONED_LIST: Param = Param {
    per_message: true,
    ..param(
        "mentioned_list",
        Kind::List,
        text("Mention by user id", "按成员 ID @"),
        text("User ids of members who are mentioned; `@all` is everybody.", "被 @ 的成员的 userid，`@all` 为所有人。"),
    )
};

const MENTIONED_MOBILE_LIST: Param = Param {
    per_message: true,
    ..param(
        "mentioned_mobile_list",
        Kind::List,
        text("Mention by mobile number", "按手机号 @"),
        text(
            "Mobile numbers of members who are mentioned in texts; `@all` is everybody.",
            "文本消息中被 @ 的成员的手机号，`@all` 为所有人。",
        ),
    )
};

/// The channel `wecom_bot`.
pub(crate) struct WecomBot;

impl Channel for WecomBot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match so_far.last().map(|reply| judge(reply, cx.now)) {
            None | Some(Step::Done) => match bodies(&pictured(cx, message, params), params).get(so_far.len()) {
                Some(body) => request(body, params).map_or_else(Step::Fail, Step::Call),
                None => Step::Done,
            },
            Some(step) => step,
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    let problem = |name: &str, detail: String| Problem::field(Code::InvalidParams, format!("params.{name}"), detail);
    if !matches!(params.number(MARKDOWN_VERSION.name), None | Some(1 | 2)) {
        return Err(problem(MARKDOWN_VERSION.name, "it takes 1 or 2".to_owned()));
    }
    let key = address::token(params.text(KEY.name).unwrap_or_default(), HOST, KEY.name);
    key.map(drop).map_err(|detail| problem(KEY.name, detail))
}

fn request(body: &Value, params: &Params) -> Result<Outgoing, SendError> {
    let pasted = required(params, KEY.name)?;
    let key = address::token(pasted, HOST, KEY.name).unwrap_or_else(|_| pasted.to_owned());
    Ok(post_json(format!("https://{HOST}/cgi-bin/webhook/send?key={}", percent_encoded(&key)), body))
}

/// The message with its picture. The account's goes along only where it takes nothing away: not where it would make a card of
/// a text that does not fit onto one, nor the markdown that mentions nobody of one that does.
fn pictured<'a>(cx: &'a Context, message: &Message<'a>, params: &'a Params) -> Message<'a> {
    let own = with_own_picture(message, params);
    let takes_nothing_away = match own.format {
        Format::Markdown => own.url.is_none() && params.number(MARKDOWN_VERSION.name) == Some(2),
        Format::Text | Format::Html => own.url.is_none() || own.body.len() <= NEWS_TEXT.max,
    };
    if own.image_url.is_none() && takes_nothing_away { with_picture(cx, message, params) } else { own }
}

/// What is sent, one after the other.
fn bodies(message: &Message, params: &Params) -> Vec<Value> {
    if let (Some(url), Some(picture)) = (message.url, message.image_url) {
        let text = as_text(message);
        let first_line = text.lines().next().unwrap_or_default();
        let title = if message.title.is_empty() { first_line } else { &message.title };
        return vec![json!({ "msgtype": "news", "news": { "articles": [{
            "title": render::shorten(title, NEWS_TITLE),
            "description": render::shorten(&text, NEWS_TEXT),
            "url": url,
            "picurl": picture,
        }] } })];
    }
    let image = message.picture.filter(|picture| is_sendable(picture)).map(image);
    let says_something = !Joined::plain(message).whole().is_empty();
    let words = (says_something || image.is_none()).then(|| words(message, params));
    words.into_iter().chain(image).collect()
}

fn words(message: &Message, params: &Params) -> Value {
    let (ids, mobiles) = (params.list(MENTIONED_LIST.name), params.list(MENTIONED_MOBILE_LIST.name));
    let joined = Joined::markdown(message);
    match message.format {
        Format::Markdown if message.image_url.is_some() || params.number(MARKDOWN_VERSION.name) == Some(2) => {
            json!({ "msgtype": "markdown_v2", "markdown_v2": { "content": joined.within(MARKDOWN) } })
        }
        Format::Markdown => {
            let mentions = ids.iter().fold(String::new(), |lines, id| lines + &format!("\n<@{id}>"));
            let room = Limit { max: MARKDOWN.max.saturating_sub(mentions.len()), ..MARKDOWN };
            let content = joined.within(room) + render::cut(&mentions, MARKDOWN);
            json!({ "msgtype": "markdown", "markdown": { "content": content } })
        }
        Format::Text | Format::Html => {
            let mut text = json!({ "content": Joined::plain(message).within(TEXT) });
            for (name, mentioned) in [(MENTIONED_LIST.name, ids), (MENTIONED_MOBILE_LIST.name, mobiles)] {
                if !mentioned.is_empty() {
                    text[name] = mentioned.into();
                }
            }
            json!({ "msgtype": "text", "text": text })
        }
    }
}

/// Whether the robot takes it: a JPEG or PNG that is not too large.
pub(crate) fn is_sendable(Picture(bytes): &Picture) -> bool {
    bytes.len() <= MOST_PICTURE_BYTES && (bytes.starts_with(b"\x89PNG") || bytes.starts_with(b"\xff\xd8\xff"))
}

fn image(Picture(bytes): &Picture) -> Value {
    let image = json!({ "base64": BASE64_STANDARD.encode(bytes), "md5": hex(&Md5::digest(bytes)) });
    json!({ "msgtype": "image", "image": image })
}

/// <https://developer.work.weixin.qq.com/document/path/90313>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(code) = Answer::of(reply).and_then(|answer| answer.number("errcode")) else { return undocumented(reply, now) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Step::Done,
        0 => return undocumented(reply, now),
        -1 => (Fault::Theirs, "WeCom is busy"),
        45_009 => (Fault::TooFast(Duration::from_mins(1)), "a robot may send 20 messages in a minute"),
        93_000 => (Fault::Dead, "there is no such robot: check `key`"),
        93_004 => (Fault::Dead, "the robot is switched off in WeCom"),
        93_008 => (Fault::Dead, "the robot is no longer in the group"),
        40_009 => (Fault::Message, "WeCom refuses the picture: JPEG or PNG up to 2 MiB"),
        40_058 | 40_035 | 44_004 => (Fault::Message, "WeCom refuses the form of the message, such as an empty or too long text"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{
        Retry::{After, Later, Never},
        channel::Body,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

    fn reply(body: &str) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: body.into() }
    }

    fn sent(text: &str, fields: Value, mut params: Value) -> Value {
        params["key"] = "k".into();
        let job = sample::event(text, fields);
        let outgoing = sample::request(&WecomBot, &sample::message(&job), &sample::params(&SPEC, params));
        let Body::Json(body) = outgoing.body else { panic!("not JSON") };
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn a_picture_follows_the_text_and_only_once_the_text_is_accepted() {
        let job = sample::event("b", json!({}));
        let picture = Picture(b"\x89PNG".as_slice().into());
        let message = Message { picture: Some(&picture), ..sample::message(&job) };
        let params = sample::params(&SPEC, json!({"key": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}));
        let step = |so_far: &[Reply]| WecomBot.step(&sample::context(), &message, &params, so_far);
        let kind = |step: Step| match step {
            Step::Call(Outgoing { body: Body::Json(body), url, .. }) => {
                assert!(url.ends_with("/send?key=k"), "{url}");
                serde_json::from_str::<Value>(&body).unwrap()["msgtype"].clone()
            }
            step => panic!("{step:?}"),
        };
        assert_eq!(kind(step(&[])), "text");
        assert_eq!(kind(step(&[reply(OK)])), "image");
        assert_eq!(step(&[reply(OK), reply(OK)]), Step::Done);
        assert!(matches!(step(&[reply(r#"{"errcode":45009}"#)]), Step::Fail(_)));
    }

    #[test]
    fn the_accounts_picture_goes_along_where_it_takes_nothing_away() {
        let cx = Context { default_image_url: Some("https://e.com/own.png".to_owned()), ..sample::context() };
        let sent = |text: &str, fields: Value, version: u8| {
            let job = sample::event(text, fields);
            let params = sample::params(&SPEC, json!({"key": "k", "markdown_version": version}));
            bodies(&pictured(&cx, &sample::message(&job), &params), &params).remove(0)
        };
        assert_eq!(sent("b", json!({}), 1)["text"]["content"], "b\n\nhttps://e.com/own.png");
        assert_eq!(sent("b", json!({"url": "https://e.com/"}), 1)["news"]["articles"][0]["picurl"], "https://e.com/own.png");
        assert_eq!(sent(&"b".repeat(600), json!({"url": "https://e.com/"}), 1)["msgtype"], "text");
        assert_eq!(sent("b", json!({"format": "markdown"}), 1)["markdown"]["content"], "b");
        let markdown = sent("b", json!({"format": "markdown"}), 2);
        assert_eq!(markdown["markdown_v2"]["content"], "b\n\n![](https://e.com/own.png)");
    }

    #[test]
    fn a_picture_that_the_robot_would_refuse_is_left_out() {
        for bytes in [b"RIFFxxxxWEBP".to_vec(), b"\x89PNG".repeat(MOST_PICTURE_BYTES / 4 + 1)] {
            assert!(!is_sendable(&Picture(bytes.into())));
        }
    }

    #[test]
    fn mentions_stand_inside_the_text_and_at_the_end_of_markdown() {
        let params = json!({"mentioned_list": ["u1", "@all"], "mentioned_mobile_list": 13_800_138_000_i64});
        let text = json!({"content": "b", "mentioned_list": ["u1", "@all"], "mentioned_mobile_list": ["13800138000"]});
        assert_eq!(sent("b", json!({}), params.clone())["text"], text);
        let long = sent(&"测".repeat(5000), json!({"format": "markdown"}), params);
        let content = long["markdown"]["content"].as_str().unwrap();
        assert!(content.ends_with("…\n<@u1>\n<@@all>") && content.len() <= MARKDOWN.max, "{content}");
    }

    #[test]
    fn a_dead_robot_is_switched_off_and_a_busy_one_is_given_time() {
        let error = |code: i64| match judge(&reply(&json!({ "errcode": code }).to_string()), Timestamp::UNIX_EPOCH) {
            Step::Fail(error) => (error.dead_address, error.retry),
            step => panic!("{step:?}"),
        };
        for code in [93_000, 93_004, 93_008] {
            assert_eq!(error(code), (true, Never));
        }
        assert_eq!(
            [error(-1), error(45_009), error(40_058)],
            [(false, Later), (false, After(Duration::from_mins(1))), (false, Never)]
        );
    }

    proptest! {
        #[test]
        fn no_text_is_over_its_limit(text in sample::any_text(), times in 1_usize..300, markdown in any::<bool>()) {
            let format = if markdown { "markdown" } else { "text" };
            let body = sent(&text.repeat(times), json!({"url": "https://e.com/", "format": format}), json!({}));
            let (content, limit) = if markdown { (&body["markdown"], MARKDOWN) } else { (&body["text"], TEXT) };
            prop_assert!(content["content"].as_str().unwrap().len() <= limit.max);
        }
    }
}
