//! The key of a data directory, in a file that its owner alone can read: it wraps the channels' data keys.
//!
//! Promises: no new key is made over data that another one sealed; a change of keys that was broken off is taken up where
//! the database stands ([`crate::rotation`] writes the next key beside the present one, reseals, and then lets it take over).

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bellhop_core::StoreError;
use bellhop_seal::{DataKey, Fresh};
use rusqlite::Connection;

use crate::{
    OpenError, directory,
    error::Fault,
    sealing::{Seals, data_keys},
};

const FILE: &str = "seal-key";

/// The key that takes over once the database is sealed with it.
const NEXT: &str = "seal-key.new";

/// What a data directory has for a key.
#[derive(Debug)]
pub(crate) enum Found {
    /// The one that its database is sealed with.
    Fits(Seals),
    /// The next one fits: whoever changed the keys did not come to the end.
    NextFits(Seals),
    /// None, and nothing is sealed yet.
    NotNeeded,
    /// None.
    Missing,
    /// Another one.
    Wrong,
}

/// Where the key is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Looks which key opens the data keys in the database of `dir`, changing nothing.
pub(crate) fn look(dir: &Path, connection: &Connection) -> Result<Found, OpenError> {
    let unreadable = |fault: Fault| OpenError::Unreadable { dir: dir.to_owned(), error: fault.into() };
    let is_needed = !data_keys(connection).map_err(unreadable)?.is_empty();
    let fitting = |name: &str| match read(&dir.join(name))? {
        Some(key) => {
            let seals = Seals::under(key);
            Ok(seals.check(connection).map_err(unreadable)?.is_empty().then_some(seals))
        }
        None => Ok(None),
    };
    if let Some(seals) = fitting(FILE)? {
        return Ok(Found::Fits(seals));
    }
    if !is_needed {
        return Ok(Found::NotNeeded);
    }
    if let Some(seals) = fitting(NEXT)? {
        return Ok(Found::NextFits(seals));
    }
    Ok(if path(dir).exists() { Found::Wrong } else { Found::Missing })
}

/// What the database of `dir` is sealed with: by the key that is there, or by a new one if nothing is sealed yet.
pub(crate) fn open(dir: &Path, connection: &Connection) -> Result<Seals, OpenError> {
    let failed = |error| OpenError::Io { path: path(dir), error };
    match look(dir, connection)? {
        Found::Fits(seals) => {
            forget_next(dir).map_err(failed)?;
            Ok(seals)
        }
        Found::NextFits(seals) => {
            take_over(dir).map_err(failed)?;
            Ok(seals)
        }
        Found::NotNeeded => {
            let key = write_next(dir)?;
            take_over(dir).map_err(failed)?;
            Ok(Seals::under(key))
        }
        Found::Missing => Err(OpenError::NoSealKey(path(dir))),
        Found::Wrong => Err(OpenError::WrongSealKey(path(dir))),
    }
}

/// Writes a new key beside the present one. It is on the disk when this returns.
pub(crate) fn write_next(dir: &Path) -> Result<DataKey, OpenError> {
    let unavailable = |error: StoreError| OpenError::Unreadable { dir: dir.to_owned(), error };
    let fresh = Fresh::random().map_err(unavailable)?;
    let write = || -> io::Result<()> {
        let mut file = directory::private_file(&dir.join(NEXT))?;
        file.set_len(0)?;
        for byte in fresh.expose() {
            write!(file, "{byte:02x}")?;
        }
        writeln!(file)?;
        file.sync_all()?;
        directory::sync(dir)
    };
    write().map_err(|error| OpenError::Io { path: dir.join(NEXT), error })?;
    DataKey::new(fresh.expose()).map_err(unavailable)
}

/// The next key is the present one from now on.
pub(crate) fn take_over(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join(NEXT), path(dir))?;
    directory::sync(dir)
}

fn forget_next(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(NEXT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The key in a file, if there is one.
fn read(path: &Path) -> Result<Option<DataKey>, OpenError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(parse(text.trim_end())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None), // no text, so no key
        Err(error) => Err(OpenError::Io { path: path.to_owned(), error }),
    }
}

/// 64 hexadecimal digits.
fn parse(text: &str) -> Option<DataKey> {
    let bytes = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes = bytes.collect::<Option<Vec<_>>>().filter(|_| text.len() == 64)?;
    DataKey::new(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_nothing_else() {
        assert!(parse(&"0f".repeat(32)).is_some());
        for bad in [String::new(), "0f".repeat(31), "0f".repeat(33), "+f".repeat(32), "0g".repeat(32), "é".repeat(32)] {
            assert!(parse(&bad).is_none(), "{bad}");
        }
    }
}
