//! QD's custom push: `t` (its title) and `log`, wherever its owner put `{t}` and `{log}`: in the query, in JSON or in a form.
//! <https://qd-today.github.io/qd/toolbox/pusher.html>

use bellhop_core::{
    Code, Problem,
    model::{Account, EventType, RunResult, Source, Trigger},
};

use bellhop_http::event::moment;
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::{
    incoming::{Body, Incoming},
    report::Report,
};

/// What QD says of a task that it has given up.
const GIVEN_UP: &str = "任务已禁用";

/// The title of the test on its page for custom pushes.
const TEST: &str = "推送测试";

/// How much of a source that is too long stays: with the hash of all of it, as much as a source may have.
const LONGEST_START: usize = 256 - 1 - 16;

/// What a report says.
pub(super) fn read(incoming: &Incoming, account: &Account) -> Result<Report, Problem> {
    let body = match incoming.body() {
        // QD fills titles into JSON as they are: better a message with braces than none
        Err(problem) if problem.code == Code::MalformedJson => Body::Text(incoming.payload.text()?),
        body => body?,
    };
    let (title, log, data) = match body {
        Body::Fields(mut said) => (said.text("t"), said.text("log"), said.rest()),
        Body::Text(text) => (None, Some(text), Map::new()),
    };
    let title = title.map(|title| title.trim().to_owned());
    let message = log.as_deref().map(lines).filter(|text| !text.is_empty());
    let run = title.as_deref().and_then(run);
    let zone = account.time_zone();
    let first = message.as_deref().and_then(|text| text.lines().next());
    let is_test = title.as_deref() == Some(TEST);
    Ok(Report {
        source: run.as_ref().and_then(|run| source(&run.source)),
        event_type: is_test.then(|| EventType::parse(EventType::TEST)).flatten(),
        trigger: run.as_ref().map(|run| run.trigger),
        result: run.as_ref().map(|run| run.result),
        occurred_at: first.and_then(|line| moment(line.trim(), &zone).ok()),
        is_final: (run.is_some() && message.as_deref() == Some(GIVEN_UP)).then_some(true),
        title,
        message,
        data,
        ..Report::default()
    })
}

/// A source, cut if it is too long: tasks whose notes begin alike stay apart, for each has failures of its own.
fn source(text: &str) -> Option<Source> {
    let text = text.replace(char::is_control, " ");
    Source::parse(&text).or_else(|| {
        let start: String = text.chars().take(LONGEST_START).collect();
        let mut hash = [0; 8];
        hash.copy_from_slice(&Sha256::digest(&text)[..8]);
        Source::parse(&format!("{start}~{:016x}", u64::from_be_bytes(hash)))
    })
}

/// QD separates lines by the four characters `\r\n`, and puts a backslash before quotes, since it writes into JSON.
fn lines(log: &str) -> String {
    let log = log.replace("\\r\\n", "\n").replace("\r\n", "\n").replace("\\\"", "\"");
    log.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What a title tells of a run.
#[derive(Debug, PartialEq)]
struct Run {
    source: String,
    trigger: Trigger,
    result: RunResult,
}

/// `QD定时任务 {site}-{note} 成功`, without 定时 for what a person started, with 失败 for what failed.
fn run(title: &str) -> Option<Run> {
    let rest = title.strip_prefix("QD")?;
    let (trigger, rest) = match rest.strip_prefix("定时") {
        Some(rest) => (Trigger::Auto, rest),
        None => (Trigger::Manual, rest),
    };
    let (task, word) = rest.strip_prefix("任务 ")?.rsplit_once(' ')?;
    let result = match word {
        "成功" => RunResult::Success,
        "失败" => RunResult::Failure,
        _ => return None,
    };
    // a note may have a `-`, a site seldom has
    let source = match task.trim().split_once('-') {
        Some((site, note)) if !note.is_empty() => format!("QD/{site}/{note}"),
        Some((site, _)) => format!("QD/{site}"),
        None => format!("QD/{}", task.trim()),
    };
    Some(Run { source, trigger, result })
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{Draft, HookKind};
    use serde_json::json;

    use super::*;
    use crate::hooks::tests::{account, hook};

    fn draft(incoming: &Incoming) -> Draft {
        let hook = hook(HookKind::Qd);
        read(incoming, &account()).and_then(|report| report.draft(&hook)).unwrap()
    }

    #[test]
    fn a_title_gives_source_trigger_and_result() {
        let run_of = |source: &str, trigger, result| Some(Run { source: source.into(), trigger, result });
        for (title, expected) in [
            ("QD定时任务 SiteA-main 成功", run_of("QD/SiteA/main", Trigger::Auto, RunResult::Success)),
            ("QD任务 SiteA-main 失败", run_of("QD/SiteA/main", Trigger::Manual, RunResult::Failure)),
            ("QD定时任务 My Site-a-b c 失败", run_of("QD/My Site/a-b c", Trigger::Auto, RunResult::Failure)),
            ("QD定时任务 SiteA- 成功", run_of("QD/SiteA", Trigger::Auto, RunResult::Success)),
            ("QD任务日志定期推送", None),
            ("推送测试", None),
            ("QD定时任务 SiteA-main", None),
        ] {
            assert_eq!(run(title), expected, "{title}");
        }
    }

    #[test]
    fn the_three_forms_of_a_custom_push_say_the_same() {
        let title = "QD%E5%AE%9A%E6%97%B6%E4%BB%BB%E5%8A%A1+SiteA-main+%E5%A4%B1%E8%B4%A5"; // QD定时任务 SiteA-main 失败
        let log = "2026-11-22+05:20:58+%5Cr%5Cn%E6%97%A5%E5%BF%97%EF%BC%9A%5C%22403%5C%22"; // … \r\n日志：\"403\"
        let form = Some("application/x-www-form-urlencoded; charset=UTF-8");
        let json = json!({"t": "QD定时任务 SiteA-main 失败", "log": "2026-11-22 05:20:58 \r\n日志：\"403\""});
        for incoming in [
            Incoming::made_of(&format!("t={title}&log={log}"), None, ""),
            Incoming::made_of("", form, format!("t={title}&log={log}")),
            Incoming::json(&json),
        ] {
            let draft = draft(&incoming);
            assert_eq!(draft.message, "2026-11-22 05:20:58\n日志：\"403\"");
            assert_eq!((draft.source.as_str(), draft.result), ("QD/SiteA/main", Some(RunResult::Failure)));
            assert_eq!(draft.title.as_deref(), Some("QD定时任务 SiteA-main 失败"));
            assert_eq!(draft.occurred_at.unwrap().to_string(), "2026-11-21T21:20:58Z");
        }
    }

    #[test]
    fn tasks_with_long_notes_that_begin_alike_stay_apart() {
        let of = |last: &str| {
            let title = format!("QD定时任务 SiteA-{}{last} 失败", "长".repeat(300));
            draft(&Incoming::json(&json!({"t": title, "log": "x"}))).source
        };
        let (one, other) = (of("a"), of("b"));
        assert!(one != other && one == of("a") && one.as_str().starts_with("QD/SiteA/长"), "{one:?}");
        assert_eq!(one.as_str().chars().count(), 256);
    }

    #[test]
    fn json_that_a_title_broke_is_the_message() {
        let broken = r#"{"t": "QD任务 "a"-b 成功", "log": "x"}"#;
        assert_eq!(draft(&Incoming::made_of("", Some("application/x-www-form-urlencoded"), broken)).message, broken);
    }

    #[test]
    fn a_task_that_was_given_up_is_final() {
        let given_up = draft(&Incoming::json(&json!({"t": "QD定时任务 SiteA-main 失败", "log": " \r\n任务已禁用"})));
        assert_eq!((given_up.is_final, given_up.message.as_str()), (true, GIVEN_UP));
    }

    #[test]
    fn the_test_of_its_page_is_a_test_and_other_titles_are_no_runs() {
        let test = draft(&Incoming::json(&json!({"t": "推送测试", "log": "2026-11-22 05:20:58"})));
        assert_eq!(test.event_type.unwrap().as_str(), EventType::TEST);
        assert_eq!(test.occurred_at.unwrap().to_string(), "2026-11-21T21:20:58Z");
        let digest = draft(&Incoming::json(&json!({"t": "QD任务日志定期推送", "log": "x", "user": 7})));
        assert_eq!((digest.source.as_str(), digest.result, digest.data), ("QD", None, Some(json!({"user": 7}))));
    }
}
