//! What is posted, by how many at a time, and how long each waited.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Post, Server};

/// The most events that one bulk takes.
pub(crate) const IN_BULK: usize = 100;

/// Connections that bulks are posted on.
const BULK_CONNECTIONS: usize = 4;

const TEXT: &str = "The nightly backup of the billing database has ended: 42 tables, 18.4 GB, 1,934,120 rows, no error; the \
                    copy in the second region was checked against the first. The next one begins at 02:00.";

/// Messages to registrations in turn; no key and no text comes twice.
pub(crate) struct Messages {
    names: Vec<String>,
    next: AtomicU64,
    /// Whether idempotency keys sort by time; those of most clients do not.
    ordered_keys: bool,
}

impl Messages {
    pub(crate) fn new(names: Vec<String>, ordered_keys: bool) -> Self {
        Self { names, next: AtomicU64::new(1), ordered_keys }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn name(&self, number: u64) -> &str {
        let turn = usize::try_from(number).unwrap_or(0) % self.names.len();
        &self.names[turn]
    }

    fn key(&self, number: u64) -> String {
        if self.ordered_keys { format!("{number:032x}") } else { format!("{:016x}{:016x}", mixed(number), mixed(!number)) }
    }

    /// The next message's idempotency key and body.
    pub(crate) fn message(&self) -> (String, Bytes) {
        let number = self.number();
        let body = json!({ "to": self.name(number), "title": format!("Backup {number}"), "body": TEXT });
        (self.key(number), body.to_string().into())
    }

    /// The next bulk's.
    fn bulk(&self) -> (String, Bytes) {
        let event = |number: u64| -> Value {
            json!({ "title": format!("Backup {number}"), "message": TEXT, "send_to": self.name(number) })
        };
        let first = self.number();
        let events: Vec<_> = (0..IN_BULK).map(|_| event(self.number())).collect();
        (self.key(first), json!({ "events": events }).to_string().into())
    }
}

/// Scatters numbers evenly, one to one: <https://prng.di.unimi.it/splitmix64.c>
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How long each answer took, the shortest first.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn new(mut each: Vec<Duration>) -> Result<Self> {
        ensure!(!each.is_empty(), "nothing was measured; give it more time");
        each.sort_unstable();
        Ok(Self(each))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many took longer than that.
    pub(crate) fn longer_than(&self, limit: Duration) -> usize {
        self.0.iter().filter(|each| **each > limit).count()
    }

    /// In milliseconds, of that many thousandths.
    pub(crate) fn ms(&self, thousandths: usize) -> f64 {
        let at = (self.0.len() * thousandths / 1000).min(self.0.len() - 1);
        self.0[at].as_secs_f64() * 1e3
    }
}

/// Posts messages on so many connections, each the next as soon as it is answered, until the time is over.
pub(crate) async fn steady(
    server: &Server,
    connections: usize,
    time: Duration,
    messages: &Arc<Messages>,
    expected: u16,
) -> Result<Latencies> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(server).await?);
    }
    let end = Instant::now() + time;
    let mut posting = JoinSet::new();
    for mut client in clients {
        let messages = Arc::clone(messages);
        posting.spawn(async move {
            let mut each = Vec::new();
            while Instant::now() < end {
                let (key, body) = messages.message();
                let begun = Instant::now();
                let (status, answer) = client.post(Post { path: "/v1/messages", idempotency_key: &key, body }).await?;
                ensure!(status == expected, "{status} instead of {expected}: {}", String::from_utf8_lossy(&answer));
                each.push(begun.elapsed());
            }
            anyhow::Ok(each)
        });
    }
    let mut all = Vec::new();
    while let Some(each) = posting.join_next().await {
        all.extend(each??);
    }
    Latencies::new(all)
}

/// Posts so many events in bulks. Answers with how long that took.
pub(crate) async fn bulk(server: &Server, events: usize, messages: &Arc<Messages>) -> Result<Duration> {
    let begun = Instant::now();
    let left = Arc::new(AtomicU64::new(u64::try_from(events.div_ceil(IN_BULK))?));
    let mut posting = JoinSet::new();
    for _ in 0..BULK_CONNECTIONS {
        let mut client = Client::connect(server).await?;
        let (messages, left) = (Arc::clone(messages), Arc::clone(&left));
        posting.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let (key, body) = messages.bulk();
                let answer = client.accepted(Post { path: "/v1/events/bulk", idempotency_key: &key, body }).await?;
                // each item is an answer or a problem, and only a problem has a code
                ensure!(!str::from_utf8(&answer)?.contains("\"code\""), "an event of a bulk was refused");
            }
            anyhow::Ok(())
        });
    }
    while let Some(posted) = posting.join_next().await {
        posted??;
    }
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let latencies = Latencies::new((1..=100).rev().map(Duration::from_millis).collect()).unwrap();
        assert_eq!([500, 990, 1000].map(|part| format!("{:.0}", latencies.ms(part))), ["51", "100", "100"]);
    }

    #[test]
    fn no_key_comes_twice() {
        let messages = Messages::new(vec!["a".to_owned()], false);
        let keys: std::collections::HashSet<_> = (0..10_000).map(|_| messages.message().0).collect();
        assert_eq!(keys.len(), 10_000);
    }
}
