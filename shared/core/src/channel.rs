//! The shape of a channel: what it declares about itself and the one pure function by which it speaks.
//!
//! A channel does no I/O and knows no clock. [`Channel::step`] is asked what to do next, is given every answer so far, and
//! says: call this, done, or failed. `core` carries the call out ([`crate::deliver`]), `dry-run` prints it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    mail::{Mail, Mailed, Receipt},
    model::{Address, AddressKind, ChannelId, Event, Format, Job, Picture},
    short::Short,
};

/// Every channel there is, and those that this program can speak: who only checks what is registered has no use for the rest,
/// and does not carry it along.
#[derive(Clone, Copy)]
pub struct Catalog {
    /// What the channels declare.
    pub specs: &'static [&'static Spec],
    /// How they are spoken; none where nothing is sent.
    pub speakers: &'static [&'static dyn Channel],
    /// What a channel is handed: the message in a format that it [shows](Spec::shows), within its limits.
    pub render: Render,
}

/// Makes a message of a job. [`crate::render::message`] does, for channels that show whatever is written.
pub type Render = for<'a> fn(&'a Job, &Spec, Option<&'a Picture>) -> Message<'a>;

impl Catalog {
    /// The channel of that id.
    pub fn get(self, id: &str) -> Option<&'static Spec> {
        self.specs.iter().copied().find(|spec| spec.id == id)
    }

    /// The channel of that id, or a problem that lists the known ones.
    pub fn require(self, id: &ChannelId) -> Result<&'static Spec, Problem> {
        self.get(id.as_str()).ok_or_else(|| {
            let known: Vec<_> = self.specs.iter().map(|spec| spec.id).collect();
            let detail = format!("`{id}` is not a channel here; known are {}", known.join(", "));
            Problem::field(Code::UnknownChannel, "channel", detail)
        })
    }

    /// Whoever speaks the channel of that id, or a problem that lists the known ones.
    pub fn speaker(self, id: &ChannelId) -> Result<&'static dyn Channel, Problem> {
        let spec = self.require(id)?;
        let mute = || Problem::field(Code::UnknownChannel, "channel", format!("`{id}` is not spoken by this program"));
        self.speakers.iter().copied().find(|channel| channel.spec().id == spec.id).ok_or_else(mute)
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.specs.iter().map(|spec| spec.id)).finish()
    }
}

/// How a provider wants it said. Implementations are pure.
pub trait Channel: Send + Sync {
    /// What it declares about itself.
    fn spec(&self) -> &'static Spec;

    /// What to do next, after these answers.
    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step;

    /// What becomes of a [`Step::Mail`] to which the server said this.
    fn mailed(&self, _message: &Message, _answer: &Mailed) -> Result<Receipt, SendError> {
        Err(SendError::new(Reason::Bug, Retry::Never, "this channel sends no mail"))
    }
}

/// What a channel declares: forms, schema, docs and metric labels come from here.
#[derive(Debug, Serialize)]
pub struct Spec {
    /// The word in the API.
    pub id: &'static str,
    /// Its name for people.
    pub label: Text,
    /// What it is for.
    pub help: Text,
    /// The provider's page.
    pub docs: &'static str,
    /// What fits.
    pub limits: Limits,
    /// The formats of texts that it shows; any other becomes the nearest one before it is said.
    pub shows: &'static [Format],
    /// The kind of address it takes, if it serves many people with one app.
    pub address: Option<AddressKind>,
    /// What a registration holds.
    pub params: &'static [Param],
    /// How a registration's parameters are written on one line.
    #[serde(skip)]
    pub short: Option<Short>,
    /// Refuses parameters that no message could be sent with (types and required ones are checked already). Names the
    /// parameter in the error.
    #[serde(skip)]
    pub check: fn(&Params) -> Result<(), Problem>,
}

/// The [`Spec::check`] of channels that take whatever has the right type.
pub fn unchecked(_params: &Params) -> Result<(), Problem> {
    Ok(())
}

/// One text in both languages.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

/// What fits into one message.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// Of the title; `None` = no limit of its own.
    pub title: Option<Limit>,
    /// Of the body.
    pub body: Option<Limit>,
}

/// A length in the provider's unit.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limit {
    /// How many.
    pub max: usize,
    /// Of what.
    pub unit: Unit,
}

/// What a provider counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
}

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

/// What a channel may know besides message and parameters: no clock, no chance of its own.
#[derive(Debug, Clone)]
pub struct Context {
    /// Now.
    pub now: Timestamp,
    /// 128 fresh random bits for nonces.
    pub chance: u128,
    /// The account's time zone, for providers that are told local time.
    pub time_zone: jiff::tz::TimeZone,
    /// The account's locale.
    pub locale: String,
    /// The account's picture for messages that have none.
    pub default_image_url: Option<String>,
    /// Nonces by name, where somebody wants to see the same bytes again; nothing but for dry runs.
    pub fixed: Vec<(String, String)>,
}

impl Context {
    /// Fresh letters and digits, others for each name.
    pub fn nonce(&self, name: &str, length: usize) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        if let Some((_, fixed)) = self.fixed.iter().find(|(known, _)| known == name) {
            return fixed.clone();
        }
        let mut hash = Sha256::new();
        hash.update(self.chance.to_be_bytes());
        hash.update(name);
        let mut pool: Vec<u8> = Vec::new();
        while pool.len() < length {
            // 248 = 4 × 62: no letter is likelier than another
            pool.extend(hash.clone().finalize().iter().filter(|byte| **byte < 248).map(|byte| LETTERS[usize::from(byte % 62)]));
            hash.update([0]);
        }
        pool.truncate(length);
        String::from_utf8(pool).unwrap_or_default()
    }
}

/// One notification as a channel sees it: rendered, and cut to the channel's limits where those are plain.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The delivery's id, to be passed on where the provider has a field for it.
    pub id: Option<String>,
    /// One line; may be empty.
    pub title: String,
    /// The text.
    pub body: String,
    /// How the text is written.
    pub format: Format,
    /// Where a click leads.
    pub url: Option<&'a str>,
    /// A picture by reference.
    pub image_url: Option<&'a str>,
    /// A picture's bytes.
    pub picture: Option<&'a Picture>,
    /// To whom, on channels that serve many.
    pub address: Option<&'a Address>,
    /// What it tells.
    pub event: &'a Event,
}

/// What a channel wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// This request is to be made; its answer is handed to the next step.
    Call(Outgoing),
    /// This mail is to be sent; [`Channel::mailed`] judges what is said to it.
    Mail(Box<Mail>),
    /// The provider has it.
    Done,
    /// The provider has it, and whoever looks at the attempt should know this.
    DoneBut(String),
    /// The provider refuses it.
    Fail(SendError),
}

/// A request that is to leave. Prints neither URL nor headers nor body: all three hold secrets.
#[derive(Clone, PartialEq)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The whole URL, already encoded.
    pub url: String,
    /// Headers, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The registration's proxy.
    pub proxy: Option<String>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({})", self.method.as_str())
    }
}

/// The methods that providers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Parameters in the URL.
    Get,
    /// Parameters in the body.
    Post,
    /// Idempotent creation.
    Put,
}

impl Method {
    /// As it is written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// The body of a request. The bytes are final: what is signed is what is sent.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// None at all.
    Empty,
    /// JSON text.
    Json(String),
    /// Pairs, to be sent form-encoded.
    Form(Vec<(String, String)>),
    /// Anything else.
    Raw(Vec<u8>),
}

/// A provider's answer. The body is cut at 256 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long the provider asks to wait: seconds (rounded up) or a date, at most an hour.
    /// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        const MOST: Duration = Duration::from_hours(1);
        let text = self.header("retry-after")?.trim();
        let seconds = match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(MOST),
            _ => {
                let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
                Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO)
            }
        };
        Some(seconds.min(MOST))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(chance: u128) -> Context {
        let fixed = vec![("iv".to_owned(), "1111".to_owned())];
        Context {
            now: Timestamp::UNIX_EPOCH,
            chance,
            time_zone: jiff::tz::TimeZone::UTC,
            locale: "en".to_owned(),
            default_image_url: None,
            fixed,
        }
    }

    #[test]
    fn a_nonce_is_another_one_for_each_name_and_each_chance_and_is_as_long_as_asked() {
        let nonce = context(7).nonce("salt", 100);
        assert!(nonce.len() == 100 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(nonce, context(7).nonce("salt", 100));
        assert_ne!(nonce, context(8).nonce("salt", 100));
        assert_ne!(nonce, context(7).nonce("other", 100));
        assert_eq!(context(7).nonce("iv", 16), "1111", "a dry run fixes it");
    }

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

    fn waits(header: &str, now: i64) -> Option<u64> {
        let reply = Reply { status: 503, headers: vec![("retry-after".into(), header.into())], body: Vec::new() };
        reply.retry_after(Timestamp::from_second(now).unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_absurd() {
        assert_eq!(waits("120", 0), Some(120));
        assert_eq!(waits("0.65", 0), Some(1));
        assert_eq!(waits("Wed, 01 May 2024 08:01:00 GMT", 1_714_550_400), Some(60));
        assert_eq!(waits("Wed, 01 May 2024 08:01:00 GMT", 1_814_550_400), Some(0), "a date in the past");
        assert_eq!(waits("999999", 0), Some(3600));
        assert_eq!(waits("1e300", 0), Some(3600));
        assert_eq!(waits("-5", 0), None);
        assert_eq!(waits("soon", 0), None);
    }
}
