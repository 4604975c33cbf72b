//! What must not be shown, and how it is hidden. Pure.
//!
//! Hidden are: every value of a secret parameter and every token, wherever and however encoded they stand; the path and query
//! of whatever goes where a secret URL leads; what stands under a name that sounds like a credential's, signatures and what
//! providers answer among it. Rather too much is hidden than too little.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::{
    channel::{Kind, Params, Spec},
    token::Secret,
};

/// What stands in the place of what is hidden.
const HIDDEN: &str = "***";

/// The fewest characters of a part of a secret that are hidden wherever they stand: shorter ones are a part of anything.
const FEWEST: usize = 4;

/// What the names of credentials end with, in lower case, with letters and digits alone.
const ENDS: [&str; 15] = [
    "token",
    "secret",
    "key",
    "keys",
    "password",
    "passwd",
    "pwd",
    "sign",
    "signature",
    "auth",
    "authorization",
    "assertion",
    "cookie",
    "ticket",
    "credential",
];

/// All but the unreserved characters. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Knows the secrets of one registration.
pub(super) struct Mask {
    /// In each way that they may be written, the longest first.
    texts: Vec<String>,
    /// In lower case: headers whose values are secret.
    headers: Vec<String>,
    /// Where secret URLs lead: scheme, host and port.
    origins: Vec<String>,
}

impl Mask {
    pub(super) fn of(spec: &Spec, params: &Params, tokens: &[Secret]) -> Self {
        let mut mask = Self { texts: Vec::new(), headers: Vec::new(), origins: Vec::new() };
        for param in spec.params.iter().filter(|param| param.secret) {
            if param.kind == Kind::Headers {
                mask.headers.extend(params.headers(param.name).map(|(name, _)| name.to_ascii_lowercase()));
            }
            if let Some(value) = params.get(param.name) {
                mask.learn(value);
            }
        }
        for token in tokens {
            mask.write(token.expose());
        }
        mask.texts.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        mask.texts.dedup();
        mask
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.write(&number.to_string()),
            Value::String(text) => self.whole(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => fields.values().for_each(|item| self.learn(item)),
        }
    }

    /// A secret, and what it is made of: of a URL its parts, of a template what stands between its marks.
    fn whole(&mut self, text: &str) {
        self.write(text.trim());
        if let Ok(url) = Url::parse(text.trim())
            && url.has_host()
        {
            self.origins.push(origin(&url));
            let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
            url.path_segments().into_iter().flatten().for_each(|part| self.pieces(&decoded(part)));
            url.query_pairs().for_each(|(_, value)| self.pieces(&value));
            self.pieces(&decoded(url.username()));
            self.pieces(&decoded(url.password().unwrap_or_default()));
        } else if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
            leaves(&json, &mut |leaf| self.pieces(leaf));
        } else {
            form_urlencoded::parse(text.as_bytes()).for_each(|(_, value)| self.pieces(&value));
        }
    }

    /// What stands between the marks of a template.
    fn pieces(&mut self, text: &str) {
        for piece in text.split(['{', '}']).map(str::trim).filter(|piece| piece.chars().count() >= FEWEST) {
            self.write(piece);
        }
    }

    /// In each way that it may be written.
    fn write(&mut self, text: &str) {
        if text.trim_matches('*').trim().is_empty() {
            return;
        }
        let quoted = Value::from(text).to_string();
        let escaped = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
        let forms = [
            text.to_owned(),
            utf8_percent_encode(text, RESERVED).to_string(),
            form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            escaped.to_owned(),
        ];
        self.texts.extend(forms.into_iter().filter(|form| !form.is_empty()));
    }

    /// A text without the secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let shown = |shown: String, secret: &String| {
            if shown.contains(secret.as_str()) { shown.replace(secret.as_str(), HIDDEN) } else { shown }
        };
        self.texts.iter().fold(text.to_owned(), shown)
    }

    /// A URL without the secrets.
    pub(super) fn url(&self, text: &str) -> String {
        let Ok(url) = Url::parse(text) else { return self.text(text) };
        let origin = origin(&url);
        if self.origins.contains(&origin) {
            return format!("{origin}/{HIDDEN}");
        }
        let segment = |part: &str| {
            let decoded = percent_decode_str(part).decode_utf8_lossy();
            let shown = self.text(&decoded);
            if shown == decoded { self.text(part) } else { shown }
        };
        let path: Vec<_> = url.path_segments().into_iter().flatten().map(segment).collect();
        let query: Vec<_> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = self.named(&name, &value);
                let value = if value == HIDDEN { Cow::from(HIDDEN) } else { utf8_percent_encode(&value, RESERVED).into() };
                format!("{}={value}", self.text(&name))
            })
            .collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{}/{}{query}", self.text(&origin), path.join("/"))
    }

    /// A header's value without the secrets; of a credential its scheme is shown.
    pub(super) fn header(&self, name: &str, value: &str) -> String {
        if self.headers.contains(&name.to_ascii_lowercase()) {
            return HIDDEN.to_owned();
        }
        match value.split_once(' ') {
            Some((scheme @ ("Bearer" | "Basic" | "GenieKey" | "Bot" | "ACS3-HMAC-SHA256" | "vapid"), _))
                if is_credential(name) =>
            {
                format!("{scheme} {HIDDEN}")
            }
            _ => self.named(name, value),
        }
    }

    /// A body without the secrets: JSON as such, anything else as text.
    pub(super) fn body(&self, text: &str) -> Value {
        match serde_json::from_str(text) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => self.json(&json),
            Ok(_) | Err(_) => Value::from(self.text(text)),
        }
    }

    /// A form as it is sent, without the secrets.
    pub(super) fn form(&self, text: &str) -> Value {
        let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
        self.pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// The pairs of a form without the secrets, as an object; of several values of a name, a list.
    pub(super) fn pairs<'p>(&self, pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Value {
        let mut shown = Map::new();
        for (name, value) in pairs {
            let value = Value::from(self.named(name, value));
            match shown.get_mut(name) {
                None => drop(shown.insert(name.to_owned(), value)),
                Some(Value::Array(values)) => values.push(value),
                Some(one) => *one = Value::Array(vec![one.take(), value]),
            }
        }
        Value::Object(shown.into_iter().map(|(name, value)| (self.text(&name), value)).collect())
    }

    /// JSON without the secrets, JSON in its texts included.
    pub(super) fn json(&self, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(number) => {
                let written = number.to_string();
                if self.texts.contains(&written) { HIDDEN.into() } else { value.clone() }
            }
            Value::String(text) => match serde_json::from_str(text) {
                Ok(json @ (Value::Object(_) | Value::Array(_))) => self.json(&json).to_string().into(),
                Ok(_) | Err(_) => self.text(text).into(),
            },
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => {
                let shown = |(name, value): (&String, &Value)| {
                    let shown = match value {
                        Value::String(_) | Value::Number(_) | Value::Array(_) if is_credential(name) => HIDDEN.into(),
                        other => self.json(other),
                    };
                    (self.text(name), shown)
                };
                Value::Object(fields.iter().map(shown).collect())
            }
        }
    }

    fn named(&self, name: &str, value: &str) -> String {
        if is_credential(name) && !value.is_empty() { HIDDEN.to_owned() } else { self.text(value) }
    }
}

fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn leaves(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, visit)),
        Value::Object(fields) => fields.values().for_each(|item| leaves(item, visit)),
    }
}

/// Whether a name sounds like that of a credential.
fn is_credential(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    // `x-hub-signature-256` is one, too
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::{Limits, Param, Text, unchecked};

    const NOTHING: Text = Text { en: "", zh: "" };

    const fn secret(name: &'static str, kind: Kind) -> Param {
        Param { name, label: NOTHING, help: NOTHING, kind, required: false, secret: true, default: None, per_message: false }
    }

    static SPEC: Spec = Spec {
        id: "safe",
        label: NOTHING,
        help: NOTHING,
        docs: "",
        limits: Limits { title: None, body: None, part: None, rate: None },
        shows: &[],
        client: None,
        address: None,
        params: &[
            secret("token", Kind::Text),
            secret("url", Kind::Url),
            secret("headers", Kind::Headers),
            secret("body", Kind::LongText),
        ],
        short: None,
        check: unchecked,
    };

    fn mask(params: &Value) -> Mask {
        let params = Params::parse(&SPEC, params.as_object().unwrap().clone()).unwrap();
        Mask::of(&SPEC, &params, &[Secret::new("t0k3n/+of=provider")])
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let mask = mask(&json!({"token": "a b/\"ü+é"}));
        for text in ["a b/\"ü+é", "a%20b%2F%22%C3%BC%2B%C3%A9", "a+b%2F%22%C3%BC%2B%C3%A9", "a b/\\\"ü+é"] {
            assert_eq!(mask.text(&format!("<{text}>")), "<***>", "{text}");
        }
        assert_eq!(mask.url("https://x.example/a%20b%2f%22%C3%BC+%c3%a9/send?q=1"), "https://x.example/***/send?q=1");
        assert_eq!(mask.url("https://x.example/?v=t0k3n%2F%2Bof%3Dprovider&chat=7"), "https://x.example/?v=***&chat=7");
        assert_eq!(mask.body(r#"{"a":["x t0k3n/+of=provider"]}"#), json!({"a": ["x ***"]}));
    }

    #[test]
    fn where_a_secret_url_leads_nothing_but_its_host_is_shown() {
        let mask = mask(&json!({"url": "https://hooks.example:8443/T0K3N/{title}?key=abc"}));
        assert_eq!(mask.url("https://hooks.example:8443/T0K3N/hello?key=abc"), "https://hooks.example:8443/***");
        assert_eq!(mask.url("https://other.example/T0K3N/hello"), "https://other.example/***/hello");
    }

    #[test]
    fn what_stands_in_a_secret_template_is_hidden_and_what_was_filled_in_is_shown() {
        let json = mask(&json!({"body": r#"{"room": "R00M-77 {t}", "text": "{log}"}"#}));
        assert_eq!(json.body(r#"{"room": "R00M-77 hi", "text": "log"}"#), json!({"room": "*** hi", "text": "log"}));
        let form = mask(&json!({"body": "room=R00M-77&text={log}"}));
        assert_eq!(form.form("room=R00M-77&text=log"), json!({"room": "***", "text": "log"}));
    }

    #[test]
    fn secret_headers_are_hidden_by_name_and_credentials_but_for_their_scheme() {
        let mask = mask(&json!({"headers": {"X-Room": "R00M {t}"}}));
        assert_eq!(mask.header("x-room", "R00M hi"), "***");
        assert_eq!(mask.header("authorization", "Bearer abc"), "Bearer ***");
        assert_eq!(mask.header("x-hub-signature-256", "sha256=abc"), "***");
        assert_eq!(mask.header("content-type", "application/json"), "application/json");
    }

    #[test]
    fn what_is_called_like_a_credential_is_hidden_whoever_says_it() {
        let mask = mask(&json!({}));
        let said = json!({"errcode": 0, "access_token": "x", "data": {"image_key": "y", "sign": 7, "at": ["z"]}});
        let shown = json!({"errcode": 0, "access_token": "***", "data": {"image_key": "***", "sign": "***", "at": ["z"]}});
        assert_eq!(mask.json(&said), shown);
        assert_eq!(mask.json(&json!({"content": "{\"ticket\":\"x\"}"})), json!({"content": "{\"ticket\":\"***\"}"}));
        assert_eq!(mask.url("https://x.example/send?timestamp=1&sign=abc"), "https://x.example/send?timestamp=1&sign=***");
    }
}
