//! What comes in, and what is told of it afterwards.

use serde_json::{Value, json};

use crate::{
    operation::schema,
    schemas::SEEN,
    shape::{at_most, count, extended, link, list, object, one_or_many, or_null, text, time, words, yes_or_no},
};

/// What comes in.
pub(crate) fn sending() -> Vec<(&'static str, Value)> {
    let said = json!({ "type": "string", "pattern": SEEN });
    let picture = json!({ "type": "string", "contentEncoding": "base64", "description": "4 MB decoded at most; also as a `data:image/…;base64,` URL." });
    let to = at_most(1_000, &schema("Recipient"));
    let event = object(
        &["message"],
        [
            ("source", or_null(&schema("Source"))),
            ("type", or_null(&schema("EventType"))),
            ("trigger", or_null(&schema("Trigger"))),
            ("result", or_null(&schema("ResultGiven"))),
            ("title", or_null(&text())),
            ("message", said.clone()),
            ("format", or_null(&schema("Format"))),
            ("url", or_null(&link(false))),
            ("image_url", or_null(&link(true))),
            ("screenshot", or_null(&picture)),
            (
                "occurred_at",
                or_null(
                    &json!({ "type": "string", "description": "RFC 3339, or `yyyy-MM-dd HH:mm:ss` in the account's time zone." }),
                ),
            ),
            ("send_to", or_null(&one_or_many(&to))),
            ("final", or_null(&yes_or_no())),
            ("data", json!({ "description": "Anything." })),
        ],
    );
    let some = json!({ "type": "array", "items": schema("Recipient"), "minItems": 1, "maxItems": 1_000 });
    let mut message = object(
        &["to"],
        [
            ("to", one_or_many(&some)),
            ("via", or_null(&schema("Name"))),
            ("title", or_null(&text())),
            ("body", or_null(&text())),
            ("format", or_null(&schema("Format"))),
            ("url", or_null(&link(false))),
            ("image_url", or_null(&link(true))),
            ("screenshot", or_null(&picture)),
            ("data", json!({ "description": "Anything." })),
            (
                "options",
                or_null(
                    &json!({ "type": "object", "propertyNames": schema("Channel"), "additionalProperties": { "type": "object" }, "description": "By channel: parameters that it marks `per_message`." }),
                ),
            ),
            ("wait_seconds", or_null(&json!({ "type": "integer", "minimum": 0, "maximum": 25, "default": 0 }))),
        ],
    );
    message["anyOf"] = json!([
        { "required": ["title"], "properties": { "title": said } },
        { "required": ["body"], "properties": { "body": said } },
    ]);
    let bulk =
        object(&["events"], [("events", at_most(100, &json!({ "description": "An `EventBody`; each stands for itself." })))]);
    vec![("EventBody", event), ("MessageBody", message), ("BulkBody", bulk)]
}

fn summary() -> Value {
    object(
        &["id", "registration", "channel", "address", "state"],
        [
            ("id", schema("DeliveryId")),
            ("registration", schema("Name")),
            ("channel", schema("Channel")),
            ("address", or_null(&text())),
            ("state", schema("State")),
        ],
    )
}

fn event() -> Value {
    object(
        &["id", "account", "source", "trigger", "message", "format", "accepted_at"],
        [
            ("id", schema("EventId")),
            ("account", schema("Name")),
            ("source", schema("Source")),
            ("type", schema("EventType")),
            ("trigger", schema("Trigger")),
            ("result", schema("Result")),
            ("title", text()),
            ("message", text()),
            ("format", schema("Format")),
            ("url", text()),
            ("image_url", text()),
            ("screenshot", json!({ "type": "string", "description": "The id of a picture that was sent along." })),
            ("occurred_at", time()),
            ("accepted_at", time()),
            ("send_to", list(&schema("Recipient"))),
            ("final", yes_or_no()),
            ("data", json!({ "description": "Whatever else was reported." })),
            ("options", json!({ "type": "object" })),
            ("wordings", list(&schema("Wording"))),
            (
                "mid",
                json!({ "type": "string", "pattern": "^[0-9]+$", "description": "The number by which Mpush clients know it." }),
            ),
            ("origin", origin()),
        ],
    )
}

/// How an Mpush call asked for it.
fn origin() -> Value {
    object(
        &["send_type", "target", "method"],
        [
            ("send_type", words(["personal", "group"])),
            ("target", text()),
            ("method", words(["http", "websocket"])),
            ("name", text()),
        ],
    )
}

/// What is told of events and deliveries.
pub(crate) fn told() -> Vec<(&'static str, Value)> {
    let plan = [("collected", list(&schema("Collected"))), ("dropped", list(&schema("Dropped")))];
    let accepted = object(
        &["event", "deliveries", "collected", "dropped"],
        [("event", schema("EventId")), ("deliveries", list(&schema("Summary"))), plan[0].clone(), plan[1].clone()],
    );
    let known =
        [("deliveries", list(&schema("Delivery"))), ("deliveries_left_out", count()), ("decisions", list(&schema("Decision")))];
    let known = known.into_iter().chain(plan.clone()).collect::<Vec<_>>();
    let explained = object(&["deliveries", "collected", "dropped", "decisions"], known);
    let delivery = object(
        &["event", "accepted_at", "attempts"],
        [
            ("event", schema("EventId")),
            ("accepted_at", time()),
            ("reason", schema("Reason")),
            ("why", schema("Reason")),
            ("next_attempt_at", time()),
            ("attempts", list(&schema("Attempt"))),
        ],
    );
    let attempt = object(
        &["n", "at", "outcome", "duration_ms"],
        [
            ("n", count()),
            ("at", time()),
            ("outcome", words(["delivered", "retry", "unknown", "failed"])),
            ("reason", schema("Reason")),
            ("status", count()),
            ("detail", text()),
            ("duration_ms", count()),
            ("repeated", yes_or_no()),
        ],
    );
    let collected = object(
        &["rule", "due_at"],
        [("rule", schema("Name")), ("due_at", time()), ("at_once", yes_or_no()), ("for_each", yes_or_no())],
    );
    let dropped = object(
        &["why"],
        [
            ("registration", schema("Name")),
            ("recipient", text()),
            ("rule", schema("Name")),
            ("why", schema("Reason")),
            ("count", count()),
            ("needed", count()),
            ("count_approximate", yes_or_no()),
        ],
    );
    let decision = object(
        &["rule", "decided"],
        [
            ("rule", schema("Name")),
            ("decided", words(["notify", "recovered", "collect", "drop"])),
            ("after", count()),
            ("why", schema("Reason")),
            ("count", count()),
            ("needed", count()),
            ("count_approximate", yes_or_no()),
            ("template_error", text()),
        ],
    );
    let wording = object(
        &["rule", "message", "tails"],
        [("rule", schema("Name")), ("title", text()), ("message", text()), ("tails", list(&count()))],
    );
    let reached = object(
        &["registration", "channel"],
        [("registration", schema("Name")), ("channel", schema("Channel")), ("address", text()), ("worded_by", schema("Name"))],
    );
    let said = object(&["rule", "message"], [("rule", schema("Name")), ("title", text()), ("message", text())]);
    let would_be = object(
        &["decisions", "deliveries", "collected", "dropped", "wordings"],
        [
            ("decisions", list(&schema("Decision"))),
            ("deliveries", list(&reached)),
            plan[0].clone(),
            plan[1].clone(),
            ("wordings", list(&said)),
        ],
    );
    let items = json!({ "type": "array", "items": { "anyOf": [schema("Accepted"), schema("Problem")] } });
    vec![
        ("Accepted", accepted),
        ("BulkAccepted", object(&["items"], [("items", items)])),
        ("Summary", summary()),
        ("Delivery", extended(&summary(), &delivery)),
        ("Attempt", attempt),
        ("Collected", collected),
        ("Dropped", dropped),
        ("Decision", decision),
        ("Wording", wording),
        ("WouldBe", would_be),
        ("Event", event()),
        ("Explained", extended(&event(), &explained)),
    ]
}
