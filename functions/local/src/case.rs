//! How the cases of channels are written: requests, answers, verdicts, times, and texts too long to write out. Reading and
//! writing only; what is done with them is [`crate::dry_run`]'s and [`crate::verdict`]'s business.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bellhop_core::{
    Code, Problem, Reason, Retry, Timestamp,
    channel::{Body, Outgoing, Reply},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::Url;

/// The reason where there was no answer: nobody knows whether the request arrived.
pub(crate) const UNANSWERED: Reason = Reason::OutcomeUnknown;

/// The cases' word for what the sender does next.
pub(crate) fn word(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "permanent",
        Retry::Later => "retry",
        Retry::After(_) => "retry_after",
    }
}

/// A provider's answer, as the cases write it.
#[derive(Deserialize)]
pub(crate) struct Response {
    /// 0 = there was none.
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    /// A text, or JSON written out.
    body: Option<Value>,
    /// Bytes that are no text.
    body_b64url: Option<String>,
    /// The time of this answer, where it matters.
    pub(crate) now_unix: Option<f64>,
}

impl Response {
    /// The answer as a channel sees it; `None` if there was none.
    pub(crate) fn reply(&self) -> Option<Reply> {
        if self.status == 0 {
            return None;
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let headers = self.headers.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect();
        let bytes = self.body_b64url.as_ref().and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok());
        let body = bytes.unwrap_or_else(|| self.body.as_ref().map(text).unwrap_or_default().into_bytes());
        Some(Reply { status: self.status, headers, body })
    }
}

/// A request as the cases write it.
pub(crate) fn request(outgoing: &Outgoing) -> Value {
    let headers = outgoing.headers.iter().map(|(name, value)| (name.to_lowercase(), json!(value))).collect::<Map<_, _>>();
    let query: Vec<_> = Url::parse(&outgoing.url).iter().flat_map(Url::query_pairs).map(|(n, v)| (n.into(), v.into())).collect();
    let mut request = json!({
        "method": outgoing.method.as_str(), "url": outgoing.url, "headers": headers, "query": pairs(&query),
    });
    let (kind, name, body) = match &outgoing.body {
        Body::Empty => ("none", "body", Value::Null),
        Body::Json(text) => ("json", "body", serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())),
        Body::Form(fields) => ("form", "body", pairs(fields)),
        Body::Raw(bytes) => match str::from_utf8(bytes) {
            Ok(text) => ("raw", "body", text.into()),
            Err(_) => ("raw", "body_b64url", BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
        },
    };
    request["body_kind"] = kind.into();
    if !body.is_null() || kind == "json" {
        request[name] = body;
    }
    request
}

/// An object; a list of pairs where a name comes twice.
fn pairs(pairs: &[(String, String)]) -> Value {
    let object: Map<_, _> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if object.len() == pairs.len() { object.into() } else { json!(pairs) }
}

/// Reads JSON and writes out what is abbreviated in it.
pub(crate) fn read<T: DeserializeOwned>(input: &str) -> Result<T, Problem> {
    let value: Value = serde_json::from_str(input)
        .map_err(|error| Problem::new(Code::MalformedJson, format!("the input is not JSON: {error}")))?;
    serde_json::from_value(expand(value))
        .map_err(|error| Problem::new(Code::InvalidField, format!("the input is not a case: {error}")))
}

/// `{"$repeat":["测",700]}` and `{"$concat":[…]}` are texts too long to write out.
fn expand(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(expand).collect(),
        Value::Object(object) => match text(&object) {
            Some(text) => text.into(),
            None => Value::Object(object.into_iter().map(|(name, value)| (name, expand(value))).collect()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn text(object: &Map<String, Value>) -> Option<String> {
    let (name, Value::Array(items)) = object.iter().next()? else { return None };
    match (name.as_str(), items.as_slice()) {
        ("$repeat", [text, times]) => Some(text.as_str()?.repeat(usize::try_from(times.as_u64()?).ok()?)),
        ("$concat", parts) => parts.iter().map(|part| expand(part.clone()).as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A point in time in seconds since 1970, with fractions to the microsecond.
pub(crate) fn at(seconds: Option<f64>) -> Result<Option<Timestamp>, Problem> {
    let to_timestamp = |seconds| {
        let since = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?.round(jiff::Unit::Microsecond).ok()?;
        Timestamp::from_duration(since).ok()
    };
    let problem = || Problem::field(Code::InvalidField, "now_unix", "it takes seconds since 1970");
    seconds.map(|seconds| to_timestamp(seconds).ok_or_else(problem)).transpose()
}
