//! A task platform's day on one machine, through the binary: mail by an SMTP preset, text messages by Aliyun, the list, the log,
//! an end; and what becomes of tasks while nothing runs.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, which has no other clock")]

use acceptance::{
    Bellhop, HEADER_SECRET, Sink,
    cases::Case,
    command, eventually,
    platform::{SMS_SECRET, aliyun, configure, mail_server, template_params},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn now() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap()
}

async fn make(bellhop: &Bellhop, task: Value) -> Value {
    let (status, made) = bellhop.client.call("POST", "/v1/tasks", Some(task)).await;
    assert_eq!(status, 201, "{made}");
    made
}

fn path(task: &Value) -> String {
    format!("/v1/tasks/{}", task["id"].as_str().unwrap())
}

/// The task, once it is in that state.
async fn until(bellhop: &Bellhop, task: &Value, state: &str) -> Value {
    eventually(&format!("{} is {state}", task["name"]), async || {
        let found = bellhop.client.get(&path(task)).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_and_text_messages_go_by_the_clock_and_the_log_tells_what_the_providers_answered() {
    // given configurations for mail (by a preset) and text messages, each the default of its kind
    let data = tempfile::tempdir().unwrap();
    let (mut mail, mut options) = mail_server(data.path());
    let (sms, sms_options) = aliyun(data.path()).await;
    options.extend(sms_options);
    let bellhop = Bellhop::start_with(data.path(), &options.iter().map(String::as_str).collect::<Vec<_>>());
    configure(&bellhop.client).await;
    let shown = bellhop.client.get("/v1/registrations").await.to_string();
    assert!(!shown.contains(HEADER_SECRET) && !shown.contains(SMS_SECRET), "secrets are never listed");

    // when a mail goes to several, now, and a text message with its template's variables in two seconds
    let letter = make(
        &bellhop,
        json!({
            "name": "letter", "source": "crm", "to": ["email:a@example.org", "email:b@example.org"], "title": "Hello",
            "body": "**bold**", "format": "markdown", "schedule": { "kind": "now" },
        }),
    )
    .await;
    let at = now() + SignedDuration::from_secs(2);
    let code = make(
        &bellhop,
        json!({
            "name": "code", "source": "shop", "to": "sms:+8613800000000", "body": "your code", "params": { "code": "1521" },
            "schedule": { "kind": "at", "at": at.to_string() },
        }),
    )
    .await;
    let hourly = json!({ "kind": "hourly", "minute": 45, "time_zone": "Asia/Shanghai" });
    let hourly = make(
        &bellhop,
        json!({ "name": "hourly", "source": "crm", "to": "email:a@example.org", "body": "x", "schedule": hourly }),
    )
    .await;

    // then both arrive as they should, the text message at its time
    let letter = until(&bellhop, &letter, "succeeded").await;
    let mails: Vec<_> = (0..4).map(|_| mail.told()).filter(|told| told["message"].is_string()).collect();
    let mut to: Vec<_> = mails.iter().map(|told| told["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    assert!(mails.iter().all(|told| told["user"] == "bot@163.com" && told["tls"] == true), "{mails:?}");
    assert!(mails[0]["message"].as_str().unwrap().contains("<strong>bold</strong>"), "markdown is rendered: {}", mails[0]);
    let code = until(&bellhop, &code, "succeeded").await;
    let arrival = sms.arrivals("sms").pop().unwrap();
    assert!(arrival.path.contains("PhoneNumbers=13800000000"), "{}", arrival.path);
    assert_eq!(template_params(&arrival), json!({ "code": "1521" }));

    // and the list and the log tell of them
    let names = async |query: &str| {
        let listed = bellhop.client.get(&format!("/v1/tasks?{query}")).await;
        listed["items"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("state=succeeded").await, ["code", "letter"]);
    assert_eq!(names("channel=aliyun_sms").await, ["code"]);
    assert_eq!(names("source=crm&limit=1").await, ["hourly"]);
    let log = bellhop.client.get(&format!("{}/runs", path(&code))).await;
    let run = &log["items"][0];
    let ran = run["deliveries"][0]["attempts"][0]["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let late = ran.duration_since(at);
    assert!(!late.is_negative() && late <= SignedDuration::from_secs(2), "{late}");
    assert_eq!((&run["at"], &run["deliveries"][0]["attempts"][0]["status"]), (&code["schedule"]["at"], &json!(200)));
    let log = bellhop.client.get(&format!("{}/runs", path(&letter))).await;
    assert_eq!(log["items"][0]["deliveries"].as_array().unwrap().len(), 2);

    // and what is cancelled is over
    let (_, cancelled) = bellhop.client.call("POST", &format!("{}/cancel", path(&hourly)), None).await;
    assert_eq!((&cancelled["state"], &cancelled["next_run"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(sms.strays(), [] as [&str; 0]);
    let output = bellhop.stop();
    assert_eq!(acceptance::find_planted(&output, &[HEADER_SECRET, SMS_SECRET]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_fails_the_run_and_a_configuration_that_is_off_is_not_sent_to() {
    let data = tempfile::tempdir().unwrap();
    let (sms, options) = aliyun(data.path()).await;
    let bellhop = Bellhop::start_with(data.path(), &options.iter().map(String::as_str).collect::<Vec<_>>());
    let params = json!({ "access_key_id": "i", "access_key_secret": "s", "sign_name": "n", "template_code": "SMS_1" });
    bellhop.client.put("/v1/registrations/sms", json!({ "channel": "aliyun_sms", "params": params, "default": true })).await;
    let task = json!({ "name": "code", "to": "sms:13800000000", "body": "x", "schedule": { "kind": "now" } });

    sms.answer("sms", [Case::first("aliyun_sms").response(200, "isv.MOBILE_NUMBER_ILLEGAL").answer()]);
    let refused = make(&bellhop, task.clone()).await;
    until(&bellhop, &refused, "failed").await;
    let log = bellhop.client.get(&format!("{}/runs", path(&refused))).await;
    let attempt = &log["items"][0]["deliveries"][0]["attempts"][0];
    assert!(attempt["detail"].as_str().unwrap().contains("isv.MOBILE_NUMBER_ILLEGAL"), "the provider's answer: {attempt}");

    let (status, _) = bellhop.client.call("PATCH", "/v1/registrations/sms", Some(json!({ "enabled": false }))).await;
    assert_eq!(status, 200);
    let unsent = make(&bellhop, task).await;
    until(&bellhop, &unsent, "failed").await;
    let log = bellhop.client.get(&format!("{}/runs", path(&unsent))).await;
    assert_eq!(log["items"][0]["dropped"][0], json!({ "registration": "sms", "why": "registration_disabled" }), "{log}");
    assert_eq!(sms.arrivals("sms").len(), 1, "it was switched off");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_time_came_while_nothing_ran_is_made_up_for_once_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let bellhop = Bellhop::start(data.path());
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    let at = now() + SignedDuration::from_secs(3);
    let schedule = json!({ "kind": "at", "at": at.to_string() });
    let missed = make(&bellhop, json!({ "name": "missed", "to": "desk", "body": "late", "schedule": schedule })).await;
    bellhop.stop();

    eventually("its time has come", async || (now() > at).then_some(())).await;
    assert_eq!(sink.arrivals().len(), 0, "nothing ran");
    let bellhop = Bellhop::start(data.path());
    until(&bellhop, &missed, "succeeded").await;
    assert_eq!(sink.arrivals().len(), 1);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_shows_changes_and_ends_tasks_and_carries_those_that_wait_to_another_server() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (bellhop, second) = (Bellhop::start(data.path()), Bellhop::start(other.path()));
    let desk = json!({ "channel": "webhook", "params": { "url": "https://example.com/" } });
    bellhop.client.put("/v1/registrations/desk", desk).await;
    let tool = |arguments: &[&str], of: &Bellhop| {
        let mut command = command(arguments.iter().copied().chain(["--url", &of.client.url, "--key", &of.client.key]));
        let output = command.env("BELLHOP_PASSPHRASE", "correct horse battery").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let asked =
        json!({ "name": "daily", "to": "desk", "body": "x", "schedule": { "kind": "daily", "time": "04:00:00" }, "max_runs": 5 });
    tool(&["tasks", "make", &asked.to_string()], &bellhop);
    let gone =
        make(&bellhop, json!({ "name": "gone", "to": "desk", "body": "x", "schedule": { "kind": "hourly", "minute": 1 } })).await;
    let (id, change) = (gone["id"].as_str().unwrap(), json!({ "body": "y" }).to_string());
    tool(&["tasks", "change", id, &change], &bellhop);
    assert!(tool(&["tasks", "show", id], &bellhop).contains('y'));
    tool(&["tasks", "cancel", id], &bellhop);
    let listed = tool(&["tasks", "list", "--state", "scheduled"], &bellhop);
    assert!(listed.contains("daily") && !listed.contains("gone"), "{listed}");
    tool(&["tasks", "runs", id], &bellhop);

    let file = data.path().join("account.json");
    tool(&["export", file.to_str().unwrap()], &bellhop);
    for _ in 0..2 {
        tool(&["import", file.to_str().unwrap(), "--replace"], &second);
    }
    let brought = second.client.get("/v1/tasks").await["items"].clone();
    assert_eq!(brought.as_array().unwrap().len(), 1, "those that wait, once: {brought}");
    assert_eq!((&brought[0]["name"], &brought[0]["max_runs"], &brought[0]["runs"]), (&json!("daily"), &json!(5), &json!(0)));
    tool(&["tasks", "delete", brought[0]["id"].as_str().unwrap()], &second);
    assert_eq!(second.client.get("/v1/tasks").await["items"], json!([]));
    bellhop.stop();
    second.stop();
}
