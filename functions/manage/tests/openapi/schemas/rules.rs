//! Rules, sources and contacts.

use serde_json::{Value, json};

use crate::{
    operation::schema,
    shape::{at_most, count, extended, flag, lenient, list, object, or_null, partial, text, time, words, yes_or_no},
};

fn rule_body() -> Value {
    let matching = object(&[], [("sources", at_most(100, &schema("Pattern"))), ("types", at_most(100, &schema("Pattern")))]);
    let notify = object(
        &[],
        [
            ("manual_success", flag(false)),
            ("manual_failure", flag(false)),
            ("auto_success", flag(false)),
            ("auto_failure", flag(false)),
        ],
    );
    let template = json!({ "type": "string", "description": "A template: docs/api.md says over what." });
    let batch = object(
        &["at"],
        [
            ("enabled", flag(true)),
            ("at", json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$" })),
            ("every_seconds", json!({ "type": "integer", "minimum": 60, "maximum": 31_622_400, "default": 86_400 })),
            ("time_zone", json!({ "type": "string", "description": "An IANA name; the account's, if there is none." })),
            ("immediate", list(&schema("ResultGiven"))),
            ("collect", words(["all", "notified"])),
            ("report_idle", flag(false)),
            ("title", template.clone()),
            ("max_lines", json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 200 })),
            ("anchor", json!({ "type": "string", "format": "date", "readOnly": true })),
        ],
    );
    let audience = json!({ "anyOf": [schema("Recipient"), { "const": "event.send_to" }] });
    object(
        &["to"],
        [
            ("enabled", flag(true)),
            ("match", matching),
            ("notify", notify),
            ("after_failures", json!({ "type": "integer", "minimum": 0, "maximum": 100, "default": 0 })),
            ("tell", words(["every", "once"])),
            ("count_manual", flag(false)),
            ("tell_recovery", flag(false)),
            ("to", json!({ "type": "array", "items": audience, "minItems": 1, "maxItems": 100 })),
            ("batch", batch),
            ("title", template.clone()),
            ("body", template),
            ("created_at", json!({ "type": "string", "format": "date-time", "readOnly": true })),
        ],
    )
}

fn contact_body() -> Value {
    let address = json!({ "type": "string", "minLength": 1, "maxLength": 254, "pattern": r"^[^\s\x00-\x1F\x7F-\x9F]*$" });
    let tag = json!({ "type": "string", "maxLength": 35, "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" });
    let email = json!({ "type": "string", "maxLength": 254, "pattern": r#"^[^\s\x00-\x1F\x7F-\x9F<>(),;:"\\@]+@[^\s\x00-\x1F\x7F-\x9F<>(),;:"\\@]+$"# });
    object(
        &[],
        [
            ("email", or_null(&email)),
            ("phone", or_null(&address)),
            ("wecom_user_id", or_null(&address)),
            ("feishu_open_id", or_null(&address)),
            ("locale", or_null(&tag)),
        ],
    )
}

pub(crate) fn kept() -> Vec<(&'static str, Value)> {
    let named = object(&["name", "version"], [("name", schema("Name")), ("version", count())]);
    let source = object(&["source", "enabled"], [("source", schema("Source")), ("enabled", yes_or_no())]);
    let preview = object(
        &["rule", "due_at", "since", "events", "digests"],
        [
            ("rule", schema("Name")),
            ("due_at", time()),
            ("since", time()),
            ("events", count()),
            (
                "digests",
                list(&object(
                    &["to", "title", "text"],
                    [("to", list(&schema("Recipient"))), ("title", text()), ("text", text())],
                )),
            ),
        ],
    );
    let mut rule = extended(&named, &rule_body());
    rule["required"] =
        json!(["name", "version", "enabled", "match", "notify", "after_failures", "tell", "count_manual", "tell_recovery", "to"]);
    // what stands within may be cleared by itself, too
    let within = |body: Value, of: fn(&Value) -> Value| {
        let inner = |name: &str| or_null(&of(&rule_body()["properties"][name]));
        let mut body = body;
        for name in ["match", "batch"] {
            body["properties"][name] = inner(name);
        }
        body
    };
    let tried = [("event", schema("EventBody")), ("name", or_null(&schema("Name"))), ("rule", or_null(&schema("RuleBody")))];
    vec![
        ("ExplainBody", object(&["event"], tried)),
        ("RuleBody", within(lenient(&rule_body()), lenient)),
        ("RuleChange", within(partial(&rule_body()), partial)),
        ("Rule", rule),
        ("Preview", preview),
        ("Flushed", object(&["rule", "until"], [("rule", schema("Name")), ("until", time())])),
        ("SourceSetting", source),
        ("ContactBody", lenient(&contact_body())),
        ("Contact", extended(&named, &contact_body())),
    ]
}
