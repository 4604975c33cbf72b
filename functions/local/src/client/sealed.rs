//! Secrets that travel in a file: sealed as at rest ([`bellhop_seal`]), by a key made of a passphrase.
//!
//! Promise: neither passphrase nor secret appears in an error or in `Debug`.
//! <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2>

use std::{fs, num::NonZeroU32, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::{
    pbkdf2::{PBKDF2_HMAC_SHA256, derive},
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bellhop_seal::{DataKey, Owner};
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
        Ok(Key(DataKey::new(&key)?))
    }
}

/// Seals and opens.
#[derive(Debug)]
pub(crate) struct Key(DataKey);

impl Key {
    /// `plain`, which belongs to `owner`, sealed.
    pub(crate) fn seal(&self, owner: &Owner, plain: &str) -> Result<String> {
        Ok(BASE64.encode(self.0.seal(owner, plain.as_bytes())?))
    }

    /// What was sealed for that owner.
    pub(crate) fn open(&self, owner: &Owner, sealed: &str) -> Result<String> {
        let wrong = "it does not open: is this the passphrase that the file was written with?";
        let plain = self.0.open(owner, &BASE64.decode(sealed).context(wrong)?).context(wrong)?;
        String::from_utf8(plain).context(wrong)
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{AccountId, ChannelId, Name};

    use super::*;

    fn key(passphrase: &str) -> Key {
        let sealing = Sealing { kdf: Kdf::Pbkdf2, iterations: 1, salt: BASE64.encode([7; SALT_LEN]) };
        sealing.key(passphrase).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_for_its_owner_alone() {
        let owner = |name: &str| {
            let (account, name) = (AccountId::parse("export").unwrap(), Name::parse(name).unwrap());
            Owner::params(&account, &name, &ChannelId::new("webhook"))
        };
        let sealed = key("correct horse").seal(&owner("desk"), "s3cret").unwrap();
        assert_eq!(key("correct horse").open(&owner("desk"), &sealed).unwrap(), "s3cret");
        assert!(key("correct horse").open(&owner("phone"), &sealed).is_err());
        assert!(key("wrong horse").open(&owner("desk"), &sealed).is_err());
        assert!(key("correct horse").open(&owner("desk"), "AAAA").is_err());
        assert!(!sealed.contains("s3cret"));
    }

    #[test]
    fn a_file_cannot_ask_for_endless_work() {
        let sealing = Sealing { kdf: Kdf::Pbkdf2, iterations: u32::MAX, salt: String::new() };
        assert!(sealing.key("correct horse").unwrap_err().to_string().contains("iterations"));
    }
}
