//! The data directory, as the binary treats it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use acceptance::{Bellhop, Sink, command, eventually};
use rusqlite::Connection;
use serde_json::json;

/// What `bellhop serve` says when it does not start.
fn refusal(data: &Path) -> String {
    let mut serve = command(["serve", "--listen", "127.0.0.1:0", "--data"]);
    let output = serve.arg(data).stdout(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn database(data: &Path) -> Connection {
    Connection::open(data.join("bellhop.db")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let said = refusal(data.path());
    assert!(said.contains("in use"), "{said}");
    assert_eq!(bellhop.client.get("/v1/events").await["items"], json!([]), "the first one goes on");
}

#[test]
fn a_newer_schema_is_refused() {
    let data = tempfile::tempdir().unwrap();
    Bellhop::start(data.path()).stop();
    database(data.path()).execute("UPDATE meta SET value = 99 WHERE name = 'schema'", []).unwrap();
    let said = refusal(data.path());
    assert!(said.contains("99") && said.contains("newer"), "{said}");
}

#[test]
fn the_directory_is_its_owners_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("new");
    Bellhop::start(&data).stop();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_and_holds_up_nobody() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    sink.hold(true);
    let bellhop = Bellhop::start(data.path());
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    let mut deliveries = Vec::new();
    for number in 0..3 {
        deliveries.push(bellhop.client.send(json!({ "to": "desk", "body": number.to_string() })).await.remove(0));
    }
    sink.until(3).await;
    bellhop.kill();

    // the second message's event becomes unreadable
    let broken = database(data.path()).execute("UPDATE events SET body = 'x' WHERE body LIKE '%\"message\":\"1\"%'", []);
    assert_eq!(broken.unwrap(), 1);
    sink.hold(false);
    let bellhop = Bellhop::start(data.path());
    for delivery in [&deliveries[0], &deliveries[2]] {
        bellhop.client.until(delivery, &["delivered"]).await;
    }
    let counted = async || bellhop.client.get("/v1/dead-letters").await["items"].clone();
    let one = json!([{ "channel": "webhook", "count": 1 }]);
    eventually("the poison is a dead letter", async || (counted().await == one).then_some(())).await;

    assert_eq!(bellhop.client.get("/v1/events").await["items"].as_array().unwrap().len(), 2, "the others are listed");
    let (status, answer) = bellhop.client.call("POST", "/v1/dead-letters/redrive", Some(json!({ "channel": "webhook" }))).await;
    assert_eq!((status, &answer["redriven"]), (200, &json!(1)));
    eventually("it is one again", async || (counted().await == one).then_some(())).await;
    let output = bellhop.stop();
    assert!(output.contains("the event of a wake-up cannot be read"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_need_no_key_and_show_no_ones_data() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let mut bellhop = Bellhop::start(data.path());
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    let delivery = bellhop.client.send(json!({ "to": "desk", "body": "x" })).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    let key = std::mem::take(&mut bellhop.client.key);
    assert_eq!(bellhop.client.get("/healthz").await, "ok\n");
    assert_eq!(bellhop.client.get("/readyz").await, "ready\n");
    let metrics = bellhop.client.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("bellhop_deliveries_ended_total{channel=\"webhook\",state=\"delivered\"} 1"), "{metrics}");
    assert!(!metrics.contains("desk"));
    bellhop.client.key = key;
}
