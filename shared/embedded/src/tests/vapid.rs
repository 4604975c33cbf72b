//! The key of Web Push: the same for ever, sealed, in every copy.

use bellhop_core::{StoreError, ports::Vapid, vapid::VapidKey};
use bellhop_seal::vapid::is_pair;
use bellhop_testkit::Sim;

use super::House;
use crate::{Options, Sealing, Store, backup, inspect, rotate_key};

async fn key(house: &House) -> VapidKey {
    house.store.key().await.unwrap()
}

#[tokio::test]
async fn the_key_outlives_restarts_and_changes_of_keys_and_its_private_part_stands_in_no_file() {
    let mut house = House::new();
    let made = key(&house).await;
    assert!(is_pair(&made));
    house.reopen().await;
    assert_eq!(key(&house).await, made);
    house.store.close().await;
    rotate_key(&house.path()).unwrap();
    house.reopen().await;
    assert_eq!(key(&house).await, made);
    assert_eq!(house.files_with(made.private.expose().as_bytes()), [""; 0]);
    assert_eq!(house.files_with(made.public.as_bytes()).len(), 1, "the search finds what is there");
}

#[tokio::test]
async fn a_backup_has_the_key() {
    let house = House::new();
    let made = key(&house).await;
    let to = house.dir.path().join("copy");
    backup(&house.path(), &to).unwrap();
    let copy = Store::open(&to, Options::default(), Sim::new(2)).unwrap();
    assert_eq!(copy.key().await.unwrap(), made);
}

#[tokio::test]
async fn a_key_that_does_not_open_is_told_of_and_no_other_is_made() {
    let house = House::new();
    assert_eq!(inspect(&house.path()).unwrap().web_push, None);
    let made = key(&house).await;
    let inspection = inspect(&house.path()).unwrap();
    assert_eq!((inspection.web_push, inspection.sealing), (Some(true), Sealing::Opens { channels: 1, remains: false }));
    house.tamper("UPDATE vapid SET sealed = zeroblob(60)").await;
    assert!(matches!(house.store.key().await, Err(StoreError::Corrupt(_))));
    assert_eq!(house.store.public().await.unwrap(), Some(made.public));
    assert_eq!(inspect(&house.path()).unwrap().web_push, Some(false));
}

#[tokio::test]
async fn a_public_part_that_is_not_the_keys_own_is_told_of() {
    let house = House::new();
    key(&house).await;
    house.tamper("UPDATE vapid SET public = 'BAAA'").await;
    assert_eq!(inspect(&house.path()).unwrap().web_push, Some(false));
}
