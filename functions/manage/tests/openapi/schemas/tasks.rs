//! Tasks.

use bellhop_core::task::view::TaskState;
use serde_json::{Value, json};

use crate::{
    operation::schema,
    schemas::{ONE_LINE, SEEN},
    shape::{at_most, count, lenient, link, list, object, or_null, partial, text, time, words},
};

/// What a schedule says.
fn schedule() -> [(&'static str, Value); 7] {
    [
        ("kind", words(["now", "at", "hourly", "daily", "cron"])),
        ("at", time()),
        ("minute", json!({ "type": "integer", "minimum": 0, "maximum": 59 })),
        ("time", json!({ "type": "string", "description": "A local time such as `09:30:00`." })),
        ("cron", json!({ "type": "string", "description": "Five fields, such as `0 9 * * 1-5`." })),
        ("time_zone", json!({ "type": "string", "description": "An IANA name; the account's if absent." })),
        ("start", words(["now", "next_hour"])),
    ]
}

/// What its owner says of a task, as PUT takes it and as it is shown.
fn said(schedule: Value, to: Value) -> Vec<(&'static str, Value)> {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": ONE_LINE });
    let options = json!({ "type": "object", "propertyNames": schema("Channel"), "additionalProperties": { "type": "object" }, "description": "By channel: parameters that it marks `per_message`." });
    vec![
        ("name", name),
        ("source", schema("Source")),
        ("to", to),
        ("via", schema("Name")),
        ("title", text()),
        ("body", text()),
        ("format", schema("Format")),
        ("url", link(false)),
        ("image_url", link(true)),
        ("data", json!({ "description": "Anything." })),
        ("options", options),
        ("params", json!({ "type": "object", "description": "Variables for the templates of channels that send by template." })),
        ("schedule", schedule),
        ("max_runs", json!({ "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32 })),
        ("catch_up", words(["one", "all", "none"])),
    ]
}

pub(crate) fn tasks() -> Vec<(&'static str, Value)> {
    let asked = lenient(&object(&["kind"], schedule()));
    let some = json!({ "anyOf": [schema("Recipient"), { "type": "array", "items": schema("Recipient"), "minItems": 1, "maxItems": 1_000 }] });
    let max_runs = json!({ "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32 });
    let times = lenient(&object(&["schedule"], [("schedule", asked.clone()), ("max_runs", max_runs)]));
    let said_whole = object(&["name", "to", "schedule"], said(asked, some));
    let mut make = lenient(&said_whole);
    let seen = json!({ "type": "string", "pattern": SEEN });
    make["anyOf"] = json!([
        { "required": ["title"], "properties": { "title": seen } },
        { "required": ["body"], "properties": { "body": seen } },
    ]);
    let change = partial(&said_whole);
    let run = [("event", schema("EventId")), ("at", time()), ("state", or_null(&words(["running", "succeeded", "failed"])))];
    let told = [
        ("id", schema("TaskId")),
        ("channels", list(&schema("Channel"))),
        ("state", schema("TaskState")),
        ("next_run", or_null(&time())),
        ("runs", count()),
        ("last_run", or_null(&object(&["event", "at", "state"], run.clone()))),
        ("missed", time()),
        ("cancelled_at", time()),
        ("created_at", time()),
        ("updated_at", time()),
    ];
    let shown = said(object(&["kind"], schedule()), list(&schema("Recipient"))).into_iter().chain(told);
    let required = [
        "id",
        "name",
        "source",
        "to",
        "format",
        "schedule",
        "catch_up",
        "channels",
        "state",
        "next_run",
        "runs",
        "last_run",
        "created_at",
        "updated_at",
    ];
    let with_deliveries =
        [("deliveries", list(&schema("Delivery"))), ("deliveries_left_out", count()), ("dropped", list(&schema("Dropped")))];
    let items = json!({ "type": "array", "items": { "anyOf": [schema("Task"), schema("Problem")] } });
    vec![
        ("TaskState", words(TaskState::ALL.map(TaskState::as_str))),
        ("TaskBody", make),
        (
            "TasksBody",
            object(&["tasks"], [("tasks", at_most(100, &json!({ "description": "A `TaskBody`; each stands for itself." })))]),
        ),
        ("TasksMade", object(&["items"], [("items", items)])),
        ("TimesBody", times),
        ("NextRuns", object(&["next_runs"], [("next_runs", list(&time()))])),
        ("TaskChange", change),
        ("Task", object(&required, shown.collect::<Vec<_>>())),
        ("Run", object(&["event", "at", "state", "deliveries"], run.into_iter().chain(with_deliveries).collect::<Vec<_>>())),
    ]
}
