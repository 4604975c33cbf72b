//! A request's body and the header that makes it repeatable.
//!
//! Promises: no more than the limit is ever held in memory; the idempotency hash is that of the very bytes that came.

use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use bellhop_core::{Code, Problem, Timestamp, model::AccountId, ports::IdempotencyKey};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{json, key::sha256_hex};

/// The most that a body may have without a picture: 256 KiB.
pub const PLAIN: usize = 256 * 1024;

/// The most that a body may have with a picture in it: 5.5 MB, which is a picture of 4 MB in base64 and what belongs to it.
pub const WITH_PICTURE: usize = 5_632 * 1024;

/// How much of a body is read, so that a client that sends too much gets to hear it: one that cannot write on may never look
/// at the answer.
const HEARD_OUT: usize = 4 * WITH_PICTURE;

/// How long an idempotency key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// How large a body a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`PLAIN`], whatever is in it.
    Plain,
    /// [`WITH_PICTURE`] if the text in this field is what makes it large, else [`PLAIN`].
    Picture(&'static str),
}

impl Limit {
    /// The most that is read at all.
    fn most(self) -> usize {
        match self {
            Self::Plain => PLAIN,
            Self::Picture(_) => WITH_PICTURE,
        }
    }
}

/// A body as it came, not yet parsed. Prints its length only.
pub struct Payload {
    bytes: Vec<u8>,
    idempotency: Option<String>,
    limit: Limit,
}

impl Payload {
    /// Reads the body up to the limit. Refuses query parameters: a route with a body takes none.
    pub async fn read(request: Request, limit: Limit) -> Result<Self, Problem> {
        if let Some((name, _)) = request.uri().query().and_then(|query| url::form_urlencoded::parse(query.as_bytes()).next()) {
            return Err(Problem::field(Code::InvalidQuery, name, "this route takes no query parameters"));
        }
        check_content_type(request.headers())?;
        let idempotency = idempotency(request.headers())?;
        if content_length(request.headers()).is_some_and(|length| length > HEARD_OUT) {
            return Err(too_large());
        }
        Ok(Self { bytes: collect(request.into_body(), limit.most()).await?, idempotency, limit })
    }

    /// Reads what a system sends that knows nothing of this API: a body of any type, with any query.
    pub async fn foreign(request: Request, limit: Limit) -> Result<Self, Problem> {
        let idempotency = idempotency(request.headers())?;
        if content_length(request.headers()).is_some_and(|length| length > HEARD_OUT) {
            return Err(too_large());
        }
        Ok(Self { bytes: collect(request.into_body(), limit.most()).await?, idempotency, limit })
    }

    /// A body that is there already.
    pub fn of(bytes: Vec<u8>, limit: Limit) -> Self {
        Self { bytes, idempotency: None, limit }
    }

    /// Its bytes, to see what it is.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its text, which is no JSON and has no picture; what is no UTF-8 in it is replaced.
    pub fn text(&self) -> Result<String, Problem> {
        if self.bytes.len() > PLAIN { Err(too_large()) } else { Ok(String::from_utf8_lossy(&self.bytes).into_owned()) }
    }

    /// The JSON in it.
    pub fn value(&self) -> Result<Value, Problem> {
        let value = json::parse(&self.bytes)?;
        match self.limit {
            Limit::Picture(field) if self.bytes.len() > PLAIN && size_without(&value, field) > PLAIN => Err(too_large()),
            Limit::Picture(_) | Limit::Plain => Ok(value),
        }
    }

    /// The request in it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        json::read(self.value()?)
    }

    /// That there is nothing in it, or an empty object.
    pub fn nothing(&self) -> Result<(), Problem> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        if self.bytes.is_empty() { Ok(()) } else { self.parse::<Nothing>().map(|Nothing {}| ()) }
    }

    /// The caller's `Idempotency-Key`, if it gave one.
    pub fn idempotency_key(&self, account: &AccountId, route: &'static str, now: Timestamp) -> Option<IdempotencyKey> {
        let key = self.idempotency.clone()?;
        Some(remember(account, route, key, &self.bytes, now))
    }

    /// The key of a request that says itself which it is: the very same bytes on that route.
    pub fn own_key(&self, account: &AccountId, route: &'static str, now: Timestamp) -> IdempotencyKey {
        remember(account, route, sha256_hex(&self.bytes), &self.bytes, now)
    }

    /// The key of what is known by a name of its own where it comes from.
    pub fn named_key(&self, account: &AccountId, route: &'static str, name: String, now: Timestamp) -> IdempotencyKey {
        remember(account, route, name, &self.bytes, now)
    }

    /// The key of item `index` of a bulk: its own, so that each item is kept and repeated by itself.
    pub fn item_key(
        &self,
        account: &AccountId,
        route: &'static str,
        index: usize,
        item: &Value,
        now: Timestamp,
    ) -> Option<IdempotencyKey> {
        let key = self.idempotency.as_ref()?;
        Some(remember(account, route, format!("{key}/{index}"), item.to_string().as_bytes(), now))
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes)", self.bytes.len())
    }
}

fn remember(account: &AccountId, route: &'static str, key: String, body: &[u8], now: Timestamp) -> IdempotencyKey {
    IdempotencyKey { account: account.clone(), route, key, body_hash: sha256_hex(body), expires_at: now + REMEMBERED }
}

fn too_large() -> Problem {
    let detail = "a body has at most 256 KiB, with a `screenshot` in a single event or message 5.5 MB; send less";
    Problem::new(Code::BodyTooLarge, detail)
}

/// JSON, or nothing said, or what `curl -d` says when it is not told otherwise.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.split_once('/').map(|(_, subtype)| subtype);
    let is_json = subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"));
    if is_json || essence == "application/x-www-form-urlencoded" {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send JSON, with `content-type: application/json`"))
}

/// 1 to 255 visible ASCII characters, once.
/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>
fn idempotency(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let fits = (1..=255).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic) && values.next().is_none();
    let refused = || Problem::field(Code::InvalidIdempotencyKey, NAME, "expected one of 1 to 255 visible ASCII characters");
    let text = value.to_str().ok().filter(|_| fits).ok_or_else(refused)?;
    Ok(Some(text.to_owned()))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Up to `most` bytes; of what is more, nothing is kept.
async fn collect(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let (mut kept, mut size) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while size <= HEARD_OUT
        && let Some(chunk) = chunks.next().await
    {
        let broken = |_| Problem::new(Code::MalformedJson, "the connection broke before the body was whole; send it again");
        let chunk = chunk.map_err(broken)?;
        size += chunk.len();
        if size <= most {
            kept.extend_from_slice(&chunk);
        } else {
            kept = Vec::new();
        }
    }
    if size <= most { Ok(kept) } else { Err(too_large()) }
}

/// How much the JSON has beside the text in `field`, white space not counted.
fn size_without(value: &Value, field: &str) -> usize {
    let Some(object) = value.as_object() else { return usize::MAX };
    if !object.get(field).is_some_and(Value::is_string) {
        return usize::MAX;
    }
    let parts = object.iter().filter(|(name, _)| *name != field).map(|part| written(&part));
    parts.fold(0, usize::saturating_add)
}

/// How many bytes it has as JSON; nothing is kept of them.
fn written(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], body: impl Into<Body>) -> Request {
        let request = Request::builder().method("POST").uri("/v1/events");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body.into()).unwrap()
    }

    async fn read(headers: &[(&str, &str)], body: impl Into<Body>, limit: Limit) -> Result<Value, Problem> {
        Payload::read(request(headers, body), limit).await.and_then(|payload| payload.value())
    }

    async fn code(headers: &[(&str, &str)], body: impl Into<Body>, limit: Limit) -> Code {
        read(headers, body, limit).await.unwrap_err().code
    }

    /// A body without a declared length, as a client may send it.
    fn chunked(size: usize) -> Body {
        let chunks = futures_util::stream::iter((0..size / 1_000).map(|_| Ok::<_, io::Error>(vec![b' '; 1_000])));
        Body::from_stream(chunks)
    }

    fn json_of(size: usize, field: &str) -> String {
        format!("{{\"{field}\":\"{}\"}}", "x".repeat(size - field.len() - 7))
    }

    #[tokio::test]
    async fn json_is_read_under_any_json_type_and_under_none_and_from_bare_curl() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/cloudevents+json"] {
            assert!(read(&[("content-type", kind)], "{}", Limit::Plain).await.is_ok(), "{kind}");
        }
        assert!(read(&[], "{}", Limit::Plain).await.is_ok());
        assert!(read(&[("content-type", "application/x-www-form-urlencoded")], "{}", Limit::Plain).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_prints_its_length_alone() {
        let payload = Payload::read(request(&[], r#"{"key": "s3cret"}"#), Limit::Plain).await.unwrap();
        assert_eq!(format!("{payload:?}"), "Payload(17 bytes)");
    }

    #[tokio::test]
    async fn other_types_are_refused() {
        for kind in ["multipart/form-data; boundary=x", "text/plain", "application/xml", "json", ""] {
            assert_eq!(code(&[("content-type", kind)], "{}", Limit::Plain).await, Code::UnsupportedMediaType, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_plain_body_ends_at_256_kib() {
        assert!(read(&[], json_of(PLAIN, "data"), Limit::Plain).await.is_ok());
        assert_eq!(code(&[], json_of(PLAIN + 1, "data"), Limit::Plain).await, Code::BodyTooLarge);
        assert_eq!(code(&[], chunked(PLAIN + 2_000), Limit::Plain).await, Code::BodyTooLarge);
        assert_eq!(code(&[], chunked(2 * HEARD_OUT), Limit::Plain).await, Code::BodyTooLarge);
        assert_eq!(code(&[("content-length", "99000000")], "{}", Limit::Plain).await, Code::BodyTooLarge);
    }

    #[tokio::test]
    async fn only_a_picture_makes_room_for_more() {
        let limit = Limit::Picture("screenshot");
        assert!(read(&[], json_of(WITH_PICTURE, "screenshot"), limit).await.is_ok());
        assert_eq!(code(&[], json_of(WITH_PICTURE + 1, "screenshot"), limit).await, Code::BodyTooLarge);
        assert_eq!(code(&[], json_of(PLAIN + 1, "message"), limit).await, Code::BodyTooLarge);
        let both = format!("{{\"screenshot\":\"x\",\"message\":\"{}\"}}", "x".repeat(PLAIN));
        assert_eq!(code(&[], both, limit).await, Code::BodyTooLarge);
        assert_eq!(code(&[], chunked(WITH_PICTURE + 2_000), limit).await, Code::BodyTooLarge);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_not_a_body_that_is_too_large() {
        let broken = futures_util::stream::iter([Ok(vec![b'{']), Err(io::Error::other("gone"))]);
        assert_eq!(code(&[], Body::from_stream(broken), Limit::Plain).await, Code::MalformedJson);
    }

    #[tokio::test]
    async fn an_idempotency_key_is_visible_ascii_and_there_once() {
        let account = AccountId::parse("main").unwrap();
        let payload = Payload::read(request(&[("idempotency-key", "a-1")], "{}"), Limit::Plain).await.unwrap();
        let key = payload.idempotency_key(&account, "POST /x", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((key.key.as_str(), key.route), ("a-1", "POST /x"));
        assert_eq!(key.body_hash, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"); // printf {} | sha256sum
        assert_eq!(key.expires_at.as_second(), 86_400);

        let longest = "x".repeat(255);
        assert!(read(&[("idempotency-key", &longest)], "{}", Limit::Plain).await.is_ok());
        let too_long = "x".repeat(256);
        for bad in ["", "a b", "é", &too_long] {
            assert_eq!(code(&[("idempotency-key", bad)], "{}", Limit::Plain).await, Code::InvalidIdempotencyKey, "{bad}");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
        assert_eq!(code(&twice, "{}", Limit::Plain).await, Code::InvalidIdempotencyKey);
    }

    #[tokio::test]
    async fn a_query_is_refused_on_routes_that_take_none() {
        let request = Request::builder().uri("/v1/events?verify=true").body(Body::from("{}")).unwrap();
        let problem = Payload::read(request, Limit::Plain).await.unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidQuery, Some("verify")));
    }
}
