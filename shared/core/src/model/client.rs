//! Mpush clients: registrations that are known by a name and acknowledge what they get, and how they see a message.
//! <https://github.com/kooritea/mpush>

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

/// The number under which clients know a message. It looks like milliseconds since 1970, since clients show it as a time, and
/// no two messages of an account have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mid(pub u64);

impl Mid {
    /// The first choice for a message of that time.
    pub fn at(time: Timestamp) -> Self {
        Self(u64::try_from(time.as_millisecond()).unwrap_or(0))
    }

    /// From digits, as clients send them back.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Mid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("a `mid` has digits only"))
    }
}

/// How a message was asked for by an Mpush call, for its packet to say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// To one name, or to all of a group.
    pub send_type: SendType,
    /// Which.
    pub target: String,
    /// By which way it came.
    pub method: Method,
    /// Who sent it, if that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// How many a target stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendType {
    /// One name.
    Personal,
    /// All of a group.
    Group,
}

impl SendType {
    /// The word in packets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Group => "group",
        }
    }
}

/// The way by which a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A request.
    Http,
    /// A packet of another client.
    Websocket,
}

impl Method {
    /// The word in packets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Websocket => "websocket",
        }
    }
}

/// An account's settings for Mpush.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mpush {
    /// SHA-256 of the token, hex: only the hash is kept. Without a token nobody reaches the account by Mpush.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_hash: Option<String>,
    /// Whether requests must show the token.
    pub http_verify_token: bool,
    /// Whether connections must show the token.
    pub ws_verify_token: bool,
    /// Whether pages of other origins may send.
    pub cors: bool,
    /// How long a send waits for its statuses.
    pub wait_timeout_ms: u32,
    /// After how long what was not acknowledged is sent again.
    pub retry_timeout_ms: u32,
    /// How long a connection may say nothing of who it is.
    pub auth_timeout_ms: u32,
}

impl Mpush {
    /// The longest that a send waits for its statuses, in milliseconds: at API Gateway it has less than half a minute.
    pub const LONGEST_WAIT_MS: u32 = 25_000;
}

impl Default for Mpush {
    fn default() -> Self {
        Self {
            token_hash: None,
            http_verify_token: false,
            ws_verify_token: true,
            cors: false,
            wait_timeout_ms: 5_000,
            retry_timeout_ms: 3_000,
            auth_timeout_ms: 30_000,
        }
    }
}

/// A client's connection: names the socket on this machine, or at API Gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub String);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
