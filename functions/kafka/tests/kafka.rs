//! Records over memory, as an event source mapping hands them over: what is accepted, what is buried, what comes again.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_channels::SPECS;
use bellhop_core::{
    Problem, StoreError,
    model::{Account, ChannelId, Registration, Task},
    ports::Ports,
};
use bellhop_kafka::{
    DeadLetters, Kafka,
    event::{handle, letter},
    record::Record,
};
use bellhop_testkit::{
    Memory, Sim, account,
    effects::{Effects, Point},
    memory::Visibility,
    registration,
};
use serde_json::{Value, json};

/// What was buried; refuses to take anything while it is full.
#[derive(Default)]
struct Letters {
    kept: Mutex<Vec<Value>>,
    is_full: AtomicBool,
}

#[async_trait]
impl DeadLetters for Letters {
    async fn bury(&self, record: &Record, why: &Problem) -> Result<(), StoreError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("full".to_owned()));
        }
        self.kept.lock().unwrap().push(letter(record, why));
        Ok(())
    }
}

/// A store that takes no write while it is away.
#[derive(Default)]
struct Away(AtomicBool);

#[async_trait]
impl Effects for Away {
    async fn at(&self, _point: Point) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) { Err(StoreError::Unavailable("away".to_owned())) } else { Ok(()) }
    }
}

struct World {
    kafka: Kafka,
    ports: Arc<Ports>,
    letters: Arc<Letters>,
    away: Arc<Away>,
}

impl World {
    /// With default registrations for mail and text messages, and one called `desk`.
    async fn new() -> Self {
        let sim = Sim::new(0);
        let away = Arc::new(Away::default());
        let memory = Memory::new(Arc::clone(&sim), Visibility::default());
        let ports = Ports { channels: SPECS, ..memory.ports_with(sim, Arc::clone(&away) as _) };
        for (name, channel, default) in [("mails", "email", true), ("texts", "aliyun_sms", true), ("desk", "webhook", false)] {
            let made = Registration { channel: ChannelId::new(channel), default, ..registration(name) };
            assert!(ports.registrations.put(&made).await.unwrap());
        }
        let (ports, letters) = (Arc::new(ports), Arc::new(Letters::default()));
        let kafka = Kafka::new(Arc::clone(&ports), account(), Arc::clone(&letters) as _);
        Self { kafka, ports, letters, away }
    }

    async fn handle(&self, event: &Value) -> Value {
        self.handle_for(event, Duration::from_mins(1)).await
    }

    /// With so much time until the deadline.
    async fn handle_for(&self, event: &Value, left: Duration) -> Value {
        let event = serde_json::from_value(event.clone()).unwrap();
        let answer = handle(&self.kafka, event, self.ports.clock.now() + left).await;
        serde_json::to_value(answer).unwrap()
    }

    async fn tasks(&self) -> Vec<Task> {
        self.ports.tasks.list(&account(), None, None, 100).await.unwrap()
    }

    /// What the events of that source say, oldest first.
    async fn said(&self, source: &str) -> Vec<String> {
        let found = self.ports.events.list(&account(), None, None, 100).await.unwrap();
        let of_source = found.iter().rev().map(|stored| &stored.event).filter(|event| event.source.as_str() == source);
        of_source.map(|event| event.message.clone()).collect()
    }

    fn letters(&self) -> Vec<Value> {
        self.letters.kept.lock().unwrap().clone()
    }
}

/// An event of Amazon MSK with these records of each partition, from offset 0 on.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html#msk-sample-event>
fn msk(partitions: &[&[&str]]) -> Value {
    let record = |partition: usize, offset: usize, value: &str| {
        json!({
            "topic": "task.push.info", "partition": partition, "offset": offset, "timestamp": 1_545_084_650_987_u64,
            "timestampType": "CREATE_TIME", "key": BASE64_STANDARD.encode("a key"), "value": BASE64_STANDARD.encode(value),
            "headers": [{ "headerKey": [104, 101, 97, 100, 101, 114] }],
        })
    };
    let records = partitions.iter().enumerate().map(|(partition, values)| {
        let records = values.iter().enumerate().map(|(offset, value)| record(partition, offset, value)).collect::<Vec<_>>();
        (format!("task.push.info-{partition}"), json!(records))
    });
    json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
        "bootstrapServers": "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
        "records": records.collect::<serde_json::Map<_, _>>(),
    })
}

fn envelope(name: &str) -> String {
    json!({
        "messageId": "1", "messageType": "task.push.info",
        "body": {
            "name": name, "title": "t", "content": "c", "to": "a@example.org", "taskType": 1, "executeType": 1, "isDelay": 0,
            "taskConfig": "",
        },
    })
    .to_string()
}

fn event(message: &str) -> String {
    json!({ "source": "ci", "message": message, "send_to": "desk" }).to_string()
}

fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

#[tokio::test]
async fn an_envelope_an_event_a_message_and_a_task_are_accepted() {
    let world = World::new().await;
    let message = json!({ "to": "email:a@example.org", "body": "hello" }).to_string();
    let task =
        json!({ "name": "nightly", "to": "desk", "body": "x", "schedule": { "kind": "daily", "time": "23:00:00" } }).to_string();
    let answer = world.handle(&msk(&[&[&envelope("letter"), &event("built"), &message, &task]])).await;
    assert_eq!(answer, nothing_failed());
    let mut names: Vec<_> = world.tasks().await.iter().map(|task| task.name.as_str().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["letter", "nightly"]);
    assert_eq!(world.said("ci").await, ["built"]);
    assert_eq!(world.said("default").await, ["hello"]);
    assert_eq!(world.letters(), [] as [Value; 0]);
}

#[tokio::test]
async fn records_that_come_twice_are_accepted_once() {
    let world = World::new().await;
    let batch = msk(&[&[&envelope("letter"), &event("built")]]);
    for _ in 0..3 {
        assert_eq!(world.handle(&batch).await, nothing_failed());
    }
    assert_eq!((world.tasks().await.len(), world.said("ci").await.len()), (1, 1));
    // the same words at another place are another record
    assert_eq!(world.handle(&msk(&[&[], &[&event("built")]])).await, nothing_failed());
    assert_eq!(world.said("ci").await.len(), 2);
}

#[tokio::test]
async fn what_can_never_be_accepted_is_buried_with_the_reason_and_the_next_is_taken() {
    let world = World::new().await;
    let nobody = json!({ "to": "nobody", "body": "x" }).to_string();
    let answer = world.handle(&msk(&[&["not json", "{\"message\": 7}", &nobody, &event("built")]])).await;
    assert_eq!(answer, nothing_failed());
    assert_eq!(world.said("ci").await, ["built"]);
    let letters = world.letters();
    let reasons: Vec<_> = letters.iter().map(|letter| (&letter["offset"], &letter["code"], &letter["field"])).collect();
    assert_eq!(
        reasons,
        [
            (&json!(0), &json!("malformed_json"), &json!(null)),
            (&json!(1), &json!("invalid_field"), &json!("message")),
            (&json!(2), &json!("unknown_recipient"), &json!("to[0]")),
        ]
    );
    assert_eq!((&letters[0]["topic"], &letters[0]["partition"]), (&json!("task.push.info"), &json!(0)));
    assert_eq!(letters[0]["value"], BASE64_STANDARD.encode("not json"));
    assert_eq!(letters[0]["key"], BASE64_STANDARD.encode("a key"));
}

#[tokio::test]
async fn what_the_store_could_not_keep_is_not_passed_and_comes_again() {
    let world = World::new().await;
    world.away.0.store(true, Ordering::SeqCst);
    let batch = msk(&[&[&event("one"), &event("two")], &[&envelope("letter")]]);
    let from = |partition: &str, offset: u64| json!({ "itemIdentifier": { "partition": partition, "offset": offset } });
    let failures = [from("task.push.info-0", 0), from("task.push.info-1", 0)];
    assert_eq!(world.handle(&batch).await, json!({ "batchItemFailures": failures }));
    assert_eq!(world.letters(), [] as [Value; 0]);

    world.away.0.store(false, Ordering::SeqCst);
    assert_eq!(world.handle(&batch).await, nothing_failed());
    assert_eq!((world.said("ci").await, world.tasks().await.len()), (vec!["one".to_owned(), "two".to_owned()], 1));
}

#[tokio::test]
async fn what_cannot_even_be_buried_is_not_passed_and_holds_up_its_own_partition_alone() {
    let world = World::new().await;
    world.letters.is_full.store(true, Ordering::SeqCst);
    let answer = world.handle(&msk(&[&[&event("one"), "not json", &event("two")], &[&event("three")]])).await;
    let stuck = json!({ "itemIdentifier": { "partition": "task.push.info-0", "offset": 1 } });
    assert_eq!(answer, json!({ "batchItemFailures": [stuck] }));
    let mut said = world.said("ci").await;
    said.sort_unstable();
    assert_eq!(said, ["one", "three"]);
}

#[tokio::test]
async fn records_for_an_account_that_is_deleted_are_buried_and_nothing_is_sent() {
    let world = World::new().await;
    let settings = world.ports.accounts.settings(&account()).await.unwrap();
    let known = world.ports.accounts.get(&account()).await.unwrap();
    let gone = Account { deleted_at: Some(world.ports.clock.now()), ..Account::clone(&settings) };
    assert!(world.ports.accounts.put(known.as_deref(), &gone).await.unwrap());
    assert_eq!(world.handle(&msk(&[&[&event("one"), &envelope("letter")]])).await, nothing_failed());
    let codes: Vec<_> = world.letters().iter().map(|letter| letter["code"].clone()).collect();
    assert_eq!(codes, ["not_found", "not_found"]);
    assert_eq!((world.said("ci").await, world.tasks().await.len()), (vec![], 0));
}

#[tokio::test]
async fn what_there_is_no_time_for_comes_again() {
    let world = World::new().await;
    let answer = world.handle_for(&msk(&[&[&event("one")]]), Duration::from_secs(5)).await;
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], json!({ "partition": "task.push.info-0", "offset": 0 }));
    assert_eq!(world.said("ci").await, [] as [String; 0]);
}

#[tokio::test]
async fn brokers_of_ones_own_and_records_without_key_or_value_are_read() {
    let world = World::new().await;
    let event = json!({
        "eventSource": "SelfManagedKafka", "bootstrapServers": "b-1.example.org:9092",
        "records": { "t-0": [{ "topic": "t", "partition": 0, "offset": 15, "timestamp": 1, "timestampType": "CREATE_TIME" }] },
    });
    assert_eq!(world.handle(&event).await, nothing_failed());
    let letters = world.letters();
    assert_eq!((&letters[0]["offset"], &letters[0]["code"]), (&json!(15), &json!("malformed_json")));
    assert_eq!((&letters[0]["key"], &letters[0]["value"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_letter_that_no_queue_takes_is_told_of_without_its_value() {
    let record = Record { topic: "t".into(), partition: 0, offset: 1, key: None, value: Some(vec![b'x'; 1_000_000]) };
    let problem = Problem::new(bellhop_core::Code::BodyTooLarge, "too much");
    assert_eq!(letter(&record, &problem)["value"], json!(null));
}
