//! How fast an account may send: a token bucket per account, counted in this process alone. A deployment of several
//! processes lets through as much more as it has processes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, AccountId, Rate},
};

/// The most accounts that are counted at once.
const MOST_ACCOUNTS: usize = 10_000;

/// A bucket that was not used for so long is forgotten when room is needed.
const IDLE: Duration = Duration::from_mins(1);

/// What an account has left, and since when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    /// A bucket that nobody has taken from.
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self { tokens: f64::from(rate.burst.max(1)), at: now }
    }

    /// The bucket after `n` requests, or how long to wait for them. What is larger than the whole bucket goes through when
    /// it is full, and is paid off afterwards: it would never go through otherwise.
    pub fn take(self, rate: Rate, n: u32, now: Timestamp) -> Result<Self, Duration> {
        let size = f64::from(rate.burst.max(1));
        let elapsed = now.duration_since(self.at).as_secs_f64().max(0.0);
        let tokens = (self.tokens + elapsed * f64::from(rate.per_second)).min(size);
        let needed = f64::from(n).min(size);
        if tokens >= needed {
            return Ok(Self { tokens: tokens - f64::from(n), at: now });
        }
        let seconds = (needed - tokens) / f64::from(rate.per_second.max(1));
        Err(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

/// The buckets of all accounts.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<AccountId, Bucket>>);

impl Rates {
    /// Counts `n` requests of an account, or refuses them all.
    pub fn spend(&self, account: &Account, n: u32, now: Timestamp) -> Result<(), Problem> {
        let rate = account.rate;
        if rate.per_second == 0 {
            return Ok(());
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(&account.id).copied().unwrap_or_else(|| Bucket::full(rate, now));
        let bucket = bucket.take(rate, n, now).map_err(|wait| too_fast(rate, wait))?;
        if buckets.len() >= MOST_ACCOUNTS && !buckets.contains_key(&account.id) {
            buckets.retain(|_, bucket| bucket.at + IDLE > now);
            if buckets.len() >= MOST_ACCOUNTS {
                buckets.clear();
            }
        }
        buckets.insert(account.id.clone(), bucket);
        Ok(())
    }

    /// Counts `n` requests less: they were counted ahead of time. No bucket holds more than it can for it.
    pub fn give_back(&self, account: &AccountId, n: u32) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(account) {
            bucket.tokens += f64::from(n);
        }
    }
}

fn too_fast(rate: Rate, wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let detail = format!(
        "this account may send {} requests a second, {} at once; try again in {seconds} s, or raise `rate` in `PUT /v1/account`",
        rate.per_second, rate.burst
    );
    Problem { retry_after_s: Some(seconds.max(1)), ..Problem::new(Code::RateLimited, detail) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_second: 2, burst: 4 };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn account(name: &str, rate: Rate) -> Account {
        Account { rate, ..Account::new(AccountId::parse(name).unwrap()) }
    }

    #[test]
    fn a_burst_goes_through_and_then_the_refill_counts() {
        let bucket = Bucket::full(RATE, at(0)).take(RATE, 4, at(0)).unwrap();
        assert_eq!(bucket.take(RATE, 1, at(0)), Err(Duration::from_millis(500)));
        assert!(bucket.take(RATE, 1, at(500)).is_ok());
        assert!(bucket.take(RATE, 4, at(2_000)).is_ok());
    }

    #[test]
    fn more_than_the_bucket_goes_through_when_it_is_full_and_is_paid_off() {
        let bucket = Bucket::full(RATE, at(0)).take(RATE, 10, at(0)).unwrap();
        assert_eq!(bucket.take(RATE, 1, at(0)), Err(Duration::from_millis(3_500)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let bucket = Bucket::full(RATE, at(9_000)).take(RATE, 4, at(9_000)).unwrap();
        assert!(bucket.take(RATE, 1, at(0)).is_err());
    }

    #[test]
    fn accounts_do_not_share_a_bucket() {
        let rates = Rates::default();
        assert!(rates.spend(&account("a", RATE), 4, at(0)).is_ok());
        let problem = rates.spend(&account("a", RATE), 1, at(0)).unwrap_err();
        assert_eq!((problem.code, problem.retry_after_s), (Code::RateLimited, Some(1)));
        assert!(rates.spend(&account("b", RATE), 4, at(0)).is_ok());
    }

    #[test]
    fn zero_switches_the_limit_off() {
        let rates = Rates::default();
        let free = account("a", Rate { per_second: 0, burst: 0 });
        assert!((0..1_000).all(|_| rates.spend(&free, 100, at(0)).is_ok()));
    }

    #[test]
    fn the_map_stays_bounded() {
        let rates = Rates::default();
        for n in 0..MOST_ACCOUNTS + 10 {
            rates.spend(&account(&format!("a{n}"), RATE), 1, at(0)).unwrap();
        }
        assert!(rates.0.lock().unwrap().len() <= MOST_ACCOUNTS);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_refill(steps in prop::collection::vec((0_i64..2_000, 1_u32..4), 1..100)) {
            let (mut bucket, mut now, mut passed) = (Bucket::full(RATE, at(0)), 0, 0);
            for (wait, n) in steps {
                now += wait;
                if let Ok(next) = bucket.take(RATE, n, at(now)) {
                    bucket = next;
                    passed += i64::from(n);
                }
            }
            prop_assert!(passed * 1_000 <= i64::from(RATE.burst) * 1_000 + now * i64::from(RATE.per_second));
        }
    }
}
