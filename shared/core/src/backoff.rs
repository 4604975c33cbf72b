//! When to try again. Pure: chance comes in as a number.

use std::time::Duration;

use crate::Retry;

/// Waits before the 2nd, 3rd … attempt, in seconds: some 18 hours in all, after Svix's and Standard Webhooks' schedules.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
pub const SCHEDULE: [u64; 7] = [5, 30, 300, 1_800, 7_200, 18_000, 36_000];

/// The longest that a provider's own word is followed.
pub(crate) const LONGEST: Duration = Duration::from_hours(24);

/// How long to wait after `tries` tries of this round, or `None` if that was the last one. The schedule is spread by
/// ±20 % so that what failed together does not come back together; a provider's word is only ever prolonged (by up to
/// 10 %). `chance` is uniform over all of `u128`.
pub fn wait(tries: u32, retry: Retry, chance: u128) -> Option<Duration> {
    let base = SCHEDULE.get(usize::try_from(tries).ok()?.checked_sub(1)?)?;
    let spread = |percent: u128| Duration::from_millis(u64::try_from(chance % (percent * 100 + 1)).unwrap_or(0));
    match retry {
        Retry::Never => None,
        // base × (80 % + 0…40 %), in steps of a ten-thousandth
        Retry::Later => Some(scale(Duration::from_secs(*base), 8_000, spread(40))),
        Retry::After(asked) => Some(scale(asked.clamp(Duration::from_secs(1), LONGEST), 10_000, spread(10))),
    }
}

/// `base` × (`fixed` + `spread` in ms) ten-thousandths.
fn scale(base: Duration, fixed: u64, spread: Duration) -> Duration {
    let factor = u128::from(fixed) + spread.as_millis();
    Duration::from_millis(u64::try_from(base.as_millis() * factor / 10_000).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_schedule_is_kept_within_a_fifth(tries in 1_u32..8, chance in any::<u128>()) {
            let base = Duration::from_secs(SCHEDULE[tries as usize - 1]);
            let wait = wait(tries, Retry::Later, chance).unwrap();
            prop_assert!(wait >= base * 8 / 10 && wait <= base * 12 / 10);
        }

        #[test]
        fn a_providers_word_is_never_cut_short(tries in 1_u32..8, asked in 1_u64..86_400, chance in any::<u128>()) {
            let asked = Duration::from_secs(asked);
            let wait = wait(tries, Retry::After(asked), chance).unwrap();
            prop_assert!(wait >= asked && wait <= asked * 11 / 10);
        }
    }

    #[test]
    fn the_eighth_try_is_the_last() {
        assert!(wait(7, Retry::Later, 0).is_some());
        assert_eq!(wait(8, Retry::Later, 0), None);
        assert_eq!(wait(8, Retry::After(Duration::from_secs(1)), 0), None);
        assert_eq!(wait(1, Retry::Never, 0), None);
    }
}
