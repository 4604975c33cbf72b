//! "After N failures": how many runs of one source failed in a row, as far as one rule is concerned. A pure step; whoever
//! stores the state does so by compare-and-swap.
//!
//! Promise: a repeated event counts once and decides the same, as long as fewer than `REMEMBERED` others came in between.
//! The order is that of acceptance.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::{RunResult, Tell, Trigger};

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
    /// What was decided last, and about what; the oldest first.
    #[serde(default)]
    recent: VecDeque<(u128, Count)>,
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
    /// The same for each repetition of the same event.
    pub id: u128,
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
    if let Some((_, before)) = counter.recent.iter().find(|(id, _)| *id == run.id) {
        let before = *before;
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
    if counter.recent.len() >= REMEMBERED {
        counter.recent.pop_front();
    }
    counter.recent.push_back((run.id, count));
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
        Run { id, trigger, result, is_final: run == 'x' }
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
