//! The part of a provider's answer that may be shown: short, on one line, and without anything private, since receivers
//! like to repeat what they were sent.

use bellhop_core::channel::{Message, Params, Spec};
use serde_json::Value;
use url::form_urlencoded;

use crate::template::{json_escaped, percent_encoded};

/// How much of an answer is shown.
const MOST_CHARS: usize = 200;

/// An answer longer than this is no error message, and is not searched for secrets either.
const MOST_BYTES: usize = 4 * 1024;

/// A part or a line shorter than this is too common to be masked.
const SHORTEST_PIECE: usize = 4;

const MASK: &str = "***";

/// Texts that must not be shown: longest first, so that no part of one is left over.
#[derive(Default)]
pub(crate) struct Private(Vec<String>);

impl Private {
    /// The registration's secrets, whole and in their parts (a token inside a URL, a word behind `Bearer`), and the lines
    /// of the message.
    pub(crate) fn new(spec: &Spec, params: &Params, message: &Message) -> Self {
        let secrets = spec.params.iter().filter(|param| param.secret).filter_map(|param| params.get(param.name));
        let secrets: Vec<_> = secrets.flat_map(strings).map(str::trim).filter(|secret| !secret.is_empty()).collect();
        let parts = secrets.iter().flat_map(|secret| secret.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_'));
        let lines = message.title.lines().chain(message.body.lines()).map(str::trim);
        let pieces = parts.chain(lines).filter(|piece| piece.len() >= SHORTEST_PIECE);
        let mut texts: Vec<_> = secrets.iter().copied().chain(pieces).flat_map(spellings).collect();
        texts.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Self(texts)
    }

    /// The beginning of an answer, if it is a text short enough to be searched.
    pub(crate) fn excerpt(&self, answer: &[u8]) -> Option<String> {
        if answer.len() > MOST_BYTES {
            return None;
        }
        let mut text = str::from_utf8(answer).ok()?.to_owned();
        for private in &self.0 {
            if text.contains(private) {
                text = text.replace(private, MASK);
            }
        }
        let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        let line: String = words.join(" ").chars().take(MOST_CHARS).collect();
        (!line.is_empty()).then_some(line)
    }
}

/// A text in every way in which a request may have spelt it.
fn spellings(text: &str) -> [String; 4] {
    let form = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    [text.to_owned(), json_escaped(text), percent_encoded(text), form]
}

/// Every text in a parameter: the value itself, or the values of an object.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Object(object) => object.values().flat_map(strings).collect(),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::channel::Channel;
    use serde_json::json;

    use super::*;
    use crate::{sample, webhook};

    fn excerpt(answer: &str) -> Option<String> {
        let params = sample::params(
            &webhook::Webhook,
            json!({
                "url": "https://hooks.example.com/in/tok-3n_X?key=a%2Fb9f2",
                "headers": {"x-auth": "Bearer hdr7abc.def", "x-pin": "p1"},
                "token": "a token, with spaces",
            }),
        );
        let event = sample::event("Dear diary\nline two", json!({"title": "My title"}));
        Private::new(webhook::Webhook.spec(), &params, &sample::message(&event)).excerpt(answer.as_bytes())
    }

    #[test]
    fn an_answer_is_shown_on_one_line() {
        assert_eq!(excerpt("no\r\n  such\tuser \u{7}").as_deref(), Some("no such user"));
        assert_eq!(excerpt(" \n"), None);
    }

    #[test]
    fn secrets_and_their_parts_are_masked() {
        for (answer, shown) in [
            ("unknown key tok-3n_X!", "unknown key ***!"),
            ("POST /in/tok-3n_X?key=a%2Fb9f2", "POST /in/***?key=a%***"),
            ("bad `hdr7abc.def`", "bad `***.def`"),
            ("a token, with spaces: wrong", "***: wrong"),
            ("pin p1", "pin ***"),
        ] {
            assert_eq!(excerpt(answer).as_deref(), Some(shown), "{answer}");
        }
    }

    #[test]
    fn the_message_is_masked_however_the_request_spelt_it() {
        assert_eq!(excerpt("Cannot GET /My%20title?b=Dear+diary").as_deref(), Some("Cannot GET /***?b=***"));
        assert_eq!(excerpt(r#"{"t":"My title","b":"Dear diary\nline two"}"#).as_deref(), Some(r#"{"t":"***","b":"***\n***"}"#));
    }

    #[test]
    fn what_is_long_or_no_text_is_not_shown() {
        assert_eq!(excerpt(&"é".repeat(300)).map(|shown| shown.chars().count()), Some(MOST_CHARS));
        assert_eq!(excerpt(&"x".repeat(MOST_BYTES + 1)), None);
        assert_eq!(Private::default().excerpt(&[0xff, 0xfe]), None);
    }
}
