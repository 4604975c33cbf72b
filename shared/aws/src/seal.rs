//! Secret parameters and providers' tokens, sealed with a data key per channel ([`bellhop_seal`]).
//!
//! The data key lies in the table, wrapped by KMS under the encryption context `{channel}`, so that a role that may unwrap
//! one channel's key may unwrap no other; it is unwrapped once per environment. Promise: neither keys nor what is sealed
//! appears in an error or in `Debug`.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::{collections::HashMap, fmt, sync::Arc};

use aws_sdk_kms::{Client, operation::decrypt::DecryptError, primitives::Blob, types::DataKeySpec};
use bellhop_core::{StoreError, model::ChannelId};
use bellhop_seal::{DataKey, Owner};
use tokio::sync::Mutex;

use crate::{
    dynamo::{
        Table, keys,
        table::{Condition, Row, Written},
    },
    error::{corrupt, unavailable, unfinished},
};

const WRAPPED: &str = "wrapped";
const CONTEXT: &str = "channel";

/// Seals and opens.
pub(crate) struct Seal {
    kms: Client,
    key_id: String,
    /// Held while a key is unwrapped: one call serves all who wait for it.
    data_keys: Mutex<HashMap<ChannelId, Arc<DataKey>>>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(crate) fn new(kms: Client, key_id: String) -> Self {
        Self { kms, key_id, data_keys: Mutex::default() }
    }

    /// Unwraps a channel's data key ahead of time, if it has one.
    pub(crate) async fn warm(&self, table: &Table, channel: &ChannelId) -> Result<(), StoreError> {
        self.data_key(table, channel, None).await.map(drop)
    }

    /// A text of that owner, sealed. `mark` is random.
    pub(crate) async fn seal(&self, table: &Table, owner: &Owner, plain: &str, mark: u128) -> Result<Vec<u8>, StoreError> {
        self.data_key(table, &owner.channel, Some(mark)).await?.seal(owner, plain.as_bytes())
    }

    /// What was sealed for that owner.
    pub(crate) async fn open(&self, table: &Table, owner: &Owner, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.data_key(table, &owner.channel, None).await?.open(owner, sealed)
    }

    /// The channel's data key. Made if there is none and a mark for its row is given.
    async fn data_key(&self, table: &Table, channel: &ChannelId, make: Option<u128>) -> Result<Arc<DataKey>, StoreError> {
        let mut data_keys = self.data_keys.lock().await;
        if let Some(known) = data_keys.get(channel) {
            return Ok(Arc::clone(known));
        }
        let plain = match (table.get(keys::data_key(channel)).await?, make) {
            (Some(row), _) => self.unwrap_key(channel, row.bytes(WRAPPED)?).await?,
            (None, Some(mark)) => self.make_key(table, channel, mark).await?,
            (None, None) => return Err(corrupt("a channel's data key, which is not there")),
        };
        let key = Arc::new(DataKey::new(plain.as_ref())?);
        data_keys.insert(channel.clone(), Arc::clone(&key));
        Ok(key)
    }

    async fn make_key(&self, table: &Table, channel: &ChannelId, mark: u128) -> Result<Blob, StoreError> {
        let made = self.kms.generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let made = made.encryption_context(CONTEXT, channel.as_str()).send().await;
        let made = made.map_err(|error| unavailable("GenerateDataKey", &error))?;
        let (Some(plain), Some(wrapped)) = (made.plaintext, made.ciphertext_blob) else {
            return Err(unfinished("`GenerateDataKey` gave no key"));
        };
        let row = Row::new(keys::data_key(channel)).with_bytes(WRAPPED, wrapped.into_inner());
        match table.put_if(row, &Condition::IS_FREE, mark).await? {
            Written::Yes => Ok(plain),
            Written::No(Some(there)) => self.unwrap_key(channel, there.bytes(WRAPPED)?).await,
            Written::No(None) => Err(unfinished("a data key was deleted at this very moment")),
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
