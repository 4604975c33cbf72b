//! The deployment's key of Web Push.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::ports::Ports;
use futures_util::future::join_all;

pub async fn there_is_no_key_until_somebody_wants_it(ports: &Ports) {
    assert_eq!(ports.vapid.public().await.expect("the store answers"), None);
    let key = ports.vapid.key().await.expect("a key is made");
    assert_eq!((key.private.expose().len(), key.public.len()), (43, 87), "32 bytes and 65, in base64url");
    assert_eq!(ports.vapid.public().await.expect("the store answers"), Some(key.public));
}

pub async fn a_key_is_made_once(ports: &Ports) {
    let first = ports.vapid.key().await.expect("a key is made");
    assert_eq!(ports.vapid.key().await.expect("the key is read"), first);
}

pub async fn all_who_want_a_key_at_once_get_the_same(ports: &Ports) {
    let keys = join_all((0..16).map(|_| ports.vapid.key())).await;
    let keys: Vec<_> = keys.into_iter().map(|key| key.expect("a key is made")).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(ports.vapid.public().await.expect("the store answers").as_ref(), Some(&keys[0].public));
}
