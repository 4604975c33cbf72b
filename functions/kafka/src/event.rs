//! Records as an event source mapping of Lambda hands them over, and what it is answered.
//!
//! Promise: of each partition everything up to the first record that was not taken is passed, and nothing behind it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html#msk-sample-event>

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{Problem, Timestamp};
use futures_util::future::join_all;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{Kafka, record::Record};

/// How long before the function's deadline it takes no other record.
const BEFORE_DEADLINE: Duration = Duration::from_secs(10);

/// The longest value that a dead letter carries: SQS takes 256 KiB, and base64 makes four bytes of three.
const LONGEST: usize = 180 * 1024;

/// What comes of Amazon MSK and of brokers of one's own alike.
#[derive(Debug, Deserialize)]
pub struct KafkaEvent {
    /// By topic and partition, each in the order of its offsets.
    pub records: BTreeMap<String, Vec<Incoming>>,
}

/// A record in it.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default, deserialize_with = "bytes")]
    key: Option<Vec<u8>>,
    #[serde(default, deserialize_with = "bytes")]
    value: Option<Vec<u8>>,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text: Option<String> = Deserialize::deserialize(deserializer)?;
    let decode = |text: String| BASE64_STANDARD.decode(text).map_err(|_| de::Error::custom("expected base64"));
    text.map(decode).transpose()
}

impl From<Incoming> for Record {
    fn from(Incoming { topic, partition, offset, key, value }: Incoming) -> Self {
        Self { topic, partition, offset, key, value }
    }
}

/// What has to come again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html>
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: Place,
}

/// From where on a partition comes again.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Place {
    partition: String,
    offset: i64,
}

/// Takes all records, each partition in its order, the partitions at once.
pub async fn handle(kafka: &Kafka, event: KafkaEvent, deadline: Timestamp) -> Answer {
    let left = Duration::try_from(deadline.duration_since(kafka.ports.clock.now())).unwrap_or(Duration::ZERO);
    let stop = Instant::now() + left.saturating_sub(BEFORE_DEADLINE);
    let partitions = event.records.into_iter().map(async |(partition, records)| {
        for record in records.into_iter().map(Record::from) {
            if Instant::now() >= stop || !kafka.take(&record).await {
                return Some(Failure { item_identifier: Place { partition, offset: record.offset } });
            }
        }
        None
    });
    Answer { batch_item_failures: join_all(partitions).await.into_iter().flatten().collect() }
}

/// A dead letter as it stands in a queue: where the record is, what it said, and why it was refused. A value that no queue takes
/// is left out; it stands in its topic.
pub fn letter(record: &Record, why: &Problem) -> Value {
    let base64 = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().filter(|bytes| bytes.len() <= LONGEST).map(|bytes| BASE64_STANDARD.encode(bytes))
    };
    json!({
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "code": why.code,
        "field": why.field,
        "detail": why.detail,
        "key": base64(&record.key).filter(|key| key.len() <= 1024),
        "value": base64(&record.value),
    })
}
