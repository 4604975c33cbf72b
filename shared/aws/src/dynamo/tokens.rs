//! Providers' tokens: one sealed row for each credential, which the senders of its channel share.
//!
//! Promise: of all who ask at once, in whatever process, one writes that it fetches, and the others read that. What cannot be
//! unsealed is as good as nothing: another token is fetched.

use std::time::Duration;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    ports::Tokens,
    token::{Held, Slot, TokenKey, Wish, ask},
};
use bellhop_seal::Owner;

use super::{
    keys,
    table::{Condition, Row, Written},
};
use crate::{
    Store,
    error::{json, unfinished},
    seal::Seal,
};

const VERSION: &str = "version";
const SEALED: &str = "sealed";

/// How often a decision is made again because somebody else wrote in between.
const TRIES: usize = 5;

/// Between two looks at a row that another process will write.
const MOMENT: Duration = Duration::from_millis(250);

/// How long what is over stays: an answer that comes late finds its row.
const KEPT: Duration = Duration::from_hours(1);

/// What a row says.
struct Read {
    version: u64,
    slot: Option<Slot>,
}

#[async_trait]
impl Tokens for Store {
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError> {
        for _ in 0..TRIES {
            let read = self.read_token(key).await?;
            let held = ask(read.as_ref().and_then(|read| read.slot.as_ref()), wish);
            let is_theirs = !matches!(held, Held::Yours { .. });
            if is_theirs || self.write_token(key, read.as_ref(), &wish.fetching()).await? {
                return Ok(held);
            }
        }
        Err(unfinished("a provider's token is written again and again while it is asked for"))
    }

    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError> {
        let read = self.read_token(key).await?;
        let is_held = read.as_ref().and_then(|read| read.slot.as_ref()).is_some_and(|there| there.is_fetched_by(by));
        if is_held {
            self.write_token(key, read.as_ref(), slot).await?; // else somebody else has just taken the right
        }
        Ok(())
    }

    async fn changed(&self, _key: &TokenKey) {
        tokio::time::sleep(MOMENT).await;
    }
}

impl Store {
    async fn read_token(&self, key: &TokenKey) -> Result<Option<Read>, StoreError> {
        let Some(row) = self.table.get(keys::token(key)).await? else { return Ok(None) };
        let version = row.number(VERSION)?;
        let slot = match self.seals_tokens()?.open(&self.table, &Owner::token(key), row.bytes(SEALED)?).await {
            Ok(opened) => serde_json::from_slice(&opened).ok(),
            Err(StoreError::Corrupt(_)) => None,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
        };
        Ok(Some(Read { version, slot }))
    }

    /// Writes it over what was read. `false`: somebody else did.
    async fn write_token(&self, key: &TokenKey, read: Option<&Read>, slot: &Slot) -> Result<bool, StoreError> {
        let sealed = self.seals_tokens()?.seal(&self.table, &Owner::token(key), &json(slot)?, self.clock.chance()).await?;
        let version = read.map_or(1, |read| read.version + 1);
        let over = slot.until().unwrap_or_else(|| self.clock.now()) + KEPT;
        let row = Row::new(keys::token(key))
            .with_bytes(SEALED, sealed)
            .with_number(VERSION, version)
            .with_number(keys::EXPIRES, over.as_second());
        let condition = read.map_or(Condition::IS_FREE, |read| Condition::new("version = :version", ":version", read.version));
        Ok(self.table.put_if(row, &condition, self.clock.chance()).await? == Written::Yes)
    }

    fn seals_tokens(&self) -> Result<&Seal, StoreError> {
        let missing = || StoreError::Unavailable("tokens cannot be kept here: no key to seal them".to_owned());
        self.seal.as_ref().ok_or_else(missing)
    }
}
