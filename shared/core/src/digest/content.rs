//! What a digest says, before it is put into words: runs by site and task, counted, the newest listed.
//!
//! Promise: it takes bounded memory, however many events there are: all are counted, and the newest `max_lines` are kept.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::{
    Timestamp,
    model::{Because, Entry, EventId, Name, RunResult, Source, Trigger},
};

/// All that one digest tells.
#[derive(Debug, Clone)]
pub struct Content {
    /// Whose events.
    pub rule: Name,
    /// Behind this …
    pub since: Timestamp,
    /// … up to this.
    pub until: Timestamp,
    /// Where times are read.
    pub time_zone: TimeZone,
    /// How many intervals it covers: more than one after the service was down; 0 where it is not the schedule that ended it.
    pub intervals: u64,
    /// Why it ends there.
    pub because: Because,
    /// All that was counted.
    pub tally: Tally,
    /// What happened, by site in the order of their first event. Sources of whose events none is listed are not here.
    pub sites: Vec<Site>,
    /// How many those are.
    pub unlisted_sources: u64,
    /// Sources that were expected and did not run.
    pub idle: Vec<Source>,
    /// Where all of it can be seen.
    pub link: Option<String>,
}

impl Content {
    /// With no more than the `most` newest of its lines; all events are counted as before.
    #[must_use]
    pub fn with_newest(&self, most: usize) -> Self {
        let mut lines: Vec<_> = self.lines().map(|line| line.event).collect();
        lines.sort_unstable_by(|one, other| other.cmp(one));
        lines.truncate(most);
        let oldest = lines.last().copied();
        let mut shorter = self.clone();
        for site in &mut shorter.sites {
            for task in &mut site.tasks {
                task.lines.retain(|line| oldest.is_some_and(|oldest| line.event >= oldest));
            }
            site.tasks.retain(|task| !task.lines.is_empty());
        }
        shorter.sites.retain(|site| !site.tasks.is_empty());
        let tasks = |content: &Self| content.sites.iter().map(|site| site.tasks.len() as u64).sum::<u64>();
        shorter.unlisted_sources += tasks(self) - tasks(&shorter);
        shorter
    }

    /// All that are listed.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.sites.iter().flat_map(|site| &site.tasks).flat_map(|task| &task.lines)
    }
}

/// The tasks of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What stands before the last `/` of their sources; empty for those that have none.
    pub name: String,
    /// In the order of their first event.
    pub tasks: Vec<Task>,
}

/// What happened to one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What stands behind the last `/` of the source.
    pub name: String,
    /// All of its events.
    pub tally: Tally,
    /// The newest of them, the newest last.
    pub lines: Vec<Line>,
}

impl Task {
    /// How many of its events are counted and not listed: earlier ones.
    pub fn unlisted(&self) -> u64 {
        self.tally.total().saturating_sub(self.lines.len() as u64)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub event: EventId,
    /// When it happened, by the reporter's word, or when we took it.
    pub at: Timestamp,
    /// How it went, if it was a run.
    pub result: Option<RunResult>,
    /// Who set it off.
    pub trigger: Trigger,
    /// One line.
    pub title: Option<String>,
    /// The text.
    pub text: String,
    /// It was told of at once, too.
    pub at_once: bool,
    /// It belongs to an earlier digest's time, and arrived too late for that.
    pub is_late: bool,
}

/// How many events went how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Runs that went well.
    pub successes: u64,
    /// Runs that did not, or in part only.
    pub failures: u64,
    /// Events that are no runs.
    pub others: u64,
}

impl Tally {
    /// All of them.
    pub fn total(self) -> u64 {
        self.successes + self.failures + self.others
    }

    fn count(&mut self, result: Option<RunResult>) {
        match result {
            Some(RunResult::Success) => self.successes += 1,
            Some(RunResult::Failure | RunResult::Partial) => self.failures += 1,
            None => self.others += 1,
        }
    }
}

/// Collects entries, in any order.
#[derive(Debug)]
pub struct Gathering {
    since: Timestamp,
    most: usize,
    tally: Tally,
    /// By source, with the time of its first event.
    tasks: BTreeMap<Source, (Timestamp, Tally)>,
    /// The newest entries: by time, then id.
    newest: BTreeMap<(Timestamp, EventId), (Source, Line)>,
}

impl Gathering {
    /// Of what stands behind `since`, or comes late; lists the `most` newest.
    pub fn new(since: Timestamp, most: usize) -> Self {
        Self { since, most, tally: Tally::default(), tasks: BTreeMap::new(), newest: BTreeMap::new() }
    }

    /// One more.
    pub fn add(&mut self, entry: &Entry) {
        self.tally.count(entry.result);
        let (first, tally) = self.tasks.entry(entry.source.clone()).or_insert((entry.at, Tally::default()));
        *first = (*first).min(entry.at);
        tally.count(entry.result);
        let place = (entry.at, entry.event);
        let is_old = self.newest.len() >= self.most && self.newest.first_key_value().is_some_and(|(oldest, _)| place < *oldest);
        if is_old {
            return;
        }
        let line = Line {
            event: entry.event,
            at: entry.occurred_at.unwrap_or(entry.at),
            result: entry.result,
            trigger: entry.trigger,
            title: entry.title.clone(),
            text: entry.text.clone(),
            at_once: entry.at_once,
            is_late: entry.at <= self.since,
        };
        self.newest.insert(place, (entry.source.clone(), line));
        if self.newest.len() > self.most {
            self.newest.pop_first();
        }
    }

    /// Nothing was added.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Every source there was something from.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.tasks.keys()
    }

    /// All that was counted, what is listed of it, and how many sources are not.
    pub fn end(self) -> (Tally, Vec<Site>, u64) {
        let mut listed: BTreeMap<Source, Vec<Line>> = BTreeMap::new();
        for (source, line) in self.newest.into_values() {
            listed.entry(source).or_default().push(line);
        }
        let mut tasks: Vec<_> = self.tasks.into_iter().collect();
        tasks.sort_by_key(|(_, (first, _))| *first);
        let mut sites: Vec<Site> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut unlisted = 0;
        for (source, (_, tally)) in tasks {
            let Some(lines) = listed.remove(&source) else {
                unlisted += 1;
                continue;
            };
            let place = *places.entry(source.site().to_owned()).or_insert_with(|| {
                sites.push(Site { name: source.site().to_owned(), tasks: Vec::new() });
                sites.len() - 1
            });
            sites[place].tasks.push(Task { name: source.task().to_owned(), tally, lines });
        }
        (self.tally, sites, unlisted)
    }
}
