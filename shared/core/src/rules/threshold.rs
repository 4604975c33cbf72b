//! "After N failures": how many runs of one source failed in a row, as far as one rule is concerned. A pure step; whoever
//! stores the state does so by compare-and-swap.
//!
//! Promise: a repeated event counts once and decides the same, as long as fewer than `REMEMBERED` others came in between, and
//! as long as a repetition is one: an idempotency key that is used again when it is forgotten is a new event. The order is
//! that of acceptance.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    model::{RunResult, Tell, Trigger},
};

/// How many events' decisions are remembered.
const REMEMBERED: usize = 32;

/// What a rule knows about one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counter {
    /// Failures in a row.
    pub failures: u32,
    /// Some of them were told of.
    #[serde(default)]
    pub told: bool,
    /// When the rule was made that it counts for: another one of the same name begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// What was decided last, and about what; the oldest first.
    #[serde(default)]
    remembered: VecDeque<Remembered>,
}

impl Counter {
    /// The counter of the rule that was made then: empty, if this is one of an earlier rule. Who knows an earlier rule than
    /// the counter does is late, and counts on.
    #[must_use]
    pub fn of(self, made: Option<Timestamp>) -> Self {
        if self.since < made { Self { since: made, ..Self::default() } } else { self }
    }
}

/// About which event, until when the same id is the same event, and what; without names, 32 of which cost a kilobyte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered(u128, #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")] Timestamp, Count);

/// What tells an event from others.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// The same for each repetition of the same event.
    pub id: u128,
    /// The last moment at which what comes under this id is a repetition.
    pub until: Timestamp,
}

/// What the counter says to one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// The counter has nothing against telling.
    Tell,
    /// Not enough failures in a row: this many.
    Below(u32),
    /// Enough, and told of before.
    Told(u32),
    /// The first success after so many failures that were told of.
    Recovered(u32),
}

/// A run, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Of which event.
    pub identity: Identity,
    /// When it was accepted.
    pub at: Timestamp,
    /// Who set it off.
    pub trigger: Trigger,
    /// How it went.
    pub result: RunResult,
    /// The source has given up.
    pub is_final: bool,
}

/// What a rule wants counted.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// How many failures in a row it takes.
    pub needed: u32,
    /// How often it tells of them.
    pub tell: Tell,
    /// A person's runs count.
    pub count_manual: bool,
    /// The rule tells of runs like this one at all.
    pub notifies: bool,
}

/// The state after `run`, and what is to be done with it.
pub fn fold(mut counter: Counter, wish: Wish, run: Run) -> (Counter, Count) {
    let is_repeated = |known: &&Remembered| known.0 == run.identity.id && run.at <= known.1;
    if let Some(before) = counter.remembered.iter().find(is_repeated) {
        let before = before.2;
        return (counter, before);
    }
    let counts = wish.count_manual || run.trigger == Trigger::Auto;
    let count = match run.result {
        RunResult::Success => {
            let recovered = counts && counter.told;
            let failures = counter.failures;
            if counts {
                (counter.failures, counter.told) = (0, false);
            }
            if recovered { Count::Recovered(failures) } else { Count::Tell }
        }
        RunResult::Failure | RunResult::Partial if !counts => Count::Tell,
        RunResult::Failure | RunResult::Partial => {
            counter.failures = counter.failures.saturating_add(1);
            let is_enough = counter.failures >= wish.needed || run.is_final;
            let count = match (is_enough, counter.told && wish.tell == Tell::Once && !run.is_final) {
                (false, _) => Count::Below(counter.failures),
                (true, true) => Count::Told(counter.failures),
                (true, false) => Count::Tell,
            };
            counter.told |= is_enough && wish.notifies;
            count
        }
    };
    if counter.remembered.len() >= REMEMBERED {
        counter.remembered.pop_front();
    }
    counter.remembered.push_back(Remembered(run.identity.id, run.identity.until, count));
    (counter, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Count::{Below, Recovered, Told};

    const THREE: Wish = Wish { needed: 3, tell: Tell::Every, count_manual: false, notifies: true };

    /// What is decided about runs: `f` and `s` of a program, `F` and `S` of a person, `x` a failure after which the source
    /// gives up.
    fn decided(wish: Wish, runs: &str) -> Vec<Count> {
        let mut counter = Counter::default();
        let mut step = |(id, run): (usize, char)| {
            let (after, count) = fold(counter.clone(), wish, run_of(id as u128, run));
            counter = after;
            count
        };
        runs.chars().enumerate().map(&mut step).collect()
    }

    fn run_of(id: u128, run: char) -> Run {
        let result = if run.eq_ignore_ascii_case(&'s') { RunResult::Success } else { RunResult::Failure };
        let trigger = if run.is_uppercase() { Trigger::Manual } else { Trigger::Auto };
        let identity = Identity { id, until: Timestamp::UNIX_EPOCH };
        Run { identity, at: Timestamp::UNIX_EPOCH, trigger, result, is_final: run == 'x' }
    }

    #[test]
    fn three_means_silent_twice_and_told_from_the_third_on() {
        assert_eq!(decided(THREE, "ffff"), [Below(1), Below(2), Count::Tell, Count::Tell]);
        let once = Wish { tell: Tell::Once, ..THREE };
        assert_eq!(decided(once, "ffff"), [Below(1), Below(2), Count::Tell, Told(4)]);
    }

    #[test]
    fn a_success_begins_anew_and_says_what_it_ended() {
        assert_eq!(decided(THREE, "ffsf"), [Below(1), Below(2), Count::Tell, Below(1)]);
        assert_eq!(decided(THREE, "fffss"), [Below(1), Below(2), Count::Tell, Recovered(3), Count::Tell]);
    }

    #[test]
    fn a_persons_runs_neither_count_nor_reset_unless_they_shall() {
        assert_eq!(decided(THREE, "ffFSf"), [Below(1), Below(2), Count::Tell, Count::Tell, Count::Tell]);
        let counted = Wish { count_manual: true, ..THREE };
        assert_eq!(decided(counted, "ffFSf"), [Below(1), Below(2), Count::Tell, Recovered(3), Below(1)]);
    }

    #[test]
    fn who_gives_up_is_always_told_of() {
        assert_eq!(decided(THREE, "fx"), [Below(1), Count::Tell]);
        assert_eq!(decided(Wish { tell: Tell::Once, ..THREE }, "fffx"), [Below(1), Below(2), Count::Tell, Count::Tell]);
    }

    #[test]
    fn nobody_hears_of_a_recovery_from_what_nobody_heard_of() {
        assert_eq!(decided(Wish { notifies: false, ..THREE }, "fffs").last(), Some(&Count::Tell));
    }

    #[test]
    fn an_id_that_comes_again_when_it_is_no_repetition_any_more_counts() {
        let second = |s| Timestamp::from_second(s).unwrap();
        let run = |at| Run { identity: Identity { id: 7, until: second(at + 10) }, at: second(at), ..run_of(7, 'f') };
        let (counter, first) = fold(Counter::default(), THREE, run(0));
        let (counter, repeated) = fold(counter, THREE, run(10));
        let (_, anew) = fold(counter, THREE, run(11));
        assert_eq!([first, repeated, anew], [Below(1), Below(1), Below(2)]);
    }

    #[test]
    fn a_rule_that_is_made_anew_begins_at_zero_and_nobody_who_is_late_ends_that() {
        let (first, second) = (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::from_second(1).unwrap()));
        let (counter, _) = fold(Counter::default().of(first), THREE, run_of(1, 'f'));
        assert_eq!(counter.clone().of(first).failures, 1);
        let (anew, count) = fold(counter.of(second), THREE, run_of(2, 'f'));
        assert_eq!((count, anew.of(first).failures), (Below(1), 1));
    }

    #[test]
    fn a_counter_is_read_as_it_was_written() {
        let (counter, _) = fold(Counter::default().of(Some(Timestamp::UNIX_EPOCH)), THREE, run_of(u128::MAX, 'f'));
        let text = serde_json::to_string(&counter).unwrap();
        assert_eq!(serde_json::from_str::<Counter>(&text).unwrap(), counter);
    }

    proptest! {
        #[test]
        fn a_repetition_changes_nothing_and_decides_the_same(runs in "[fsFSx]{1,60}", again in 0_usize..31) {
            let mut counter = Counter::default();
            let mut decided = Vec::new();
            for (id, run) in runs.chars().enumerate() {
                let (after, count) = fold(counter, THREE, run_of(id as u128, run));
                decided.push(count);
                let back = id.saturating_sub(again);
                let (repeated, same) = fold(after.clone(), THREE, run_of(back as u128, runs.chars().nth(back).unwrap()));
                prop_assert_eq!(same, decided[back]);
                prop_assert_eq!(&repeated, &after);
                counter = after;
            }
        }
    }
}
