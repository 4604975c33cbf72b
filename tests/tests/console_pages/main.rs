//! The console in a real browser, over the real binary: with scripts and without, by keyboard alone, on a narrow screen, with
//! hostile texts, and held against the rules of accessibility.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, reason = "counts, for whoever asks with `--no-capture`")]

mod calls;
mod forms;
mod hostile;
mod live;
mod lived_in;
mod pictures;
mod push;
mod visitor;
mod walks;
#[path = "../worlds/mod.rs"]
mod worlds;

use acceptance::{Bellhop, Sink};
use serde_json::json;

use visitor::{Scripts, Visitor};

async fn makes_tests_and_deletes_a_registration(scripts: Scripts) {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    let mut visitor = Visitor::of(&bellhop, scripts).await;

    // the root leads to the console, and that to the sign-in
    assert_eq!(visitor.path().await, "/console/sign-in");
    visitor.fill("key", "nonsense").await;
    visitor.submit("/console/sign-in").await;
    assert!(visitor.text().await.contains("a key is `bh_"), "{}", visitor.text().await);
    visitor.fill("key", &bellhop.client.key).await;
    visitor.submit("/console/sign-in").await;
    assert_eq!(visitor.path().await, "/console");

    // somebody new is told how to begin; a webhook's address is enough
    visitor.follow("/console/new-registration").await;
    visitor.fill("line", &format!("{}/hook", sink.url)).await;
    visitor.submit("/console/new-registration/paste").await;
    visitor.fill("name", "bad name!").await;
    visitor.submit("/console/new-registration").await;

    // what is wrong is said beside the field, and what was typed is there
    let wrong = "document.querySelector('[aria-invalid=true]')";
    assert_eq!(visitor.text_of(&format!("{wrong}.name")).await, "name");
    let error = format!("document.getElementById({wrong}.getAttribute('aria-describedby').split(' ').pop()).className");
    assert_eq!(visitor.text_of(&error).await, "error");
    assert_eq!(visitor.text_of("document.querySelector('[name=line]').value").await, format!("{}/hook", sink.url));
    visitor.fill("name", "desk").await;
    visitor.submit("/console/new-registration").await;
    assert_eq!(visitor.path().await, "/console/registrations/desk");
    assert!(visitor.text().await.contains("Saved."));

    // its test shows what the receiver answered
    visitor.fill("title", "Hello from the console").await;
    visitor.submit("/console/registrations/desk/test").await;
    let shown = visitor.text().await;
    assert!(shown.contains("The provider has taken it.") && shown.contains("204"), "{shown}");
    assert_eq!(sink.until(1).await[0].json()["title"], "Hello from the console");

    // it is deleted once it is confirmed
    visitor.page.evaluate("document.querySelector('details.confirm').open = true").await;
    visitor.submit("/console/registrations/desk/delete").await;
    assert_eq!(visitor.path().await, "/console/registrations");
    assert_eq!(bellhop.client.get("/v1/registrations").await["items"], json!([]));

    visitor.submit("/console/sign-out").await;
    visitor.open("/console/registrations").await;
    assert_eq!(visitor.path().await, "/console/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_makes_a_registration_tests_it_and_deletes_it() {
    makes_tests_and_deletes_a_registration(Scripts::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_goes_without_scripts() {
    makes_tests_and_deletes_a_registration(Scripts::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_suffices() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = Visitor::of(&bellhop, Scripts::On).await;

    // the only field is in focus already
    visitor.page.call("Input.insertText", json!({ "text": bellhop.client.key })).await;
    visitor.enter().await;
    assert_eq!(visitor.path().await, "/console");

    // the first stop leads past the navigation
    visitor.press("Tab").await;
    assert_eq!(visitor.page.evaluate("document.activeElement.className").await, "skip");
    visitor.press("Enter").await;
    assert_eq!(visitor.page.evaluate("document.activeElement.id").await, "main");

    visitor.tab_to("a[href=\"/console/new-rule\"]").await;
    visitor.enter().await;
    visitor.tab_to("[name=\"name\"]").await;
    visitor.page.call("Input.insertText", json!({ "text": "nightly" })).await;
    visitor.tab_to("[name=\"to\"]").await;
    visitor.page.call("Input.insertText", json!({ "text": "desk" })).await;
    visitor.tab_to("main button[type=\"submit\"]").await;
    visitor.enter().await;
    assert_eq!(visitor.path().await, "/console/rules/nightly");
    assert_eq!(bellhop.client.get("/v1/rules/nightly").await["to"], json!(["desk"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_leads_a_browser_to_the_console_and_takes_packets_of_mpush_otherwise() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let nobody = bellhop.client.with_key("");
    let (status, _) = nobody.call("POST", "/", Some(json!({ "cmd": "nonsense" }))).await;
    assert_ne!(status, 405);
    let led = nobody.respond("GET", "/", &[], None).await.unwrap();
    assert_eq!(led.url().path(), "/console/sign-in");
}
