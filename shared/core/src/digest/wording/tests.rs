mod examples;
mod properties;

use jiff::tz::TimeZone;

use super::*;
use crate::{
    digest::content::Gathering,
    model::{Entry, EventId, Name, RunResult, Source, Trigger},
};

pub(super) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A run at that second of an hour, and what it said.
pub(super) fn entry(second: i64, source: &str, result: Option<RunResult>, text: &str) -> Entry {
    let at = at("2026-11-22T04:00:00Z") + jiff::SignedDuration::from_secs(second);
    Entry {
        event: EventId::new(at, u128::try_from(second).unwrap()),
        at,
        source: Source::parse(source).unwrap(),
        result,
        trigger: Trigger::Auto,
        occurred_at: None,
        title: None,
        text: text.to_owned(),
        at_once: false,
        to: Vec::new(),
    }
}

/// A digest of an hour, that lists so many.
pub(super) fn content<'a>(entries: impl IntoIterator<Item = &'a Entry>, most: usize) -> Content {
    let (since, until) = (at("2026-11-22T04:00:00Z"), at("2026-11-22T05:00:00Z"));
    let mut gathering = Gathering::new(since, most);
    entries.into_iter().for_each(|entry| gathering.add(entry));
    let (tally, sites, unlisted_sources) = gathering.end();
    Content {
        rule: Name::parse("nightly").unwrap(),
        since,
        until,
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        intervals: 1,
        because: Because::Due,
        tally,
        sites,
        unlisted_sources,
        idle: Vec::new(),
        link: None,
    }
}

/// The only part of a digest without limits.
pub(super) fn whole(content: &Content, language: Language, format: Format) -> Part {
    let [part] = &parts(content, language, format, None, None)[..] else { panic!("several parts") };
    part.clone()
}
