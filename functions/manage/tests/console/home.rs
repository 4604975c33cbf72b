//! The first page of the console.

use std::time::Duration;

use bellhop_core::{Reason, model::ChannelId, ports::Clock};
use bellhop_testkit::{Answer, Provider};
use serde_json::json;

use crate::{
    browser::{Browser, Shown},
    real_world, world,
};

/// How many of the three steps are done; `None` where nobody is told how to begin.
fn steps_done(home: &Shown) -> Option<usize> {
    let steps = home.text.split_once("Three steps to the first message")?.1.split_once("</ol>").unwrap().0;
    let (done, not_done) = (steps.matches(">done<").count(), steps.matches(">not done yet<").count());
    assert_eq!(done + not_done, 3, "{steps}");
    Some(done)
}

#[tokio::test]
async fn whoever_has_no_registration_is_told_how_to_begin() {
    let world = world().await;
    let new = Browser::of(&world, "other").await.open("/console").await;
    assert_eq!(steps_done(&new), Some(0));
    assert!(
        new.text.contains("href=\"/console/new-registration\"") && new.text.contains("href=\"/console/send\""),
        "{}",
        new.text
    );
}

#[tokio::test]
async fn a_step_that_is_done_is_marked_and_the_next_one_leads_on() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let made = browser.open("/console").await;
    assert_eq!(steps_done(&made), Some(1));
    assert!(!made.text.contains("href=\"/console/new-registration\""), "{}", made.text);
    assert!(made.text.contains("href=\"/console/registrations/phone#test\""), "{}", made.text);
    assert!(made.text.contains("href=\"/console/send?to=phone\""), "{}", made.text);

    let tested = browser.send("/console/registrations/phone/test", &[("title", "Hello"), ("body", "")]).await;
    let cookie = tested.header("set-cookie").split(';').next().unwrap();
    let home = browser.open_with("/console", &[("cookie", cookie)]).await;
    assert_eq!(steps_done(&home), Some(2));
    let another = Browser::of(&world, "full").await.open_with("/console", &[("cookie", cookie)]).await;
    assert_eq!(steps_done(&another), Some(1), "the test was of another session");
}

#[tokio::test]
async fn a_test_that_does_not_arrive_is_not_marked_as_done() {
    let world = real_world().await;
    // its channel is not in this catalogue, so that nothing arrives
    let refused = Browser::of(&world, "full").await.send("/console/registrations/phone/test", &[("title", "Hello")]).await;
    assert_eq!(refused.header("set-cookie"), "", "{}", refused.text);
}

#[tokio::test]
async fn the_steps_are_gone_once_a_message_was_sent_however_long_ago() {
    let world = world().await;
    let message = json!({"to": "phone", "title": "Hello", "body": "…"});
    assert_eq!(world.call("full", "POST", "/v1/messages", &message).await.status, 202);
    assert_eq!(steps_done(&Browser::of(&world, "full").await.open("/console").await), None);
    world.rig.sim.pass(Duration::from_hours(25));
    let quiet = Browser::of(&world, "full").await.open("/console").await;
    assert!(quiet.text.contains("Nothing was sent in the last 24 hours."), "{}", quiet.text);
    assert_eq!(steps_done(&quiet), None);
}

#[tokio::test]
async fn what_was_sent_is_counted_by_channel_and_what_failed_needs_attention() {
    let world = world().await;
    // who may not see the account's keys is not told of the one that has ended
    let browser = Browser::of(&world, "read").await;
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
async fn credentials_that_a_provider_refuses_are_told_once_for_their_registration() {
    let mut world = real_world().await;
    world.rig.ports.transport = Provider::new(&[Answer::Status(401)]).into();
    let registration = json!({"channel": "webhook", "params": {"url": "https://example.org/"}});
    assert_eq!(world.call("full", "PUT", "/v1/registrations/ops", &registration).await.status, 200);
    for title in ["first", "second"] {
        let message = json!({"to": "ops", "title": title, "body": "…"});
        assert_eq!(world.call("full", "POST", "/v1/messages", &message).await.status, 202);
    }
    assert_eq!(world.work_on(&ChannelId::new("webhook")).await, 2);
    let home = Browser::of(&world, "full").await.open("/console").await;
    let line =
        "<a href=\"/console/registrations/ops\">ops</a> has credentials that the provider refuses: <code>unauthorized</code>";
    assert_eq!(home.text.matches(line).count(), 1, "{}", home.text);
    assert!(!home.text.contains("a delivery failed"), "{}", home.text);
}

#[tokio::test]
async fn keys_that_have_ended_or_end_within_a_week_are_named_and_sessions_are_not() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for (description, days) in [("for the night", 6), ("for the year", 8)] {
        let end = world.rig.sim.now() + Duration::from_hours(24 * days);
        let key = json!({"scopes": ["send"], "expires_at": end, "description": description});
        assert_eq!(world.call("full", "POST", "/v1/keys", &key).await.status, 201);
    }
    let home = browser.open("/console").await;
    let has_ended = "<a href=\"/console/keys\">API key <code>key_expired</code></a>  has expired: ";
    assert!(home.text.contains(has_ended), "{}", home.text);
    assert!(home.text.contains("for the night expires soon: ") && !home.text.contains("for the year"), "{}", home.text);
    assert_eq!(home.text.matches("href=\"/console/keys\">API key").count(), 2, "{}", home.text);
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
