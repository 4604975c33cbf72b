//! Secrets that travel in a file: AES-256-GCM under a key made of a passphrase, each bound to what it belongs to.
//!
//! Promise: neither passphrase nor secret appears in an error or in `Debug`.
//! <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2>

use std::{fmt, fs, num::NonZeroU32, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    pbkdf2::{PBKDF2_HMAC_SHA256, derive},
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clap::Args;
use serde::{Deserialize, Serialize};

/// What OWASP asks for.
const ITERATIONS: u32 = 600_000;

/// The most that a file may ask of whoever opens it.
const MOST_ITERATIONS: u32 = 10_000_000;

/// The fewest characters of a passphrase.
const SHORTEST: usize = 12;

const SALT_LEN: usize = 16;

/// Where the passphrase is.
#[derive(Args)]
pub(crate) struct Passphrase {
    /// A file whose first line is the passphrase; without it, `BELLHOP_PASSPHRASE`.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The passphrase itself; not for a command line, where others can read it.
    #[arg(long, env = "BELLHOP_PASSPHRASE", hide_env_values = true, hide = true)]
    passphrase: Option<String>,
}

impl Passphrase {
    /// It, if there is one.
    pub(crate) fn read(&self) -> Result<Option<String>> {
        let text = match &self.passphrase_file {
            Some(file) => {
                let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            None => self.passphrase.clone(),
        };
        match text {
            Some(text) if text.chars().count() < SHORTEST => bail!("a passphrase has {SHORTEST} characters or more"),
            other => Ok(other),
        }
    }
}

/// How a file's key is made of its passphrase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealing {
    kdf: Kdf,
    iterations: u32,
    salt: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kdf {
    #[serde(rename = "pbkdf2-hmac-sha256")]
    Pbkdf2,
}

impl Sealing {
    /// With a salt of its own.
    pub(crate) fn new() -> Result<Self> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).map_err(|_| anyhow!("the system has no randomness"))?;
        Ok(Self { kdf: Kdf::Pbkdf2, iterations: ITERATIONS, salt: BASE64.encode(salt) })
    }

    pub(crate) fn key(&self, passphrase: &str) -> Result<Key> {
        let Self { kdf: Kdf::Pbkdf2, iterations, salt } = self;
        let iterations = NonZeroU32::new(*iterations).filter(|iterations| iterations.get() <= MOST_ITERATIONS);
        let iterations = iterations.with_context(|| format!("`iterations` takes 1 to {MOST_ITERATIONS}"))?;
        let salt = BASE64.decode(salt).context("`salt` is not base64")?;
        let mut key = [0; 32];
        derive(PBKDF2_HMAC_SHA256, iterations, &salt, passphrase.as_bytes(), &mut key);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| anyhow!("no key can be made of this passphrase"))?;
        Ok(Key(key))
    }
}

/// Seals and opens.
pub(crate) struct Key(RandomizedNonceKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// `plain`, which belongs to `owner`, sealed: nonce, text, tag.
    pub(crate) fn seal(&self, owner: &str, plain: String) -> Result<String> {
        let mut sealed = plain.into_bytes();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut sealed);
        let nonce = nonce.map_err(|_| anyhow!("it cannot be sealed"))?;
        Ok(BASE64.encode([&nonce.as_ref()[..], &sealed].concat()))
    }

    /// What was sealed for that owner.
    pub(crate) fn open(&self, owner: &str, sealed: &str) -> Result<String> {
        let wrong = || anyhow!("`{owner}` does not open: is this the passphrase that the file was written with?");
        let mut sealed = BASE64.decode(sealed).map_err(|_| wrong())?;
        let rest = sealed.split_off(NONCE_LEN.min(sealed.len()));
        let nonce = Nonce::try_assume_unique_for_key(&sealed).map_err(|_| wrong())?;
        let mut rest = rest;
        let plain = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut rest).map_err(|_| wrong())?;
        String::from_utf8(plain.to_vec()).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(passphrase: &str) -> Key {
        let sealing = Sealing { kdf: Kdf::Pbkdf2, iterations: 1, salt: BASE64.encode([7; SALT_LEN]) };
        sealing.key(passphrase).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_for_its_owner_alone() {
        let sealed = key("correct horse").seal("desk", "s3cret".to_owned()).unwrap();
        assert_eq!(key("correct horse").open("desk", &sealed).unwrap(), "s3cret");
        assert!(key("correct horse").open("phone", &sealed).is_err());
        assert!(key("wrong horse").open("desk", &sealed).is_err());
        assert!(key("correct horse").open("desk", "AAAA").is_err());
        assert!(!sealed.contains("s3cret"));
    }

    #[test]
    fn a_file_cannot_ask_for_endless_work() {
        let sealing = Sealing { kdf: Kdf::Pbkdf2, iterations: u32::MAX, salt: String::new() };
        assert!(sealing.key("correct horse").unwrap_err().to_string().contains("iterations"));
    }
}
