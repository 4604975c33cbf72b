//! What one event to one registration costs in steady state, in DynamoDB's own units, as ministack counts them.
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
    accept::accept,
    deliver::{LEASE, work},
    model::State,
    ports::{IdempotencyKey, Ports},
};
use bellhop_testkit::{account, channel, draft, key, registration};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire, answer, body_of, json_of, with_body},
};
use serde_json::{Value, json};

/// Units, index and table apart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Units {
    reads: f64,
    writes: f64,
    index: f64,
}

/// Asks every call of the table what it cost.
#[derive(Default)]
struct Counting(Mutex<Units>);

impl Counting {
    fn count(&self, call: &str, consumed: &Value) {
        let mut units = self.0.lock().unwrap();
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
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl Fate for Counting {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if !request.headers().get("x-amz-target").is_some_and(|target| target.starts_with("DynamoDB")) {
            return onwards.call(request).await;
        }
        let mut asked = body_of(&request);
        asked["ReturnConsumedCapacity"] = json!("INDEXES");
        let (status, answered) = json_of(onwards.call(with_body(request, &asked)).await?).await;
        match &answered["ConsumedCapacity"] {
            // ministack does not say what a batch of strongly consistent reads costs: a unit a row, at least
            Value::Null if call == "BatchGetItem" => self.0.lock().unwrap().reads += 1.0,
            Value::Array(tables) => tables.iter().for_each(|consumed| self.count(call, consumed)),
            consumed => self.count(call, consumed),
        }
        Ok(answer(status, &answered))
    }
}

/// One event, accepted and delivered.
async fn one_event(ports: &Ports, key: Option<IdempotencyKey>) {
    let answer = accept(ports, &account(), draft("the backup is done"), "send_to", key).await.unwrap();
    let coming = async {
        loop {
            let wakes = ports.queue.receive(&channel(), 10).await.unwrap();
            if let Some(wake) = wakes.first() {
                return work(ports, wake, LEASE).await.unwrap();
            }
            ports.queue.ready(&channel()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), coming).await.expect("the wake-up comes");
    assert_eq!(answer.deliveries.len(), 1);
}

/// Ports whose caches are warm, and what they cost from here on.
async fn warm() -> (Deployment, Ports, Arc<Counting>) {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await;
    let counting = Arc::new(Counting::default());
    let ports = deployment.ports(Wire::with(Arc::clone(&counting) as _));
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    one_event(&ports, None).await;
    assert!(counting.take().writes > 3.0, "it counts");
    (deployment, ports, counting)
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
    let (deployment, ports, counting) = warm().await;
    one_event(&ports, None).await;
    assert_eq!(counting.take(), Units { reads: 0.0, writes: 3.0, index: 0.0 }, "event, claim, settlement");
    assert_eq!(delivered(&deployment).await, 2);
}

#[tokio::test]
async fn an_idempotency_key_costs_one_more_write() {
    let (deployment, ports, counting) = warm().await;
    one_event(&ports, Some(key("k", "hash", ports.clock.now()))).await;
    assert_eq!(counting.take(), Units { reads: 0.0, writes: 4.0, index: 0.0 }, "key, event, claim, settlement");
    assert_eq!(delivered(&deployment).await, 2);
}
