//! What a registration holds for its channel: which parameters there are, and their checked values.
//!
//! Promises: what was parsed has known names and fitting types, and every required one; nothing of it is printed but names.
//! Left to others: whether the values make a request ([`super::Spec::check`]).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Spec, Text};
use crate::{Code, Problem};

/// One parameter of a registration.
#[derive(Debug, Serialize)]
pub struct Param {
    /// The word in the API.
    pub name: &'static str,
    /// Its name for people.
    pub label: Text,
    /// What it is and where it comes from.
    pub help: Text,
    /// What it may hold.
    #[serde(flatten)]
    pub kind: Kind,
    /// A registration without it is refused.
    pub required: bool,
    /// Never shown, never logged.
    pub secret: bool,
    /// What an absent one means.
    pub default: Option<&'static str>,
    /// A single message may set it in its `options`.
    pub per_message: bool,
}

/// What a parameter may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "choices")]
pub enum Kind {
    /// A line of text.
    Text,
    /// Text of several lines.
    LongText,
    /// An `http` or `https` URL.
    Url,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Bool,
    /// An object of texts: header names and values.
    Headers,
    /// A whole number; a text of digits is read as one.
    Number,
    /// Several lines of text or whole numbers; a text is read as a list of one.
    List,
    /// An object of lines of text and numbers.
    Object,
}

/// A registration's parameters, checked against the channel's [`Spec`]. Prints names only.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Map<String, Value>);

impl Params {
    /// Checks names, types and required ones. `null` counts as absent.
    pub fn parse(spec: &Spec, raw: Map<String, Value>) -> Result<Self, Problem> {
        let raw: Map<_, _> = raw.into_iter().filter(|(_, value)| !value.is_null()).collect();
        for (name, value) in &raw {
            let problem = |detail: String| Problem::field(Code::InvalidParams, format!("params.{name}"), detail);
            let Some(param) = spec.params.iter().find(|param| param.name == name) else {
                let known: Vec<_> = spec.params.iter().map(|param| param.name).collect();
                return Err(problem(format!("`{}` has no such parameter; it has {}", spec.id, known.join(", "))));
            };
            param.kind.check(value).map_err(problem)?;
        }
        let missing = spec.params.iter().find(|param| param.required && raw.get(param.name).is_none_or(is_blank));
        match missing {
            Some(param) => {
                let detail = format!("`{}` needs it", spec.id);
                Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail))
            }
            None => Ok(Self(raw)),
        }
    }

    /// Refuses options that a message may not set: unknown ones, and all that are not `per_message`.
    pub fn check_options(spec: &Spec, options: &Map<String, Value>) -> Result<(), Problem> {
        options.iter().try_for_each(|(name, value)| {
            let problem = |detail: String| Problem::field(Code::InvalidOption, format!("options.{}.{name}", spec.id), detail);
            let param = spec.params.iter().find(|param| param.name == name && param.per_message);
            let param = param.ok_or_else(|| problem("a message may not set this; the registration may".to_owned()))?;
            param.kind.check(value).map_err(problem)
        })
    }

    /// These parameters with one message's options laid over them.
    #[must_use]
    pub fn with_options(&self, options: Option<&Map<String, Value>>) -> Self {
        let mut merged = self.clone();
        merged.0.extend(options.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        merged
    }

    /// That one alone, if it is there.
    #[must_use]
    pub fn only(&self, name: &str) -> Self {
        Self(self.0.get(name).map(|value| (name.to_owned(), value.clone())).into_iter().collect())
    }

    /// A text, if it is there and not blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    /// Yes or no; `absent` if it is not there.
    pub fn flag(&self, name: &str, absent: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(absent)
    }

    /// An object of texts, in the order it was written; nothing if it is not there.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let object = self.0.get(name).and_then(Value::as_object);
        object.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// A whole number, if it is there.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(number)
    }

    /// The items of a list, blank ones left out.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(line).collect(),
            Some(one) => line(one).into_iter().collect(),
            None => Vec::new(),
        };
        items.into_iter().filter(|item: &String| !item.trim().is_empty()).collect()
    }

    /// An object, if it is there.
    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.get(name).and_then(Value::as_object)
    }

    /// The raw value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them, secrets in clear.
    pub fn expose(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(fields) => fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// One line of text; a whole number is read as one.
fn line(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.chars().any(char::is_control) => Some(text.clone()),
        Value::Number(number) if number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

impl Kind {
    fn check(self, value: &Value) -> Result<(), String> {
        let text = || value.as_str().ok_or_else(|| "it takes a text".to_owned());
        match self {
            Self::Text => {
                let one_line = !text()?.chars().any(char::is_control);
                one_line.then_some(()).ok_or_else(|| "it takes one line without control characters".to_owned())
            }
            Self::LongText => text().map(drop),
            Self::Url => {
                let scheme = text()?.trim_start().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
                let known = matches!(scheme.as_deref(), Some("http" | "https"));
                known.then_some(()).ok_or_else(|| "it takes a URL that begins with `http://` or `https://`".to_owned())
            }
            Self::Choice(words) => {
                let known = words.contains(&text()?);
                known.then_some(()).ok_or_else(|| format!("it takes one of {}", words.join(", ")))
            }
            Self::Number => number(value).map(drop).ok_or_else(|| "it takes a whole number".to_owned()),
            Self::List => {
                let one = std::slice::from_ref(value);
                let items = value.as_array().map_or(one, Vec::as_slice);
                let all = items.iter().all(|item| line(item).is_some());
                all.then_some(()).ok_or_else(|| "it takes a list of texts without line breaks".to_owned())
            }
            Self::Object => {
                let object = value.as_object().ok_or_else(|| "it takes an object".to_owned())?;
                let all = object.values().all(|item| line(item).is_some());
                all.then_some(()).ok_or_else(|| "it takes an object of texts without line breaks".to_owned())
            }
            Self::Bool => value.as_bool().map(drop).ok_or_else(|| "it takes `true` or `false`".to_owned()),
            Self::Headers => {
                let fits = |(name, value): (&String, &Value)| {
                    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
                    !name.is_empty() && name.bytes().all(token) && value.as_str().is_some_and(|v| !v.contains(['\r', '\n', '\0']))
                };
                let object = value.as_object().ok_or_else(|| "it takes an object of texts".to_owned())?;
                let all = object.iter().all(fits);
                all.then_some(()).ok_or_else(|| "it takes header names and texts without line breaks".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_are_read_as_people_write_them() {
        let value = serde_json::json!({"n": "42", "m": 7, "one": "a", "many": ["a", " ", 5]});
        let params = Params(value.as_object().unwrap().clone());
        assert_eq!((params.number("n"), params.number("m"), params.number("one")), (Some(42), Some(7), None));
        assert_eq!(
            (params.list("one"), params.list("many"), params.list("none").len()),
            (vec!["a".to_owned()], vec!["a".to_owned(), "5".to_owned()], 0)
        );
        for (kind, wrong) in [
            (Kind::Number, serde_json::json!(1.5)),
            (Kind::List, serde_json::json!(["a\n"])),
            (Kind::Object, serde_json::json!([])),
        ] {
            assert!(kind.check(&wrong).is_err(), "{wrong}");
        }
    }
}
