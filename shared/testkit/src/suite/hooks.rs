//! The paths by which other systems report.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::{
    Timestamp,
    model::{AccountId, Defaults, Hook, HookKind, Source},
    ports::Ports,
};

use super::other_account;
use crate::{account, name};

fn hook(called: &str, hash: &str) -> Hook {
    Hook {
        account: account(),
        name: name(called),
        kind: HookKind::Bettergi,
        hash: hash.to_owned(),
        defaults: Defaults { source: Source::parse("Teyvat"), ..Defaults::default() },
        recipients: Vec::new(),
        link_base_url: Some("https://example.org".to_owned()),
        report_hash: None,
        made_under: Some("k".to_owned()),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

async fn create(ports: &Ports, hook: &Hook) -> bool {
    ports.hooks.create(hook).await.expect("hooks are made")
}

async fn found(ports: &Ports, hash: &str) -> Option<Hook> {
    ports.hooks.find(hash).await.expect("hooks are read").map(|hook| Hook::clone(&hook))
}

async fn list(ports: &Ports, account: &AccountId) -> Vec<Hook> {
    ports.hooks.list(account).await.expect("hooks are listed")
}

async fn delete(ports: &Ports, account: &AccountId, called: &str) -> bool {
    ports.hooks.delete(account, &name(called)).await.expect("hooks are deleted")
}

pub async fn a_hook_is_found_by_its_tokens_hash(ports: &Ports) {
    assert_eq!(found(ports, "aa").await, None, "that there was none is remembered no longer than until there is one");
    let kept = hook("game", "aa");
    assert!(create(ports, &kept).await);
    assert_eq!(found(ports, "aa").await, Some(kept));
    assert_eq!(found(ports, "ab").await, None);
}

pub async fn a_hooks_name_is_taken_once_in_its_account(ports: &Ports) {
    let first = hook("game", "aa");
    assert!(create(ports, &first).await);
    assert!(!create(ports, &hook("game", "bb")).await);
    assert_eq!((found(ports, "aa").await, found(ports, "bb").await), (Some(first), None));
    let theirs = Hook { account: other_account(), ..hook("game", "cc") };
    assert!(create(ports, &theirs).await, "each account has names of its own");
    assert_eq!(found(ports, "cc").await, Some(theirs));
}

pub async fn hooks_are_listed_by_name_for_their_account(ports: &Ports) {
    let hooks = [hook("B", "bb"), hook("a", "aa"), hook("值班", "cc")];
    for hook in hooks.iter().rev() {
        assert!(create(ports, hook).await);
    }
    assert!(create(ports, &Hook { account: other_account(), ..hook("b", "dd") }).await);
    assert_eq!(list(ports, &account()).await, hooks);
}

pub async fn a_deleted_hook_is_not_found_and_its_name_is_free(ports: &Ports) {
    assert!(create(ports, &hook("game", "aa")).await);
    assert!(!delete(ports, &other_account(), "game").await);
    assert!(found(ports, "aa").await.is_some());
    assert!(delete(ports, &account(), "game").await);
    assert_eq!((found(ports, "aa").await, list(ports, &account()).await), (None, Vec::new()));
    assert!(!delete(ports, &account(), "game").await);
    assert!(create(ports, &hook("game", "bb")).await);
    assert_eq!((found(ports, "aa").await, found(ports, "bb").await), (None, Some(hook("game", "bb"))));
}
