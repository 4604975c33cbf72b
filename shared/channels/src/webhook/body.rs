//! The bodies of a webhook.
//!
//! `format: bellhop` is the whole event; fields without a value are left out, but for `title` and `message`:
//!
//! ```json
//! {"id": "dlv_…", "event": "evt_…", "source": "QD/Example/main", "type": "domain.end", "trigger": "auto|manual",
//!  "result": "success|failure|partial", "title": "", "message": "…", "format": "text|markdown|html", "url": "https://…",
//!  "image_url": "https://…", "screenshot": "<base64>", "occurred_at": "2025-02-01T04:34:56Z",
//!  "accepted_at": "2025-02-01T04:34:57Z", "send_to": ["alice"], "final": false, "data": {"any": "thing"}}
//! ```
//!
//! `format: bettergi` is the body that BetterGI documents, for receivers that were written for it; `timestamp` is local
//! time, `token` is there only if one is set. <https://github.com/huiyadanli/bettergi-docs/blob/main/src/dev/webhook.md>
//!
//! ```json
//! {"event": "domain.end", "result": "Success|Fail|PartialSuccess", "timestamp": "2025-02-01 12:34:56",
//!  "screenshot": "<base64>", "message": "…", "data": null, "send_to": "userid", "token": "…"}
//! ```

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Timestamp,
    channel::{Body, Context, Message, Params},
    model::{DeliveryId, EventId, EventType, Format, Recipient, RunResult, Source, Trigger},
    render,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::template::{Texts, is_json};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The content type and the body.
pub(crate) fn write<const N: usize>(cx: &Context, message: &Message, params: &Params, texts: &Texts<N>) -> (&'static str, Body) {
    if let Some(raw) = params.text("raw_body") {
        return (if is_json(raw) { JSON } else { TEXT }, Body::Raw(raw.as_bytes().to_vec()));
    }
    match params.text("template") {
        Some(template) if is_json(template) => (JSON, Body::Json(texts.json(template))),
        Some(template) => (TEXT, Body::Raw(texts.plain(template).into_bytes())),
        None if is_bettergi(params) => (JSON, Body::Json(addressed(bettergi(cx, message, params), message, params).to_string())),
        None => (JSON, Body::Json(envelope(message, params))),
    }
}

/// Whether the token goes into the body, and not into a header.
pub(crate) fn holds_token(params: &Params) -> bool {
    let own = params.text("raw_body").or(params.text("template")).is_some();
    is_bettergi(params) && !own && params.text("method") != Some("GET")
}

/// Whether it is BetterGI's format that is wanted.
pub(crate) fn is_bettergi(params: &Params) -> bool {
    params.text("format") == Some("bettergi")
}

/// The whole event. What is none is left out.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    event: EventId,
    source: &'a Source,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a EventType>,
    trigger: Trigger,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<RunResult>,
    title: &'a str,
    message: &'a str,
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    screenshot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    accepted_at: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    send_to: Vec<String>,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// The whole event, as JSON.
pub(crate) fn envelope(message: &Message, params: &Params) -> String {
    let event = message.event;
    let send_to = match params.text("send_to") {
        Some(own) => vec![own.to_owned()],
        None => event.send_to.iter().map(Recipient::to_string).collect(),
    };
    let envelope = Envelope {
        id: message.id.as_deref(),
        event: event.id,
        source: &event.source,
        event_type: event.event_type.as_ref(),
        trigger: event.trigger,
        result: event.result,
        title: &message.title,
        message: &message.body,
        format: message.format,
        url: message.url,
        image_url: message.image_url,
        screenshot: screenshot(message, params),
        occurred_at: event.occurred_at,
        accepted_at: event.accepted_at,
        send_to,
        is_final: event.is_final,
        data: event.data.as_ref(),
    };
    serde_json::to_string(&envelope).unwrap_or_default()
}

/// What BetterGI itself tells of an event.
pub(crate) fn bettergi(cx: &Context, message: &Message, params: &Params) -> Value {
    let event = message.event;
    let at = event.occurred_at.unwrap_or(event.accepted_at).to_zoned(cx.time_zone.clone());
    let result = event.result.map(|result| match result {
        RunResult::Success => "Success",
        RunResult::Failure => "Fail",
        RunResult::Partial => "PartialSuccess",
    });
    json!({
        "event": event.event_type.as_ref().map_or_else(|| event.source.as_str(), |event_type| event_type.as_str()),
        "result": result,
        "timestamp": at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        "screenshot": screenshot(message, params),
        "message": render::join(&message.title, &message.body, message.format), // the body has no place for a title
        "data": event.data,
    })
}

/// BetterGI's body with whom its receiver is to tell.
fn addressed(mut body: Value, message: &Message, params: &Params) -> Value {
    body["send_to"] = params.text("send_to").map_or_else(|| receivers(message), Value::from);
    if let Some(token) = params.text("token") {
        body["token"] = token.into();
    }
    body
}

/// Whom the event names, but for what leads here and for groups: those are our words, and a receiver would look for a person
/// of that name. One person is a text, as BetterGI writes it; several are a list, which its receivers take too.
fn receivers(message: &Message) -> Value {
    let is_person = |recipient: &&Recipient| match recipient {
        Recipient::Registration(name) => Some(DeliveryId::new(message.event.id, name, message.address).to_string()) != message.id,
        Recipient::Group(_) => false,
        Recipient::Contact(_) | Recipient::Address(_) => true,
    };
    let people: Vec<_> = message.event.send_to.iter().filter(is_person).map(Recipient::to_string).collect();
    match people.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        _ => json!(people),
    }
}

fn screenshot(message: &Message, params: &Params) -> Option<String> {
    let picture = message.picture.filter(|_| params.flag("include_picture", true))?;
    Some(BASE64_STANDARD.encode(&picture.0))
}

#[cfg(test)]
mod tests {
    use bellhop_core::{
        channel::{Channel, Outgoing, Step},
        model::{Job, Picture},
    };

    use super::*;
    use crate::{
        sample,
        webhook::{SPEC, Webhook},
    };

    fn body(job: &Job, picture: Option<&Picture>, more: Value) -> Value {
        let mut params = json!({"url": "https://example.com"});
        let Value::Object(more) = more else { panic!("not an object") };
        params.as_object_mut().unwrap().extend(more);
        let message = Message { picture, ..sample::message(job) };
        match sample::request(&Webhook, &message, &sample::params(&SPEC, params)).body {
            Body::Json(text) => serde_json::from_str(&text).unwrap(),
            Body::Raw(bytes) => Value::from(String::from_utf8(bytes).unwrap()),
            Body::Empty | Body::Form(_) => panic!("neither JSON nor text"),
        }
    }

    fn full() -> Job {
        sample::event(
            "自动秘境结束",
            json!({
                "type": "domain.end", "trigger": "manual", "result": "failure", "title": "T", "format": "markdown",
                "url": "https://e.com", "image_url": "https://e.com/p.png", "occurred_at": "2025-02-01T04:34:56Z",
                "send_to": ["hook", "alice", "group:ops"], "final": true, "data": {"n": 1},
            }),
        )
    }

    fn picture() -> Picture {
        Picture(b"\x89PNG".as_slice().into())
    }

    #[test]
    fn the_envelope_holds_the_whole_event() {
        let job = full();
        let expected = json!({
            "id": job.delivery, "event": job.event.id, "source": "QD/Example/main", "type": "domain.end", "trigger": "manual",
            "result": "failure", "title": "T", "message": "自动秘境结束", "format": "markdown", "url": "https://e.com",
            "image_url": "https://e.com/p.png", "screenshot": "iVBORw==", "occurred_at": "2025-02-01T04:34:56Z",
            "accepted_at": "2024-05-01T08:00:00Z", "send_to": ["hook", "alice", "group:ops"], "final": true, "data": {"n": 1},
        });
        assert_eq!(body(&job, Some(&picture()), json!({})), expected);
    }

    #[test]
    fn the_envelope_leaves_out_what_is_not_there() {
        let body = body(&sample::event("m", json!({})), None, json!({}));
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "event", "source", "trigger", "title", "message", "format", "accepted_at", "final"]);
    }

    #[test]
    fn a_picture_goes_along_unless_it_is_not_wanted() {
        assert_eq!(body(&full(), Some(&picture()), json!({"include_picture": false})).get("screenshot"), None);
    }

    #[test]
    fn the_accounts_picture_goes_with_an_event_that_has_none() {
        let cx = Context { default_image_url: Some("https://e.com/own.png".to_owned()), ..sample::context() };
        let image_url = |fields: Value, include: bool| {
            let (job, params) = (sample::event("m", fields), json!({"url": "https://example.com", "include_picture": include}));
            let message = sample::message(&job);
            match Channel::step(&Webhook, &cx, &message, &sample::params(&SPEC, params), &[]) {
                Step::Call(Outgoing { body: Body::Json(text), .. }) => {
                    serde_json::from_str::<Value>(&text).unwrap()["image_url"].take()
                }
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(image_url(json!({}), true), "https://e.com/own.png");
        assert_eq!(image_url(json!({}), false), Value::Null);
        assert_eq!(image_url(json!({"image_url": "https://e.com/p.png"}), true), "https://e.com/p.png");
    }

    #[test]
    fn bettergi_gets_the_body_that_it_documents() {
        let expected = json!({
            "event": "domain.end", "result": "Fail", "timestamp": "2025-02-01 12:34:56", "screenshot": "iVBORw==",
            "message": "# T\n\n自动秘境结束", "data": {"n": 1}, "send_to": "alice",
        });
        assert_eq!(body(&full(), Some(&picture()), json!({"format": "bettergi"})), expected);
    }

    #[test]
    fn bettergi_gets_null_for_what_is_not_there_and_a_token_in_the_body() {
        let expected = json!({
            "event": "QD/Example/main", "result": null, "timestamp": "2024-05-01 16:00:00", "screenshot": null, "message": "m",
            "data": null, "send_to": null, "token": "t0k",
        });
        let job = sample::event("m", json!({"send_to": "hook".split(',').collect::<Vec<_>>()}));
        assert_eq!(body(&job, None, json!({"format": "bettergi", "token": "t0k"})), expected);
    }

    #[test]
    fn the_registrations_own_receiver_wins() {
        let params = json!({"format": "bettergi", "send_to": "10001"});
        assert_eq!(body(&full(), None, params)["send_to"], "10001");
        assert_eq!(body(&full(), None, json!({"send_to": "10001"}))["send_to"], json!(["10001"]));
    }

    #[test]
    fn a_template_that_is_not_json_is_plain_text() {
        assert_eq!(body(&full(), None, json!({"template": "$title: $content \"$url\""})), "T: 自动秘境结束 \"https://e.com\"");
    }

    #[test]
    fn a_raw_body_is_sent_unchanged() {
        assert_eq!(body(&full(), None, json!({"raw_body": "$title\n", "template": "{}"})), "$title\n");
    }
}
