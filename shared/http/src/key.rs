//! API keys as text: `bh_<id>_<secret>`. Pure.
//!
//! Promise: a secret is in an answer once, when it was made; nowhere else is it printed.

use std::fmt;

use bellhop_core::model::KeyId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A whole key: names itself, and proves that its holder may use it. Prints its id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Which key.
    pub id: KeyId,
    secret: String,
}

/// The text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a key is `bh_<id>_<secret>`: an id of 4 to 32 letters and digits, a secret of 32 to 256 visible ASCII characters",
        )
    }
}

impl std::error::Error for NotAKey {}

impl Credential {
    /// What is stored instead of the secret.
    pub fn hash(&self) -> String {
        hash_secret(&self.secret)
    }

    /// What the forms of a session carry that this key is the key of: it follows from the secret, and does not tell it.
    pub fn form_token(&self) -> String {
        hash_secret(&format!("a form of the session\n{}", self.secret))
    }

    /// The whole key in clear: for its owner's eyes, once.
    pub fn expose(&self) -> String {
        format!("bh_{}_{}", self.id.part(), self.secret)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.id)
    }
}

/// Reads a key as its owner writes it.
pub fn parse_key(text: &str) -> Result<Credential, NotAKey> {
    let (id, secret) = text.strip_prefix("bh_").and_then(|rest| rest.split_once('_')).ok_or(NotAKey)?;
    let fits = (32..=256).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    let id = KeyId::from_part(id).map_err(|_| NotAKey)?;
    if fits { Ok(Credential { id, secret: secret.to_owned() }) } else { Err(NotAKey) }
}

/// A new key under that id, with a secret out of 256 bits of chance.
pub fn new_key(id: KeyId, chance: [u128; 2]) -> Credential {
    let [high, low] = chance;
    Credential { id, secret: format!("{high:032x}{low:032x}") }
}

/// SHA-256, hex: the form in which a secret is stored.
pub fn hash_secret(secret: &str) -> String {
    sha256_hex(secret.as_bytes())
}

/// Whether it is the secret that was stored in that form; takes as long either way.
pub fn proves(secret: &str, stored: &str) -> bool {
    bool::from(hash_secret(secret).as_bytes().ct_eq(stored.as_bytes()))
}

/// SHA-256, hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    let digits = digits.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_new_key_reads_back_and_hashes_the_same() {
        let key = new_key(KeyId::from_chance(5), [1, u128::MAX]);
        assert_eq!(parse_key(&key.expose()), Ok(key.clone()));
        assert_eq!(key.hash().len(), 64);
    }

    #[test]
    fn the_hash_is_that_of_the_secret_alone() {
        // printf abc | sha256sum
        assert_eq!(hash_secret("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(parse_key(&format!("bh_admin_{SECRET}")).unwrap().hash(), hash_secret(SECRET));
        assert!(proves("abc", &hash_secret("abc")) && !proves("xyz", &hash_secret("abc")));
    }

    #[test]
    fn a_secret_may_hold_the_separator() {
        assert!(parse_key(&format!("bh_admin_{SECRET}_more")).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let short = SECRET.trim_end_matches('f');
        let bad = [
            String::new(),
            SECRET.to_owned(),
            format!("bh_{SECRET}"),
            format!("bh_admin_{short}"),
            format!("bh_a_{SECRET}"),
            format!("bh_ad min_{SECRET}"),
            format!("bh_admin_{SECRET}\n"),
            format!("bh_admin_{SECRET}é"),
            format!("key_admin_{SECRET}"),
            format!("bh_admin_{}", "x".repeat(257)),
        ];
        for text in bad {
            assert_eq!(parse_key(&text), Err(NotAKey), "{text}");
        }
    }

    #[test]
    fn a_key_prints_no_secret() {
        let printed = format!("{:?}", parse_key(&format!("bh_admin_{SECRET}")).unwrap());
        assert_eq!(printed, "Credential(key_admin)");
    }
}
