//! This browser at the console: what its page gives the script, and what comes back.

use serde_json::json;

use crate::{browser::Browser, real_world};

const SUBSCRIPTION: [(&str, &str); 4] = [
    ("name", "browser"),
    ("params.endpoint", "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"),
    ("params.p256dh", "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
    ("params.auth", "BTBZMqHH6r4Tts7J_aSIgg"),
];

#[tokio::test]
async fn the_page_has_the_deployments_key_and_loads_its_script_and_worker_from_here() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.open("/console/browser").await;
    let key = world.call("full", "GET", "/v1/web-push", "").await.body;
    assert_eq!(page.after("data-key=\""), key["public_key"].as_str().unwrap());
    let script = browser.open(&format!("/console/browser.js{}", page.after("src=\"/console/browser.js"))).await;
    assert!(script.text.contains("/console/worker.js"), "{}", script.text);
    let worker = browser.open("/console/worker.js").await;
    assert_eq!((worker.status, worker.header("content-type")), (200, "text/javascript; charset=utf-8"));
}

#[tokio::test]
async fn a_subscription_becomes_a_registration_and_a_new_one_takes_its_place() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    for _ in 0..2 {
        let made = browser.send("/console/browser", &SUBSCRIPTION).await;
        assert_eq!(made.leads_to(), "/console/registrations/browser?notice=saved");
        let more = json!({"groups": ["night"], "description": "the desk's"});
        assert_eq!(world.call("full", "PATCH", "/v1/registrations/browser", &more).await.status, 200);
    }
    assert_eq!(browser.send("/console/browser", &SUBSCRIPTION).await.status, 303);
    let registration = world.call("full", "GET", "/v1/registrations/browser", "").await.body;
    assert_eq!((&registration["channel"], &registration["params"]["p256dh"]), (&json!("web_push"), &json!(SUBSCRIPTION[2].1)));
    assert_eq!(registration["groups"], json!(["night"]), "what was said of it besides stays");
}

#[tokio::test]
async fn a_registration_of_another_channel_is_not_replaced_and_nothing_comes_without_a_script_or_the_token() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let body = json!({"channel": "webhook", "params": {"url": "https://example.org/"}});
    assert_eq!(world.call("full", "PUT", "/v1/registrations/browser", &body).await.status, 200);
    let taken = browser.send("/console/browser", &SUBSCRIPTION).await;
    assert!(taken.status == 409 && taken.text.contains("id=\"f-name-error\""), "{}", taken.text);
    let bare = browser.send("/console/browser", &[("name", "other")]).await;
    assert!(
        bare.status == 422 && bare.text.contains("id=\"f-name-error\"") && bare.text.contains("value=\"other\""),
        "{}",
        bare.text
    );
    let foreign = browser.send_with("/console/browser", &[("sec-fetch-site", "same-origin")], &SUBSCRIPTION).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(world.call("full", "GET", "/v1/registrations/browser", "").await.body["channel"], "webhook");
}
