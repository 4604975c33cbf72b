//! How fast a registration may be sent to, and when one that does not answer. Pure: a rate and what was reserved so far in, the
//! next free slot out; a silence and what came of a try in, the silence after it out.
//!
//! Promise: in no stretch of time are there more slots than the rate allows, whoever reserves them. It is the generic cell
//! rate algorithm (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>): one number holds all that was reserved.
//! Left to others: that two workers never reserve the same slot ([`crate::ports::Pace`]), and waiting for it
//! ([`crate::deliver`]).

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::Timestamp;

/// How late a message may be for its slot: queues are late by a second or two, and a worker that comes long after an outage
/// needs a new one.
const GRACE: Duration = Duration::from_secs(5);

/// What a provider takes: this many at once after a rest, then one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendRate {
    /// How many at once.
    pub burst: u32,
    /// How far apart they are after that.
    pub every: Duration,
}

impl SendRate {
    /// At most `most` in any stretch of `per`, whole seconds: a fifth of them at once, the others evenly, and one kept back for the messages
    /// that come late for their slots.
    pub const fn of(most: u32, per: Duration) -> Self {
        let burst = if most >= 10 { most / 5 } else { 1 };
        let evenly = if most >= 10 { most - burst - 1 } else { most };
        Self { burst, every: Duration::from_millis((per.as_secs() * 1_000).div_ceil(evenly as u64)) }
    }

    /// How far ahead of its place in the even row a message may be sent.
    fn ahead(self) -> Duration {
        self.every * self.burst.saturating_sub(1)
    }

    /// The slot of a reservation after which everything up to `reserved` is taken.
    pub fn slot(self, reserved: Timestamp, from: Timestamp) -> Timestamp {
        (reserved - self.every - self.ahead()).max(from)
    }

    /// The next free slot at or after `from`, and what is taken with it; `taken` is what was before.
    pub fn reserve(self, taken: Option<Timestamp>, from: Timestamp) -> (Timestamp, Timestamp) {
        let reserved = taken.unwrap_or(from).max(from) + self.every;
        (self.slot(reserved, from), reserved)
    }

    /// Whether a message may still be sent in its slot.
    pub fn holds(self, slot: Timestamp, now: Timestamp) -> bool {
        now <= slot + GRACE
    }
}

/// How long a registration pauses after the second time-out in a row; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What is known of a registration that does not answer in time; most are never silent, and nothing is kept of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// Time-outs in a row. Those that were under way at the same time are one.
    pub timeouts: u32,
    /// Nothing is sent before that.
    pub paused_until: Option<Timestamp>,
}

impl Silence {
    /// After one more time-out; the second in a row, and each that follows, pauses it.
    #[must_use]
    pub fn after_timeout(self, now: Timestamp) -> Self {
        let timeouts = self.timeouts.saturating_add(1);
        let pause = |doublings: u32| FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
        Self { timeouts, paused_until: timeouts.checked_sub(2).map(|more| now + pause(more)).or(self.paused_until) }
    }

    /// Whether only one may try at a time, until it answers.
    pub fn wants_a_probe(self) -> bool {
        self.timeouts >= 2
    }

    /// While one tries: the others wait, until then at most.
    #[must_use]
    pub fn probed(self, until: Timestamp) -> Self {
        Self { paused_until: Some(until), ..self }
    }
}

impl Serialize for SendRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rate = serializer.serialize_struct("SendRate", 2)?;
        rate.serialize_field("burst", &self.burst)?;
        rate.serialize_field("every_ms", &self.every.as_millis())?;
        rate.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    /// The slots of messages that come at these times.
    fn slots(rate: SendRate, times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut taken = None;
        let mut reserve = |ms| {
            let (slot, reserved) = rate.reserve(taken, at(ms));
            taken = Some(reserved);
            slot.as_millisecond()
        };
        times.into_iter().map(&mut reserve).collect()
    }

    #[test]
    fn after_a_rest_a_burst_goes_at_once_and_the_others_evenly() {
        let rate = SendRate::of(20, MINUTE);
        assert_eq!(rate, SendRate { burst: 4, every: Duration::from_secs(4) });
        assert_eq!(slots(rate, [0; 7]), [0, 0, 0, 0, 4_000, 8_000, 12_000]);
        assert_eq!(slots(rate, [0, 0, 0, 0, 60_000, 60_000]), [0, 0, 0, 0, 60_000, 60_000]);
    }

    #[test]
    fn one_a_second_is_never_two() {
        assert_eq!(slots(SendRate::of(1, Duration::from_secs(1)), [0, 0, 500, 5_000]), [0, 1_000, 2_000, 5_000]);
    }

    #[test]
    fn who_comes_long_after_his_slot_needs_a_new_one() {
        let rate = SendRate::of(20, MINUTE);
        assert!(rate.holds(at(1_000), at(6_000)) && !rate.holds(at(1_000), at(6_001)));
    }

    #[test]
    fn two_time_outs_in_a_row_pause_for_five_seconds_and_more_for_longer_up_to_five_minutes() {
        let mut silence = Silence::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            silence = silence.after_timeout(at(0));
            pauses.push(silence.paused_until.map(Timestamp::as_second));
        }
        let first = [None, Some(5), Some(10), Some(20), Some(40), Some(80), Some(160), Some(300), Some(300)];
        assert_eq!(pauses[..9], first);
        assert_eq!(pauses[39], Some(300));
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_has_more_slots_than_the_rate_allows(
            most in 1_u32..120,
            mut times in proptest::collection::vec(0_i64..200_000, 1..300),
        ) {
            times.sort_unstable();
            let slots = slots(SendRate::of(most, MINUTE), times);
            prop_assert!(slots.is_sorted());
            for (i, first) in slots.iter().enumerate() {
                let within = slots[i..].iter().take_while(|slot| **slot < first + 60_000).count();
                prop_assert!(within <= most as usize, "{within} of {most}");
            }
        }
    }
}
