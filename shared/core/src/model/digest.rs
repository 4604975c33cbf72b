//! What a rule collects for its next digest, and when that is due.

use serde::{Deserialize, Serialize};

use super::{AccountId, Event, EventId, Name, Recipient, Rule, RunResult, Source, Trigger};
use crate::{
    Timestamp,
    channel::{Limit, Unit},
    plan::Collected,
    render::shorten,
};

/// The longest text of one entry: composing holds many of them, and every one is a row.
const LONGEST_TEXT: Limit = Limit { max: 240, unit: Unit::Chars };

/// The longest title of one entry.
const LONGEST_TITLE: Limit = Limit { max: 80, unit: Unit::Chars };

/// An event as a digest tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub event: EventId,
    /// When we took it: places it in a digest.
    pub at: Timestamp,
    /// Where it happened.
    pub source: Source,
    /// How it went, if it was a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// Who set it off.
    #[serde(default)]
    pub trigger: Trigger,
    /// When it happened, by the reporter's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text, shortened.
    pub text: String,
    /// It was told of at once, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// Whom the event names, where the rule has a digest for each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Recipient>,
}

impl Entry {
    /// What a digest of that rule will say of the event.
    pub fn of(event: &Event, collected: &Collected) -> Self {
        Self {
            event: event.id,
            at: event.accepted_at,
            source: event.source.clone(),
            result: event.run(),
            trigger: event.trigger,
            occurred_at: event.occurred_at,
            title: event.title.as_deref().map(|title| shorten(title, LONGEST_TITLE)),
            text: shorten(&event.message, LONGEST_TEXT),
            at_once: collected.at_once,
            to: if collected.for_each { event.send_to.clone() } else { Vec::new() },
        }
    }
}

/// When a rule's digests are due, and how far they have come. Lives as long as something may still be collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Whose.
    pub account: AccountId,
    /// Which rule's.
    pub rule: Name,
    /// Counts the saves.
    pub version: u64,
    /// The digests before ended here; the next one begins behind it.
    pub since: Timestamp,
    /// When somebody has to look at it again.
    pub due: Timestamp,
    /// How many digests there have been, this one included.
    pub number: u64,
    /// A digest that is frozen, and perhaps not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// Somebody wants a digest of what was collected up to then, now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Timestamp>,
    /// The rule collects no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// When each source was last collected from, for those whose silence is told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<(Source, Timestamp)>,
}

impl Schedule {
    /// Whether somebody has to look at it: a digest is under way, asked for or due.
    pub fn is_up(&self, now: Timestamp) -> bool {
        self.frozen.is_some() || self.flush.is_some() || self.due <= now
    }
}

/// The end of a rule's digests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// What it said last, for its last digest.
    pub rule: Box<Rule>,
    /// Since when.
    pub at: Timestamp,
}

/// What stands in one digest: everything collected up to `until` that is in none before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// Behind this …
    pub since: Timestamp,
    /// … and up to this: the scheduled time, unless somebody asked for it now.
    pub until: Timestamp,
    /// How many intervals it covers; 0 where it is not the schedule that ended it.
    pub intervals: u64,
    /// Why it ends there.
    pub because: Because,
    /// What the rule said up to then, where it says something else, or nothing, by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Box<Rule>>,
}

/// Why a digest ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It was due.
    Due,
    /// Somebody asked for it.
    Flushed,
    /// The rule collects no more.
    Last,
}
