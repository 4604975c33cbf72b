//! The channels' data keys, wrapped by the key of the data directory ([`crate::key_file`]), and what is sealed with them.
//!
//! Promise: whatever a transaction does, a text is sealed with no data key but one that lies in the same database: what is
//! remembered here is what wrapped bytes unwrap to, which nothing can change.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bellhop_core::{StoreError, model::ChannelId};
use bellhop_seal::{DataKey, Fresh, Owner};
use rusqlite::{Connection, OptionalExtension};

use crate::error::Fault;

/// Seals and opens.
pub(crate) struct Seals {
    above: DataKey,
    /// By their wrapped bytes.
    unwrapped: Mutex<HashMap<Vec<u8>, Arc<DataKey>>>,
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seals")
    }
}

impl Seals {
    /// By the data keys that `above` wraps.
    pub(crate) fn under(above: DataKey) -> Self {
        Self { above, unwrapped: Mutex::default() }
    }

    /// Seals by the data key of the owner's channel, which is made if there is none.
    pub(crate) fn seal(&self, connection: &Connection, owner: &Owner, plain: &str) -> Result<Vec<u8>, Fault> {
        let mut find = connection.prepare_cached("SELECT wrapped FROM data_keys WHERE channel = ?1")?;
        let wrapped = find.query_row([owner.channel.as_str()], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let key = match wrapped {
            Some(wrapped) => self.unwrap(&owner.channel, &wrapped)?,
            None => self.make(connection, &owner.channel)?,
        };
        Ok(key.seal(owner, plain.as_bytes())?)
    }

    /// Opens by the data key of the owner's channel, as it was read along, if it was there.
    pub(crate) fn open(&self, owner: &Owner, sealed: &[u8], wrapped: Option<Vec<u8>>) -> Result<String, Fault> {
        let wrapped = wrapped.ok_or_else(|| Fault::corrupt("a channel's data key, which is not there"))?;
        let opened = self.unwrap(&owner.channel, &wrapped)?.open(owner, sealed)?;
        String::from_utf8(opened).map_err(|_| Fault::corrupt("sealed text"))
    }

    /// A new data key for that channel, in the place of any that it has.
    pub(crate) fn make(&self, connection: &Connection, channel: &ChannelId) -> Result<Arc<DataKey>, Fault> {
        let fresh = Fresh::random()?;
        let wrapped = self.above.seal(&Owner::data_key(channel), fresh.expose())?;
        let mut keep = connection.prepare_cached("INSERT OR REPLACE INTO data_keys (channel, wrapped) VALUES (?1, ?2)")?;
        keep.execute((channel.as_str(), &wrapped))?;
        self.unwrap(channel, &wrapped).map_err(Fault::from)
    }

    /// Whether every data key opens; those that do not, otherwise.
    pub(crate) fn check(&self, connection: &Connection) -> Result<Vec<ChannelId>, Fault> {
        let opens = |(channel, wrapped): &(ChannelId, Vec<u8>)| self.unwrap(channel, wrapped).is_ok();
        let closed = data_keys(connection)?.into_iter().filter(|key| !opens(key));
        Ok(closed.map(|(channel, _)| channel).collect())
    }

    fn unwrap(&self, channel: &ChannelId, wrapped: &[u8]) -> Result<Arc<DataKey>, StoreError> {
        let mut unwrapped = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = unwrapped.get(wrapped) {
            return Ok(Arc::clone(known));
        }
        let key = Arc::new(DataKey::new(&self.above.open(&Owner::data_key(channel), wrapped)?)?);
        unwrapped.insert(wrapped.to_vec(), Arc::clone(&key));
        Ok(key)
    }
}

/// Every channel's data key, wrapped.
pub(crate) fn data_keys(connection: &Connection) -> Result<Vec<(ChannelId, Vec<u8>)>, Fault> {
    let mut find = connection.prepare_cached("SELECT channel, wrapped FROM data_keys ORDER BY channel")?;
    let found = find.query_map([], |row| Ok((ChannelId::new(&row.get::<_, String>(0)?), row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
