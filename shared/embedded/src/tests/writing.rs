//! What becomes of a group when something goes wrong in it.

use std::{fs, sync::Arc, time::Duration};

use bellhop_core::{
    StoreError,
    model::{Account, State},
    ports::{Accounts, Deliveries, Events, Ledger, Queue},
    transition::Next,
};
use bellhop_testkit::{account, channel, registration};
use futures_util::{FutureExt, future::join_all};

use super::House;
use crate::{directory, error::Fault, schema::set_meta, writer::Tx};

async fn meta(house: &House, name: &'static str) -> bool {
    house.store.readers.read(move |connection| Ok(crate::schema::meta(connection, name)?.is_some())).await.unwrap()
}

#[tokio::test]
async fn work_that_fails_leaves_no_trace_and_harms_no_other() {
    let house = House::new();
    let release = house.hold_the_writer().await;
    let write = |name: &'static str, fails: bool| {
        house.store.write(move |tx: &mut Tx<'_>| {
            set_meta(tx.connection, name, 1)?;
            if fails { Err(Fault::corrupt("as the test wants it")) } else { Ok(()) }
        })
    };
    let group = join_all([write("a", false), write("b", true), write("c", false)]);
    let (results, ()) = tokio::join!(group, async { release.send(()).unwrap() });
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!([meta(&house, "a").await, meta(&house, "b").await, meta(&house, "c").await], [true, false, true]);
}

#[tokio::test]
async fn work_that_panics_leaves_no_trace_and_harms_no_other() {
    let house = House::new();
    let release = house.hold_the_writer().await;
    let panics = house.store.write(|tx: &mut Tx<'_>| -> Result<(), Fault> {
        set_meta(tx.connection, "b", 1)?;
        panic!("as the test wants it")
    });
    let good = house.store.write(|tx| Ok(set_meta(tx.connection, "c", 1)?));
    let (bad, good, ()) = tokio::join!(panics, good, async { release.send(()).unwrap() });
    assert!(matches!(bad, Err(StoreError::Unavailable(_))), "{bad:?}");
    assert!(good.is_ok(), "{good:?}");
    assert_eq!([meta(&house, "b").await, meta(&house, "c").await], [false, true]);
}

#[tokio::test]
async fn what_is_done_again_because_a_neighbour_failed_is_there_once() {
    let house = House::new();
    let release = house.hold_the_writer().await;
    let accepted = house.store.accept(house.acceptance(&account(), "text", &["phone"]));
    let fails = house.store.write(|tx: &mut Tx<'_>| -> Result<(), Fault> {
        set_meta(tx.connection, "b", 1)?;
        Err(Fault::corrupt("as the test wants it"))
    });
    let (accepted, failed, ()) = tokio::join!(accepted, fails, async { release.send(()).unwrap() });
    assert!(accepted.is_ok() && failed.is_err(), "{accepted:?} {failed:?}");
    assert_eq!(house.number("SELECT count(*) FROM events").await, 1);
    assert_eq!(house.number("SELECT count(*) FROM queue").await, 1);
    assert_eq!(house.receive(10).await.len(), 1);
}

#[tokio::test]
async fn a_lane_that_was_rolled_back_is_made_again() {
    let house = House::new();
    let lane = Arc::new(crate::queue::Lane { channel: channel(), account: account(), registration: registration("phone").name });
    let failed = house.store.write(move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        tx.lane(&lane)?;
        Err(Fault::corrupt("as the test wants it"))
    });
    failed.await.unwrap_err();
    house.accept(&["phone"]).await;
    assert_eq!(house.number("SELECT count(*) FROM queue JOIN lanes ON lanes.id = lane").await, 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_still_gets_its_wake_ups_queued() {
    let house = House::new();
    let release = house.hold_the_writer().await;
    let mut asking = house.store.accept(house.acceptance(&account(), "text", &["phone"]));
    assert!((&mut asking).now_or_never().is_none());
    drop(asking);
    release.send(()).unwrap();
    tokio::time::timeout(super::PATIENCE, house.store.ready(&channel())).await.unwrap();
    assert_eq!(house.receive(10).await.len(), 1);
}

#[tokio::test]
async fn a_full_disk_fails_the_request_and_is_forgotten_when_there_is_room() {
    let house = House::new();
    let pages = house.number("PRAGMA page_count").await;
    house.store.write(move |tx| Ok(tx.connection.pragma_update(None, "max_page_count", pages)?)).await.unwrap();
    let large = || house.store.accept(house.acceptance(&account(), &"x".repeat(100_000), &["phone"]));
    let error = large().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(house.store.receive(&channel(), 10).await.unwrap().is_empty());
    assert_eq!(Events::list(&*house.store, &account(), None, None, 10).await.unwrap().len(), 0);

    house.store.write(|tx| Ok(tx.connection.pragma_update(None, "max_page_count", 1_000_000)?)).await.unwrap();
    large().await.unwrap();
    assert_eq!(house.receive(10).await.len(), 1);
}

#[tokio::test]
async fn what_was_written_is_read_whatever_was_cached() {
    let house = House::new();
    assert_eq!(Accounts::get(&*house.store, &account()).await.unwrap(), None);
    let mut before = None;
    for days in 1..50 {
        let account = Account { retention_days: days, ..Account::new(account()) };
        let (put, _, _) = tokio::join!(
            house.store.put(before.as_ref(), &account),
            Accounts::get(&*house.store, &account.id),
            Accounts::get(&*house.store, &account.id)
        );
        assert!(put.unwrap());
        assert_eq!(Accounts::get(&*house.store, &account.id).await.unwrap().as_deref(), Some(&account));
        before = Some(account);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_bounded_however_much_is_written() {
    let house = House::new();
    let log = directory::log(&house.path());
    let text = "x".repeat(256 << 10);
    let (mut longest, main) = (0, account());
    for _ in 0..40 {
        let writes = join_all((0..10).map(|_| house.store.accept(house.acceptance(&account(), &text, &["phone"]))));
        let reads = join_all((0..10).map(|_| Events::list(&*house.store, &main, None, None, 1)));
        let (accepted, listed) = tokio::join!(writes, reads);
        assert!(accepted.iter().all(Result::is_ok) && listed.iter().all(Result::is_ok));
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    assert!(longest < 48 << 20, "100 MB were written, and the log grew to {longest} bytes");
}

#[tokio::test]
async fn an_idle_store_writes_its_log_back() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let backfilled = async {
        // `nothing left to write back` is what a second look at the log finds
        loop {
            let noop = house.store.readers.read(|connection| {
                Ok(connection
                    .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?)
            });
            let (pages, done) = noop.await.unwrap();
            if pages == done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, backfilled).await.expect("the log goes back within a second or so");
}

#[tokio::test]
async fn whoever_waits_for_an_event_is_told_when_its_delivery_is_settled_and_not_when_it_is_claimed() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    let mut changed = house.store.changed(wake.job.delivery.event).unwrap();
    house.claim_mine(&wake.job).await;
    assert!((&mut changed).now_or_never().is_none());
    house.settle(&wake.job, Next::Final { state: State::Delivered, reason: None }).await;
    tokio::time::timeout(super::PATIENCE, changed).await.unwrap();
}

#[tokio::test]
async fn what_a_settlement_took_along_is_acknowledged_without_a_write() {
    let house = House::new();
    house.accept(&["phone"]).await;
    let wake = house.the_wake().await;
    house.claim_mine(&wake.job).await;
    house.settle(&wake.job, Next::Final { state: State::Delivered, reason: None }).await;
    assert_eq!(house.number("SELECT count(*) FROM queue").await, 0);
    let release = house.hold_the_writer().await;
    // the writer is busy, and yet
    house.store.ack(&wake).await.unwrap();
    release.send(()).unwrap();
    let row = Deliveries::get(&*house.store, &account(), &[wake.job.delivery]).await.unwrap().remove(0).unwrap();
    assert_eq!(row.state, State::Delivered);
}
