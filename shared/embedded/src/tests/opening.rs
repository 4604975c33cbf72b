//! Opening, closing, and what one process leaves to the next.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use bellhop_core::{
    Reason,
    model::{AttachmentId, EventId, Outcome, Picture, State},
    ports::{Accepted, Attachments, Clock, Deliveries, Events, Freshness, Keys, Ledger, Queue, Registrations, Tokens},
    token::{Credential, Held, TokenKey, Wish},
    transition::Next,
};
use bellhop_testkit::{Sim, account, channel, name};
use rusqlite::Connection;

use super::House;
use crate::{OpenError, Options, Store, directory, inspect, schema};

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let mut house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    let row = house.claim_mine(&wake.job).await;
    house.reopen().await;
    assert_eq!(Deliveries::get(&*house.store, &account(), &[wake.job.delivery]).await.unwrap(), [Some(row)]);
    assert_eq!(house.the_wake().await.job, wake.job);
}

#[tokio::test]
async fn a_restart_takes_over_at_once_what_was_under_way() {
    let mut house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    house.reopen().await;
    let again = house.the_wake().await;
    let row = house.claim_mine(&again.job).await;
    assert_eq!(row.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [Outcome::Unknown]);
    assert_eq!(again.receives, 2);
}

#[tokio::test]
async fn a_store_that_is_dropped_leaves_its_directory_free() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let House { dir, sim, store } = house;
    drop(store);
    let store = Store::open(&dir.path().join("data"), Options::default(), Arc::clone(&sim) as _).unwrap();
    assert_eq!(store.receive(&channel(), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_processes_cannot_have_one_directory() {
    let house = House::new();
    let second = Store::open(&house.path(), Options::default(), Sim::new(2));
    let Err(error) = second else { panic!("it was opened twice") };
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    house.accept(&["phone"]).await;
}

#[tokio::test]
async fn a_closed_store_refuses_and_says_so() {
    let house = House::new();
    house.store.close().await;
    let error = house.store.accept(house.acceptance(&account(), "text", &["phone"])).await.unwrap_err();
    assert_eq!(error.to_string(), "the store is not available: the store is closed");
    assert!(!house.store.is_writable().await);
}

#[tokio::test]
async fn a_closed_store_leaves_no_log_behind() {
    let house = House::new();
    house.accept(&["phone"]).await;
    house.receive(10).await;
    assert!(house.store.is_writable().await);
    house.store.close().await;
    assert!(!house.path().join("bellhop.db-wal").exists());
}

#[tokio::test]
async fn data_of_a_newer_program_is_refused_and_left_alone() {
    let house = House::new();
    house.tamper("UPDATE meta SET value = 99 WHERE name = 'schema'").await;
    house.store.close().await;
    let Err(error) = Store::open(&house.path(), Options::default(), Sim::new(2)) else { panic!("it was opened") };
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    let known = format!("schema version 99, and this program knows {} at most", schema::current());
    assert!(error.to_string().contains(&known), "{error}");
    assert_eq!(inspect(&house.path()).unwrap().epoch, 1);
}

#[tokio::test]
async fn data_of_version_1_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let database = Connection::open(directory::database(dir.path())).unwrap();
    database.execute_batch(include_str!("schema-1.sql")).unwrap();
    drop(database);
    let store = Store::open(dir.path(), Options::default(), Sim::new(1)).unwrap();

    let events = Events::list(&*store, &account(), None, None, 10).await.unwrap();
    assert_eq!(events.iter().map(|stored| stored.event.message.as_str()).collect::<Vec<_>>(), ["second", "first"]);
    let phone = Registrations::get(&*store, &account(), &name("phone"), Freshness::Fresh).await.unwrap().unwrap();
    assert_eq!(phone.params.text("url"), Some("https://example.org/hook"));
    assert_eq!(Keys::list(&*store, &account()).await.unwrap().len(), 1);
    assert_eq!(store.in_state(&account(), State::Failed, None, 10).await.unwrap().len(), 1);
    let accepted_at = events[1].event.accepted_at;
    let known = store.recall(&bellhop_testkit::key("k", "hash", accepted_at), accepted_at).await.unwrap();
    assert!(matches!(known, Some(Accepted::Same(first)) if first.event == events[1].event));
    let wakes = store.receive(&channel(), 10).await.unwrap();
    assert_eq!(wakes.iter().map(|wake| wake.job.event.message.as_str()).collect::<Vec<_>>(), ["second"]);
    assert_eq!(store.dead_letters().await.unwrap(), [(channel(), 1)]);
    let key = TokenKey { account: account(), channel: channel(), credential: Credential::of(&["s3cret"]) };
    let wish = Wish { by: 7, refused: None, now: Sim::new(1).now() };
    assert!(matches!(store.ask(&key, &wish).await.unwrap(), Held::Yours { .. }), "tables that came later are there");
}

#[tokio::test]
async fn nobody_else_can_read_what_is_kept() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let id = AttachmentId(EventId(1));
    Attachments::put(&*house.store, &account(), id, &Picture([1].into())).await.unwrap();
    let mode = |path: &str| fs::metadata(house.path().join(path)).unwrap().permissions().mode() & 0o777;
    let files = ["bellhop.db", "bellhop.db-wal", "bellhop.db-shm", "lock", "seal-key", &format!("attachments/main/{id}")];
    assert_eq!(files.map(mode), [0o600; 6]);
    assert_eq!([".", "attachments", "attachments/main"].map(mode), [0o700; 3]);
}

#[tokio::test]
async fn what_an_earlier_process_left_unfinished_is_cleared_away() {
    let mut house = House::new();
    fs::create_dir(house.path().join("unfinished")).unwrap();
    fs::write(house.path().join("unfinished/att_x"), "half of a pict").unwrap();
    house.reopen().await;
    assert!(!house.path().join("unfinished").exists());
}

#[tokio::test]
async fn an_inspection_tells_without_disturbing() {
    let house = House::new();
    house.accept(&["phone", "desk", "car"]).await;
    let wakes = house.receive(3).await;
    house.store.bury(&wakes[0]).await.unwrap();
    house.claim_mine(&wakes[1].job).await;
    let at = house.sim.now() + Duration::from_hours(1);
    house.settle(&wakes[1].job, Next::Again { at, reason: Reason::Timeout }).await;

    let inspection = inspect(&house.path()).unwrap();
    assert_eq!((inspection.schema, inspection.known_schema, inspection.epoch), (schema::current(), schema::current(), 1));
    assert!(inspection.in_use);
    assert_eq!((inspection.damage.len(), inspection.open_to_others.len()), (0, 0));
    let [backlog] = &inspection.backlog[..] else { panic!("{inspection:?}") };
    assert_eq!((backlog.queued, backlog.due, backlog.dead_letters), (1, 1, 1));
    house.accept(&["phone"]).await;

    house.store.close().await;
    assert!(!inspect(&house.path()).unwrap().in_use);
}

#[test]
fn there_is_nothing_to_inspect_where_there_is_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let error = inspect(&dir.path().join("nothing")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert!(!dir.path().join("nothing").exists());
}
