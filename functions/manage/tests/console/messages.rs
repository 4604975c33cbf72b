//! Messages at the console: events, deliveries, their story, dead letters.

use bellhop_core::model::Registration;
use serde_json::json;

use crate::{browser::Browser, world, world::World};

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

/// A message that the registration `phone` was sent; its event.
async fn sent(world: &World) -> String {
    let message = json!({"to": "phone", "title": HOSTILE, "body": HOSTILE, "data": {"x": HOSTILE}});
    let accepted = world.call("full", "POST", "/v1/messages", &message).await;
    assert_eq!(accepted.status, 202, "{:?}", accepted.body);
    accepted.body["event"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_is_listed_and_its_page_tells_the_story_attempt_by_attempt() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let event = sent(&world).await;
    world.work().await;
    let list = browser.open("/console/messages").await;
    assert!(list.text.contains(&format!("href=\"/console/messages/{}\"", event.replace('_', "%5F"))), "{}", list.text);
    let page = browser.open(&format!("/console/messages/{event}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("1 / 1 deliveries are over"), "{}", page.text);
    assert!(
        page.text.contains("href=\"/console/registrations/phone\"") && page.text.contains("Attempts: phone"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("data-live"), "nothing changes any more");
    for page in [list, page] {
        assert!(!page.text.contains("<script>") && !page.text.contains("<img"), "{}", page.text);
        assert!(page.text.contains("&lt;script&gt;alert(1)"), "{}", page.text);
    }
}

#[tokio::test]
async fn what_is_on_its_way_is_looked_at_again() {
    let world = world().await;
    let event = sent(&world).await;
    let page = Browser::of(&world, "read").await.open(&format!("/console/messages/{event}")).await;
    assert!(page.text.contains("<p id=\"standing\" role=\"status\" data-live=\"3\">0 / 1"), "{}", page.text);
    assert!(page.text.contains("id=\"deliveries\" data-live=\"3\""), "{}", page.text);
}

#[tokio::test]
async fn the_page_of_an_event_says_what_each_rule_decided() {
    let world = world().await;
    let rule = json!({"to": ["phone"], "after_failures": 3, "notify": {"auto_failure": true}});
    assert_eq!(world.call("full", "PUT", "/v1/rules/third", &rule).await.status, 200);
    let event = json!({"source": "QD/x", "result": "failure", "trigger": "auto", "message": "down"});
    let event = world.call("full", "POST", "/v1/events", &event).await.body;
    let page = Browser::of(&world, "full").await.open(&format!("/console/messages/{}", event["event"].as_str().unwrap())).await;
    assert!(page.text.contains("href=\"/console/rules/third\"") && page.text.contains("<td>tell nobody</td>"), "{}", page.text);
    assert!(page.text.contains("<code>below_failure_threshold</code>") && page.text.contains("needed: 3"), "{}", page.text);
    assert!(page.text.contains("Nobody was told at once."), "{}", page.text);
}

#[tokio::test]
async fn events_and_deliveries_are_filtered_and_what_is_wrong_is_said_beside_the_filter() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    sent(&world).await;
    let rows = |text: &str| text.matches("<th scope=\"row\">").count();
    for (path, count) in [
        ("/console/messages?source=&type=&result=", 1),
        ("/console/messages?source=nobody", 0),
        ("/console/messages?q=ALERT", 1),
        ("/console/messages?q=nothing", 0),
        ("/console/deliveries", 1),
        ("/console/deliveries?state=queued&registration=phone", 1),
        ("/console/deliveries?state=failed", 0),
    ] {
        let page = browser.open(path).await;
        assert_eq!((page.status, rows(&page.text)), (200, count), "{path}: {}", page.text);
    }
    for path in ["/console/messages?from=yesterday", "/console/deliveries?from=yesterday"] {
        let page = browser.open(path).await;
        assert!(page.status == 422 && page.text.contains("id=\"f-from-error\""), "{path}: {}", page.text);
        assert!(page.text.contains("value=\"yesterday\""), "{path}");
    }
}

#[tokio::test]
async fn many_events_are_paged_by_cursor_under_the_same_filter() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for number in 0..51 {
        let event = json!({"source": "QD/x", "message": format!("no. {number}")});
        assert_eq!(world.call("full", "POST", "/v1/events", &event).await.status, 202);
    }
    let first = browser.open("/console/messages?source=QD%2Fx").await;
    let next = first.after("rel=\"next\" href=\"").to_owned();
    assert!(next.starts_with("/console/messages?source=QD%2Fx&amp;cursor="), "{next}");
    let second = browser.open(&next.replace("&amp;", "&")).await;
    assert_eq!(second.text.matches("<th scope=\"row\">").count(), 1);
}

#[tokio::test]
async fn what_failed_is_tried_once_more_by_a_button() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let event = sent(&world).await;
    assert!(
        world
            .rig
            .ports
            .registrations
            .delete(&bellhop_testkit::account(), &bellhop_core::model::Name::parse("phone").unwrap())
            .await
            .is_ok()
    );
    world.work().await;
    let page = browser.open(&format!("/console/messages/{event}")).await;
    let retry = page.after("form class=\"inline\" method=\"post\" action=\"").to_owned();
    assert!(retry.ends_with("/retry"), "{retry}");
    assert!(world.rig.ports.registrations.put(&bellhop_testkit::registration("phone")).await.unwrap());
    let reader = Browser::of(&world, "read").await;
    assert!(!reader.open(&format!("/console/messages/{event}")).await.text.contains("/retry"));
    assert_eq!(browser.send_with(&retry, &[("sec-fetch-site", "same-origin")], &[]).await.status, 403);
    let led = browser.send(&retry, &[]).await.leads_to().to_owned();
    assert!(led.starts_with(&format!("/console/messages/{}?notice=done&delivery=dlv", event.replace('_', "%5F"))), "{led}");
    world.work().await;
    let page = browser.open(&format!("/console/messages/{event}")).await;
    assert!(page.text.contains("state-delivered"), "{}", page.text);
}

#[tokio::test]
async fn dead_letters_are_for_whoever_runs_the_deployment_and_others_are_told_so() {
    let world = world().await;
    let reader = Browser::of(&world, "read").await.open("/console/dead-letters").await;
    assert!(reader.status == 200 && reader.text.contains("`operate`"), "{}", reader.text);
    let browser = Browser::of(&world, "full").await;
    assert_eq!(browser.open("/console/dead-letters").await.status, 200);
    let channel = bellhop_testkit::channel();
    let back = browser.send("/console/dead-letters/redrive", &[("channel", channel.as_str())]).await;
    assert_eq!(back.leads_to(), "/console/dead-letters?notice=done");
    let audit = world.call("full", "GET", "/v1/audit", "").await.body;
    let entries = audit["items"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["action"] == "dead_letters_redriven" && entry["object"] == channel.as_str()));
    assert_eq!(Browser::of(&world, "read").await.send("/console/dead-letters/redrive", &[]).await.status, 403);
}

#[tokio::test]
async fn of_an_event_with_many_deliveries_a_hundred_are_drawn_the_one_that_is_asked_for_and_a_way_to_all() {
    let world = world().await;
    for n in 0..1_002 {
        let one = bellhop_testkit::registration(&format!("desk-{n}"));
        let one = Registration { groups: vec![bellhop_testkit::name("all")], ..one };
        assert!(world.rig.ports.registrations.put(&one).await.unwrap());
    }
    let accepted = world.call("full", "POST", "/v1/messages", json!({"to": "group:all", "body": "x"})).await.body;
    let event = accepted["event"].as_str().unwrap();
    let browser = Browser::of(&world, "full").await;
    let page = browser.open(&format!("/console/messages/{event}")).await;
    assert_eq!(page.text.matches("<section class=\"card\" id=\"dlv_").count(), 100);
    assert!(page.text.contains("0 / 1000 deliveries are over · not looked at here: 2"), "{}", page.text);
    let all = page.after("902 more: <a href=\"").to_owned();
    assert_eq!(all, format!("/console/deliveries?event={}", event.replace('_', "%5F")));
    let list = browser.open(&all).await;
    assert!(list.text.contains(&format!("value=\"{event}\"")) && list.text.contains("class=\"pager\""), "{}", list.text);

    // the last two of the plan are told of by nobody but the list
    for delivery in
        accepted["deliveries"].as_array().unwrap()[1_000..].iter().chain(&accepted["deliveries"].as_array().unwrap()[500..501])
    {
        let id = delivery["id"].as_str().unwrap();
        let page = browser.open(&format!("/console/messages/{event}?delivery={id}")).await;
        assert!(page.text.contains(&format!("<section class=\"card\" id=\"{id}\">")), "{id}");
        assert_eq!(page.text.matches("<section class=\"card\" id=\"dlv_").count(), 100);
    }
    assert_eq!(browser.open(&format!("/console/messages/{event}?delivery=nonsense")).await.status, 404);
}

#[tokio::test]
async fn a_title_that_is_too_long_for_the_heading_is_shown_whole_below_it() {
    let world = world().await;
    let title = format!("{} the end", "long ".repeat(30));
    let accepted = world.call("full", "POST", "/v1/messages", json!({"to": "phone", "title": title})).await.body;
    let page =
        Browser::of(&world, "full").await.open(&format!("/console/messages/{}", accepted["event"].as_str().unwrap())).await;
    assert!(page.text.contains(&format!("<dt>Title</dt><dd>{title}</dd>")), "{}", page.text);
    assert!(!page.text.contains(&format!("<h1>{title}</h1>")), "{}", page.text);
}
