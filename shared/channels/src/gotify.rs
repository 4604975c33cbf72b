//! An application on a Gotify server.
//!
//! Markdown is announced, a click and a picture go along as extras. <https://gotify.net/docs/msgextras>

use bellhop_core::{
    Problem, SendError, Timestamp,
    channel::{Kind, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step},
    model::Format,
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, undocumented},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

pub(crate) static SPEC: Spec = Spec {
    id: "gotify",
    label: text("Gotify", "Gotify"),
    help: text("Sends to an application of a Gotify server.", "发送到 Gotify 服务器的应用。"),
    docs: "https://gotify.net/docs/pushmsg",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[BASE_URL, APP_TOKEN, PRIORITY, INCLUDE_PICTURE],
    short: None,
    check,
};

const BASE_URL: Param = Param {
    required: true,
    ..param(
        "base_url",
        Kind::Url,
        text("Server", "服务器"),
        text("The address of the server, with its path if it has one.", "服务器地址，若有路径也一并填写。"),
    )
};

const APP_TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param(
        "app_token",
        Kind::Text,
        text("Application token", "应用令牌"),
        text("The token of an application (not of a client).", "应用（而非客户端）的令牌。"),
    )
};

const PRIORITY: Param = Param {
    per_message: true,
    ..param(
        "priority",
        Kind::Number,
        text("Priority", "优先级"),
        text("From 0 to 10; without it, the application's own.", "从 0 到 10；留空则使用应用的默认值。"),
    )
};

/// The channel `gotify`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &BASE_URL)
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let mut outgoing = post_json(address::below(required(params, BASE_URL.name)?, "message"), &body(message, params));
    outgoing.headers.push(("x-gotify-key".to_owned(), required(params, APP_TOKEN.name)?.trim().to_owned()));
    Ok(outgoing)
}

fn body(message: &Message, params: &Params) -> Value {
    // an empty text is refused, and a title alone is as good as a text
    let (title, text) = if message.body.is_empty() { ("", &message.title) } else { (&*message.title, &message.body) };
    let mut body = json!({ "message": text });
    if !title.is_empty() {
        body["title"] = title.into();
    }
    if let Some(priority) = params.number(PRIORITY.name) {
        body["priority"] = priority.clamp(0, 10).into();
    }
    let mut extras = json!({});
    if message.format == Format::Markdown {
        extras["client::display"] = json!({ "contentType": "text/markdown" });
    }
    if let Some(url) = message.url {
        extras["client::notification"]["click"] = json!({ "url": url });
    }
    if let Some(url) = message.image_url {
        extras["client::notification"]["bigImageUrl"] = url.into();
    }
    if extras != json!({}) {
        body["extras"] = extras;
    }
    body
}

/// <https://gotify.net/api-docs>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let id = Answer::of(reply).and_then(|answer| answer.number("id"));
    if reply.status == 200 && id.is_some() { Step::Done } else { undocumented(reply, now) }
}

#[cfg(test)]
mod tests {
    use bellhop_core::Reason;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value, params: Value) -> Value {
        let job = sample::event(text, fields);
        body(&sample::message(&job), &given(params))
    }

    fn given(mut params: Value) -> Params {
        params["base_url"] = "https://e.com".into();
        params["app_token"] = "t".into();
        sample::params(&SPEC, params)
    }

    #[test]
    fn what_is_not_there_is_not_sent() {
        assert_eq!(sent("b", json!({}), json!({})), json!({"message": "b"}));
    }

    #[test]
    fn a_title_alone_is_the_text() {
        assert_eq!(sent("", json!({"title": "t"}), json!({})), json!({"message": "t"}));
    }

    #[test]
    fn a_picture_alone_is_shown_and_a_priority_stays_in_its_range() {
        let body = sent("b", json!({"image_url": "https://e.com/p.png"}), json!({"priority": 99}));
        let extras = json!({"client::notification": {"bigImageUrl": "https://e.com/p.png"}});
        assert_eq!(body, json!({"message": "b", "priority": 10, "extras": extras}));
    }

    #[test]
    fn an_answer_without_an_id_is_no_success() {
        let judged = |status, body: &str| judge(&Reply { status, headers: Vec::new(), body: body.into() }, Timestamp::UNIX_EPOCH);
        assert_eq!(judged(200, r#"{"id":25}"#), Step::Done);
        for body in ["", "<html>", "{}", r#"{"id":"25"}"#] {
            let Step::Fail(error) = judged(200, body) else { panic!("{body}") };
            assert_eq!(error.reason, Reason::UnexpectedAnswer, "{body}");
        }
        let Step::Fail(error) = judged(401, r#"{"id":25}"#) else { panic!("401") };
        assert_eq!(error.reason, Reason::Unauthorized);
    }
}
