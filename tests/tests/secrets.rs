//! Secrets, as whoever has the data directory or a key sees them.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use acceptance::{Bellhop, HEADER_SECRET, Sink, URL_SECRET, command};
use serde_json::{Value, json};

fn run(arguments: &[&str], data: &Path) -> Output {
    command(arguments).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `desk`, which had another header before.
async fn with_secrets(data: &Path, sink: &Sink) -> Bellhop {
    let bellhop = Bellhop::start(data);
    for token in [format!("{HEADER_SECRET}-before"), HEADER_SECRET.to_owned()] {
        let params = json!({ "url": format!("{}/{URL_SECRET}", sink.url), "headers": { "X-Token": token } });
        bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    }
    bellhop
}

async fn reveal(bellhop: &Bellhop) -> (u16, Value) {
    let given = json!({ "key": bellhop.client.key });
    bellhop.client.call("POST", "/v1/registrations/desk/reveal", Some(given)).await
}

async fn shows_everything(bellhop: &Bellhop) {
    let (status, revealed) = reveal(bellhop).await;
    assert_eq!((status, &revealed["params"]["headers"]["X-Token"]), (200, &json!(HEADER_SECRET)), "{revealed}");
    assert_eq!(revealed["former"][0]["params"]["headers"]["X-Token"], format!("{HEADER_SECRET}-before"));
}

/// The files below a folder in which that text stands.
fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_any_file_of_the_data_directory() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = with_secrets(data.path(), &sink).await;
    let delivery = bellhop.client.send(json!({ "to": "desk", "body": "x" })).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    assert!(sink.arrivals()[0].path.contains(URL_SECRET), "it is used, though");
    assert!(!files_with(data.path(), "desk").is_empty(), "the search finds what is there");
    for secret in [URL_SECRET, HEADER_SECRET] {
        assert_eq!(files_with(data.path(), secret), Vec::<PathBuf>::new());
    }
    bellhop.stop();
    for secret in [URL_SECRET, HEADER_SECRET] {
        assert_eq!(files_with(data.path(), secret), Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_to_whoever_gives_the_key_again_and_the_audit_says_so() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = with_secrets(data.path(), &sink).await;
    shows_everything(&bellhop).await;
    let wrong = json!({ "key": format!("{}0", bellhop.client.key) });
    let (status, refused) = bellhop.client.call("POST", "/v1/registrations/desk/reveal", Some(wrong)).await;
    assert_eq!((status, &refused["code"], &refused["field"]), (403, &json!("forbidden"), &json!("key")));
    let audit = bellhop.client.get("/v1/audit?limit=2").await;
    let actions: Vec<_> = audit["items"].as_array().unwrap().iter().map(|item| item["action"].clone()).collect();
    assert_eq!(actions, ["reveal_refused", "registration_revealed"]);
    assert_eq!(audit["items"][0]["object"], "desk");
    bellhop.stop(); // and searches what was printed
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_the_server_does_not_start_and_says_what_to_do() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    with_secrets(data.path(), &sink).await.stop();
    let file = data.path().join("seal-key");
    let key = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    for said in [
        text(&run(&["serve", "--listen", "127.0.0.1:0"], data.path()).stderr),
        text(&run(&["doctor"], data.path()).stdout),
        text(&run(&["rotate-key"], data.path()).stderr),
    ] {
        assert!(said.contains("seal-key` is missing") && said.contains("from a backup"), "{said}");
    }
    assert!(!file.exists());
    fs::write(&file, key).unwrap();
    shows_everything(&Bellhop::start(data.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_while_no_server_runs_and_a_killed_change_loses_nothing() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = with_secrets(data.path(), &sink).await;
    let key = || fs::read_to_string(data.path().join("seal-key")).unwrap();
    let before = key();
    let refused = run(&["rotate-key"], data.path());
    assert!(!refused.status.success() && text(&refused.stderr).contains("in use"), "{}", text(&refused.stderr));
    assert_eq!(key(), before);
    bellhop.stop();

    for round in 0..10 {
        let mut change = command(["rotate-key", "--data"]).arg(data.path()).stdout(Stdio::null()).spawn().unwrap();
        // at another point in every round: nothing here waits for anything
        std::thread::sleep(Duration::from_millis(4 * round));
        change.kill().unwrap();
        change.wait().unwrap();
        let looked = run(&["doctor"], data.path());
        assert!(!text(&looked.stdout).contains("backup"), "{}", text(&looked.stdout));
    }
    let before = key();
    let changed = run(&["rotate-key"], data.path());
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    assert_ne!(key(), before);
    assert!(run(&["doctor"], data.path()).status.success());
    shows_everything(&Bellhop::start(data.path())).await;
}
