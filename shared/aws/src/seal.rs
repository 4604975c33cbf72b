//! Secret parameters and providers' tokens, sealed: AES-256-GCM with a data key per channel, bound to whose they are.
//!
//! The data key lies in the table, wrapped by KMS under the encryption context `{channel}`, so that a role that may unwrap
//! one channel's key may unwrap no other; it is unwrapped once per environment. Promise: neither keys nor what is sealed
//! appears in an error or in `Debug`.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_sdk_kms::{Client, operation::decrypt::DecryptError, primitives::Blob, types::DataKeySpec};
use bellhop_core::{
    StoreError,
    model::{ChannelId, Registration},
    token::TokenKey,
};
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

/// Before the nonce: how the rest is sealed.
const FORMAT: u8 = 1;

/// Seals and opens.
pub(crate) struct Seal {
    kms: Client,
    key_id: String,
    /// Held while a key is unwrapped: one call serves all who wait for it.
    data_keys: Mutex<HashMap<ChannelId, Arc<RandomizedNonceKey>>>,
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
    pub(crate) async fn seal(&self, table: &Table, owner: &Owner, plain: String, mark: u128) -> Result<Vec<u8>, StoreError> {
        let key = self.data_key(table, &owner.channel, Some(mark)).await?;
        seal_with(&key, &owner.bound_to, plain.into_bytes())
    }

    /// What was sealed for that owner.
    pub(crate) async fn open(&self, table: &Table, owner: &Owner, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.data_key(table, &owner.channel, None).await?;
        open_with(&key, &owner.bound_to, sealed)
    }

    /// The channel's data key. Made if there is none and a mark for its row is given.
    async fn data_key(
        &self,
        table: &Table,
        channel: &ChannelId,
        make: Option<u128>,
    ) -> Result<Arc<RandomizedNonceKey>, StoreError> {
        let mut data_keys = self.data_keys.lock().await;
        if let Some(known) = data_keys.get(channel) {
            return Ok(Arc::clone(known));
        }
        let plain = match (table.get(keys::data_key(channel)).await?, make) {
            (Some(row), _) => self.unwrap_key(channel, row.bytes(WRAPPED)?).await?,
            (None, Some(mark)) => self.make_key(table, channel, mark).await?,
            (None, None) => return Err(corrupt("a channel's data key, which is not there")),
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, plain.as_ref()).map_err(|_| corrupt("a data key"))?;
        let key = Arc::new(key);
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

/// What a seal is good for alone.
pub(crate) struct Owner {
    channel: ChannelId,
    bound_to: Vec<u8>,
}

impl Owner {
    /// Names have no NUL, so that no two lists of them are one.
    fn new(channel: &ChannelId, names: &[&str]) -> Self {
        Self { channel: channel.clone(), bound_to: names.join("\0").into_bytes() }
    }

    /// Of a registration's parameters.
    pub(crate) fn registration(registration: &Registration) -> Self {
        let Registration { account, name, channel, .. } = registration;
        Self::new(channel, &[account.as_str(), name.as_str(), channel.as_str()])
    }

    /// Of a provider's token.
    pub(crate) fn token(TokenKey { account, channel, credential }: &TokenKey) -> Self {
        Self::new(channel, &[account.as_str(), "", channel.as_str(), &credential.to_string()])
    }
}

fn seal_with(key: &RandomizedNonceKey, bound_to: &[u8], mut plain: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let nonce = key.seal_in_place_append_tag(Aad::from(bound_to), &mut plain).map_err(|_| unfinished("nothing was sealed"))?;
    let mut sealed = vec![FORMAT];
    sealed.extend_from_slice(nonce.as_ref());
    sealed.append(&mut plain);
    Ok(sealed)
}

fn open_with(key: &RandomizedNonceKey, bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let broken = || corrupt("sealed text, which is not what was sealed for this owner");
    let (format, rest) = sealed.split_first().ok_or_else(broken)?;
    let (nonce, rest) = rest.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
    if *format != FORMAT {
        return Err(corrupt("sealed text of a later program"));
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut rest = rest.to_vec();
    let length = key.open_in_place(nonce, Aad::from(bound_to), &mut rest).map_err(|_| broken())?.len();
    rest.truncate(length);
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{model::AccountId, token::Credential};

    use super::*;

    fn key() -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_registration_alone() {
        let bound_to = |name| Owner::registration(&bellhop_testkit::registration(name)).bound_to;
        let sealed = seal_with(&key(), &bound_to("phone"), b"{}".to_vec()).unwrap();
        assert_eq!(open_with(&key(), &bound_to("phone"), &sealed).unwrap(), b"{}");
        assert!(matches!(open_with(&key(), &bound_to("desk"), &sealed), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn a_token_opens_for_its_own_account_channel_and_credential_alone() {
        let key_of = |account, channel, secret| TokenKey {
            account: AccountId::parse(account).unwrap(),
            channel: ChannelId::new(channel),
            credential: Credential::of(&[secret]),
        };
        let bound_to = |key| Owner::token(&key).bound_to;
        let sealed = seal_with(&key(), &bound_to(key_of("main", "fcm", "a")), b"t0k".to_vec()).unwrap();
        assert_eq!(open_with(&key(), &bound_to(key_of("main", "fcm", "a")), &sealed).unwrap(), b"t0k");
        for other in [key_of("other", "fcm", "a"), key_of("main", "feishu_app", "a"), key_of("main", "fcm", "b")] {
            assert!(open_with(&key(), &bound_to(other), &sealed).is_err());
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = seal_with(&key(), b"x", b"secret".to_vec()).unwrap();
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(open_with(&key(), b"x", &broken).is_err(), "byte {at}");
            assert!(open_with(&key(), b"x", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way_twice() {
        let seal = || seal_with(&key(), b"x", b"secret".to_vec()).unwrap();
        assert_ne!(seal(), seal());
    }
}
