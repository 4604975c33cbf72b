//! Digests, which every channel gets in the format that it shows best, in as many parts as it takes.

use std::sync::Arc;

use bellhop_channels::ALL;
use bellhop_core::{
    Timestamp,
    channel::{Params, Spec, Step},
    digest::{
        content::{Content, Gathering},
        wording::{Language, Part, form, parts},
    },
    model::{Because, Entry, EventId, Name, RunResult, Source, Trigger},
};

use super::{channels, context, echo, examples::example, job};

/// An event in a digest, with a word of its own and much that is escaped on the way.
fn entry(number: i64) -> Entry {
    let at = Timestamp::from_second(number).unwrap();
    Entry {
        event: EventId::new(at, 1),
        at,
        source: Source::parse(&format!("站点 {}/\"task\" {}", number % 3, number % 7)).unwrap(),
        result: [None, Some(RunResult::Success), Some(RunResult::Failure)][usize::try_from(number).unwrap() % 3],
        trigger: Trigger::Manual,
        occurred_at: None,
        title: Some("a_b".to_owned()),
        text: format!("<b>签到成功</b> & \"+{number}\" \\ {}", word(number)),
        at_once: true,
        to: Vec::new(),
    }
}

fn word(number: i64) -> String {
    format!("W{number:03}W")
}

fn digest(spec: &Spec) -> Vec<Part> {
    let mut gathering = Gathering::new(Timestamp::UNIX_EPOCH, 200);
    (1..=70).for_each(|number| gathering.add(&entry(number)));
    let (tally, sites, unlisted_sources) = gathering.end();
    let content = Content {
        rule: Name::parse("nightly").unwrap(),
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::from_second(200).unwrap(),
        time_zone: jiff::tz::TimeZone::UTC,
        intervals: 1,
        because: Because::Due,
        tally,
        sites,
        unlisted_sources,
        idle: Vec::new(),
        link: Some("https://bellhop.example.com/".to_owned()),
    };
    parts(&content, Language::Chinese, form(spec.shows), spec.limits.title, spec.limits.part)
}

#[test]
fn every_line_of_a_digest_arrives_in_one_of_its_parts() {
    // what a text message says stands in its template; what is encrypted cannot be read here
    for channel in channels().filter(|channel| !["aliyun_sms", "web_push"].contains(&channel.spec().id)) {
        let spec = channel.spec();
        let mut example = example(channel);
        example.remove("encryption");
        let params = Params::parse(spec, example).unwrap();
        let mut arrived = Vec::new();
        for part in digest(spec) {
            let mut job = job(channel, &part.title, &part.message, form(spec.shows));
            Arc::get_mut(&mut job.event).unwrap().screenshot = None;
            let message = (ALL.render)(&job, spec, None);
            arrived.push(match channel.step(&context(Some("token")), &message, &params, &[]) {
                Step::Call(outgoing) => String::from_utf8(echo(&outgoing)).unwrap(),
                // no limit, nothing is cut
                Step::Mail(_) | Step::Ses(_) | Step::Socket(_) => message.body.clone(),
                step => panic!("{}: {step:?}", spec.id),
            });
        }
        for number in 1..=70 {
            let times = arrived.iter().filter(|part| part.contains(&word(number))).count();
            assert_eq!(times, 1, "{}: {}", spec.id, word(number));
        }
    }
}
