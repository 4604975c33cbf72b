//! Secret parameters and providers' tokens, sealed: AES-256-GCM, bound to whose they are. Data keys are sealed in the same
//! form by the key above them.
//!
//! Promises: what was sealed opens for the owner that it was sealed for, and for no other; neither keys nor what is sealed
//! appears in an error or in `Debug`. Left to others: where keys come from and where they are kept (KMS in `shared/aws`, a
//! file in `shared/embedded`).

pub mod vapid;

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use bellhop_core::{
    StoreError,
    model::{AccountId, ChannelId, Name, Registration},
    token::TokenKey,
    vapid::CHANNEL,
};

/// Before the nonce: how the rest is sealed.
const FORMAT: u8 = 1;

/// The bytes of a new key.
pub struct Fresh([u8; 32]);

impl Fresh {
    /// 256 random bits.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| StoreError::Unavailable("no random bytes for a key".to_owned()))?;
        Ok(Self(bytes))
    }

    /// The bytes themselves, to be kept.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh")
    }
}

/// A key that seals and opens.
pub struct DataKey(RandomizedNonceKey);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

impl DataKey {
    /// Of 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, StoreError> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| StoreError::Corrupt("a key of 32 bytes".to_owned()))
    }

    /// Seals for that owner. Under a new random nonce each time: one key is good for 2³² of them.
    /// <https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf>
    pub fn seal(&self, owner: &Owner, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut text = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(&owner.bound_to), &mut text);
        let nonce = nonce.map_err(|_| StoreError::Unavailable("nothing was sealed".to_owned()))?;
        Ok([&[FORMAT][..], nonce.as_ref(), &text].concat())
    }

    /// Opens what was sealed for that owner.
    pub fn open(&self, owner: &Owner, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let broken = || StoreError::Corrupt("sealed text, which is not what was sealed for this owner by this key".to_owned());
        let (format, rest) = sealed.split_first().ok_or_else(broken)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        if *format != FORMAT {
            return Err(StoreError::Corrupt("sealed text of a later program".to_owned()));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut rest = rest.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(&owner.bound_to), &mut rest).map_err(|_| broken())?.len();
        rest.truncate(length);
        Ok(rest)
    }
}

/// What a seal is good for alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// By whose data key.
    pub channel: ChannelId,
    bound_to: Vec<u8>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({})", self.channel)
    }
}

impl Owner {
    /// Names have no NUL and are not empty, so that no two lists of them are one.
    fn new(channel: &ChannelId, names: &[&str]) -> Self {
        Self { channel: channel.clone(), bound_to: names.join("\0").into_bytes() }
    }

    /// Of a registration's parameters.
    pub fn registration(Registration { account, name, channel, .. }: &Registration) -> Self {
        Self::params(account, name, channel)
    }

    /// The same, by its names.
    pub fn params(account: &AccountId, name: &Name, channel: &ChannelId) -> Self {
        Self::new(channel, &[account.as_str(), name.as_str(), channel.as_str()])
    }

    /// Of the parameters that a registration had up to that version.
    pub fn former(account: &AccountId, name: &Name, channel: &ChannelId, version: u64) -> Self {
        Self::new(channel, &[account.as_str(), name.as_str(), channel.as_str(), &version.to_string()])
    }

    /// Of a provider's token.
    pub fn token(TokenKey { account, channel, credential }: &TokenKey) -> Self {
        Self::new(channel, &[account.as_str(), "", channel.as_str(), &credential.to_string()])
    }

    /// Of the private part of the deployment's key of Web Push.
    pub fn vapid() -> Self {
        Self::new(&ChannelId::new(CHANNEL), &["", "", CHANNEL])
    }

    /// Of a channel's data key.
    pub fn data_key(channel: &ChannelId) -> Self {
        Self::new(channel, &["", channel.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::token::Credential;

    use super::*;

    fn key() -> DataKey {
        DataKey::new(&[7; 32]).unwrap()
    }

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).unwrap()
    }

    fn name(name: &str) -> Name {
        Name::parse(name).unwrap()
    }

    fn token(account_name: &str, channel: &str, secret: &str) -> Owner {
        let (account, channel, credential) = (account(account_name), ChannelId::new(channel), Credential::of(&[secret]));
        Owner::token(&TokenKey { account, channel, credential })
    }

    #[test]
    fn what_was_sealed_opens_for_its_owner_alone() {
        let bark = ChannelId::new("bark");
        let owners = [
            Owner::registration(&bellhop_testkit::registration("phone")),
            Owner::params(&account("main"), &name("phone"), &bark),
            Owner::params(&account("other"), &name("phone"), &bark),
            Owner::params(&account("main"), &name("desk"), &bark),
            Owner::former(&account("main"), &name("phone"), &bark, 1),
            Owner::former(&account("main"), &name("phone"), &bark, 2),
            Owner::former(&account("other"), &name("phone"), &bark, 1),
            token("main", "bark", "a"),
            token("other", "bark", "a"),
            token("main", "fcm", "a"),
            token("main", "bark", "b"),
            Owner::vapid(),
            Owner::data_key(&ChannelId::new(CHANNEL)),
            Owner::data_key(&bark),
            Owner::data_key(&ChannelId::new("fcm")),
        ];
        for (at, owner) in owners.iter().enumerate() {
            let sealed = key().seal(owner, b"secret").unwrap();
            let opened: Vec<_> = owners.iter().map(|other| key().open(other, &sealed).ok()).collect();
            let wanted: Vec<_> = (0..owners.len()).map(|other| (at == other).then(|| b"secret".to_vec())).collect();
            assert_eq!(opened, wanted, "number {at}");
        }
    }

    #[test]
    fn what_was_sealed_opens_by_its_key_alone() {
        let owner = token("main", "fcm", "a");
        let sealed = key().seal(&owner, b"secret").unwrap();
        let other = DataKey::new(Fresh::random().unwrap().expose()).unwrap();
        assert!(matches!(other.open(&owner, &sealed), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let owner = token("main", "fcm", "a");
        let sealed = key().seal(&owner, b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(key().open(&owner, &broken).is_err(), "byte {at}");
            assert!(key().open(&owner, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way_twice() {
        let seal = || key().seal(&token("main", "fcm", "a"), b"secret").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn keys_print_nothing() {
        let fresh = Fresh([7; 32]);
        assert_eq!(format!("{fresh:?} {:?}", DataKey::new(fresh.expose()).unwrap()), "Fresh DataKey");
    }

    #[test]
    fn what_is_not_as_long_as_a_key_is_none() {
        assert!(DataKey::new(&[7; 31]).is_err());
    }
}
