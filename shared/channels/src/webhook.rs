//! The generic webhook: the event as JSON to any URL, signed if there is a secret.
//!
//! What is sent is, in this order: `raw_body` as it is; the `template` with `$title`, `$content` and `$url` filled in; the
//! body of `format` ([`body`] documents both). A GET has no body. Every request says which delivery it is (`webhook-id`), so
//! that a receiver can tell a repetition from a second event.
//!
//! Left to others: what the statuses mean ([`crate::verdict`]), how signatures are made ([`crate::sign`]).

pub(crate) mod body;
mod spec;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    channel::{Body, Channel, Context, Message, Method, Outgoing, Params, Reply, Spec, Step},
};

use crate::{
    address,
    header::{self, Headers},
    param::{PROXY, with_default_picture},
    sign::{self, NotASecret, StandardKeys},
    template::Texts,
    verdict,
};
pub(crate) use spec::SPEC;
#[cfg(test)]
pub(crate) use spec::URL;
use spec::{HEADERS, SECRET};

/// What a template and a URL may hold.
const MARKS: [&str; 3] = ["$title", "$content", "$url"];

/// The channel `webhook`.
pub(crate) struct Webhook;

impl Channel for Webhook {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match so_far.last() {
            Some(reply) => verdict::by_status(reply, cx.now),
            None => request(cx, &with_default_picture(cx, message, params), params).map_or_else(Step::Fail, Step::Call),
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &spec::URL, MARKS)?;
    header::check(params, &HEADERS)?;
    address::check_proxy(params, &PROXY)?;
    let signing = Signing::of(params);
    signing
        .map(drop)
        .map_err(|NotASecret| Problem::field(Code::InvalidParams, format!("params.{}", SECRET.name), NotASecret::DETAIL))
}

/// How a receiver knows that it was us.
enum Signing<'a> {
    None,
    Standard(StandardKeys),
    GitHub(&'a str),
}

impl<'a> Signing<'a> {
    fn of(params: &'a Params) -> Result<Self, NotASecret> {
        match (params.text("secret"), params.text("scheme")) {
            (None, _) => Ok(Self::None),
            (Some(secret), Some("github")) => Ok(Self::GitHub(secret)),
            (Some(secret), _) => StandardKeys::parse(secret).map(Self::Standard),
        }
    }
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let unusable = |detail: &str| SendError::new(Reason::InvalidParams, Retry::Never, detail);
    let texts = Texts([
        ("$title", message.title.as_str()),
        ("$content", message.body.as_str()),
        ("$url", message.url.unwrap_or_default()),
    ]);
    let url = params.text("url").ok_or_else(|| unusable("the registration has no `url`"))?;
    let mut headers = Headers::default();
    let (method, body) = if params.text("method") == Some("GET") {
        (Method::Get, Body::Empty)
    } else {
        let (content_type, body) = body::write(cx, message, params, &texts);
        headers.set("content-type", content_type);
        (Method::Post, body)
    };
    let token = params.text("token").filter(|_| !body::holds_token(params));
    if let Some(token) = token {
        headers.set("authorization", &format!("Bearer {token}"));
    }
    for (name, value) in params.headers("headers") {
        headers.set(name, &texts.plain(value));
    }
    if let Some(id) = &message.id {
        headers.set("webhook-id", id);
    }
    match Signing::of(params).map_err(|NotASecret| unusable("the `secret` of the registration is not usable"))? {
        Signing::None => {}
        Signing::Standard(keys) => {
            let id = message.id.clone().unwrap_or_else(|| message.event.id.to_string());
            headers.set("webhook-id", &id);
            headers.set("webhook-timestamp", &cx.now.as_second().to_string());
            headers.set("webhook-signature", &keys.sign(&id, cx.now, bytes(&body)));
        }
        Signing::GitHub(secret) => headers.set("x-hub-signature-256", &sign::github(secret, bytes(&body))),
    }
    let proxy = params.text("proxy").map(str::to_owned);
    Ok(Outgoing { method, url: texts.url(url.trim()), headers: headers.into_vec(), body, proxy })
}

/// What is signed: the bytes that leave. This channel sends no forms.
fn bytes(body: &Body) -> &[u8] {
    match body {
        Body::Empty | Body::Form(_) => &[],
        Body::Json(text) => text.as_bytes(),
        Body::Raw(bytes) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sample;

    fn refusal(more: &Value) -> Problem {
        let mut params = json!({"url": "https://example.com/hook"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check(&sample::params(&SPEC, params)).unwrap_err()
    }

    fn request(params: Value) -> Outgoing {
        let job = sample::event("line 1\nline 2", json!({"title": "a&b", "url": "https://e.com/?x=1"}));
        sample::request(&Webhook, &sample::message(&job), &sample::params(&SPEC, params))
    }

    fn header<'a>(outgoing: &'a Outgoing, name: &str) -> Option<&'a str> {
        outgoing.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_registration_that_could_not_be_sent_with_is_refused_with_its_field() {
        for (params, field) in [
            (json!({"secret": "plain text"}), "params.secret"),
            (json!({"url": "https://$title/"}), "params.url"),
            (json!({"headers": {"Content-Length": "1"}}), "params.headers"),
            (json!({"proxy": "ftp://127.0.0.1"}), "params.proxy"),
        ] {
            assert_eq!(refusal(&params).field.as_deref(), Some(field), "{params}");
        }
    }

    #[test]
    fn any_text_is_a_secret_in_githubs_scheme() {
        let params = json!({"url": "https://example.com", "secret": "plain text", "scheme": "github"});
        assert_eq!(check(&sample::params(&SPEC, params)), Ok(()));
    }

    #[test]
    fn a_get_has_no_body_and_is_signed_all_the_same() {
        let outgoing = request(json!({"url": "https://example.com/?t=$title&u=$url", "method": "GET", "template": "{}",
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}));
        assert!(outgoing.body == Body::Empty);
        assert_eq!(outgoing.url, "https://example.com/?t=a%26b&u=https%3A%2F%2Fe.com%2F%3Fx%3D1");
        assert_eq!(header(&outgoing, "content-type"), None);
        assert!(header(&outgoing, "webhook-signature").is_some_and(|value| value.starts_with("v1,")));
    }

    #[test]
    fn a_delivery_is_named_even_without_a_secret() {
        let outgoing = request(json!({"url": "https://example.com"}));
        assert!(header(&outgoing, "webhook-id").is_some_and(|id| id.starts_with("dlv_")));
        assert_eq!(header(&outgoing, "webhook-signature"), None);
    }

    #[test]
    fn own_headers_are_filled_in_and_win_over_ours() {
        let outgoing = request(json!({"url": "https://example.com", "token": "t0k", "headers": {
            "Content-Type": "application/vnd.x+json", "Authorization": "Basic x", "x-text": "<$content>", "x-blank": " ",
        }}));
        assert_eq!(header(&outgoing, "content-type"), Some("application/vnd.x+json"));
        assert_eq!(header(&outgoing, "authorization"), Some("Basic x"));
        assert_eq!(header(&outgoing, "x-text"), Some("<line 1 line 2>"));
        assert_eq!(header(&outgoing, "x-blank"), None);
    }

    #[test]
    fn a_token_is_a_bearer_token() {
        assert_eq!(header(&request(json!({"url": "https://x", "token": "t0k"})), "authorization"), Some("Bearer t0k"));
    }

    #[test]
    fn the_proxy_goes_with_the_request() {
        let outgoing = request(json!({"url": "https://x", "proxy": "socks5://127.0.0.1:1080"}));
        assert_eq!(outgoing.proxy.as_deref(), Some("socks5://127.0.0.1:1080"));
    }
}
