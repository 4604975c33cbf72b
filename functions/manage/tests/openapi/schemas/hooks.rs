//! Hooks.

use serde_json::{Value, json};

use crate::{
    operation::schema,
    shape::{at_most, count, link, list, object, one_or_many, or_null, text, time, words, yes_or_no},
};

pub(crate) fn hooks() -> Vec<(&'static str, Value)> {
    let kind = words(["bettergi", "sqle", "qd", "generic"]);
    let defaults = object(
        &[],
        [
            ("source", or_null(&schema("Source"))),
            ("type", or_null(&schema("EventType"))),
            ("trigger", or_null(&schema("Trigger"))),
            ("result", or_null(&schema("ResultGiven"))),
            ("title", or_null(&text())),
            ("message", or_null(&text())),
            ("format", or_null(&schema("Format"))),
            ("url", or_null(&link(false))),
            ("image_url", or_null(&link(true))),
            ("send_to", one_or_many(&at_most(100, &schema("Recipient")))),
            ("final", or_null(&yes_or_no())),
            ("data", json!({ "description": "Anything." })),
        ],
    );
    let route = object(
        &["to"],
        [
            ("action", or_null(&schema("Pattern"))),
            ("project", or_null(&schema("Pattern"))),
            ("step", or_null(&count())),
            (
                "to",
                json!({ "anyOf": [schema("Recipient"), { "type": "array", "items": schema("Recipient"), "minItems": 1, "maxItems": 100 }] }),
            ),
        ],
    );
    let body = object(
        &["name", "kind"],
        [
            ("name", schema("Name")),
            ("kind", kind.clone()),
            ("defaults", or_null(&defaults)),
            ("recipients", or_null(&at_most(100, &route.clone()))),
            ("link_base_url", or_null(&link(true))),
            ("token", json!({ "type": ["string", "null"], "minLength": 1, "writeOnly": true })),
        ],
    );
    let hook = object(
        &["name", "kind", "defaults", "recipients", "token", "created_at"],
        [
            ("name", schema("Name")),
            ("kind", kind.clone()),
            ("url", json!({ "type": "string", "description": "Where the system reports; told once." })),
            ("defaults", defaults),
            ("recipients", list(&route)),
            ("link_base_url", text()),
            ("token", object(&["set"], [("set", yes_or_no())])),
            ("created_at", time()),
        ],
    );
    let known = object(&["type", "label"], [("type", schema("EventType")), ("label", schema("Text"))]);
    let kinds = object(&["kind", "label", "types"], [("kind", kind), ("label", schema("Text")), ("types", list(&known))]);
    vec![("HookBody", body), ("Hook", hook), ("HookKind", kinds)]
}
