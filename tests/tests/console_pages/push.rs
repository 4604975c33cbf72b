//! This browser as one that is told: it subscribes to Web Push by the console's own button.

use acceptance::{Bellhop, Providers, Subscriber, push_service};
use serde_json::{Value, json};

use crate::visitor::{Scripts, Visitor};

/// Subscribes at the push service of the test, since no other can be reached; what it was asked with is kept.
fn subscribing(subscriber: &Subscriber) -> String {
    let subscription = subscriber.subscription();
    format!(
        "PushManager.prototype.subscribe = async (options) => {{
            sessionStorage.asked = JSON.stringify(options);
            return {{ toJSON: () => ({subscription}) }};
        }};"
    )
}

/// The page of this browser, of somebody who allows notifications or does not.
async fn this_browser(bellhop: &Bellhop, answer: &str) -> Visitor {
    let mut visitor = Visitor::signed_in(bellhop, Scripts::On).await;
    let setting = json!({ "permission": { "name": "notifications" }, "setting": answer, "origin": visitor.url });
    visitor.page.call("Browser.setPermission", setting).await;
    visitor.open("/console/browser").await;
    visitor
}

/// What the service worker shows once it is told that.
async fn shown(visitor: &mut Visitor, told: &str) -> Value {
    visitor.page.call("ServiceWorker.enable", json!({})).await;
    let known = loop {
        let known = visitor.page.event("ServiceWorker.workerRegistrationUpdated").await["registrations"][0].take();
        if known["registrationId"].is_string() {
            break known;
        }
    };
    // whoever asks for notifications before they are displayed makes Chromium forget them
    let recorded = json!({ "service": "notifications", "shouldRecord": true });
    visitor.page.call("BackgroundService.setRecording", recorded).await;
    visitor.page.call("BackgroundService.startObserving", json!({ "service": "notifications" })).await;
    let push = json!({ "origin": visitor.url, "registrationId": known["registrationId"], "data": told });
    visitor.page.call("ServiceWorker.deliverPushMessage", push).await;
    visitor.page.event("BackgroundService.backgroundServiceEventReceived").await;
    let shown = "(await (await navigator.serviceWorker.ready).getNotifications())
        .map(({ title, body, data }) => ({ title, body, leads: data.url }))";
    visitor.page.evaluate(shown).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_subscribes_becomes_a_registration_whose_messages_it_shows() {
    let data = tempfile::tempdir().unwrap();
    let providers = Providers::start(vec![push_service()]).await;
    let options = providers.options(data.path());
    let bellhop = Bellhop::start_with(data.path(), &options.iter().map(String::as_str).collect::<Vec<_>>());
    let subscriber = Subscriber::new();
    let mut visitor = this_browser(&bellhop, "granted").await;
    visitor.page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": subscribing(&subscriber) })).await;
    visitor.open("/console/browser").await;

    // when its button is pressed
    visitor.fill("name", "laptop").await;
    visitor.submit("/console/browser").await;

    // then it is a registration, whose subscription was made with the deployment's key
    assert_eq!(visitor.path().await, "/console/registrations/laptop");
    let asked: Value = serde_json::from_str(&visitor.text_of("sessionStorage.asked").await).unwrap();
    let key = bellhop.client.get("/v1/web-push").await["public_key"].take();
    assert_eq!(asked, json!({ "userVisibleOnly": true, "applicationServerKey": key }));
    assert_eq!(bellhop.client.get("/v1/registrations/laptop").await["channel"], "web_push");

    // and what is sent there arrives at its push service, and is shown
    let message = json!({ "to": "laptop", "title": "Backup", "body": "has ended", "url": "https://example.org/7" });
    let delivery = bellhop.client.send(message).await;
    bellhop.client.until(&delivery[0], &["delivered"]).await;
    let told = subscriber.read(&providers.arrivals("push")[0].body);
    let expected = json!({ "title": "Backup", "body": "has ended", "leads": "https://example.org/7" });
    assert_eq!(shown(&mut visitor, &told).await, json!([expected]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_may_not_notify_says_so_beside_the_button() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = this_browser(&bellhop, "denied").await;
    for (button, beside) in [("#push button", "push-said"), ("#notify", "notify-said")] {
        visitor.page.evaluate(&format!("document.querySelector('{button}').click()")).await;
        visitor.page.until(&format!("document.getElementById('{beside}').innerText !== ''")).await;
        let said = visitor.text_of(&format!("document.getElementById('{beside}').innerText")).await;
        assert!(said.starts_with("The browser does not allow notifications of this site"), "{said}");
    }
    assert_eq!(bellhop.client.get("/v1/registrations").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_service_that_refuses_is_quoted_beside_the_button() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = this_browser(&bellhop, "granted").await;
    let refusing = "PushManager.prototype.subscribe = async () => { throw new Error('no push service'); };";
    visitor.page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": refusing })).await;
    visitor.open("/console/browser").await;
    visitor.page.evaluate("document.querySelector('#push button').click()").await;
    visitor.page.until("document.getElementById('push-said').innerText.includes('no push service')").await;
    assert_eq!(visitor.path().await, "/console/browser");
}
