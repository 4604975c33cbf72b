//! A delivery: one notification on its way to one registration.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AccountId, Address, ChannelId, DeliveryId, Event, EventId, Name};
use crate::{Reason, Timestamp};

/// The row: the truth about one delivery. It comes into being with its first claim; before that the plan stands for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Leads to the event.
    pub id: DeliveryId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it goes.
    pub registration: Name,
    /// How.
    pub channel: ChannelId,
    /// To whom, on channels that serve many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Where it stands.
    pub state: State,
    /// The wake-up that is open, or was last: messages carry its number, and the number tells an old copy from the one
    /// that counts. It grows with every settled attempt.
    pub n: u32,
    /// How many attempts were made before the present round; a person's retry begins a new round, with the whole schedule
    /// before it.
    pub round: u32,
    /// When wake-up `n` may be worked on, while `retrying`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The slot that is reserved for it at its registration, until something is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// How many parts of its message have arrived, where it goes in parts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub done: u32,
    /// Who works on it, while `sending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Why it stands there, if that needs a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The idempotency key under which a person last asked for another round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_under: Option<String>,
    /// Everything that was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Delivery {
    /// The event that it tells.
    pub fn event(&self) -> EventId {
        self.id.event
    }

    /// How often the present round has tried.
    pub fn tries(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_sub(self.round)
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted, not yet tried.
    Queued,
    /// An attempt is under way.
    Sending,
    /// Waits for its next attempt.
    Retrying,
    /// The provider took it.
    Delivered,
    /// The receiver acknowledged it.
    Confirmed,
    /// Given up.
    Failed,
    /// Not sent, with the reason.
    Dropped,
}

impl State {
    /// Every state there is.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Sending, Self::Retrying, Self::Delivered, Self::Confirmed, Self::Failed, Self::Dropped];

    /// Nothing more happens by itself.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Sending | Self::Retrying => false,
            Self::Delivered | Self::Confirmed | Self::Failed | Self::Dropped => true,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// A worker's claim on an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Proves that it is still the same claim.
    pub token: u128,
    /// When others may take over.
    pub until: Timestamp,
    /// The process that holds it: a lease of an earlier process is over at once.
    pub epoch: u64,
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub n: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a word from a closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The provider's HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For people; never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// An earlier attempt's outcome is unknown: the receiver may see this twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider took it.
    Delivered,
    /// It surely did not; again later.
    Retry,
    /// Nobody knows: it may have arrived.
    Unknown,
    /// It surely did not, and never will.
    Failed,
}

impl Outcome {
    /// The word in JSON and on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

/// Wake-up `n` of a delivery, with all that a first attempt needs, so that it reads nothing but the
/// registration. The row decides; a job is only a reason to look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Which wake-up.
    pub n: u32,
    /// Where it goes.
    pub registration: Name,
    /// How.
    pub channel: ChannelId,
    /// To whom, on channels that serve many.
    pub address: Option<Address>,
    /// What is told.
    pub event: Arc<Event>,
}

impl Job {
    /// The same job, under another number.
    #[must_use]
    pub fn at(&self, n: u32) -> Self {
        Self { n, ..self.clone() }
    }

    /// Whose it is.
    pub fn account(&self) -> &AccountId {
        &self.event.account
    }
}
