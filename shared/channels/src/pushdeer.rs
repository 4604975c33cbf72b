//! PushDeer: markdown, or a picture by itself.
//!
//! Code 0 is no success yet: without a device behind the key, the server answers it too, and sends nothing. A key that
//! nobody has makes the server answer 500. <https://github.com/easychen/pushdeer>

use bellhop_core::{
    Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Kind, Limits, Message, Method, Outgoing, Param, Params, Reply, Spec, Step},
    model::Format,
};
use serde_json::Value;

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    join::{Joined, paragraphs},
    param::{INCLUDE_PICTURE, param, required, text},
    request::Once,
};

pub(crate) static SPEC: Spec = Spec {
    id: "pushdeer",
    label: text("PushDeer", "PushDeer"),
    help: text("Sends to the devices of a PushDeer key.", "发送到 PushDeer 密钥对应的设备。"),
    docs: "https://github.com/easychen/pushdeer",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[PUSH_KEY, BASE_URL, INCLUDE_PICTURE],
    short: None,
    check,
};

const PUSH_KEY: Param = Param {
    required: true,
    secret: true,
    ..param(
        "push_key",
        Kind::Text,
        text("Push key", "推送密钥"),
        text("It begins with `PDU`; several are separated by commas.", "以 `PDU` 开头；多个密钥用逗号分隔。"),
    )
};

const DEFAULT_BASE: &str = "https://api2.pushdeer.com";

const BASE_URL: Param = Param {
    default: Some(DEFAULT_BASE),
    ..param("base_url", Kind::Url, text("Server", "服务器"), text("The address of a server of your own.", "自建服务器的地址。"))
};

/// The channel `pushdeer`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &BASE_URL)
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let mut fields = vec![("pushkey", required(params, PUSH_KEY.name)?.trim().to_owned())];
    fields.extend(said(message));
    Ok(Outgoing {
        method: Method::Post,
        url: address::below(params.text(BASE_URL.name).unwrap_or(DEFAULT_BASE), "message/push"),
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: Body::Form(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        proxy: None,
    })
}

/// The fields that say it. `text` has to be there; `desp` is what stands below it.
fn said(message: &Message) -> Vec<(&'static str, String)> {
    let desp = Joined::markdown_without_title(&Message { body: paragraphs(message), ..message.clone() }).whole();
    let kind = |kind: &str| ("type", kind.to_owned());
    match (&*message.title, message.image_url) {
        ("", Some(picture)) if message.body.is_empty() && message.url.is_none() => {
            vec![("text", picture.to_owned()), kind("image")]
        }
        ("", _) => vec![("text", desp), kind("markdown")],
        (title, _) if desp.is_empty() => vec![("text", title.to_owned()), kind("markdown")],
        (title, _) => vec![("text", title.to_owned()), ("desp", desp), kind("markdown")],
    }
}

/// The codes are in the server's `code.php`, the 500 is in its `PushDeerMessageController::push`.
/// <https://github.com/easychen/pushdeer/tree/main/api>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    const NOBODY: &str = "no device has `push_key`: check it, and that a device is registered";
    let Some(answer) = Answer::of(reply) else {
        return match reply.status {
            500 => {
                let detail = "the provider answered 500, as it does for keys that nobody has: check `push_key`";
                Step::Fail(SendError::new(Reason::Unauthorized, Retry::Never, detail))
            }
            _ => undocumented(reply, now),
        };
    };
    let sent = answer.get("content").and_then(|content| content.get("result")).and_then(Value::as_array);
    let (code, fault, advice) = match (answer.number("code"), sent) {
        (Some(0), Some(sent)) if reply.status == 200 && !sent.is_empty() => return Step::Done,
        (Some(code @ 0), Some(sent)) if sent.is_empty() => (code, Fault::Credentials, NOBODY),
        (Some(0) | None, _) => return undocumented(reply, now),
        (Some(code @ 80_403), _) => (code, Fault::Credentials, "PushDeer refuses `push_key`"),
        (Some(code @ 80_501), _) => {
            (code, Fault::Message, "PushDeer refuses the message, or the account has no device or is suspended")
        }
        (Some(code @ 80_502), _) => (code, Fault::Theirs, "the push service behind PushDeer failed"),
        (Some(code), _) => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Vec<(&'static str, String)> {
        said(&sample::message(&sample::event(text, fields)))
    }

    fn pairs<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
        pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    #[test]
    fn text_is_always_there() {
        let markdown = ("type", "markdown");
        assert_eq!(sent("a\nb", json!({})), pairs([("text", "a\n\nb"), markdown]));
        assert_eq!(sent("", json!({"title": "t"})), pairs([("text", "t"), markdown]));
        assert_eq!(sent("b", json!({"title": "t"})), pairs([("text", "t"), ("desp", "b"), markdown]));
    }

    #[test]
    fn a_picture_is_shown_in_the_text_and_markdown_keeps_its_lines() {
        let fields = json!({"title": "t", "format": "markdown", "image_url": "https://e.com/p.png", "url": "https://e.com/"});
        let desp = "- a\n- b\n\n![](https://e.com/p.png)\n\n[https://e.com/](https://e.com/)";
        assert_eq!(sent("- a\n- b", fields), pairs([("text", "t"), ("desp", desp), ("type", "markdown")]));
    }

    #[test]
    fn code_0_is_success_only_if_something_was_sent() {
        let judged = |status, body: &Value| {
            judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(judged(200, &json!({"code": 0, "content": {"result": ["{}"]}})), Step::Done);
        for (status, body, reason, retry) in [
            (200, json!({"code": 0, "content": {"result": []}}), Reason::Unauthorized, Retry::Never),
            (200, json!({"code": 0}), Reason::UnexpectedAnswer, Retry::Later),
            (200, json!({"content": {"result": ["{}"]}}), Reason::UnexpectedAnswer, Retry::Later),
            (200, json!({"code": 80_403}), Reason::Unauthorized, Retry::Never),
            (200, json!({"code": 80_502}), Reason::ProviderError, Retry::Later),
            (200, json!({"code": 4711}), Reason::Rejected, Retry::Never),
            (500, json!("Server Error"), Reason::Unauthorized, Retry::Never),
            (503, json!("down"), Reason::ProviderError, Retry::Later),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }
}
