//! What may happen to a worker before and after each of its effects on the world.
//!
//! An [`Effects`] is told of every point. It may let the worker go on, fail the effect, let time pass or never return:
//! whoever runs the worker then drops it, and all that it knew is gone ([`crate::crash`], [`crate::schedule`]).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    Reason, StoreError, Timestamp,
    channel::{Outgoing, Reply},
    mail::{Mail, Mailed},
    model::{
        AccountId, ChannelId, ConnectionId, DeliveryId, Disabled, EventId, Former, Job, Mid, Name, Registration, Run, Schedule,
        Task, TaskId,
    },
    pace::{SendRate, Silence},
    ports::{
        Acceptance, Accepted, Agenda, Clients, Digests, Due, Freshness, Http, IdempotencyKey, Kind, Ledger, Live, Pace, Ports,
        Pushed, Queue, Record, Records, Registrations, Sent, Session, Smtp, Tasks, Transport, TransportError, Visit, Wake,
    },
    transition::{Claim, Claimed, Settlement},
};

/// One side of one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nothing of it has happened.
    Before(&'static str),
    /// It has happened, and nobody has been told.
    After(&'static str),
}

/// Decides what happens at each point.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Returns where the worker goes on; `Err` is what the effect fails with.
    async fn at(&self, point: Point) -> Result<(), StoreError>;
}

/// Nothing ever happens.
#[derive(Debug, Clone, Copy)]
pub struct Calm;

#[async_trait]
impl Effects for Calm {
    async fn at(&self, _point: Point) -> Result<(), StoreError> {
        Ok(())
    }
}

/// `ports` with every writing call of a store, the queue and the way out between two points.
pub fn between_points(ports: Ports, effects: &Arc<dyn Effects>) -> Ports {
    let ledger = Between { inner: Arc::clone(&ports.ledger), effects: Arc::clone(effects) };
    let queue = Between { inner: Arc::clone(&ports.queue), effects: Arc::clone(effects) };
    let registrations = Between { inner: Arc::clone(&ports.registrations), effects: Arc::clone(effects) };
    let records = Between { inner: Arc::clone(&ports.records), effects: Arc::clone(effects) };
    let digests = Between { inner: Arc::clone(&ports.digests), effects: Arc::clone(effects) };
    let tasks = Between { inner: Arc::clone(&ports.tasks), effects: Arc::clone(effects) };
    let agenda = Between { inner: Arc::clone(&ports.agenda), effects: Arc::clone(effects) };
    let pace = Between { inner: Arc::clone(&ports.pace), effects: Arc::clone(effects) };
    let clients = Between { inner: Arc::clone(&ports.clients), effects: Arc::clone(effects) };
    Ports {
        ledger: Arc::new(ledger),
        queue: Arc::new(queue),
        registrations: Arc::new(registrations),
        pace: Arc::new(pace),
        records: Arc::new(records),
        digests: Arc::new(digests),
        tasks: Arc::new(tasks),
        agenda: Arc::new(agenda),
        clients: Arc::new(clients),
        transport: transport_between_points(&ports.transport, effects),
        ..ports
    }
}

/// Only the way out between two points.
pub fn transport_between_points(transport: &Transport, effects: &Arc<dyn Effects>) -> Transport {
    Transport {
        http: Arc::new(Between { inner: Arc::clone(&transport.http), effects: Arc::clone(effects) }),
        smtp: Arc::new(Between { inner: Arc::clone(&transport.smtp), effects: Arc::clone(effects) }),
        // no story of the crash points goes these ways: what surrounds a send is the same on all of them
        sockets: Arc::clone(&transport.sockets),
        ses: transport.ses.clone(),
        live: Arc::new(Between { inner: Arc::clone(&transport.live), effects: Arc::clone(effects) }),
    }
}

struct Between<T: ?Sized> {
    inner: Arc<T>,
    effects: Arc<dyn Effects>,
}

impl<T: ?Sized> Between<T> {
    async fn call<R>(&self, name: &'static str, effect: impl Future<Output = Result<R, StoreError>>) -> Result<R, StoreError> {
        self.effects.at(Point::Before(name)).await?;
        let result = effect.await?;
        self.effects.at(Point::After(name)).await?;
        Ok(result)
    }

    /// What leaves may have arrived, whatever became of the answer.
    async fn carry<R>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<R, TransportError>>,
    ) -> Result<R, TransportError> {
        let failed = |reason, sent| move |_| TransportError { reason, sent, detail: "as the test wants it".to_owned() };
        self.effects.at(Point::Before(name)).await.map_err(failed(Reason::ConnectFailed, Sent::No))?;
        let answer = effect.await;
        self.effects.at(Point::After(name)).await.map_err(failed(Reason::ConnectionLost, Sent::Maybe))?;
        answer
    }
}

#[async_trait]
impl Ledger for Between<dyn Ledger> {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        self.call("ledger.accept", self.inner.accept(acceptance)).await
    }

    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError> {
        self.call("ledger.recall", self.inner.recall(key, now)).await
    }

    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError> {
        self.call("ledger.claim", self.inner.claim(job, claim)).await
    }

    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError> {
        self.call("ledger.settle", self.inner.settle(job, settlement)).await
    }

    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        self.call("ledger.arm", self.inner.arm(job, at, now)).await
    }

    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        self.call("ledger.reopen", self.inner.reopen(job, under, now)).await
    }

    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.call("ledger.confirm", self.inner.confirm(account, id, now)).await
    }

    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError> {
        self.call("ledger.hasten", self.inner.hasten(job, now)).await
    }

    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.call("ledger.advance", self.inner.advance(now, until, most)).await
    }

    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.call("ledger.expire", self.inner.expire(now, most)).await
    }
}

#[async_trait]
impl Queue for Between<dyn Queue> {
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError> {
        self.call("queue.receive", self.inner.receive(channel, most)).await
    }

    async fn ready(&self, channel: &ChannelId) {
        self.inner.ready(channel).await;
    }

    async fn ack(&self, wake: &Wake) -> Result<(), StoreError> {
        self.call("queue.ack", self.inner.ack(wake)).await
    }

    async fn give_back(&self, wake: &Wake, after: std::time::Duration) -> Result<(), StoreError> {
        self.call("queue.give_back", self.inner.give_back(wake, after)).await
    }

    async fn bury(&self, wake: &Wake) -> Result<(), StoreError> {
        self.call("queue.bury", self.inner.bury(wake)).await
    }

    fn retention(&self) -> Option<std::time::Duration> {
        self.inner.retention()
    }

    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        self.inner.dead_letters().await
    }

    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        self.call("queue.redrive", self.inner.redrive(channel)).await
    }
}

#[async_trait]
impl Registrations for Between<dyn Registrations> {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        self.call("registrations.get", self.inner.get(account, name, freshness)).await
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.in_group(account, group).await
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.defaults(account).await
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.for_contacts(account).await
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        self.inner.count(account, channel, most).await
    }
    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.list(account, after, most).await
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        self.inner.formers(account, name).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        self.call("registrations.put", self.inner.put(registration)).await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        self.call("registrations.delete", self.inner.delete(account, name)).await
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        self.call("registrations.disable", self.inner.disable(account, name, version, disabled)).await
    }
}

#[async_trait]
impl Pace for Between<dyn Pace> {
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError> {
        self.call("pace.reserve", self.inner.reserve(account, name, rate, from)).await
    }

    async fn pause(&self, account: &AccountId, name: &Name, until: Timestamp) -> Result<(), StoreError> {
        self.call("pace.pause", self.inner.pause(account, name, until)).await
    }

    async fn note(&self, account: &AccountId, name: &Name, seen: Silence, now: Silence) -> Result<bool, StoreError> {
        self.call("pace.note", self.inner.note(account, name, seen, now)).await
    }
}

#[async_trait]
impl Records for Between<dyn Records> {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        self.inner.get(account, kind, name).await
    }

    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        self.inner.all(account, kind).await
    }

    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.list(account, kind, after, most).await
    }

    async fn put(&self, account: &AccountId, kind: Kind, record: &Record) -> Result<bool, StoreError> {
        self.call("records.put", self.inner.put(account, kind, record)).await
    }

    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError> {
        self.call("records.delete", self.inner.delete(account, kind, name)).await
    }

    async fn give_way(&self, wait: Duration) {
        self.inner.give_way(wait).await;
    }
}

#[async_trait]
impl Digests for Between<dyn Digests> {
    async fn get(&self, account: &AccountId, rule: &Name) -> Result<Option<Schedule>, StoreError> {
        self.inner.get(account, rule).await
    }

    async fn put(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.call("digests.put", self.inner.put(schedule)).await
    }

    async fn freeze(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.call("digests.freeze", self.inner.freeze(schedule)).await
    }

    async fn delete(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.call("digests.delete", self.inner.delete(schedule)).await
    }

    async fn collected(&self, schedule: &Schedule, from: Timestamp, visit: Visit<'_>) -> Result<(), StoreError> {
        self.inner.collected(schedule, from, visit).await
    }
}

#[async_trait]
impl Tasks for Between<dyn Tasks> {
    async fn get(&self, account: &AccountId, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.inner.get(account, id).await
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<TaskId>,
        before: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<Task>, StoreError> {
        self.inner.list(account, from, before, most).await
    }

    async fn put(&self, task: &Task) -> Result<bool, StoreError> {
        self.call("tasks.put", self.inner.put(task)).await
    }

    async fn delete(&self, task: &Task) -> Result<bool, StoreError> {
        self.call("tasks.delete", self.inner.delete(task)).await
    }

    async fn runs(&self, account: &AccountId, id: TaskId, before: Option<EventId>, most: usize) -> Result<Vec<Run>, StoreError> {
        self.inner.runs(account, id, before, most).await
    }

    async fn made_under(&self, account: &AccountId, key: &str, now: Timestamp) -> Result<Option<Task>, StoreError> {
        self.inner.made_under(account, key, now).await
    }

    async fn open(&self, account: &AccountId, most: usize) -> Result<usize, StoreError> {
        self.inner.open(account, most).await
    }
}

#[async_trait]
impl Agenda for Between<dyn Agenda> {
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        self.inner.due(until, after, most).await
    }

    async fn announce(&self, now: Timestamp, until: Timestamp) -> Result<usize, StoreError> {
        self.call("agenda.announce", self.inner.announce(now, until)).await
    }
}

#[async_trait]
impl Clients for Between<dyn Clients> {
    async fn account_of(&self, token_hash: &str) -> Result<Option<AccountId>, StoreError> {
        self.inner.account_of(token_hash).await
    }

    async fn take_token(&self, token_hash: &str, account: &AccountId) -> Result<bool, StoreError> {
        self.call("clients.take_token", self.inner.take_token(token_hash, account)).await
    }

    async fn drop_token(&self, token_hash: &str, account: &AccountId) -> Result<(), StoreError> {
        self.call("clients.drop_token", self.inner.drop_token(token_hash, account)).await
    }

    async fn number(&self, account: &AccountId, mid: Mid, event: EventId, was: Option<EventId>) -> Result<bool, StoreError> {
        self.call("clients.number", self.inner.number(account, mid, event, was)).await
    }

    async fn numbered(&self, account: &AccountId, mid: Mid) -> Result<Option<EventId>, StoreError> {
        self.inner.numbered(account, mid).await
    }

    async fn enter(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        self.call("clients.enter", self.inner.enter(account, name, delivery)).await
    }

    async fn leave(&self, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
        self.call("clients.leave", self.inner.leave(account, name, delivery)).await
    }

    async fn line(&self, account: &AccountId, name: &Name, most: usize) -> Result<Vec<DeliveryId>, StoreError> {
        self.inner.line(account, name, most).await
    }

    async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        self.call("clients.meet", self.inner.meet(connection, session)).await
    }

    async fn connect(&self, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError> {
        self.call("clients.connect", self.inner.connect(connection, session)).await
    }

    async fn disconnect(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        self.call("clients.disconnect", self.inner.disconnect(connection, session)).await
    }

    async fn connection(&self, account: &AccountId, name: &Name) -> Result<Option<ConnectionId>, StoreError> {
        self.inner.connection(account, name).await
    }

    async fn session(&self, connection: &ConnectionId) -> Result<Option<Session>, StoreError> {
        self.inner.session(connection).await
    }
}

#[async_trait]
impl Live for Between<dyn Live> {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        if self.effects.at(Point::Before("push")).await.is_err() {
            return Pushed::NotNow("as the test wants it".to_owned());
        }
        let pushed = self.inner.push(connection, text).await;
        if self.effects.at(Point::After("push")).await.is_err() {
            return Pushed::NotNow("as the test wants it".to_owned());
        }
        pushed
    }

    async fn close(&self, connection: &ConnectionId) {
        self.inner.close(connection).await;
    }
}

#[async_trait]
impl Http for Between<dyn Http> {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        self.carry("http", self.inner.call(outgoing)).await
    }
}

#[async_trait]
impl Smtp for Between<dyn Smtp> {
    async fn send(&self, mail: &Mail) -> Result<Mailed, TransportError> {
        self.carry("smtp", self.inner.send(mail)).await
    }
}
