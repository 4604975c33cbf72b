//! A subscription that a browser has made: the message goes encrypted to the browser's push service, which hands it on.
//!
//! What the browser gets is the packet that Mpush's clients know, cut to what push services take; it names the delivery, and
//! the push service is told a topic made of it, so that a repetition takes the place of what has not been handed on. Left to
//! others: the deployment's key ([`bellhop_core::vapid`]), how it is shown ([`vapid`]), encryption ([`encryption`]).
//! <https://www.rfc-editor.org/rfc/rfc8030>

mod encryption;
mod spec;
mod vapid;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Channel, Context, Limit, Message, Method, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Event,
    render::shorten,
    vapid::Sender,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    address,
    answer::{Fault, refused, undocumented},
    join::Joined,
    packet::packet,
    param::{PROXY, required},
    verdict,
};
use encryption::{Ephemeral, Subscription};

pub(crate) use spec::{AUTH, ENDPOINT, P256DH, SPEC};

/// Of a title; no browser shows more, and the text needs the room.
const TITLE: Limit = Limit { max: 200, unit: Unit::Chars };

/// Four weeks: no push service keeps a message for longer.
const LONGEST: i64 = 2_419_200;

/// The longest topic. <https://www.rfc-editor.org/rfc/rfc8030#section-5.4>
const TOPIC: usize = 32;

/// The channel `web_push`.
pub(crate) struct WebPush;

impl Channel for WebPush {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match (so_far.last(), &cx.vapid) {
            (Some(reply), _) => judge(reply, cx.now),
            (None, None) => Step::Vapid,
            (None, Some(sender)) => request(cx, sender, message, params).map_or_else(Step::Fail, Step::Call),
        }
    }
}

pub(crate) fn check(params: &Params) -> Result<(), Problem> {
    let problem =
        |param: &Param, detail: &str| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    let endpoint = params.text(spec::ENDPOINT.name).unwrap_or_default().trim();
    if !endpoint.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return problem(&spec::ENDPOINT, "it takes the `endpoint` of a subscription, which begins with `https://`");
    }
    address::check_url(params, &spec::ENDPOINT, [])?;
    match subscription(params) {
        Ok(_) => address::check_proxy(params, &PROXY),
        Err((param, detail)) => problem(param, detail),
    }
}

/// The keys of the subscription, or what is wrong with which parameter.
fn subscription(params: &Params) -> Result<Subscription, (&'static Param, &'static str)> {
    let bytes = |param: &Param| params.text(param.name).and_then(decoded).unwrap_or_default();
    let public = Subscription::point(&bytes(&spec::P256DH));
    let public =
        public.ok_or((&spec::P256DH, "it takes `keys.p256dh` of a subscription: a point on the curve P-256, in base64url"))?;
    let auth = bytes(&spec::AUTH).try_into();
    let auth = auth.map_err(|_| (&spec::AUTH, "it takes `keys.auth` of a subscription: 16 bytes, in base64url"))?;
    Ok(Subscription { public, auth })
}

/// Base64 in either alphabet, with or without `=` at the end, as libraries write it.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// A whole subscription, as the browser writes it. <https://www.w3.org/TR/push-api/#dom-pushsubscription-tojson>
fn from_json(line: &str) -> Result<Map<String, Value>, &'static str> {
    let wrong = "it takes the JSON of a subscription, with `endpoint`, `keys.p256dh` and `keys.auth`";
    let whole: Value = serde_json::from_str(line).map_err(|_| wrong)?;
    let found = [("endpoint", "/endpoint"), ("p256dh", "/keys/p256dh"), ("auth", "/keys/auth")].map(|(name, place)| {
        let text = whole.pointer(place).and_then(Value::as_str).ok_or(wrong)?;
        Ok((name.to_owned(), text.into()))
    });
    found.into_iter().collect()
}

fn request(cx: &Context, sender: &Sender, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let endpoint = required(params, spec::ENDPOINT.name)?.trim();
    let unusable = |(param, detail): (&Param, &str)| {
        SendError::new(Reason::InvalidParams, Retry::Never, format!("`{}`: {detail}", param.name))
    };
    let subscription = subscription(params).map_err(unusable)?;
    let plain = match cx.fixed("plaintext") {
        Some(plain) => plain.to_owned(),
        None => fitting(message),
    };
    let body = encryption::encrypt(&subscription, &Ephemeral::of(cx)?, plain.as_bytes())?;
    let mut headers = vec![
        ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ("content-encoding".to_owned(), "aes128gcm".to_owned()),
        ("authorization".to_owned(), vapid::authorization(sender, endpoint, cx.now)?),
        ("ttl".to_owned(), ttl(cx, params).to_string()),
        ("urgency".to_owned(), params.text(spec::URGENCY.name).unwrap_or("high").to_owned()),
    ];
    let topic = params.text(spec::TOPIC.name).map(topic).or_else(|| message.id.as_deref().map(hashed));
    headers.extend(topic.map(|topic| ("topic".to_owned(), topic)));
    let proxy = params.text(PROXY.name).map(str::to_owned);
    Ok(Outgoing { method: Method::Post, url: endpoint.to_owned(), headers, body: Body::Raw(body), proxy })
}

fn ttl(cx: &Context, params: &Params) -> i64 {
    let fixed = cx.fixed("ttl").and_then(|seconds| seconds.parse().ok());
    fixed.or_else(|| params.number(spec::TTL.name)).unwrap_or(LONGEST).clamp(0, LONGEST)
}

/// The topic as it is given, or one made of it where it is none.
fn topic(given: &str) -> String {
    let is_topic = given.len() <= TOPIC && given.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_topic { given.to_owned() } else { hashed(given) }
}

/// 24 bytes of it, which make 32 characters.
fn hashed(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..TOPIC / 4 * 3])
}

/// What the browser is told, with as much of the text as a push service takes; JSON stays whole. What stands beside the text
/// goes where it leaves that no room: first the event's data, then the links.
fn fitting(message: &Message) -> String {
    let message = Message { title: shorten(&message.title, TITLE), ..message.clone() };
    if leaves_room(&message) {
        return cut(&message);
    }
    let event = Event { data: None, ..message.event.clone() };
    let without_data = Message { event: &event, ..message };
    if leaves_room(&without_data) {
        return cut(&without_data);
    }
    cut(&Message { url: None, image_url: None, ..without_data })
}

/// Half of all is for the text.
fn leaves_room(message: &Message) -> bool {
    said(message, "").len() <= encryption::MOST / 2
}

fn cut(message: &Message) -> String {
    said(message, &Joined::body(message).fit(encryption::MOST, |text| said(message, text).len()))
}

/// As Mpush's clients know it.
fn said(message: &Message, text: &str) -> String {
    packet(&Message { body: text.to_owned(), ..message.clone() }).to_string()
}

/// <https://www.rfc-editor.org/rfc/rfc8030#section-5>, <https://www.rfc-editor.org/rfc/rfc8292#section-4.2>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let status = i64::from(reply.status);
    match reply.status {
        200..=202 => Step::Done,
        203..=299 => undocumented(reply, now),
        404 | 410 => refused(status, &Fault::Dead, "the browser has given up the subscription; register its next one"),
        401 | 403 => {
            let advice = "the push service refuses this deployment: a subscription has to be made with the key that \
                          `GET /v1/web-push` tells, and Apple wants a contact (`BELLHOP_CONTACT`)";
            refused(status, &Fault::Credentials, advice)
        }
        _ => verdict::by_status(reply, now),
    }
}

#[cfg(test)]
mod tests;
