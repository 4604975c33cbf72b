//! `/in/{token}`

use axum::{body::Body, http::Request};
use bellhop_core::{
    Reason, Timestamp,
    model::{Account, Defaults, Hook, HookKind, Rate},
    plan::Dropped,
};
use bellhop_http::key::hash_secret;
use bellhop_testkit::{account, name};
use serde_json::{Value, json};

use crate::{
    world,
    world::{Answer, World},
};

async fn hooked(kind: HookKind) -> World {
    let world = world().await;
    let hook = Hook {
        account: account(),
        name: name("h"),
        kind,
        hash: hash_secret("token"),
        defaults: Defaults::default(),
        recipients: Vec::new(),
        link_base_url: None,
        report_hash: None,
        made_under: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    assert!(world.rig.ports.hooks.create(&hook).await.unwrap());
    world
}

async fn sent(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    world.send(request.body(body.into()).unwrap()).await
}

async fn post(world: &World, body: &Value) -> Answer {
    sent(world, "POST", "/in/token", &[("content-type", "application/json; charset=utf-8")], body.to_string()).await
}

#[tokio::test]
async fn a_report_is_an_event_and_is_answered_with_200_and_what_comes_of_it() {
    let world = hooked(HookKind::Bettergi).await;

    let answer = post(&world, &json!({"event": "domain.end", "result": 0, "message": "m", "send_to": "phone"})).await;

    assert_eq!((answer.status, &answer.body["deliveries"][0]["registration"]), (200, &json!("phone")));
    assert_eq!(world.events().await[0].event.source.as_str(), "BetterGI");
    assert_eq!(world.work().await, 1);
}

#[tokio::test]
async fn whoever_is_named_and_is_not_there_stays_on_the_event_and_refuses_nothing() {
    let world = hooked(HookKind::Bettergi).await;

    let report = json!({"message": "m", "send_to": ["12345", "phone", "group:none", "contact:bob", "email:a@example.org"]});
    let answer = post(&world, &report).await;

    let missing = |who: &str| json!({"recipient": who, "why": "unknown_recipient"});
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["dropped"], json!(["12345", "group:none", "contact:bob"].map(missing)));
    let stored = world.events().await.remove(0);
    let names: Vec<_> = stored.event.send_to.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["12345", "phone", "group:none", "contact:bob"]);
    assert_eq!(stored.event.data, Some(json!({"send_to": ["email:a@example.org"]})));
    assert_eq!(stored.plan.deliveries.len(), 1);
    let why = Reason::UnknownRecipient;
    assert_eq!(stored.plan.dropped[0], Dropped::Recipient { recipient: "12345".parse().unwrap(), rule: None, why });
}

#[tokio::test]
async fn a_get_does_as_well_and_a_head_does_nothing() {
    let world = hooked(HookKind::Qd).await;
    assert_eq!(sent(&world, "GET", "/in/token?t=a&log=b", &[], "").await.status, 200);
    assert_eq!(sent(&world, "DELETE", "/in/token", &[], "").await.refusal(), (405, "method_not_allowed", ""));
    assert_eq!(sent(&world, "HEAD", "/in/token?t=a&log=b", &[], "").await.status, 405);
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn a_token_that_is_none_is_not_found() {
    let world = hooked(HookKind::Generic).await;
    let hash = hash_secret("token");
    for path in ["/in/other", "/in/Token", &format!("/in/{hash}"), "/in/%ff", "/in/", "/in/token/"] {
        let answer = sent(&world, "POST", path, &[], "message").await;
        assert_eq!(answer.refusal(), (404, "not_found", ""), "{path}");
    }
    assert!(world.is_untouched().await);
}

#[tokio::test]
async fn a_large_picture_is_taken_and_a_large_text_is_not() {
    let world = hooked(HookKind::Bettergi).await;
    let picture = format!("/9j/{}", "A".repeat(2_000_000));

    assert_eq!(post(&world, &json!({"message": "m", "screenshot": picture})).await.status, 200);
    assert!(world.events().await[0].event.screenshot.is_some());

    for body in [json!({"message": picture}).to_string(), format!("a={picture}"), picture] {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(sent(&world, "POST", "/in/token", &form, body).await.refusal(), (413, "body_too_large", ""));
    }
    let huge = vec![b' '; 6_000_000];
    assert_eq!(sent(&world, "POST", "/in/token", &[], huge).await.refusal(), (413, "body_too_large", ""));
}

#[tokio::test]
async fn a_picture_that_is_too_large_costs_the_event_nothing_else() {
    let world = hooked(HookKind::Bettergi).await;
    let picture = "A".repeat(5_600_000);

    assert_eq!(post(&world, &json!({"message": "m", "screenshot": picture})).await.status, 200);

    let stored = world.events().await.remove(0);
    assert_eq!(stored.event.screenshot, None);
    assert!(stored.event.data.as_ref().unwrap()["screenshot"].as_str().unwrap().starts_with("not kept: a picture has at most"));
}

#[tokio::test]
async fn the_accounts_rate_counts() {
    let world = hooked(HookKind::Generic).await;
    let slow = Account { rate: Rate { per_second: 1, burst: 1 }, ..Account::new(account()) };
    assert!(world.rig.ports.accounts.put(None, &slow).await.unwrap());
    assert_eq!(sent(&world, "POST", "/in/token", &[], "one").await.status, 200);
    assert_eq!(sent(&world, "POST", "/in/token", &[], "two").await.refusal(), (429, "rate_limited", ""));
}

#[tokio::test]
async fn a_report_that_says_which_it_is_makes_one_event_and_any_other_as_many_as_came() {
    let world = hooked(HookKind::Sqle).await;
    let report = |timestamp: &str| json!({"event": "workflow", "action": "create", "timestamp": timestamp, "payload": {"workflow": {"workflow_id": "1"}}});

    let first = post(&world, &report("2025-02-01T12:34:56Z")).await;
    let again = post(&world, &report("2025-02-01T12:34:56Z")).await;
    let later = post(&world, &report("2025-02-01T12:34:57Z")).await;

    assert_eq!(first.body["event"], again.body["event"]);
    assert_ne!(first.body["event"], later.body["event"]);
    for _ in 0..2 {
        assert_eq!(sent(&world, "POST", "/in/token", &[], "hello").await.status, 200);
    }
    assert_eq!(world.events().await.len(), 4);
}
