use serde_json::{Value, json};

use super::{World, made};
use crate::visitor::{Scripts, Visitor};

/// The id of the task whose page is open.
async fn id(visitor: &mut Visitor) -> String {
    let path = visitor.path().await;
    path.strip_prefix("/console/tasks/").unwrap_or_else(|| panic!("{path}")).replace("%5F", "_")
}

/// A new task, as far as it is the same for all schedules.
async fn fill_in(visitor: &mut Visitor) {
    for (name, value) in [
        ("name", "reminder"),
        ("source", "billing/reminder"),
        ("to", "desk\ndoor"),
        ("title", "Pay"),
        ("body", "by *Friday*"),
        ("url", "https://example.org/bill"),
        ("image_url", "https://example.org/bill.png"),
    ] {
        visitor.fill(name, value).await;
    }
    visitor.choose("format", "Markdown").await;
    visitor.choose("catch_up", "what was missed is over").await;
}

/// A kind of schedule, as somebody reads it.
struct Kind {
    label: &'static str,
    typed: &'static [(&'static str, &'static str)],
    /// As the API shows it.
    schedule: Value,
}

fn kinds() -> [Kind; 5] {
    [
        Kind { label: "as soon as it is made", typed: &[], schedule: json!({ "kind": "now" }) },
        Kind {
            label: "once, at a time",
            typed: &[("schedule.at", "2199-03-02T09:30:00+08:00")],
            schedule: json!({ "kind": "at", "at": "2199-03-02T01:30:00Z" }),
        },
        Kind {
            label: "every hour, at a minute",
            typed: &[("schedule.minute", "45"), ("schedule.time_zone", "Asia/Kathmandu"), ("max_runs", "3")],
            schedule: json!({ "kind": "hourly", "minute": 45, "time_zone": "Asia/Kathmandu", "start": "next_hour" }),
        },
        Kind {
            label: "every day, at a time",
            typed: &[("schedule.time", "09:30:00")],
            schedule: json!({ "kind": "daily", "time": "09:30:00", "time_zone": "UTC", "start": "next_hour" }),
        },
        Kind {
            label: "by a cron expression",
            typed: &[("schedule.cron", "0 9 * * 1-5"), ("schedule.time_zone", "Europe/Berlin")],
            schedule: json!({ "kind": "cron", "cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "start": "next_hour" }),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn each_kind_of_schedule_makes_a_task_as_its_form_says() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        for Kind { label, typed, schedule } in kinds() {
            let visitor = &mut world.visitor;
            visitor.open("/console/new-task").await;
            fill_in(visitor).await;
            visitor.choose("schedule.kind", label).await;
            for (name, value) in typed {
                visitor.fill(name, value).await;
            }
            if schedule["start"] == "next_hour" {
                visitor.tick("First run not before the next full hour").await;
            }
            visitor.submit("/console/new-task").await;
            let id = id(visitor).await;
            assert!(visitor.text().await.contains("Saved."));
            let task = world.client().get(&format!("/v1/tasks/{id}")).await;
            assert_eq!(task["schedule"], schedule);
            assert_eq!(task["max_runs"] == 3, schedule["kind"] == "hourly");
            let said = json!({ "name": "reminder", "source": "billing/reminder", "to": ["desk", "door"],
                "title": "Pay", "body": "by *Friday*", "format": "markdown", "url": "https://example.org/bill",
                "image_url": "https://example.org/bill.png", "catch_up": "none" });
            for (member, value) in said.as_object().unwrap() {
                assert_eq!(&task[member], value, "{label}: {member}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_task_is_said_beside_the_field_and_what_was_typed_stays() {
    let mut world = World::new(Scripts::Off).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/new-task").await;
    assert_eq!(visitor.asked_for().await, "name to");
    fill_in(visitor).await;
    for (kind, name, wrong) in [
        ("once, at a time", "schedule.at", "2020-01-01T00:00:00Z"),
        ("every hour, at a minute", "schedule.minute", "75"),
        ("every day, at a time", "schedule.time", "noon"),
        ("by a cron expression", "schedule.cron", "whenever"),
        ("every day, at a time", "schedule.time_zone", "Mars/Olympus"),
        ("as soon as it is made", "max_runs", "many"),
        ("as soon as it is made", "url", "javascript:alert(1)"),
        ("as soon as it is made", "to", "group:"),
    ] {
        visitor.choose("schedule.kind", kind).await;
        let before = visitor.value_of(name).await;
        visitor.fill(name, wrong).await;
        if name == "schedule.time_zone" {
            visitor.fill("schedule.time", "09:30:00").await;
        }
        visitor.submit("/console/new-task").await;
        assert_ne!(visitor.error_at(name).await, "", "{name}: {}", visitor.text().await);
        assert_eq!(visitor.value_of(name).await, wrong);
        assert_eq!(visitor.value_of("title").await, "Pay");
        visitor.fill(name, &before).await;
        visitor.fill("schedule.time", "").await;
    }
    assert_eq!(world.client().get("/v1/tasks").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_task_is_changed_and_what_its_form_does_not_show_stays() {
    let mut world = World::new(Scripts::Off).await;
    let daily = json!({ "kind": "daily", "time": "09:00:00" });
    let body = json!({ "name": "reminder", "to": "desk", "body": "Pay", "data": { "bill": 7 }, "schedule": daily });
    let task = made(world.client(), "/v1/tasks", body).await;
    let id = task["id"].as_str().unwrap();
    let page = format!("/console/tasks/{id}");
    let visitor = &mut world.visitor;
    visitor.open(&page).await;
    visitor.follow(&format!("{}/edit", page.replace('_', "%5F"))).await;
    visitor.fill("body", "Pay at once").await;
    visitor.choose("schedule.kind", "every hour, at a minute").await;
    visitor.fill("schedule.minute", "45").await;
    visitor.fill("schedule.time", "").await;
    visitor.submit(&format!("{page}/edit")).await;
    assert!(visitor.text().await.contains("Saved."));
    let changed = world.client().get(&format!("/v1/tasks/{id}")).await;
    assert_eq!((&changed["body"], &changed["data"]), (&json!("Pay at once"), &json!({ "bill": 7 })));
    assert_eq!((&changed["schedule"]["kind"], &changed["schedule"]["minute"]), (&json!("hourly"), &json!(45)));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_task_is_cancelled_and_deleted_once_that_is_confirmed() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let daily = json!({ "kind": "daily", "time": "09:00:00" });
        let task =
            made(world.client(), "/v1/tasks", json!({ "name": "reminder", "to": "desk", "body": "x", "schedule": daily })).await;
        let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
        let page = format!("/console/tasks/{}", task["id"].as_str().unwrap());
        world.visitor.open(&page).await;
        world.visitor.confirm(&format!("{page}/cancel")).await;
        assert!(world.visitor.text().await.contains("cancelled"));
        assert_eq!(world.client().get(&path).await["state"], "cancelled");
        world.visitor.confirm(&format!("{page}/delete")).await;
        assert_eq!(world.visitor.path().await, "/console/tasks");
        assert_eq!(world.client().call("GET", &path, None).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn tasks_are_filtered_into_a_list_with_an_address() {
    let mut world = World::new(Scripts::Off).await;
    for (name, source) in [("first", "billing"), ("second", "backup")] {
        let task = json!({ "name": name, "source": source, "to": "desk", "body": "x", "schedule": { "kind": "daily", "time": "09:00:00" } });
        made(world.client(), "/v1/tasks", task).await;
    }
    let visitor = &mut world.visitor;
    visitor.open("/console/tasks").await;
    visitor.choose("state", "scheduled").await;
    visitor.choose("channel", "Webhook").await;
    visitor.fill("source", "billing").await;
    visitor.submit("/console/tasks").await;
    let address = visitor.address().await;
    for part in ["state=scheduled", "channel=webhook", "source=billing"] {
        assert!(address.contains(part), "{address}");
    }
    assert_eq!(visitor.rows().await, ["first"]);
    visitor.choose("state", "cancelled").await;
    visitor.submit("/console/tasks").await;
    assert_eq!(visitor.rows().await, [""; 0]);
    visitor.open(&address).await;
    assert_eq!(visitor.rows().await, ["first"], "it can be kept as a bookmark");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_somebody_unknown_is_not_sent_and_that_is_said_beside_the_field() {
    let mut world = World::new(Scripts::On).await;
    world.visitor.open("/console/send").await;
    assert_eq!(world.visitor.asked_for().await, "to");
    world.visitor.fill("to", "nobody").await;
    world.visitor.fill("title", "Hello").await;
    world.visitor.submit("/console/send").await;
    assert!(world.visitor.error_at("to").await.contains("nobody"), "{}", world.visitor.text().await);
    assert_eq!((world.visitor.value_of("to").await, world.visitor.value_of("title").await), ("nobody".into(), "Hello".into()));
    assert_eq!(world.client().get("/v1/tasks").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_button_that_is_pressed_twice_sends_one_message() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/send").await;
        visitor.fill("to", "desk").await;
        visitor.fill("title", "Hello").await;
        // the answer to the first has not reached the browser yet when the second is sent
        visitor.submit_twice("/console/send").await;
        let id = id(visitor).await;
        let tasks = world.client().get("/v1/tasks").await["items"].take();
        assert_eq!(tasks.as_array().unwrap().iter().map(|task| &task["id"]).collect::<Vec<_>>(), [&json!(id)]);
        world.sink.until(1).await;
        let deliveries = world.client().get("/v1/deliveries").await["items"].take();
        assert_eq!(deliveries.as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_runs_are_shown_before_a_task_is_saved() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/new-task").await;
        // whom it goes to, and what it is called, may come later
        visitor.choose("schedule.kind", "by a cron expression").await;
        visitor.fill("schedule.cron", "0 9 30 2 *").await;
        visitor.press_button("Show next runs").await;
        assert!(visitor.text().await.contains("there is no such time"), "{}", visitor.text().await);
        visitor.fill("schedule.cron", "0 9 29 2 *").await;
        visitor.press_button("Show next runs").await;
        let runs = visitor.page.evaluate("[...document.querySelectorAll('#next-runs time')].map(time => time.dateTime)").await;
        assert_eq!(visitor.value_of("schedule.cron").await, "0 9 29 2 *");
        fill_in(visitor).await;
        visitor.submit("/console/new-task").await;
        let id = id(visitor).await;
        let leap_days = json!({ "schedule": { "kind": "cron", "cron": "0 9 29 2 *" } });
        let (_, told) = world.client().call("POST", "/v1/tasks/preview", Some(leap_days)).await;
        assert_eq!((&runs, runs.as_array().map(Vec::len)), (&told["next_runs"], Some(5)));
        assert_eq!(world.client().get(&format!("/v1/tasks/{id}")).await["next_run"], runs[0]);
    }
}
