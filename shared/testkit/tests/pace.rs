//! What a provider takes is kept before it has to say no, by all workers together.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Reason, Timestamp,
    accept::{Wanted, accept},
    channel::{Outgoing, Params, Reply},
    deliver::{LEASE, work},
    model::{Delivery, Registration, State},
    pace::Silence,
    ports::{Clock, Freshness, Http, Ports, Transport, TransportError},
    tick::tick,
};
use bellhop_testkit::{Answer, Provider, Rig, Sim, account, channel, draft, name, registration};

const MINUTE: Duration = Duration::from_mins(1);

/// When requests left.
struct Timed {
    sim: Arc<Sim>,
    inner: Arc<Provider>,
    sent: Mutex<Vec<Timestamp>>,
}

#[async_trait]
impl Http for Timed {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        self.sent.lock().expect("no panic").push(self.sim.now());
        tokio::task::yield_now().await; // others go on while it is on its way
        self.inner.call(outgoing).await
    }
}

struct House {
    rig: Rig,
    ports: Ports,
    timed: Arc<Timed>,
}

impl House {
    /// `phone` with a rate, or none, and a provider that answers each delivery like this.
    async fn new(a_minute: Option<u32>, script: &[Answer]) -> Self {
        Self::with(a_minute, Provider::new(script)).await
    }

    /// The same, with a provider that answers the first deliveries like this, one each, and takes the others.
    async fn answering(first: &'static [Answer]) -> Self {
        let begun = AtomicUsize::new(0);
        let script =
            move |_| vec![first.get(begun.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(Answer::Taken), Answer::Taken];
        Self::with(None, Provider::by(script)).await
    }

    async fn with(a_minute: Option<u32>, provider: Arc<Provider>) -> Self {
        let rig = Rig::new(provider);
        let timed = Timed { sim: Arc::clone(&rig.sim), inner: Arc::clone(&rig.provider), sent: Mutex::default() };
        let timed = Arc::new(timed);
        let transport = Transport { http: Arc::clone(&timed) as _, ..rig.ports.transport.clone() };
        let ports = Ports { transport, ..rig.ports.clone() };
        let params = a_minute.map_or_else(|| serde_json::json!({}), |most| serde_json::json!({ "a_minute": most }));
        let params: Params = serde_json::from_value(params).expect("an object");
        let phone = Registration { params, ..registration("phone") };
        assert!(ports.registrations.put(&phone).await.expect("memory does not fail"));
        Self { rig, ports, timed }
    }

    async fn accept(&self, count: usize) {
        for _ in 0..count {
            accept(&self.ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
        }
    }

    /// Works on all that is there now, several wake-ups at a time; whether there was something.
    async fn turn(&self) -> bool {
        let wakes = self.ports.queue.receive(&channel(), 10).await.expect("memory does not fail");
        let at_once = wakes.iter().map(|wake| work(&self.ports, wake, LEASE));
        for done in futures_util::future::join_all(at_once).await {
            done.expect("memory does not fail");
        }
        !wakes.is_empty()
    }

    /// Until nothing is left to be done.
    async fn drain(&self) {
        let mut ticked = self.rig.sim.now();
        while !self.rig.memory.is_quiet() {
            while self.turn().await {}
            if let Some(next) = self.rig.memory.next_message() {
                self.rig.sim.set(next.max(self.rig.sim.now()));
            } else {
                self.rig.sim.pass(MINUTE);
            }
            if self.rig.sim.now() >= ticked + MINUTE {
                ticked = self.rig.sim.now();
                tick(&self.ports, ticked).await.expect("memory does not fail");
            }
        }
    }

    /// One more message, and what is to be done at once.
    async fn one_more(&self) {
        self.accept(1).await;
        while self.turn().await {}
    }

    async fn silence(&self) -> Silence {
        let found = self.ports.registrations.get(&account(), &name("phone"), Freshness::Fresh).await;
        found.expect("memory does not fail").expect("it is there").silence()
    }

    fn sent(&self) -> Vec<i64> {
        self.timed.sent.lock().expect("no panic").iter().map(|at| at.as_millisecond()).collect()
    }

    async fn rows(&self) -> Vec<Delivery> {
        let events = self.ports.events.list(&account(), None, None, 1_000).await.expect("memory does not fail");
        let mut rows = Vec::new();
        for stored in events {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            rows.extend(self.ports.deliveries.get(&account(), &ids).await.expect("memory does not fail").into_iter().flatten());
        }
        rows
    }
}

fn most_in_a_minute(sent: &[i64]) -> usize {
    let within = |from: usize| sent[from..].iter().take_while(|at| **at < sent[from] + 60_000).count();
    (0..sent.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn a_crowd_is_sent_at_the_rate_and_not_much_slower() {
    // given 100 messages for somebody who takes 20 a minute
    let house = House::new(Some(20), &[]).await;
    house.accept(100).await;

    house.drain().await;

    // then all arrive, none too early, each by one attempt
    let (sent, rows) = (house.sent(), house.rows().await);
    assert!(rows.iter().all(|row| row.state == State::Delivered && row.attempts.len() == 1), "{rows:?}");
    assert!(most_in_a_minute(&sent) <= 20, "{sent:?}");
    let took = Duration::from_millis((sent[99] - sent[0]).unsigned_abs());
    assert!(sent.len() == 100 && took < MINUTE * 7, "{took:?}");
}

#[tokio::test]
async fn who_waits_for_his_turn_says_so_and_until_when() {
    let house = House::new(Some(1), &[]).await;
    house.accept(2).await;
    while house.turn().await {}

    let waits = house.rows().await.into_iter().find(|row| row.state == State::Queued).expect("one waits");
    assert_eq!((waits.reason, waits.due, waits.attempts.len()), (Some(Reason::Paced), Some(house.rig.sim.now() + MINUTE), 0));
}

#[tokio::test]
async fn after_an_outage_what_is_late_does_not_come_all_at_once() {
    // given slots for 30 messages, all of which pass while nobody works
    let house = House::new(Some(20), &[]).await;
    house.accept(30).await;
    while house.turn().await {}
    house.rig.sim.pass(MINUTE * 14);

    house.drain().await;

    let sent = house.sent();
    assert!(sent.len() == 30 && most_in_a_minute(&sent) <= 20, "{sent:?}");
}

#[tokio::test]
async fn slow_down_pauses_the_registration_and_not_only_the_message() {
    // given somebody without a rate who says once that it is too much, for two minutes
    let house = House::new(None, &[Answer::Later(429, 120), Answer::Taken]).await;
    house.accept(1).await;
    while house.turn().await {}
    let begin = house.rig.sim.now();

    // when more comes for him
    house.accept(20).await;
    while house.turn().await {}

    // then nothing of it is sent before the time is over
    assert_eq!(house.sent().len(), 1);
    let rows = house.rows().await;
    let waits: Vec<_> = rows.iter().filter(|row| row.attempts.is_empty()).collect();
    assert_eq!(waits.len(), 20);
    assert!(waits.iter().all(|row| row.reason == Some(Reason::Paused) && row.due >= Some(begin + MINUTE * 2)), "{waits:?}");
    house.drain().await;
    assert!(house.rows().await.iter().all(|row| row.state == State::Delivered));
}

#[tokio::test]
async fn a_pause_moves_the_slots_that_were_reserved() {
    // given 10 messages with slots within the next minute, of which the first is told to wait for five
    let house = House::new(Some(20), &[Answer::Later(429, 300), Answer::Taken]).await;
    house.accept(1).await;
    while house.turn().await {}
    let begin = house.rig.sim.now();
    house.accept(10).await;
    house.drain().await;

    let sent = house.sent();
    let early = sent[1..].iter().filter(|at| **at < (begin + MINUTE * 5).as_millisecond()).count();
    assert_eq!(early, 0, "{sent:?}");
    assert!(most_in_a_minute(&sent) <= 20, "{sent:?}");
}

#[tokio::test]
async fn the_second_time_out_in_a_row_pauses_the_registration_for_five_seconds() {
    let house = House::answering(&[Answer::TimesOut, Answer::TimesOut]).await;
    house.one_more().await;
    assert_eq!(house.silence().await, Silence { timeouts: 1, paused_until: None });
    house.one_more().await;
    let until = house.rig.sim.now() + Duration::from_secs(5);
    assert_eq!(house.silence().await, Silence { timeouts: 2, paused_until: Some(until) });

    house.accept(3).await;
    while house.turn().await {}

    assert_eq!(house.sent().len(), 2);
    let rows = house.rows().await;
    let waits: Vec<_> = rows.iter().filter(|row| row.attempts.is_empty()).collect();
    assert!(waits.len() == 3 && waits.iter().all(|row| row.reason == Some(Reason::Paused) && row.due >= Some(until)), "{rows:?}");
    house.drain().await;
    assert!(house.rows().await.iter().all(|row| row.state == State::Delivered));
}

#[tokio::test]
async fn each_part_of_a_message_has_a_slot_of_its_own() {
    // given messages in three parts for somebody who takes six a minute, each of which counts
    let house = House::new(Some(6), &[]).await;
    let params = serde_json::from_value(serde_json::json!({ "a_minute": 6, "parts": 3 })).expect("an object");
    let phone = Registration { params, version: 2, ..registration("phone") };
    assert!(house.ports.registrations.put(&phone).await.expect("memory does not fail"));
    house.accept(4).await;

    house.drain().await;

    // then each part is sent once, none too early, and the wait between them is no attempt
    let (sent, rows) = (house.sent(), house.rows().await);
    assert!(sent.len() == 12 && most_in_a_minute(&sent) <= 6, "{sent:?}");
    assert!(rows.iter().all(|row| row.state == State::Delivered && row.attempts.len() == 1 && row.done == 3), "{rows:?}");
}

#[tokio::test]
async fn an_answer_in_between_begins_anew() {
    let house = House::answering(&[Answer::TimesOut, Answer::Status(500), Answer::TimesOut]).await;
    for timeouts in [1, 0, 1] {
        house.one_more().await;
        assert_eq!(house.silence().await, Silence { timeouts, paused_until: None });
    }
}

#[tokio::test]
async fn time_outs_that_are_under_way_together_are_one() {
    let house = House::new(None, &[Answer::TimesOut, Answer::Taken]).await;
    house.accept(5).await;
    assert!(house.turn().await);
    assert_eq!((house.sent().len(), house.silence().await), (5, Silence { timeouts: 1, paused_until: None }));
}

#[tokio::test]
async fn a_silent_registration_is_tried_by_one_at_a_time_until_it_answers() {
    // given one that is paused, and eight that wait for it
    let house = House::answering(&[Answer::TimesOut, Answer::TimesOut]).await;
    house.one_more().await;
    house.one_more().await;
    house.accept(8).await;
    while house.turn().await {}
    assert_eq!(house.sent().len(), 2);

    // when all of them come again at once
    house.rig.sim.pass(Duration::from_secs(20));
    house.turn().await;

    // then one is sent, the others wait for what comes of it, and are sent in their turn
    assert_eq!((house.sent().len(), house.silence().await), (3, Silence::default()));
    house.drain().await;
    assert!(house.rows().await.iter().all(|row| row.state == State::Delivered));
    assert_eq!(house.sent().len(), 12);
}

#[tokio::test]
async fn who_dies_while_he_tries_a_silent_registration_keeps_it_for_a_minute_at_most() {
    let house = House::answering(&[Answer::TimesOut, Answer::TimesOut]).await;
    house.one_more().await;
    house.one_more().await;
    house.rig.sim.pass(Duration::from_secs(5));
    let seen = house.silence().await;
    let dead = seen.probed(house.rig.sim.now() + LEASE);
    assert!(house.ports.pace.note(&account(), &name("phone"), seen, dead).await.expect("memory does not fail"));

    house.one_more().await;
    assert_eq!(house.sent().len(), 2);
    house.drain().await;
    assert!(house.rows().await.iter().all(|row| row.state == State::Delivered));
    assert_eq!(house.silence().await, Silence::default());
}

#[tokio::test]
async fn a_registration_without_rate_and_pause_costs_no_call() {
    struct Never;
    #[async_trait]
    impl bellhop_core::ports::Pace for Never {
        async fn reserve(
            &self,
            _: &bellhop_core::model::AccountId,
            _: &bellhop_core::model::Name,
            _: bellhop_core::pace::SendRate,
            _: Timestamp,
        ) -> Result<Timestamp, bellhop_core::StoreError> {
            panic!("nobody is to ask for a slot");
        }
        async fn pause(
            &self,
            _: &bellhop_core::model::AccountId,
            _: &bellhop_core::model::Name,
            _: Timestamp,
        ) -> Result<(), bellhop_core::StoreError> {
            panic!("nobody is to pause");
        }
        async fn note(
            &self,
            _: &bellhop_core::model::AccountId,
            _: &bellhop_core::model::Name,
            _: bellhop_core::pace::Silence,
            _: bellhop_core::pace::Silence,
        ) -> Result<bool, bellhop_core::StoreError> {
            panic!("nothing is to be noted");
        }
    }
    let mut house = House::new(None, &[]).await;
    house.ports.pace = Arc::new(Never);
    house.accept(3).await;
    house.drain().await;
    assert!(house.rows().await.iter().all(|row| row.state == State::Delivered && row.attempts.len() == 1));
}
