//! An event: something that happened, as it was reported and when it was accepted.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::{AccountId, AttachmentId, ChannelId, EventId, Mid, Name, Origin, Recipient};
use crate::Timestamp;

/// An accepted event. Never changes after acceptance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Says when it was accepted, too.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it happened.
    pub source: Source,
    /// What kind of thing happened, e.g. `domain.end`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// Who set it off.
    #[serde(default)]
    pub trigger: Trigger,
    /// How it went; without it the event is not a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text itself.
    pub message: String,
    /// How the text is written.
    #[serde(default)]
    pub format: Format,
    /// Where a click leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A picture by reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// A picture that was sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<AttachmentId>,
    /// When it happened, by the reporter's word: shown, never used to place the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// When we took it; equals the time in the id.
    pub accepted_at: Timestamp,
    /// Whom the reporter named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub send_to: Vec<Recipient>,
    /// The source has given up.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// Whatever else was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Per-message parameters by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<ChannelId, Map<String, Value>>,
    /// How it was asked for, if by an Mpush call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The number under which Mpush clients know it, if it goes to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<Mid>,
    /// What rules say of it to some, in words of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wordings: Vec<Wording>,
}

/// What some recipients are told, instead of the event's title and message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wording {
    /// The rule whose words they are.
    pub rule: Name,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text.
    pub message: String,
    /// For which deliveries: [`super::DeliveryId::tail`].
    pub tails: Vec<u64>,
}

impl Event {
    /// The title and text of one of its deliveries.
    pub fn said_to(&self, delivery: super::DeliveryId) -> (Option<&str>, &str) {
        match self.wordings.iter().find(|wording| wording.tails.contains(&delivery.tail)) {
            Some(wording) => (wording.title.as_deref(), &wording.message),
            None => (self.title.as_deref(), &self.message),
        }
    }

    /// It only tries out the way to people.
    pub fn is_test(&self) -> bool {
        self.event_type.as_ref().is_some_and(|kind| kind.as_str().eq_ignore_ascii_case(EventType::TEST))
    }

    /// How the run went that it tells of; nothing if it is no run.
    pub fn run(&self) -> Option<RunResult> {
        self.result.filter(|_| !self.is_test())
    }

    /// The same event under the id that an earlier, unfinished try gave it. A picture keeps the id it was stored under.
    #[must_use]
    pub fn adopt(self, id: EventId) -> Self {
        Self { id, accepted_at: id.time(), ..self }
    }
}

/// What a caller reports; becomes an [`Event`] when it is accepted. Kept as it is by a task, but for a
/// picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// See [`Event::source`].
    pub source: Source,
    /// See [`Event::event_type`].
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// See [`Event::trigger`].
    #[serde(default)]
    pub trigger: Trigger,
    /// See [`Event::result`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// See [`Event::title`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// See [`Event::message`].
    pub message: String,
    /// See [`Event::format`].
    #[serde(default)]
    pub format: Format,
    /// See [`Event::url`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// See [`Event::image_url`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// The picture's bytes, already decoded.
    #[serde(skip)]
    pub screenshot: Option<Picture>,
    /// See [`Event::occurred_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// See [`Event::send_to`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub send_to: Vec<Recipient>,
    /// The registration that raw addresses go through, instead of the channel's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Name>,
    /// See [`Event::is_final`].
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// See [`Event::data`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// See [`Event::options`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<ChannelId, Map<String, Value>>,
    /// See [`Event::origin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Draft {
    /// The least that can be reported: a text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            source: Source::default(),
            event_type: None,
            trigger: Trigger::default(),
            result: None,
            title: None,
            message: message.into(),
            format: Format::default(),
            url: None,
            image_url: None,
            screenshot: None,
            occurred_at: None,
            send_to: Vec::new(),
            via: None,
            is_final: false,
            data: None,
            options: BTreeMap::new(),
            origin: None,
        }
    }

    /// The event that this draft becomes when it is accepted at `at` under `id`.
    pub fn into_event(self, id: EventId, account: AccountId, at: Timestamp) -> Event {
        Event {
            id,
            account,
            source: self.source,
            event_type: self.event_type,
            trigger: self.trigger,
            result: self.result,
            title: self.title,
            message: self.message,
            format: self.format,
            url: self.url,
            image_url: self.image_url,
            screenshot: self.screenshot.map(|_| AttachmentId(id)),
            occurred_at: self.occurred_at,
            accepted_at: at,
            send_to: self.send_to,
            is_final: self.is_final,
            data: self.data,
            options: self.options,
            origin: self.origin,
            mid: None,
            wordings: Vec::new(),
        }
    }
}

/// The bytes of a picture. Prints its length, never its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture(pub Arc<[u8]>);

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} bytes)", self.0.len())
    }
}

/// `site/task`, split at the last `/`: 1–256 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source(String);

impl Source {
    /// Parses; `None` if it is empty, too long or has control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `/`; nothing if there is none.
    pub fn site(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(site, _)| site)
    }

    /// What stands behind the last `/`.
    pub fn task(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, task)| task)
    }
}

impl Default for Source {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("a source has 1 to 256 characters without control characters"))
    }
}

/// A dotted word such as `domain.end`: 1–128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct EventType(String);

impl EventType {
    /// What systems call a test of the way to people: no run, and of interest to every rule of its source.
    pub const TEST: &'static str = "notify.test";

    /// Parses; `None` if it is empty, too long or has white space or control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        fits.then(|| Self(text.to_owned()))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("a type has 1 to 128 characters without white space"))
    }
}

/// Who set it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A schedule or another program.
    #[default]
    Auto,
    /// A person.
    Manual,
}

impl Trigger {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// Some of it did.
    Partial,
}

impl RunResult {
    /// The word in our own JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Partial => "partial",
        }
    }

    /// From any of the words that the systems we replace use.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "success" | "Success" | "0" => Some(Self::Success),
            "failure" | "Fail" | "1" => Some(Self::Failure),
            "partial" | "PartialSuccess" | "2" => Some(Self::Partial),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for RunResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        Self::parse(&text).ok_or_else(|| de::Error::custom("a result is `success`, `failure` or `partial` (or 0, 1, 2)"))
    }
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it stands.
    #[default]
    Text,
    /// `CommonMark`.
    Markdown,
    /// HTML.
    Html,
}
