//! Bark, a push to iPhones: as JSON, in the older form of a path, or encrypted from end to end.
//!
//! The delivery's id goes along as Bark's `id`, so that a repetition replaces the first and nobody sees two. The text is cut
//! so that the push fits into Apple's 4096 bytes, counted as the server writes it.
//! <https://bark.day.app/#/tutorial>

mod encryption;
mod spec;

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Context, Message, Method, Outgoing, Params, Reply, Step},
    model::Format,
    short,
};
use encryption::Encryption;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
pub(crate) use spec::SPEC;
use url::Url;

use crate::{
    address,
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    join::Joined,
    request::{Once, post_json_as},
    template::percent_encoded,
};

/// What we put into a push; the rest of Apple's 4096 bytes is for what the server adds.
const MOST_BYTES: usize = 3500;

/// A server of its default settings reads 4096 bytes of request line and headers.
const MOST_URL_BYTES: usize = 2000;

/// The channel `bark`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request, judge };

fn check(params: &Params) -> Result<(), Problem> {
    let problem = |name: &str, detail: &str| Problem::field(Code::InvalidParams, format!("params.{name}"), detail);
    address::check_base(params, &spec::BASE_URL)?;
    if keys(params).is_empty() {
        return Err(problem(spec::DEVICE_KEY.name, "`bark` needs it, or `device_keys`"));
    }
    Encryption::of(params).map(drop).map_err(|detail| problem(spec::ENCRYPTION.name, detail))
}

/// The address that the app shows: the device's key is the last part of its path, and a user may stand before the host.
fn from_url(text: &str) -> Result<Map<String, Value>, &'static str> {
    let detail = "it takes the address that the app shows, such as `https://api.day.app/` and the key";
    let mut url = Url::parse(&short::with_scheme(text)).map_err(|_| detail)?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let key = url.path_segments().and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()).map(decoded));
    let mut params = Map::new();
    params.insert(spec::DEVICE_KEY.name.to_owned(), key.ok_or(detail)?.into());
    for (param, text) in [(&spec::USER, url.username()), (&spec::PASSWORD, url.password().unwrap_or_default())] {
        if !text.is_empty() {
            params.insert(param.name.to_owned(), decoded(text).into());
        }
    }
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| detail)?;
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().map_err(|()| detail)?.pop_if_empty().pop();
    params.insert(spec::BASE_URL.name.to_owned(), url.as_str().trim_end_matches('/').into());
    Ok(params)
}

/// Whom it is for.
fn keys(params: &Params) -> Vec<String> {
    let one = params.text(spec::DEVICE_KEY.name).map(|key| key.trim().to_owned());
    one.into_iter().chain(params.list(spec::DEVICE_KEYS.name)).collect()
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let unusable = |detail: &str| SendError::new(Reason::InvalidParams, Retry::Never, detail);
    let keys = keys(params);
    if keys.is_empty() {
        return Err(unusable("the registration has no `device_key`; set it"));
    }
    let encryption = Encryption::of(params).map_err(|detail| unusable(&format!("`encryption`: {detail}")))?;
    let base = params.text(spec::BASE_URL.name).unwrap_or("https://api.day.app").trim().trim_end_matches('/');
    let fields = fields(message, params, encryption.is_some());
    let identity = identity(message, params);
    let path = match (keys.as_slice(), &encryption) {
        ([key], None) if params.text(spec::FORM.name) == Some("path") => path(base, key, &fields, &identity),
        _ => None,
    };
    let mut outgoing = if let Some(url) = path {
        Outgoing { method: Method::Get, url, headers: Vec::new(), body: Body::Empty, proxy: None }
    } else {
        let body = body(cx, &keys, fields, identity, encryption.as_ref());
        post_json_as("application/json; charset=utf-8", format!("{base}/push"), &body)
    };
    if let Some(user) = params.text(spec::USER.name) {
        let password = params.text(spec::PASSWORD.name).unwrap_or_default();
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        outgoing.headers.push(("authorization".to_owned(), format!("Basic {basic}")));
    }
    Ok(outgoing)
}

/// What the phone is told. All values are texts: the server has no use for a number, and some versions fail on one.
fn fields(message: &Message, params: &Params, encrypted: bool) -> Map<String, Value> {
    let name = if message.format == Format::Markdown { "markdown" } else { "body" };
    let rest = spec::FIELDS.iter().filter_map(|(param, name)| Some((*name, spec::value(params, param)?)));
    let links = [("url", message.url), ("image", message.image_url)].into_iter();
    let links = links.filter_map(|(name, url)| Some((name, url?.to_owned())));
    let rest: Vec<_> = rest.chain(links).collect();
    let write = |text: &str| {
        let mut fields = Map::new();
        let mut set = |name: &str, value: &str| {
            if !value.is_empty() {
                fields.insert(name.to_owned(), value.into());
            }
        };
        set("title", &message.title);
        set("subtitle", params.text(spec::SUBTITLE.name).unwrap_or_default());
        set(name, text);
        for (name, value) in &rest {
            set(name, value);
        }
        fields
    };
    let size = |text: &str| {
        let json = Value::Object(write(text)).to_string();
        if encrypted { (json.len() + 32) * 4 / 3 } else { size_in_go(&json) }
    };
    write(&Joined::body(message).fit(MOST_BYTES, size))
}

/// How long JSON is as the server writes it: it escapes a few characters that need no escaping.
/// <https://pkg.go.dev/encoding/json#Marshal>
fn size_in_go(json: &str) -> usize {
    json.chars()
        .map(|character| match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            other => other.len_utf8(),
        })
        .sum()
}

/// The URL of the older form, if it can say all this: a path has no empty and no dotted segments, and no markdown.
fn path(base: &str, key: &str, fields: &Map<String, Value>, identity: &[(&str, String)]) -> Option<String> {
    let segment = |name: &str| {
        let text = fields.get(name)?.as_str()?;
        (!matches!(text, "." | "..")).then(|| percent_encoded(text))
    };
    let segments = [Some(percent_encoded(key)), segment("title"), segment("body")].into_iter().collect::<Option<Vec<_>>>()?;
    let others = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "title" | "body"));
    let others = others
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .chain(identity.iter().map(|(name, value)| (*name, &**value)));
    let query: Vec<_> = others.map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{base}/{}{mark}{}", segments.join("/"), query.join("&"));
    (url.len() <= MOST_URL_BYTES).then_some(url)
}

fn body(
    cx: &Context,
    keys: &[String],
    fields: Map<String, Value>,
    identity: Vec<(&str, String)>,
    encryption: Option<&Encryption>,
) -> Value {
    let mut body = match keys {
        [key] => json!({ "device_key": key }),
        keys => json!({ "device_keys": keys }),
    };
    match encryption {
        None => {
            for (name, value) in fields {
                body[name] = value;
            }
        }
        Some(encryption) => {
            let iv = cx.nonce("iv", encryption.iv_length());
            let ciphertext = encryption.encrypt(&iv, Value::Object(fields).to_string().as_bytes());
            body["ciphertext"] = BASE64_STANDARD.encode(ciphertext).into();
            if !iv.is_empty() {
                body["iv"] = iv.into();
            }
        }
    }
    for (name, value) in identity {
        body[name] = value.into();
    }
    body
}

/// Which push it is, and whether it is to vanish: the server wants to know even of those that it cannot read.
fn identity(message: &Message, params: &Params) -> Vec<(&'static str, String)> {
    let own = params.text(spec::ID.name).map(str::to_owned);
    let vanishes = own.is_some() && params.flag(spec::DELETE.name, false);
    let id = own.or_else(|| message.id.clone()).map(|id| ("id", id));
    id.into_iter().chain(vanishes.then(|| ("delete", "1".to_owned()))).collect()
}

/// Judges by `code` and, for Apple's refusals, by the text behind it; of a batch, by every device's.
/// <https://github.com/Finb/bark-server/blob/master/route_push.go>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    if reply.status == 418 {
        return refused(418, &Fault::Credentials, "the server wants other credentials: check `user` and `password`");
    }
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let Some(code) = answer.number("code") else { return undocumented(reply, now) };
    if code != 200 {
        return refusal(code, answer.text("message"), reply, now);
    }
    if !(200..300).contains(&reply.status) {
        return undocumented(reply, now);
    }
    let devices = answer.get("data").and_then(Value::as_array).into_iter().flatten();
    let code_of = |device: &Value| device.get("code").and_then(Value::as_i64).unwrap_or_default();
    let failed: Vec<_> = devices.filter(|device| code_of(device) != 200).collect();
    let steps = failed.iter().map(|device| {
        let message = device.get("message").and_then(Value::as_str).unwrap_or_default();
        refusal(code_of(device), message, reply, now)
    });
    let is_final = |step: &Step| matches!(step, Step::Fail(error) if error.retry == Retry::Never);
    // one that may yet arrive is worth another request: its `id` keeps the others from seeing two
    let worst = steps.reduce(|worst, step| if is_final(&worst) { step } else { worst });
    match worst {
        None => Step::Done,
        Some(Step::Fail(error)) => Step::Fail(SendError { dead_address: false, ..error }),
        Some(step) => step,
    }
}

fn refusal(code: i64, text: &str, reply: &Reply, now: Timestamp) -> Step {
    let says = |part: &str| text.contains(part);
    let (fault, advice) = match code {
        400 if says("device token") || says("device key") => (Fault::Dead, "the server knows no such device: check `device_key`"),
        400 => (Fault::Message, "Bark refuses the form of the message"),
        404 | 405 => (Fault::Message, "there is no Bark server there: check `base_url`"),
        500 if says("BadDeviceToken") || says("Unregistered") || says("DeviceTokenNotForTopic") => {
            (Fault::Dead, "Apple knows no such device: open the app, and set `device_key` to the key that it shows")
        }
        500 if says("PayloadTooLarge") => (Fault::Message, "the message is too long for Apple"),
        500 => (Fault::Theirs, "the server could not reach Apple"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests;
