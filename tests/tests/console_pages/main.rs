//! The console in a real browser, over the real binary: with scripts and without, by keyboard alone, on a narrow screen, with
//! hostile texts, and held against the rules of accessibility.

#![expect(clippy::unwrap_used, reason = "a test")]

mod forms;
mod live;
mod visitor;

use std::{fs, path::Path};

use acceptance::{Bellhop, Sink};
use serde_json::json;

use visitor::{Scripts, Visitor};

/// Stands in whatever can be stored, and must never be more than a text.
const HOSTILE: &str = "\"'><img src=x onerror=hostile=1><script>hostile=1</script>";

/// axe-core, as `cargo xtask python` installs it.
fn axe() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv-axe/lib");
    let versions = fs::read_dir(&folder).unwrap_or_else(|_| panic!("axe is missing: run `cargo xtask python`"));
    let script = versions.map(|version| version.unwrap().path().join("site-packages/axe_playwright_python/axe.min.js"));
    fs::read_to_string(script.into_iter().find(|file| file.exists()).unwrap()).unwrap()
}

/// An account with something of everything, named by that text where anything may be written.
async fn lived_in(bellhop: &Bellhop, sink: &Sink, text: &str) {
    let client = &bellhop.client;
    let params = json!({ "url": format!("{}/hook", sink.url) });
    client
        .put(
            "/v1/registrations/desk",
            json!({ "channel": "webhook", "description": text, "groups": ["night"], "params": params }),
        )
        .await;
    client.put("/v1/registrations/off", json!({ "channel": "webhook", "enabled": false, "params": params })).await;
    let batch = json!({ "at": "20:00:00", "title": text });
    client.put("/v1/rules/daily", json!({ "to": ["desk"], "match": { "sources": [text] }, "title": text, "batch": batch })).await;
    client.put("/v1/rules/now", json!({ "to": ["desk"], "match": { "sources": ["QD/*"] } })).await;
    client.put("/v1/contacts/alice", json!({ "email": "alice@example.org" })).await;
    client.put("/v1/sources", json!({ "source": format!("{text}/x"), "enabled": false })).await;
    client.report(json!({ "source": format!("{text}/y"), "result": "failure", "title": text, "message": text })).await;
    // the newest event is the one with a delivery and an attempt
    let delivery = client.send(json!({ "to": "desk", "title": text, "body": text })).await;
    client.until(&delivery[0], &["delivered"]).await;
    let (status, answer) = client
        .call(
            "POST",
            "/v1/tasks",
            Some(json!({ "name": text, "to": "desk", "body": text,
        "schedule": { "kind": "daily", "time": "09:00:00" } })),
        )
        .await;
    assert_eq!(status, 201, "{answer}");
    let (status, answer) = client.call("POST", "/v1/keys", Some(json!({ "scopes": ["send"], "description": text }))).await;
    assert_eq!(status, 201, "{answer}");
    let (status, answer) = client.call("POST", "/v1/hooks", Some(json!({ "name": "qd", "kind": "qd" }))).await;
    assert_eq!(status, 201, "{answer}");
}

/// Pages that no link of the navigation leads to.
const DEEPER: [&str; 15] = [
    "/console/deliveries",
    "/console/dead-letters",
    "/console/new-task",
    "/console/new-contact",
    "/console/contacts/alice",
    "/console/audit",
    "/console/new-registration",
    "/console/new-registration?channel=webhook",
    "/console/registrations/desk",
    "/console/registrations/desk/edit",
    "/console/new-rule",
    "/console/rules/daily",
    "/console/rules/daily/edit",
    "/console/rules/daily/preview",
    "/console/sources",
];

async fn every_page(visitor: &mut Visitor) -> Vec<String> {
    let mut pages = visitor.navigation().await;
    pages.extend(DEEPER.map(str::to_owned));
    // what has an id of its own: the newest event, and a task
    for list in ["/console/messages", "/console/tasks"] {
        visitor.open(list).await;
        pages.push(visitor.text_of("document.querySelector('th a').getAttribute('href')").await);
    }
    pages
}

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
async fn hostile_texts_are_texts_on_every_page() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    lived_in(&bellhop, &sink, HOSTILE).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    let mut shown = 0;
    for path in every_page(&mut visitor).await {
        visitor.open(&path).await;
        assert_eq!(visitor.text_of("typeof hostile").await, "undefined", "{path}");
        assert_eq!(
            visitor.page.evaluate("document.querySelectorAll('main img, main script:not([src])').length").await,
            0,
            "{path}"
        );
        shown += usize::from(visitor.text().await.contains("<script>hostile=1</script>"));
    }
    assert!(shown >= 3, "{shown}: it stands somewhere, or this shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_wider_than_a_narrow_screen() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    lived_in(&bellhop, &sink, &"long".repeat(30)).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.on_screen(320, 640).await;
    for path in every_page(&mut visitor).await {
        visitor.open(&path).await;
        assert_eq!(visitor.page.evaluate("document.documentElement.scrollWidth").await, 320, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_in_either_theme_and_either_language() {
    let axe = axe();
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    lived_in(&bellhop, &sink, "Backup").await;
    let mut visitor = Visitor::of(&bellhop, Scripts::On).await;
    let mut found = visitor.found_by_axe(&axe).await;
    // it does look: what is wrong on purpose is found
    visitor.page.evaluate("document.querySelector('label').remove()").await;
    assert!(visitor.found_by_axe(&axe).await.iter().any(|wrong| wrong.contains("label")));
    visitor.open("/console/sign-in").await;
    visitor.fill("key", &bellhop.client.key).await;
    visitor.submit("/console/sign-in").await;
    let pages = every_page(&mut visitor).await;
    for (theme, language) in [("light", "en"), ("dark", "zh-CN")] {
        visitor.with_theme(theme).await;
        visitor.in_language(language).await;
        for path in &pages {
            visitor.open(path).await;
            let wrong = visitor.found_by_axe(&axe).await;
            found.extend(wrong.into_iter().map(|wrong| format!("{path} ({theme}, {language}): {wrong}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
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

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_its_picture_taken() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let sink = Sink::start().await;
    lived_in(&bellhop, &sink, "Backup").await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.on_screen(1_000, 700).await;
    let pages = visitor.navigation().await.into_iter().chain(["/console/registrations/desk".to_owned()]);
    // `cargo xtask screenshots` keeps them
    let kept =
        std::env::var_os("BELLHOP_WRITE_SCREENSHOTS").map(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screenshots"));
    let folder = kept.unwrap_or_else(|| data.path().join("screenshots"));
    fs::create_dir_all(&folder).unwrap();
    for path in pages {
        for (theme, language) in [("light", "en"), ("dark", "zh-CN")] {
            visitor.with_theme(theme).await;
            visitor.in_language(language).await;
            visitor.open(&path).await;
            let picture = visitor.picture().await;
            assert_eq!(picture.get(8..12), Some(&b"WEBP"[..]), "{path}");
            let name = path.trim_start_matches("/console").trim_start_matches('/').replace('/', "-");
            let name = if name.is_empty() { "home" } else { &name };
            fs::write(folder.join(format!("{name}.{theme}.{language}.webp")), picture).unwrap();
        }
    }
}
