//! A Microsoft Teams workflow that posts what its webhook receives: an adaptive card.
//!
//! The URL is signed and leaves byte for byte. 202 says that the workflow was started; what becomes of it is not told.
//! <https://learn.microsoft.com/en-us/power-automate/teams/send-a-message-in-teams>

use bellhop_core::{
    Problem, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Fault, refused_as, undocumented},
    format::markdown,
    join::{Joined, paragraphs},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

/// Of the whole request.
/// <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>
const MOST_BYTES: usize = 28 * 1024;

pub(crate) static SPEC: Spec = Spec {
    id: "teams",
    label: text("Microsoft Teams", "Microsoft Teams"),
    help: text(
        "Posts a card to Teams by a workflow's webhook. Cards of 28 KiB have no room for files: a picture is shown by its URL, and \
         one that is uploaded with the message is left out.",
        "通过工作流的 Webhook 将卡片发送到 Teams。卡片上限为 28 KiB，不能携带文件：图片按其地址显示，随消息上传的图片不发送。",
    ),
    docs: "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
    limits: Limits {
        title: Some(Limit { max: 1000, unit: Unit::Chars }), // so that it leaves room for the text
        body: Some(Limit { max: MOST_BYTES, unit: Unit::Bytes }),
        part: Some(Limit { max: 12_000, unit: Unit::Bytes }),
        rate: None,
    },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[WEBHOOK, INCLUDE_PICTURE],
    short: None,
    check,
};

const WEBHOOK: Param = Param {
    required: true,
    secret: true,
    ..param(
        "webhook",
        Kind::Url,
        text("Webhook URL", "Webhook 地址"),
        text(
            "The URL of a workflow that begins with “When a Teams webhook request is received”, with its whole query.",
            "以“收到 Teams Webhook 请求时”为触发器的工作流的完整地址（包含全部查询参数）。",
        ),
    )
};

/// The channel `teams`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &WEBHOOK, [])
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let url = required(params, WEBHOOK.name)?.trim().to_owned();
    let lines = Message { body: paragraphs(message), format: Format::Markdown, ..message.clone() };
    let size = |text: &str| card(message, text).to_string().len();
    let text = Joined::body(&lines).fit(MOST_BYTES, size);
    Ok(post_json(url, &card(message, &text)))
}

/// The message as a card, with this text. <https://adaptivecards.io/explorer/>
fn card(message: &Message, text: &str) -> Value {
    let mut blocks = Vec::new();
    if !message.title.is_empty() {
        let title = &message.title;
        blocks.push(
            json!({ "type": "TextBlock", "text": markdown::literal(title), "size": "Large", "weight": "Bolder", "wrap": true }),
        );
    }
    if !text.is_empty() {
        blocks.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    if let Some(url) = message.image_url {
        blocks.push(json!({ "type": "Image", "url": url }));
    }
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "msteams": { "width": "full" },
    });
    if let Some(url) = message.url {
        content["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open", "url": url }]);
    }
    let kind = "application/vnd.microsoft.card.adaptive";
    json!({ "type": "message", "attachments": [{ "contentType": kind, "contentUrl": null, "content": content }] })
}

/// Workflows answer 202 with nothing. 200 comes from those that answer by themselves, with nothing or JSON; anything else,
/// such as a page of a proxy, says nothing about the message.
/// <https://learn.microsoft.com/en-us/azure/logic-apps/logic-apps-http-endpoint>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let error = json.as_ref().and_then(|json| json.get("error"));
    match (reply.status, error.and_then(|error| error.get("code")).and_then(Value::as_str)) {
        (202, _) => Step::Done,
        (200, _) if error.is_none() && (json.is_some() || reply.body.trim_ascii().is_empty()) => Step::Done,
        (_, Some(word @ "WorkflowNotFound")) => refused_as(word, &Fault::Dead, "the workflow was deleted in Teams"),
        (_, Some(word @ "WorkflowTriggerIsNotEnabled")) => {
            refused_as(word, &Fault::Message, "the workflow is switched off: switch it on again")
        }
        (_, Some(word @ "DirectApiAuthorizationRequired")) => {
            refused_as(word, &Fault::Credentials, "the signature is refused: copy the whole URL again")
        }
        (_, Some(_) | None) => undocumented(reply, now),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, channel::Body};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Value {
        let job = sample::event(text, fields);
        let params = sample::params(&SPEC, json!({"webhook": "https://e.com/?sig=x"}));
        let Body::Json(body) = sample::request(&SPEAKER, &crate::format::message(&job, &SPEC, None), &params).body else {
            panic!()
        };
        assert!(body.len() <= MOST_BYTES, "{} bytes", body.len());
        serde_json::from_str::<Value>(&body).unwrap()["attachments"][0]["content"].take()
    }

    #[test]
    fn lines_stay_lines_and_what_is_not_there_is_not_sent() {
        let content = sent("1\n2", json!({}));
        assert_eq!(content["body"], json!([{"type": "TextBlock", "text": "1\n\n2", "wrap": true}]));
        assert_eq!(content.get("actions"), None);
    }

    #[test]
    fn a_picture_is_shown() {
        let content = sent("b", json!({"image_url": "https://e.com/p.png"}));
        assert_eq!(content["body"][1], json!({"type": "Image", "url": "https://e.com/p.png"}));
    }

    #[test]
    fn a_page_is_no_success_and_a_deleted_workflow_is_dead() {
        let judged = |status, body: &str| judge(&Reply { status, headers: Vec::new(), body: body.into() }, Timestamp::UNIX_EPOCH);
        assert_eq!([judged(202, ""), judged(200, ""), judged(200, "1")], [Step::Done, Step::Done, Step::Done]);
        for (status, body, reason, dead) in [
            (200, "<html>sign in</html>", Reason::UnexpectedAnswer, false),
            (200, r#"{"error":{"code":"x"}}"#, Reason::UnexpectedAnswer, false),
            (404, r#"{"error":{"code":"WorkflowNotFound"}}"#, Reason::Gone, true),
            (404, "", Reason::Rejected, false),
            (401, r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#, Reason::Unauthorized, false),
            (502, "", Reason::ProviderError, false),
        ] {
            let Step::Fail(error) = judged(status, body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.dead_address), (reason, dead), "{status} {body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_card_of_any_text_fits(text in sample::any_text(), times in 1_usize..2000) {
            let content = sent(&text.repeat(times), json!({"title": text, "url": "https://e.com/"}));
            prop_assert!(content["actions"].is_array());
        }
    }
}
