//! Keys are kept as they come, and put in their order later: after eight here.

use std::{collections::BTreeSet, time::Duration};

use bellhop_core::{
    Timestamp,
    model::EventId,
    ports::{Acceptance, Accepted, Clock, IdempotencyKey, Ledger},
};
use bellhop_testkit::{account, key};

use super::House;
use crate::{error::Fault, idempotency::remember, writer::Tx};

impl House {
    async fn accept_under(&self, key: &IdempotencyKey) -> Accepted {
        let acceptance = Acceptance { key: Some(key.clone()), ..self.acceptance(&account(), "text", &["phone"]) };
        self.store.accept(acceptance).await.unwrap()
    }

    async fn new_under(&self, key: &IdempotencyKey) -> EventId {
        match self.accept_under(key).await {
            Accepted::New(event) => event,
            other => panic!("{other:?}"),
        }
    }

    /// Hundred requests, each with its key, and the event that it made.
    async fn requests(&self) -> Vec<(IdempotencyKey, EventId)> {
        let mut made = Vec::new();
        for number in 0..100 {
            let key = key(&format!("key {number}"), "hash", self.sim.now());
            made.push((key.clone(), self.new_under(&key).await));
        }
        made
    }

    async fn recalled(&self, key: &IdempotencyKey, now: Timestamp) -> Option<Accepted> {
        self.store.recall(key, now).await.unwrap()
    }

    /// How many rows there are: as they came, and in their order.
    async fn rows(&self) -> (usize, usize) {
        let count = |table: &'static str| {
            self.store.readers.read(move |connection| {
                let count = format!("SELECT count(*) FROM {table}");
                Ok(connection.query_row(&count, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
            })
        };
        let rows = (count("idempotency_new").await.unwrap(), count("idempotency").await.unwrap());
        (usize::try_from(rows.0).unwrap(), usize::try_from(rows.1).unwrap())
    }
}

fn is_same(accepted: Option<Accepted>, event: EventId) -> bool {
    matches!(accepted, Some(Accepted::Same(stored)) if stored.event.id == event)
}

#[tokio::test]
async fn a_key_is_found_wherever_it_lies_before_and_after_another_start() {
    let mut house = House::new();
    let requests = house.requests().await;
    let (new, ordered) = house.rows().await;
    assert!(new > 0 && ordered >= 50, "both have some: {new}, {ordered}");
    for start in 0..2 {
        for (key, event) in &requests {
            assert!(is_same(house.recalled(key, house.sim.now()).await, *event), "{start}: {key:?}");
            assert!(is_same(Some(house.accept_under(key).await), *event), "{start}: {key:?}");
            let other = IdempotencyKey { body_hash: "other".to_owned(), ..key.clone() };
            assert_eq!(house.recalled(&other, house.sim.now()).await, Some(Accepted::Mismatch));
        }
        house.reopen().await;
    }
}

#[tokio::test]
async fn what_is_in_its_order_is_forgotten_where_it_was() {
    let house = House::new();
    for _ in 0..10 {
        let now = house.sim.now();
        for number in 0..100 {
            let key = key(&format!("{number} at {now}"), "hash", now);
            house.new_under(&key).await;
        }
        house.sim.pass(Duration::from_secs(1));
    }
    let (new, ordered) = house.rows().await;
    assert!(new < 100 && ordered > 950, "{new} are as they came, {ordered} in their order");
}

#[tokio::test]
async fn starts_in_the_midst_of_it_do_not_keep_rows_from_being_forgotten() {
    let mut house = House::new();
    for start in 0..20 {
        for number in 0..20 {
            house.new_under(&key(&format!("{number} after {start}"), "hash", house.sim.now())).await;
        }
        house.reopen().await;
    }
    let (new, ordered) = house.rows().await;
    assert!(new < 100 && ordered > 350, "{new} are as they came, {ordered} in their order");
}

#[tokio::test]
async fn a_key_that_has_expired_is_new_again_wherever_it_lies_and_is_forgotten_two_days_later() {
    let house = House::new();
    let before = house.requests().await;
    house.sim.pass(Duration::from_hours(25));
    let mut again = BTreeSet::new();
    for (key, event) in &before {
        assert_eq!(house.recalled(key, house.sim.now()).await, None);
        let key = bellhop_testkit::key(&key.key, "hash", house.sim.now());
        let made = house.new_under(&key).await;
        assert!(made != *event && is_same(house.recalled(&key, house.sim.now()).await, made));
        again.insert(made);
    }
    assert_eq!(again.len(), before.len());
    house.sim.pass(Duration::from_hours(49));
    let mut gone = 0;
    loop {
        let now = house.store.expire(house.sim.now(), 30).await.unwrap();
        assert!(now <= 30, "no more than asked");
        gone += now;
        if now == 0 {
            break;
        }
    }
    assert!(gone >= again.len());
    assert_eq!(house.rows().await, (0, 0));
}

#[tokio::test]
async fn a_key_of_before_another_start_is_found_beside_those_of_after_it() {
    let mut house = House::new();
    house.sim.pass(Duration::from_hours(12));
    let before = house.requests().await;
    house.reopen().await;
    // so that they expire on another day
    house.sim.pass(Duration::from_hours(13));
    let mut after = Vec::new();
    for number in 0..100 {
        let key = key(&format!("later {number}"), "hash", house.sim.now());
        after.push((key.clone(), house.new_under(&key).await));
    }
    for (key, event) in before.iter().chain(&after) {
        assert!(is_same(Some(house.accept_under(key).await), *event), "{key:?}");
    }
}

#[tokio::test]
async fn a_key_whose_request_was_taken_back_is_not_used() {
    let house = House::new();
    let key = key("a key", "hash", house.sim.now());
    let event = house.acceptance(&account(), "text", &[]).event;
    let (word, fails) = (key.clone(), event.clone());
    let failed = house.store.write(move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        assert!(remember(tx, &word, &fails)?.is_none());
        Err(Fault::corrupt("as the test wants it"))
    });
    assert!(failed.await.is_err());
    assert_eq!(house.recalled(&key, house.sim.now()).await, None);
    assert_eq!(house.rows().await, (0, 0));
    let made = house.new_under(&key).await;
    assert!(made != event.id && is_same(house.recalled(&key, house.sim.now()).await, made));
}

#[tokio::test]
async fn of_two_requests_under_one_key_in_one_commit_one_is_kept() {
    let house = House::new();
    let release = house.hold_the_writer().await;
    let key = key("a key", "hash", house.sim.now());
    let both = futures_util::future::join(house.accept_under(&key), house.accept_under(&key));
    let ((first, second), ()) = tokio::join!(both, async { release.send(()).unwrap() });
    let Accepted::New(event) = first else { panic!("{first:?}") };
    assert!(is_same(Some(second), event));
}
