//! Mpush's clients in a real browser: its own WebSocket, and a service worker that is told by Web Push.

#![expect(clippy::unwrap_used, reason = "a test")]

use acceptance::{
    Bellhop, Browser, Page, Providers, Subscriber, eventually,
    mpush::{send, start, start_with, states},
    push_service,
};
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves the page and its worker; answers with their origin.
async fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // the name that browsers trust as they trust HTTPS
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let page = get(async || ([(CONTENT_TYPE, "text/html")], include_str!("page.html")));
    let worker = get(async || ([(CONTENT_TYPE, "text/javascript")], include_str!("worker.js")));
    let router = Router::new().route("/", page).route("/worker.js", worker);
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

/// Has the page connect under a name; answers with what it is told of who it is.
async fn join(page: &mut Page, bellhop: &Bellhop, name: &str) -> Value {
    let url = bellhop.client.url.replace("http://", "ws://");
    page.evaluate(&format!("await join('{url}/', '{name}')")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_gets_what_waited_for_it_in_order_after_its_welcome_and_acknowledges_what_comes() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = start(data.path(), json!({})).await;
    let site = site().await;
    let mut browser = Browser::start().await;
    let mut page = browser.page().await;
    page.go(&site).await;

    // given messages that wait
    bellhop.client.put("/v1/registrations/page", json!({ "channel": "mpush", "params": { "method": "socket" } })).await;
    for title in ["1", "2", "3"] {
        bellhop.client.send(json!({ "to": "page", "title": title })).await;
    }

    // when the page connects
    let welcome = join(&mut page, &bellhop, "page").await;
    assert_eq!((&welcome["code"], &welcome["msg"]), (&json!(200), &json!("Successful authentication")));
    page.until("texts().length === 3").await;

    // then it has them in order, after its welcome
    assert_eq!(page.evaluate("texts()").await, json!(["1", "2", "3"]));
    assert_eq!(page.evaluate("heard").await, json!(["AUTH", "MESSAGE", "MESSAGE", "MESSAGE"]));

    // and what is sent from now on is acknowledged while the sender waits
    assert_eq!(send(&bellhop.client, "/page.send?text=4").await, json!({ "page": "ok" }));
    assert_eq!(page.evaluate("texts()").await, json!(["1", "2", "3", "4"]));
    assert_eq!(states(&bellhop.client, "page").await, ["confirmed"; 4]);
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_worker_shows_what_is_pushed_to_a_page_that_is_not_connected_and_confirms_it() {
    let data = tempfile::tempdir().unwrap();
    let providers = Providers::start(vec![push_service()]).await;
    let settings = json!({ "cors": true, "wait_timeout_ms": 25_000 });
    let bellhop = start_with(data.path(), &providers.options(data.path()), settings).await;
    let site = site().await;
    let mut browser = Browser::start().await;
    browser.allow(&site, "notifications").await;
    let mut page = browser.page().await;
    page.call("ServiceWorker.enable", json!({})).await;
    page.go(&site).await;

    // given a page that has subscribed and left; the browser's keys are ours, since no push service can be reached
    let welcome = join(&mut page, &bellhop, "page").await;
    let subscriber = Subscriber::new();
    page.evaluate(&format!("say(socket, 'REGISTER_WEBPUSH', {})", subscriber.subscription())).await;
    eventually("the subscription is kept", async || {
        let kept = bellhop.client.get("/v1/registrations/page").await;
        (!kept["params"]["endpoint"].is_null()).then_some(())
    })
    .await;
    page.evaluate("await leave()").await;
    let server = &bellhop.client.url;
    page.evaluate(&format!("await installed('{server}', '{}')", welcome["auth"].as_str().unwrap())).await;

    // when a message is sent, and the push service hands on what it got
    let pushed = async {
        eventually("it is pushed", async || (states(&bellhop.client, "page").await == ["delivered"]).then_some(())).await;
        let body = &providers.arrivals("push")[0].body;
        let registrations = loop {
            let known = page.event("ServiceWorker.workerRegistrationUpdated").await["registrations"].take();
            if known[0]["registrationId"].is_string() {
                break known;
            }
        };
        let told = json!({ "origin": site, "registrationId": registrations[0]["registrationId"], "data": subscriber.read(body) });
        page.call("ServiceWorker.deliverPushMessage", told).await;
        page.evaluate("await shown").await
    };
    let (status, shown) = tokio::join!(send(&bellhop.client, "/page.send?text=Backup&desp=has%20ended"), pushed);

    // then the worker has shown it, and the sender is told so
    assert_eq!(shown, json!([{ "cmd": "MESSAGE", "title": "Backup", "body": "has ended", "answered": 200 }]));
    assert_eq!(status, json!({ "page": "webpush-ok-comfirm" }));
    assert_eq!(states(&bellhop.client, "page").await, ["confirmed"]);
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_its_picture_taken() {
    let site = site().await;
    let mut browser = Browser::start().await;
    let mut page = browser.page().await;
    page.go(&site).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.png");
    page.screenshot(&file).await;
    let picture = std::fs::read(file).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{} bytes", picture.len());
    browser.stop().await;
}
