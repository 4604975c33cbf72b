//! The one real clock: the system's time, the system's chance.

use std::cell::RefCell;

use bellhop_core::{Timestamp, ports::Clock};

/// How many random numbers are fetched at a time: each message takes three.
const AHEAD: usize = 32;

thread_local! {
    static FETCHED: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// The system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port that everybody else asks")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn chance(&self) -> u128 {
        FETCHED.with_borrow_mut(|fetched| {
            if fetched.is_empty() {
                let mut numbers = [[0; 16]; AHEAD];
                getrandom::fill(numbers.as_flattened_mut()).expect("an operating system that has random bytes");
                fetched.extend(numbers.map(u128::from_be_bytes));
            }
            fetched.pop().expect("some were fetched")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_told_to_the_millisecond() {
        assert_eq!(SystemClock.now().as_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn chance_is_fresh_each_time() {
        let chances: std::collections::HashSet<_> = (0..10 * AHEAD).map(|_| SystemClock.chance()).collect();
        assert_eq!(chances.len(), 10 * AHEAD);
    }
}
