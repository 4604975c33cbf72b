//! How many durable accepts, and how many claims with their settlements, a machine's disk and two cores bring about:
//! `cargo run --release -p bellhop-embedded --example throughput [directory]`.
#![expect(clippy::print_stdout, reason = "what it is for")]
#![expect(clippy::unwrap_used, reason = "an example")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use bellhop_core::{
    model::{AccountId, ChannelId, Draft, EventId, Name, State},
    plan::{Plan, Planned},
    ports::{Acceptance, Clock, IdempotencyKey, Ledger, Queue},
    transition::{Claim, Next, Settlement},
};
use bellhop_embedded::{Options, Store, SystemClock};
use tokio::task::JoinSet;

const TASKS: usize = 16;
const EACH: usize = 6_000;
const REGISTRATIONS: usize = 100;

#[tokio::main]
async fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = std::env::args_os().nth(1).map_or_else(|| scratch.path().join("data"), PathBuf::from);
    let store = Store::open(&dir, Options::default(), Arc::new(SystemClock)).unwrap();

    let began = SystemClock.now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for at in 0..EACH {
                store.accept(acceptance(task * EACH + at)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    tell("accepts", began);

    let began = SystemClock.now();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { while work(&store).await {} });
    }
    tasks.join_all().await;
    tell("deliveries (claim, settle, ack)", began);

    let began = SystemClock.now();
    store.close().await;
    println!("closed in {:?}", SystemClock.now().duration_since(began));
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM")).collect::<String>()
    );
}

fn tell(what: &str, began: bellhop_core::Timestamp) {
    let took = SystemClock.now().duration_since(began).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number for people")]
    let per_second = (TASKS * EACH) as f64 / took;
    println!("{per_second:.0} {what} per second");
}

fn acceptance(number: usize) -> Acceptance {
    let now = SystemClock.now();
    let account = AccountId::parse("main").unwrap();
    let id = EventId::new(now, SystemClock.chance());
    let event = Draft::new("Backup of db-1 has ended: 12.3 GB in 4 min 10 s").into_event(id, account.clone(), now);
    let registration = Name::parse(&format!("phone-{}", number % REGISTRATIONS)).unwrap();
    let planned = Planned { registration, channel: ChannelId::new("webhook"), address: None };
    let key = IdempotencyKey {
        account,
        route: "/v1/events",
        key: format!("{:032x}", SystemClock.chance()),
        body_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        expires_at: now + Duration::from_hours(24),
    };
    Acceptance { key: Some(key), event, plan: Plan { deliveries: vec![planned], ..Plan::default() } }
}

/// Brings some deliveries to their end; `false` if there is nothing left.
async fn work(store: &Store) -> bool {
    let wakes = store.receive(&ChannelId::new("webhook"), 10).await.unwrap();
    for wake in &wakes {
        let (now, token) = (SystemClock.now(), SystemClock.chance());
        let claim = Claim { token, now, lease: Duration::from_mins(1), last_receive: false };
        store.claim(&wake.job, &claim).await.unwrap();
        let next = Next::Final { state: State::Delivered, reason: None };
        store.settle(&wake.job, &Settlement { token, attempt: None, done: 0, uncounted: false, next, now }).await.unwrap();
        store.ack(wake).await.unwrap();
    }
    !wakes.is_empty()
}
