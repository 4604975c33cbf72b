//! What one event costs in steady state: calls of AWS, counted on the wire, and DynamoDB's own units, as ministack counts
//! them. `docs/cost.md` makes money of these numbers.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    Timestamp,
    accept::{Wanted, accept},
    deliver::{LEASE, work},
    model::{Because, CatchUp, Draft, Frozen, Recipient, Schedule, Start, State, Task, TaskName, When, Zone},
    plan::Collected,
    ports::{IdempotencyKey, Ports},
    task::{self, Ran, Wish},
    tick::tick,
};
use bellhop_testkit::{acceptance, account, channel, draft, event, key, name, registration};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Counting, Fate, Wire, answer, body_of, json_of, with_body},
};
use serde_json::{Value, json};

/// Units, index and table apart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Units {
    reads: f64,
    writes: f64,
    index: f64,
}

/// Counts calls, and asks those of the table what they cost.
#[derive(Default)]
struct Metering {
    units: Mutex<Units>,
    calls: Counting,
}

impl Metering {
    fn count(&self, call: &str, consumed: &Value) {
        let mut units = self.units.lock().unwrap();
        let all = consumed["CapacityUnits"].as_f64().unwrap_or_else(|| panic!("`{call}` does not say what it cost"));
        let index = consumed["GlobalSecondaryIndexes"].as_object().into_iter().flat_map(serde_json::Map::values);
        let index: f64 = index.map(|index| index["CapacityUnits"].as_f64().unwrap()).sum();
        match call {
            "GetItem" | "BatchGetItem" | "Query" => units.reads += all,
            _ => units.writes += all - index,
        }
        units.index += index;
    }

    fn take(&self) -> Units {
        std::mem::take(&mut self.units.lock().unwrap())
    }

    /// The functions' own calls. What reads the queue is Lambda's event source on AWS.
    fn take_calls(&self) -> Vec<(String, usize)> {
        let mut calls = self.calls.take();
        calls.retain(|call, _| call != "ReceiveMessage" && call != "DeleteMessage");
        calls.into_iter().collect()
    }
}

fn calls(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
}

#[async_trait]
impl Fate for Metering {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        self.calls.count(call);
        if !request.headers().get("x-amz-target").is_some_and(|target| target.starts_with("DynamoDB")) {
            return onwards.call(request).await;
        }
        let mut asked = body_of(&request);
        asked["ReturnConsumedCapacity"] = json!("INDEXES");
        let (status, answered) = json_of(onwards.call(with_body(request, &asked)).await?).await;
        match &answered["ConsumedCapacity"] {
            // ministack does not say what a batch of strongly consistent reads costs: a unit a row, at least
            Value::Null if call == "BatchGetItem" => self.units.lock().unwrap().reads += 1.0,
            Value::Array(tables) => tables.iter().for_each(|consumed| self.count(call, consumed)),
            consumed => self.count(call, consumed),
        }
        Ok(answer(status, &answered))
    }
}

/// One event, accepted and delivered.
async fn one_event(ports: &Ports, key: Option<IdempotencyKey>) {
    told(ports, &["phone"], key).await;
}

/// One event, accepted and delivered to all of these.
async fn told(ports: &Ports, registrations: &[&str], key: Option<IdempotencyKey>) {
    let send_to = registrations.iter().map(|called| Recipient::Registration(name(called))).collect();
    let draft = Draft { send_to, ..draft("the backup is done") };
    let answer = accept(ports, &account(), draft, Wanted::Event, key).await.unwrap();
    assert_eq!(answer.deliveries.len(), registrations.len());
    let coming = async {
        let mut worked = 0;
        while worked < registrations.len() {
            let wakes = ports.queue.receive(&channel(), 10).await.unwrap();
            for wake in &wakes {
                work(ports, wake, LEASE).await.unwrap();
            }
            worked += wakes.len();
            if wakes.is_empty() {
                ports.queue.ready(&channel()).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), coming).await.expect("the wake-ups come");
}

/// Ports whose caches are warm, and what they cost from here on.
async fn warm() -> (Deployment, Ports, Arc<Metering>) {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await;
    let metering = Arc::new(Metering::default());
    let ports = deployment.ports(Wire::with(Arc::clone(&metering) as _));
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    one_event(&ports, None).await;
    assert!(metering.take().writes > 3.0, "it counts");
    assert!(!metering.take_calls().is_empty(), "it counts");
    (deployment, ports, metering)
}

/// By another process, whose reads are not counted.
async fn delivered(deployment: &Deployment) -> usize {
    let ports = deployment.ports(Wire::calm());
    let mut delivered = 0;
    for stored in ports.events.list(&account(), None, None, 100).await.unwrap() {
        let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
        let rows = ports.deliveries.get(&account(), &ids).await.unwrap();
        delivered += rows.iter().flatten().filter(|row| row.state == State::Delivered).count();
    }
    delivered
}

#[tokio::test]
async fn an_event_delivered_at_once_costs_three_writes_and_no_read() {
    let (deployment, ports, metering) = warm().await;
    one_event(&ports, None).await;
    assert_eq!(metering.take(), Units { reads: 0.0, writes: 3.0, index: 0.0 }, "event, claim, settlement");
    assert_eq!(delivered(&deployment).await, 2);
}

#[tokio::test]
async fn an_idempotency_key_costs_one_more_write() {
    let (deployment, ports, metering) = warm().await;
    one_event(&ports, Some(key("k", "hash", ports.clock.now()))).await;
    assert_eq!(metering.take(), Units { reads: 0.0, writes: 4.0, index: 0.0 }, "key, event, claim, settlement");
    assert_eq!(delivered(&deployment).await, 2);
}

#[tokio::test]
async fn an_event_delivered_at_once_makes_four_calls() {
    let (deployment, ports, metering) = warm().await;
    one_event(&ports, None).await;
    assert_eq!(metering.take_calls(), calls(&[("PutItem", 3), ("SendMessageBatch", 1)]), "no KMS, no second look");
    assert_eq!(delivered(&deployment).await, 2);
}

#[tokio::test]
async fn an_event_to_ten_registrations_is_one_write_and_one_call_of_the_queue_and_two_writes_a_delivery() {
    let (deployment, ports, metering) = warm().await;
    let names: Vec<_> = (0..10).map(|number| format!("phone-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for called in &names {
        assert!(ports.registrations.put(&registration(called)).await.unwrap());
    }
    told(&ports, &names, None).await;
    metering.take();
    metering.take_calls();
    told(&ports, &names, None).await;
    assert_eq!(metering.take_calls(), calls(&[("PutItem", 21), ("SendMessageBatch", 1)]));
    assert_eq!(metering.take(), Units { reads: 0.0, writes: 21.0, index: 0.0 }, "its text is short");
    assert_eq!(delivered(&deployment).await, 21);
}

#[tokio::test]
async fn each_rule_that_collects_an_event_costs_one_more_write() {
    let (_deployment, ports, counting) = warm().await;
    for (rules, writes) in [(1, 2.0), (2, 3.0)] {
        let mut collected = acceptance(event(&account(), ports.clock.now(), ports.clock.chance()), &[], None);
        collected.plan.collected = ["daily", "weekly"][..rules].iter().map(|rule| by_rule(rule)).collect();
        ports.ledger.accept(collected).await.unwrap();
        assert_eq!(counting.take(), Units { reads: 0.0, writes, index: 0.0 }, "entries, event");
    }
}

fn by_rule(rule: &str) -> Collected {
    Collected { rule: name(rule), due_at: Timestamp::UNIX_EPOCH, at_once: false, for_each: false }
}

#[tokio::test]
async fn a_digest_costs_two_writes_to_freeze_and_six_to_move_on() {
    let (_deployment, ports, counting) = warm().await;
    let hour = Duration::from_hours(1);
    let now = ports.clock.now();
    let due = now + hour;
    let schedule = |version, due| Schedule {
        account: account(),
        rule: name("daily"),
        version,
        since: now,
        due,
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    };
    assert!(ports.digests.put(&schedule(1, due)).await.unwrap());
    assert!(ports.digests.put(&schedule(2, due + hour)).await.unwrap(), "its minute has been written");
    let mut collected = acceptance(event(&account(), now, ports.clock.chance()), &[], None);
    collected.plan.collected = vec![by_rule("daily")];
    ports.ledger.accept(collected).await.unwrap();
    counting.take();

    let frozen = Frozen { since: now, until: now + Duration::from_secs(1), intervals: 1, because: Because::Due, rule: None };
    let frozen = Schedule { frozen: Some(frozen), number: 1, ..schedule(3, due + hour) };
    assert!(ports.digests.freeze(&frozen).await.unwrap());
    let Units { writes, index, .. } = counting.take();
    assert_eq!((writes, index), (2.0, 0.0), "the list, and the schedule that names it");

    let done = Schedule { since: now + Duration::from_secs(1), number: 1, ..schedule(4, due) };
    assert!(ports.digests.put(&done).await.unwrap());
    let Units { writes, index, .. } = counting.take();
    assert_eq!(
        (writes, index),
        (6.0, 0.0),
        "the schedule and its places among what is due, in a transaction, which counts twice"
    );
}

#[tokio::test]
async fn a_run_of_a_task_costs_four_writes_to_begin_one_for_its_event_and_six_to_put_it_behind() {
    let (_deployment, ports, counting) = warm().await;
    let schedule = When::Cron { cron: "0 0 1 1 *".parse().unwrap(), time_zone: Zone::parse("UTC").unwrap(), start: Start::Now };
    let name = TaskName::parse("reminder").unwrap();
    let wish = Wish { name, message: draft("pay"), params: None, schedule, max_runs: None, catch_up: CatchUp::One };
    let made = task::make(&ports, &account(), wish, None).await.unwrap();
    let due = Task { version: 2, next_run: Some(ports.clock.now() - Duration::from_secs(1)), ..made };
    assert!(ports.tasks.put(&due).await.unwrap());
    counting.take();
    counting.take_calls();

    assert!(matches!(task::run(&ports, &account(), due.id).await.unwrap(), Ran::Once(_)));
    let Units { reads, writes, index } = counting.take();
    assert_eq!((reads, writes, index), (3.0, 11.0, 0.0), "two transactions, which count twice, and the event between them");
}

#[tokio::test]
async fn a_tick_with_nothing_due_reads_twice() {
    let (_deployment, ports, metering) = warm().await;
    tick(&ports, ports.clock.now()).await.unwrap();
    assert_eq!(metering.take_calls(), calls(&[("Query", 2)]), "parked wake-ups, and digests");
    let Units { reads, writes, index } = metering.take();
    assert!(reads <= 2.0, "{reads}");
    assert_eq!((writes, index), (0.0, 0.0));
}
