//! What is sent here writes no line of the log by itself.

use acceptance::{Bellhop, Sink};
use serde_json::{Value, json};

const FORGED: &str = "{\"level\":\"ERROR\",\"message\":\"forged\"}";

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_caller_or_a_receiver_becomes_a_line_of_the_log() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with(data.path(), &["--allow-private", "127.0.0.0/8", "--log", "trace"]);
    let broken = format!("x\n{FORGED}\r\n{FORGED}\u{2028}{FORGED}\u{1b}[31m");
    let params = json!({ "url": format!("{}/{}", sink.url, "a%0A%0D"), "headers": { "X-Forged": FORGED } });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params, "description": broken })).await;
    for body in [
        json!({ "to": "desk", "title": broken, "body": broken, "data": { broken.clone(): broken } }),
        json!({ "to": broken, "body": broken }),
        json!({ broken.clone(): broken }),
    ] {
        bellhop.client.call("POST", "/v1/messages", Some(body)).await;
    }
    let headers = [("user-agent", FORGED), ("x-forwarded-for", FORGED), ("idempotency-key", FORGED)];
    for path in ["/v1/registrations/a%0A%7B", "/in/%0A%7B%22level%22", "/v1/events?source=%0A%7B&type=%0D", "/%0A%7B"] {
        bellhop.client.try_call("GET", path, &headers, None).await.unwrap();
    }
    let output = bellhop.stop();

    let hello = ["bellhop listens on ", "first start: "];
    let lines = output.lines().filter(|line| !hello.iter().any(|hello| line.starts_with(hello)));
    let mut read = 0;
    for line in lines {
        let said: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no line of ours: {line}"));
        assert_ne!(said["message"], "forged", "{line}");
        assert!(said["timestamp"].is_string() && said["level"].is_string(), "{line}");
        read += 1;
    }
    assert!(read > 5, "{read} lines");
}
