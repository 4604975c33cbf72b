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
