//! `BetterGI`: its webhook, as documented and as it is really sent, and the report of the plugin for bots that its page shows.
//! <https://github.com/huiyadanli/bettergi-docs/blob/main/src/dev/webhook.md>
//!
//! `{"send_to","event","result","timestamp","screenshot","message","data"}`: a result is a word or, since March 2025, a
//! number; a time is `yyyy-MM-dd HH:mm:ss` or, since then, ISO 8601. The plugin's report has `token`, `title`, `content`,
//! `from`, `to` and `to_group` besides.

use bellhop_core::{
    Code, Problem,
    model::{Account, EventType, Hook, RunResult},
};
use bellhop_http::{event::moment, key::proves};

use super::{incoming::Incoming, report::Report, said::Said};

/// What a report says.
pub(super) fn read(incoming: &Incoming, hook: &Hook, account: &Account) -> Result<Report, Problem> {
    let mut said = incoming.fields()?;
    check_token(said.text("token"), hook)?;
    let zone = account.time_zone();
    let (title, content, message) = (said.text("title"), said.text("content"), said.text("message"));
    let names = names(&mut said);
    let mut report = Report {
        event_type: said.read("event", EventType::parse),
        result: said.read("result", RunResult::parse),
        occurred_at: said.read("timestamp", |text| moment(text, &zone).ok()),
        screenshot: said.picture("screenshot"),
        data: said.rest(),
        ..Report::default()
    };
    (report.title, report.message) = match (message, title, content) {
        (Some(message), title, _) => (title, Some(message)),
        (None, Some(title), Some(content)) => (None, Some(format!("{title}\n{content}"))),
        (None, title, content) => (None, title.or(content)),
    };
    report.name(names);
    Ok(report)
}

/// As the plugin does it: who set a token wants it in every report.
fn check_token(shown: Option<String>, hook: &Hook) -> Result<(), Problem> {
    match &hook.report_hash {
        Some(stored) if !proves(&shown.unwrap_or_default(), stored) => {
            Err(Problem::field(Code::Forbidden, "token", "it is not the one that this hook wants; give both the same"))
        }
        Some(_) | None => Ok(()),
    }
}

/// `to` and `to_group` are what the plugin calls `send_to` and `send_to_group`, and count where those are not there.
fn names(said: &mut Said) -> Vec<String> {
    let mut either = |name: &str, alias: &str| if said.has(name) { said.texts(name) } else { said.texts(alias) };
    let mut names = either("send_to", "to");
    names.extend(either("send_to_group", "to_group").into_iter().map(|group| format!("group:{group}")));
    names
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{Draft, HookKind};
    use bellhop_http::key::hash_secret;
    use serde_json::{Value, json};

    use super::*;
    use crate::hooks::tests::{account, hook};

    fn draft(body: &Value) -> Draft {
        let hook = hook(HookKind::Bettergi);
        read(&Incoming::json(body), &hook, &account()).and_then(|report| report.draft(&hook)).unwrap()
    }

    #[test]
    fn the_documented_body_is_read() {
        let draft = draft(&json!({
            "event": "domain.end", "result": "Success", "timestamp": "2025-02-01 12:34:56", "screenshot": "base64EncodedImageString",
            "message": "自动秘境结束", "send_to": "userid",
        }));
        assert_eq!((draft.source.as_str(), draft.message.as_str()), ("BetterGI", "自动秘境结束"));
        assert_eq!(draft.event_type.unwrap().as_str(), "domain.end");
        assert_eq!(draft.result, Some(RunResult::Success));
        assert_eq!(draft.occurred_at.unwrap().to_string(), "2025-02-01T04:34:56Z", "in the account's time zone");
        assert_eq!(draft.send_to, ["userid".parse().unwrap()]);
        assert_eq!(draft.screenshot, None, "a text in the place of a picture");
        assert_eq!(draft.data, Some(json!({"screenshot": "not kept: expected a JPEG, PNG, GIF, WebP or BMP"})));
    }

    #[test]
    fn the_body_that_is_really_sent_is_read() {
        let draft = draft(&json!({
            "send_to": "", "event": "task.error", "result": 1, "timestamp": "2025-12-01T23:37:22.0398671+08:00",
            "screenshot": "/9j/4AAQSkZJRg==", "message": "自动秘境错误", "data": null,
        }));
        assert_eq!((draft.result, draft.send_to, draft.data), (Some(RunResult::Failure), vec![], None));
        assert_eq!(draft.screenshot.unwrap().0.len(), 10);
        assert_eq!(draft.occurred_at.unwrap().to_string(), "2025-12-01T15:37:22.0398671Z");
        assert_eq!(draft.title, None);
    }

    #[test]
    fn the_plugins_report_is_read() {
        let report =
            draft(&json!({"title": "通知", "content": "一条龙结束", "from": 10001, "to": 12345, "to_group": ["678", 9]}));
        assert_eq!((report.title, report.message.as_str()), (None, "通知\n一条龙结束"));
        assert_eq!(report.send_to, ["12345", "group:678", "group:9"].map(|text| text.parse().unwrap()));
        assert_eq!(report.data, Some(json!({"from": 10001})));
        let whole = draft(&json!({"title": "通知", "content": "c", "message": "m", "send_to": [""], "to": "not heard"}));
        assert_eq!((whole.title.as_deref(), whole.message.as_str(), whole.send_to), (Some("通知"), "m", vec![]));
        assert_eq!(draft(&json!({"content": "only"})).message, "only");
    }

    #[test]
    fn what_cannot_be_read_travels_on() {
        let draft = draft(&json!({
            "event": "two words", "result": 7, "timestamp": "yesterday", "screenshot": "%", "message": "m", "data": {"a": 1}, "new": [2],
        }));
        let data = json!({
            "a": 1, "event": "two words", "result": 7, "timestamp": "yesterday",
            "screenshot": "not kept: expected base64, of either alphabet", "new": [2], "to": null,
        });
        let data = Value::Object(data.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect());
        assert_eq!((draft.event_type, draft.result, draft.occurred_at, draft.data), (None, None, None, Some(data)));
    }

    #[test]
    fn a_token_is_wanted_where_the_hook_has_one() {
        let hook = Hook { report_hash: Some(hash_secret("test")), ..hook(HookKind::Bettergi) };
        let read = |body: Value| read(&Incoming::json(&body), &hook, &account()).map(|report| report.data);
        for wrong in [json!({"message": "m"}), json!({"message": "m", "token": "other"})] {
            assert_eq!(read(wrong).unwrap_err().code, Code::Forbidden);
        }
        assert!(read(json!({"message": "m", "token": "test"})).unwrap().is_empty(), "and it is not kept");
    }

    #[test]
    fn a_report_without_a_text_is_refused() {
        let hook = hook(HookKind::Bettergi);
        let refused = read(&Incoming::json(&json!({"event": "a"})), &hook, &account()).and_then(|report| report.draft(&hook));
        assert_eq!(refused.unwrap_err().field.as_deref(), Some("message"));
    }
}
