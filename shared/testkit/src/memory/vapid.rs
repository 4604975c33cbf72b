//! The key of Web Push.

use async_trait::async_trait;
use bellhop_core::{StoreError, ports::Vapid, token::Secret, vapid::VapidKey};

use super::Worker;

#[async_trait]
impl Vapid for Worker {
    async fn public(&self) -> Result<Option<String>, StoreError> {
        Ok(self.read(|tables| tables.vapid.as_ref().map(|key| key.public.clone())))
    }

    async fn key(&self) -> Result<VapidKey, StoreError> {
        if let Some(key) = self.read(|tables| tables.vapid.clone()) {
            return Ok(key);
        }
        self.effect("vapid row", |tables| tables.vapid.get_or_insert_with(published).clone()).await
    }
}

/// No chance here makes a key: it is that of <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>.
fn published() -> VapidKey {
    let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    VapidKey { private: Secret::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), public: public.to_owned() }
}
