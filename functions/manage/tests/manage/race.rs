//! Two who save the same registration at the same moment.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use axum::Router;
use bellhop_core::{
    StoreError,
    model::{AccountId, ChannelId, Disabled, Former, Name, Registration},
    ports::{Freshness, Ports, Registrations},
};
use bellhop_http::{Api, complete};
use serde_json::json;

use crate::{world, world::World};

/// Registrations that somebody else saves just before us, so many times.
struct Contended {
    stored: Arc<dyn Registrations>,
    times: AtomicUsize,
}

#[async_trait]
impl Registrations for Contended {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        self.stored.get(account, name, freshness).await
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.stored.in_group(account, group).await
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.stored.defaults(account).await
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.stored.for_contacts(account).await
    }

    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.stored.list(account, after, most).await
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        self.stored.count(account, channel, most).await
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        self.stored.formers(account, name).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        let left = self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1));
        if left.is_ok() {
            let theirs = Registration { description: Some("theirs".into()), ..registration.clone() };
            assert!(self.stored.put(&theirs).await?);
        }
        self.stored.put(registration).await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        self.stored.delete(account, name).await
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        self.stored.disable(account, name, version, disabled).await
    }
}

async fn contended(times: usize) -> World {
    let world = world().await;
    let ports = world.rig.ports.clone();
    let registrations = Contended { stored: Arc::clone(&ports.registrations), times: AtomicUsize::new(times) };
    let ports = Ports { registrations: Arc::new(registrations), ..ports };
    let routes: Router = complete(bellhop_manage::routes(Api::new(ports)));
    World { routes, ..world }
}

#[tokio::test]
async fn a_race_that_is_lost_once_is_run_again_on_what_the_other_saved() {
    let world = contended(1).await;

    let answer = world.call("manage", "PATCH", "/v1/registrations/phone", json!({"groups": ["ops"]})).await;

    assert_eq!((answer.status, &answer.body["version"]), (200, &json!(3)));
    assert_eq!((&answer.body["groups"], &answer.body["description"]), (&json!(["ops"]), &json!("theirs")));
}

#[tokio::test]
async fn a_race_that_is_lost_again_is_a_conflict_and_the_others_save_stays() {
    let world = contended(2).await;

    let answer =
        world.call("manage", "PATCH", "/v1/registrations/phone", json!({"groups": ["ops"], "description": "ours"})).await;

    assert_eq!(answer.refusal(), (409, "conflict", ""));
    let shown = world.call("read", "GET", "/v1/registrations/phone", "").await;
    assert_eq!(shown.body["description"], "theirs");
}
