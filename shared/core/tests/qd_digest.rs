//! What QD sent of two users' logs (its `worker.BaseWorker.push_batch` at 22c2d59 was run for that), and what we send of the
//! same: `docs/digests.md` shows both. With `BELLHOP_WRITE_DOCS` the page is written anew, as `cargo xtask docs` does.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{env, fs, path::Path};

use bellhop_core::{
    Timestamp,
    digest::{
        content::{Content, Gathering},
        wording::{Language, Part, parts},
    },
    model::{Because, Entry, EventId, Format, Name, RunResult, Source, Trigger},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

#[derive(Deserialize)]
struct Scenario {
    readers: Vec<Reader>,
}

/// Whose digests they are.
#[derive(Deserialize)]
struct Reader {
    heading: String,
    since: Timestamp,
    until: Timestamp,
    intervals: u64,
    logs: Vec<Log>,
    idle: Vec<Source>,
    /// What QD sent, one after the other.
    qd: Vec<String>,
}

#[derive(Deserialize)]
struct Log {
    at: Timestamp,
    source: Source,
    result: RunResult,
    text: String,
}

fn scenario() -> Scenario {
    serde_json::from_str(include_str!("qd_digest.json")).unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

fn ours(reader: &Reader, language: Language) -> Part {
    let mut gathering = Gathering::new(reader.since, 200);
    for (log, number) in reader.logs.iter().zip(1..) {
        gathering.add(&Entry {
            event: EventId::new(log.at, number),
            at: log.at,
            source: log.source.clone(),
            result: Some(log.result),
            trigger: Trigger::Auto,
            occurred_at: None,
            title: None,
            text: log.text.clone(),
            at_once: false,
            to: Vec::new(),
        });
    }
    let (tally, sites, unlisted_sources) = gathering.end();
    let content = Content {
        rule: Name::parse("QD").unwrap(),
        since: reader.since,
        until: reader.until,
        time_zone: zone(),
        intervals: reader.intervals,
        because: Because::Due,
        tally,
        sites,
        unlisted_sources,
        idle: reader.idle.clone(),
        link: None,
    };
    let [part] = &parts(&content, language, Format::Text, None, None)[..] else { panic!("several parts") };
    part.clone()
}

/// The part of the page between its two marks.
fn section() -> String {
    let shown = |title: &str, message: &str| format!("\n```text\n{title}\n\n{}\n```\n", message.trim_end());
    let told = |reader: Reader| {
        let (chinese, english) = (ours(&reader, Language::Chinese), ours(&reader, Language::English));
        let qd: String = reader.qd.iter().map(|message| shown("QD任务日志定期推送", message)).collect();
        let (chinese, english) = (shown(&chinese.title, &chinese.message), shown(&english.title, &english.message));
        let heading = reader.heading;
        format!("\n### {heading}\n\nQD:\n{qd}\nOurs, to readers of Chinese:\n{chinese}\nOurs, to all others:\n{english}")
    };
    scenario().readers.into_iter().map(told).collect::<String>() + "\n"
}

#[test]
fn the_page_of_digests_shows_what_qd_sends_and_what_we_do() {
    const BEGIN: &str = "<!-- written by `cargo xtask docs` -->\n";
    const END: &str = "<!-- as far as here -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/digests.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, behind) = rest.split_once(END).unwrap();
    if env::var_os("BELLHOP_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{behind}", section())).unwrap();
    } else {
        assert!(shown == section(), "docs/digests.md shows other digests than are sent: run `cargo xtask docs`");
    }
}

#[test]
fn all_that_qd_tells_is_told_by_ours() {
    for reader in scenario().readers {
        let (theirs, ours) = (reader.qd.concat(), ours(&reader, Language::Chinese).message);
        for Log { at, source, text, .. } in &reader.logs {
            let time = at.to_zoned(zone()).strftime("时间: %F %T\n").to_string();
            for told in [time.as_str(), text, source.task()] {
                assert!(theirs.contains(told) && ours.contains(told), "`{told}` in {ours}");
            }
        }
        let idle = "记录期间未执行定时任务，请检查任务!";
        assert_eq!(theirs.matches(idle).count(), ours.matches(idle).count());
        assert_eq!(theirs.matches("时间: ").count(), ours.matches("时间: ").count());
    }
}
