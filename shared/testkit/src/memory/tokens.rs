//! Providers' tokens.

use std::time::Duration;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    ports::Tokens,
    token::{Held, Slot, TokenKey, Wish, ask},
};

use super::Worker;

/// Time stands still here; what is under way goes on all the same.
const MOMENT: Duration = Duration::from_millis(1);

#[async_trait]
impl Tokens for Worker {
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError> {
        self.effect("token row", |tables| {
            let held = ask(tables.tokens.get(key), wish);
            if matches!(held, Held::Yours { .. }) {
                tables.tokens.insert(key.clone(), wish.fetching());
            }
            held
        })
        .await
    }

    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError> {
        self.effect("token row", |tables| {
            if let Some(there) = tables.tokens.get_mut(key).filter(|there| there.is_fetched_by(by)) {
                *there = slot.clone();
            }
        })
        .await
    }

    async fn changed(&self, _key: &TokenKey) {
        tokio::time::sleep(MOMENT).await;
    }
}
