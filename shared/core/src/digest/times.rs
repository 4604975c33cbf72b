//! When digests are due: a local time on the day of the rule's first save, and every so long before and after.
//!
//! Promise: the windows between due times partition time. A window begins behind its predecessor's due time and ends with its
//! own, which belongs to it. Intervals of whole days follow the wall clock; others count seconds.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use crate::model::{Batch, Every};

/// The due times of a rule.
#[derive(Debug, Clone)]
pub struct Times {
    zone: TimeZone,
    first: DateTime,
    every: Every,
}

impl Times {
    /// Of a rule's batch, in an account of that time zone.
    pub fn of(batch: &Batch, of_account: TimeZone) -> Self {
        // every stored rule has its anchor; without one, any fixed day will do
        let anchor = batch.anchor.unwrap_or(Date::constant(2000, 1, 1));
        Self { zone: batch.zone(of_account), first: anchor.to_datetime(batch.at), every: batch.every }
    }

    /// Every day at that local time.
    pub fn daily(at: Time, zone: TimeZone) -> Self {
        Self { zone, first: Date::constant(2000, 1, 1).to_datetime(at), every: Every::default() }
    }

    /// Where they are read.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first one after `at`.
    pub fn after(&self, at: Timestamp) -> Timestamp {
        self.nth(self.index(at) + 1)
    }

    /// The last one at or before `at`.
    pub fn before(&self, at: Timestamp) -> Timestamp {
        self.nth(self.index(at))
    }

    /// The end of the window that `at` lies in.
    pub fn end_of(&self, at: Timestamp) -> Timestamp {
        let before = self.before(at);
        if before == at { at } else { self.after(at) }
    }

    /// How many there are behind `since` and up to `until`.
    pub fn between(&self, since: Timestamp, until: Timestamp) -> u64 {
        u64::try_from(self.index(until) - self.index(since)).unwrap_or(0)
    }

    /// Which one is the last at or before `at`, counted from that of the first save's day.
    fn index(&self, at: Timestamp) -> i64 {
        let Some(days) = self.every.days() else {
            return (at.as_millisecond() - self.nth(0).as_millisecond()).div_euclid(self.every.seconds() * 1000);
        };
        let date = self.zone.to_datetime(at).date();
        let since = self.first.date().until(date).map_or(0, |span| i64::from(span.get_days()));
        // the wall clock may stand on either side of `at`'s own date
        let guess = since.div_euclid(days);
        (guess - 1..=guess + 1).rev().find(|k| self.nth(*k) <= at).unwrap_or(guess - 1)
    }

    fn nth(&self, k: i64) -> Timestamp {
        match self.every.days() {
            Some(days) => self.resolve(self.first.saturating_add(Span::new().days(k.saturating_mul(days)))),
            None => self
                .resolve(self.first)
                .saturating_add(jiff::SignedDuration::from_secs(k.saturating_mul(self.every.seconds())))
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// A local time that the clock skips is as much later; of one that comes twice, it is the first.
    fn resolve(&self, local: DateTime) -> Timestamp {
        self.zone.to_ambiguous_timestamp(local).compatible().unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn times(at: &str, every: u64, zone: &str, anchor: &str) -> Times {
        let batch = json!({"at": at, "every_seconds": every, "time_zone": zone, "anchor": anchor});
        Times::of(&serde_json::from_value(batch).unwrap(), TimeZone::UTC)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_one_is_after_now_even_on_the_day_of_the_save() {
        let daily = times("12:00:00", 86_400, "Asia/Shanghai", "2025-02-01");
        assert_eq!(daily.after(at("2025-02-01T03:59:59Z")), at("2025-02-01T04:00:00Z"));
        assert_eq!(daily.after(at("2025-02-01T04:00:00Z")), at("2025-02-02T04:00:00Z"), "its own time has come");
        assert_eq!(daily.end_of(at("2025-02-01T04:00:00Z")), at("2025-02-01T04:00:00Z"), "and ends its window");
    }

    #[test]
    fn intervals_reach_back_before_the_anchor_too() {
        let hourly = times("12:00:00", 3_600, "UTC", "2025-02-01");
        assert_eq!(hourly.after(at("2025-02-01T09:30:00Z")), at("2025-02-01T10:00:00Z"));
        let quarter = times("12:00:00", 900, "UTC", "2025-02-01");
        assert_eq!(quarter.after(at("2024-12-31T23:59:59Z")), at("2025-01-01T00:00:00Z"));
    }

    #[test]
    fn days_follow_the_wall_clock_and_hours_do_not() {
        let daily = times("08:00:00", 86_400, "Europe/Berlin", "2025-03-29");
        assert_eq!(daily.after(at("2025-03-29T07:00:00Z")), at("2025-03-30T06:00:00Z"), "23 hours later");
        assert_eq!(daily.after(at("2025-10-25T06:00:00Z")), at("2025-10-26T07:00:00Z"), "25 hours later");
        let twelve = times("08:00:00", 43_200, "Europe/Berlin", "2025-03-29");
        assert_eq!(twelve.after(at("2025-03-29T19:00:00Z")), at("2025-03-30T07:00:00Z"));
    }

    #[test]
    fn a_local_time_that_is_skipped_is_later_and_one_that_comes_twice_is_the_first() {
        let daily = times("02:30:00", 86_400, "Europe/Berlin", "2025-01-01");
        assert_eq!(daily.after(at("2025-03-29T12:00:00Z")), at("2025-03-30T01:30:00Z"), "03:30 there");
        assert_eq!(daily.after(at("2025-10-25T12:00:00Z")), at("2025-10-26T00:30:00Z"));
        assert_eq!(daily.after(at("2025-10-26T00:30:00Z")), at("2025-10-27T01:30:00Z"));
    }

    #[test]
    fn missed_ones_are_counted() {
        let daily = times("12:00:00", 86_400, "UTC", "2025-02-01");
        assert_eq!(daily.between(at("2025-02-01T12:00:00Z"), at("2025-02-04T12:00:00Z")), 3);
        assert_eq!(daily.between(at("2025-02-01T12:00:00Z"), at("2025-02-02T11:59:59Z")), 0);
    }

    proptest! {
        #[test]
        fn windows_partition_time(
            when in 0_i64..4_000_000_000,
            every in prop::sample::select(vec![60_u64, 61, 1_800, 3_600, 43_200, 86_400, 172_800, 604_800, 31_536_000]),
            zone in prop::sample::select(vec!["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
            at in prop::sample::select(vec!["00:00:00", "02:30:00", "12:00:00", "23:59:59"]),
        ) {
            let times = times(at, every, zone, "2025-02-01");
            let when = Timestamp::from_second(when).unwrap();
            let (before, end) = (times.before(when), times.end_of(when));
            prop_assert!(before <= when && when <= end);
            prop_assert!(times.after(when) > when);
            prop_assert_eq!(times.before(times.after(when)), times.after(when), "a due time is one");
            prop_assert_eq!(times.before(times.after(when) - SignedDuration::from_millis(1)), before, "none lies between");
            prop_assert_eq!(times.between(before, times.after(when)), 1);
        }
    }
}
