//! A rule: which events reach whom, and when; as it is written in the API.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Recipient, RunResult, Source, Trigger};
use crate::Timestamp;

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

    /// Whether the whole of a text (in lower case) is like this. Takes the first place where a piece fits, which is as
    /// good as any other, and never goes back.
    pub fn fits(&self, lower: &str) -> bool {
        let [first, between @ .., last] = &self.pieces[..] else { return self.pieces == [lower] };
        let Some(mut rest) = lower.strip_prefix(first.as_str()) else { return false };
        for piece in between {
            let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
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

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_was_made_of(pieces in proptest::collection::vec("[a-z.]{0,5}", 1..6), fill in "[a-z/.]{0,8}") {
            let pattern = pieces.join("*");
            prop_assume!(!pattern.is_empty());
            prop_assert!(Pattern::parse(&pattern).unwrap().fits(&pieces.join(&fill)));
        }
    }
}
