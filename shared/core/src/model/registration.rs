//! A registration: one named, configured destination on a channel.

use serde::{Deserialize, Serialize};

use super::{AccountId, ChannelId, Name};
use crate::{Reason, Timestamp, channel::Params, pace::Silence};

/// The parameter by which a channel of clients says how they are told. It is no secret.
pub const WAY: &str = "method";

/// One named destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Whose it is.
    pub account: AccountId,
    /// What the account calls it.
    pub name: Name,
    /// How it is reached.
    pub channel: ChannelId,
    /// The channel's parameters, secrets among them: never print or log them.
    pub params: Params,
    /// Names that it shares with others.
    #[serde(default)]
    pub groups: Vec<Name>,
    /// Switched on by its owner.
    pub enabled: bool,
    /// Takes raw addresses of its channel.
    #[serde(default)]
    pub default: bool,
    /// One place, or many people by their addresses.
    #[serde(default)]
    pub serves: Serves,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Counts its owner's changes, so that a late "this address is dead" never switches off what was just mended.
    pub version: u64,
    /// Switched off by what a provider answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Nothing is sent before that, because the provider asked to slow down or does not answer.
    #[serde(default, skip)]
    pub paused_until: Option<Timestamp>,
    /// How often in a row it did not answer in time.
    #[serde(default, skip)]
    pub timeouts: u32,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When its owner last changed it.
    pub updated_at: Timestamp,
}

impl Registration {
    /// One that nobody has saved, with nothing but its parameters.
    pub fn unsaved(account: AccountId, name: Name, channel: ChannelId, params: Params, now: Timestamp) -> Self {
        Self {
            account,
            name,
            channel,
            params,
            groups: Vec::new(),
            enabled: true,
            default: false,
            serves: Serves::One,
            description: None,
            version: 1,
            disabled: None,
            paused_until: None,
            timeouts: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// What whoever plans has to know of it: of its parameters, which may be secret, no more than how a client is told.
    #[must_use]
    pub fn directory(&self) -> Self {
        Self { params: self.params.only(WAY), disabled: None, ..self.clone() }
    }

    /// Whether it answers, as far as is known.
    pub fn silence(&self) -> Silence {
        Silence { timeouts: self.timeouts, paused_until: self.paused_until }
    }

    /// What is kept of it when `next` takes its place: nothing if that has the same parameters.
    pub fn former(&self, next: &Self) -> Option<Former> {
        let Self { version, channel, params, updated_at, .. } = self;
        let has_changed = *channel != next.channel || *params != next.params;
        has_changed.then(|| Former {
            version: *version,
            channel: channel.clone(),
            params: params.clone(),
            saved_at: *updated_at,
            replaced_at: next.updated_at,
        })
    }

    /// Whether something may be sent to it now.
    pub fn is_open(&self) -> bool {
        self.enabled && self.disabled.is_none()
    }
}

/// How many former parameters of a registration are kept.
pub const FORMERS: usize = 5;

/// The parameters that a registration had before.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    /// The last version that had them.
    pub version: u64,
    /// On which channel.
    pub channel: ChannelId,
    /// The parameters, secrets among them: never print or log them.
    pub params: Params,
    /// When that version was saved.
    pub saved_at: Timestamp,
    /// When another took its place.
    pub replaced_at: Timestamp,
}

/// Why and when a provider's answer switched a registration off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// What the provider said, in our words.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
}

/// Whom one registration reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    /// The one place its parameters name.
    #[default]
    One,
    /// Contacts, each by an address of its own.
    Contacts,
}
