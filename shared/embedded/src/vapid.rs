//! The deployment's key of Web Push: one row, the private part sealed.
//!
//! Promise: a key that does not open is never replaced, since every subscription is bound to it.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    ports::Vapid,
    token::Secret,
    vapid::{CHANNEL, VapidKey},
};
use bellhop_seal::{Owner, vapid};
use rusqlite::{Connection, OptionalExtension};

use crate::{Store, error::Fault, sealing::Seals};

#[async_trait]
impl Vapid for Store {
    async fn public(&self) -> Result<Option<String>, StoreError> {
        self.readers
            .read(|connection| Ok(connection.query_row("SELECT public FROM vapid", [], |row| row.get(0)).optional()?))
            .await
    }

    async fn key(&self) -> Result<VapidKey, StoreError> {
        let seals = Arc::clone(&self.memory.seals);
        if let Some(key) = self.readers.read(move |connection| get(connection, &seals)).await? {
            return Ok(key);
        }
        self.write(|tx| {
            if let Some(key) = get(tx.connection, tx.seals)? {
                return Ok(key);
            }
            let key = vapid::fresh()?;
            put(tx.connection, tx.seals, &key)?;
            Ok(key)
        })
        .await
    }
}

/// The key, if there is one.
pub(crate) fn get(connection: &Connection, seals: &Seals) -> Result<Option<VapidKey>, Fault> {
    let mut find =
        connection.prepare_cached("SELECT v.public, v.sealed, k.wrapped FROM vapid v LEFT JOIN data_keys k ON k.channel = ?1")?;
    let read = find.query_row([CHANNEL], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)));
    let Some((public, sealed, wrapped)) = read.optional()? else { return Ok(None) };
    let private = Secret::new(seals.open(&Owner::vapid(), &sealed, wrapped)?);
    Ok(Some(VapidKey { private, public }))
}

/// Keeps it, in the place of the same under an older data key.
pub(crate) fn put(connection: &Connection, seals: &Seals, key: &VapidKey) -> Result<(), Fault> {
    let sealed = seals.seal(connection, &Owner::vapid(), key.private.expose())?;
    let mut keep = connection.prepare_cached("INSERT OR REPLACE INTO vapid (id, public, sealed) VALUES (1, ?1, ?2)")?;
    keep.execute((&key.public, sealed))?;
    Ok(())
}
