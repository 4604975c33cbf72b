//! What one process revokes or makes, as another one sees it that has looked before: within half a minute by the clock on the
//! wall, which is less than the minute that is promised.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    Timestamp,
    model::{Account, Hook, HookKind, Key, KeyId, Scope},
    ports::Ports,
};
use bellhop_testkit::{CATALOG, Provider, Silent, Sim, account, name};
use emulated::{Deployment, Emulator, Kind, wire::Wire};

/// Longer than anything is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Two processes over one table, and their clock.
async fn two_processes() -> ([Ports; 2], Arc<Sim>) {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await;
    let sim = Sim::new(0);
    let process = || {
        let store = deployment.store(Wire::calm(), 12, Arc::clone(&sim) as _);
        store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
    };
    ([process(), process()], sim)
}

fn key() -> Key {
    Key {
        id: KeyId::from_part("aaaa").unwrap(),
        account: account(),
        hash: "hash".to_owned(),
        scopes: vec![Scope::Read],
        description: None,
        expires_at: None,
        session_of: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

async fn is_let_in(ports: &Ports) -> bool {
    ports.keys.get(&key().id).await.unwrap().is_some()
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_half_a_minute_later_and_a_new_one_taken() {
    let ([one, other], sim) = two_processes().await;
    assert!(!is_let_in(&other).await, "it remembers that there is none");
    assert!(one.keys.create(&key()).await.unwrap());
    assert!(is_let_in(&one).await, "whoever has made it knows it at once");
    sim.pass(REMEMBERED);
    assert!(is_let_in(&other).await, "a denial is remembered no longer than a key");

    assert!(one.keys.delete(&account(), &key().id).await.unwrap());
    assert!(!is_let_in(&one).await);
    sim.pass(REMEMBERED);
    assert!(!is_let_in(&other).await);
}

#[tokio::test]
async fn a_deleted_hook_is_found_nowhere_half_a_minute_later() {
    let ([one, other], sim) = two_processes().await;
    let hook = Hook {
        account: account(),
        name: name("qd"),
        kind: HookKind::Qd,
        hash: "hash".to_owned(),
        defaults: bellhop_core::model::Defaults::default(),
        recipients: Vec::new(),
        link_base_url: None,
        report_hash: None,
        made_under: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    assert!(one.hooks.create(&hook).await.unwrap());
    assert!(other.hooks.find("hash").await.unwrap().is_some());

    assert!(one.hooks.delete(&account(), &hook.name).await.unwrap());
    sim.pass(REMEMBERED);
    assert_eq!(other.hooks.find("hash").await.unwrap(), None);
}

#[tokio::test]
async fn what_one_process_has_deleted_no_other_saves_again() {
    let ([one, other], _) = two_processes().await;
    assert!(one.accounts.create(&Account::new(account()), &key()).await.unwrap());
    let known = other.accounts.get(&account()).await.unwrap().unwrap();

    let deleted = Account { deleted_at: Some(Timestamp::UNIX_EPOCH), ..Account::new(account()) };
    assert!(one.accounts.put(Some(&known), &deleted).await.unwrap());
    let saved = Account { locale: "zh-CN".to_owned(), ..Account::clone(&known) };
    assert!(!other.accounts.put(Some(&known), &saved).await.unwrap());

    assert_eq!(other.accounts.get(&account()).await.unwrap().as_deref(), Some(&deleted));
}
