//! From the binary over ways that are no plain requests: a WebSocket, and Amazon SES.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use acceptance::{BODY_SECRET, Bellhop, HEADER_SECRET};
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The WebSocket server of the tests of `shared/egress`; it ends with its standard input.
struct SocketServer {
    process: Child,
    told: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl SocketServer {
    fn start(options: &Value) -> (Self, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let python = std::env::var_os("BELLHOP_VENV").map_or_else(|| root.join(".venv"), Into::into).join("bin/python");
        let mut process = Command::new(python)
            .arg(root.join("shared/egress/tests/egress/websocket_server.py"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // it complains of every client that hangs up
            .spawn()
            .expect("websockets is in `.venv`, or where `BELLHOP_VENV` says");
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap();
        (Self { process, told }, format!("127.0.0.1:{port}"))
    }

    fn told(&mut self) -> Value {
        serde_json::from_str(&self.told.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_as_a_frame_through_tls_and_nothing_of_it_is_told() {
    // given a WebSocket server with a certificate of its own
    let data = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["ws.example.com".to_owned()]).unwrap();
    let (ca, cert) = (data.path().join("ca.pem"), data.path().join("server.pem"));
    std::fs::write(&ca, made.cert.pem()).unwrap();
    std::fs::write(&cert, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let (mut server, address) = SocketServer::start(&json!({ "cert": cert }));
    let resolve = format!("ws.example.com={address}");
    let options = ["--resolve", &resolve, "--extra-ca", ca.to_str().unwrap(), "--log", "trace"];
    let bellhop = Bellhop::start_with(data.path(), &options);
    let params = json!({ "url": "wss://ws.example.com/in", "headers": { "Authorization": HEADER_SECRET } });
    bellhop.client.put("/v1/registrations/socket", json!({ "channel": "websocket", "params": params })).await;

    // when something is sent
    let delivery = bellhop.client.send(json!({ "to": "socket", "title": "Hello", "body": BODY_SECRET })).await.remove(0);
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;

    // then it is there, and the attempt says how it went
    let told = server.told();
    assert_eq!(told["headers"]["authorization"], HEADER_SECRET);
    let text: Value = serde_json::from_str(told["text"].as_str().unwrap()).unwrap();
    assert_eq!((&text["id"], &text["message"]), (&json!(delivery), &json!(BODY_SECRET)));
    assert_eq!(delivered["attempts"][0]["status"], 101);
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_with_a_refusal_has_refused_the_message() {
    let data = tempfile::tempdir().unwrap();
    let (_server, address) = SocketServer::start(&json!({ "close": 1008 }));
    let bellhop = Bellhop::start(data.path());
    let params = json!({ "url": format!("ws://{address}/"), "format": "bettergi" });
    bellhop.client.put("/v1/registrations/socket", json!({ "channel": "websocket", "params": params })).await;
    let delivery = bellhop.client.send(json!({ "to": "socket", "body": "x" })).await.remove(0);
    assert_eq!(bellhop.client.until(&delivery, &["failed"]).await["reason"], "unauthorized");
}

/// What stands in for SES: it takes everything.
async fn ses() -> (String, Arc<Mutex<Vec<(HeaderMap, Bytes)>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let take = post(async move |headers: HeaderMap, body: Bytes| {
        kept.lock().unwrap().push((headers, body));
        let result = "<SendRawEmailResult><MessageId>1</MessageId></SendRawEmailResult>";
        ([("content-type", "text/xml")], format!("<SendRawEmailResponse>{result}</SendRawEmailResponse>"))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", take)).await });
    (url, seen)
}

const MAIL: &str = "/v1/registrations/mail";

fn registration() -> Value {
    let params = json!({ "region": "eu-west-1", "from": "bot@example.com", "to": "a@example.org" });
    json!({ "channel": "ses", "params": params })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_through_ses_with_the_environments_credentials() {
    let data = tempfile::tempdir().unwrap();
    let (url, seen) = ses().await;
    let bellhop = Bellhop::start_command(data.path(), &["--log", "trace"], |command| {
        command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", url);
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", HEADER_SECRET);
    });
    bellhop.client.put(MAIL, registration()).await;
    let delivery = bellhop.client.send(json!({ "to": "mail", "title": "Hello", "body": BODY_SECRET })).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    let seen = seen.lock().unwrap().clone();
    let [(headers, body)] = seen.as_slice() else { panic!("{} requests", seen.len()) };
    let signed = headers["authorization"].to_str().unwrap();
    assert!(signed.contains("Credential=AKIDEXAMPLE/") && signed.contains("/eu-west-1/ses/aws4_request"), "{signed}");
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.starts_with("Action=SendRawEmail&") && body.contains("Source=bot%40example.com"), "{body}");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_a_registration_on_ses_is_refused_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start_command(data.path(), &[], |command| {
        command.env_remove("AWS_REGION").env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
    let (status, problem) = bellhop.client.call("PUT", MAIL, Some(registration())).await;
    assert_eq!((status, &problem["code"], &problem["field"]), (422, &json!("invalid_params"), &json!("channel")));
    assert!(problem["detail"].as_str().unwrap().contains("AWS_"), "{problem}");
}
