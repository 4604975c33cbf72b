//! SQLE's webhook: `{"event","action","timestamp","payload":{"workflow":{…}}}`, or `{"audit_plan":{…}}` for scans.
//! <https://github.com/actiontech/dms> sends it, without a `Content-Type` and with `Authorization: Bearer` if it was given a
//! token; its test is the bare text `hello`. It names nobody: the hook's `recipients` say who hears of what.

use bellhop_core::{
    Code, Problem,
    channel::Text,
    hooks,
    model::{Account, EventType, Hook, HookKind, RunResult, Source, Trigger},
};
use bellhop_http::{event::moment, key::proves};
use serde_json::{Map, Value};

use super::{
    incoming::{Body, Incoming},
    report::Report,
    said::Said,
};

/// What a report says.
pub(super) fn read(incoming: &Incoming, hook: &Hook, account: &Account) -> Result<Report, Problem> {
    check_token(incoming.bearer(), hook)?;
    let mut said = match incoming.body()? {
        Body::Fields(said) => said,
        Body::Text(text) => {
            let event_type = EventType::parse(EventType::TEST);
            return Ok(Report { event_type, message: Some(text), ..Report::default() });
        }
    };
    let lacking = |field| Problem::field(Code::MissingField, field, "it has to be there");
    let event = said.text("event").ok_or_else(|| lacking("event"))?;
    let action = said.text("action").ok_or_else(|| lacking("action"))?;
    let zone = account.time_zone();
    let occurred_at = said.read("timestamp", |text| moment(text, &zone).ok());
    let mut payload = said.object("payload").unwrap_or_default();
    let about = Subject::of(&mut payload);
    let link = link(hook, &about);
    let mut data = said.rest();
    data.extend([("event", &event), ("action", &action)].map(|(name, word)| (name.to_owned(), Value::from(word.as_str()))));
    if !about.fields.is_empty() {
        data.insert(about.kind.field().to_owned(), Value::Object(about.fields.clone()));
    }
    data.extend(payload);
    let to = hook.recipients.iter().filter(|route| route.leads(&action, &about.projects(), about.step));
    Ok(Report {
        source: about.project.as_deref().and_then(|project| Source::parse(&format!("SQLE/{project}"))),
        event_type: EventType::parse(&format!("{event}.{action}")),
        trigger: action.starts_with("auto_").then_some(Trigger::Auto),
        result: result(&action),
        title: Some(title(&event, &action, &about, account)),
        message: Some(message(&about, link.as_deref(), &account.locale).unwrap_or_else(|| format!("{event}: {action}"))),
        url: link,
        occurred_at,
        send_to: to.flat_map(|route| route.to.clone()).collect(),
        has_identity: occurred_at.is_some() && about.id.is_some(),
        data,
        ..Report::default()
    })
}

fn check_token(shown: Option<&str>, hook: &Hook) -> Result<(), Problem> {
    match &hook.report_hash {
        Some(stored) if !proves(shown.unwrap_or_default(), stored) => {
            let detail = "its token is not the one that this hook wants; give both the same";
            Err(Problem::field(Code::Forbidden, "Authorization", detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn result(action: &str) -> Option<RunResult> {
    match action {
        "exec_success" | "auto_exec_success" => Some(RunResult::Success),
        "exec_failed" | "auto_exec_failed" => Some(RunResult::Failure),
        _ => None,
    }
}

/// What a report may be about.
#[derive(Clone, Copy)]
enum Kind {
    Workflow,
    Scan,
}

impl Kind {
    /// Where the payload has it.
    fn field(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Scan => "audit_plan",
        }
    }
}

/// What a report is about.
struct Subject {
    kind: Kind,
    project: Option<String>,
    project_id: Option<String>,
    id: Option<String>,
    step: Option<u64>,
    status: Option<String>,
    fields: Map<String, Value>,
}

impl Subject {
    fn of(payload: &mut Map<String, Value>) -> Self {
        let mut said = Said::new(std::mem::take(payload));
        let (kind, fields) = match said.object(Kind::Workflow.field()) {
            Some(workflow) => (Kind::Workflow, workflow),
            None => (Kind::Scan, said.object(Kind::Scan.field()).unwrap_or_default()),
        };
        *payload = said.rest();
        let mut known = Said::new(fields.clone());
        Self {
            kind,
            project: known.text("project_name"),
            project_id: known.text("project_uid"),
            id: known.text("workflow_id"),
            step: known.read("current_step_info", |text| text.parse().ok()),
            status: known.text("workflow_status"),
            fields,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn projects(&self) -> Vec<&str> {
        [&self.project, &self.project_id].into_iter().flatten().map(String::as_str).collect()
    }

    /// The data sources of a workflow, one text each.
    fn instances(&self) -> Vec<String> {
        let instances = self.fields.get("instanceInfo").and_then(Value::as_array).into_iter().flatten();
        instances
            .filter_map(|instance| {
                let text = |name: &str| match instance.get(name) {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    _ => String::new(),
                };
                let place =
                    [text("host"), text("port")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":");
                let parts = [place, text("schema"), text("desc")].into_iter().filter(|part| !part.is_empty());
                let whole = parts.collect::<Vec<_>>().join(" / ");
                (!whole.is_empty()).then_some(whole)
            })
            .collect()
    }
}

/// Where the workflow is shown. What was sent in 2023 had the project's id for its name.
fn link(hook: &Hook, about: &Subject) -> Option<String> {
    let (base, workflow) = (hook.link_base_url.as_ref()?, about.id.as_ref()?);
    let project = about.project_id.as_ref().or(about.project.as_ref())?;
    let mut url = url::Url::parse(base).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["project", project, "exec-workflow", workflow]);
    Some(url.into())
}

/// What SQLE calls it in its own notifications; after an approval it depends on what comes next.
fn title(event: &str, action: &str, about: &Subject, account: &Account) -> String {
    let waits_for = match (event, action, about.status.as_deref()) {
        ("workflow", "create" | "approve", Some("wait_for_audit")) => "create",
        ("workflow", "create" | "approve", Some("wait_for_execution")) => "approve",
        _ => action,
    };
    let label = hooks::label(HookKind::Sqle, &format!("{event}.{waits_for}"), &account.locale);
    label.map_or_else(|| format!("SQLE {event}: {action}"), str::to_owned)
}

const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

const SUBJECT: Text = text("Subject", "工单主题");
const ID: Text = text("Workflow", "工单ID");
const DESCRIPTION: Text = text("Description", "工单描述");
const PROJECT: Text = text("Project", "所属项目");
const INSTANCE: Text = text("Data source", "数据源");
const LINK: Text = text("Link", "工单链接");
const COLON: Text = text(": ", "：");

/// A line for each thing that is known.
fn message(about: &Subject, link: Option<&str>, locale: &str) -> Option<String> {
    let written = |name: &str, value: &str| format!("- {name}{}{value}", COLON.in_language(locale));
    let lines: Vec<_> = match about.kind {
        Kind::Workflow => {
            let known = [
                (SUBJECT, about.text("workflow_subject")),
                (ID, about.id.as_deref()),
                (DESCRIPTION, about.text("workflow_desc")),
                (PROJECT, about.project.as_deref()),
            ];
            let known = known.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned())));
            let instances = about.instances().into_iter().map(|instance| (INSTANCE, instance));
            let all = known.chain(instances).chain(link.map(|link| (LINK, link.to_owned())));
            all.map(|(name, value)| written(name.in_language(locale), &value)).collect()
        }
        // their fields are not documented: all that are texts or numbers
        Kind::Scan => {
            let scalars = about.fields.iter().filter_map(|(name, value)| match value {
                Value::String(text) => Some(written(name, text)),
                Value::Number(number) => Some(written(name, &number.to_string())),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            });
            scalars.collect()
        }
    };
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::Draft;
    use bellhop_http::key::hash_secret;
    use serde_json::json;

    use super::*;
    use crate::hooks::tests::{account, hook};

    fn sqle() -> Hook {
        let recipients = json!([
            {"action": "create", "step": 1, "to": ["contact:t1"]},
            {"action": "approve", "project": "700300", "to": ["contact:admin", "group:dba"]},
            {"action": "exec_*", "project": "other", "to": "nobody"},
        ]);
        let recipients = serde_json::from_value(recipients).unwrap();
        Hook { recipients, link_base_url: Some("https://sqle.example.org/dms".into()), ..hook(HookKind::Sqle) }
    }

    fn workflow(action: &str, status: &str) -> Value {
        json!({"event": "workflow", "action": action, "timestamp": "2025-02-01T12:34:56+08:00", "payload": {"workflow": {
            "project_name": "default", "project_uid": "700300", "workflow_id": "1757", "workflow_subject": "加一列",
            "workflow_status": status, "current_step_info": 1, "workflow_task_id": 9, "workflow_desc": "",
            "instanceInfo": [{"host": "10.0.0.1", "schema": "shop", "port": "3306", "desc": "prod"}], "sql_type_map": {"ddl": true},
        }}})
    }

    fn report(body: &Value, account: &Account) -> Report {
        read(&Incoming::json(body), &sqle(), account).unwrap()
    }

    fn draft(body: &Value) -> Draft {
        report(body, &account()).draft(&sqle()).unwrap()
    }

    #[test]
    fn a_workflow_reads_as_in_sqles_own_notifications_with_its_link() {
        let body = workflow("create", "wait_for_audit");
        let draft = draft(&body);
        assert_eq!((draft.source.as_str(), draft.event_type.unwrap().as_str()), ("SQLE/default", "workflow.create"));
        assert_eq!(draft.title.as_deref(), Some("SQL工单待审批"));
        let link = "https://sqle.example.org/dms/project/700300/exec-workflow/1757";
        let lines = ["- 工单主题：加一列", "- 工单ID：1757", "- 所属项目：default", "- 数据源：10.0.0.1:3306 / shop / prod"];
        assert_eq!(draft.message, format!("{}\n- 工单链接：{link}", lines.join("\n")));
        assert_eq!((draft.url.as_deref(), draft.result), (Some(link), None));
        assert_eq!(draft.occurred_at.unwrap().to_string(), "2025-02-01T04:34:56Z");
        let data = json!({"event": "workflow", "action": "create", "workflow": body["payload"]["workflow"]});
        assert_eq!(draft.data, Some(data));
    }

    #[test]
    fn the_language_is_the_accounts() {
        let english = report(&workflow("exec_failed", "exec_failed"), &Account { locale: "en".into(), ..account() });
        assert_eq!(english.title.as_deref(), Some("SQL workflow failed to execute"));
        assert!(english.message.unwrap().starts_with("- Subject: 加一列\n- Workflow: 1757\n- Project: default\n"));
    }

    #[test]
    fn recipients_follow_from_action_project_and_step() {
        let to = |action| draft(&workflow(action, "")).send_to.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(to("create"), ["contact:t1"]);
        assert_eq!(to("approve"), ["contact:admin", "group:dba"]);
        assert_eq!((to("exec_success"), to("cancel")), (vec![], vec![]));
    }

    #[test]
    fn each_action_has_its_title_and_a_run_its_result() {
        for (action, status, title, result) in [
            ("create", "wait_for_execution", "SQL工单待上线", None),
            ("approve", "wait_for_execution", "SQL工单待上线", None),
            ("approve", "wait_for_audit", "SQL工单待审批", None),
            ("reject", "rejected", "SQL工单已被驳回", None),
            ("exec_success", "finished", "SQL工单上线成功", Some(RunResult::Success)),
            ("exec_failed", "exec_failed", "SQL工单上线失败", Some(RunResult::Failure)),
            ("cancel", "canceled", "SQL工单已关闭", None),
            ("complete", "finished", "SQL工单标记为人工上线", None),
            ("auto_exec_success", "finished", "SQL工单定时上线成功", Some(RunResult::Success)),
            ("auto_exec_failed", "exec_failed", "SQL工单定时上线失败", Some(RunResult::Failure)),
            ("terminate", "", "SQLE workflow: terminate", None),
        ] {
            let draft = draft(&workflow(action, status));
            assert_eq!((draft.title.as_deref(), draft.result), (Some(title), result), "{action} {status}");
        }
    }

    #[test]
    fn what_was_sent_in_2023_and_scans_are_events_too() {
        let old = draft(&json!({"event": "workflow", "action": "reject", "timestamp": "2023-02-01T12:34:56+08:00", "payload":
            {"workflow": {"project_name": "700300", "workflow_id": "1", "workflow_subject": "s", "workflow_status": "rejected"}}}));
        assert_eq!(old.url.as_deref(), Some("https://sqle.example.org/dms/project/700300/exec-workflow/1"));
        let scan = draft(&json!({"event": "auditplan", "action": "manually-audit", "timestamp": "2025-02-01T12:34:56+08:00",
            "payload": {"audit_plan": {"project_name": "default", "audit_plan_name": "nightly", "score": 90}}}));
        assert_eq!((scan.source.as_str(), scan.title.as_deref()), ("SQLE/default", Some("SQL扫描任务已手动审核")));
        assert_eq!(scan.message, "- project_name：default\n- audit_plan_name：nightly\n- score：90");
        let other = draft(&json!({"event": "database_expert", "action": "new", "payload": {"a": 1}}));
        assert_eq!((other.source.as_str(), other.message.as_str()), ("SQLE", "database_expert: new"));
        assert_eq!(other.data, Some(json!({"event": "database_expert", "action": "new", "a": 1})));
    }

    #[test]
    fn its_test_is_a_test_and_a_body_without_an_event_is_refused() {
        let hello = read(&Incoming::made_of("", None, "hello"), &sqle(), &account()).unwrap();
        assert_eq!((hello.event_type.unwrap().as_str(), hello.message.as_deref()), (EventType::TEST, Some("hello")));
        let refused = read(&Incoming::json(&json!({"action": "a"})), &sqle(), &account()).err().unwrap();
        assert_eq!(refused.field.as_deref(), Some("event"));
    }

    #[test]
    fn only_a_report_that_says_which_it_is_has_an_identity() {
        let whole = workflow("create", "wait_for_audit");
        assert!(report(&whole, &account()).has_identity);
        let mut timeless = whole;
        timeless["timestamp"] = json!("now");
        assert!(!report(&timeless, &account()).has_identity);
    }

    #[test]
    fn a_token_is_wanted_where_the_hook_has_one() {
        let hook = Hook { report_hash: Some(hash_secret("test")), ..sqle() };
        let sent = || Incoming::json(&workflow("create", ""));
        for wrong in [sent(), sent().with_bearer("other")] {
            assert_eq!(read(&wrong, &hook, &account()).err().unwrap().code, Code::Forbidden);
        }
        assert!(read(&sent().with_bearer("test"), &hook, &account()).is_ok());
    }
}
