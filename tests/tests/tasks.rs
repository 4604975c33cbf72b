//! A task platform's day on one machine, through the binary: mail by an SMTP preset, text messages by Aliyun, the list, the log,
//! an end; and what becomes of tasks while nothing runs.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, which has no other clock")]

use acceptance::{
    Bellhop, HEADER_SECRET, Sink,
    cases::Case,
    command, eventually,
    platform::{SMS_SECRET, a_day, aliyun, configure, mail_server, make, path, until},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn now() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap()
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

    let late = a_day(&bellhop.client, &mut mail, &sms).await;
    assert!(late <= SignedDuration::from_secs(2), "{late}");
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
    let refused = make(&bellhop.client, task.clone()).await;
    until(&bellhop.client, &refused, "failed").await;
    let log = bellhop.client.get(&format!("{}/runs", path(&refused))).await;
    let attempt = &log["items"][0]["deliveries"][0]["attempts"][0];
    assert!(attempt["detail"].as_str().unwrap().contains("isv.MOBILE_NUMBER_ILLEGAL"), "the provider's answer: {attempt}");

    let (status, _) = bellhop.client.call("PATCH", "/v1/registrations/sms", Some(json!({ "enabled": false }))).await;
    assert_eq!(status, 200);
    let unsent = make(&bellhop.client, task.clone()).await;
    until(&bellhop.client, &unsent, "failed").await;
    let log = bellhop.client.get(&format!("{}/runs", path(&unsent))).await;
    assert_eq!(log["items"][0]["dropped"][0], json!({ "registration": "sms", "why": "registration_disabled" }), "{log}");
    assert_eq!(sms.arrivals("sms").len(), 1, "it was switched off");

    // the next default configuration takes over
    let params = json!({ "access_key_id": "i", "access_key_secret": "s", "sign_name": "other", "template_code": "SMS_2" });
    bellhop.client.put("/v1/registrations/sms-next", json!({ "channel": "aliyun_sms", "params": params, "default": true })).await;
    let sent = make(&bellhop.client, task).await;
    until(&bellhop.client, &sent, "succeeded").await;
    let log = bellhop.client.get(&format!("{}/runs", path(&sent))).await;
    assert_eq!(log["items"][0]["deliveries"][0]["registration"], "sms-next", "{log}");
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
    let missed = make(&bellhop.client, json!({ "name": "missed", "to": "desk", "body": "late", "schedule": schedule })).await;
    bellhop.stop();

    eventually("its time has come", async || (now() > at).then_some(())).await;
    assert_eq!(sink.arrivals().len(), 0, "nothing ran");
    let bellhop = Bellhop::start(data.path());
    until(&bellhop.client, &missed, "succeeded").await;
    assert_eq!(sink.arrivals().len(), 1);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tasks_of_one_second_run_within_two_while_a_thousand_messages_wait_for_a_receiver_that_hangs() {
    // given a thousand messages for somebody who does not answer
    let (data, hanging, quick) = (tempfile::tempdir().unwrap(), Sink::start().await, Sink::start().await);
    hanging.hold(true);
    let bellhop = Bellhop::start(data.path());
    let client = &bellhop.client;
    for (name, sink) in [("hanging", &hanging), ("quick", &quick)] {
        client.put(&format!("/v1/registrations/{name}"), json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    }
    client.put("/v1/account", json!({ "rate": { "per_second": 0, "burst": 0 } })).await;
    for _ in 0..10 {
        let events = vec![json!({ "message": "x", "send_to": "hanging" }); 100];
        let (status, answer) = client.call("POST", "/v1/events/bulk", Some(json!({ "events": events }))).await;
        let accepted = answer["items"].as_array().unwrap().iter().filter(|item| item["deliveries"][0]["id"].is_string());
        assert_eq!((status, accepted.count()), (202, 100), "{answer}");
    }
    hanging.until(8).await;

    // when a hundred tasks are due at one second
    let at = Timestamp::from_second(now().as_second() + 4).unwrap();
    let schedule = json!({ "kind": "at", "at": at.to_string() });
    let task = json!({ "name": "one of many", "to": "quick", "body": "x", "schedule": schedule });
    let (status, made) = client.call("POST", "/v1/tasks/bulk", Some(json!({ "tasks": vec![task; 100] }))).await;
    assert_eq!(status, 202, "{made}");
    assert!(now() < at, "they were made in time");
    quick.until(100).await;

    // then each runs once, not before and no later than two seconds after
    for task in made["items"].as_array().unwrap() {
        until(client, task, "succeeded").await;
        let log = client.get(&format!("{}/runs", path(task))).await;
        let [run] = &log["items"].as_array().unwrap()[..] else { panic!("one run: {log}") };
        let attempt = &run["deliveries"][0]["attempts"][0];
        let late = attempt["at"].as_str().unwrap().parse::<Timestamp>().unwrap().duration_since(at);
        assert!((SignedDuration::ZERO..=SignedDuration::from_secs(2)).contains(&late), "{late} late: {log}");
    }
    assert_eq!(quick.arrivals().len(), 100);
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
    let gone = make(
        &bellhop.client,
        json!({ "name": "gone", "to": "desk", "body": "x", "schedule": { "kind": "hourly", "minute": 1 } }),
    )
    .await;
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
