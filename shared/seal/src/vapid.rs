//! The deployment's key of Web Push: made here, and looked at whether it is one. <https://www.rfc-editor.org/rfc/rfc8292>

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    encoding::{AsBigEndian, EcPrivateKeyBin},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bellhop_core::{StoreError, token::Secret, vapid::VapidKey};

/// A new one.
pub fn fresh() -> Result<VapidKey, StoreError> {
    let made = || -> Result<VapidKey, aws_lc_rs::error::Unspecified> {
        let key = PrivateKey::generate(&ECDH_P256)?;
        let private: EcPrivateKeyBin<'_> = key.as_be_bytes()?;
        let private = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(private.as_ref()));
        Ok(VapidKey { private, public: public(&key)? })
    };
    made().map_err(|_| StoreError::Unavailable("no key of Web Push could be made".to_owned()))
}

/// Whether the public part belongs to the private one.
pub fn is_pair(key: &VapidKey) -> bool {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(key.private.expose()).unwrap_or_default();
    let private = PrivateKey::from_private_key(&ECDH_P256, &bytes);
    private.is_ok_and(|private| public(&private).is_ok_and(|public| public == key.public))
}

fn public(key: &PrivateKey) -> Result<String, aws_lc_rs::error::Unspecified> {
    key.compute_public_key().map(|public| BASE64_URL_SAFE_NO_PAD.encode(public.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_a_pair_and_another_one_each_time() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.private.expose().len(), one.public.len()), (43, 87));
        assert!(is_pair(&one) && !is_pair(&VapidKey { public: other.public, ..one }));
    }

    /// <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>
    #[test]
    fn the_published_key_is_a_pair() {
        let private = Secret::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8".to_owned();
        assert!(is_pair(&VapidKey { private, public: public.clone() }));
        assert!(!is_pair(&VapidKey { private: Secret::new("no key"), public }));
    }
}
