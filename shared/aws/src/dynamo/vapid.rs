//! The deployment's key of Web Push: one row, the private part sealed by the data key of `web_push`.
//!
//! Promises: of all who make one at once, in whatever process, one writes it, and the others read that; a key that does not
//! open is never replaced, since every subscription is bound to it. It never changes, and is read once per process.

use async_trait::async_trait;
use bellhop_core::{StoreError, ports::Vapid, token::Secret, vapid::VapidKey};
use bellhop_seal::{Owner, vapid};

use super::{
    keys,
    table::{Condition, Row, Written},
};
use crate::{
    Store,
    error::{corrupt, unfinished},
    seal::Seal,
};

const PUBLIC: &str = "public";
const SEALED: &str = "sealed";

#[async_trait]
impl Vapid for Store {
    async fn public(&self) -> Result<Option<String>, StoreError> {
        if let Some(key) = self.vapid.get() {
            return Ok(Some(key.public.clone()));
        }
        let row = self.table.get(keys::vapid()).await?;
        row.map(|row| row.text(PUBLIC).map(str::to_owned)).transpose()
    }

    async fn key(&self) -> Result<VapidKey, StoreError> {
        self.vapid.get_or_try_init(|| self.read_or_make()).await.cloned()
    }
}

impl Store {
    async fn read_or_make(&self) -> Result<VapidKey, StoreError> {
        if let Some(row) = self.table.get(keys::vapid()).await? {
            return self.opened(&row).await;
        }
        let key = vapid::fresh()?;
        let mark = self.clock.chance();
        let sealed = self.seals_vapid()?.seal(&self.table, &Owner::vapid(), key.private.expose(), mark).await?;
        let row = Row::new(keys::vapid()).with_text(PUBLIC, &key.public).with_bytes(SEALED, sealed);
        match self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await? {
            Written::Yes => Ok(key),
            Written::No(Some(there)) => self.opened(&there).await,
            Written::No(None) => Err(unfinished("the key of Web Push was deleted at this very moment")),
        }
    }

    async fn opened(&self, row: &Row) -> Result<VapidKey, StoreError> {
        let private = self.seals_vapid()?.open(&self.table, &Owner::vapid(), row.bytes(SEALED)?).await?;
        let private = String::from_utf8(private).map_err(|_| corrupt(SEALED))?;
        Ok(VapidKey { private: Secret::new(private), public: row.text(PUBLIC)?.to_owned() })
    }

    fn seals_vapid(&self) -> Result<&Seal, StoreError> {
        let missing = || StoreError::Unavailable("the key of Web Push cannot be kept here: no key to seal it".to_owned());
        self.seal.as_ref().ok_or_else(missing)
    }
}
