//! The command line, as a person uses it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
};

use acceptance::{Answer, Bellhop, Sink, command};
use serde_json::{Value, json};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn printed(arguments: &[&str], input: &str) -> Value {
    let output = run(arguments, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn with_registration() -> (tempfile::TempDir, Sink, Bellhop) {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    (data, sink, bellhop)
}

#[tokio::test(flavor = "multi_thread")]
async fn send_sends_and_prints_the_answer() {
    let (_data, sink, bellhop) = with_registration().await;
    let server = ["--url", &bellhop.client.url, "--key", &bellhop.client.key, "--wait", "20"];
    let arguments = [&["send", "desk", "--title", "hello", "--body", "-"][..], &server].concat();
    let answer = printed(&arguments, "from standard input");
    assert_eq!(answer["deliveries"][0]["state"], "delivered");
    assert_eq!(sink.arrivals()[0].json()["message"], "from standard input");
}

#[tokio::test(flavor = "multi_thread")]
async fn send_with_wait_ends_with_2_when_it_has_not_arrived() {
    let (_data, sink, bellhop) = with_registration().await;
    sink.answer([Answer::status(400)]);
    let server = ["--url", &bellhop.client.url, "--key", &bellhop.client.key];
    let output = run(&[&["send", "desk", "--body", "x", "--wait", "20"][..], &server].concat(), "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"failed\""));
}

fn server(bellhop: &Bellhop) -> [&str; 4] {
    ["--url", &bellhop.client.url, "--key", &bellhop.client.key]
}

fn ask(bellhop: &Bellhop, arguments: &[&str]) -> Value {
    printed(&[arguments, &server(bellhop)].concat(), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_looked_after_by_commands() {
    let (_data, sink, bellhop) = with_registration().await;
    let url = format!("url={}", sink.url);
    ask(&bellhop, &["registrations", "put", "phone", "--channel", "webhook", "--param", &url, "--group", "ops"]);
    ask(&bellhop, &["registrations", "disable", "desk"]);
    let listed = ask(&bellhop, &["registrations", "list"]);
    let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| (&one["name"], &one["enabled"])).collect();
    assert_eq!(listed, [(&json!("desk"), &json!(false)), (&json!("phone"), &json!(true))]);

    ask(&bellhop, &["rules", "put", "all", r#"{"to": ["group:ops"], "match": {"sources": ["QD/*"]}}"#]);
    assert_eq!(ask(&bellhop, &["rules", "change", "all", r#"{"after_failures": 2}"#])["after_failures"], 2);
    ask(&bellhop, &["contacts", "put", "alice", r#"{"email": "a@example.org"}"#]);
    assert_eq!(ask(&bellhop, &["contacts", "show", "alice"])["email"], "a@example.org");
    ask(&bellhop, &["sources", "off", "QD/Example/main"]);
    assert_eq!(ask(&bellhop, &["sources", "list"])["items"], json!([{ "source": "QD/Example/main", "enabled": false }]));
    assert_eq!(ask(&bellhop, &["account", r#"{"locale": "zh-CN"}"#])["locale"], "zh-CN");
    let key = ask(&bellhop, &["keys", "make", "--scopes", "send,read"]);
    assert!(key["key"].as_str().unwrap().starts_with("bh_"));
    ask(&bellhop, &["keys", "revoke", key["id"].as_str().unwrap()]);
    let hook = ask(&bellhop, &["hooks", "make", "genshin", "--kind", "bettergi"]);
    assert!(hook["url"].as_str().unwrap().contains("/in/"));

    ask(&bellhop, &["sources", "forget", "QD/Example/main"]);
    ask(&bellhop, &["event", "--source", "QD/Example/main", "--message", "done"]);
    let events = ask(&bellhop, &["events", "list", "--source", "QD/Example/main"]);
    let event = ask(&bellhop, &["events", "show", events["items"][0]["id"].as_str().unwrap()]);
    assert_eq!(event["decisions"][0]["rule"], "all");
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    bellhop.client.until(delivery, &["delivered"]).await;
    assert_eq!(ask(&bellhop, &["deliveries", "show", delivery])["attempts"][0]["outcome"], "delivered");
    assert_eq!(ask(&bellhop, &["deliveries", "list", "--registration", "phone"])["items"][0]["id"], delivery);
    ask(&bellhop, &["rules", "delete", "all"]);
    assert_eq!(ask(&bellhop, &["rules", "list"])["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_a_table() {
    let (_data, _sink, bellhop) = with_registration().await;
    let output = run(&[&["registrations", "list", "--table"][..], &server(&bellhop)].concat(), "");
    let table = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (lines[0][..3].to_vec(), lines[1][..3].to_vec()),
        (vec!["NAME", "CHANNEL", "ENABLED"], vec!["desk", "webhook", "yes"])
    );
}

#[test]
fn a_shell_is_told_how_to_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(run(&["completions", shell], "").stdout).unwrap();
        assert!(script.contains("registrations") && script.contains("passphrase-file"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_is_a_data_directory() {
    let (data, sink, bellhop) = with_registration().await;
    let picture = json!({ "message": "kept", "send_to": "desk", "screenshot": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==" });
    let answer = bellhop.client.report(picture).await;
    sink.until(1).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (copy, inside) = (elsewhere.path().join("copy"), data.path().join("copy"));
    let (from, to) = (data.path().to_str().unwrap(), copy.to_str().unwrap());

    assert!(!run(&["backup", inside.to_str().unwrap(), "--data", from], "").status.success(), "it would copy itself");
    let output = run(&["backup", to, "--data", from], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!run(&["backup", to, "--data", from], "").status.success(), "it does not write over anything");
    bellhop.client.report(json!({ "message": "later" })).await;
    bellhop.kill();

    let restored = Bellhop::start(&copy);
    let events = restored.client.get("/v1/events").await;
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    assert_eq!(events["items"][0]["id"], answer["event"]);
    assert_eq!(restored.client.send(json!({ "to": "desk", "body": "from the copy" })).await.len(), 1);
    sink.until(2).await;
    let doctor = run(&["doctor", "--data", to], "");
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    restored.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_command(data.path(), &[], |command| {
        for name in ["BELLHOP_ADMIN_KEY", "BELLHOP_RESOLVE", "BELLHOP_EXTRA_CA", "BELLHOP_ALLOW_PRIVATE", "BELLHOP_LOG"] {
            command.env(name, "");
        }
    });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_is_made_once_and_a_revoked_one_stays_revoked() {
    let (data, _sink, bellhop) = with_registration().await;
    let keys = bellhop.client.get("/v1/keys").await;
    let path = format!("/v1/keys/{}", keys["items"][0]["id"].as_str().unwrap());
    assert_eq!(bellhop.client.call("DELETE", &path, None).await.0, 204);
    bellhop.stop();
    let bellhop = Bellhop::start(data.path());
    assert_eq!(bellhop.client.call("GET", "/v1/keys", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_reports_an_event() {
    let (_data, sink, bellhop) = with_registration().await;
    let server = ["--url", &bellhop.client.url, "--key", &bellhop.client.key];
    let arguments =
        [&["event", "--source", "a/b", "--result", "failure", "--message", "m", "--send-to", "desk"][..], &server].concat();
    assert_eq!(printed(&arguments, "")["deliveries"][0]["registration"], "desk");
    let arrival = sink.until(1).await.remove(0);
    assert_eq!((&arrival.json()["source"], &arrival.json()["result"]), (&json!("a/b"), &json!("failure")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_printed_with_code_and_field() {
    let (_data, _sink, bellhop) = with_registration().await;
    let output = run(&["send", "nobody", "--body", "x", "--url", &bellhop.client.url, "--key", &bellhop.client.key], "");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("unknown_recipient (to[0])"), "{said}");
}

#[test]
fn without_a_server_the_command_says_what_to_do() {
    let output = run(&["send", "desk", "--body", "x", "--url", "http://127.0.0.1:1", "--key", "bh_abcd_x"], "");
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("is `bellhop serve` running?"));
}

#[test]
fn channels_prints_every_channel_in_both_languages() {
    let channels = printed(&["channels"], "");
    let ids: Vec<_> = channels.as_array().unwrap().iter().map(|channel| channel["id"].as_str().unwrap()).collect();
    assert_eq!(ids, bellhop_channels::SPECS.specs.iter().map(|spec| spec.id).collect::<Vec<_>>());
    assert!(ids.contains(&"webhook") && ids.contains(&"telegram"));
    assert!(channels[0]["help"]["zh"].as_str().is_some_and(|text| !text.is_ascii()));
}

#[test]
fn dry_run_prints_the_request_and_opens_no_connection() {
    let case = json!({
        "channel": "webhook",
        "registration": { "url": "https://example.com/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
        "notification": { "id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "raw_body": "{\"test\": 2432232314}" },
        "now_unix": 1_614_265_330,
    });
    let request = &printed(&["dry-run"], &case.to_string())["requests"][0];
    assert_eq!(request["headers"]["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!((&request["body_kind"], &request["body"]), (&json!("raw"), &json!("{\"test\": 2432232314}")));
    let refused = json!({ "channel": "webhook", "registration": {}, "notification": { "title": "x" } });
    assert_eq!(printed(&["dry-run"], &refused.to_string())["error"]["verdict"], "permanent");
}

#[test]
fn verdict_says_what_an_answer_means() {
    for (response, verdict) in [
        (json!({ "status": 204 }), "delivered"),
        (json!({ "status": 503, "headers": { "Retry-After": "7" } }), "retry_after"),
        (json!({ "status": 500 }), "retry"),
        (json!({ "status": 410 }), "permanent"),
        (json!({ "status": 0, "body": "timeout" }), "retry"),
    ] {
        let said = printed(&["verdict"], &json!({ "channel": "webhook", "response": response }).to_string());
        assert_eq!(said["verdict"], verdict, "{response}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_the_environment_is_the_first_key() {
    let output = run(&["new-key"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    let key = text.lines().find_map(|line| line.strip_prefix("key  ")).unwrap().to_owned();
    assert!(text.lines().any(|line| line.strip_prefix("hash ").is_some_and(|hash| hash.len() == 64)));
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("admin-key"), &key).unwrap(); // where the harness looks for the key
    let bellhop = Bellhop::start_command(data.path(), &[], |command| {
        command.env("BELLHOP_ADMIN_KEY", &key);
    });
    assert_eq!(bellhop.client.get("/v1/registrations").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_a_good_directory_good_and_a_bad_one_bad() {
    let (data, _sink, bellhop) = with_registration().await;
    let path = data.path().to_str().unwrap();
    let running = run(&["doctor", "--data", path], "");
    assert!(running.status.success(), "{}", String::from_utf8_lossy(&running.stdout));
    bellhop.stop();
    assert!(run(&["doctor", "--data", path], "").status.success());
    std::fs::set_permissions(data.path().join("admin-key"), PermissionsExt::from_mode(0o644)).unwrap();
    let bad = run(&["doctor", "--data", path], "");
    assert!(!bad.status.success());
    assert!(String::from_utf8(bad.stdout).unwrap().contains("admin-key"));
    assert!(!run(&["doctor", "--data", "/nonexistent"], "").status.success());
}
