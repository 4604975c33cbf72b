//! WxPusher: to users and topics of an app, or to single people who gave their SPT.
//!
//! The title is the summary that the chat shows; the content has it once more only if it had to be cut there. That WxPusher
//! made a task to send it is all that it tells. <https://wxpusher.zjiecode.com/docs/>

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render::{length, shorten},
    short::Short,
};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    html,
    join::{Joined, paragraphs},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

const CONTENT: Limit = Limit { max: 40_000, unit: Unit::Chars };
const SUMMARY: Limit = Limit { max: 100, unit: Unit::Chars };
const MOST_URL_CHARS: usize = 1000;
const MOST_UIDS: usize = 2000;
const MOST_TOPICS: usize = 5;
const MOST_SPTS: usize = 10;

pub(crate) static SPEC: Spec = Spec {
    id: "wxpusher",
    label: text("WxPusher", "WxPusher"),
    help: text("Sends to WeChat by WxPusher.", "通过 WxPusher 发送到微信。"),
    docs: "https://wxpusher.zjiecode.com/docs/",
    limits: Limits { title: None, body: Some(CONTENT), part: Some(Limit { max: 38_000, unit: Unit::Chars }), rate: None },
    shows: &[Format::Html, Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[APP_TOKEN, UIDS, TOPIC_IDS, SPT, INCLUDE_PICTURE],
    short: Some(Short::Positions(&["app_token", "uids"])),
    check,
};

const APP_TOKEN: Param = Param {
    secret: true,
    ..param(
        "app_token",
        Kind::Text,
        text("App token", "应用 appToken"),
        text("It begins with `AT_`; needed with `uids` and `topic_ids`.", "以 `AT_` 开头；使用 `uids` 或 `topic_ids` 时必填。"),
    )
};

const UIDS: Param = param(
    "uids",
    Kind::List,
    text("Users", "用户 UID"),
    text("Up to 2000 UIDs; they begin with `UID_`.", "最多 2000 个，以 `UID_` 开头。"),
);

const TOPIC_IDS: Param =
    param("topic_ids", Kind::List, text("Topics", "主题 ID"), text("Up to 5 numbers of topics.", "最多 5 个主题的数字 ID。"));

const SPT: Param = Param {
    secret: true,
    ..param(
        "spt",
        Kind::List,
        text("Simple push tokens", "极简推送 SPT"),
        text("Up to 10, in place of all others; they begin with `SPT_`.", "最多 10 个，以 `SPT_` 开头；填写后无需其他参数。"),
    )
};

/// The channel `wxpusher`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    let problem =
        |param: &Param, detail: String| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    for (param, most) in [(&UIDS, MOST_UIDS), (&TOPIC_IDS, MOST_TOPICS), (&SPT, MOST_SPTS)] {
        if params.list(param.name).len() > most {
            return problem(param, format!("it takes at most {most}"));
        }
    }
    if topic_ids(params).len() < params.list(TOPIC_IDS.name).len() {
        return problem(&TOPIC_IDS, "it takes whole numbers".to_owned());
    }
    if !params.list(SPT.name).is_empty() {
        return Ok(());
    }
    if params.text(APP_TOKEN.name).is_none() {
        return problem(&APP_TOKEN, "`wxpusher` needs it, or `spt`".to_owned());
    }
    if params.list(UIDS.name).is_empty() && topic_ids(params).is_empty() {
        return problem(&UIDS, "`wxpusher` needs it, or `topic_ids`".to_owned());
    }
    Ok(())
}

fn topic_ids(params: &Params) -> Vec<i64> {
    params.list(TOPIC_IDS.name).iter().filter_map(|id| id.trim().parse().ok()).collect()
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    const URL: &str = "https://wxpusher.zjiecode.com/api/send/message";
    let mut body = body(message);
    match &*params.list(SPT.name) {
        [] => {}
        [spt] => {
            body["spt"] = spt.trim().into();
            return Ok(post_json(format!("{URL}/simple-push"), &body));
        }
        several => {
            body["sptList"] = several.into();
            return Ok(post_json(format!("{URL}/simple-push"), &body));
        }
    }
    body["appToken"] = required(params, APP_TOKEN.name)?.trim().into();
    let (uids, topic_ids) = (params.list(UIDS.name), topic_ids(params));
    if uids.is_empty() && topic_ids.is_empty() {
        let detail = "the registration has neither `uids` nor `topic_ids`; set one of them";
        return Err(SendError::new(Reason::InvalidParams, Retry::Never, detail));
    }
    if !uids.is_empty() {
        body["uids"] = uids.into();
    }
    if !topic_ids.is_empty() {
        body["topicIds"] = topic_ids.into(); // numbers: others are refused
    }
    body["verifyPayType"] = 0.into();
    Ok(post_json(URL.to_owned(), &body))
}

/// What is said, to whomever.
fn body(message: &Message) -> Value {
    // a message without content is refused, and a title alone is as good as content
    let lost = length(&message.title, SUMMARY.unit) > SUMMARY.max || message.body.is_empty();
    let title = if lost { message.title.clone() } else { String::new() };
    let url = message.url.filter(|url| length(url, Unit::Chars) <= MOST_URL_CHARS);
    // the link has a field of its own, unless it is too long for it
    let joined = Message { title, url: message.url.filter(|_| url.is_none()), ..message.clone() };
    let (kind, content) = match message.format {
        Format::Text if message.image_url.is_none() => (1, Joined::plain(&joined)),
        Format::Html => {
            let title = if joined.title.is_empty() { String::new() } else { format!("<p>{}</p>", html::escaped(&joined.title)) };
            (2, Joined::html_without_title(&joined).with_text(title + &joined.body))
        }
        // a picture is shown in markdown only
        Format::Text | Format::Markdown => (3, Joined::markdown(&Message { body: paragraphs(&joined), ..joined.clone() })),
    };
    let mut body = json!({ "content": content.within(CONTENT), "contentType": kind });
    if !message.title.is_empty() {
        body["summary"] = shorten(&message.title, SUMMARY).into();
    }
    if let Some(url) = url {
        body["url"] = url.into();
    }
    body
}

/// It is delivered if anybody gets it. The codes are those of the official libraries.
/// <https://github.com/wxpusher/wxpusher-sdk-java>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    const FINE: i64 = 1000;
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let Some(code) = answer.number("code") else { return undocumented(reply, now) };
    let recipients = answer.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let codes: Option<Vec<_>> = recipients.iter().map(|one| one.get("code").and_then(Value::as_i64)).collect();
    let code = match (code, codes.as_deref()) {
        (FINE, _) if reply.status != 200 => return undocumented(reply, now),
        (FINE, None) => return undocumented(reply, now),
        (FINE, Some(codes)) if codes.is_empty() || codes.contains(&FINE) => {
            let refused = codes.iter().filter(|code| **code != FINE).count();
            return if refused == 0 {
                Step::Done
            } else {
                Step::DoneBut(format!("{refused} of {} recipients were refused: check `uids`, `topic_ids` or `spt`", codes.len()))
            };
        }
        (FINE, Some(codes)) => codes.first().copied().unwrap_or(code),
        (code, _) => code,
    };
    let (fault, advice) = match code {
        1001 => (Fault::Message, "WxPusher refuses it: check `app_token`, `uids`, `topic_ids` or `spt`"),
        1002 | 1003 => (Fault::Credentials, "WxPusher refuses the token: check `app_token` or `spt`"),
        1004 | 1008 => (Fault::Message, "WxPusher refuses the form of the message"),
        1005 | 1006 | 1007 | 1009 => (Fault::Theirs, "WxPusher failed"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Value {
        body(&crate::format::message(&sample::event(text, fields), &SPEC, None))
    }

    #[test]
    fn a_title_that_is_cut_in_the_summary_stands_whole_in_the_content() {
        let title = "测".repeat(101);
        let body = sent("b", json!({"title": title}));
        assert_eq!(body["summary"], format!("{}…", "测".repeat(99)));
        assert_eq!(body["content"], format!("{title}\n\nb"));
        assert_eq!(sent("", json!({"title": "t"})), json!({"summary": "t", "content": "t", "contentType": 1}));
    }

    #[test]
    fn a_picture_makes_it_markdown_and_a_long_link_stands_in_the_content() {
        let body = sent("1\n2", json!({"image_url": "https://e.com/p"}));
        assert_eq!(body, json!({"content": "1\n\n2\n\n![](https://e.com/p)", "contentType": 3}));
        let url = format!("https://e.com/{}", "x".repeat(1000));
        assert_eq!(sent("b", json!({"url": url})), json!({"content": format!("b\n\n{url}"), "contentType": 1}));
    }

    #[test]
    fn several_spts_are_a_list() {
        let params = sample::params(&SPEC, json!({"spt": ["SPT_1", "SPT_2"]}));
        let job = sample::event("b", json!({}));
        let outgoing = sample::request(&SPEAKER, &sample::message(&job), &params);
        let bellhop_core::channel::Body::Json(body) = outgoing.body else { panic!("not JSON") };
        let expected = json!({"content": "b", "contentType": 1, "sptList": ["SPT_1", "SPT_2"]});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn a_registration_without_recipients_is_refused_with_the_field() {
        let many = |count: usize| vec!["7"; count];
        for (params, field) in [
            (json!({}), Some("params.app_token")),
            (json!({"app_token": "AT"}), Some("params.uids")),
            (json!({"app_token": "AT", "topic_ids": ["x"]}), Some("params.topic_ids")),
            (json!({"app_token": "AT", "topic_ids": many(6)}), Some("params.topic_ids")),
            (json!({"app_token": "AT", "uids": many(2001)}), Some("params.uids")),
            (json!({"spt": many(11)}), Some("params.spt")),
            (json!({"app_token": "AT", "topic_ids": [1, "2"]}), None),
            (json!({"spt": "SPT"}), None),
        ] {
            let problem = check(&sample::params(&SPEC, params.clone())).err();
            assert_eq!(problem.and_then(|problem| problem.field).as_deref(), field, "{params}");
        }
    }

    #[test]
    fn it_is_delivered_if_anybody_gets_it() {
        let judged = |status, body: &Value| {
            judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
        };
        let codes = |codes: &[i64]| json!({"code": 1000, "data": codes.iter().map(|c| json!({"code": c})).collect::<Vec<_>>()});
        let note = "1 of 2 recipients were refused: check `uids`, `topic_ids` or `spt`";
        assert_eq!(judged(200, &codes(&[1001, 1000])), Step::DoneBut(note.to_owned()));
        for (status, body, reason, retry) in [
            (200, codes(&[1001, 1001]), Reason::Rejected, Retry::Never),
            (200, codes(&[1007]), Reason::ProviderError, Retry::Later),
            (200, json!({"code": 1000, "data": [{}]}), Reason::UnexpectedAnswer, Retry::Later),
            (500, json!({"code": 1000}), Reason::ProviderError, Retry::Later),
            (200, json!({"code": 1002}), Reason::Unauthorized, Retry::Never),
            (200, json!({"code": 4711}), Reason::Rejected, Retry::Never),
            (200, json!({"success": true}), Reason::UnexpectedAnswer, Retry::Later),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..2000) {
            let body = sent(&text.repeat(times), json!({"title": text.repeat(9)}));
            prop_assert!(length(body["content"].as_str().unwrap(), Unit::Chars) <= CONTENT.max);
            prop_assert!(length(body["summary"].as_str().unwrap_or_default(), Unit::Chars) <= SUMMARY.max);
        }
    }
}
