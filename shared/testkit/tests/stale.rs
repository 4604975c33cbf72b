//! A registration as it was 30 s ago is good enough to send to it, and not to drop, refuse or disable.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    Reason, StoreError,
    accept::{Wanted, accept},
    deliver::work,
    model::{AccountId, ChannelId, Disabled, Former, Name, Registration, State},
    ports::{Freshness, Ports, Registrations},
};
use bellhop_testkit::{Answer, Provider, Rig, account, channel, draft, name, registration};

const LEASE: Duration = Duration::from_mins(1);

/// Another process's cache: what was so, until somebody asks afresh.
struct Stale {
    cached: Option<Registration>,
    inner: Arc<dyn Registrations>,
}

#[async_trait]
impl Registrations for Stale {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        match freshness {
            Freshness::Cached => Ok(self.cached.clone().map(Arc::new)),
            Freshness::Fresh => self.inner.get(account, name, freshness).await,
        }
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.in_group(account, group).await
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.defaults(account).await
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.for_contacts(account).await
    }

    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.inner.list(account, after, most).await
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        self.inner.count(account, channel, most).await
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        self.inner.formers(account, name).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        self.inner.put(registration).await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        self.inner.delete(account, name).await
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        self.inner.disable(account, name, version, disabled).await
    }
}

/// `phone` as it is now, seen by a process that remembers it otherwise.
async fn world(now: Registration, cached: Option<Registration>, script: &[Answer]) -> Ports {
    let rig = Rig::new(Provider::new(script));
    assert!(rig.ports.registrations.put(&now).await.expect("memory does not fail"));
    let stale = Stale { cached, inner: Arc::clone(&rig.ports.registrations) };
    Ports { registrations: Arc::new(stale), ..rig.ports }
}

fn disabled() -> Registration {
    let at = bellhop_core::Timestamp::UNIX_EPOCH;
    Registration { disabled: Some(Disabled { reason: Reason::Gone, at }), ..registration("phone") }
}

/// What becomes of a message to `phone`.
async fn fate(ports: &Ports) -> (State, Option<Reason>) {
    let answer = accept(ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    assert_eq!(answer.dropped, []);
    let wake = ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0);
    work(ports, &wake, LEASE).await.expect("memory does not fail");
    let row = ports.deliveries.get(&account(), &[wake.job.delivery]).await.expect("memory does not fail").remove(0);
    row.map(|row| (row.state, row.reason)).expect("it was worked on")
}

#[tokio::test]
async fn what_goes_to_a_registration_that_was_mended_just_now_arrives() {
    let ports = world(registration("phone"), Some(disabled()), &[]).await;
    assert_eq!(fate(&ports).await, (State::Delivered, None));
}

#[tokio::test]
async fn what_goes_to_a_registration_that_was_made_just_now_arrives() {
    let ports = world(registration("phone"), None, &[]).await;
    assert_eq!(fate(&ports).await, (State::Delivered, None));
}

#[tokio::test]
async fn an_old_address_that_is_dead_does_not_disable_the_new_one() {
    let moved = Registration { description: Some("at its new address".to_owned()), ..registration("phone") };
    let ports = world(moved, Some(registration("phone")), &[Answer::Status(410)]).await;
    assert_eq!(fate(&ports).await, (State::Failed, Some(Reason::Gone)));
    let now = ports.registrations.get(&account(), &name("phone"), Freshness::Fresh).await.expect("memory does not fail");
    assert_eq!(now.and_then(|now| now.disabled.clone()), None);
}

#[tokio::test]
async fn what_was_planned_for_another_channel_is_dropped_and_says_so() {
    let elsewhere = Registration { channel: ChannelId::new("other"), ..registration("phone") };
    let ports = world(elsewhere.clone(), Some(registration("phone")), &[]).await;
    let answer = accept(&ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0);
    let fresh = Stale { cached: Some(elsewhere), inner: Arc::clone(&ports.registrations) };
    let ports = Ports { registrations: Arc::new(fresh), ..ports };
    work(&ports, &wake, LEASE).await.expect("memory does not fail");
    let row = ports.deliveries.get(&account(), &[answer.deliveries[0].id]).await.expect("memory does not fail").remove(0);
    assert_eq!(row.map(|row| (row.state, row.reason)), Some((State::Dropped, Some(Reason::ChannelChanged))));
}
