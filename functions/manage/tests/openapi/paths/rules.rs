use bellhop_core::{Code, model::Scope};
use serde_json::{Value, json};

use crate::operation::{Operation, operation, schema};

/// What is kept under a name, alike for every kind.
struct Kind {
    list: (&'static str, &'static str),
    one: &'static str,
    ids: [&'static str; 4],
    summaries: [&'static str; 5],
    name: &'static str,
    shown: &'static str,
    body: &'static str,
    change: (Value, Value),
    example: Value,
    refused: &'static [Code],
}

fn kept(kind: Kind) -> Vec<Operation> {
    let [put, get, patch, delete] = kind.ids;
    let [list, one, save, change, remove] = kind.summaries;
    vec![
        operation("PUT", kind.one, put, save)
            .scope(Scope::Manage)
            .named(kind.name)
            .takes(schema(kind.body), kind.example)
            .answers(200, "As it is now.", schema(kind.shown))
            .codes(kind.refused)
            .codes(&[Code::Conflict]),
        operation("GET", kind.list.0, kind.list.1, list).scope(Scope::Read).paged().lists(kind.shown),
        operation("GET", kind.one, get, one).scope(Scope::Read).named(kind.name).codes(&[Code::NotFound]).answers(
            200,
            "As it was saved.",
            schema(kind.shown),
        ),
        operation("PATCH", kind.one, patch, change)
            .about("An absent field is kept, `null` clears it.")
            .scope(Scope::Manage)
            .named(kind.name)
            .takes(kind.change.0, kind.change.1)
            .answers(200, "As it is now.", schema(kind.shown))
            .codes(kind.refused)
            .codes(&[Code::NotFound, Code::Conflict]),
        operation("DELETE", kind.one, delete, remove).scope(Scope::Manage).named(kind.name).codes(&[Code::NotFound]).last(),
    ]
}

pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = kept(Kind {
        list: ("/v1/rules", "listRules"),
        one: "/v1/rules/{name}",
        ids: ["putRule", "getRule", "patchRule", "deleteRule"],
        summaries: ["List rules", "One rule", "Save a rule whole", "Change a rule", "Delete a rule"],
        name: "daily",
        shown: "Rule",
        body: "RuleBody",
        change: (schema("RuleChange"), json!({ "after_failures": 2, "match": { "types": ["domain.*"] } })),
        example: json!({
            "match": { "sources": ["QD/*"] }, "notify": { "auto_failure": true }, "to": ["desk", "group:ops"],
            "batch": { "at": "12:00:00", "immediate": ["failure"] }, "title": "{{ source }} {{ result }}",
        }),
        refused: &[Code::TooManyItems],
    });
    operations.extend([
        operation("POST", "/v1/rules/{name}", "explainEvent", "What would come of an event")
            .about(
                "`POST /v1/rules/explain`: nothing else is posted to a name. Nothing is counted, kept or sent. `rule` stands in for \
                 the saved one of that `name`.",
            )
            .scope(Scope::Read)
            .named_only("explain")
            .takes(
                schema("ExplainBody"),
                json!({
                    "event": { "source": "QD/Example/main", "result": "failure", "message": "签到失败: 403" },
                    "name": "daily", "rule": { "to": ["desk"], "title": "{{ source }} {{ result }}" },
                }),
            )
            .answers(200, "What accepting it would decide now.", schema("WouldBe"))
            .codes(&[
                Code::InvalidName,
                Code::InvalidBase64,
                Code::PictureTooLarge,
                Code::TooManyItems,
                Code::UnknownRecipient,
                Code::NoDefaultRegistration,
                Code::NoAddress,
                Code::RateLimited,
                Code::NotFound,
            ]),
        operation("POST", "/v1/rules/{name}/preview-digest", "previewDigest", "What the next digest would say now")
            .scope(Scope::Read)
            .named("daily")
            .takes_nothing()
            .answers(200, "Nothing is sent.", schema("Preview"))
            .codes(&[Code::NotFound, Code::Conflict]),
        operation("POST", "/v1/rules/{name}/flush", "flushDigest", "Have a rule's digest sent now")
            .scope(Scope::Manage)
            .named("daily")
            .takes_nothing()
            .answers(202, "It will be.", schema("Flushed"))
            .codes(&[Code::NotFound, Code::Conflict]),
    ]);
    operations
}

pub(crate) fn contacts() -> Vec<Operation> {
    kept(Kind {
        list: ("/v1/contacts", "listContacts"),
        one: "/v1/contacts/{name}",
        ids: ["putContact", "getContact", "patchContact", "deleteContact"],
        summaries: ["List contacts", "One contact", "Save a contact whole", "Change a contact", "Delete a contact"],
        name: "alice",
        shown: "Contact",
        body: "ContactBody",
        change: (schema("ContactBody"), json!({ "locale": "zh-CN" })),
        example: json!({ "email": "alice@example.org", "phone": "+8613800000000" }),
        refused: &[],
    })
}

pub(crate) fn sources() -> Vec<Operation> {
    const PATH: &str = "/v1/sources";
    vec![
        operation("PUT", PATH, "putSource", "Switch a source on or off for all rules")
            .scope(Scope::Manage)
            .takes(schema("SourceSetting"), json!({ "source": "QD/Example/old", "enabled": false }))
            .answers(200, "As it is now.", schema("SourceSetting"))
            .codes(&[Code::TooManyItems, Code::Conflict]),
        operation("GET", PATH, "listSources", "List sources that were switched")
            .scope(Scope::Read)
            .paged()
            .lists("SourceSetting"),
        operation("DELETE", PATH, "deleteSource", "Forget that a source was switched")
            .scope(Scope::Manage)
            .with_query("?source=QD/Example/old")
            .query("source", true, &schema("Source"), "Which.")
            .codes(&[Code::NotFound])
            .last(),
    ]
}
