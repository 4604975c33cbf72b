//! Dies, or fails, at every write on the wire while events are collected and their digests are frozen, sent and put behind.
//!
//! Promise: each event stands in one digest, which is sent once, whatever write the harm came at. A process that is dead writes
//! and reads nothing; another goes on from what is there, as a message that comes again would have it.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    Timestamp,
    accept::{Wanted, accept},
    digest::{compose, follow::follow},
    model::{Account, AccountId, Draft, Event, Registration, Rule},
    ports::{Clock, IdempotencyKey, Kind as RecordKind, Ports, Record},
    tick::AHEAD,
};
use bellhop_testkit::{CATALOG, Provider, Silent, Sim, draft, key, name, registration};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire},
};

const RULE: &str = r#"{"to":["phone"],"batch":{"at":"00:00","every_seconds":3600}}"#;

/// How many rounds anything may take after one harm.
const ROUNDS: usize = 8;

/// No story makes fewer writes.
const LEAST_WRITES: usize = 16;

#[derive(Clone, Copy, PartialEq)]
enum Harm {
    /// The write is not made.
    FailsBefore,
    /// It is made, and its answer is lost.
    FailsAfter,
    /// It is made, and nothing after it.
    DiesAfter,
}

/// Harms the write of that number.
struct Mortal {
    harm: Harm,
    left: AtomicUsize,
    counts: AtomicBool,
    dead: AtomicBool,
}

impl Mortal {
    fn is_next(&self) -> bool {
        let counts = self.counts.load(Ordering::SeqCst);
        counts && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }
}

fn gone() -> ConnectorError {
    ConnectorError::io(Box::new(std::io::Error::other("as the test wants it")))
}

#[async_trait]
impl Fate for Mortal {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(gone());
        }
        let writes = matches!(call, "PutItem" | "DeleteItem" | "TransactWriteItems" | "SendMessageBatch");
        if !(writes && self.is_next()) {
            return onwards.call(request).await;
        }
        if self.harm != Harm::FailsBefore {
            onwards.call(request).await?;
        }
        self.dead.store(self.harm == Harm::DiesAfter, Ordering::SeqCst);
        Err(gone())
    }
}

/// One account's story.
struct Story<'a> {
    deployment: &'a Deployment,
    account: AccountId,
    sim: Arc<Sim>,
    mortal: Arc<Mortal>,
    ports: Ports,
}

impl<'a> Story<'a> {
    fn new(deployment: &'a Deployment, harm: Harm, at: usize) -> Self {
        let account = AccountId::parse(&format!("at-{at}")).unwrap();
        let sim = Sim::new(1);
        let (left, counts, dead) = (AtomicUsize::new(at), AtomicBool::new(false), AtomicBool::new(false));
        let mortal = Arc::new(Mortal { harm, left, counts, dead });
        let ports = open(deployment, &mortal, &sim);
        Self { deployment, account, sim, mortal, ports }
    }

    /// If the process has died, there is another.
    fn revive(&mut self) {
        if self.mortal.dead.swap(false, Ordering::SeqCst) {
            self.ports = open(self.deployment, &self.mortal, &self.sim);
        }
    }

    async fn begin(&self) {
        let phone = Registration { account: self.account.clone(), ..registration("phone") };
        assert!(self.ports.registrations.put(&phone).await.unwrap());
        let rule: Rule = serde_json::from_str(RULE).unwrap();
        follow(&self.ports, &Account::new(self.account.clone()), &name("hourly"), None, Some(&rule)).await.unwrap();
        let record = Record { name: "hourly".to_owned(), version: 1, body: RULE.to_owned() };
        assert!(self.ports.records.put(&self.account, RecordKind::Rule, &record).await.unwrap());
        self.mortal.counts.store(true, Ordering::SeqCst);
    }

    /// The client asks until it has its answer.
    async fn report(&mut self, text: &str) {
        for _ in 0..ROUNDS {
            let key = IdempotencyKey { account: self.account.clone(), ..key(text, "hash", self.sim.now()) };
            let draft = Draft { send_to: Vec::new(), ..draft(text) };
            let answer = accept(&self.ports, &self.account, draft, Wanted::Event, Some(key)).await;
            self.revive();
            match answer {
                Ok(answer) => {
                    assert_eq!(answer.collected.len(), 1);
                    return;
                }
                Err(_) => self.sim.pass(Duration::from_secs(40)),
            }
        }
        panic!("it is never accepted");
    }

    /// Passes the time until the digest is due, and until everything about it is done.
    async fn until_composed(&mut self) {
        let due = self.schedule().await;
        self.sim.set(due - Duration::from_mins(5));
        for _ in 0..ROUNDS {
            let now = self.sim.now();
            drop(self.ports.agenda.announce(now, now + AHEAD).await);
            self.revive();
            // as each page says, and as each that is lost will say again
            if now >= due {
                drop(compose(&self.ports, &self.account, &name("hourly")).await);
                self.revive();
            }
            if self.schedule().await > due {
                return;
            }
            self.sim.set(due.max(now + Duration::from_mins(2)));
        }
        panic!("it is never done");
    }

    async fn schedule(&self) -> Timestamp {
        self.mortal.counts.store(false, Ordering::SeqCst);
        let schedule = self.ports.digests.get(&self.account, &name("hourly")).await.unwrap().unwrap();
        self.mortal.counts.store(true, Ordering::SeqCst);
        schedule.due
    }

    /// The index says what the schedule says, and nothing else.
    async fn is_due_once(&self) -> bool {
        let at = self.schedule().await;
        let due = self.ports.agenda.due(at, None, 1_000).await.unwrap();
        due.iter().filter(|due| due.account == self.account).map(|due| due.at).eq([at])
    }

    /// The digests that were sent.
    async fn digests(&self) -> Vec<Arc<Event>> {
        let events = self.ports.events.list(&self.account, None, None, 100).await.unwrap();
        let is_digest = |event: &Event| event.source.as_str().starts_with("digest/");
        events.into_iter().map(|stored| stored.event).filter(|event| is_digest(event)).collect()
    }
}

fn open(deployment: &Deployment, mortal: &Arc<Mortal>, sim: &Arc<Sim>) -> Ports {
    let store = deployment.store(Wire::with(Arc::clone(mortal) as _), 1, Arc::clone(sim) as _);
    store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
}

/// Plays the story with harm at the write of that number (0 = none). `false`: it has fewer.
async fn play(deployment: &Deployment, harm: Harm, at: usize) -> bool {
    let mut story = Story::new(deployment, harm, at);
    story.begin().await;
    story.report("the first backup is done").await;
    story.until_composed().await;
    story.report("the second backup is done").await;
    story.until_composed().await;
    let came = story.mortal.left.load(Ordering::SeqCst) == 0;
    assert!(story.is_due_once().await, "write {at}");
    let digests = story.digests().await;
    let told: Vec<_> = digests.iter().rev().map(|digest| digest.data.as_ref().unwrap()["events"].as_u64()).collect();
    assert_eq!(told, [Some(1), Some(1)], "write {at}: {digests:?}");
    for (digest, text) in digests.iter().rev().zip(["the first", "the second"]) {
        assert!(digest.message.contains(text), "write {at}: {}", digest.message);
    }
    came
}

async fn every_write(kind: Kind, harm: Harm) {
    let deployment = Deployment::on(Emulator::shared(kind).await, Duration::from_mins(6)).await;
    let mut at = 1;
    while play(&deployment, harm, at).await {
        at += 1;
    }
    assert!(at > LEAST_WRITES, "{at} writes are no trial");
}

macro_rules! on_either_emulator {
    ($($test:ident = $harm:ident,)+) => {
        mod on_moto {
            use super::*;
            $(#[tokio::test] async fn $test() { every_write(Kind::Moto, Harm::$harm).await; })+
        }
        mod on_ministack {
            use super::*;
            $(#[tokio::test] async fn $test() { every_write(Kind::Ministack, Harm::$harm).await; })+
        }
    };
}

on_either_emulator! {
    a_write_that_is_not_made_loses_no_event_and_sends_none_twice = FailsBefore,
    an_answer_that_is_lost_loses_no_event_and_sends_none_twice = FailsAfter,
    a_process_that_dies_loses_no_event_and_sends_none_twice = DiesAfter,
}
