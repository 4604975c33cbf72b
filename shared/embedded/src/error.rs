//! What can go wrong here, and how it reads for the callers of the ports. No text holds stored data.

use std::{io, path::PathBuf};

use bellhop_core::StoreError;
use rusqlite::ErrorCode;
use serde::de::DeserializeOwned;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error("`{0}` is in use by another `bellhop serve`; stop that one, or name another directory")]
    InUse(PathBuf),
    /// A later program made it.
    #[error("`{dir}` has data of schema version {found}, and this program knows {known} at most; use the newer program")]
    Newer {
        /// Where.
        dir: PathBuf,
        /// The version that is there.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// The key is gone that sealed what is there.
    #[error("`{0}` is missing: what the database beside it keeps sealed opens by that key alone; put it back from a backup")]
    NoSealKey(PathBuf),
    /// Another key sealed what is there.
    #[error("`{0}` is not the key that sealed what is in the database beside it; put the right one back from a backup")]
    WrongSealKey(PathBuf),
    /// A file or folder cannot be made or read.
    #[error("`{path}` cannot be used ({error}); see that it is a folder of this user with room on its disk")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// SQLite cannot work with the file.
    #[error("the database in `{dir}` cannot be used ({error}); run `bellhop doctor`, or restore a backup")]
    Database {
        /// Where.
        dir: PathBuf,
        /// Why.
        error: rusqlite::Error,
    },
    /// What is stored makes no sense.
    #[error("the database in `{dir}` cannot be used ({error}); restore a backup")]
    Unreadable {
        /// Where.
        dir: PathBuf,
        /// What.
        error: StoreError,
    },
}

/// A failure inside this crate on its way to becoming a [`StoreError`], so that `?` works on SQLite's errors.
#[derive(Debug)]
pub(crate) struct Fault(StoreError);

impl Fault {
    /// Stored data makes no sense. `what` names the kind of thing, never its content.
    pub(crate) fn corrupt(what: &str) -> Self {
        Self(StoreError::Corrupt(what.to_owned()))
    }

    /// Whether it is about what is stored, and not about reaching it.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self.0, StoreError::Corrupt(_))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

/// <https://www.sqlite.org/rescode.html>
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let damaged = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => true,
            _ => false, // the enum is not exhaustive; the rest is a fault of ours or of the disk
        };
        let text = error.to_string();
        Self(if damaged { StoreError::Corrupt(text) } else { StoreError::Unavailable(text) })
    }
}

/// A failure of the file system.
pub(crate) fn unavailable(error: &io::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Reads stored JSON. The error says what and where, but not what was there: that may be a secret.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::corrupt(&format!("{what}: column {} of its JSON", error.column())))
}

/// Writes JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("it does not become JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_row_does_not_tell_its_content() {
        let fault = parse::<u32>("a key", "\"s3cret\"").unwrap_err();
        assert!(!StoreError::from(fault).to_string().contains("s3cret"));
    }
}
