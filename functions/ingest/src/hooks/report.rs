//! What a system's report comes to, and the draft of it. Pure.

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Draft, EventType, Format, Hook, HookKind, Picture, Recipient, RunResult, Source, Trigger},
};
use serde_json::{Map, Value};

/// The most recipients that a report is heard about: as many as an event may name.
const MOST_RECIPIENTS: usize = 1_000;

/// The fields of an event, as far as the report has them.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) source: Option<Source>,
    pub(crate) event_type: Option<EventType>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) result: Option<RunResult>,
    pub(crate) title: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) format: Option<Format>,
    pub(crate) url: Option<String>,
    pub(crate) image_url: Option<String>,
    pub(crate) screenshot: Option<Picture>,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) send_to: Vec<Recipient>,
    pub(crate) is_final: Option<bool>,
    pub(crate) data: Map<String, Value>,
    /// The body says which report it is: the same again is the same report.
    pub(crate) has_identity: bool,
}

impl Report {
    /// Hears those whom the texts name by what could be a name here. All else stays in `data`, behind what the report itself
    /// has there under that name: a hook's path is no key, and has nobody told by a raw address.
    pub(crate) fn name(&mut self, texts: Vec<String>) {
        let mut strangers = Vec::new();
        for text in texts {
            match text.trim().parse() {
                Ok(Recipient::Address(_)) | Err(_) => strangers.push(Value::from(text)),
                Ok(_) if self.send_to.len() >= MOST_RECIPIENTS => strangers.push(Value::from(text)),
                Ok(known) => self.send_to.push(known),
            }
        }
        if strangers.is_empty() {
            return;
        }
        let mut all = match self.data.shift_remove("send_to") {
            Some(Value::Array(said)) => said,
            Some(said) => vec![said],
            None => Vec::new(),
        };
        all.append(&mut strangers);
        self.data.insert("send_to".to_owned(), Value::from(all));
    }

    /// The event, with the hook's defaults where nothing was said. Refused is only what has no text at all.
    pub(crate) fn draft(self, hook: &Hook) -> Result<Draft, Problem> {
        let defaults = hook.defaults.clone();
        let message = self.message.or(defaults.message).or_else(|| self.title.clone()).filter(|text| !text.trim().is_empty());
        let lacking =
            || Problem::field(Code::MissingField, "message", "the report has no text; see what this kind of hook takes");
        Ok(Draft {
            source: self.source.or(defaults.source).unwrap_or_else(|| usual_source(hook.kind)),
            event_type: self.event_type.or(defaults.event_type),
            trigger: self.trigger.or(defaults.trigger).unwrap_or_default(),
            result: self.result.or(defaults.result),
            title: self.title.or(defaults.title),
            format: self.format.or(defaults.format).unwrap_or_default(),
            url: self.url.or(defaults.url),
            image_url: self.image_url.or(defaults.image_url),
            screenshot: self.screenshot,
            occurred_at: self.occurred_at,
            send_to: if self.send_to.is_empty() { defaults.send_to } else { self.send_to },
            is_final: self.is_final.or(defaults.is_final).unwrap_or_default(),
            data: data(self.data, defaults.data),
            ..Draft::new(message.ok_or_else(lacking)?)
        })
    }
}

fn usual_source(kind: HookKind) -> Source {
    let name = match kind {
        HookKind::Bettergi => "BetterGI",
        HookKind::Sqle => "SQLE",
        HookKind::Qd => "QD",
        HookKind::Generic => "default",
    };
    Source::parse(name).unwrap_or_default()
}

/// What was said, over what is usual.
fn data(said: Map<String, Value>, usual: Option<Value>) -> Option<Value> {
    match usual {
        Some(Value::Object(mut usual)) => {
            usual.extend(said);
            Some(Value::Object(usual))
        }
        usual if said.is_empty() => usual,
        _ => Some(Value::Object(said)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hooks::tests::hook;

    fn with_defaults(defaults: Value) -> Hook {
        Hook { defaults: serde_json::from_value(defaults).unwrap(), ..hook(HookKind::Generic) }
    }

    #[test]
    fn defaults_count_where_nothing_was_said() {
        let hook = with_defaults(json!({
            "source": "a/b", "type": "t", "trigger": "manual", "result": "failure", "title": "T", "message": "M", "format": "markdown",
            "url": "app://x", "image_url": "https://e.org/a.png", "send_to": "phone", "final": true, "data": {"a": 1, "b": 1},
        }));
        let usual = Report::default().draft(&hook).unwrap();
        assert_eq!((usual.source.as_str(), usual.message.as_str(), usual.is_final), ("a/b", "M", true));
        assert_eq!(usual.send_to, ["phone".parse().unwrap()]);
        let mut said = Report { message: Some("said".into()), is_final: Some(false), ..Report::default() };
        said.data.insert("b".into(), 2.into());
        said.name(vec!["desk".into()]);
        let said = said.draft(&hook).unwrap();
        assert_eq!((said.message.as_str(), said.is_final, said.data), ("said", false, Some(json!({"a": 1, "b": 2}))));
        assert_eq!(said.send_to, ["desk".parse().unwrap()]);
    }

    #[test]
    fn a_report_names_people_and_no_addresses() {
        let mut report = Report { message: Some("x".into()), ..Report::default() };
        report.name(["alice", "group:ops", "email:a@example.org", "a b"].map(str::to_owned).to_vec());
        let draft = report.draft(&hook(HookKind::Generic)).unwrap();
        assert_eq!(draft.send_to, ["alice", "group:ops"].map(|text| text.parse().unwrap()));
        assert_eq!(draft.data, Some(json!({"send_to": ["email:a@example.org", "a b"]})));
    }

    #[test]
    fn a_reports_own_data_stays_beside_those_who_are_not_told() {
        for (said, both) in [(json!("x"), json!(["x", "a b"])), (json!(["x", 1]), json!(["x", 1, "a b"]))] {
            let mut report = Report::default();
            report.data.insert("send_to".into(), said);
            report.name(vec!["a b".into(), "phone".into()]);
            assert_eq!(report.data["send_to"], both);
        }
    }

    #[test]
    fn what_names_more_than_an_event_may_is_heard_up_to_there() {
        let mut report = Report { message: Some("x".into()), ..Report::default() };
        report.name((0..1_002).map(|number| format!("p{number}")).collect());
        assert_eq!((report.send_to.len(), &report.data["send_to"]), (1_000, &json!(["p1000", "p1001"])));
    }
}
