//! What a store that stands alone does, and a service does by itself, unseen on its emulators: DynamoDB forgets by its TTL,
//! SQS is fair by its message groups.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    model::{Account, Action, AttachmentId, Picture},
    ports::{IdempotencyKey, Ports},
};

use super::{
    audit, kept,
    ledger::{accept, events, new, recall, with_key},
    other_account,
    queue::of,
    received_on,
};
use crate::{acceptance, account, channel, event, key};

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

pub async fn what_an_account_has_kept_for_long_enough_is_forgotten_and_no_more_than_asked(ports: &Ports) {
    let now = ports.clock.now();
    let days = |days: u64| now - Duration::from_hours(24 * days);
    for (name, retention_days) in [(account(), 40), (other_account(), 7)] {
        let account = Account { retention_days, ..Account::new(name) };
        assert!(ports.accounts.put(None, &account).await.expect("accounts are saved"));
    }
    let mut kept = Vec::new();
    for (owner, age) in [(account(), 41), (account(), 42), (account(), 39), (other_account(), 31), (other_account(), 29)] {
        let mut acceptance = acceptance(event(&owner, days(age), ports.clock.chance()), &["phone"], None);
        let picture = AttachmentId(acceptance.event.id);
        ports.attachments.put(&owner, picture, &Picture([1].into())).await.expect("pictures are kept");
        acceptance.event.screenshot = Some(picture);
        kept.push((owner, acceptance.event.id));
        new(accept(ports, acceptance).await);
    }
    let expire = async |most| ports.ledger.expire(now, most).await.expect("the ledger expires");
    assert_eq!((expire(2).await, expire(2).await, expire(2).await), (2, 1, 0));
    let mut left = Vec::new();
    for (owner, id) in &kept {
        let is_there = ports.events.get(owner, *id).await.expect("events are read").is_some();
        let picture = ports.attachments.get(owner, AttachmentId(*id)).await.expect("pictures are read");
        assert_eq!(picture.is_some(), is_there);
        left.push(is_there);
    }
    assert_eq!(left, [false, false, true, false, true], "rows live for 30 days at least");
}

pub async fn an_entry_of_the_audit_is_forgotten_when_its_time_is_over(ports: &Ports) {
    let now = ports.clock.now();
    let days = |days: u64| audit::entry(account(), Action::KeyMade, now - Duration::from_hours(24 * days));
    let entries = [31, 32, 33, 29].map(days);
    for entry in &entries {
        audit::record(ports, entry).await;
    }
    let expire = async || ports.ledger.expire(now, 2).await.expect("the ledger expires");
    assert_eq!((expire().await, expire().await, expire().await), (2, 1, 0));
    assert_eq!(audit::list(ports, &account(), None, 10).await, entries[3..]);
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
