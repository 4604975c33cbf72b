//! What a store that stands alone does, and a service does by itself, unseen on its emulators: DynamoDB forgets by its TTL,
//! SQS is fair by its message groups.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::ports::{IdempotencyKey, Ports};

use super::{
    kept,
    ledger::{accept, events, new, recall, with_key},
    other_account,
    queue::of,
    received_on,
};
use crate::{account, channel, key};

pub async fn expire_forgets_what_has_expired_and_no_more_than_asked(ports: &Ports) {
    let now = ports.clock.now();
    for word in ["a", "b", "c"] {
        let old = IdempotencyKey { expires_at: now - Duration::from_secs(1), ..key(word, "hash", now) };
        new(accept(ports, with_key(ports, &old)).await);
    }
    let good = key("d", "hash", now);
    new(accept(ports, with_key(ports, &good)).await);
    let expire = async || ports.ledger.expire(now, 2).await.expect("the ledger expires");
    assert_eq!((expire().await, expire().await, expire().await), (2, 1, 0));
    assert!(recall(ports, &good).await.is_some());
    assert_eq!(events(ports).await, 4, "events outlive their keys");
}

pub async fn a_quiet_account_does_not_wait_for_a_busy_one(ports: &Ports) {
    let many: Vec<_> = (0..500).map(|number| format!("r{number}")).collect();
    kept(ports, of(ports, &account(), &channel(), &many)).await;
    kept(ports, of(ports, &other_account(), &channel(), &["phone".to_owned()])).await;
    let mut first = Vec::new();
    while first.len() < 20 {
        first.extend(received_on(ports, &channel(), 20 - first.len()).await);
    }
    assert!(first.iter().any(|wake| *wake.job.account() == other_account()), "500 of the other come first");
}
