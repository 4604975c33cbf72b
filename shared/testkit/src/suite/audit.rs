//! What was done by whom.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    model::{Account, AccountId, Action, AuditEntry, AuditId, KeyId},
    ports::Ports,
};

use super::other_account;
use crate::account;

pub(super) fn entry(owner: AccountId, action: Action, at: Timestamp) -> AuditEntry {
    let key = KeyId::from_part("abcd").expect("a key id");
    AuditEntry::new(&Account::new(owner), key, action, Some("值班".to_owned()), (at, 7))
}

pub(super) async fn record(ports: &Ports, entry: &AuditEntry) {
    ports.audit.record(entry).await.expect("the audit is written");
}

pub(super) async fn list(ports: &Ports, owner: &AccountId, before: Option<AuditId>, most: usize) -> Vec<AuditEntry> {
    ports.audit.list(owner, before, most).await.expect("the audit is read")
}

pub async fn entries_of_the_audit_are_listed_newest_first_page_by_page(ports: &Ports) {
    assert_eq!(list(ports, &account(), None, 10).await, []);
    let now = ports.clock.now();
    let actions = [Action::KeyMade, Action::RegistrationSaved, Action::RegistrationRevealed, Action::RevealRefused];
    let mut kept: Vec<_> =
        (0_u64..).zip(actions).map(|(s, action)| entry(account(), action, now + Duration::from_secs(s))).collect();
    for entry in &kept {
        record(ports, entry).await;
    }
    kept.reverse();
    assert_eq!(list(ports, &account(), None, 10).await, kept);
    assert_eq!(list(ports, &account(), None, 2).await, kept[..2]);
    assert_eq!(list(ports, &account(), Some(kept[1].id), 10).await, kept[2..]);
    assert_eq!(list(ports, &account(), Some(kept[3].id), 10).await, []);
}

pub async fn each_account_has_an_audit_of_its_own(ports: &Ports) {
    let now = ports.clock.now();
    let (mine, theirs) = (entry(account(), Action::KeyMade, now), entry(other_account(), Action::KeyRevoked, now));
    for entry in [&mine, &theirs] {
        record(ports, entry).await;
    }
    assert_eq!(
        (list(ports, &account(), None, 10).await, list(ports, &other_account(), None, 10).await),
        (vec![mine], vec![theirs])
    );
}
