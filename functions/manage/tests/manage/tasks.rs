//! `/v1/tasks`

use bellhop_core::Timestamp;
use serde_json::{Value, json};

use crate::{
    world,
    world::{World, request},
};

const PREVIEW: &str = "/v1/tasks/preview";

fn reminder() -> Value {
    json!({
        "name": "催款", "source": "billing/reminder", "to": ["phone"], "title": "Pay", "body": "by Friday",
        "schedule": {"kind": "daily", "time": "09:30:00", "time_zone": "Asia/Shanghai"}, "max_runs": 3,
    })
}

async fn make(world: &World, body: Value) -> Value {
    let made = world.call("manage", "POST", "/v1/tasks", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

fn path(task: &Value) -> String {
    format!("/v1/tasks/{}", task["id"].as_str().unwrap())
}

/// Looks at what is due, and delivers it.
async fn work(world: &World) {
    let ports = &world.rig.ports;
    for due in ports.agenda.due(ports.clock.now(), None, 100).await.unwrap() {
        bellhop_core::tick::look(ports, &due).await.unwrap();
    }
    while let [wake, ..] = &ports.queue.receive(&bellhop_testkit::channel(), 1).await.unwrap()[..] {
        bellhop_core::deliver::work(ports, wake, bellhop_core::deliver::LEASE).await.unwrap();
    }
}

#[tokio::test]
async fn a_task_is_shown_as_it_was_made_with_where_it_stands() {
    let world = world().await;
    let made = make(&world, reminder()).await;

    let shown = world.call("read", "GET", &path(&made), "").await.body;
    assert_eq!(shown, made);
    for (field, value) in reminder().as_object().unwrap().iter().filter(|(field, _)| *field != "schedule") {
        assert_eq!(shown[field], *value, "{field}");
    }
    let schedule = json!({"kind": "daily", "time": "09:30:00", "time_zone": "Asia/Shanghai", "start": "now"});
    assert_eq!((&shown["schedule"], &shown["state"], &shown["runs"]), (&schedule, &json!("scheduled"), &json!(0)));
    assert!(shown["next_run"].as_str().unwrap().ends_with("T01:30:00Z"), "{shown}");
    assert_eq!((&shown["catch_up"], &shown["channels"]), (&json!("one"), &json!(["probe"])));
    let listed = world.call("read", "GET", "/v1/tasks?state=scheduled&source=billing/reminder", "").await.body;
    assert_eq!(listed["items"], json!([shown]));
    assert_eq!(world.call("other", "GET", &path(&made), "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("other", "GET", "/v1/tasks", "").await.body["items"], json!([]));
}

#[tokio::test]
async fn the_runs_of_a_task_tell_what_was_tried_and_answered() {
    let world = world().await;
    let task = make(&world, json!({"name": "now", "to": "phone", "body": "x", "schedule": {"kind": "now"}})).await;
    work(&world).await;

    let runs = world.call("read", "GET", &format!("{}/runs", path(&task)), "").await.body;
    let run = &runs["items"][0];
    let page = world.call("read", "GET", &format!("{}/runs?limit=1", path(&task)), "").await;
    assert_eq!((page.status, &page.body["items"][0]), (200, run));
    let wrong = world.call("read", "GET", &format!("{}/runs?state=failed", path(&task)), "").await;
    assert_eq!(wrong.refusal(), (422, "invalid_query", "state"));
    assert_eq!((runs["items"].as_array().unwrap().len(), &run["state"]), (1, &json!("succeeded")));
    assert_eq!((&run["deliveries"][0]["registration"], &run["deliveries"][0]["state"]), (&json!("phone"), &json!("delivered")));
    assert_eq!(run["deliveries"][0]["attempts"][0]["outcome"], "delivered");
    let shown = world.call("read", "GET", &path(&task), "").await.body;
    assert_eq!((&shown["state"], &shown["runs"], &shown["next_run"]), (&json!("succeeded"), &json!(1), &Value::Null));
    assert_eq!((&shown["last_run"]["event"], &shown["last_run"]["state"]), (&run["event"], &json!("succeeded")));
    let event = world.call("read", "GET", &format!("/v1/events/{}", run["event"].as_str().unwrap()), "").await;
    assert_eq!(event.status, 200, "a run is an event");
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_moves_the_next_run() {
    let world = world().await;
    let task = make(&world, reminder()).await;

    let change = json!({"schedule": {"kind": "hourly", "minute": 45}, "max_runs": null, "body": "today"});
    let changed = world.call("manage", "PATCH", &path(&task), change).await;

    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.body["schedule"], json!({"kind": "hourly", "minute": 45, "time_zone": "UTC", "start": "now"}));
    assert_eq!((&changed.body["title"], &changed.body["body"]), (&json!("Pay"), &json!("today")));
    assert_eq!(changed.body.get("max_runs"), None);
    assert!(changed.body["next_run"].as_str().unwrap().ends_with(":45:00Z"));
    let unknown = world.call("manage", "PATCH", &path(&task), json!({"state": "failed"})).await;
    assert_eq!(unknown.refusal(), (422, "unknown_field", "state"));
}

#[tokio::test]
async fn a_cancelled_task_is_over_and_cannot_be_changed() {
    let world = world().await;
    let task = make(&world, reminder()).await;
    let cancel = format!("{}/cancel", path(&task));
    for _ in 0..2 {
        let cancelled = world.call("manage", "POST", &cancel, "").await;
        assert_eq!((cancelled.status, &cancelled.body["state"]), (200, &json!("cancelled")));
    }
    world.rig.sim.pass(std::time::Duration::from_hours(48));
    work(&world).await;
    assert!(world.is_untouched().await, "it never fires");
    assert_eq!(world.call("manage", "PATCH", &path(&task), json!({"body": "x"})).await.refusal(), (409, "conflict", ""));
    assert_eq!(world.call("manage", "DELETE", &path(&task), "").await.status, 204);
    assert_eq!(world.call("manage", "DELETE", &path(&task), "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("manage", "POST", &cancel, "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("read", "GET", &format!("{}/runs", path(&task)), "").await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn a_repeated_request_for_a_task_makes_no_other() {
    let world = world().await;
    let first = world.repeatable("/v1/tasks", "k", reminder()).await;
    let again = world.repeatable("/v1/tasks", "k", reminder()).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    let mut other = reminder();
    other["name"] = json!("other");
    let mismatch = (422, "idempotency_mismatch", "Idempotency-Key");
    assert_eq!(world.repeatable("/v1/tasks", "k", other).await.refusal(), mismatch);
    assert_eq!(world.call("read", "GET", "/v1/tasks", "").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_tasks_each_stands_for_itself() {
    let world = world().await;
    let bad = json!({"name": "bad", "to": "nobody", "body": "x", "schedule": {"kind": "now"}});
    let body = json!({"tasks": [reminder(), bad, reminder()]});
    for _ in 0..2 {
        let answer = world.send(request("manage", "POST", "/v1/tasks/bulk", &[("idempotency-key", "k")], &body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let items = answer.body["items"].as_array().unwrap();
        assert_eq!((&items[0]["state"], &items[2]["state"]), (&json!("scheduled"), &json!("scheduled")));
        assert_eq!((&items[1]["code"], &items[1]["field"]), (&json!("unknown_recipient"), &json!("tasks[1].to[0]")));
    }
    assert_eq!(world.call("read", "GET", "/v1/tasks", "").await.body["items"].as_array().unwrap().len(), 2, "each made once");
    let many = json!({"tasks": vec![reminder(); 101]});
    assert_eq!(world.call("manage", "POST", "/v1/tasks/bulk", many).await.refusal(), (422, "too_many_items", "tasks"));
}

#[tokio::test]
async fn a_task_that_makes_no_sense_is_refused_by_its_field() {
    let world = world().await;
    let with = |change: Value| {
        let mut body = json!({"name": "a", "to": "phone", "body": "x", "schedule": {"kind": "now"}});
        body.as_object_mut().unwrap().append(&mut change.as_object().unwrap().clone());
        body
    };
    let schedule = |schedule: Value| with(json!({ "schedule": schedule }));
    for (body, refusal) in [
        (json!({"to": "phone", "body": "x", "schedule": {"kind": "now"}}), (422, "missing_field", "name")),
        (json!({"name": "a", "to": "phone", "body": "x"}), (422, "missing_field", "schedule")),
        (json!({"name": "a", "to": "phone", "schedule": {"kind": "now"}}), (422, "missing_field", "body")),
        (with(json!({"name": " "})), (422, "invalid_field", "name")),
        (with(json!({"to": "nobody"})), (422, "unknown_recipient", "to[0]")),
        (with(json!({"to": "email:a@example.org"})), (422, "no_default_registration", "to[0]")),
        (with(json!({"screenshot": "AAAA"})), (422, "unknown_field", "screenshot")),
        (with(json!({"sauce": 1})), (422, "unknown_field", "sauce")),
        (with(json!({"max_runs": 0})), (422, "invalid_field", "max_runs")),
        (with(json!({"max_runs": 2})), (422, "invalid_field", "max_runs")),
        (with(json!({"catch_up": "some"})), (422, "invalid_field", "catch_up")),
        (with(json!({"params": {"code": "1"}})), (422, "invalid_option", "params")),
        (schedule(json!({})), (422, "missing_field", "schedule.kind")),
        (schedule(json!({"kind": "weekly"})), (422, "invalid_field", "schedule.kind")),
        (schedule(json!({"kind": "now", "minute": 5})), (422, "invalid_field", "schedule.minute")),
        (schedule(json!({"kind": "at"})), (422, "missing_field", "schedule.at")),
        (schedule(json!({"kind": "at", "at": "tomorrow"})), (422, "invalid_field", "schedule.at")),
        (schedule(json!({"kind": "at", "at": "2001-01-01T00:00:00Z"})), (422, "invalid_field", "schedule.at")),
        (schedule(json!({"kind": "hourly"})), (422, "missing_field", "schedule.minute")),
        (schedule(json!({"kind": "hourly", "minute": 60})), (422, "invalid_field", "schedule.minute")),
        (schedule(json!({"kind": "daily", "time": "25:00"})), (422, "invalid_field", "schedule.time")),
        (schedule(json!({"kind": "daily", "time": "12:00", "time_zone": "CST8"})), (422, "invalid_field", "schedule.time_zone")),
        (schedule(json!({"kind": "cron", "cron": "* * *"})), (422, "invalid_field", "schedule.cron")),
        (schedule(json!({"kind": "cron", "cron": "0 0 30 2 *"})), (422, "invalid_field", "schedule")),
    ] {
        assert_eq!(world.call("manage", "POST", "/v1/tasks", &body).await.refusal(), refusal, "{body}");
    }
    assert_eq!(world.call("read", "GET", "/v1/tasks", "").await.body["items"], json!([]));
    assert_eq!(world.call("read", "GET", "/v1/tasks?state=late", "").await.refusal(), (422, "invalid_query", "state"));
    assert_eq!(world.call("read", "GET", "/v1/tasks?channel=fax", "").await.refusal(), (422, "invalid_query", "channel"));
}

#[tokio::test]
async fn quotas_are_the_operators_to_set_and_kept_by_the_server() {
    let world = world().await;
    let quotas = json!({"quotas": {"tasks": 1, "registrations_per_channel": 2}});
    assert_eq!(world.call("manage", "PUT", "/v1/account", &quotas).await.refusal(), (403, "forbidden", ""));
    let set = world.call("operate", "PATCH", "/v1/accounts/main", &quotas).await;
    assert_eq!((set.status, &set.body["quotas"]), (200, &quotas["quotas"]), "{set:?}");
    assert_eq!(world.call("manage", "GET", "/v1/account", "").await.body["quotas"], quotas["quotas"]);

    make(&world, reminder()).await;
    assert_eq!(world.call("manage", "POST", "/v1/tasks", reminder()).await.refusal(), (403, "quota_exceeded", ""));
    let desk = json!({"channel": "probe"});
    assert_eq!(world.call("manage", "PUT", "/v1/registrations/desk", &desk).await.status, 200);
    assert_eq!(world.call("manage", "PUT", "/v1/registrations/more", &desk).await.refusal(), (403, "quota_exceeded", "channel"));
    assert_eq!(world.call("manage", "PUT", "/v1/registrations/desk", &desk).await.status, 200, "it is none more");

    let more = world.call("operate", "PATCH", "/v1/accounts/main", json!({"quotas": {"tasks": 2}})).await;
    assert_eq!(more.body["quotas"], json!({"tasks": 2, "registrations_per_channel": 2}));
    make(&world, reminder()).await;
    assert_eq!(world.call("operate", "PATCH", "/v1/accounts/nobody", &quotas).await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn a_task_does_not_grow_beyond_what_a_store_takes() {
    let world = world().await;
    let made = make(&world, reminder()).await;
    let path = format!("/v1/tasks/{}", made["id"].as_str().unwrap());
    let long = "x".repeat(200 * 1_024);
    assert_eq!(world.call("manage", "PATCH", &path, json!({ "body": long })).await.status, 200);
    assert_eq!(world.call("manage", "PATCH", &path, json!({ "data": long })).await.refusal(), (413, "body_too_large", ""));
    assert_eq!(world.call("manage", "GET", &path, "").await.body["data"], Value::Null);
}

#[tokio::test]
async fn when_a_task_would_run_is_told_before_it_is_made() {
    let world = world().await;
    for schedule in [
        json!({"kind": "now"}),
        json!({"kind": "at", "at": "2999-01-01T09:30:00Z"}),
        json!({"kind": "hourly", "minute": 45, "start": "next_hour"}),
        json!({"kind": "daily", "time": "09:30:00", "time_zone": "Asia/Shanghai"}),
        json!({"kind": "cron", "cron": "0 9 29 2 *"}),
    ] {
        let told = world.call("read", "POST", PREVIEW, json!({"schedule": schedule})).await;
        assert_eq!(told.status, 200, "{told:?}");
        let runs: Vec<Timestamp> = serde_json::from_value(told.body["next_runs"].clone()).unwrap();
        let repeats = !["now", "at"].contains(&schedule["kind"].as_str().unwrap());
        assert_eq!(runs.len(), if repeats { 5 } else { 1 }, "{schedule}");
        assert!(runs.is_sorted_by(|one, next| one < next), "{runs:?}");
        let mut task = reminder();
        task["schedule"] = schedule;
        task["max_runs"].take();
        assert_eq!(make(&world, task).await["next_run"], told.body["next_runs"][0], "as it is when it is made");
    }
    let ends = json!({"schedule": {"kind": "hourly", "minute": 0}, "max_runs": 2});
    assert_eq!(world.call("read", "POST", PREVIEW, ends).await.body["next_runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_told_as_when_a_task_is_made_and_nothing_is_kept() {
    let world = world().await;
    for (asked, refusal) in [
        (json!({}), (422, "missing_field", "schedule")),
        (json!({"schedule": {"kind": "daily"}}), (422, "missing_field", "schedule.time")),
        (json!({"schedule": {"kind": "now", "minute": 1}}), (422, "invalid_field", "schedule.minute")),
        (json!({"schedule": {"kind": "at", "at": "2001-01-01T00:00:00Z"}}), (422, "invalid_field", "schedule.at")),
        (json!({"schedule": {"kind": "cron", "cron": "0 9 30 2 *"}}), (422, "invalid_field", "schedule")),
        (json!({"schedule": {"kind": "now"}, "max_runs": 2}), (422, "invalid_field", "max_runs")),
        (json!({"schedule": {"kind": "hourly", "minute": 1}, "max_runs": 0}), (422, "invalid_field", "max_runs")),
    ] {
        assert_eq!(world.call("read", "POST", PREVIEW, &asked).await.refusal(), refusal, "{asked}");
        let Value::Object(mut task) = reminder() else { unreachable!() };
        task.retain(|name, _| !["schedule", "max_runs"].contains(&name.as_str()));
        task.extend(asked.as_object().unwrap().clone());
        assert_eq!(world.call("manage", "POST", "/v1/tasks", Value::Object(task)).await.refusal(), refusal, "{asked}");
    }
    assert_eq!(world.call("read", "GET", "/v1/tasks", "").await.body["items"], json!([]));
}
