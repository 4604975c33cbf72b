//! The shape of a channel: what it declares about itself and the one pure function by which it speaks.
//!
//! A channel does no I/O and knows no clock. [`Channel::step`] is asked what to do next, is given every answer so far, and
//! says: call this, get me a token, done, or failed. `core` carries the call out ([`crate::deliver`]), `dry-run` prints it.

mod params;

use std::{fmt, time::Duration};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    mail::{Mail, Mailed, Receipt},
    model::{
        Account, Address, AddressKind, ChannelId, ConnectionId, Disabled, Event, Format, Job, Language, Picture, Registration,
    },
    pace::SendRate,
    ses::SesMail,
    short::Short,
    socket::Frame,
    token::{Credential, Secret, Token},
    vapid,
};

pub use params::{Kind, Param, Params};

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

    /// How fast a registration with these parameters may be sent to, if the provider says so.
    fn rate(&self, _params: &Params) -> Option<SendRate> {
        self.spec().limits.rate
    }

    /// How many parts of a message these answers say have arrived, where it is shown part by part: a later attempt begins
    /// after them ([`Context::done`]).
    fn arrived(&self, _so_far: &[Reply]) -> usize {
        0
    }

    /// How soon a registration with these parameters is tried again in the first minute, if not by the core's schedule.
    fn soon(&self, _params: &Params, _account: &Account) -> Option<Duration> {
        None
    }

    /// Whether a client that keeps a connection can be told without one, too.
    fn reaches_absent(&self, _params: &Params) -> bool {
        false
    }

    /// What to do next, after these answers.
    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step;

    /// What fetches a token for the credential of a [`Step::Token`]. Asked for only where none is kept.
    fn fetch(&self, _cx: &Context, _params: &Params) -> Result<Outgoing, SendError> {
        Err(SendError::new(Reason::Bug, Retry::Never, "this channel needs no token"))
    }

    /// The token in the answer to that.
    fn token(&self, _cx: &Context, _reply: &Reply) -> Result<Token, SendError> {
        Err(SendError::new(Reason::Bug, Retry::Never, "this channel needs no token"))
    }

    /// What becomes of a [`Step::Mail`] to which the server said this.
    fn mailed(&self, _message: &Message, _answer: &Mailed) -> Result<Receipt, SendError> {
        Err(SendError::new(Reason::Bug, Retry::Never, "this channel sends no mail"))
    }

    /// What becomes of a [`Step::Socket`] whose frame was written, where the server then closed with this code.
    fn closed(&self, _code: Option<u16>) -> Result<Receipt, SendError> {
        Err(SendError::new(Reason::Bug, Retry::Never, "this channel opens no WebSocket"))
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
    /// The formats of texts that it shows, the one that reads best first; any other becomes the nearest one before it is said.
    pub shows: &'static [Format],
    /// Whether those behind it are Mpush clients, who know messages by their [`crate::model::Mid`] and confirm them; and, if so,
    /// whether a registration with these parameters stands for one that keeps a connection to us.
    #[serde(skip)]
    pub client: Option<fn(&Params) -> bool>,
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

impl Spec {
    /// Whether a registration with these parameters stands for a client that keeps a connection to us.
    pub fn is_live(&self, params: &Params) -> bool {
        self.client.is_some_and(|is_live| is_live(params))
    }

    /// Whether something may be sent to it: also to a client that keeps a connection where only its push service has given it
    /// up.
    pub fn is_open(&self, registration: &Registration) -> bool {
        let is_given_up = |disabled: &Disabled| disabled.reason == Reason::Gone && self.is_live(&registration.params);
        registration.enabled && registration.disabled.as_ref().is_none_or(is_given_up)
    }
}

impl Text {
    /// The one for readers of that language, e.g. `zh-CN`; whoever reads neither gets English.
    pub fn in_language(self, locale: &str) -> &'static str {
        self.read_by(Language::of(locale))
    }

    /// The one for these readers.
    pub fn read_by(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

/// What fits into one message.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// Of the title; `None` = no limit of its own.
    pub title: Option<Limit>,
    /// Of the body.
    pub body: Option<Limit>,
    /// Of what arrives whole in one message, beside its title and with what JSON and escapes add to a text as people write
    /// it: what can be split, a digest, is split to that. Measured in the first format that the channel shows.
    #[serde(skip)]
    pub part: Option<Limit>,
    /// How fast one registration may be sent to; `None` = the provider names no limit.
    pub rate: Option<SendRate>,
}

/// A length in the provider's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Limit {
    /// How many.
    pub max: usize,
    /// Of what.
    pub unit: Unit,
}

/// What a provider counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
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
    /// How many parts of the message have [arrived](Channel::arrived) in earlier attempts.
    pub done: usize,
    /// The account's picture for messages that have none.
    pub default_image_url: Option<String>,
    /// Nonces by name, where somebody wants to see the same bytes again; nothing but for dry runs.
    pub fixed: Vec<(String, String)>,
    /// What [`Step::Token`] asked for, once it is there.
    pub token: Option<Secret>,
    /// The connection of the client that is to get it, where it [keeps one](Spec::client).
    pub connection: Option<ConnectionId>,
    /// What [`Step::Vapid`] asked for, likewise.
    pub vapid: Option<vapid::Sender>,
}

impl Context {
    /// What a dry run wants to see in the place of that name.
    pub fn fixed(&self, name: &str) -> Option<&str> {
        self.fixed.iter().find(|(known, _)| known == name).map(|(_, fixed)| fixed.as_str())
    }

    /// Fresh letters and digits, others for each name.
    pub fn nonce(&self, name: &str, length: usize) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        if let Some(fixed) = self.fixed(name) {
            return fixed.to_owned();
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
    /// Through which registration.
    pub registration: &'a str,
    /// What it tells.
    pub event: &'a Event,
}

/// What a channel wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A token for this credential is needed first; the next step has it in its [`Context`].
    Token(Credential),
    /// The deployment's key of Web Push is needed first; the next step has it in its [`Context`].
    Vapid,
    /// The token was refused, and with it the last request: another one is needed, once. Where that is refused as well, this
    /// is the failure.
    Renew(SendError),
    /// This is to be asked, or handed over, before the message can go; the answer is handed to the next step. Where there is
    /// none, nothing was sent.
    Ask(Outgoing),
    /// This request is to be made, and sends the message or a part of it; its answer is handed to the next step.
    Call(Outgoing),
    /// This mail is to be sent; [`Channel::mailed`] judges what is said to it.
    Mail(Box<Mail>),
    /// This frame is to be sent; [`Channel::closed`] judges how the server takes its leave, and the next step an answer that
    /// opens no WebSocket.
    Socket(Box<Frame>),
    /// This mail is to be sent through SES; the answer is handed to the next step.
    Ses(Box<SesMail>),
    /// This text is to be pushed to a client over its connection; the client's acknowledgement ends the delivery.
    Push(ConnectionId, String),
    /// The provider has it.
    Done,
    /// The provider has it, and whoever looks at the attempt should know this: for whom not, say, and why, without an address.
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
            done: 0,
            fixed,
            token: None,
            connection: None,
            vapid: None,
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
