//! The member of the group, and the topic for dead letters.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bellhop_core::{Problem, StoreError, model::AccountId, ports::Ports};
use bellhop_kafka::{DeadLetters, Kafka, record::Record};
use futures_util::{FutureExt, future::join_all};
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use tokio::sync::watch;

use crate::cli;

/// The most records that are taken at once.
const AT_ONCE: usize = 100;

/// How long a record waits that could not be kept.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the topic for dead letters may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A member of a consumer group that has not begun.
pub(crate) struct Consumer {
    stream: StreamConsumer,
    dead_letters: Topic,
    account: AccountId,
}

impl Consumer {
    /// Of these brokers; they need not answer yet.
    pub(crate) fn new(brokers: &str, options: &cli::Kafka) -> Result<Self> {
        let account = AccountId::parse(&options.account).context("--kafka-account is no name of an account")?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("client.id", "bellhop");
        let stream: StreamConsumer = config
            .clone()
            .set("group.id", &options.group)
            // a new group begins with all that there is
            .set("auto.offset.reset", "earliest")
            // what is committed every second is what was dealt with by then, and by whoever stops in good order all of it
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", "1000")
            // a member that is killed holds its partitions for so long
            .set("session.timeout.ms", "10000")
            // what is fetched beforehand
            .set("queued.max.messages.kbytes", "8192")
            .create()
            .context("--kafka: no consumer can be made of that")?;
        stream.subscribe(&[&options.topic]).context("--kafka-topic is no topic")?;
        let producer = config
            // as much as brokers may let through; what they do not is buried without its value
            .set("message.max.bytes", "10000000")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string())
            .create()
            .context("--kafka: no producer can be made of that")?;
        let topic = options.dead_letters.clone().unwrap_or_else(|| format!("{}.dead-letters", options.topic));
        ensure!(topic != options.topic, "--kafka-dead-letters is the topic that records are taken from; name another");
        ensure!(!options.topic.starts_with('^'), "--kafka-topic is the name of one topic, and no pattern");
        Ok(Self { stream, dead_letters: Topic { producer, topic }, account })
    }

    /// Takes records until `stopped` says so.
    pub(crate) async fn run(self, ports: Arc<Ports>, mut stopped: watch::Receiver<bool>) {
        let Self { stream, dead_letters, account } = self;
        let kafka = Kafka::new(ports, account, Arc::new(dead_letters));
        while !*stopped.borrow() {
            let records = tokio::select! {
                records = arrived(&stream) => records,
                _ = stopped.changed() => continue,
            };
            let partitions = records.into_values().map(|records| take(&kafka, &stream, records, stopped.clone()));
            join_all(partitions).await;
        }
        // leaving the group, and committing before, asks the brokers and waits
        drop(tokio::task::spawn_blocking(move || drop(stream)).await);
    }
}

/// What has arrived, by topic and partition; waits until there is something.
async fn arrived(stream: &StreamConsumer) -> BTreeMap<(String, i32), Vec<Record>> {
    let mut records = BTreeMap::<_, Vec<_>>::new();
    let mut next = Some(stream.recv().await);
    let mut count = 0;
    while let Some(message) = next {
        match message {
            Ok(message) => {
                let record = Record {
                    topic: message.topic().to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                };
                records.entry((record.topic.clone(), record.partition)).or_default().push(record);
            }
            Err(error) => tracing::warn!(%error, "Kafka has trouble; its client goes on trying"),
        }
        count += 1;
        next = if count < AT_ONCE { stream.recv().now_or_never() } else { None };
    }
    records
}

/// Takes the records of a partition, one after the other, each until it is dealt with.
async fn take(kafka: &Kafka, stream: &StreamConsumer, records: Vec<Record>, mut stopped: watch::Receiver<bool>) {
    for record in records {
        while !kafka.take(&record).await {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stopped.wait_for(|stop| *stop) => return,
            }
        }
        let Record { topic, partition, offset, .. } = &record;
        if let Err(error) = stream.store_offset(topic, *partition, *offset) {
            // another member has the partition now, and will find that it was dealt with
            tracing::debug!(topic, partition, offset, %error, "this offset is not ours to commit any more");
        }
        if *stopped.borrow() {
            return;
        }
    }
}

/// The topic for dead letters: key and value as they came, the reason in headers.
struct Topic {
    producer: FutureProducer,
    topic: String,
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

impl Topic {
    async fn send(&self, record: &Record, payload: Option<&[u8]>, headers: OwnedHeaders) -> Result<(), KafkaError> {
        let letter: FutureRecord<'_, [u8], [u8]> =
            FutureRecord { key: record.key.as_deref(), payload, ..FutureRecord::to(&self.topic).headers(headers) };
        self.producer.send(letter, PATIENCE).await.map(drop).map_err(|(error, _)| error)
    }
}
