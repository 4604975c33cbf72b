//! A request as it came, before anybody knows what it says. Pure.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};
use bellhop_core::{Code, Problem};
use bellhop_http::body::Payload;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::said::Said;

/// A request to a hook.
pub(crate) struct Incoming {
    head: Head,
    pub(crate) payload: Payload,
}

/// What stands before the body.
pub(crate) struct Head {
    query: String,
    media: Media,
    bearer: Option<String>,
}

/// What the body is said to be. What is JSON is read as JSON whatever is said: senders often say something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    Form,
    Text,
    Nothing,
    Other,
}

/// What the body turns out to be.
pub(crate) enum Body {
    Fields(Said),
    Text(String),
}

/// Reads what stands before the body.
pub(crate) fn head(request: &Request) -> Head {
    let query = request.uri().query().unwrap_or_default().to_owned();
    Head { query, media: media(request.headers()), bearer: bearer(request.headers()) }
}

fn media(headers: &HeaderMap) -> Media {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Media::Nothing };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Media::Form,
        "text/plain" => Media::Text,
        "" => Media::Nothing,
        json if json.ends_with("/json") || json.ends_with("+json") => Media::Json,
        _ => Media::Other,
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl Incoming {
    pub(crate) fn new(head: Head, payload: Payload) -> Self {
        Self { head, payload }
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.head.bearer.as_deref()
    }

    /// Whether the body is said to be a text and nothing else.
    pub(crate) fn is_plain_text(&self) -> bool {
        self.head.media == Media::Text
    }

    /// What the body says, over what the query says.
    pub(crate) fn body(&self) -> Result<Body, Problem> {
        let start = self.payload.bytes().trim_ascii_start().first();
        let mut fields = pairs(self.head.query.as_bytes());
        match (start, self.head.media) {
            (None, _) => {}
            (Some(b'{'), _) | (Some(_), Media::Json) => match self.payload.value()? {
                Value::Object(object) => fields.extend(object),
                _ => return Err(Problem::new(Code::InvalidField, "expected a JSON object")),
            },
            (Some(_), Media::Form) if self.payload.bytes().contains(&b'=') => {
                fields.extend(pairs(self.payload.text()?.as_bytes()));
            }
            (Some(_), Media::Form | Media::Text | Media::Nothing) => return Ok(Body::Text(self.payload.text()?)),
            (Some(_), Media::Other) => {
                let detail = "a hook takes JSON, a form (`application/x-www-form-urlencoded`) or `text/plain`";
                return Err(Problem::new(Code::UnsupportedMediaType, detail));
            }
        }
        Ok(Body::Fields(Said::new(fields)))
    }

    /// What the body says, of a system that never sends a bare text.
    pub(crate) fn fields(&self) -> Result<Said, Problem> {
        match self.body()? {
            Body::Fields(said) => Ok(said),
            Body::Text(_) => Err(Problem::new(Code::MalformedJson, "the body is not JSON: expected an object")),
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn made_of(query: &str, media_type: Option<&str>, bytes: impl Into<Vec<u8>>) -> Self {
        let mut headers = HeaderMap::new();
        headers.extend(media_type.map(|text| (header::CONTENT_TYPE, text.parse().expect("a type"))));
        let head = Head { query: query.to_owned(), media: media(&headers), bearer: None };
        Self::new(head, Payload::of(bytes.into(), bellhop_http::body::Limit::Picture("screenshot")))
    }

    #[cfg(test)]
    pub(crate) fn json(value: &Value) -> Self {
        Self::made_of("", Some("application/json; charset=utf-8"), value.to_string())
    }

    #[cfg(test)]
    pub(crate) fn with_bearer(self, token: &str) -> Self {
        Self { head: Head { bearer: Some(token.to_owned()), ..self.head }, ..self }
    }
}

/// Of names that come twice, the last counts.
fn pairs(text: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(query: &str, media_type: Option<&str>, body: &str) -> Result<Value, Code> {
        match Incoming::made_of(query, media_type, body).body() {
            Ok(Body::Fields(said)) => Ok(Value::Object(said.rest())),
            Ok(Body::Text(text)) => Ok(Value::String(text)),
            Err(problem) => Err(problem.code),
        }
    }

    #[test]
    fn json_is_read_under_any_type_and_over_the_query() {
        for media in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/xml")] {
            assert_eq!(said("a=1&b=2", media, " {\"b\":3}"), Ok(serde_json::json!({"a": "1", "b": 3})), "{media:?}");
        }
        assert_eq!(said("", Some("application/json"), "[1]"), Err(Code::InvalidField));
        assert_eq!(said("", Some("application/json"), "hello"), Err(Code::MalformedJson));
        assert_eq!(said("", None, "{\"a\":"), Err(Code::MalformedJson));
    }

    #[test]
    fn a_form_and_a_text_are_told_apart() {
        let form = Some("application/x-www-form-urlencoded; charset=UTF-8");
        assert_eq!(said("", form, "t=a+b&log=%E7%AD%BE"), Ok(serde_json::json!({"t": "a b", "log": "签"})));
        assert_eq!(said("", form, "disk full"), Ok("disk full".into()), "what `curl -d` says by itself");
        assert_eq!(said("", None, "hello"), Ok("hello".into()));
        assert_eq!(said("", Some("multipart/form-data; boundary=x"), "--x"), Err(Code::UnsupportedMediaType));
        assert_eq!(said("t=a", None, ""), Ok(serde_json::json!({"t": "a"})));
    }
}
