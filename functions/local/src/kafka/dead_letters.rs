//! The topic for dead letters: key and value as they came, the reason in headers.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bellhop_core::{Problem, StoreError};
use bellhop_kafka::{DeadLetters, record::Record};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic for dead letters.
pub(super) struct Topic {
    producer: FutureProducer,
    topic: String,
}

impl Topic {
    /// That topic of the brokers that `config` names.
    pub(super) fn new(mut config: ClientConfig, topic: String) -> Result<Self> {
        let producer = config
            // as much as brokers may let through; what they do not is buried without its value
            .set("message.max.bytes", "10000000")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string())
            .create()
            .context("--kafka: no producer can be made of that")?;
        Ok(Self { producer, topic })
    }

    async fn send(&self, record: &Record, payload: Option<&[u8]>, headers: OwnedHeaders) -> Result<(), KafkaError> {
        let letter: FutureRecord<'_, [u8], [u8]> =
            FutureRecord { key: record.key.as_deref(), payload, ..FutureRecord::to(&self.topic).headers(headers) };
        self.producer.send(letter, PATIENCE).await.map(drop).map_err(|(error, _)| error)
    }
}

#[async_trait]
impl DeadLetters for Topic {
    async fn bury(&self, record: &Record, why: &Problem) -> Result<(), StoreError> {
        let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
        let told = [
            ("bellhop-code", why.code.as_str()),
            ("bellhop-field", why.field.as_deref().unwrap_or_default()),
            ("bellhop-detail", &why.detail),
            ("bellhop-topic", &record.topic),
            ("bellhop-partition", &partition),
            ("bellhop-offset", &offset),
        ];
        let headers = told
            .into_iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let sent = match self.send(record, record.value.as_deref(), headers.clone()).await {
            // with its headers it is more than the topic takes; it stands where it came from
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
                let headers = headers.insert(Header { key: "bellhop-value", value: Some("left out: too large") });
                self.send(record, None, headers).await
            }
            sent => sent,
        };
        sent.map_err(|error| StoreError::Unavailable(format!("the topic `{}`: {error}", self.topic)))
    }
}
