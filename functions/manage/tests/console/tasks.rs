//! Tasks and Send at the console.

use serde_json::{Value, json};

use crate::{browser::Browser, world, world::World};

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

/// The form of a task that runs each day.
const DAILY: [(&str, &str); 12] = [
    ("name", "reminder"),
    ("source", "billing/reminder"),
    ("to", "phone\r\n"),
    ("title", HOSTILE),
    ("body", HOSTILE),
    ("format", "text"),
    ("schedule.kind", "daily"),
    ("schedule.time", "09:30:00"),
    ("schedule.time_zone", "Asia/Shanghai"),
    ("max_runs", "3"),
    ("catch_up", "none"),
    ("url", ""),
];

async fn the_task(world: &World) -> Value {
    world.call("full", "GET", "/v1/tasks", "").await.body["items"][0].clone()
}

/// Looks at what is due, and delivers it.
async fn work(world: &World) {
    let ports = &world.rig.ports;
    for due in ports.agenda.due(ports.clock.now(), None, 100).await.unwrap() {
        bellhop_core::tick::look(ports, &due).await.unwrap();
    }
    world.work().await;
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_thing_and_one_that_was_changed_another() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let once = |page: &str| page.split("name=\"once\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (first, second) = (once(&browser.open("/console/send").await.text), once(&browser.open("/console/send").await.text));
    assert_ne!(first, second, "each form that is drawn is another");
    let sent = async |once: &str, body: &str| {
        let fields = [("once", once), ("to", "phone"), ("title", "t"), ("body", body), ("format", "text")];
        browser.send("/console/send", &fields).await.leads_to().to_owned()
    };
    let page = sent(&first, "x").await;
    assert_eq!(sent(&first, "x").await, page, "a double click");
    assert_ne!(sent(&first, "y").await, page, "gone back, changed, sent");
    assert_ne!(sent(&second, "x").await, page, "meant once more");
}

#[tokio::test]
async fn a_task_is_made_shown_with_its_next_run_changed_cancelled_and_deleted() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let made = browser.send("/console/new-task", &DAILY).await;
    let page = made.leads_to().split('?').next().unwrap().to_owned();
    let task = the_task(&world).await;
    assert_eq!((&task["to"], &task["max_runs"], &task["catch_up"]), (&json!(["phone"]), &json!(3), &json!("none")));
    assert_eq!(task["schedule"]["time"], "09:30:00");

    let list = browser.open("/console/tasks?state=scheduled&source=billing%2Freminder").await;
    let shown = browser.open(&page).await;
    let form = browser.open(&format!("{page}/edit")).await;
    let next_run = task["next_run"].as_str().unwrap();
    assert!(list.text.contains("reminder") && shown.text.contains(&format!("datetime=\"{next_run}\"")), "{}", shown.text);
    assert!(form.text.contains("value=\"09:30:00\"") && form.text.contains("value=\"reminder\""), "{}", form.text);
    for text in [&list.text, &shown.text, &form.text] {
        assert!(!text.contains("<script>") && !text.contains("<img"), "{text}");
    }

    let changed = DAILY.map(|(name, value)| if name == "schedule.time" { (name, "10:00:00") } else { (name, value) });
    assert!(browser.send(&format!("{page}/edit"), &changed).await.leads_to().ends_with("?notice=saved"));
    assert_eq!(the_task(&world).await["schedule"]["time"], "10:00:00");
    assert!(browser.send(&format!("{page}/cancel"), &[]).await.leads_to().ends_with("?notice=done"));
    assert_eq!(the_task(&world).await["state"], "cancelled");
    assert!(!browser.open(&page).await.text.contains(&format!("{page}/edit")), "it cannot be changed any more");
    assert_eq!(browser.send(&format!("{page}/delete"), &[]).await.leads_to(), "/console/tasks?notice=deleted");
    assert_eq!(the_task(&world).await, Value::Null);
}

#[tokio::test]
async fn what_is_wrong_with_a_task_is_said_beside_its_field_and_what_was_typed_is_kept() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let wrong = [
        ("schedule.time_zone", "Mars/Olympus", "f-schedule-time-zone-error"),
        ("schedule.kind", "cron", "f-schedule-time-error"),
        ("schedule.time", "", "f-schedule-time-error"),
        ("max_runs", "many", "f-max-runs-error"),
        ("to", "nobody-there", "f-to-error"),
        ("url", "javascript:alert(1)", "f-url-error"),
    ];
    for (name, value, error) in wrong {
        let fields = DAILY.map(|(there, usual)| if there == name { (there, value) } else { (there, usual) });
        let page = browser.send("/console/new-task", &fields).await;
        assert!(page.status == 422 && page.text.contains(&format!("id=\"{error}\"")), "{name}: {}", page.text);
        assert!(page.text.contains("value=\"reminder\"") && page.text.contains(value), "{name}");
        assert!(!page.text.contains("<script>"), "{name}");
    }
    assert_eq!(the_task(&world).await, Value::Null);
}

#[tokio::test]
async fn a_message_is_sent_at_once_and_its_page_tells_what_came_of_it() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let sent = browser.send("/console/send", &[("to", "phone"), ("title", "Hello"), ("body", "there"), ("format", "text")]).await;
    let page = sent.leads_to().to_owned();
    assert!(page.starts_with("/console/tasks/") && page.ends_with("?notice=done"), "{page}");
    let before = browser.open(&page).await;
    assert!(before.text.contains("id=\"runs\" data-live=\"3\""), "{}", before.text);
    work(&world).await;
    let after = browser.open(&page).await;
    assert!(!after.text.contains("data-live"), "{}", after.text);
    assert!(after.text.contains("Attempts: phone") && after.text.contains("state-delivered"), "{}", after.text);
    let event = the_task(&world).await["last_run"]["event"].as_str().unwrap().to_owned();
    assert!(browser.open(&format!("/console/messages/{event}")).await.text.contains("there"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_beside_its_field() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.send("/console/send", &[("to", "nobody-there"), ("body", HOSTILE), ("format", "text")]).await;
    assert!(page.status == 422 && page.text.contains("id=\"f-to-error\"") && page.text.contains("nobody-there"), "{}", page.text);
    assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script>"), "{}", page.text);
    let reader = Browser::of(&world, "read").await;
    let lacks = reader.open("/console/send").await;
    assert!(lacks.text.contains("lacks the scope") && !lacks.text.contains("action=\"/console/send\""), "{}", lacks.text);
}

#[tokio::test]
async fn a_form_of_a_task_without_the_sessions_token_does_nothing() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for path in ["/console/new-task", "/console/send"] {
        assert_eq!(browser.send_with(path, &[("sec-fetch-site", "same-origin")], &DAILY).await.status, 403, "{path}");
    }
    assert_eq!(the_task(&world).await, Value::Null);
}

#[tokio::test]
async fn the_next_runs_are_shown_before_a_task_is_saved_and_what_was_typed_stays() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let asked = DAILY.map(|(name, value)| if name == "to" { (name, "") } else { (name, value) });
    let asked: Vec<_> = asked.into_iter().chain([("preview", "on")]).collect();
    let page = browser.send("/console/new-task", &asked).await;
    let runs = page.text.split("id=\"next-runs\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!((page.status, runs.matches("T01:30:00Z\"").count()), (200, 3), "half past nine in Shanghai, thrice: {runs}");
    assert!(page.text.contains("value=\"reminder\"") && page.text.contains("value=\"09:30:00\""), "{}", page.text);
    assert_eq!(the_task(&world).await, Value::Null, "nothing is saved");

    let wrong: Vec<_> = asked.iter().map(|(name, value)| (*name, if *name == "schedule.time" { "" } else { *value })).collect();
    let page = browser.send("/console/new-task", &wrong).await;
    assert!(page.status == 422 && page.text.contains("id=\"f-schedule-time-error\""), "{}", page.text);
    assert!(!page.text.contains("id=\"next-runs\""), "{}", page.text);

    let made = browser.send("/console/new-task", &DAILY).await;
    let edit = made.leads_to().replace("?notice=saved", "/edit");
    world.rig.sim.pass(std::time::Duration::from_mins(90));
    work(&world).await;
    let page = browser.send(&edit, &asked).await;
    let runs = page.text.split("id=\"next-runs\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!((page.status, runs.matches("T01:30:00Z\"").count()), (200, 2), "one of its three runs is over: {runs}");
    assert_eq!(the_task(&world).await["to"], json!(["phone"]), "nothing is changed");
}
