//! Anything that can be told what to send: the fields of an event as JSON, as a form or in the query, or a bare text.

use bellhop_core::{
    Problem,
    model::{Account, EventType, Format, RunResult, Source, Trigger},
};
use bellhop_http::{
    event::moment,
    message::{image_link, link},
};
use serde::de::{DeserializeOwned, IntoDeserializer, value::StrDeserializer};

use super::{
    incoming::{Body, Incoming},
    report::Report,
};

/// What a report says.
pub(super) fn read(incoming: &Incoming, account: &Account) -> Result<Report, Problem> {
    let body = if incoming.is_plain_text() { Body::Text(incoming.payload.text()?) } else { incoming.body()? };
    let mut said = match body {
        Body::Fields(said) => said,
        Body::Text(text) => return Ok(Report { message: Some(text), ..Report::default() }),
    };
    let zone = account.time_zone();
    let names = said.texts("send_to");
    let mut report = Report {
        source: said.read("source", Source::parse),
        event_type: said.read("type", EventType::parse),
        trigger: said.read("trigger", word::<Trigger>),
        result: said.read("result", RunResult::parse),
        title: said.text("title"),
        message: said.text("message"),
        format: said.read("format", word::<Format>),
        url: said.read("url", |text| link(text.to_owned()).ok()),
        image_url: said.read("image_url", |text| image_link(text.to_owned()).ok()),
        screenshot: said.picture("screenshot"),
        occurred_at: said.read("occurred_at", |text| moment(text, &zone).ok()),
        is_final: said.read("final", |text| text.parse().ok()),
        data: said.rest(),
        ..Report::default()
    };
    report.name(names);
    Ok(report)
}

/// A word of a closed list.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    let word: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(word).ok()
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{Draft, HookKind};
    use serde_json::json;

    use super::*;
    use crate::hooks::tests::{account, hook};

    fn draft(incoming: &Incoming) -> Result<Draft, Problem> {
        let hook = hook(HookKind::Generic);
        read(incoming, &account()).and_then(|report| report.draft(&hook))
    }

    #[test]
    fn the_fields_of_an_event_are_taken_and_others_are_data() {
        let draft = draft(&Incoming::json(&json!({
            "source": "nas/backup", "type": "backup.end", "trigger": "manual", "result": "Fail", "title": "t", "message": "m",
            "format": "markdown", "url": "app://x", "image_url": "https://example.org/a.png", "occurred_at": "2025-02-01 12:34:56",
            "send_to": ["phone"], "final": true, "host": "nas", "data": {"a": 1},
        })));
        let draft = draft.unwrap();
        assert_eq!(
            (draft.source.as_str(), draft.trigger, draft.result),
            ("nas/backup", Trigger::Manual, Some(RunResult::Failure))
        );
        assert_eq!((draft.format, draft.is_final, draft.url.as_deref()), (Format::Markdown, true, Some("app://x")));
        assert_eq!(draft.send_to, ["phone".parse().unwrap()]);
        assert_eq!(draft.data, Some(json!({"a": 1, "host": "nas"})));
    }

    #[test]
    fn what_a_field_cannot_hold_is_data_and_refuses_nothing() {
        let odd = json!({
            "source": {"ip": "x"}, "trigger": "cron", "result": "ok", "message": 5, "url": "x", "image_url": "ftp://x", "final": "no",
        });
        let draft = draft(&Incoming::json(&odd)).unwrap();
        assert_eq!((draft.source.as_str(), draft.message.as_str(), draft.result), ("default", "5", None));
        let mut data = odd;
        data.as_object_mut().unwrap().remove("message");
        assert_eq!(draft.data, Some(data));
    }

    #[test]
    fn a_form_a_query_and_a_text_do_as_well() {
        let form = Some("application/x-www-form-urlencoded");
        let sent = draft(&Incoming::made_of("source=a%2Fb", form, "message=disk+full&result=1&final=true")).unwrap();
        assert_eq!((sent.source.as_str(), sent.message.as_str(), sent.is_final), ("a/b", "disk full", true));
        let text = draft(&Incoming::made_of("", Some("text/plain; charset=utf-8"), "{\"a\":1}")).unwrap();
        assert_eq!(text.message, "{\"a\":1}");
        let title = draft(&Incoming::json(&json!({"title": "only"}))).unwrap();
        assert_eq!((title.title.as_deref(), title.message.as_str()), (Some("only"), "only"));
        for nothing in ["", "{}"] {
            let refused = draft(&Incoming::made_of("", None, nothing)).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some("message"), "{nothing}");
        }
    }
}
