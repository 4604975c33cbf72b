//! Mail through the SES of both emulators, with the real SDK.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::SharedHttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_aws::{SesEgress, SystemClock};
use bellhop_core::{
    Reason,
    channel::Reply,
    ports::{Clock, Sent, Ses},
    ses::SesMail,
};
use emulated::{
    Emulator, Kind, sdk,
    wire::{Fate, Plain, Wire},
};
use serde_json::Value;

const BOTH: [Kind; 2] = [Kind::Moto, Kind::Ministack];

/// From an address of its own for each test.
fn mail() -> SesMail {
    let from = format!("s{:x}@example.com", SystemClock.chance());
    let message = format!("From: {from}\r\nTo: a@example.org\r\nSubject: hello\r\n\r\nline 1\r\n.line 2\r\n");
    SesMail {
        region: None,
        configuration_set: None,
        tags: vec![("messageId".to_owned(), "dlv_1".to_owned())],
        from,
        to: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
        message: message.into_bytes(),
    }
}

fn egress(url: &str, wire: &Arc<Wire>) -> SesEgress {
    SesEgress::new(&sdk(url, Arc::clone(wire), 5))
}

/// Makes it known in `us-east-1`, where the tests are.
async fn verify(emulator: &Emulator, address: &str) {
    let client = aws_sdk_ses::Client::new(&sdk(&emulator.url, Wire::calm(), 3));
    client.verify_email_identity().email_address(address).send().await.unwrap();
}

/// What the emulator has of that sender's.
async fn arrived(emulator: &Emulator, kind: Kind, from: &str) -> Vec<Value> {
    let (path, all, source) = match kind {
        Kind::Moto => ("/moto-api/data.json", "/ses/RawMessage", "source"),
        Kind::Ministack => ("/_ministack/ses/messages", "/messages/000000000000", "Source"),
    };
    let told = Plain::new().json(&format!("{}{path}", emulator.url)).await.unwrap();
    let all = told.pointer(all).and_then(Value::as_array).cloned().unwrap_or_default();
    all.into_iter().filter(|mail| mail[source] == from).collect()
}

fn error_of(reply: &Reply) -> (u16, Option<&str>) {
    (reply.status, reply.header("x-amzn-errortype"))
}

#[tokio::test]
async fn a_mail_from_a_verified_address_is_taken_once_and_has_an_id() {
    for kind in BOTH {
        let emulator = Emulator::shared(kind).await;
        let mail = mail();
        verify(emulator, &mail.from).await;
        let reply = egress(&emulator.url, &Wire::calm()).send(&mail).await.unwrap();
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(reply.status == 200 && said["MessageId"].is_string(), "{kind:?}: {said}");
        let [arrived] = arrived(emulator, kind, &mail.from).await.try_into().unwrap();
        assert!(arrived.to_string().contains("line 1\\r\\n.line 2"), "{kind:?}: {arrived}");
    }
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_refused_by_name_and_not_by_address() {
    for kind in BOTH {
        let emulator = Emulator::shared(kind).await;
        let mail = mail();
        let reply = egress(&emulator.url, &Wire::calm()).send(&mail).await.unwrap();
        assert_eq!(error_of(&reply), (400, Some("MessageRejected")), "{kind:?}");
        let message = String::from_utf8(reply.body).unwrap();
        assert!(message.contains("not verified") || message.contains("authority"), "{kind:?}: {message}");
        assert!(arrived(emulator, kind, &mail.from).await.is_empty());
    }
}

#[tokio::test]
async fn the_registrations_region_is_the_one_that_is_asked() {
    for kind in BOTH {
        let emulator = Emulator::shared(kind).await;
        let mail = SesMail { region: Some("eu-west-1".to_owned()), ..mail() };
        verify(emulator, &mail.from).await; // but elsewhere
        let reply = egress(&emulator.url, &Wire::calm()).send(&mail).await.unwrap();
        assert_eq!(error_of(&reply), (400, Some("MessageRejected")), "{kind:?}");
    }
}

/// Answers every request by itself: with that status and error.
struct Always(u16, &'static str);

#[async_trait]
impl Fate for Always {
    async fn send(&self, _: &str, _: HttpRequest, _: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
        let Self(status, code) = self;
        let body =
            format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>");
        let response = http::Response::builder().status(*status).header("content-type", "text/xml").body(body.into()).unwrap();
        Ok(HttpResponse::try_from(response).unwrap())
    }
}

#[tokio::test]
async fn a_refusal_is_handed_on_and_never_asked_again_here() {
    for (status, code) in [(400, "Throttling"), (503, "ServiceUnavailable"), (403, "AccessDenied")] {
        let wire = Wire::with(Arc::new(Always(status, code)));
        let reply = egress("http://ses.invalid", &wire).send(&mail()).await.unwrap();
        assert_eq!((error_of(&reply), wire.requests()), ((status, Some(code)), 1));
    }
}

/// Lets nothing come back.
struct Lost;

#[async_trait]
impl Fate for Lost {
    async fn send(&self, _: &str, _: HttpRequest, _: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
        Err(ConnectorError::io("cut".into()))
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_never_asked_for_again_here() {
    let wire = Wire::with(Arc::new(Lost));
    let error = egress("http://ses.invalid", &wire).send(&mail()).await.unwrap_err();
    assert_eq!((error.reason, error.sent, wire.requests()), (Reason::ConnectionLost, Sent::Maybe, 1));
}

#[tokio::test]
async fn where_nobody_listens_surely_nothing_was_sent() {
    let url = format!("http://127.0.0.1:{}", emulated::free_port());
    let error = egress(&url, &Wire::calm()).send(&mail()).await.unwrap_err();
    assert_eq!((error.reason, error.sent), (Reason::ConnectFailed, Sent::No));
    assert!(!error.detail.contains("example"), "{}", error.detail);
}

#[tokio::test]
async fn a_region_that_is_no_word_reaches_no_host() {
    let mail = SesMail { region: Some("evil.example/".to_owned()), ..mail() };
    // without an endpoint of its own, as on AWS
    let wire = Wire::calm();
    let mut sdk = sdk("http://unused.invalid", Arc::clone(&wire), 1).into_builder();
    sdk.set_endpoint_url(None);
    let error = SesEgress::new(&sdk.build()).send(&mail).await.unwrap_err();
    assert_eq!((error.reason, error.sent, wire.requests()), (Reason::InvalidParams, Sent::No, 0));
}
