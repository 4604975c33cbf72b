//! Tasks of every kind on the calendar. What is judged: their runs are those that a clock on the wall has, found by looking at every
//! minute there is, each once; whoever looks too late leaves out what the task wants left out, and nothing else.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use bellhop_core::{
    Timestamp,
    model::{CatchUp, EventId, Task, TaskId, TaskName, When},
    ports::Ports,
    task::{self, Wish},
};
use jiff::{Zoned, tz::TimeZone};
use serde_json::json;

use crate::{account, draft};

/// What the clock has to look like.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// That minute, of any hour.
    Minute(i8),
    /// That minute, from the hour that begins next.
    MinuteFromNextHour(i8),
    /// That hour and minute.
    Day(i8, i8),
    /// That hour, from Monday to Friday.
    Workday(i8),
    /// As soon as it is made.
    Now,
    /// Once.
    Once,
}

/// A task with what is to come of it.
#[derive(Debug)]
struct Known {
    id: TaskId,
    look: Look,
    zone: TimeZone,
    catch_up: CatchUp,
    max_runs: Option<u32>,
    /// Of a time that the clock skips: how long after midnight it is made up for.
    owed: Option<i64>,
    /// The day on which it ran last, where it runs once a day.
    day: Option<jiff::civil::Date>,
    before: Option<Zoned>,
    /// The hour in which it was made, until that is over.
    made_in: Option<i8>,
    /// Times that have come since somebody looked.
    due: Vec<Timestamp>,
    /// Times that are to be runs.
    runs: Vec<Timestamp>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Tasks(Vec<Known>);

/// Their looks, zones, what they want caught up with, and how often they run.
const KINDS: [(Look, &str, CatchUp, Option<u32>); 10] = [
    (Look::Minute(45), "Asia/Kolkata", CatchUp::One, None),
    (Look::Minute(15), "Australia/Lord_Howe", CatchUp::None, None),
    (Look::Minute(0), "UTC", CatchUp::All, Some(700)),
    (Look::Day(2, 30), "Europe/Berlin", CatchUp::One, None),
    (Look::Day(1, 30), "America/New_York", CatchUp::All, None),
    (Look::Day(9, 30), "Asia/Shanghai", CatchUp::None, Some(20)),
    (Look::Workday(9), "Europe/Berlin", CatchUp::One, None),
    (Look::Once, "UTC", CatchUp::One, None),
    (Look::Now, "UTC", CatchUp::One, None),
    // made at half past the hour; what comes after its first runs is told by the kinds above
    (Look::MinuteFromNextHour(45), "Asia/Kolkata", CatchUp::One, Some(3)),
];

impl Tasks {
    pub(super) async fn make(ports: &Ports) -> Self {
        let mut all = Vec::new();
        for (number, (look, zone, catch_up, max_runs)) in KINDS.into_iter().enumerate() {
            let schedule = match look {
                Look::Minute(minute) => json!({"kind": "hourly", "minute": minute, "time_zone": zone}),
                Look::MinuteFromNextHour(minute) => {
                    json!({"kind": "hourly", "minute": minute, "time_zone": zone, "start": "next_hour"})
                }
                Look::Day(hour, minute) => {
                    json!({"kind": "daily", "time": format!("{hour:02}:{minute:02}:00"), "time_zone": zone})
                }
                Look::Workday(hour) => json!({"kind": "cron", "cron": format!("0 {hour} * * 1-5"), "time_zone": zone}),
                Look::Now => json!({"kind": "now"}),
                Look::Once => json!({"kind": "at", "at": ports.clock.now() + Duration::from_mins(90)}),
            };
            let schedule: When = serde_json::from_value(schedule).expect("a schedule");
            let name = TaskName::parse(&format!("task {number}")).expect("a name");
            let most = max_runs.and_then(NonZeroU32::new);
            let wish = Wish { name, message: draft("x"), params: None, schedule, max_runs: most, catch_up };
            let task = task::make(ports, &account(), wish, None).await.expect("it is made");
            all.push(Known::new(&task, look, TimeZone::get(zone).expect("a zone"), max_runs));
        }
        Self(all)
    }

    /// Every minute behind `since` and up to `until` has come.
    pub(super) fn come(&mut self, since: Timestamp, until: Timestamp) {
        let minute = 60_000;
        let mut at = (since.as_millisecond().div_euclid(minute) + 1) * minute;
        while at <= until.as_millisecond() {
            let moment = Timestamp::from_millisecond(at).expect("a time");
            self.0.iter_mut().for_each(|known| known.comes(moment));
            at += minute;
        }
    }

    /// Somebody looks.
    pub(super) fn looked_at(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|known| known.looked_at(now));
    }

    /// Ends them all: nobody counts what would be made up for later.
    pub(super) async fn cancel(&self, ports: &Ports) {
        for known in &self.0 {
            task::cancel(ports, &account(), known.id).await.expect("it is cancelled");
        }
    }

    /// Answers how many runs there were.
    pub(super) async fn judge(&self, ports: &Ports) -> usize {
        let mut count = 0;
        for known in &self.0 {
            let runs = runs(ports, known.id).await;
            let (had, wanted, what) = (runs.len(), known.runs.len(), (known.look, known.catch_up));
            let wrong = runs.iter().zip(&known.runs).find(|(run, wanted)| run != wanted);
            assert!(runs == known.runs, "{what:?}: {had} runs, {wanted} by the clock; the first that differ: {wrong:?}");
            count += runs.len();
        }
        count
    }
}

/// The times of all runs of a task whose events are there, each with one delivery; in order.
async fn runs(ports: &Ports, id: TaskId) -> Vec<Timestamp> {
    let (mut times, mut events, mut before) = (Vec::new(), BTreeSet::new(), None::<EventId>);
    loop {
        let page = ports.tasks.runs(&account(), id, before, 200).await.expect("the store does not fail");
        let Some(last) = page.last() else { break };
        before = Some(last.event);
        for run in page {
            let stored = ports.events.get(&account(), run.event).await.expect("the store does not fail");
            assert_eq!(stored.expect("a run is an event").plan.deliveries.len(), 1);
            assert!(events.insert(run.event));
            times.push(run.at);
        }
    }
    times.sort_unstable();
    times
}

impl Known {
    fn new(task: &Task, look: Look, zone: TimeZone, max_runs: Option<u32>) -> Self {
        let due = match look {
            Look::Now => vec![task.updated_at],
            Look::Once => task.next_run.into_iter().collect(),
            Look::Minute(_) | Look::MinuteFromNextHour(_) | Look::Day(..) | Look::Workday(_) => Vec::new(),
        };
        let (id, catch_up) = (task.id, task.catch_up);
        let made_in = Some(task.updated_at.to_zoned(zone.clone()).hour());
        Self { id, look, zone, catch_up, max_runs, owed: None, day: None, before: None, made_in, due, runs: Vec::new() }
    }

    /// Whether the clock looks like that now.
    fn comes(&mut self, at: Timestamp) {
        let local = at.to_zoned(self.zone.clone());
        let of_day = |local: &Zoned| i64::from(local.hour()) * 60 + i64::from(local.minute());
        let is_it = match self.look {
            Look::Minute(minute) => local.minute() == minute,
            Look::MinuteFromNextHour(minute) => {
                self.made_in = self.made_in.filter(|hour| *hour == local.hour());
                self.made_in.is_none() && local.minute() == minute
            }
            Look::Workday(hour) => local.hour() == hour && local.minute() == 0 && local.weekday().to_monday_one_offset() <= 5,
            Look::Now | Look::Once => false,
            Look::Day(hour, minute) => {
                let wanted = i64::from(hour) * 60 + i64::from(minute);
                let skipped = self.before.as_ref().map(|before| (of_day(before) + 1, of_day(&local)));
                if let Some((from, to)) = skipped.filter(|(from, to)| from < to && (*from..*to).contains(&wanted)) {
                    self.owed = Some(wanted + to - from);
                }
                let is_owed = self.owed == Some(of_day(&local));
                let is_first = self.day != Some(local.date());
                (of_day(&local) == wanted || is_owed) && is_first
            }
        };
        if is_it {
            self.day = Some(local.date());
            self.owed = None;
            self.due.push(at);
        }
        self.before = Some(local);
    }

    fn looked_at(&mut self, now: Timestamp) {
        let come: Vec<_> = self.due.extract_if(.., |at| *at <= now).collect();
        let is_late = |at: &Timestamp| *at + Duration::from_mins(5) < now;
        let runs: Vec<_> = match (self.catch_up, &come[..]) {
            (_, []) => Vec::new(),
            (CatchUp::All, all) => all.to_vec(),
            (CatchUp::One, [first, ..]) => vec![*first],
            // the last one, if that is not over
            (CatchUp::None, [.., last]) => Some(*last).into_iter().filter(|last| !is_late(last)).collect(),
        };
        let left = self.max_runs.map_or(usize::MAX, |most| usize::try_from(most).expect("few") - self.runs.len());
        self.runs.extend(runs.into_iter().take(left));
    }
}
