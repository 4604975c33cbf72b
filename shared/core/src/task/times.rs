//! When a task runs, by its schedule. Pure.
//!
//! Promises: the next time lies behind the one that was asked about, and no time between them is left out. Days follow the wall
//! clock: a local time that the clock skips is as much later, of one that comes twice it is the first. Hours are hours: where
//! clocks go back, the minute comes in both.

use jiff::{RoundMode, SignedDuration, Unit, Zoned, ZonedRound, tz::TimeZone};

use crate::{
    Timestamp,
    digest::times::Times,
    model::{Minute, Start, When},
};

/// The first time of a schedule that is saved now; `None`: it never comes.
pub fn first(when: &When, now: Timestamp) -> Option<Timestamp> {
    match when {
        When::Now => Some(now),
        When::At { at } => Some(*at),
        When::Hourly { time_zone, start, .. } | When::Daily { time_zone, start, .. } | When::Cron { time_zone, start, .. } => {
            next(when, earliest(*start, time_zone.zone(), now)?)
        }
    }
}

/// The first time after `at`; `None`: there is none.
pub fn next(when: &When, at: Timestamp) -> Option<Timestamp> {
    match when {
        When::Now | When::At { .. } => None,
        When::Hourly { minute, time_zone, .. } => hourly(*minute, time_zone.zone(), at),
        When::Daily { time, time_zone, .. } => Some(Times::daily(*time, time_zone.zone().clone()).after(at)),
        When::Cron { cron, time_zone, .. } => cron.after(&at.to_zoned(time_zone.zone().clone())),
    }
}

/// The moment behind which the first time lies.
fn earliest(start: Start, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    match start {
        Start::Now => Some(now),
        Start::NextHour => {
            let hour = ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc);
            let begun = now.to_zoned(zone.clone()).round(hour).ok()?.timestamp();
            // the full hour itself is in it
            begun.checked_add(SignedDuration::from_hours(1) - SignedDuration::from_millis(1)).ok()
        }
    }
}

/// By steps of time and not of the wall clock: of an hour that comes twice, both are one.
fn hourly(minute: Minute, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let whole = |at: &Zoned| at.second() == 0 && at.subsec_nanosecond() == 0;
    let local = at.to_zoned(zone.clone());
    // zones have been whole minutes apart for a century
    let into =
        SignedDuration::from_secs(i64::from(local.second())) + SignedDuration::from_nanos(i64::from(local.subsec_nanosecond()));
    let mut guess = at.checked_sub(into).and_then(|start| start.checked_add(SignedDuration::from_mins(1))).ok()?;
    // where clocks move by half an hour, a guess may have to be made again
    for _ in 0..4 {
        let local = guess.to_zoned(zone.clone());
        let ahead = (i64::from(minute.get()) - i64::from(local.minute())).rem_euclid(60);
        if ahead == 0 && whole(&local) {
            return Some(guess);
        }
        guess = guess.checked_add(SignedDuration::from_mins(ahead)).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn when(value: Value) -> When {
        serde_json::from_value(value).unwrap()
    }

    fn hourly_at(minute: u8, zone: &str) -> When {
        when(json!({"kind": "hourly", "minute": minute, "time_zone": zone}))
    }

    fn daily_at(time: &str, zone: &str) -> When {
        when(json!({"kind": "daily", "time": time, "time_zone": zone}))
    }

    fn cron(text: &str, zone: &str) -> When {
        when(json!({"kind": "cron", "cron": text, "time_zone": zone}))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first times after that one.
    fn times<const N: usize>(when: &When, after: &str) -> [String; N] {
        let mut last = at(after);
        std::array::from_fn(|_| {
            last = next(when, last).unwrap();
            last.to_string()
        })
    }

    #[test]
    fn an_hourly_task_at_45_that_is_made_at_5_25_runs_at_5_45() {
        let made = at("2026-03-02T05:25:00+08:00");
        let every = hourly_at(45, "Asia/Shanghai");
        assert_eq!(first(&every, made), Some(at("2026-03-02T05:45:00+08:00")));
        assert_eq!(
            first(&every, at("2026-03-02T05:45:00+08:00")),
            Some(at("2026-03-02T06:45:00+08:00")),
            "its own time has come"
        );
    }

    #[test]
    fn from_the_next_hour_on_it_runs_at_6_45() {
        let every = when(json!({"kind": "hourly", "minute": 45, "time_zone": "Asia/Shanghai", "start": "next_hour"}));
        assert_eq!(first(&every, at("2026-03-02T05:25:00+08:00")), Some(at("2026-03-02T06:45:00+08:00")));
        assert_eq!(first(&every, at("2026-03-02T05:59:59.999+08:00")), Some(at("2026-03-02T06:45:00+08:00")));
        let full = when(json!({"kind": "hourly", "minute": 0, "time_zone": "UTC", "start": "next_hour"}));
        assert_eq!(first(&full, at("2026-03-02T05:25:00Z")), Some(at("2026-03-02T06:00:00Z")), "the full hour is in its hour");
    }

    #[test]
    fn hours_are_read_where_clocks_stand_half_an_hour_apart() {
        assert_eq!(
            times(&hourly_at(45, "Asia/Kolkata"), "2026-03-02T00:00:00Z"),
            ["2026-03-02T00:15:00Z", "2026-03-02T01:15:00Z"]
        );
        // on Lord Howe Island clocks move by half an hour
        let island = hourly_at(15, "Australia/Lord_Howe");
        assert_eq!(
            times(&island, "2026-04-04T13:30:00Z"),
            ["2026-04-04T14:15:00Z", "2026-04-04T15:45:00Z", "2026-04-04T16:45:00Z"]
        );
    }

    #[test]
    fn an_hour_that_comes_twice_has_two_runs_and_one_that_is_skipped_has_none() {
        let berlin = hourly_at(30, "Europe/Berlin");
        let back = ["2025-10-25T23:30:00Z", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-26T02:30:00Z"];
        assert_eq!(times(&berlin, "2025-10-25T23:00:00Z"), back);
        assert_eq!(times(&berlin, "2025-03-30T00:00:00Z"), ["2025-03-30T00:30:00Z", "2025-03-30T01:30:00Z"]);
    }

    #[test]
    fn a_daily_task_follows_the_wall_clock() {
        let daily = daily_at("09:30:00", "Europe/Berlin");
        let spring = ["2025-03-29T08:30:00Z", "2025-03-30T07:30:00Z", "2025-03-31T07:30:00Z"];
        assert_eq!(times(&daily, "2025-03-29T00:00:00Z"), spring);
        let gap = daily_at("02:30:00", "Europe/Berlin");
        assert_eq!(
            times(&gap, "2025-03-29T12:00:00Z"),
            ["2025-03-30T01:30:00Z", "2025-03-31T00:30:00Z"],
            "skipped: as much later"
        );
        assert_eq!(times(&gap, "2025-10-25T12:00:00Z"), ["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"], "twice: the first");
    }

    #[test]
    fn a_cron_expression_follows_the_wall_clock() {
        let workdays = cron("0 9 * * 1-5", "Europe/Berlin");
        // from a Friday, over the night in which clocks go forth
        assert_eq!(times(&workdays, "2025-03-28T09:00:00Z"), ["2025-03-31T07:00:00Z", "2025-04-01T07:00:00Z"]);
        let gap = cron("30 2 * * *", "Europe/Berlin");
        assert_eq!(times(&gap, "2025-10-25T12:00:00Z"), ["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"], "twice: the first");
        let [skipped] = times(&gap, "2025-03-29T12:00:00Z");
        assert!(skipped.starts_with("2025-03-30T01:"), "skipped: later on the same day: {skipped}");
        assert_eq!(times(&cron("*/20 * * * *", "UTC"), "2025-01-01T00:00:00Z"), ["2025-01-01T00:20:00Z", "2025-01-01T00:40:00Z"]);
    }

    #[test]
    fn what_never_comes_has_no_time() {
        assert_eq!(first(&cron("0 0 30 2 *", "UTC"), at("2025-01-01T00:00:00Z")), None);
    }

    #[test]
    fn what_runs_once_has_one_time() {
        let (now, then) = (at("2025-01-01T00:00:00Z"), at("2025-01-02T03:04:05Z"));
        assert_eq!((first(&When::Now, now), next(&When::Now, now)), (Some(now), None));
        let once = When::At { at: then };
        assert_eq!((first(&once, now), next(&once, then)), (Some(then), None));
    }

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in [
            r#"{"kind":"now"}"#,
            r#"{"kind":"at","at":"2026-03-02T05:45:00Z"}"#,
            r#"{"kind":"hourly","minute":45,"time_zone":"Asia/Shanghai","start":"next_hour"}"#,
            r#"{"kind":"daily","time":"09:30:00","time_zone":"UTC","start":"now"}"#,
            r#"{"kind":"cron","cron":"0 9 * * 1-5","time_zone":"America/New_York","start":"now"}"#,
        ] {
            let read: When = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn the_next_time_lies_ahead_and_none_lies_between(
            now in 1_700_000_000_i64..2_000_000_000,
            ms in 0_i64..1_000,
            minute in 0_u8..60,
            zone in prop::sample::select(vec!["UTC", "Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        ) {
            let now = Timestamp::from_millisecond(now * 1_000 + ms).unwrap();
            for every in [hourly_at(minute, zone), daily_at(&format!("02:{minute:02}:00"), zone), cron(&format!("{minute} 2 * * *"), zone)] {
                let then = next(&every, now).unwrap();
                prop_assert!(then > now, "{every:?}");
                prop_assert_eq!(next(&every, then - SignedDuration::from_millis(1)), Some(then), "{:?}", every);
                let longest = if matches!(every, When::Hourly { .. }) { 90 } else { 26 * 60 };
                prop_assert!(then.duration_since(now) <= SignedDuration::from_mins(longest), "{every:?}");
            }
        }
    }
}
