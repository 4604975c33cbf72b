//! Registrations, settings, keys, and what the operator is told.

use serde_json::{Value, json};

use crate::{
    operation::schema,
    shape::{at_most, count, extended, flag, link, list, number, object, or_null, partial, text, time, words, yes_or_no},
};

/// What PUT takes of a registration, but for what its channel adds.
pub(crate) fn registration_body() -> Value {
    object(
        &["channel"],
        [
            ("channel", schema("Channel")),
            ("params", json!({ "description": "The channel's parameters." })),
            ("groups", or_null(&at_most(32, &schema("Name")))),
            ("enabled", or_null(&flag(true))),
            ("default", or_null(&flag(false))),
            ("serves", or_null(&words(["one", "contacts"]))),
            ("description", or_null(&text())),
        ],
    )
}

pub(crate) fn kept() -> Vec<(&'static str, Value)> {
    let rate = object(&["per_second", "burst"], [("per_second", number(0, 4_294_967_295)), ("burst", number(0, 4_294_967_295))]);
    let settings = object(
        &["time_zone", "locale", "retention_days", "rate"],
        [
            ("time_zone", json!({ "type": "string", "description": "An IANA name such as `Asia/Shanghai`." })),
            ("locale", json!({ "type": "string", "maxLength": 35, "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" })),
            ("default_image_url", link(true)),
            ("retention_days", number(1, 3_650)),
            ("rate", rate),
        ],
    );
    let mut change = settings.clone();
    change["required"] = json!([]);
    change = partial(&change);
    change["properties"]["rate"] = json!({
        "type": ["object", "null"],
        "properties": { "per_second": number(0, 4_294_967_295), "burst": number(0, 4_294_967_295) },
        "additionalProperties": false,
    });
    let key_body = object(
        &["scopes"],
        [
            ("scopes", json!({ "type": "array", "items": schema("Scope"), "minItems": 1 })),
            ("description", or_null(&text())),
            ("expires_at", or_null(&time())),
        ],
    );
    let key = object(
        &["id", "scopes", "description", "expires_at", "created_at"],
        [
            ("id", schema("KeyId")),
            ("key", json!({ "type": "string", "description": "The whole key; told once." })),
            ("scopes", list(&schema("Scope"))),
            ("description", or_null(&text())),
            ("expires_at", or_null(&time())),
            ("created_at", time()),
        ],
    );
    let registration = object(
        &[
            "name",
            "channel",
            "params",
            "groups",
            "enabled",
            "default",
            "serves",
            "description",
            "disabled",
            "paused_until",
            "version",
            "created_at",
            "updated_at",
        ],
        [
            ("name", schema("Name")),
            ("channel", schema("Channel")),
            ("params", json!({ "type": "object", "description": "Each secret is `{\"set\": true, \"hint\": \"…ab12\"}`." })),
            ("groups", list(&schema("Name"))),
            ("enabled", yes_or_no()),
            ("default", yes_or_no()),
            ("serves", words(["one", "contacts"])),
            ("description", or_null(&text())),
            ("disabled", or_null(&object(&["reason", "at"], [("reason", schema("Reason")), ("at", time())]))),
            ("paused_until", or_null(&time())),
            ("version", count()),
            ("created_at", time()),
            ("updated_at", time()),
        ],
    );
    let dead = object(&["channel", "count"], [("channel", schema("Channel")), ("count", count())]);
    vec![
        ("Registration", registration),
        ("AccountChange", change),
        ("Account", extended(&object(&["id"], [("id", schema("Name"))]), &settings)),
        ("KeyBody", key_body),
        ("Key", key),
        ("DeadLetters", dead),
        ("ChannelBody", object(&["channel"], [("channel", schema("Channel"))])),
        ("Redriven", object(&["redriven"], [("redriven", count())])),
    ]
}
