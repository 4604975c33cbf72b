//! Tests of registrations: what is sent, what is shown, what is kept.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::Router;
use bellhop_core::{
    Reason,
    channel::{Outgoing, Reply},
    model::Disabled,
    ports::{Clock, Freshness, Http, Ports, Transport, TransportError},
};
use bellhop_http::{Api, complete};
use bellhop_testkit::{Answer, Provider, account, name};
use serde_json::{Value, json};

use crate::{world, world::World};

const SECRET_URL: &str = "https://probe.invalid/T0K3N-of-probe?key=S3cr3t-key";

/// The world with a provider that answers like this.
async fn with_answers(answers: &[Answer]) -> (World, Arc<Provider>) {
    let world = world().await;
    let provider = Provider::new(answers);
    let ports = Ports { transport: Arc::clone(&provider).into(), ..world.rig.ports.clone() };
    let routes: Router = complete(bellhop_manage::routes(Api::new(ports)));
    (World { routes, ..world }, provider)
}

fn probe() -> Value {
    json!({"channel": "probe", "params": {"url": SECRET_URL}})
}

#[tokio::test]
async fn a_stored_registration_is_tested_and_nothing_is_kept_of_it() {
    let (world, provider) = with_answers(&[]).await;
    assert_eq!(world.call("manage", "PUT", "/v1/registrations/robot", probe()).await.status, 200);

    let tested = world.call("manage", "POST", "/v1/registrations/robot/test", "").await;

    assert_eq!((tested.status, &tested.body["delivered"], &tested.body["status"]), (200, &json!(true), &json!(200)));
    assert_eq!(provider.requests().len(), 1);
    assert!(world.is_untouched().await, "no event, no delivery, nothing queued");
    let said =
        world.call("manage", "POST", "/v1/registrations/robot/test", json!({"title": "t", "body": "the very words"})).await;
    assert_eq!(said.body["request"]["body"], "the very words");
}

#[tokio::test]
async fn a_test_shows_what_the_provider_answered_and_no_secret() {
    let (world, _) = with_answers(&[Answer::Status(403)]).await;

    let tested = world.call("manage", "POST", "/v1/registrations/test", probe()).await;

    assert_eq!((tested.status, &tested.body["delivered"]), (200, &json!(false)));
    assert_eq!((&tested.body["reason"], &tested.body["status"]), (&json!("rejected"), &json!(403)));
    assert_eq!(tested.body["detail"], "the provider answered 403");
    assert_eq!(tested.body["request"]["url"], "https://probe.invalid/***");
    assert_eq!(tested.body["response"]["status"], 403);
    let shown = tested.body.to_string();
    assert!(!shown.contains("T0K3N") && !shown.contains("S3cr3t"), "{shown}");
    assert_eq!(world.call("read", "GET", "/v1/registrations/test", "").await.status, 404, "typed values are not saved");
}

#[tokio::test]
async fn a_registration_may_be_called_test_all_the_same() {
    let (world, _) = with_answers(&[]).await;

    assert_eq!(world.call("manage", "PUT", "/v1/registrations/test", probe()).await.status, 200);

    assert_eq!(world.call("read", "GET", "/v1/registrations/test", "").await.body["name"], "test");
    assert_eq!(world.call("manage", "POST", "/v1/registrations/test/test", "").await.body["delivered"], true);
    let nobody = world.call("manage", "POST", "/v1/registrations/robot", probe()).await;
    assert_eq!(nobody.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn a_test_of_a_disabled_registration_says_so_and_still_sends() {
    let (world, provider) = with_answers(&[]).await;
    let off = json!({"channel": "probe", "enabled": false});
    world.call("manage", "PUT", "/v1/registrations/off", off).await;
    world.call("manage", "PUT", "/v1/registrations/dead", json!({"channel": "probe"})).await;
    let disabled = Disabled { reason: Reason::Gone, at: world.rig.sim.now() };
    world.rig.ports.registrations.disable(&account(), &name("dead"), 1, &disabled).await.unwrap();

    for called in ["off", "dead"] {
        let tested = world.call("manage", "POST", &format!("/v1/registrations/{called}/test"), "").await;
        assert_eq!(
            (&tested.body["delivered"], &tested.body["warnings"][0]["reason"]),
            (&json!(true), &json!("registration_disabled"))
        );
        let shown = world.call("read", "GET", &format!("/v1/registrations/{called}"), "").await.body;
        let is_as_before = if called == "off" { shown["enabled"] == false } else { shown["disabled"]["reason"] == "gone" };
        assert!(is_as_before, "{shown}");
    }
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_test_that_meets_a_dead_address_switches_nothing_off() {
    let (world, _) = with_answers(&[Answer::Status(410)]).await;

    let tested = world.call("manage", "POST", "/v1/registrations/phone/test", "").await;

    assert_eq!((&tested.body["delivered"], &tested.body["reason"]), (&json!(false), &json!("gone")));
    assert_eq!(world.call("read", "GET", "/v1/registrations/phone", "").await.body["disabled"], json!(null));
}

#[tokio::test]
async fn a_test_takes_a_slot_of_its_registration_and_does_not_wait_for_it() {
    let (world, provider) = with_answers(&[]).await;
    let slow = json!({"channel": "probe", "params": {"a_minute": 1}});
    world.call("manage", "PUT", "/v1/registrations/slow", slow).await;
    let slow = world.rig.ports.registrations.get(&account(), &name("slow"), Freshness::Fresh).await.unwrap().unwrap();
    let rate = bellhop_testkit::probe_rate(&slow.params).unwrap();

    for _ in 0..2 {
        assert_eq!(world.call("manage", "POST", "/v1/registrations/slow/test", "").await.body["delivered"], true);
    }

    assert_eq!(provider.requests().len(), 2);
    let now = world.rig.sim.now();
    let next = world.rig.ports.pace.reserve(&account(), &name("slow"), rate, now).await.unwrap();
    assert_eq!(next, now + Duration::from_mins(2), "what comes after the tests comes the later");
}

#[tokio::test]
async fn a_provider_that_asks_to_slow_down_in_a_test_is_heard() {
    let (world, _) = with_answers(&[Answer::Later(429, 60)]).await;

    let throttled = world.call("manage", "POST", "/v1/registrations/phone/test", "").await;

    assert_eq!((&throttled.body["delivered"], &throttled.body["reason"]), (&json!(false), &json!("rate_limited")));
    let paused = world.call("read", "GET", "/v1/registrations/phone", "").await.body;
    assert!(paused["paused_until"].is_string(), "{paused}");
    let again = world.call("manage", "POST", "/v1/registrations/phone/test", "").await;
    assert_eq!(again.body["warnings"][0]["reason"], "paused", "{}", again.body);
}

#[tokio::test]
async fn with_verify_a_registration_is_saved_once_its_test_was_delivered_and_not_before() {
    let (world, provider) = with_answers(&[]).await;
    let verify = "/v1/registrations/robot?verify=true";

    let saved = world.call("manage", "PUT", verify, probe()).await;

    assert_eq!((saved.status, &saved.body["version"], &saved.body["test"]["delivered"]), (200, &json!(1), &json!(true)));
    assert_eq!(provider.requests().len(), 1);

    let (world, _) = with_answers(&[Answer::Status(403)]).await;
    let refused = world.call("manage", "PUT", verify, probe()).await;
    assert_eq!(refused.refusal(), (422, "test_failed", ""));
    let test = &refused.body["test"];
    assert_eq!((&test["delivered"], &test["status"], &test["reason"]), (&json!(false), &json!(403), &json!("rejected")));
    assert!(!refused.body.to_string().contains("T0K3N"));
    assert_eq!(world.call("read", "GET", "/v1/registrations/robot", "").await.status, 404);
    assert_eq!(world.call("manage", "PUT", "/v1/registrations/robot?verify=false", probe()).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused_and_nothing_is_sent() {
    let (world, provider) = with_answers(&[]).await;
    let typed = "/v1/registrations/test";
    for (method, path, body, refusal) in [
        ("POST", "/v1/registrations/nobody/test", json!({}), (404, "not_found", "")),
        ("POST", "/v1/registrations/phone/test", json!({"to": "a@example.org"}), (422, "invalid_field", "to")),
        ("POST", "/v1/registrations/phone/test", json!({"body": "x".repeat(2_001)}), (422, "invalid_field", "body")),
        ("POST", "/v1/registrations/phone/test", json!({"screenshot": ""}), (422, "unknown_field", "screenshot")),
        ("POST", typed, json!({"channel": "telegarm"}), (422, "unknown_channel", "channel")),
        ("POST", typed, json!({"channel": "safe", "params": {}}), (422, "invalid_params", "params.token")),
        ("POST", typed, json!({"params": {}}), (422, "missing_field", "channel")),
        ("PUT", "/v1/registrations/robot?verify=yes", probe(), (422, "invalid_query", "verify")),
        ("PUT", "/v1/registrations/robot?to=a", probe(), (422, "invalid_query", "to")),
        ("PUT", "/v1/registrations/robot?force=true", probe(), (422, "invalid_query", "force")),
    ] {
        assert_eq!(world.call("manage", method, path, &body).await.refusal(), refusal, "{method} {path} {body}");
    }
    assert_eq!(world.call("other", "POST", "/v1/registrations/phone/test", "").await.status, 404);
    assert_eq!(provider.requests(), []);
}

#[tokio::test]
async fn tests_count_against_the_accounts_rate() {
    let (world, provider) = with_answers(&[]).await;
    let rate = json!({"rate": {"per_second": 1, "burst": 1}});
    assert_eq!(world.call("manage", "PUT", "/v1/account", rate).await.status, 200);

    assert_eq!(world.call("manage", "POST", "/v1/registrations/phone/test", "").await.status, 200);
    let second = world.call("manage", "POST", "/v1/registrations/phone/test", "").await;

    assert_eq!((second.refusal(), second.headers["retry-after"].to_str().unwrap()), ((429, "rate_limited", ""), "1"));
    assert_eq!(provider.requests().len(), 1);
}

/// Never answers.
struct Hangs;

#[async_trait]
impl Http for Hangs {
    async fn call(&self, _outgoing: &Outgoing) -> Result<Reply, TransportError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_that_nobody_answers_is_given_up_before_the_api_gives_up_and_shows_what_was_said() {
    let world = world().await;
    let ports = world.rig.ports.clone();
    let ports = Ports { transport: Transport { http: Arc::new(Hangs), ..ports.transport }, ..ports };
    let world = World { routes: complete(bellhop_manage::routes(Api::new(ports))), ..world };

    let began = tokio::time::Instant::now();
    let tested = world.call("manage", "POST", "/v1/registrations/test", probe()).await;

    assert_eq!(began.elapsed(), Duration::from_secs(25), "by a clock that stands still while there is something to do");
    assert_eq!((tested.status, &tested.body["delivered"], &tested.body["reason"]), (200, &json!(false), &json!("timeout")));
    assert_eq!(tested.body["request"]["url"], "https://probe.invalid/***");
    assert_eq!(tested.body.get("response"), None);
}
