//! What is counted, and what is not: requests that come twice or are refused, rules that are made anew, counters that are
//! written by too many.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    Code, Problem, Reason, StoreError,
    accept::{Answer, Wanted, accept},
    model::{AccountId, Draft, RunResult},
    plan::Dropped,
    ports::{Clock, IdempotencyKey, Kind, Ports, Record, Records},
    rules::Verdict,
};
use bellhop_testkit::{Provider, Rig, account, registration};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_hours(24);

/// Somebody to be told.
async fn house() -> Rig {
    let rig = Rig::new(Provider::new(&[]));
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    rig
}

/// Saves the rule `ops`, made just now.
async fn make_rule(rig: &Rig, mut more: Value) {
    more["to"] = json!(["phone"]);
    more["created_at"] = json!(rig.sim.now());
    let rule = Record { name: "ops".to_owned(), version: 1, body: more.to_string() };
    assert!(rig.ports.records.put(&account(), Kind::Rule, &rule).await.expect("memory does not fail"));
}

fn key(rig: &Rig, body_hash: &str) -> IdempotencyKey {
    let (key, body_hash) = ("k".to_owned(), body_hash.to_owned());
    IdempotencyKey { account: account(), route: "/v1/events", key, body_hash, expires_at: rig.sim.now() + DAY }
}

async fn failure(ports: &Ports, key: Option<IdempotencyKey>) -> Result<Answer, Problem> {
    accept(ports, &account(), Draft { result: Some(RunResult::Failure), ..Draft::new("no") }, Wanted::Event, key).await
}

/// Which failure in a row it was.
async fn counted(rig: &Rig, key: Option<IdempotencyKey>) -> Option<u32> {
    let answer = failure(&rig.ports, key).await.expect("it is accepted");
    let [Dropped::Rule { why: Reason::BelowFailureThreshold, count, .. }] = answer.dropped[..] else {
        panic!("{:?}", answer.dropped)
    };
    count
}

#[tokio::test]
async fn a_request_that_is_refused_for_its_key_counts_nothing() {
    let rig = house().await;
    make_rule(&rig, json!({"after_failures": 10})).await;
    assert_eq!(counted(&rig, Some(key(&rig, "one"))).await, Some(1));

    let refused = failure(&rig.ports, Some(key(&rig, "other"))).await.expect_err("another body under the same key");

    assert_eq!(refused.code, Code::IdempotencyMismatch);
    assert_eq!(counted(&rig, None).await, Some(2));
}

#[tokio::test]
async fn a_repeated_request_counts_once_however_much_came_in_between() {
    let rig = house().await;
    make_rule(&rig, json!({"after_failures": 100})).await;
    assert_eq!(counted(&rig, Some(key(&rig, "one"))).await, Some(1));
    for count in 2..=50 {
        assert_eq!(counted(&rig, None).await, Some(count));
    }
    assert_eq!(counted(&rig, Some(key(&rig, "one"))).await, Some(1), "what was said then");
    assert_eq!(counted(&rig, None).await, Some(51));
}

#[tokio::test]
async fn a_key_that_was_forgotten_counts_anew() {
    let rig = house().await;
    make_rule(&rig, json!({"after_failures": 10})).await;
    assert_eq!(counted(&rig, Some(key(&rig, "one"))).await, Some(1));
    rig.sim.pass(DAY + Duration::from_millis(1));
    assert_eq!(counted(&rig, Some(key(&rig, "one"))).await, Some(2));
}

#[tokio::test]
async fn a_rule_that_is_made_anew_begins_at_zero() {
    let rig = house().await;
    make_rule(&rig, json!({"after_failures": 10})).await;
    assert_eq!([counted(&rig, None).await, counted(&rig, None).await], [Some(1), Some(2)]);

    assert!(rig.ports.records.delete(&account(), Kind::Rule, "ops").await.expect("memory does not fail"));
    rig.sim.pass(Duration::from_millis(1));
    make_rule(&rig, json!({"after_failures": 10})).await;

    assert_eq!(counted(&rig, None).await, Some(1));
}

/// Somebody else is always faster.
struct Outrun(Arc<dyn Records>);

#[async_trait]
impl Records for Outrun {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        self.0.get(account, kind, name).await
    }
    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        self.0.all(account, kind).await
    }
    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        self.0.list(account, kind, after, most).await
    }
    async fn put(&self, _: &AccountId, _: Kind, _: &Record) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError> {
        self.0.delete(account, kind, name).await
    }
    async fn give_way(&self, _: Duration) {}
}

async fn outrun(rule: Value) -> (Rig, Ports) {
    let rig = house().await;
    make_rule(&rig, rule).await;
    let ports = Ports { records: Arc::new(Outrun(Arc::clone(&rig.ports.records))), ..rig.ports.clone() };
    (rig, ports)
}

#[tokio::test]
async fn who_loses_every_race_is_told_of_and_the_decision_says_that_the_count_is_approximate() {
    let (_rig, ports) = outrun(json!({"after_failures": 10})).await;

    let answer = failure(&ports, None).await.expect("it is accepted");

    assert_eq!((answer.deliveries.len(), answer.dropped.len()), (1, 0));
    let stored = ports.events.get(&account(), answer.event).await.expect("memory does not fail").expect("it is there");
    assert!(stored.plan.decisions[0].count_approximate);
    assert_eq!(stored.plan.decisions[0].verdict, Verdict::Notify);
    assert_eq!(serde_json::to_value(&stored.plan.decisions).expect("decisions are JSON")[0]["count_approximate"], true);
}

#[tokio::test]
async fn who_loses_every_race_and_is_switched_off_is_told_so_too() {
    let (_rig, ports) = outrun(json!({"after_failures": 10, "notify": {"manual_failure": true}})).await;

    let answer = failure(&ports, None).await.expect("it is accepted");

    let dropped = json!([{"rule": "ops", "why": "notify_switched_off", "count_approximate": true}]);
    assert_eq!(serde_json::to_value(&answer.dropped).expect("it is JSON"), dropped);
}
