//! The first page of the console.

use bellhop_core::Reason;
use serde_json::json;

use crate::{browser::Browser, real_world, world};

#[tokio::test]
async fn whoever_has_no_registration_is_told_how_to_begin() {
    let world = world().await;
    let new = Browser::of(&world, "other").await.open("/console").await;
    assert!(new.text.contains("href=\"/console/new-registration\""), "{}", new.text);
    let known = Browser::of(&world, "full").await.open("/console").await;
    assert!(!known.text.contains("href=\"/console/new-registration\""), "{}", known.text);
}

#[tokio::test]
async fn what_was_sent_is_counted_by_channel_and_what_failed_needs_attention() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let quiet = browser.open("/console").await;
    assert!(quiet.text.contains("Nothing was sent in the last 24 hours.") && quiet.text.contains("Nothing needs attention."));

    let message = json!({"to": "phone", "title": "Hello", "body": "…"});
    assert_eq!(world.call("full", "POST", "/v1/messages", &message).await.status, 202);
    world.work().await;
    let busy = browser.open("/console").await;
    let row = busy.after(&format!("<th scope=\"row\">{}</th><td><svg class=\"", bellhop_testkit::channel()));
    assert_eq!(row, "bar", "{}", busy.text);
    assert!(busy.text.contains("</svg></td><td>1</td><td>0</td><td>0</td>"), "{}", busy.text);
}

#[tokio::test]
async fn a_registration_that_its_provider_has_switched_off_is_named_with_the_reason() {
    let world = world().await;
    let disabled = bellhop_core::model::Disabled { reason: Reason::Gone, at: world.rig.ports.clock.now() };
    let phone = bellhop_testkit::registration("pager");
    let disabled = bellhop_core::model::Registration { disabled: Some(disabled), ..phone };
    assert!(world.rig.ports.registrations.put(&disabled).await.unwrap());
    let home = Browser::of(&world, "full").await.open("/console").await;
    assert!(
        home.text.contains("<a href=\"/console/registrations/pager\">pager</a>") && home.text.contains("<code>gone</code>"),
        "{}",
        home.text
    );
}

#[tokio::test]
async fn the_next_digests_and_tasks_are_named() {
    let world = real_world().await;
    let rule = json!({"to": ["phone"], "batch": {"at": "20:00:00"}});
    assert_eq!(world.call("full", "PUT", "/v1/rules/daily", &rule).await.status, 200);
    let home = Browser::of(&world, "full").await.open("/console").await;
    assert!(home.text.contains("<a href=\"/console/rules/daily\">daily</a>"), "{}", home.text);
}

#[tokio::test]
async fn a_key_of_any_scope_signs_in_and_may_sign_out() {
    let world = world().await;
    for id in ["full", "send", "read", "manage", "operate"] {
        let browser = Browser::of(&world, id).await;
        assert_eq!(browser.open("/console").await.status, 200, "{id}");
        // also from a page that it may not see
        let refused = browser.open("/console/rules").await;
        assert_eq!(refused.text.matches("action=\"/console/sign-out\"").count(), 1, "{id}");
        assert_eq!(browser.send("/console/sign-out", &[]).await.status, 303, "{id}");
    }
}
