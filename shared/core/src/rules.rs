//! Rules decide who hears of an event besides those whom it names. Pure, but for `apply`.
//!
//! Promises: the same event gets the same decisions, and each says why; a rule that fails (a template, a recipient that is
//! gone) loses its own words or that recipient, never the event. Left to others: who is reached in the end, and that nobody
//! is reached twice ([`crate::plan`]).

pub(crate) mod apply;
pub mod threshold;
pub mod turns;
pub mod wording;

pub use apply::counts;

use serde::{Deserialize, Serialize};

use crate::{
    Reason,
    model::{Collect, Event, Name, Rule, RunResult},
};
use threshold::{Count, Identity, Run, Wish};

/// What a rule has decided about an event, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which.
    pub rule: Name,
    /// What.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Its counter was written by too many at once: this run is told of, and was not counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub count_approximate: bool,
    /// Its own words could not be made, and the event's were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_error: Option<String>,
}

/// What is to be done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decided", rename_all = "snake_case")]
pub enum Verdict {
    /// To be told.
    Notify,
    /// To be told as the end of so many failures.
    Recovered {
        /// How many.
        after: u32,
    },
    /// To be told in the rule's next digest, and not by itself.
    Collect,
    /// Not to be told.
    Drop {
        /// Why.
        why: Reason,
        /// How many failures in a row there were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// How many it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed: Option<u32>,
    },
}

impl Verdict {
    fn drop(why: Reason) -> Self {
        Self::Drop { why, count: None, needed: None }
    }
}

/// Whether the rule looks at such an event at all. A test is of every type.
pub fn looks_at(rule: &Rule, event: &Event) -> bool {
    let of_type = event.is_test() || rule.matching.has_type(event.event_type.as_ref());
    rule.enabled && rule.matching.has_source(&event.source) && of_type
}

/// What the rule's counter has to be asked about the event; nothing if there is none, or the event is no run.
pub fn to_be_counted(rule: &Rule, event: &Event, identity: Identity) -> Option<(Wish, Run)> {
    let needed = rule.after_failures.threshold().or_else(|| rule.tell_recovery.then_some(1))?;
    let result = event.run()?;
    let run = Run { identity, at: event.accepted_at, trigger: event.trigger, result, is_final: event.is_final };
    let notifies = rule.notify.tells_of(run.trigger, run.result);
    Some((Wish { needed, tell: rule.tell, count_manual: rule.count_manual, notifies }, run))
}

/// What a rule decides about an event that it looks at. `counted` is its counter's word, if it has one and could be asked.
pub fn decide(rule: &Rule, event: &Event, counted: Option<(Wish, Count)>) -> Verdict {
    if let (Some((_, Count::Recovered(after))), true) = (counted, rule.tell_recovery) {
        return Verdict::Recovered { after };
    }
    if event.run().is_some_and(|result| !rule.notify.tells_of(event.trigger, result)) {
        return Verdict::drop(Reason::NotifySwitchedOff);
    }
    match counted {
        Some((wish, Count::Below(count))) => {
            Verdict::Drop { why: Reason::BelowFailureThreshold, count: Some(count), needed: Some(wish.needed) }
        }
        Some((wish, Count::Told(count))) => {
            Verdict::Drop { why: Reason::AlreadyTold, count: Some(count), needed: Some(wish.needed) }
        }
        Some((_, Count::Tell | Count::Recovered(_))) | None => Verdict::Notify,
    }
}

/// Whether the rule's next digest tells of an event on which it decided so, and what is left to be told at once.
pub fn collect(rule: &Rule, event: &Event, verdict: Verdict) -> (bool, Verdict) {
    let Some(batch) = rule.batch.as_ref().filter(|batch| batch.enabled && !event.is_test()) else { return (false, verdict) };
    let is_named = |result: RunResult| batch.immediate.contains(&result);
    // what went well in part only counts as failed, as for the switches
    let is_urgent = event.run().is_some_and(|run| is_named(run) || run == RunResult::Partial && is_named(RunResult::Failure));
    match verdict {
        Verdict::Drop { why: Reason::SourceSwitchedOff, .. } => (false, verdict),
        Verdict::Drop { .. } if batch.collect == Collect::Notified => (false, verdict),
        Verdict::Notify | Verdict::Recovered { .. } if is_urgent => (true, verdict),
        Verdict::Notify | Verdict::Recovered { .. } | Verdict::Drop { .. } | Verdict::Collect => (true, Verdict::Collect),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Timestamp,
        model::{AccountId, Draft, EventId, EventType, RunResult, Source, Trigger},
    };

    fn rule(more: &Value) -> Rule {
        let mut whole = json!({"to": ["phone"]});
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn event(source: &str, kind: Option<&str>, trigger: Trigger, result: Option<RunResult>) -> Event {
        let draft = Draft {
            source: Source::parse(source).unwrap(),
            event_type: kind.and_then(EventType::parse),
            trigger,
            result,
            ..Draft::new("text")
        };
        draft.into_event(EventId::new(Timestamp::UNIX_EPOCH, 1), AccountId::parse("main").unwrap(), Timestamp::UNIX_EPOCH)
    }

    const SEVEN: Identity = Identity { id: 7, until: Timestamp::UNIX_EPOCH };

    #[test]
    fn a_rule_looks_at_what_its_patterns_name() {
        let on = |more: Value, source, kind| looks_at(&rule(&more), &event(source, kind, Trigger::Auto, None));
        assert!(on(json!({}), "any", None));
        assert!(on(json!({"match": {"sources": ["qd/*"], "types": ["domain.*", "x"]}}), "QD/A/b", Some("Domain.End")));
        assert!(!on(json!({"match": {"sources": ["qd/*"]}}), "other", None));
        assert!(!on(json!({"match": {"types": ["domain.*"]}}), "any", None), "an event without a type has none of these");
        assert!(!on(json!({"enabled": false}), "any", None));
    }

    #[test]
    fn the_four_switches_are_about_runs_alone() {
        let rule = rule(&json!({"notify": {"manual_failure": true}}));
        let decided = |trigger, result| decide(&rule, &event("a", None, trigger, result), None);
        assert_eq!(decided(Trigger::Manual, Some(RunResult::Partial)), Verdict::Notify);
        assert_eq!(decided(Trigger::Manual, None), Verdict::Notify);
        for (trigger, result) in
            [(Trigger::Auto, RunResult::Failure), (Trigger::Manual, RunResult::Success), (Trigger::Auto, RunResult::Success)]
        {
            assert_eq!(decided(trigger, Some(result)), Verdict::drop(Reason::NotifySwitchedOff));
        }
    }

    #[test]
    fn no_rule_of_its_source_holds_a_test_back_or_counts_it() {
        let rule = rule(&json!({
            "match": {"sources": ["a"], "types": ["domain.*"]}, "notify": {"auto_failure": true}, "after_failures": 3,
        }));
        let test = event("a", Some("Notify.test"), Trigger::Auto, Some(RunResult::Success));
        assert!(looks_at(&rule, &test) && to_be_counted(&rule, &test, SEVEN).is_none());
        assert_eq!(decide(&rule, &test, None), Verdict::Notify);
        assert!(!looks_at(&rule, &event("b", Some("notify.test"), Trigger::Auto, None)));
    }

    #[test]
    fn what_is_below_the_threshold_says_how_far() {
        let rule = rule(&json!({"after_failures": 3}));
        let failure = event("a", None, Trigger::Auto, Some(RunResult::Failure));
        let (wish, _) = to_be_counted(&rule, &failure, SEVEN).unwrap();
        let below = decide(&rule, &failure, Some((wish, Count::Below(2))));
        assert_eq!(below, Verdict::Drop { why: Reason::BelowFailureThreshold, count: Some(2), needed: Some(3) });
        assert!(to_be_counted(&rule, &event("a", None, Trigger::Auto, None), SEVEN).is_none(), "no run, nothing to count");
    }

    #[test]
    fn a_recovery_is_told_whatever_the_switch_for_success_says() {
        let rule = rule(&json!({"notify": {"auto_failure": true}, "tell_recovery": true}));
        let success = event("a", None, Trigger::Auto, Some(RunResult::Success));
        let (wish, _) = to_be_counted(&rule, &success, SEVEN).unwrap();
        assert_eq!(decide(&rule, &success, Some((wish, Count::Recovered(2)))), Verdict::Recovered { after: 2 });
        assert_eq!(decide(&rule, &success, Some((wish, Count::Tell))), Verdict::drop(Reason::NotifySwitchedOff));
    }

    #[test]
    fn a_rule_with_a_batch_collects_all_that_it_looks_at_and_tells_at_once_of_what_it_names() {
        let rule = |collect| rule(&json!({"batch": {"at": "12:00", "immediate": ["failure"], "collect": collect}}));
        let event = |kind, result| event("a", kind, Trigger::Auto, Some(result));
        let off = Verdict::drop(Reason::NotifySwitchedOff);
        let (success, failure) = (event(None, RunResult::Success), event(None, RunResult::Failure));
        assert_eq!(collect(&rule("all"), &success, Verdict::Notify), (true, Verdict::Collect));
        assert_eq!(collect(&rule("all"), &failure, Verdict::Notify), (true, Verdict::Notify));
        assert_eq!(collect(&rule("all"), &failure, off), (true, Verdict::Collect), "whatever switches and threshold say");
        assert_eq!(collect(&rule("notified"), &failure, off), (false, off));
        let silent = Verdict::drop(Reason::SourceSwitchedOff);
        assert_eq!(collect(&rule("all"), &failure, silent), (false, silent));
        let test = event(Some("notify.test"), RunResult::Success);
        assert_eq!(collect(&rule("all"), &test, Verdict::Notify), (false, Verdict::Notify), "a test goes out");
    }

    #[test]
    fn a_decision_reads_like_what_it_is() {
        let why = Verdict::Drop { why: Reason::BelowFailureThreshold, count: Some(2), needed: Some(3) };
        let decision =
            Decision { rule: Name::parse("ops").unwrap(), verdict: why, count_approximate: false, template_error: None };
        let json = json!({"rule": "ops", "decided": "drop", "why": "below_failure_threshold", "count": 2, "needed": 3});
        assert_eq!(serde_json::to_value(&decision).unwrap(), json);
        assert_eq!(serde_json::from_value::<Decision>(json).unwrap(), decision);
    }
}
