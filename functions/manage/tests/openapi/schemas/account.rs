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

/// What a test may say.
fn said() -> [(&'static str, Value); 3] {
    [
        ("to", or_null(&text())),
        ("title", or_null(&json!({ "type": "string", "maxLength": 200 }))),
        ("body", or_null(&json!({ "type": "string", "maxLength": 2_000 }))),
    ]
}

/// What came of a test; what was said and heard is each provider's own.
fn test() -> Value {
    let exchange = || json!({ "type": "object" });
    object(
        &["delivered", "duration_ms"],
        [
            ("delivered", yes_or_no()),
            ("reason", schema("Reason")),
            ("status", count()),
            ("detail", text()),
            ("request", exchange()),
            ("dialog", exchange()),
            ("response", exchange()),
            ("before", list(&exchange())),
            ("duration_ms", count()),
            ("warnings", list(&object(&["reason", "detail"], [("reason", schema("Reason")), ("detail", text())]))),
        ],
    )
}

fn revealed() -> Value {
    let params = || json!({ "type": "object", "description": "In clear." });
    let former = object(
        &["version", "channel", "params", "saved_at", "replaced_at"],
        [
            ("version", count()),
            ("channel", schema("Channel")),
            ("params", params()),
            ("saved_at", time()),
            ("replaced_at", time()),
        ],
    );
    object(
        &["name", "channel", "params", "version", "updated_at", "former"],
        [
            ("name", schema("Name")),
            ("channel", schema("Channel")),
            ("params", params()),
            ("version", count()),
            ("updated_at", time()),
            ("former", list(&former)),
        ],
    )
}

/// As it is shown.
fn registration() -> Value {
    object(
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
            ("test", schema("Test")),
        ],
    )
}

/// How Mpush's clients and scripts reach an account.
fn mpush() -> Value {
    object(
        &["token", "http_verify_token", "ws_verify_token", "cors", "wait_timeout_ms", "retry_timeout_ms", "auth_timeout_ms"],
        [
            ("token", object(&["set"], [("set", yes_or_no())])),
            ("http_verify_token", yes_or_no()),
            ("ws_verify_token", yes_or_no()),
            ("cors", yes_or_no()),
            ("wait_timeout_ms", number(0, 25_000)),
            ("retry_timeout_ms", number(100, 60_000)),
            ("auth_timeout_ms", number(100, 60_000)),
        ],
    )
}

pub(crate) fn kept() -> Vec<(&'static str, Value)> {
    let rate = object(&["per_second", "burst"], [("per_second", number(0, 4_294_967_295)), ("burst", number(0, 4_294_967_295))]);
    let mpush = mpush();
    let most = || number(0, 4_294_967_295);
    let quotas = object(&["tasks", "registrations_per_channel"], [("tasks", most()), ("registrations_per_channel", most())]);
    let settings = object(
        &["time_zone", "locale", "retention_days", "rate", "quotas", "mpush"],
        [
            ("time_zone", json!({ "type": "string", "description": "An IANA name such as `Asia/Shanghai`." })),
            ("locale", json!({ "type": "string", "maxLength": 35, "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" })),
            ("default_image_url", link(true)),
            ("retention_days", number(1, 3_650)),
            ("rate", rate),
            ("quotas", quotas.clone()),
            ("mpush", mpush.clone()),
        ],
    );
    let mut change = settings.clone();
    change["required"] = json!([]);
    change = partial(&change);
    let mut mpush_change = mpush;
    mpush_change["required"] = json!([]);
    mpush_change = partial(&mpush_change);
    mpush_change["properties"]["token"] = json!({ "anyOf": [
        { "type": ["string", "null"], "minLength": 4, "maxLength": 256, "pattern": "^[!-~]*$" },
        object(&["set"], [("set", yes_or_no())]),
    ] });
    change["properties"]["mpush"] = or_null(&mpush_change);
    change["properties"]["rate"] = json!({
        "type": ["object", "null"],
        "properties": { "per_second": number(0, 4_294_967_295), "burst": number(0, 4_294_967_295) },
        "additionalProperties": false,
    });
    let mut quotas_change = quotas.clone();
    quotas_change["required"] = json!([]);
    change["properties"]["quotas"] = or_null(&quotas_change);
    let key_body = object(
        &["scopes"],
        [
            ("scopes", json!({ "type": "array", "items": schema("Scope"), "minItems": 1 })),
            ("account", or_null(&text())),
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
            (
                "session_of",
                json!({ "$ref": "#/components/schemas/KeyId", "description": "The key that somebody has signed in with at the console, if this one is a session's. It ends with that one." }),
            ),
            ("created_at", time()),
            ("last_used_at", or_null(&time())),
        ],
    );
    let typed = object(
        &["channel"],
        [("channel", schema("Channel")), ("params", json!({ "description": "The channel's parameters, or all on one line." }))],
    );
    let audit = object(
        &["id", "at", "key", "action", "object"],
        [("id", schema("AuditId")), ("at", time()), ("key", schema("KeyId")), ("action", text()), ("object", or_null(&text()))],
    );
    let tenant = object(
        &["id", "quotas"],
        [("id", schema("Name")), ("created_at", time()), ("deleted_at", time()), ("quotas", quotas), ("key", schema("Key"))],
    );
    let dead = object(&["channel", "count"], [("channel", schema("Channel")), ("count", count())]);
    vec![
        ("Registration", registration()),
        ("TestBody", object(&[], said())),
        ("TypedTestBody", extended(&typed, &object(&[], said()))),
        ("Test", test()),
        ("RevealBody", object(&["key"], [("key", text())])),
        ("Revealed", revealed()),
        ("AuditEntry", audit),
        ("AccountBody", object(&["id"], [("id", schema("Name"))])),
        ("AccountQuotas", object(&["quotas"], [("quotas", quotas_change)])),
        ("Tenant", tenant),
        ("AccountChange", change),
        ("Account", extended(&object(&["id"], [("id", schema("Name"))]), &settings)),
        ("KeyBody", key_body),
        ("Key", key),
        ("DeadLetters", dead),
        ("ChannelBody", object(&["channel"], [("channel", schema("Channel"))])),
        ("Redriven", object(&["redriven"], [("redriven", count())])),
    ]
}
