//! What takes a script: pages that tell by themselves what has changed, and this browser as one that is told.

use acceptance::{Bellhop, Sink};
use serde_json::json;

use crate::visitor::{Scripts, Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_tells_by_itself_what_came_of_it() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    let params = json!({ "url": format!("{}/hook", sink.url) });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.open("/console/send").await;
    visitor.fill("to", "desk").await;
    visitor.fill("title", "Hello").await;
    visitor.submit("/console/send").await;
    assert!(visitor.path().await.starts_with("/console/tasks/"), "{}", visitor.path().await);
    visitor.page.evaluate("document.body.dataset.mark = 'of this page'; true").await;
    visitor.page.until("document.querySelector('#runs .state-delivered')").await;
    visitor.page.until("!document.querySelector('[data-live]')").await;
    assert_eq!(visitor.text_of("document.body.dataset.mark").await, "of this page", "nobody has loaded it anew");
    let story = visitor.text_of("document.querySelector('#runs h3 a').getAttribute('href')").await;
    visitor.follow(&story).await;
    assert!(visitor.text().await.contains("1 / 1 deliveries are over"), "{}", visitor.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_this_browser_is_a_client_of_mpush() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let (status, answer) =
        bellhop.client.call("PUT", "/v1/account", Some(json!({ "mpush": { "token": "a-long-secret" } }))).await;
    assert_eq!(status, 200, "{answer}");
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.open("/console/browser").await;
    visitor.page.evaluate("document.getElementById('socket-token').value = 'a-long-secret'; true").await;
    visitor.page.evaluate("document.getElementById('connect').click(); true").await;
    visitor.page.until("document.getElementById('socket-log').innerText.includes('\"code\":200')").await;
    bellhop.client.send(json!({ "to": "browser-socket", "title": "Hello", "body": "there" })).await;
    visitor.page.until("document.getElementById('socket-log').innerText.includes('MESSAGE_CALLBACK')").await;
    assert!(visitor.text().await.contains("Hello"), "{}", visitor.text().await);
}

/// Counts in the page how often it asks for itself, and has its clock run a hundred times as fast.
const WATCHED: &str = "
    window.requests = 0;
    const ask = window.fetch;
    window.fetch = (...what) => { window.requests += 1; return ask(...what); };
    const later = window.setTimeout;
    window.setTimeout = (what, ms) =>
      later(() => { document.body.dataset.turns = Number(document.body.dataset.turns ?? 0) + 1; what(); }, ms / 100);";

/// An event's page that looks at a delivery which its receiver holds, with that script before any other.
async fn looks_at_what_is_held(bellhop: &Bellhop, sink: &Sink, script: &str) -> Visitor {
    let params = json!({ "url": format!("{}/hook", sink.url) });
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    sink.hold(true);
    bellhop.client.send(json!({ "to": "desk", "title": "Hello", "body": "there" })).await;
    sink.until(1).await;
    let mut visitor = Visitor::signed_in(bellhop, Scripts::On).await;
    visitor.open("/console/messages").await;
    let story = visitor.text_of("document.querySelector('th a').getAttribute('href')").await;
    visitor.page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    visitor.open(&story).await;
    visitor
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_of_a_change_by_its_stream_and_asks_for_nothing_before() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, sink) = (Bellhop::start(data.path()), Sink::start().await);
    let mut visitor = looks_at_what_is_held(&bellhop, &sink, WATCHED).await;
    visitor.page.until("stream.readyState === 1 && Number(document.body.dataset.turns) >= 20").await;
    let before = visitor.page.evaluate("requests").await.as_u64().unwrap();
    visitor.page.until("Number(document.body.dataset.turns) >= 120").await;
    assert_eq!(visitor.page.evaluate("requests").await, before, "however often its turn came");
    sink.hold(false);
    visitor.page.until("document.querySelector('#deliveries .state-delivered')").await;
    visitor.page.until("!document.querySelector('[data-live]')").await;
    assert!(visitor.page.evaluate("requests").await.as_u64().unwrap() > before);
    assert_eq!(visitor.page.evaluate("stream === null").await, true, "nothing is listened for any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_hear_asks_every_few_seconds() {
    let data = tempfile::tempdir().unwrap();
    let (bellhop, sink) = (Bellhop::start(data.path()), Sink::start().await);
    let deaf = "window.EventSource = class { readyState = 2; addEventListener() {} close() {} };";
    let mut visitor = looks_at_what_is_held(&bellhop, &sink, &format!("{WATCHED}{deaf}")).await;
    visitor.page.until("Number(document.body.dataset.turns) >= 3").await;
    assert!(visitor.page.evaluate("requests").await.as_u64().unwrap() >= 2);
    sink.hold(false);
    visitor.page.until("document.querySelector('#deliveries .state-delivered')").await;
}
