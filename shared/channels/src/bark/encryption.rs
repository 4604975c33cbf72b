//! Bark's end-to-end encryption: AES in the mode that the app is set to. Only key and mode matter; what the app offers
//! besides (`padding`) follows from the mode.
//! <https://bark.day.app/#/encryption>

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{
        BlockCipherEncrypt, BlockModeEncrypt, BlockSizeUser, KeyInit, KeyIvInit,
        block_padding::Pkcs7,
        consts::{U12, U16},
    },
};
use aes_gcm::{AesGcm, aead::Aead};
use bellhop_core::channel::Params;

use super::spec::ENCRYPTION;

/// How pushes are encrypted.
pub(super) struct Encryption<'a> {
    key: Key<'a>,
    mode: Mode,
}

/// A key of a length that AES has.
#[derive(Clone, Copy)]
enum Key<'a> {
    Aes128(&'a [u8; 16]),
    Aes192(&'a [u8; 24]),
    Aes256(&'a [u8; 32]),
}

#[derive(Clone, Copy)]
enum Mode {
    Cbc,
    Ecb,
    Gcm,
}

impl<'a> Encryption<'a> {
    /// The registration's, or what is wrong with it.
    pub(super) fn of(params: &'a Params) -> Result<Option<Self>, &'static str> {
        let Some(object) = params.object(ENCRYPTION.name) else { return Ok(None) };
        if object.keys().any(|name| !matches!(name.as_str(), "algorithm" | "mode" | "padding" | "key")) {
            return Err("it takes `algorithm`, `mode`, `padding` and `key`; the initialization vector is a new one each time");
        }
        let word = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
        let mode = match word("mode") {
            Some("CBC") | None => Mode::Cbc,
            Some("ECB") => Mode::Ecb,
            Some("GCM") => Mode::Gcm,
            Some(_) => return Err("its `mode` is `CBC`, `ECB` or `GCM`"),
        };
        let bytes = word("key").ok_or("it needs a `key`, which is a text")?.as_bytes();
        let key = [
            bytes.try_into().ok().map(Key::Aes128),
            bytes.try_into().ok().map(Key::Aes192),
            bytes.try_into().ok().map(Key::Aes256),
        ];
        let key = key.into_iter().flatten().next().ok_or("its `key` has 16, 24 or 32 characters")?;
        match word("algorithm") {
            Some(name) if name != key.algorithm() => {
                Err("its `key` has 16 characters for `AES128`, 24 for `AES192`, 32 for `AES256`")
            }
            Some(_) | None => Ok(Some(Self { key, mode })),
        }
    }

    /// How long an initialization vector is; none for ECB.
    pub(super) fn iv_length(&self) -> usize {
        match self.mode {
            Mode::Cbc => 16,
            Mode::Ecb => 0,
            Mode::Gcm => 12,
        }
    }

    /// The ciphertext; for GCM with the tag behind it. `iv` is as long as [`Encryption::iv_length`] says.
    pub(super) fn encrypt(&self, iv: &str, plain: &[u8]) -> Vec<u8> {
        let iv = iv.as_bytes();
        let sealed = match self.key {
            Key::Aes128(key) => seal::<Aes128>(self.mode, key, iv, plain),
            Key::Aes192(key) => seal::<Aes192>(self.mode, key, iv, plain),
            Key::Aes256(key) => seal::<Aes256>(self.mode, key, iv, plain),
        };
        sealed.unwrap_or_default()
    }
}

impl Key<'_> {
    fn algorithm(self) -> &'static str {
        match self {
            Self::Aes128(_) => "AES128",
            Self::Aes192(_) => "AES192",
            Self::Aes256(_) => "AES256",
        }
    }
}

/// Nothing if key or vector have a wrong length.
fn seal<C>(mode: Mode, key: &[u8], iv: &[u8], plain: &[u8]) -> Option<Vec<u8>>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    match mode {
        Mode::Cbc => Some(cbc::Encryptor::<C>::new_from_slices(key, iv).ok()?.encrypt_padded_vec::<Pkcs7>(plain)),
        Mode::Ecb => Some(ecb::Encryptor::<C>::new_from_slice(key).ok()?.encrypt_padded_vec::<Pkcs7>(plain)),
        Mode::Gcm => AesGcm::<C, U12>::new_from_slice(key).ok()?.encrypt(iv.try_into().ok()?, plain).ok(),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde_json::{Value, json};

    use super::*;
    use crate::{bark::SPEC, sample};

    fn params(encryption: &Value) -> Params {
        sample::params(&SPEC, json!({"device_key": "k", "encryption": encryption}))
    }

    fn encrypted(encryption: &Value, iv: &str) -> String {
        let params = params(encryption);
        let Ok(Some(encryption)) = Encryption::of(&params) else { panic!("refused") };
        assert_eq!(encryption.iv_length(), iv.len());
        BASE64_STANDARD.encode(encryption.encrypt(iv, br#"{"body": "test", "sound": "birdsong"}"#))
    }

    #[test]
    fn the_published_vectors_are_met() {
        let (short, long) = ("1234567890123456", "12345678901234561234567890123456");
        assert_eq!(
            encrypted(&json!({"mode": "CBC", "key": short}), "1111111111111111"),
            "d3QhjQjP5majvNt5CjsvFWwqqj2gKl96RFj5OO+u6ynTt7lkyigDYNA3abnnCLpr"
        );
        assert_eq!(
            encrypted(&json!({"mode": "ECB", "key": short}), ""),
            "nyEyuyYwoV+3IkEm9QUUzAOy8Je44anatLeIjsP2cnKV7j1c3K4CXoWCF2gES5SK"
        );
        assert_eq!(
            encrypted(&json!({"mode": "GCM", "key": long}), "111111111111"),
            "3oBm+fOJUmf9jXjRZzxVsrFe8oeVCyn90y0ZoHBZVuHkd/cbfWXBca1Uw+vmq98HQT49kPc="
        );
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused_without_repeating_it() {
        for bad in [
            json!({"key": "s3cret"}),
            json!({"algorithm": "AES256", "key": "s3crets3crets3cr"}),
            json!({"mode": "CTR", "key": "s3crets3crets3cr"}),
            json!({"key": "s3crets3crets3cr", "iv": "1111111111111111"}),
            json!({"mode": "CBC"}),
        ] {
            let detail = Encryption::of(&params(&bad)).err().unwrap();
            assert!(!detail.contains("s3cret"), "{bad}");
        }
    }

    #[test]
    fn every_length_of_key_is_an_algorithm() {
        for (algorithm, length) in [("AES128", 16), ("AES192", 24), ("AES256", 32)] {
            let encryption = json!({"algorithm": algorithm, "mode": "CBC", "padding": "pkcs7", "key": "k".repeat(length)});
            assert_eq!(encrypted(&encryption, "1111111111111111").len(), 64);
        }
    }
}
