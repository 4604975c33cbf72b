//! An account with something of everything, and all of its pages.

use std::iter;

use acceptance::{Answer, Bellhop, Client, Sink, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::visitor::Visitor;

/// What is written where anything may be written: by the field's name, and by what people usually write there. It has no blank
/// where there is none in what is usual.
pub(crate) type Words<'w> = &'w dyn Fn(&'static str, &str) -> String;

/// As people write.
pub(crate) fn usually(_field: &'static str, usual: &str) -> String {
    usual.to_owned()
}

/// A page, by a name that a file can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    /// The form that it is the answer to, if it is none that an address leads to.
    pub(crate) sent: Option<Sent>,
}

/// A form of a page: what is typed into it, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    typed: Vec<(&'static str, String)>,
    action: String,
}

impl Place {
    /// Goes there.
    pub(crate) async fn visit(&self, visitor: &mut Visitor) {
        visitor.open(&self.path).await;
        if let Some(Sent { typed, action }) = &self.sent {
            for (field, value) in typed {
                visitor.fill(field, value).await;
            }
            visitor.submit(action).await;
        }
    }
}

/// What has a path of its own for each; the rest is the same in every account.
#[derive(Debug)]
struct Made {
    source: String,
    event: String,
    digest: String,
    hooked: String,
    task: String,
    key: String,
}

/// Fills the account; answers with all of its pages.
pub(crate) async fn lived_in(bellhop: &Bellhop, say: Words<'_>) -> Vec<Place> {
    let client = &bellhop.client;
    destinations(client, say).await;
    rules(client, say).await;
    settings(client, say).await;
    let (event, digest) = events(client, say).await;
    let hooked = hooked(client, say).await;
    let task = tasks(client, say).await;
    all_is_over(client).await;
    let source = say("event.source", SOURCE);
    places(&Made { source, event, digest, hooked, task, key: client.key.clone() })
}

const SOURCE: &str = "QD/backup";

/// One that takes everything, others whose receiver takes nothing or is gone, and one that is switched off.
async fn destinations(client: &Client, say: Words<'_>) {
    let [taking, refusing, gone, office] = [Sink::start().await, Sink::start().await, Sink::start().await, Sink::start().await];
    let answer = say("receiver.answer", "no such screen");
    refusing.answer(iter::repeat_n(Answer::status(400).body(answer), 1_000));
    gone.answer([Answer::status(410)]);
    let taken = json!({ "errcode": 0, "errmsg": "ok", "access_token": "of-the-office", "expires_in": 7200, "msgid": "1" });
    office.answer(iter::repeat_n(Answer::status(200).body(taken.to_string()), 1_000));
    let webhook = |sink: &Sink| {
        let params = json!({ "url": format!("{}/hook", sink.url), "template": say("registration.params", "$title: $content") });
        json!({
            "channel": "webhook", "groups": ["night"], "params": params,
            "description": say("registration.description", "The screen at the desk"),
        })
    };
    for (name, sink) in [("desk", &taking), ("pager", &refusing), ("old-screen", &gone)] {
        client.put(&format!("/v1/registrations/{name}"), webhook(sink)).await;
    }
    let url = format!("{}/hook", taking.url);
    client.put("/v1/registrations/off", json!({ "channel": "webhook", "enabled": false, "params": { "url": url } })).await;
    // what it was before can be shown
    for (field, usual) in [("registration.params.former", "by day"), ("registration.params.secret", "by night")] {
        let params = json!({ "url": url, "method": "POST", "headers": { "X-Note": say(field, usual) } });
        client.put("/v1/registrations/custom", json!({ "channel": "custom", "params": params })).await;
    }
    let params = json!({ "corp_id": "ww1", "agent_id": 1, "corp_secret": "of-the-app", "base_url": office.url });
    client.put("/v1/registrations/office", json!({ "channel": "wecom_app", "default": true, "params": params })).await;
}

/// Somebody at the office.
fn address(whom: &str) -> String {
    format!("wecom:{whom}")
}

/// A digest of each day, what is told at once, and what is told of after five failures alone.
async fn rules(client: &Client, say: Words<'_>) {
    let source = say("event.source", SOURCE);
    let batch = json!({ "at": "20:00:00", "title": say("rule.batch.title", "What failed today") });
    let matched = json!({
        "sources": [source, say("rule.match.sources", "BetterGI/*")], "types": [say("rule.match.types", "domain.*"), "*"],
    });
    let to = json!(["desk", address(&say("rule.to", "carol"))]);
    client.put("/v1/rules/daily", json!({ "to": to, "match": matched, "batch": batch })).await;
    let now = json!({
        "to": ["group:night"], "match": { "sources": [source] },
        "title": say("rule.title", "A backup has failed"), "body": say("rule.body", "Look at it before noon."),
    });
    client.put("/v1/rules/now", now).await;
    let patient = json!({ "to": ["desk"], "after_failures": 5, "match": { "sources": [source] } });
    client.put("/v1/rules/patient", patient).await;
    let switched = json!({ "source": format!("{}/noise", say("source.source", "QD")), "enabled": false });
    client.put("/v1/sources", switched).await;
}

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn tomorrow() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24)
}

async fn settings(client: &Client, say: Words<'_>) {
    let picture = format!("https://example.org/picture.png?of={}", say("account.default_image_url", "all"));
    let mpush = json!({ "token": say("account.mpush.token", "t0ken-of-mpush") });
    client.put("/v1/account", json!({ "default_image_url": picture, "mpush": mpush })).await;
    let alice = json!({
        "email": "alice@example.org", "phone": say("contact.phone", "+8613800000000"), "locale": "en",
        "wecom_user_id": say("contact.wecom_user_id", "alice"), "feishu_open_id": say("contact.feishu_open_id", "ou_alice"),
    });
    client.put("/v1/contacts/alice", alice).await;
    let ends = tomorrow();
    made(
        client,
        "/v1/keys",
        json!({ "scopes": ["send"], "description": say("key.description", "For the backup"), "expires_at": ends }),
    )
    .await;
    let recipients = json!([{
        "action": say("hook.recipients.action", "approve"), "project": say("hook.recipients.project", "shop"),
        "to": [address(&say("hook.recipients.to", "frank"))],
    }]);
    let link = format!("https://sqle.example.org/?of={}", say("hook.link_base_url", "SQLE"));
    let sqle = json!({
        "name": "dba", "kind": "sqle", "recipients": recipients, "link_base_url": link, "token": say("hook.token", "t0ken-of-sqle"),
    });
    made(client, "/v1/hooks", sqle).await;
}

/// An event of which everybody was told, and a digest; what comes after that digest waits for the next one.
async fn events(client: &Client, say: Words<'_>) -> (String, String) {
    let link = |field, usual: &str| format!("https://example.org/?of={}", say(field, usual));
    let report = json!({
        "source": say("event.source", SOURCE), "type": say("event.type", "backup.end"), "result": "failure",
        "title": say("event.title", "Backup failed"), "message": say("event.message", "The disk is full: 0 bytes are left on /srv."),
        "url": link("event.url", "backup"), "image_url": link("event.image_url", "disk"), "format": "markdown",
        "send_to": ["desk", address(&say("event.send_to", "bob"))],
        "data": { "note": say("event.data", "the third time") },
    });
    client.report(report.clone()).await;
    let (status, flushed) = client.call("POST", "/v1/rules/daily/flush", None).await;
    assert_eq!(status, 202, "{flushed}");
    let digest = eventually("the digest is told of", async || {
        let events = client.get("/v1/events?type=digest").await;
        Some(events["items"][0]["id"].as_str()?.to_owned())
    })
    .await;
    let event = client.report(report).await;
    (event["event"].as_str().unwrap().to_owned(), digest)
}

/// What a system reports that says nothing itself.
async fn hooked(client: &Client, say: Words<'_>) -> String {
    let link = |field, usual: &str| format!("https://example.org/?of={}", say(field, usual));
    let defaults = json!({
        "source": say("hook.defaults.source", "shop"), "type": say("hook.defaults.type", "order"),
        "title": say("hook.defaults.title", "From the shop"), "message": say("hook.defaults.message", "Somebody has ordered"),
        "url": link("hook.defaults.url", "shop"), "image_url": link("hook.defaults.image_url", "shop"),
        "send_to": ["desk", address(&say("hook.defaults.send_to", "erin"))],
        "data": { "note": say("hook.defaults.data", "by the shop") },
    });
    let hook = made(client, "/v1/hooks", json!({ "name": "shop", "kind": "generic", "defaults": defaults })).await;
    let (_, token) = hook["url"].as_str().unwrap().split_once("/in/").unwrap();
    let (status, event) = client.call("POST", &format!("/in/{token}"), Some(json!({}))).await;
    assert_eq!(status, 200, "{event}");
    event["event"].as_str().unwrap().to_owned()
}

/// One task that waits, and one that has run.
async fn tasks(client: &Client, say: Words<'_>) -> String {
    let link = |field, usual: &str| format!("https://example.org/?of={}", say(field, usual));
    let said = json!({
        "to": ["desk", "pager", address(&say("task.to", "dave"))], "name": say("task.name", "Reminder"), "source": say("task.source", "billing/reminder"),
        "title": say("task.title", "Invoice 7"), "body": say("task.body", "It is due on Friday."),
        "url": link("task.url", "7"), "image_url": link("task.image_url", "7"), "data": { "note": say("task.data", "for the books") },
    });
    let with = |schedule: Value| {
        let mut task = said.clone();
        task["schedule"] = schedule;
        task
    };
    made(client, "/v1/tasks", with(json!({ "kind": "daily", "time": "09:00:00" }))).await;
    let task = made(client, "/v1/tasks", with(json!({ "kind": "now" }))).await;
    let task = task["id"].as_str().unwrap().to_owned();
    eventually("the task has run", async || {
        let runs = client.get(&format!("/v1/tasks/{task}/runs")).await;
        ["succeeded", "failed"].iter().any(|over| runs["items"][0]["state"] == *over).then_some(())
    })
    .await;
    task
}

/// What is shown changes no more.
async fn all_is_over(client: &Client) {
    eventually("every delivery is over", async || {
        let deliveries = client.get("/v1/deliveries?limit=200").await;
        let mut states = deliveries["items"].as_array().unwrap().iter().map(|delivery| &delivery["state"]);
        states.all(|state| ["delivered", "failed", "dropped"].iter().any(|over| state == over)).then_some(())
    })
    .await;
}

/// What a request has made.
async fn made(client: &Client, path: &str, body: Value) -> Value {
    let (status, answer) = client.call("POST", path, Some(body)).await;
    assert_eq!(status, 201, "{path}: {answer}");
    answer
}

/// The text as an address has it.
pub(crate) fn in_an_address(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://localhost", [("x", text)]).unwrap();
    url.query().unwrap().trim_start_matches("x=").to_owned()
}

fn places(made: &Made) -> Vec<Place> {
    let Made { source, event, digest, hooked, task, key } = made;
    let asked = |path: &str, field, value| format!("{path}?{field}={}", in_an_address(value));
    let pages = [
        ("home", String::new()),
        ("messages", "messages".into()),
        ("messages-found", asked("messages", "q", source)),
        ("event", format!("messages/{event}")),
        ("event-digest", format!("messages/{digest}")),
        ("event-of-hook", format!("messages/{hooked}")),
        ("deliveries", "deliveries".into()),
        ("dead-letters", "dead-letters".into()),
        ("send", "send".into()),
        ("tasks", "tasks".into()),
        ("task", format!("tasks/{task}")),
        ("task-new", "new-task".into()),
        ("task-edit", format!("tasks/{task}/edit")),
        ("registrations", "registrations".into()),
        ("registration", "registrations/pager".into()),
        ("registration-new", "new-registration".into()),
        ("registration-form", "new-registration?channel=email".into()),
        ("registration-edit", "registrations/pager/edit".into()),
        ("rules", "rules".into()),
        ("rule", "rules/daily".into()),
        ("rule-new", "new-rule".into()),
        ("rule-edit", "rules/daily/edit".into()),
        ("rule-edit-words", "rules/now/edit".into()),
        ("rule-preview", "rules/daily/preview".into()),
        ("explain", asked("explain", "event.source", source)),
        ("sources", "sources".into()),
        ("contacts", "contacts".into()),
        ("contact", "contacts/alice".into()),
        ("contact-new", "new-contact".into()),
        ("hooks", "hooks".into()),
        ("keys", "keys".into()),
        ("account", "account".into()),
        ("audit", "audit".into()),
        ("browser", "browser".into()),
        ("sign-in", "sign-in".into()),
        ("not-found", "nothing".into()),
    ];
    let answers = [
        ("registration-tested", "registrations/pager".into(), vec![], "registrations/pager/test"),
        ("registration-revealed", "registrations/custom".into(), vec![("key", key.clone())], "registrations/custom/reveal"),
        (
            "registration-pasted",
            "new-registration".into(),
            vec![("line", "https://example.org/hook".into())],
            "new-registration/paste",
        ),
        ("rule-refused", "new-rule".into(), vec![("name", "bad name!".into()), ("to", "desk".into())], "new-rule"),
        ("explained", asked("explain", "event.source", source), vec![("event.message", "The disk is full".into())], "explain"),
    ];
    let path = |rest: &str| if rest.is_empty() { "/console".to_owned() } else { format!("/console/{rest}") };
    let pages = pages.map(|(name, rest)| Place { name, path: path(&rest), sent: None });
    let answers = answers.map(|(name, rest, typed, action): (_, String, _, _)| Place {
        name,
        path: path(&rest),
        sent: Some(Sent { typed, action: path(action) }),
    });
    pages.into_iter().chain(answers).collect()
}
