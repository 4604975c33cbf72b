//! A task: a message that is sent by the clock, once or again and again.

use std::{num::NonZeroU32, str::FromStr};

use croner::parser::{CronParser, Seconds, Year};
use jiff::{civil::Time, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::{AccountId, ChannelId, Draft, EventId, TaskId};
use crate::Timestamp;

/// The longest cron expression, in bytes.
const LONGEST_CRON: usize = 256;

/// What an account wants sent, and when; and how far that has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Says when it was made, too.
    pub id: TaskId,
    /// Whose it is.
    pub account: AccountId,
    /// Counts the saves.
    pub version: u64,
    /// What people call it.
    pub name: TaskName,
    /// What each run says to whom; its source is the task's.
    pub message: Draft,
    /// Variables for the templates of channels that send by template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Map<String, Value>>,
    /// The channels that it reached when it was saved, for lists.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
    /// When it runs.
    pub schedule: When,
    /// After how many runs it ends; `None` = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<NonZeroU32>,
    /// What becomes of runs that nobody looked after in time.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Its next time; `None`: there is none to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
    /// A run that has begun and whose message may not have been accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Run>,
    /// The last run before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Run>,
    /// How many runs have begun.
    #[serde(default)]
    pub runs: u32,
    /// The last time that passed without a run, since nobody looked after it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Timestamp>,
    /// When it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// By which repeatable request it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_under: Option<MadeUnder>,
    /// When its owner saved it last.
    pub updated_at: Timestamp,
}

impl Task {
    /// When somebody has to look at it; `None`: never again.
    pub fn due(&self) -> Option<Timestamp> {
        self.under_way.as_ref().map(|run| run.at).or(self.next_run)
    }

    /// The latest run.
    pub fn latest(&self) -> Option<&Run> {
        self.under_way.as_ref().or(self.last_run.as_ref())
    }

    /// Whether it may run once more.
    pub fn has_runs_left(&self) -> bool {
        self.max_runs.is_none_or(|most| self.runs < most.get())
    }
}

/// One time that a task ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// The event that was accepted.
    pub event: EventId,
    /// The time that it is for, by the schedule.
    pub at: Timestamp,
}

/// The idempotency key of a request that made something, and what the request said, both as hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeUnder {
    /// Of the route and the key.
    pub key: String,
    /// Of the body.
    pub body: String,
}

/// What people call a task: 1–128 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TaskName(String);

impl TaskName {
    /// Parses; `None` if it is blank, too long or has control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.chars().count() <= 128 && !text.trim().is_empty() && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for TaskName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("a task's name has 1 to 128 characters without control characters"))
    }
}

/// When a task runs. [`crate::task::times`] finds the times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum When {
    /// As soon as it is made.
    Now,
    /// Once.
    At {
        /// When.
        at: Timestamp,
    },
    /// Every hour.
    Hourly {
        /// At which minute of it.
        minute: Minute,
        /// Where clocks are read.
        time_zone: Zone,
        /// From when on.
        #[serde(default)]
        start: Start,
    },
    /// Every day.
    Daily {
        /// At which time of day.
        time: Time,
        /// Where clocks are read.
        time_zone: Zone,
        /// From when on.
        #[serde(default)]
        start: Start,
    },
    /// Whenever the clock looks like that.
    Cron {
        /// The five fields.
        cron: Cron,
        /// Where clocks are read.
        time_zone: Zone,
        /// From when on.
        #[serde(default)]
        start: Start,
    },
}

impl When {
    /// Whether it can have more times than one.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Now | Self::At { .. } => false,
            Self::Hourly { .. } | Self::Daily { .. } | Self::Cron { .. } => true,
        }
    }
}

/// From when on a repeating task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// From its first time after it was saved.
    #[default]
    Now,
    /// From its first time in the hour that begins next.
    NextHour,
}

/// What becomes of times that passed while nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// One run stands for all of them.
    #[default]
    One,
    /// Each is made up for.
    All,
    /// They are over.
    None,
}

/// A minute of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Minute(u8);

impl Minute {
    /// Parses; `None` from 60 on.
    pub fn new(minute: u64) -> Option<Self> {
        u8::try_from(minute).ok().filter(|minute| *minute < 60).map(Self)
    }

    /// 0 to 59.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("expected a minute, 0 to 59"))
    }
}

/// A time zone that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its IANA name; `None` if there is none of that name.
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some()).map(Self)
    }

    /// The zone itself.
    pub fn zone(&self) -> &TimeZone {
        &self.0
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("expected an IANA name such as `Asia/Shanghai`"))
    }
}

/// A cron expression of five fields: minute, hour, day of the month, month, day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron(Box<croner::Cron>);

/// The text is no cron expression; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected five fields, such as `0 9 * * 1-5`: {0}")]
pub struct CronError(String);

impl FromStr for Cron {
    type Err = CronError;
    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.len() > LONGEST_CRON {
            return Err(CronError(format!("it is longer than {LONGEST_CRON} bytes")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        parser.parse(text).map(|cron| Self(Box::new(cron))).map_err(|error| CronError(error.to_string()))
    }
}

impl Cron {
    /// The expression.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The first time after that one; `None`: there is none.
    pub(crate) fn after(&self, at: &jiff::Zoned) -> Option<Timestamp> {
        self.0.find_next_occurrence(at, false).ok().map(|next| next.timestamp())
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
