//! A Discord webhook: one embed, and nobody is mentioned by it.
//!
//! `wait=true` makes Discord answer with the message that it made of it, instead of with nothing.
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>

use std::time::Duration;

use bellhop_core::{
    Problem, Reason, Retry, SendError, Timestamp,
    channel::{Context, Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render::shorten,
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    email::picture_type,
    multipart,
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

/// <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>
const TITLE: Limit = Limit { max: 256, unit: Unit::Utf16 };

const DESCRIPTION: Limit = Limit { max: 4096, unit: Unit::Utf16 };

pub(crate) static SPEC: Spec = Spec {
    id: "discord",
    label: text("Discord", "Discord"),
    help: text("Posts to a Discord channel by a webhook.", "通过 Webhook 发送到 Discord 频道。"),
    docs: "https://discord.com/developers/docs/resources/webhook#execute-webhook",
    limits: Limits { title: Some(TITLE), body: Some(DESCRIPTION), part: Some(DESCRIPTION), rate: None },
    shows: &[Format::Markdown],
    client: None,
    address: None,
    params: &[WEBHOOK, USERNAME, AVATAR_URL, INCLUDE_PICTURE],
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
            "The URL of the webhook, with `?thread_id=…` if it is to post to a thread.",
            "Webhook 地址；如需发送到子区，可加上 `?thread_id=…`。",
        ),
    )
};

const USERNAME: Param = param(
    "username",
    Kind::Text,
    text("User name", "用户名"),
    text("Shown in place of the webhook's own name.", "替代 Webhook 自身的名称。"),
);

const AVATAR_URL: Param = param(
    "avatar_url",
    Kind::Url,
    text("Avatar", "头像"),
    text("A picture in place of the webhook's own.", "替代 Webhook 自身头像的图片地址。"),
);

/// The channel `discord`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request, judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &WEBHOOK, [])
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let not_a_url = |_| SendError::new(Reason::InvalidParams, Retry::Never, "`webhook` is not a URL; set it again");
    let mut url = Url::parse(required(params, WEBHOOK.name)?.trim()).map_err(not_a_url)?;
    url.query_pairs_mut().append_pair("wait", "true");
    let mut body = json!({ "embeds": [embed(message)], "allowed_mentions": { "parse": [] } });
    for param in [USERNAME, AVATAR_URL] {
        if let Some(value) = params.text(param.name) {
            body[param.name] = value.trim().into();
        }
    }
    match message.picture {
        Some(picture) => Ok(multipart::post(cx, url.into(), &[("payload_json", body.to_string())], "files[0]", picture)),
        None => Ok(post_json(url.into(), &body)),
    }
}

fn embed(message: &Message) -> Value {
    let mut embed = json!({});
    let url = message.url.unwrap_or_default();
    // a link shows by its title only
    let title = if message.title.is_empty() { shorten(url, TITLE) } else { message.title.clone() };
    for (name, text) in [("title", &*title), ("description", &message.body), ("url", url)] {
        if !text.is_empty() {
            embed[name] = text.into();
        }
    }
    // https://discord.com/developers/docs/reference#uploading-files
    let attached = message.picture.map(|picture| format!("attachment://{}", picture_type(&picture.0).1));
    if let Some(url) = attached.or_else(|| message.image_url.map(str::to_owned)) {
        embed["image"] = json!({ "url": url });
    }
    embed
}

/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    if reply.status == 204 {
        return Step::Done; // without `wait`
    }
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    if reply.status == 200 && !answer.text("id").is_empty() {
        return Step::Done;
    }
    if let (429, Some(wait)) = (reply.status, wait(&answer)) {
        return refused(429, &Fault::TooFast(wait), "the webhook is used too often");
    }
    match answer.number("code") {
        Some(code @ 10_015) => refused(code, &Fault::Dead, "the webhook was deleted in Discord"),
        Some(code @ 50_027) => refused(code, &Fault::Credentials, "Discord refuses the webhook's token: check `webhook`"),
        Some(code) if code != 0 && reply.status >= 400 => unknown_code(code, reply, now),
        Some(_) | None => undocumented(reply, now),
    }
}

/// In seconds with fractions. <https://discord.com/developers/docs/topics/rate-limits>
fn wait(answer: &Answer) -> Option<Duration> {
    const MOST: f64 = 3600.0;
    let seconds = answer.get("retry_after")?.as_f64()?.ceil().clamp(0.0, MOST);
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use bellhop_core::{channel::Body, model::Picture, render::length};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Value {
        let job = sample::event(text, fields);
        embed(&crate::format::message(&job, &SPEC, None))
    }

    fn judged(status: u16, body: &Value) -> Step {
        judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_link_without_a_title_is_its_own() {
        assert_eq!(sent("b", json!({})), json!({"description": "b"}));
        let url = "https://e.com/";
        assert_eq!(sent("b", json!({"url": url})), json!({"title": url, "description": "b", "url": url}));
    }

    #[test]
    fn a_threads_id_stays_in_the_url() {
        let params = sample::params(&SPEC, json!({"webhook": "https://discord.com/api/webhooks/1/x?thread_id=7"}));
        let job = sample::event("b", json!({}));
        let url = sample::request(&SPEAKER, &sample::message(&job), &params).url;
        assert_eq!(url, "https://discord.com/api/webhooks/1/x?thread_id=7&wait=true");
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_absurd() {
        for (seconds, wait) in [(json!(0.65), 1), (json!(2), 2), (json!(1e300), 3600), (json!(-1), 0)] {
            let Step::Fail(error) = judged(429, &json!({"retry_after": seconds})) else { panic!("{seconds}") };
            assert_eq!(error.retry, Retry::After(Duration::from_secs(wait)), "{seconds}");
        }
        let Step::Fail(error) = judged(429, &json!({"retry_after": "soon"})) else { panic!("no number") };
        assert_eq!(error.retry, Retry::Later);
    }

    #[test]
    fn only_a_message_with_an_id_is_success_and_a_deleted_webhook_is_dead() {
        assert_eq!(judged(200, &json!({"id": "1"})), Step::Done);
        for (status, body, reason, dead) in [
            (200, json!({}), Reason::UnexpectedAnswer, false),
            (200, json!("ok"), Reason::UnexpectedAnswer, false),
            (404, json!({"code": 10_015}), Reason::Gone, true),
            (401, json!({"code": 50_027}), Reason::Unauthorized, false),
            (400, json!({"code": 50_035}), Reason::Rejected, false),
            (500, json!({"code": 0}), Reason::ProviderError, false),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.dead_address), (reason, dead), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..300) {
            let text = text.repeat(times);
            let embed = sent(&text, json!({"title": text}));
            prop_assert!(length(embed["title"].as_str().unwrap_or_default(), Unit::Utf16) <= TITLE.max);
            prop_assert!(length(embed["description"].as_str().unwrap_or_default(), Unit::Utf16) <= DESCRIPTION.max);
        }
    }

    #[test]
    fn a_screenshot_goes_along_and_is_shown_in_the_embed() {
        let picture = Picture(b"\xff\xd8\xff\0".as_slice().into());
        let job = sample::event("b", json!({}));
        let message = Message { picture: Some(&picture), ..sample::message(&job) };
        let params = sample::params(&SPEC, json!({"webhook": "https://discord.com/api/webhooks/1/t0k"}));
        let outgoing = sample::request(&SPEAKER, &message, &params);
        let Body::Raw(form) = &outgoing.body else { panic!("no form") };
        let shown = String::from_utf8_lossy(form);
        assert!(shown.contains("name=\"payload_json\"\r\n\r\n{") && shown.contains("attachment://picture.jpg"), "{shown}");
        assert!(shown.contains("name=\"files[0]\"; filename=\"picture.jpg\"\r\nContent-Type: image/jpeg"), "{shown}");
        assert!(form.windows(picture.0.len()).any(|part| part == &*picture.0), "byte for byte");
    }
}
