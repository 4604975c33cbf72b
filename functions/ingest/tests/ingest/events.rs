//! `POST /v1/events`

use bellhop_core::model::{Account, Rate};
use bellhop_testkit::account;
use serde_json::json;

use crate::world;

const PATH: &str = "/v1/events";

#[tokio::test]
async fn an_event_is_kept_as_it_was_reported() {
    let world = world().await;
    let settings = Account { time_zone: "Asia/Shanghai".into(), ..Account::new(account()) };
    assert!(world.rig.ports.accounts.put(None, &settings).await.unwrap());

    let body = json!({"source": "QD/Example/main", "type": "domain.end", "trigger": "manual", "result": 1, "title": "t",
        "message": "签到失败: 403", "format": "markdown", "url": "https://example.org/", "image_url": "https://example.org/a.png",
        "screenshot": "AAAA", "occurred_at": "2025-02-01 12:34:56", "send_to": ["phone"], "final": true, "data": {"any": [1]}});
    let answer = world.call("send", "POST", PATH, body).await;

    assert_eq!(answer.status, 202, "{answer:?}");
    let event = &world.events().await[0].event;
    let kept = serde_json::to_value(&**event).unwrap();
    assert_eq!(kept["source"], "QD/Example/main");
    assert_eq!(kept["type"], "domain.end");
    assert_eq!(kept["trigger"], "manual");
    assert_eq!(kept["result"], "failure");
    assert_eq!(kept["message"], "签到失败: 403");
    assert_eq!(kept["format"], "markdown");
    assert_eq!(kept["occurred_at"], "2025-02-01T04:34:56Z");
    assert_eq!(kept["send_to"], json!(["phone"]));
    assert_eq!(kept["final"], true);
    assert_eq!(kept["data"], json!({"any": [1]}));
    let picture = world.rig.ports.attachments.get(&account(), event.screenshot.unwrap()).await.unwrap();
    assert_eq!(*picture.unwrap().0, [0, 0, 0]);
}

#[tokio::test]
async fn a_message_is_all_that_an_event_needs() {
    let world = world().await;

    let answer = world.call("send", "POST", PATH, json!({"message": "x"})).await;

    assert_eq!(answer.status, 202);
    assert_eq!(answer.body["deliveries"], json!([]));
    assert_eq!(world.events().await[0].event.source.as_str(), "default");
}

#[tokio::test]
async fn a_large_picture_fits_into_an_event() {
    let world = world().await;

    let answer = world.call("send", "POST", PATH, json!({"message": "x", "screenshot": "A".repeat(5_592_404)})).await;

    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_repeated_event_makes_nothing_new() {
    let world = world().await;
    let body = json!({"message": "x", "send_to": "phone"});

    let first = world.repeatable(PATH, "k", &body).await;
    let again = world.repeatable(PATH, "k", &body).await;

    assert_eq!((again.status, &again.body), (202, &first.body));
    let [stored] = &world.events().await[..] else { panic!("{again:?}") };
    world.work().await;
    let delivery = stored.plan.deliveries[0].id(stored.event.id);
    assert_eq!(world.rig.provider.answers(delivery).len(), 1, "however often it was queued");
}

#[tokio::test]
async fn an_event_with_a_used_key_and_another_body_is_refused() {
    let world = world().await;
    world.repeatable(PATH, "k", json!({"message": "x"})).await;

    let answer = world.repeatable(PATH, "k", json!({"message": "y"})).await;

    assert_eq!(answer.refusal(), (422, "idempotency_mismatch", "Idempotency-Key"));
}

#[tokio::test]
async fn an_account_that_sends_too_fast_is_told_when_to_come_again() {
    let world = world().await;
    let slow = Account { rate: Rate { per_second: 1, burst: 2 }, ..Account::new(account()) };
    assert!(world.rig.ports.accounts.put(None, &slow).await.unwrap());
    let body = json!({"message": "x"});
    for _ in 0..2 {
        assert_eq!(world.call("send", "POST", PATH, &body).await.status, 202);
    }

    for path in [PATH, "/v1/messages"] {
        let answer = world.call("send", "POST", path, &body).await;
        assert_eq!(answer.refusal(), (429, "rate_limited", ""));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(world.events().await.len(), 2);
    assert_eq!(world.call("other", "POST", PATH, &body).await.status, 202, "another account is not held up");
    world.rig.sim.pass(std::time::Duration::from_secs(1));
    assert_eq!(world.call("send", "POST", PATH, &body).await.status, 202);
}
