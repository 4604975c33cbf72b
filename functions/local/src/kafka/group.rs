//! The member of the group: which partitions it has, and how far it has come in each.
//!
//! Of each partition somebody takes one record after the other; meanwhile others of it wait here, as many as [`MOST_WAITING`] lets
//! them, and then the partition is paused. So one whose record cannot be dealt with holds up no other.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    mem,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bellhop_core::{model::AccountId, ports::Ports};
use bellhop_kafka::{Kafka, record::Record};
use rdkafka::{
    ClientConfig, ClientContext, Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer},
    error::KafkaResult,
};
use tokio::{
    sync::{RwLock, watch},
    task::{JoinSet, block_in_place, spawn_blocking},
};

use super::dead_letters::Topic;
use crate::cli;

/// How long a record waits that could not be dealt with.
const AGAIN: Duration = Duration::from_secs(1);

/// How much of a partition waits here before it is paused, in bytes. A paused one is fetched anew from where it stands, so that it
/// is no less than what is fetched beforehand.
const MOST_WAITING: usize = 1024 * 1024;

/// What a record takes beside its words, as far as [`MOST_WAITING`] goes.
const FRAME: usize = 256;

/// A member of a consumer group that has not begun.
pub(crate) struct Consumer {
    stream: Arc<Stream>,
    dead_letters: Topic,
    account: AccountId,
}

type Stream = StreamConsumer<Assignment>;

impl Consumer {
    /// Of these brokers; they need not answer yet.
    pub(crate) async fn new(brokers: &str, options: &cli::Kafka, ports: &Ports) -> Result<Self> {
        let account = AccountId::parse(&options.account).context("--kafka-account is no name of an account")?;
        let found = ports.accounts.get(&account).await?.filter(|found| found.deleted_at.is_none());
        ensure!(
            found.is_some(),
            "--kafka-account: there is no account `{account}`; make it first (`bellhop accounts make`), or name another"
        );
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("client.id", "bellhop");
        let stream: Stream = config
            .clone()
            .set("group.id", &options.group)
            // all partitions are given up before they are shared anew: `Assignment` counts on it
            .set("partition.assignment.strategy", "range,roundrobin")
            // a new group begins with all that there is
            .set("auto.offset.reset", "earliest")
            // what is committed every second is what was dealt with by then, and by whoever stops in good order all of it
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", "1000")
            // a member that is killed holds its partitions for so long
            .set("session.timeout.ms", "10000")
            // what is fetched beforehand
            .set("queued.max.messages.kbytes", "1024")
            .create_with_context(Assignment::default())
            .context("--kafka: no consumer can be made of that")?;
        stream.subscribe(&[&options.topic]).context("--kafka-topic is no topic")?;
        let topic = options.dead_letters.clone().unwrap_or_else(|| format!("{}.dead-letters", options.topic));
        ensure!(topic != options.topic, "--kafka-dead-letters is the topic that records are taken from; name another");
        ensure!(!options.topic.starts_with('^'), "--kafka-topic is the name of one topic, and no pattern");
        Ok(Self { stream: Arc::new(stream), dead_letters: Topic::new(config, topic)?, account })
    }

    /// Takes records until `stopped` says so.
    pub(crate) async fn run(self, ports: Arc<Ports>, mut stopped: watch::Receiver<bool>) {
        let Self { stream, dead_letters, account } = self;
        let kafka = Kafka::new(ports, account, Arc::new(dead_letters));
        let taker = Taker { kafka, stream: Arc::clone(&stream), stopped: stopped.clone() };
        let mut member = Member { taker, assignment: 0, lines: BTreeMap::new(), at_work: JoinSet::new() };
        while !*stopped.borrow() {
            tokio::select! {
                arrived = stream.recv() => match arrived {
                    Ok(message) => member.arrived(record(&message)).await,
                    Err(error) => tracing::warn!(%error, "Kafka has trouble; its client goes on trying"),
                },
                Some(ended) = member.at_work.join_next() => match ended {
                    Ok(lot) => member.taken(&lot),
                    // nobody knows how far that one came: the server ends, and the next start begins where nothing is lost
                    Err(_) => break,
                },
                _ = stopped.changed() => {}
            }
        }
        while member.at_work.join_next().await.is_some() {}
        drop(member);
        // leaving the group, and committing before, asks the brokers and waits
        drop(spawn_blocking(move || drop(stream)).await);
    }
}

fn record(message: &impl Message) -> Record {
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
    }
}

/// Which of all assignments of partitions this is. It is held by whoever deals with a record: no partition is given up, and the
/// offset behind that record committed for the last time, while somebody is in the midst of one.
#[derive(Default)]
struct Assignment(RwLock<u64>);

impl ClientContext for Assignment {}

impl ConsumerContext for Assignment {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            block_in_place(|| *self.0.blocking_write() += 1);
            // a pause outlives the assignment
            if let Err(error) = consumer.resume(partitions) {
                tracing::warn!(%error, "partitions that are given up stay paused");
            }
        }
    }
}

/// A member of the group with what it has in hand.
struct Member {
    taker: Taker,
    /// The assignment that `lines` are of.
    assignment: u64,
    /// The partitions of which somebody is taking records.
    lines: BTreeMap<i32, Line>,
    at_work: JoinSet<Lot>,
}

/// What waits of a partition for those before it.
#[derive(Default)]
struct Line {
    waiting: Vec<Record>,
    size: usize,
    is_paused: bool,
}

/// Whose records are being taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lot {
    assignment: u64,
    topic: String,
    partition: i32,
}

impl Member {
    async fn arrived(&mut self, record: Record) {
        let assignment = *self.taker.stream.context().0.read().await;
        if assignment != self.assignment {
            self.assignment = assignment;
            self.lines.clear();
        }
        let lot = Lot { assignment, topic: record.topic.clone(), partition: record.partition };
        match self.lines.entry(record.partition) {
            Entry::Vacant(free) => {
                free.insert(Line::default());
                self.at_work.spawn(self.taker.clone().take(lot, vec![record]));
            }
            Entry::Occupied(mut line) => {
                let line = line.get_mut();
                line.size += FRAME + [&record.key, &record.value].into_iter().flatten().map(Vec::len).sum::<usize>();
                line.waiting.push(record);
                if line.size >= MOST_WAITING && !line.is_paused {
                    line.is_paused = told("paused", &self.taker.stream.pause(&lot.partitions()));
                }
            }
        }
    }

    /// A lot is over: whoever waited behind it is next.
    fn taken(&mut self, lot: &Lot) {
        let Some(line) = self.lines.get_mut(&lot.partition).filter(|_| lot.assignment == self.assignment) else { return };
        if line.is_paused {
            told("resumed", &self.taker.stream.resume(&lot.partitions()));
        }
        let Line { waiting, .. } = mem::take(line);
        if waiting.is_empty() {
            self.lines.remove(&lot.partition);
        } else {
            self.at_work.spawn(self.taker.clone().take(lot.clone(), waiting));
        }
    }
}

impl Lot {
    fn partitions(&self) -> TopicPartitionList {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(&self.topic, self.partition);
        partitions
    }
}

/// Whether that was done.
fn told(what: &str, result: &KafkaResult<()>) -> bool {
    if let Err(error) = result {
        tracing::warn!(%error, "a partition could not be {what}");
    }
    result.is_ok()
}

/// Takes records. Cheap to clone.
#[derive(Clone)]
struct Taker {
    kafka: Kafka,
    stream: Arc<Stream>,
    stopped: watch::Receiver<bool>,
}

impl Taker {
    /// Takes records of a partition, one after the other, each until it is dealt with; until the partition is given up, or all is.
    async fn take(mut self, lot: Lot, records: Vec<Record>) -> Lot {
        for record in records {
            loop {
                let assignment = self.stream.context().0.read().await;
                if *assignment != lot.assignment || *self.stopped.borrow() {
                    return lot;
                }
                if self.kafka.take(&record).await {
                    self.pass(&record);
                    break;
                }
                drop(assignment);
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    _ = self.stopped.wait_for(|stop| *stop) => {}
                }
            }
        }
        lot
    }

    fn pass(&self, record: &Record) {
        let Record { topic, partition, offset, .. } = record;
        if let Err(error) = self.stream.store_offset(topic, *partition, *offset) {
            tracing::warn!(topic, partition, offset, %error, "this offset cannot be committed; what is behind it comes again");
        }
    }
}
