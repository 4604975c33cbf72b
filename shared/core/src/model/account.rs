//! Tenants and the keys that speak for them.

use serde::{Deserialize, Serialize};

use super::{AccountId, KeyId, Mpush};
use crate::Timestamp;

/// An account's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// Where times without an offset are read, an IANA name.
    pub time_zone: String,
    /// The language of texts that we write, e.g. `en` or `zh-CN`.
    pub locale: String,
    /// A picture for messages without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_image_url: Option<String>,
    /// How long events and deliveries are kept.
    pub retention_days: u32,
    /// How fast it may send.
    pub rate: Rate,
    /// How much of what costs room or work it may have; whoever runs the deployment says.
    #[serde(default)]
    pub quotas: Quotas,
    /// How Mpush's clients and scripts reach it.
    #[serde(default)]
    pub mpush: Mpush,
    /// When it was made, where somebody made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was deleted: it stays as a row, so that nobody is given its name again, and with it what it has left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl Account {
    /// The settings that a new account has.
    pub fn new(id: AccountId) -> Self {
        Self {
            id,
            time_zone: "UTC".to_owned(),
            locale: "en".to_owned(),
            default_image_url: None,
            retention_days: 30,
            rate: Rate { per_second: 100, burst: 500 },
            quotas: Quotas::default(),
            mpush: Mpush::default(),
            created_at: None,
            deleted_at: None,
        }
    }

    /// Its time zone; UTC if the name is no longer known.
    pub fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

/// The shape of a language tag. <https://www.rfc-editor.org/rfc/rfc5646#section-2.1>
pub fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language =
        parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()));
    let rest = parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    language && rest && tag.len() <= 35
}

/// A token bucket over the requests that send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Refill; 0 switches the limit off.
    pub per_second: u32,
    /// Size of the bucket.
    pub burst: u32,
}

/// How much an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Tasks that wait for a run.
    pub tasks: u32,
    /// Registrations on any one channel.
    pub registrations_per_channel: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { tasks: 1_000, registrations_per_channel: 1_000 }
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Report events and send messages.
    Send,
    /// See events, deliveries and lists.
    Read,
    /// Change what the account owns.
    Manage,
    /// Run the deployment: accounts, dead letters.
    Operate,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 4] = [Self::Send, Self::Read, Self::Manage, Self::Operate];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Manage => "manage",
            Self::Operate => "operate",
        }
    }
}

/// An API key as it is stored: a hash, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Names it.
    pub id: KeyId,
    /// For whom it speaks.
    pub account: AccountId,
    /// SHA-256 of the secret, hex. The secret has 128 bits and more of chance, so that a slow hash would buy nothing.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The key that it stands in for, if it is that of a session: somebody has signed in with that one, and this one ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_of: Option<KeyId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When a key was last shown, to the minute or so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_language_tag() {
        for good in ["en", "zh-CN", "zh-Hant-TW", "gsw", "es-419"] {
            assert!(is_language_tag(good), "{good}");
        }
        for bad in ["", "e", "english", "zh_CN", "zh-", "zh-C", "zh-CN\n", "zh-abcdefghi"] {
            assert!(!is_language_tag(bad), "{bad}");
        }
    }
}
