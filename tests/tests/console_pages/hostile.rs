//! Hostile texts stand in whatever can be stored or asked for, and are never more than texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use acceptance::Bellhop;
use serde_json::{Value, json};

use crate::{
    lived_in::{in_an_address, lived_in},
    visitor::{Scripts, Visitor},
};

/// Leaves an attribute and a tag, and runs if it can. It has no blank, so that it may stand wherever there must be none.
const HOSTILE: &str = "\"'><img/src=\"x\"/onerror=\"hit=1\"><script>hit=1</script>";

/// Each field that can hold any text, and pages that show it.
const SHOWN: [(&str, &[&str]); 40] = [
    ("account.default_image_url", &["account"]),
    ("contact.feishu_open_id", &["contact", "contacts"]),
    ("contact.phone", &["contact", "contacts"]),
    ("contact.wecom_user_id", &["contact", "contacts"]),
    ("event.data", &["event"]),
    ("event.image_url", &["event"]),
    ("event.message", &["event", "event-digest", "rule-preview"]),
    ("event.send_to", &["event"]),
    ("event.source", &["event", "explain", "explained", "messages", "messages-found", "rule", "rule-edit", "rules"]),
    ("event.title", &["event", "event-digest", "messages", "messages-found", "rule-preview"]),
    ("event.type", &["event", "messages", "messages-found"]),
    ("event.url", &["event"]),
    ("hook.defaults.data", &["event-of-hook"]),
    ("hook.defaults.image_url", &["event-of-hook"]),
    ("hook.defaults.message", &["event-of-hook"]),
    ("hook.defaults.send_to", &["event-of-hook", "hooks"]),
    ("hook.defaults.source", &["event-of-hook", "hooks", "messages"]),
    ("hook.defaults.title", &["event-of-hook", "messages"]),
    ("hook.defaults.type", &["event-of-hook", "messages"]),
    ("hook.defaults.url", &["event-of-hook"]),
    ("key.description", &["home", "keys"]),
    ("receiver.answer", &["registration-tested"]),
    ("registration.description", &["registration", "registration-edit"]),
    ("registration.params", &["registration", "registration-edit", "registration-tested"]),
    ("registration.params.former", &["registration-revealed"]),
    ("registration.params.secret", &["registration-revealed"]),
    ("rule.batch.title", &["event-digest", "messages", "rule-edit", "rule-preview"]),
    ("rule.body", &["event", "explained", "rule-edit-words"]),
    ("rule.match.sources", &["rule", "rule-edit", "rules"]),
    ("rule.match.types", &["rule", "rule-edit"]),
    ("rule.title", &["event", "explained", "rule-edit-words"]),
    ("rule.to", &["rule", "rule-edit", "rules"]),
    ("source.source", &["sources"]),
    ("task.body", &["task", "task-edit"]),
    ("task.image_url", &["task", "task-edit"]),
    ("task.name", &["home", "task", "task-edit", "tasks"]),
    ("task.source", &["messages", "task", "task-edit", "tasks"]),
    ("task.title", &["messages", "task", "task-edit"]),
    ("task.to", &["task", "task-edit"]),
    ("task.url", &["task", "task-edit"]),
];

/// Fields that no page shows.
const NEVER: [&str; 7] = [
    "account.mpush.token",
    "hook.link_base_url",
    "hook.recipients.action",
    "hook.recipients.project",
    "hook.recipients.to",
    "hook.token",
    "task.data",
];

/// Fields whose texts are names, times, zones, languages, addresses of mail, or pictures, and can be nothing else.
const BOUND: [&str; 15] = [
    "account.locale",
    "account.time_zone",
    "contact.email",
    "contact.locale",
    "event.occurred_at",
    "event.screenshot",
    "hook.name",
    "key.account",
    "registration.groups",
    "rule.batch.at",
    "rule.batch.time_zone",
    "task.schedule.cron",
    "task.schedule.time",
    "task.schedule.time_zone",
    "task.via",
];

/// What stores texts; a message is stored as an event.
const STORING: [(&str, &str, &str); 9] = [
    ("account", "/v1/account", "put"),
    ("contact", "/v1/contacts/{name}", "put"),
    ("event", "/v1/events", "post"),
    ("hook", "/v1/hooks", "post"),
    ("key", "/v1/keys", "post"),
    ("registration", "/v1/registrations/{name}", "put"),
    ("rule", "/v1/rules/{name}", "put"),
    ("source", "/v1/sources", "put"),
    ("task", "/v1/tasks", "post"),
];

/// Fields that take a text by the API's own document: by name, parameters of all channels as one.
fn stored() -> BTreeSet<String> {
    let api: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let mut texts = BTreeSet::new();
    for (name, path, method) in STORING {
        let body = &api["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        find_texts(&api, body, name, &mut texts);
    }
    texts
}

fn find_texts(api: &Value, schema: &Value, name: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return find_texts(api, api.pointer(reference.trim_start_matches('#')).unwrap(), name, found);
    }
    let said = ["type", "anyOf", "oneOf", "const", "enum", "properties", "required"].iter().any(|word| !schema[word].is_null());
    let is_text = schema["type"] == "string" || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("string")));
    let is_time = schema["format"].as_str().is_some_and(|format| format.starts_with("date"));
    if !said || name == "registration.params" || is_text && schema["enum"].is_null() && !is_time {
        found.insert(name.to_owned());
        return;
    }
    let parts = ["anyOf", "oneOf"].iter().filter_map(|word| schema[word].as_array()).flatten().chain(schema.get("items"));
    parts.for_each(|part| find_texts(api, part, name, found));
    for (member, part) in schema["properties"].as_object().into_iter().flatten() {
        find_texts(api, part, &format!("{name}.{member}"), found);
    }
}

/// What a page would have if a text had become more: what ran, what loads or runs, and links that are no place.
const FAULTS: &str = r#"(() => {
    const all = (what) => [...document.querySelectorAll(what)];
    const ran = typeof hit === "undefined" ? [] : ["it ran"];
    const planted = all("img, iframe, object, embed, base, style, script:not([src^='/console/'])").map((found) => found.outerHTML);
    const handlers = all("*").flatMap((found) => found.getAttributeNames().filter((name) => name.startsWith("on")));
    const leading = ["href", "src", "action", "formAction"].flatMap((name) => all(`[${name}]`).map((found) => found[name]));
    const away = leading.filter((there) => !/^(https?:|data:,$)/.test(there));
    return [...ran, ...planted, ...handlers, ...away];
})()"#;

/// All that a page says: its texts, and what stands in its fields.
const SAID: &str = r#"[document.title, document.body.textContent, ...[...document.querySelectorAll("input, textarea")].map((field) => field.value)].join("\n")"#;

/// A browser that would run what a page lets through: the policy that forbids it is out of the way.
async fn without_policy(bellhop: &Bellhop) -> Visitor {
    let mut visitor = Visitor::signed_in(bellhop, Scripts::On).await;
    visitor.page.call("Page.setBypassCSP", json!({ "enabled": true })).await;
    visitor
}

async fn faults(visitor: &mut Visitor) -> Value {
    visitor.page.evaluate(FAULTS).await
}

fn hostile(field: &str) -> String {
    format!("{field}{HOSTILE}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_a_fault_is_seen() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = without_policy(&bellhop).await;
    for markup in
        ["<img src='data:,'>", "<p onclick='1'>x</p>", "<a href='javascript:1'>x</a>", "<form action='javascript:1'></form>"]
    {
        visitor.open("/console").await;
        assert_eq!(faults(&mut visitor).await, json!([]));
        visitor
            .page
            .evaluate(&format!("document.querySelector('main').insertAdjacentHTML('beforeend', {})", json!(markup)))
            .await;
        assert_eq!(faults(&mut visitor).await.as_array().unwrap().len(), 1, "{markup}");
    }
    visitor.page.evaluate(&format!("document.write({})", json!(HOSTILE))).await;
    assert_eq!(faults(&mut visitor).await[0], "it ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_texts_on_every_page_that_shows_them() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    // given an account with hostile texts, each with the name of its field in front
    let fields = Mutex::new(BTreeSet::new());
    let say = |field: &'static str, _: &str| {
        fields.lock().unwrap().insert(field);
        hostile(field)
    };
    let places = lived_in(&bellhop, &say).await;
    let fields = fields.into_inner().unwrap();

    // when somebody looks at every page
    let mut visitor = without_policy(&bellhop).await;
    let mut shown = BTreeMap::<_, BTreeSet<_>>::new();
    for place in &places {
        place.visit(&mut visitor).await;
        assert_eq!(faults(&mut visitor).await, json!([]), "{}", place.name);
        let said = visitor.text_of(SAID).await;
        for field in fields.iter().filter(|field| stands_in(field, &said)) {
            shown.entry(*field).or_default().insert(place.name);
        }
    }

    // then no field that is stored was left out
    let left_out: Vec<_> = stored().into_iter().filter(|field| !fields.contains(field.as_str())).collect();
    assert_eq!(left_out, BOUND);

    // and each field stands where it has to, and is a text there
    assert_eq!(fields, SHOWN.iter().map(|(field, _)| *field).chain(NEVER).collect());
    for (field, pages) in SHOWN {
        let found = shown.remove(field).unwrap_or_default();
        assert!(pages.iter().all(|page| found.contains(page)), "{field}: {found:?}");
    }
    assert_eq!(shown, BTreeMap::new(), "it is shown after all: say where");
}

/// Whether a page says the field's whole text, as it is or as JSON.
fn stands_in(field: &str, said: &str) -> bool {
    let text = hostile(field);
    said.contains(&text) || said.contains(json!(text).to_string().trim_matches('"'))
}

/// Where a hostile text may stand in an address; `HOSTILE` is its place.
const ASKED: [&str; 19] = [
    "/console/messages?q=HOSTILE",
    "/console/messages?source=HOSTILE&type=HOSTILE&result=HOSTILE&from=HOSTILE&to=HOSTILE",
    "/console/messages?cursor=HOSTILE",
    "/console/messages/HOSTILE",
    "/console/deliveries?registration=HOSTILE&state=HOSTILE&channel=HOSTILE&from=HOSTILE&to=HOSTILE",
    "/console/deliveries?registration=HOSTILE",
    "/console/send?to=HOSTILE&title=HOSTILE&body=HOSTILE",
    "/console/tasks?source=HOSTILE",
    "/console/tasks?state=HOSTILE&from=HOSTILE",
    "/console/tasks/HOSTILE",
    "/console/registrations/HOSTILE",
    "/console/registrations/HOSTILE/edit",
    "/console/new-registration?channel=HOSTILE",
    "/console/rules/HOSTILE/preview",
    "/console/contacts/HOSTILE",
    "/console/explain?event.source=HOSTILE&event.type=HOSTILE&event.message=HOSTILE",
    "/console/HOSTILE?notice=HOSTILE",
    "/console/keys?HOSTILE=HOSTILE",
    "/console/sign-in?next=/console/HOSTILE",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_an_address_is_a_text_on_the_page_that_quotes_it() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = without_policy(&bellhop).await;
    let mut quoting = 0;
    for asked in ASKED {
        let address = asked.replace("HOSTILE", &in_an_address(HOSTILE));
        visitor.open(&address).await;
        assert_eq!(faults(&mut visitor).await, json!([]), "{asked}");
        quoting += usize::from(visitor.text_of(SAID).await.contains(HOSTILE));
    }
    assert!(quoting >= 8, "{quoting} pages quote it, or this shows nothing");
}

/// Pages with a form into which anything may be typed.
const FORMS: [&str; 12] = [
    "/console/send",
    "/console/new-task",
    "/console/new-registration",
    "/console/new-registration?channel=webhook",
    "/console/registrations/desk/edit",
    "/console/new-rule",
    "/console/explain",
    "/console/sources",
    "/console/new-contact",
    "/console/hooks",
    "/console/keys",
    "/console/account",
];

/// Types that into every line and area of a form, and sends it.
fn typed(text: &str) -> String {
    let text = json!(text);
    format!(
        "{{
            const form = document.querySelector('main form.fields');
            for (const field of form.querySelectorAll('input[type=text], textarea')) field.value = {text};
            form.querySelector('button').click();
        }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_into_a_form_is_a_text_on_the_page_that_answers() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let params = json!({ "url": "https://example.org/" });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    let mut visitor = without_policy(&bellhop).await;
    for page in FORMS {
        visitor.open(page).await;
        visitor.page.evaluate(&typed(HOSTILE)).await;
        visitor.page.event("Page.loadEventFired").await;
        assert_eq!(faults(&mut visitor).await, json!([]), "{page}");
        assert!(visitor.text_of(SAID).await.contains(HOSTILE), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_place_is_taken_for_no_link() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let client = &bellhop.client;
    for script in ["javascript:hit=1", "JavaScript:hit=1", " java\nscript:hit=1", "data:text/html,x", "vbscript:x"] {
        let message = json!({ "message": "x", "url": script });
        let task = json!({ "name": "x", "to": "email:a@example.org", "body": "x", "url": script, "schedule": { "kind": "now" } });
        let hook = json!({ "name": "x", "kind": "generic", "defaults": { "url": script } });
        let sqle = json!({ "name": "x", "kind": "sqle", "link_base_url": script });
        let stored = [("/v1/events", message), ("/v1/tasks", task), ("/v1/hooks", hook), ("/v1/hooks", sqle)];
        for (path, body) in stored {
            let (status, answer) = client.call("POST", path, Some(body)).await;
            assert_eq!((status, &answer["code"]), (422, &json!("invalid_field")), "{path} {script}: {answer}");
        }
    }
    // an app's own scheme is a link for an app, and a text here
    let event = client.report(json!({ "message": "x", "url": "app://x/\"><script>hit=1</script>" })).await;
    let mut visitor = without_policy(&bellhop).await;
    visitor.open(&format!("/console/messages/{}", event["event"].as_str().unwrap())).await;
    assert!(visitor.text().await.contains("app://x/"));
    assert_eq!(visitor.page.evaluate("document.querySelectorAll('main dl a').length").await, 0);
    assert_eq!(faults(&mut visitor).await, json!([]));
}
