//! A rule: which events reach whom, and when; as it is written in the API.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{EventType, Recipient, RunResult, Source, Trigger};
use crate::Timestamp;
use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

/// The most consecutive failures that a rule waits for.
const MOST_FAILURES: u8 = 100;

/// The longest pattern, in characters.
const LONGEST_PATTERN: usize = 256;

/// What an account says about one kind of event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Switched on by its owner.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which events it looks at.
    #[serde(rename = "match", default)]
    pub matching: Matching,
    /// Which runs it tells of.
    #[serde(default = "Notify::all")]
    pub notify: Notify,
    /// From which consecutive failure on it tells of failures; 0 and 1 = from the first.
    #[serde(default)]
    pub after_failures: AfterFailures,
    /// How often it tells of failures once there are enough.
    #[serde(default)]
    pub tell: Tell,
    /// Runs that a person set off count, too.
    #[serde(default)]
    pub count_manual: bool,
    /// Tells of the first success after failures that it told of.
    #[serde(default)]
    pub tell_recovery: bool,
    /// Who hears of it.
    pub to: Vec<Audience>,
    /// Collects for digests, instead of telling each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// What the message's title says, if not the event's: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the message says, if not the event's: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// When a rule of its name was first saved; not its owner's to say. What a deleted rule of that name counted is not its.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

impl Rule {
    /// Whether it collects for digests now.
    pub fn collects(&self) -> bool {
        self.enabled && self.batch.as_ref().is_some_and(|batch| batch.enabled)
    }
}

fn yes() -> bool {
    true
}

/// What an account says of one source, for all rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSetting {
    /// Which.
    pub source: Source,
    /// Rules look at it.
    pub enabled: bool,
}

impl SourceSetting {
    /// The name under which a source's setting is kept. Case does not matter, as it does not in patterns.
    pub fn key(source: &Source) -> String {
        source.as_str().to_lowercase()
    }
}

/// Which events a rule looks at; an empty list is every event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// Of which sources.
    pub sources: Vec<Pattern>,
    /// Of which types.
    pub types: Vec<Pattern>,
}

impl Matching {
    /// Whether that is one of its sources.
    pub fn has_source(&self, source: &Source) -> bool {
        fit(&self.sources, Some(source.as_str()))
    }

    /// Whether that is one of its types; an event without a type has one of no list.
    pub fn has_type(&self, event_type: Option<&EventType>) -> bool {
        fit(&self.types, event_type.map(EventType::as_str))
    }
}

/// Whether one of the patterns fits, or there are none.
fn fit(patterns: &[Pattern], text: Option<&str>) -> bool {
    let text = text.map(str::to_lowercase);
    patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.fits(&text)))
}

/// Which runs a rule tells of. In an object, what is not named is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "four switches, as the API has them")]
pub struct Notify {
    /// A person's run that went well.
    pub manual_success: bool,
    /// A person's run that did not.
    pub manual_failure: bool,
    /// A program's run that went well.
    pub auto_success: bool,
    /// A program's run that did not.
    pub auto_failure: bool,
}

impl Notify {
    /// Of every run.
    pub fn all() -> Self {
        Self { manual_success: true, manual_failure: true, auto_success: true, auto_failure: true }
    }

    /// Whether such a run is told of. What went well in part only did not go well.
    pub fn tells_of(self, trigger: Trigger, result: RunResult) -> bool {
        match (trigger, result) {
            (Trigger::Manual, RunResult::Success) => self.manual_success,
            (Trigger::Manual, RunResult::Failure | RunResult::Partial) => self.manual_failure,
            (Trigger::Auto, RunResult::Success) => self.auto_success,
            (Trigger::Auto, RunResult::Failure | RunResult::Partial) => self.auto_failure,
        }
    }
}

/// How many failures in a row it takes, 0–100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AfterFailures(u8);

impl AfterFailures {
    /// Parses; `None` if it is too many.
    pub fn new(failures: u64) -> Option<Self> {
        u8::try_from(failures).ok().filter(|failures| *failures <= MOST_FAILURES).map(Self)
    }

    /// How many; `None` where the first is told of, and nothing has to be counted.
    pub fn threshold(self) -> Option<u32> {
        (self.0 > 1).then_some(u32::from(self.0))
    }
}

impl<'de> Deserialize<'de> for AfterFailures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom(format!("it takes 0 to {MOST_FAILURES}"));
        Self::new(u64::deserialize(deserializer)?).ok_or_else(wrong)
    }
}

/// How often a rule tells of failures once there are enough in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// Of each.
    #[default]
    Every,
    /// Of the first.
    Once,
}

/// When a rule's digests are due, and what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Switched on by its owner.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The local time that the intervals count from.
    pub at: Time,
    /// From one digest to the next.
    #[serde(rename = "every_seconds", default)]
    pub every: Every,
    /// Where `at` is read, an IANA name; the account's, if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Results that are told of at once, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub immediate: Vec<RunResult>,
    /// Which of the events that the rule looks at.
    #[serde(default)]
    pub collect: Collect,
    /// Tells of sources that were expected and did not run, even if nothing ran at all.
    #[serde(default)]
    pub report_idle: bool,
    /// What a digest's title says, if not ours: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many events it lists; all are counted.
    #[serde(default)]
    pub max_lines: MaxLines,
    /// The local date of the first save, that the intervals count from. Ours: what a caller says of it is not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Date>,
}

impl Batch {
    /// Where `at` is read; the account's zone counts where the batch names none that is known.
    pub fn zone(&self, of_account: TimeZone) -> TimeZone {
        self.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(of_account)
    }
}

/// From one digest to the next: a minute to a leap year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Every(u32);

/// A leap year, in seconds.
const LONGEST_INTERVAL: u64 = 366 * A_DAY;
const SHORTEST_INTERVAL: u64 = 60;
const A_DAY: u64 = 24 * 60 * 60;

impl Every {
    /// Parses; `None` if it is too short or too long.
    pub fn new(seconds: u64) -> Option<Self> {
        let fits = (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&seconds);
        u32::try_from(seconds).ok().filter(|_| fits).map(Self)
    }

    /// In seconds.
    pub fn seconds(self) -> i64 {
        i64::from(self.0)
    }

    /// In days, where it is whole days: those follow the wall clock.
    pub fn days(self) -> Option<i64> {
        let day = i64::try_from(A_DAY).unwrap_or(i64::MAX);
        (self.seconds() % day == 0).then(|| self.seconds() / day)
    }
}

impl Default for Every {
    fn default() -> Self {
        Self(u32::try_from(A_DAY).unwrap_or(u32::MAX))
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom(format!("it takes {SHORTEST_INTERVAL} to {LONGEST_INTERVAL} seconds"));
        Self::new(u64::deserialize(deserializer)?).ok_or_else(wrong)
    }
}

/// Which of the events that a rule looks at stand in its digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collect {
    /// All, whatever its switches and its threshold say.
    #[default]
    All,
    /// Those that it would have told of.
    Notified,
}

/// How many events a digest lists, 1–1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MaxLines(u16);

const MOST_LINES: u16 = 1_000;

impl MaxLines {
    /// Parses; `None` if it is none or too many.
    pub fn new(lines: u64) -> Option<Self> {
        u16::try_from(lines).ok().filter(|lines| (1..=MOST_LINES).contains(lines)).map(Self)
    }

    /// How many.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for MaxLines {
    fn default() -> Self {
        Self(200)
    }
}

impl<'de> Deserialize<'de> for MaxLines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom(format!("it takes 1 to {MOST_LINES}"));
        Self::new(u64::deserialize(deserializer)?).ok_or_else(wrong)
    }
}

/// Who hears of what a rule tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Somebody it names.
    Named(Recipient),
    /// `event.send_to`: whom the event names.
    OfEvent,
}

const OF_EVENT: &str = "event.send_to";

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(recipient) => recipient.serialize(serializer),
            Self::OfEvent => serializer.serialize_str(OF_EVENT),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OF_EVENT { Ok(Self::OfEvent) } else { text.parse().map(Self::Named).map_err(de::Error::custom) }
    }
}

/// A text in which `*` stands for anything, `/` and nothing included. Case does not matter.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    /// What stands between the stars, in lower case.
    pieces: Vec<String>,
}

impl Pattern {
    /// Parses; `None` if it is empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST_PATTERN).contains(&text.chars().count());
        let pieces = || text.to_lowercase().split('*').map(str::to_owned).collect();
        fits.then(|| Self { written: text.to_owned(), pieces: pieces() })
    }

    /// The text itself, if it stands for nothing but itself.
    pub fn exact(&self) -> Option<&str> {
        (!self.written.contains('*')).then_some(self.written.as_str())
    }

    /// Whether the whole of a text (in lower case) is like this. Takes the first place where a piece fits, which is as
    /// good as any other, and never goes back.
    pub fn fits(&self, lower: &str) -> bool {
        self.walk(lower, |_| {})
    }

    /// [`Self::fits`]; tells how many bytes each step leaves behind for good.
    fn walk(&self, lower: &str, mut behind: impl FnMut(usize)) -> bool {
        let [first, between @ .., last] = &self.pieces[..] else { return self.pieces == [lower] };
        let Some(mut rest) = lower.strip_prefix(first.as_str()) else { return false };
        for piece in between {
            let Some((before, after)) = rest.split_once(piece.as_str()) else { return false };
            behind(before.len() + piece.len());
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.written)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom(format!("a pattern has 1 to {LONGEST_PATTERN} characters"));
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rule(value: serde_json::Value) -> Rule {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_rule_without_switches_tells_of_all_and_one_with_some_of_those_alone() {
        assert_eq!(rule(json!({"to": ["phone"]})).notify, Notify::all());
        let some = rule(json!({"to": ["phone"], "notify": {"auto_failure": true}})).notify;
        assert_eq!(some, Notify { auto_failure: true, ..Notify::default() });
        assert!(some.tells_of(Trigger::Auto, RunResult::Partial) && !some.tells_of(Trigger::Manual, RunResult::Failure));
    }

    #[test]
    fn a_rule_is_written_as_it_was_read() {
        let whole = json!({
            "enabled": false, "match": {"sources": ["QD/*"], "types": ["domain.*"]},
            "notify": {"manual_success": false, "manual_failure": true, "auto_success": false, "auto_failure": true},
            "after_failures": 3, "tell": "once", "count_manual": true, "tell_recovery": true,
            "to": ["phone", "group:ops", "event.send_to"], "title": "{{ source }}", "body": "{log}",
        });
        assert_eq!(serde_json::to_value(rule(whole.clone())).unwrap(), whole);
    }

    #[test]
    fn what_makes_no_rule_is_refused() {
        for wrong in [
            json!({}),
            json!({"to": ["a b"]}),
            json!({"to": [], "after_failures": 101}),
            json!({"to": [], "after_failures": -1}),
            json!({"to": [], "match": {"sources": [""]}}),
            json!({"to": [], "notify": {"auto": true}}),
            json!({"to": [], "tell": "never"}),
            json!({"to": [], "other": 1}),
        ] {
            assert!(serde_json::from_value::<Rule>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        let fits = |pattern: &str, text: &str| Pattern::parse(pattern).unwrap().fits(&text.to_lowercase());
        for (pattern, text) in [
            ("QD/*", "qd/Example/main"),
            ("*", "a"),
            ("**", "a/b"),
            ("domain.*", "Domain.end"),
            ("*.error", "a.b.error"),
            ("a*b*c", "aXbXbXc"),
            ("签到*", "签到/甲"),
            ("ab", "AB"),
            ("a*a", "aa"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("QD/*", "QD"), ("domain.*", "domain"), ("a*a", "a"), ("ab", "abc"), ("*b", "bc"), ("a*b*c", "ac")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn no_part_of_a_text_is_looked_at_for_two_stars() {
        let text = format!("{}b", "a".repeat(255));
        for pattern in ["*a".repeat(128), "a*".repeat(128), format!("{}c", "*a".repeat(127)), "*".repeat(256), "*a*b".repeat(64)]
        {
            let (mut looked_at, mut steps) = (0, 0);
            Pattern::parse(&pattern).unwrap().walk(&text, |bytes| {
                looked_at += bytes;
                steps += 1;
            });
            assert!(looked_at <= text.len() && steps <= pattern.len(), "{pattern}: {looked_at} bytes in {steps} steps");
        }
        assert!(Pattern::parse(&"*".repeat(257)).is_none(), "and none is longer than that");
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_was_made_of(pieces in proptest::collection::vec("[a-z.]{0,5}", 1..6), fill in "[a-z/.]{0,8}") {
            let pattern = pieces.join("*");
            prop_assume!(!pattern.is_empty());
            prop_assert!(Pattern::parse(&pattern).unwrap().fits(&pieces.join(&fill)));
        }
    }
}
