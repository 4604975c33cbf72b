//! Secret parameters and providers' tokens, sealed with a data key per channel ([`bellhop_seal`]).
//!
//! Data keys lie in the table, wrapped by KMS under the encryption context `{channel}`, so that a role that may unwrap
//! one channel's key may unwrap no other; each is unwrapped once per environment. A channel's key seals what is new for 90
//! days, then a save makes the next one ([`Seal::renew`]); what is sealed says by which, and opens as long as its owner has
//! it. Promise: neither keys nor what is sealed appears in an error or in `Debug`.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use aws_sdk_kms::{Client, operation::decrypt::DecryptError, primitives::Blob, types::DataKeySpec};
use bellhop_core::{StoreError, Timestamp, model::ChannelId};
use bellhop_seal::{DataKey, Owner};
use tokio::sync::Mutex;

use crate::{
    dynamo::{
        Table, keys,
        table::{Condition, Row, Write, Written},
    },
    error::{corrupt, unavailable, unfinished},
};

const WRAPPED: &str = "wrapped";
const CONTEXT: &str = "channel";

/// Of a channel's first key: the number of the newest, and when that was made.
const NEWEST: &str = "newest";
const MADE_AT: &str = "made_at";

/// How long a key seals what is new.
const LASTS: Duration = Duration::from_hours(90 * 24);

/// Before what was sealed by a later key than the first, with its number behind it.
const NUMBERED: u8 = 2;

/// The number of a channel's first key.
const FIRST: u16 = 1;

/// Seals and opens.
pub(crate) struct Seal {
    kms: Client,
    key_id: String,
    /// Held while a key is unwrapped: one call serves all who wait for it.
    known: Mutex<Known>,
}

/// What was read of the channels' keys.
#[derive(Default)]
struct Known {
    newest: HashMap<ChannelId, Newest>,
    keys: HashMap<(ChannelId, u16), Arc<DataKey>>,
}

/// Which key seals, and since when.
#[derive(Clone, Copy)]
struct Newest {
    number: u16,
    made_at: Timestamp,
}

impl Newest {
    /// As the row of the channel's first key has it; one that does not say is as old as can be.
    fn of(first: &Row) -> Result<Self, StoreError> {
        let number = if first.has(NEWEST) { first.number(NEWEST)? } else { FIRST };
        let made_at = if first.has(MADE_AT) { first.number(MADE_AT)? } else { 0 };
        let made_at = Timestamp::from_millisecond(made_at).map_err(|_| corrupt(MADE_AT))?;
        Ok(Self { number, made_at })
    }

    fn is_over(self, now: Timestamp) -> bool {
        self.made_at + LASTS <= now
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(crate) fn new(kms: Client, key_id: String) -> Self {
        Self { kms, key_id, known: Mutex::default() }
    }

    /// Unwraps the data key that seals ahead of time, if there is one.
    pub(crate) async fn warm(&self, table: &Table, channel: &ChannelId) -> Result<(), StoreError> {
        let mut known = self.known.lock().await;
        self.newest(&mut known, table, channel, None).await.map(drop)
    }

    /// A text of that owner, sealed. `mark` is random.
    pub(crate) async fn seal(&self, table: &Table, owner: &Owner, plain: &str, mark: u128) -> Result<Vec<u8>, StoreError> {
        let (number, key) = {
            let mut known = self.known.lock().await;
            self.newest(&mut known, table, &owner.channel, Some(mark)).await?
        };
        let sealed = key.seal(owner, plain.as_bytes())?;
        Ok(if number == FIRST { sealed } else { [&[NUMBERED][..], &number.to_be_bytes(), &sealed].concat() })
    }

    /// What was sealed for that owner.
    pub(crate) async fn open(&self, table: &Table, owner: &Owner, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (number, sealed) = match sealed {
            [NUMBERED, high, low, sealed @ ..] => (u16::from_be_bytes([*high, *low]), sealed),
            sealed => (FIRST, sealed),
        };
        let key = {
            let mut known = self.known.lock().await;
            self.numbered(&mut known, table, &owner.channel, number).await?
        };
        key.open(owner, sealed)
    }

    /// Makes the next data key where the newest has sealed for long enough, or there is none. For whoever may make keys.
    pub(crate) async fn renew(&self, table: &Table, channel: &ChannelId, now: Timestamp, mark: u128) -> Result<(), StoreError> {
        let mut known = self.known.lock().await;
        if known.newest.get(channel).is_some_and(|newest| !newest.is_over(now)) {
            return Ok(());
        }
        let Some(first) = table.get(keys::data_key(channel, FIRST)).await? else {
            return self.make_first(&mut known, table, channel, Some(now), mark).await.map(drop);
        };
        let newest = Newest::of(&first)?;
        if !newest.is_over(now) {
            known.newest.insert(channel.clone(), newest);
            return Ok(());
        }
        let number = newest.number.checked_add(1).ok_or_else(|| corrupt(NEWEST))?;
        let (plain, wrapped) = self.generate(channel).await?;
        let is_unchanged =
            if first.has(NEWEST) { Condition::new("newest = :newest", ":newest", newest.number) } else { Condition::IS_ONLY };
        let first = first.with_number(NEWEST, number).with_number(MADE_AT, now.as_millisecond());
        let next = Row::new(keys::data_key(channel, number)).with_bytes(WRAPPED, wrapped);
        if table.write_all(vec![Write::Put(next, None), Write::Put(first, Some(is_unchanged))]).await? {
            known.keys.insert((channel.clone(), number), Arc::new(DataKey::new(plain.as_ref())?));
            known.newest.insert(channel.clone(), Newest { number, made_at: now });
        } else {
            known.newest.remove(channel); // somebody else has made it
        }
        Ok(())
    }

    /// The key that seals, with its number. Made if there is none and a mark for its row is given.
    async fn newest(
        &self,
        known: &mut Known,
        table: &Table,
        channel: &ChannelId,
        make: Option<u128>,
    ) -> Result<(u16, Arc<DataKey>), StoreError> {
        let number = match known.newest.get(channel) {
            Some(newest) => newest.number,
            None => match (table.get(keys::data_key(channel, FIRST)).await?, make) {
                (Some(first), _) => {
                    let newest = Newest::of(&first)?;
                    known.newest.insert(channel.clone(), newest);
                    newest.number
                }
                (None, Some(mark)) => return Ok((FIRST, self.make_first(known, table, channel, None, mark).await?)),
                (None, None) => return Err(missing()),
            },
        };
        Ok((number, self.numbered(known, table, channel, number).await?))
    }

    /// The key of that number.
    async fn numbered(
        &self,
        known: &mut Known,
        table: &Table,
        channel: &ChannelId,
        number: u16,
    ) -> Result<Arc<DataKey>, StoreError> {
        if let Some(key) = known.keys.get(&(channel.clone(), number)) {
            return Ok(Arc::clone(key));
        }
        let row = table.get(keys::data_key(channel, number)).await?.ok_or_else(missing)?;
        let plain = self.unwrap_key(channel, row.bytes(WRAPPED)?).await?;
        keep(known, channel, number, &plain)
    }

    /// The channel's first key; that of somebody who was faster, if there is one.
    async fn make_first(
        &self,
        known: &mut Known,
        table: &Table,
        channel: &ChannelId,
        now: Option<Timestamp>,
        mark: u128,
    ) -> Result<Arc<DataKey>, StoreError> {
        let (plain, wrapped) = self.generate(channel).await?;
        let row = Row::new(keys::data_key(channel, FIRST)).with_bytes(WRAPPED, wrapped);
        let row = match now {
            Some(now) => row.with_number(MADE_AT, now.as_millisecond()),
            None => row,
        };
        let plain = match table.put_if(row, &Condition::IS_FREE, mark).await? {
            Written::Yes => plain,
            Written::No(Some(there)) => self.unwrap_key(channel, there.bytes(WRAPPED)?).await?,
            Written::No(None) => return Err(unfinished("a data key was deleted at this very moment")),
        };
        keep(known, channel, FIRST, &plain)
    }

    /// A new key, in clear and wrapped.
    async fn generate(&self, channel: &ChannelId) -> Result<(Blob, Vec<u8>), StoreError> {
        let made = self.kms.generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let made = made.encryption_context(CONTEXT, channel.as_str()).send().await;
        let made = made.map_err(|error| unavailable("GenerateDataKey", &error))?;
        match (made.plaintext, made.ciphertext_blob) {
            (Some(plain), Some(wrapped)) => Ok((plain, wrapped.into_inner())),
            _ => Err(unfinished("`GenerateDataKey` gave no key")),
        }
    }

    async fn unwrap_key(&self, channel: &ChannelId, wrapped: &[u8]) -> Result<Blob, StoreError> {
        let unwrapped = self.kms.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(wrapped));
        let unwrapped = unwrapped.encryption_context(CONTEXT, channel.as_str()).send().await;
        let unwrapped = unwrapped.map_err(|error| match error.as_service_error() {
            Some(DecryptError::InvalidCiphertextException(_) | DecryptError::IncorrectKeyException(_)) => {
                corrupt("a channel's data key, which this KMS key did not wrap")
            }
            _ => unavailable("Decrypt", &error),
        })?;
        unwrapped.plaintext.ok_or_else(|| unfinished("`Decrypt` gave no key"))
    }
}

fn keep(known: &mut Known, channel: &ChannelId, number: u16, plain: &Blob) -> Result<Arc<DataKey>, StoreError> {
    let key = Arc::new(DataKey::new(plain.as_ref())?);
    known.keys.insert((channel.clone(), number), Arc::clone(&key));
    Ok(key)
}

fn missing() -> StoreError {
    corrupt("a channel's data key, which is not there")
}
