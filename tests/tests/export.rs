//! An account goes from one deployment to another, in a file.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use acceptance::{Bellhop, HEADER_SECRET, Sink, command};
use serde_json::{Value, json};

const PASSPHRASE: &str = "correct horse battery";

fn run(arguments: &[&str], bellhop: &Bellhop, passphrase: &str) -> Output {
    let mut command = command(arguments);
    command.args(["--url", &bellhop.client.url, "--key", &bellhop.client.key]);
    command.env("BELLHOP_PASSPHRASE", passphrase).output().unwrap()
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A deployment with something of each kind, one of them with a secret.
async fn furnished(data: &Path, sink: &Sink) -> Bellhop {
    let bellhop = Bellhop::start(data);
    let headers = json!({ "X-Secret": HEADER_SECRET });
    let desk = json!({ "channel": "webhook", "params": { "url": sink.url, "headers": headers }, "groups": ["ops"] });
    bellhop.client.put("/v1/registrations/desk", desk).await;
    bellhop.client.put("/v1/contacts/alice", json!({ "email": "a@example.org", "locale": "zh-CN" })).await;
    bellhop.client.put("/v1/sources", json!({ "source": "QD/quiet", "enabled": false })).await;
    let batch = json!({ "at": "12:00:00", "time_zone": "Asia/Shanghai" });
    bellhop.client.put("/v1/rules/daily", json!({ "to": ["group:ops"], "batch": batch, "after_failures": 3 })).await;
    bellhop.client.put("/v1/account", json!({ "time_zone": "Asia/Shanghai", "retention_days": 90 })).await;
    bellhop
}

fn exported(folder: &Path, from: &Bellhop) -> PathBuf {
    let file = folder.join("account.json");
    let counts = told(&run(&["export", file.to_str().unwrap()], from, PASSPHRASE));
    assert_eq!(counts, json!({ "registrations": 1, "rules": 1, "contacts": 1, "sources": 1, "tasks": 0, "secrets": true }));
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_from_one_server_to_another_and_works_there() {
    let (data, folder, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let old = furnished(data.path(), &sink).await;

    let file = exported(folder.path(), &old);
    old.kill();
    let data = tempfile::tempdir().unwrap();
    let new = Bellhop::start(data.path());
    told(&run(&["import", file.to_str().unwrap()], &new, PASSPHRASE));

    assert_eq!(new.client.get("/v1/contacts/alice").await["locale"], "zh-CN");
    assert_eq!(new.client.get("/v1/account").await["retention_days"], 90);
    assert_eq!(new.client.get("/v1/sources").await["items"], json!([{ "source": "QD/quiet", "enabled": false }]));
    let rule = new.client.get("/v1/rules/daily").await;
    assert_eq!((&rule["after_failures"], &rule["batch"]["at"]), (&json!(3), &json!("12:00:00")));
    new.client.send(json!({ "to": "group:ops", "body": "from the new one" })).await;
    let arrival = sink.until(1).await.remove(0);
    assert_eq!((arrival.header("x-secret"), &arrival.json()["message"]), (HEADER_SECRET, &json!("from the new one")));
    new.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_holds_no_secret_in_clear_and_is_its_owners_alone() {
    let (data, folder, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = furnished(data.path(), &sink).await;
    let file = exported(folder.path(), &bellhop);
    let bare = folder.path().join("bare.json");
    told(&run(&["export", bare.to_str().unwrap(), "--without-secrets"], &bellhop, ""));

    for file in [&file, &bare] {
        assert!(!fs::read_to_string(file).unwrap().contains(HEADER_SECRET));
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let audit = bellhop.client.get("/v1/audit").await;
    let revealed = audit["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "registration_revealed");
    assert_eq!(revealed.count(), 1, "{audit}");
    let unsaid = refusal(&run(&["export", folder.path().join("x").to_str().unwrap()], &bellhop, ""));
    assert!(unsaid.contains("--passphrase-file") && !folder.path().join("x").exists(), "{unsaid}");
    assert!(refusal(&run(&["export", file.to_str().unwrap()], &bellhop, PASSPHRASE)).contains("does not exist"));
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_or_is_there_already_changes_nothing() {
    let (data, folder, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = furnished(data.path(), &sink).await;
    let file = exported(folder.path(), &bellhop);
    let file = file.to_str().unwrap();
    let before = bellhop.client.get("/v1/registrations/desk").await["version"].clone();

    let known = refusal(&run(&["import", file], &bellhop, PASSPHRASE));
    assert!(known.contains("/v1/registrations/desk") || known.contains("/v1/contacts/alice"), "{known}");
    let wrong = refusal(&run(&["import", file, "--replace"], &bellhop, "wrong horse battery"));
    assert!(wrong.contains("passphrase"), "{wrong}");
    assert_eq!(bellhop.client.get("/v1/registrations/desk").await["version"], before);

    told(&run(&["import", file, "--replace"], &bellhop, PASSPHRASE));
    assert_eq!(bellhop.client.get("/v1/registrations/desk").await["version"], before.as_u64().unwrap() + 1);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_secrets_takes_none_away_and_makes_nothing_by_halves() {
    let (data, folder, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let old = furnished(data.path(), &sink).await;
    let file = folder.path().join("bare.json");
    let file = file.to_str().unwrap();
    told(&run(&["export", file, "--without-secrets"], &old, ""));
    old.stop();
    let data = tempfile::tempdir().unwrap();
    let new = Bellhop::start(data.path());

    let lacking = refusal(&run(&["import", file], &new, ""));
    assert!(lacking.contains("`desk` (params.url"), "{lacking}");
    assert_eq!(new.client.get("/v1/contacts").await["items"], json!([]), "nothing was imported");

    let headers = json!({ "X-Secret": HEADER_SECRET });
    let desk = json!({ "channel": "webhook", "params": { "url": sink.url, "headers": headers }, "groups": ["others"] });
    new.client.put("/v1/registrations/desk", desk).await;
    told(&run(&["import", file, "--replace"], &new, ""));
    assert_eq!(new.client.get("/v1/contacts/alice").await["locale"], "zh-CN");
    new.client.send(json!({ "to": "group:ops", "body": "by its own secrets" })).await;
    assert_eq!(sink.until(1).await.remove(0).header("x-secret"), HEADER_SECRET);
    new.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_time_is_over_keeps_no_other_from_being_imported() {
    let (data, folder, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = furnished(data.path(), &sink).await;
    let file = exported(folder.path(), &bellhop);
    let mut archive: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let task = |name: &str, schedule: Value| json!({ "name": name, "to": "desk", "body": "pay", "schedule": schedule });
    archive["tasks"] = json!([
        { "id": "task_1", "said": task("missed", json!({ "kind": "at", "at": "2020-01-01T00:00:00Z" })) },
        { "id": "task_2", "said": task("daily", json!({ "kind": "daily", "time": "09:00:00" })) },
    ]);
    fs::write(&file, archive.to_string()).unwrap();

    let refused = refusal(&run(&["import", file.to_str().unwrap(), "--replace"], &bellhop, PASSPHRASE));
    assert!(refused.contains("`task_1`") && refused.contains("schedule.at") && !refused.contains("task_2"), "{refused}");
    let tasks = bellhop.client.get("/v1/tasks").await;
    assert_eq!((&tasks["items"][0]["name"], tasks["items"].as_array().unwrap().len()), (&json!("daily"), 1));
    bellhop.stop();
}
