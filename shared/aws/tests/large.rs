//! What is larger than a row or a message: plans of ten thousand deliveries, and events as long as they may be. Long plans go
//! to ministack: moto takes minutes for ten thousand messages.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_aws::{Arrived, SystemClock};
use bellhop_core::{
    StoreError,
    model::{Draft, Event, EventId},
    plan::Plan,
    ports::{Acceptance, Accepted, Clock, Ports, StoredEvent},
};
use bellhop_testkit::{account, channel, draft, key, planned};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire, body_of},
};
use serde_json::json;

const HIDDEN: Duration = Duration::from_mins(6);

fn event(draft: Draft) -> Event {
    let now = SystemClock.now();
    draft.into_event(EventId::new(now, SystemClock.chance()), account(), now)
}

fn plan(deliveries: usize) -> Plan {
    let deliveries = (0..deliveries).map(|number| planned(&format!("registration-{number}"), &channel()));
    Plan { deliveries: deliveries.collect(), ..Plan::default() }
}

/// The largest event that ingest takes: 256 KiB of JSON, of numbers that take more room the way we write them.
fn largest() -> Draft {
    let numbers = vec![json!(1e15); 256 * 1024 / "1e15,".len() - 100];
    Draft { data: Some(numbers.into()), ..draft("text") }
}

async fn accept(ports: &Ports, event: &Event, plan: &Plan) -> Accepted {
    let acceptance = Acceptance { key: None, event: event.clone(), plan: plan.clone() };
    ports.ledger.accept(acceptance).await.unwrap()
}

/// It is read as it was kept, by itself and in a list, by a process that knows nothing yet.
async fn is_kept(deployment: &Deployment, event: Event, plan: Plan) {
    let ports = deployment.ports(Wire::calm());
    let id = event.id;
    let kept = StoredEvent { event: Arc::new(event), plan };
    assert!(ports.events.get(&account(), id).await.unwrap() == Some(kept.clone()), "it is not what was kept");
    assert!(ports.events.list(&account(), None, None, 10).await.unwrap() == [kept], "it is not listed as it was kept");
}

/// How many messages the channel's queue has.
async fn queued(deployment: &Deployment) -> usize {
    let sqs = aws_sdk_sqs::Client::new(&emulated::sdk(&deployment.url, Wire::calm(), 3));
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let url = format!("{}{}", deployment.config.queue_url_prefix, channel());
    let told = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    told.attributes.unwrap()[&name].parse().unwrap()
}

#[tokio::test]
async fn a_plan_of_ten_thousand_deliveries_is_kept_and_every_job_is_queued() {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, HIDDEN).await;
    let (event, plan) = (event(draft("text")), plan(10_000));
    let ports = deployment.ports(Wire::calm());
    assert_eq!(accept(&ports, &event, &plan).await, Accepted::New(event.id));
    assert_eq!(queued(&deployment).await, plan.deliveries.len());
    is_kept(&deployment, event, plan).await;
}

#[tokio::test]
async fn the_largest_event_is_kept_and_reaches_its_sender_by_reference() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let deployment = Deployment::on(Emulator::shared(kind).await, HIDDEN).await;
        let (event, plan) = (event(largest()), plan(101));
        assert!(serde_json::to_string(&event).unwrap().len() > 900_000);
        let ports = deployment.ports(Wire::calm());
        assert_eq!(accept(&ports, &event, &plan).await, Accepted::New(event.id));
        let wakes = ports.queue.receive(&channel(), 1).await.unwrap();
        assert!(*wakes[0].job.event == event, "the sender works on another event");
        is_kept(&deployment, event, plan).await;
    }
}

#[tokio::test]
async fn a_long_event_travels_by_reference_and_is_brought_whole() {
    let deployment = Deployment::on(Emulator::shared(Kind::Moto).await, HIDDEN).await;
    let event = event(draft(&"长".repeat(80_000)));
    let store = deployment.store(Wire::calm(), 3, Arc::new(SystemClock));
    let ports = deployment.ports(Wire::calm());
    assert_eq!(accept(&ports, &event, &plan(1)).await, Accepted::New(event.id));
    let body = json!({
        "delivery": plan(1).deliveries[0].id(event.id), "n": 1, "account": "main", "channel": "probe",
        "registration": "registration-0",
    });
    let arrived = bellhop_aws::wake_from(&body.to_string(), 1, "receipt").unwrap();
    assert!(matches!(arrived, Arrived::Reference(_)));
    let wake = store.whole(arrived).await.unwrap().expect("its event is there");
    assert!(*wake.job.event == event, "the sender works on another event");
}

/// A process that dies when it writes its n-th page, or the row after them.
struct DiesAt(std::sync::atomic::AtomicUsize);

#[async_trait]
impl Fate for DiesAt {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        let is_page = |pk: &str| pk.starts_with("plan/") || pk.starts_with("event/");
        let is_page = call == "PutItem" && body_of(&request)["Item"]["pk"]["S"].as_str().is_some_and(is_page);
        if is_page && self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            std::future::pending::<()>().await;
        }
        onwards.call(request).await
    }
}

#[tokio::test]
async fn a_try_that_died_among_its_pages_leaves_nothing_in_the_plan_of_the_next() {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, HIDDEN).await;
    for dies_at in [1, 3, 4] {
        let used = key(&format!("k{dies_at}"), "hash", SystemClock.now());
        let acceptance = |plan| Acceptance { key: Some(used.clone()), event: event(draft("text")), plan };
        let dying = deployment.ports(Wire::with(Arc::new(DiesAt(dies_at.into()))));
        let first = acceptance(plan(300));
        let died = tokio::time::timeout(Duration::from_secs(1), dying.ledger.accept(first.clone())).await;
        assert!(died.is_err(), "it lives");
        // meanwhile a registration was deleted: the next try plans otherwise
        let ports = deployment.ports(Wire::calm());
        let next = plan(250);
        assert_eq!(ports.ledger.accept(acceptance(next.clone())).await, Ok(Accepted::New(first.event.id)));
        let stored = ports.events.get(&account(), first.event.id).await.unwrap().unwrap();
        assert!(stored.plan == next, "the plan is made of two");
        let Ok(Accepted::Same(same)) = ports.ledger.accept(acceptance(plan(400))).await else { panic!("it is kept") };
        assert!(same.plan == next, "it was planned again");
    }
}

#[tokio::test]
async fn pages_that_are_gone_before_their_time_are_told_and_hide_no_other_event() {
    let deployment = Deployment::on(Emulator::shared(Kind::Moto).await, HIDDEN).await;
    let ports = deployment.ports(Wire::calm());
    let (broken, whole) = (event(draft("long")), event(draft("short")));
    accept(&ports, &broken, &plan(101)).await;
    accept(&ports, &whole, &plan(1)).await;
    let client = aws_sdk_dynamodb::Client::new(&emulated::sdk(&deployment.url, Wire::calm(), 3));
    let pk = aws_sdk_dynamodb::types::AttributeValue::S(format!("plan/main/{}", broken.id));
    let pages = client.query().table_name(&deployment.config.table).key_condition_expression("pk = :pk");
    let pages = pages.expression_attribute_values(":pk", pk).send().await.unwrap();
    assert_eq!(pages.items().len(), 2);
    let page = pages.items()[0].clone();
    let key = page.into_iter().filter(|(name, _)| name == "pk" || name == "sk").collect();
    client.delete_item().table_name(&deployment.config.table).set_key(Some(key)).send().await.unwrap();

    assert!(matches!(ports.events.get(&account(), broken.id).await, Err(StoreError::Corrupt(_))));
    let listed = ports.events.list(&account(), None, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|stored| stored.event.id).collect::<Vec<_>>(), [whole.id]);
}
