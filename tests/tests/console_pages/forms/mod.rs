//! Every form of the console: by what somebody sees of it, and by what the API says then.

mod all;
mod messages;
mod registrations;
mod rules;
mod session;
mod settings;
mod tasks;

use acceptance::{Bellhop, Client, Sink};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::visitor::{Scripts, Visitor};

/// Somebody who is signed in to an account with the webhooks `desk` and `door`.
struct World {
    visitor: Visitor,
    sink: Sink,
    bellhop: Bellhop,
    _data: TempDir,
}

impl World {
    async fn new(scripts: Scripts) -> Self {
        let data = tempfile::tempdir().unwrap();
        let sink = Sink::start().await;
        let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["desk", "door"]).await;
        Self { visitor: Visitor::signed_in(&bellhop, scripts).await, sink, bellhop, _data: data }
    }

    fn client(&self) -> &Client {
        &self.bellhop.client
    }
}

/// What a request has made.
async fn made(client: &Client, path: &str, body: Value) -> Value {
    let (status, answer) = client.call("POST", path, Some(body)).await;
    assert_eq!(status, 201, "{path}: {answer}");
    answer
}

/// An account with the webhook `desk`, and a message to it that has killed each of its workers: nobody takes it any more.
async fn with_a_dead_letter(data: &TempDir, sink: &Sink) -> (Bellhop, String) {
    let mut bellhop = Bellhop::start_with_webhooks(data.path(), sink, &["desk"]).await;
    sink.hold(true);
    let delivery = bellhop.client.send(json!({ "to": "desk", "title": "A dead letter" })).await.remove(0);
    for kill in 1..=4 {
        sink.until(kill).await;
        bellhop.kill();
        bellhop = Bellhop::start(data.path());
    }
    bellhop.client.until(&delivery, &["failed"]).await;
    sink.hold(false);
    (bellhop, delivery)
}
