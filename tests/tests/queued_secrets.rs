//! A registration's secrets are no part of what waits in a queue, of a dead letter or of any row, whatever became of a
//! message: as whoever may read all of the store sees it. One story, on each store.

#![expect(clippy::unwrap_used, reason = "a test")]

mod worlds;

use std::{fs, path::Path, time::Duration};

use acceptance::{Answer, BODY_SECRET, HEADER_SECRET, Sink, URL_SECRET, eventually};
use aws_sdk_dynamodb::types::AttributeValue;
use bellhop_core::{
    deliver::{LEASE, work},
    ports::{MOST_RECEIVES, Ports, Wake},
};
use rusqlite::{Connection, types::ValueRef};
use serde_json::json;
use worlds::{
    World,
    emulated::{self, Deployment, wire::Wire},
    on_aws, on_sqlite, webhook,
};

const TOKEN: &str = "planted-token-c01d";
const FORMER: &str = "planted-former-header-08b2";
const SECRETS: [&str; 4] = [URL_SECRET, HEADER_SECRET, TOKEN, FORMER];

/// Where things lie.
#[derive(Debug, Clone, Copy)]
enum Place {
    Queue,
    DeadLetters,
    /// All rows, those of the queue among them where it has rows.
    Rows,
}

/// The bytes that lie there, as they are.
trait Raw {
    async fn lying(&self, place: Place) -> Vec<u8>;
}

impl Raw for &Path {
    async fn lying(&self, place: Place) -> Vec<u8> {
        let rows = |table: &str| {
            let database = Connection::open(self.join("bellhop.db")).unwrap();
            let mut asked = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = asked.column_count();
            let mut rows = asked.query([]).unwrap();
            let mut found = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    match row.get_ref(column).unwrap() {
                        ValueRef::Null => {}
                        ValueRef::Integer(number) => found.extend(number.to_string().bytes()),
                        ValueRef::Real(number) => found.extend(number.to_string().bytes()),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => found.extend(bytes),
                    }
                }
            }
            found
        };
        match place {
            Place::Queue => rows("queue"),
            Place::DeadLetters => rows("dead_letters"),
            Place::Rows => {
                let files = fs::read_dir(self).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
                files.flat_map(|file| fs::read(file).unwrap()).collect()
            }
        }
    }
}

impl Raw for Deployment {
    async fn lying(&self, place: Place) -> Vec<u8> {
        let sdk = emulated::sdk(&self.url, Wire::calm(), 3);
        let messages = async |prefix: &str| {
            let received = aws_sdk_sqs::Client::new(&sdk)
                .receive_message()
                .queue_url(format!("{prefix}{}", webhook()))
                .visibility_timeout(0)
                .max_number_of_messages(10)
                .wait_time_seconds(1);
            // with everything that SQS tells of a message besides
            format!("{:?}", received.send().await.unwrap().messages.unwrap_or_default()).into_bytes()
        };
        match place {
            Place::Queue => messages(&self.config.queue_url_prefix).await,
            Place::DeadLetters => messages(&self.config.dead_letter_url_prefix).await,
            Place::Rows => {
                let scanned = aws_sdk_dynamodb::Client::new(&sdk).scan().table_name(&self.config.table).send().await.unwrap();
                assert!(scanned.last_evaluated_key.is_none(), "all of it");
                let values = scanned.items.unwrap().into_iter().flatten();
                let bytes = values.flat_map(|(name, value)| match value {
                    AttributeValue::B(bytes) => bytes.into_inner(),
                    other => format!("{name} {other:?}").into_bytes(),
                });
                bytes.collect()
            }
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn no_secret_lies_in(raw: &impl Raw, place: Place) {
    let bytes = raw.lying(place).await;
    assert!(bytes.len() > 2, "something lies in {place:?}");
    for secret in SECRETS {
        assert!(!holds(&bytes, secret), "{secret} in {place:?}");
    }
}

async fn receive(ports: &Ports) -> Wake {
    eventually("a wake-up comes", async || ports.queue.receive(&webhook(), 1).await.unwrap().pop()).await
}

/// A message waits, fails at a receiver who repeats every secret that he was told, waits again, and is a dead letter.
async fn a_message_fails_and_becomes_a_dead_letter<S>(world: &World<S>, raw: &impl Raw) {
    let World { client, ports, .. } = world;
    let sink = Sink::start().await;
    for header in [FORMER, HEADER_SECRET] {
        let params = json!({ "url": format!("{}/{URL_SECRET}", sink.url), "token": TOKEN, "headers": { "X-Token": header } });
        client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    }
    let options = json!({ "webhook": { "raw_body": BODY_SECRET } });
    let delivery = client.send(json!({ "to": "desk", "body": BODY_SECRET, "options": options })).await.remove(0);
    no_secret_lies_in(raw, Place::Queue).await;

    sink.answer([Answer::status(503).header("retry-after", "1").body(SECRETS.join(" "))]);
    work(ports, &receive(ports).await, LEASE).await.unwrap();
    let arrived = sink.arrivals().remove(0);
    assert!(arrived.path.contains(URL_SECRET) && arrived.header("x-token") == HEADER_SECRET, "they are used, though");
    assert_eq!(client.get(&format!("/v1/deliveries/{delivery}")).await["state"], "retrying");

    ports.queue.give_back(&receive(ports).await, Duration::ZERO).await.unwrap();
    no_secret_lies_in(raw, Place::Queue).await;
    let mut wake = receive(ports).await;
    while wake.receives < MOST_RECEIVES {
        ports.queue.give_back(&wake, Duration::ZERO).await.unwrap();
        wake = receive(ports).await;
    }
    work(ports, &wake, LEASE).await.unwrap();
    let told = client.get(&format!("/v1/deliveries/{delivery}")).await;
    assert_eq!(told["reason"], "dead_letter", "{told}");
    assert_eq!(SECRETS.iter().find(|secret| told.to_string().contains(**secret)), None, "{told}");

    no_secret_lies_in(raw, Place::DeadLetters).await;
    no_secret_lies_in(raw, Place::Rows).await;
    assert!(holds(&raw.lying(Place::Rows).await, BODY_SECRET), "the search finds what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_queue_row_a_dead_letter_or_any_file_on_sqlite() {
    let data = tempfile::tempdir().unwrap();
    let world = on_sqlite(data.path()).await;
    a_message_fails_and_becomes_a_dead_letter(&world, &data.path()).await;
    world.kept_in.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_queue_message_a_dead_letter_or_any_row_on_aws() {
    let world = on_aws().await;
    a_message_fails_and_becomes_a_dead_letter(&world, &world.kept_in).await;
    assert!(holds(&world.kept_in.lying(Place::DeadLetters).await, BODY_SECRET), "the search finds what is there");
}
