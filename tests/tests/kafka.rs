//! Records of Kafka on one machine: the real binary beside brokers that librdkafka plays, with its protocol over the wire.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, path::Path, process::Stdio, sync::Mutex, time::Duration};

use acceptance::{
    BODY_SECRET, Bellhop, HEADER_SECRET, Sink, command, eventually, find_planted,
    platform::{SMS_SECRET, aliyun, configure, mail_server, template_params},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, StreamConsumer},
    message::{Headers, OwnedMessage},
    mocking::MockCluster,
    producer::{DefaultProducerContext, FutureProducer, FutureRecord},
    types::RDKafkaRespErr,
};
use serde_json::{Value, json};

const TOPIC: &str = "task.push.info";
const GROUP: &str = "bellhop";
const DEAD_LETTERS: &str = "task.push.info.dead-letters";
const PATIENCE: Duration = Duration::from_secs(20);

/// Brokers with a topic of two partitions, and one for dead letters.
struct Brokers {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Brokers {
    fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 2, 1).unwrap();
        cluster.create_topic(DEAD_LETTERS, 1, 1).unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        Self { cluster, producer }
    }

    fn config(&self, group: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers()).set("group.id", group);
        config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        config
    }

    /// Writes a record; answers its offset.
    async fn write(&self, partition: i32, value: &str) -> i64 {
        let record = FutureRecord::to(TOPIC).partition(partition).key("a key").payload(value);
        self.producer.send(record, PATIENCE).await.unwrap().offset
    }

    /// Up to where the group has come on that partition.
    fn committed(&self, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer = self.config(GROUP).create().unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(TOPIC, partition);
        let found = consumer.committed_offsets(asked, PATIENCE).unwrap();
        match found.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    async fn until_committed(&self, partition: i32, offset: i64) {
        let has_come = async || (self.committed(partition) == Some(offset)).then_some(());
        eventually(&format!("partition {partition} is committed up to {offset}"), has_come).await;
    }

    /// The first `count` dead letters.
    async fn dead_letters(&self, count: usize) -> Vec<OwnedMessage> {
        let consumer: StreamConsumer = self.config("who looks at dead letters").create().unwrap();
        consumer.subscribe(&[DEAD_LETTERS]).unwrap();
        let mut found = Vec::new();
        while found.len() < count {
            let message = tokio::time::timeout(PATIENCE, consumer.recv()).await.expect("a dead letter").unwrap();
            found.push(message.detach());
        }
        found
    }
}

fn start(data: &Path, brokers: &Brokers, more: &[&str]) -> Bellhop {
    let servers = brokers.cluster.bootstrap_servers();
    let options = ["--allow-private", "127.0.0.0/8", "--kafka", &servers];
    Bellhop::start_with(data, &[&options[..], more].concat())
}

async fn webhook(bellhop: &Bellhop, sink: &Sink) {
    bellhop.client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
}

fn event(message: &str) -> String {
    json!({ "source": "ci", "message": message, "send_to": "desk" }).to_string()
}

/// What the receiver was told, in the order of the alphabet.
fn told(sink: &Sink) -> Vec<String> {
    let mut told: Vec<_> = sink.arrivals().iter().map(|arrival| arrival.json()["message"].as_str().unwrap().to_owned()).collect();
    told.sort_unstable();
    told
}

fn header(message: &OwnedMessage, key: &str) -> String {
    let headers = message.headers().unwrap();
    let found = headers.iter().find(|header| header.key == key).and_then(|header| header.value).unwrap();
    String::from_utf8(found.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_in_the_old_platforms_envelope_become_a_mail_and_a_text_message() {
    let (data, brokers) = (tempfile::tempdir().unwrap(), Brokers::start());
    let (mut mail, mut options) = mail_server(data.path());
    let (sms, sms_options) = aliyun(data.path()).await;
    options.extend(sms_options);
    let bellhop = start(data.path(), &brokers, &options.iter().map(String::as_str).collect::<Vec<_>>());
    configure(&bellhop.client).await;
    let envelope = |body: Value| json!({ "messageId": "1", "messageType": TOPIC, "topicName": TOPIC, "body": body }).to_string();
    let letter = json!({
        "operateUser": "li", "name": "letter", "title": "Hello", "content": "**bold**", "to": "a@example.org,b@example.org",
        "taskType": 1, "taskConfig": "mail-config", "executeType": 1, "isDelay": 0,
    });
    let code = json!({
        "operateUser": "li", "name": "code", "title": "code", "content": "{\"code\": \"1521\"}", "to": "13800000000",
        "taskType": 2, "taskConfig": "", "executeType": 1, "isDelay": 0,
    });
    let hourly = json!({
        "operateUser": "li", "name": "hourly", "title": "t", "content": "c", "to": "a@example.org", "taskType": 1, "taskConfig": "",
        "executeType": 2, "isDelay": 1, "timeType": "hours", "timeValue": "45", "maxExecuteCount": 3,
    });
    for body in [letter, code, hourly] {
        brokers.write(0, &envelope(body)).await;
    }

    let listed = eventually("two tasks have succeeded", async || {
        let listed = bellhop.client.get("/v1/tasks?state=succeeded").await;
        (listed["items"].as_array().unwrap().len() == 2).then_some(listed)
    })
    .await;
    let mut names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "letter"]);
    let mails: Vec<_> = (0..4).map(|_| mail.told()).filter(|told| told["message"].is_string()).collect();
    let mut to: Vec<_> = mails.iter().map(|told| told["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    assert!(mails[0]["message"].as_str().unwrap().contains("<strong>bold</strong>"), "markdown is rendered: {}", mails[0]);
    let arrival = sms.arrivals("sms").pop().unwrap();
    assert!(arrival.path.contains("PhoneNumbers=13800000000"), "{}", arrival.path);
    assert_eq!(template_params(&arrival), json!({ "code": "1521" }));
    let waiting = bellhop.client.get("/v1/tasks?state=scheduled").await;
    let hourly = &waiting["items"][0];
    assert_eq!((&hourly["name"], &hourly["max_runs"]), (&json!("hourly"), &json!(3)));
    assert_eq!((&hourly["schedule"]["minute"], &hourly["schedule"]["start"]), (&json!(45), &json!("next_hour")));
    let output = bellhop.stop();
    assert_eq!(find_planted(&output, &[HEADER_SECRET, SMS_SECRET]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_and_nothing_is_repeated_by_another_start_a_kill_or_a_group_that_reads_all_again() {
    let (data, brokers, sink) = (tempfile::tempdir().unwrap(), Brokers::start(), Sink::start().await);
    let bellhop = start(data.path(), &brokers, &[]);
    webhook(&bellhop, &sink).await;
    brokers.write(0, &event("one")).await;
    let plain = json!({ "to": "desk", "body": "two" }).to_string();
    brokers.write(1, &plain).await;
    sink.until(2).await;
    bellhop.stop();
    assert_eq!((brokers.committed(0), brokers.committed(1)), (Some(1), Some(1)), "whoever stops in good order commits");

    // what came while nothing ran is taken at the next start
    brokers.write(0, &event("three")).await;
    let bellhop = start(data.path(), &brokers, &[]);
    sink.until(3).await;
    // whoever dies before the answer is written down sends again (`kills.rs`); here the record is what is unknown
    eventually("three is delivered", async || {
        let delivered = bellhop.client.get("/v1/deliveries?state=delivered").await;
        (delivered["items"].as_array().unwrap().len() == 3).then_some(())
    })
    .await;
    bellhop.kill();

    // by now nobody knows whether that was committed: whether it comes twice or not, it is one
    let bellhop = start(data.path(), &brokers, &[]);
    brokers.write(0, &event("four")).await;
    sink.until(4).await;
    brokers.until_committed(0, 3).await;
    bellhop.stop();

    // a group without offsets begins with the first record
    let bellhop = start(data.path(), &brokers, &["--kafka-group", "another"]);
    brokers.write(0, &event("five")).await;
    sink.until(5).await;
    assert_eq!(told(&sink), ["five", "four", "one", "three", "two"]);
    let events = bellhop.client.get("/v1/events?source=ci").await;
    assert_eq!(events["items"].as_array().unwrap().len(), 4, "{events}");
    bellhop.stop();
    assert_eq!(told(&sink).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_goes_to_the_dead_letters_with_the_reason_and_the_next_is_taken() {
    let (data, brokers, sink) = (tempfile::tempdir().unwrap(), Brokers::start(), Sink::start().await);
    let bellhop = start(data.path(), &brokers, &[]);
    webhook(&bellhop, &sink).await;
    let poison = format!("not json, but {BODY_SECRET}");
    assert_eq!(brokers.write(0, &poison).await, 0);
    brokers.write(0, &json!({ "to": "nobody", "body": "x" }).to_string()).await;
    brokers.write(0, &event("the next")).await;
    sink.until(1).await;
    brokers.until_committed(0, 3).await;

    let letters = brokers.dead_letters(2).await;
    assert_eq!((letters[0].key(), letters[0].payload()), (Some(&b"a key"[..]), Some(poison.as_bytes())));
    let told = |letter: &OwnedMessage| {
        ["code", "field", "topic", "partition", "offset"].map(|key| header(letter, &format!("bellhop-{key}")))
    };
    assert_eq!(told(&letters[0]), ["malformed_json", "", TOPIC, "0", "0"]);
    assert_eq!(told(&letters[1]), ["unknown_recipient", "to[0]", TOPIC, "0", "1"]);
    assert!(header(&letters[0], "bellhop-detail").contains("not JSON"));
    // the log says which, and not what was in it: `stop` looks for planted texts
    let output = bellhop.stop();
    assert!(output.contains("malformed_json"), "{output}");
}

/// A record of its own size: more of them wait than a partition may have in memory.
fn long(message: &str) -> String {
    event(message) + &" ".repeat(100_000)
}

fn log_says(bellhop: &Bellhop, words: &str) -> Option<()> {
    bellhop.output().contains(words).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_even_be_buried_holds_up_its_own_partition_alone_until_it_can() {
    // given dead letters that nobody takes
    let (data, brokers, sink) = (tempfile::tempdir().unwrap(), Brokers::start(), Sink::start().await);
    brokers.cluster.topic_error(DEAD_LETTERS, RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let bellhop = start(data.path(), &brokers, &[]);
    webhook(&bellhop, &sink).await;

    // when a poison record comes to one partition, with more behind it than may wait in memory
    brokers.write(0, "not json").await;
    let held: Vec<_> = (10..40).map(|number| format!("held {number}")).collect();
    for message in &held {
        brokers.write(0, &long(message)).await;
    }
    eventually("nobody took the dead letter", async || log_says(&bellhop, "the dead letters did not take it")).await;
    for number in 0..3 {
        brokers.write(1, &event(&format!("beside {number}"))).await;
    }

    // then the other goes on, and the first is not passed
    sink.until(3).await;
    brokers.until_committed(1, 3).await;
    assert_eq!(told(&sink), ["beside 0", "beside 1", "beside 2"]);
    assert_eq!(brokers.committed(0), None);

    // and once the dead letters are taken again, whatever was behind it arrives, once
    brokers.cluster.topic_error(DEAD_LETTERS, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    sink.until(3 + held.len()).await;
    brokers.until_committed(0, 1 + i64::try_from(held.len()).unwrap()).await;
    assert_eq!(header(&brokers.dead_letters(1).await[0], "bellhop-offset"), "0");
    bellhop.stop();
    assert_eq!(told(&sink)[3..], held);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_share_the_partitions_and_the_one_that_is_left_takes_all() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (brokers, sink, second_sink) = (Brokers::start(), Sink::start().await, Sink::start().await);
    let first = start(data.path(), &brokers, &[]);
    webhook(&first, &sink).await;
    brokers.write(0, &event("alone 0")).await;
    brokers.write(1, &event("alone 1")).await;
    sink.until(2).await;

    // given another member, with a store of its own
    let second = start(other.path(), &brokers, &[]);
    webhook(&second, &second_sink).await;
    let written = Mutex::new(vec!["alone 0".to_owned(), "alone 1".to_owned()]);
    let write = async |partition, message: String| {
        brokers.write(partition, &event(&message)).await;
        written.lock().unwrap().push(message);
    };
    // the brokers take seconds to share them anew: a few records at a time meanwhile, none behind many others
    let arrived = || [told(&sink), told(&second_sink)].concat().into_iter().collect::<BTreeSet<_>>();
    eventually("the second has a partition", async || {
        if arrived().len() == written.lock().unwrap().len() {
            for partition in 0..2 {
                let message = format!("shared {:05}", written.lock().unwrap().len());
                write(partition, message).await;
            }
        }
        (!second_sink.arrivals().is_empty()).then_some(())
    })
    .await;

    // when the first stops, the second takes both
    first.stop();
    for partition in 0..2 {
        write(partition, format!("taken over {partition}")).await;
    }
    let written = written.into_inner().unwrap();
    let written: BTreeSet<_> = written.into_iter().collect();
    // what the first had dealt with and not committed when its partition went is dealt with again, in another store
    eventually("all have arrived", async || (arrived() == written).then_some(())).await;
    second.stop();
    assert!(told(&second_sink).iter().any(|message| message == "taken over 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_store_could_not_keep_is_taken_again_and_not_passed() {
    let (data, brokers, sink) = (tempfile::tempdir().unwrap(), Brokers::start(), Sink::start().await);
    let bellhop = start(data.path(), &brokers, &[]);
    webhook(&bellhop, &sink).await;

    // given a store that takes no write
    let database = rusqlite::Connection::open(data.path().join("bellhop.db")).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    for message in ["one", "two"] {
        brokers.write(0, &event(message)).await;
    }
    eventually("it could not be kept", async || log_says(&bellhop, "could not be kept now")).await;
    assert_eq!(brokers.committed(0), None);

    database.execute_batch("ROLLBACK").unwrap();
    sink.until(2).await;
    brokers.until_committed(0, 2).await;
    bellhop.stop();
    assert_eq!(told(&sink), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_starts_before_its_brokers_answer_serves_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start_with(data.path(), &["--kafka", "127.0.0.1:1"]);
    assert!(bellhop.client.get("/v1/tasks").await["items"].is_array());
    bellhop.stop();
}

#[test]
fn an_account_that_is_no_name_or_not_there_is_refused_before_anything_listens() {
    for (account, why) in [("a/b", "no name of an account"), ("nobody", "there is no account `nobody`")] {
        let data = tempfile::tempdir().unwrap();
        let options = ["--kafka", "127.0.0.1:1", "--kafka-account", account, "--data"];
        let mut serve = command(["serve", "--listen", "127.0.0.1:0"].iter().chain(&options));
        let output = serve.arg(data.path()).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--kafka-account") && said.contains(why), "{said}");
        assert!(!String::from_utf8(output.stdout).unwrap().contains("listens"));
    }
}
