//! When keys were last used: written down at most once a minute for each key, by each process.
//!
//! Promise: nobody is refused because it could not be written down.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellhop_core::{
    StoreError, Timestamp,
    model::{Key, KeyId, KeyUse},
    ports::{Kind, Ports, Record},
};

/// How long a use stands for those after it.
const EVERY: Duration = Duration::from_mins(1);

/// The most keys that are remembered: then all are forgotten, and written down once more.
const MOST: usize = 10_000;

/// What this process has written down.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<KeyId, Timestamp>>);

impl Uses {
    /// Notes that somebody has shown the key.
    pub(crate) async fn note(&self, ports: &Ports, key: &Key) {
        let now = ports.clock.now();
        if self.is_news(&key.id, now)
            && let Err(error) = write(ports, key, now).await
        {
            tracing::warn!(account = %key.account, %error, "that a key was used could not be written down");
        }
    }

    fn is_news(&self, id: &KeyId, now: Timestamp) -> bool {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.get(id).is_some_and(|at| *at <= now && now < *at + EVERY) {
            return false;
        }
        if written.len() >= MOST {
            written.clear();
        }
        written.insert(id.clone(), now);
        true
    }
}

async fn write(ports: &Ports, key: &Key, now: Timestamp) -> Result<(), StoreError> {
    let name = key.id.to_string();
    let old = ports.records.get(&key.account, Kind::Use, &name).await?;
    let known = old.as_ref().and_then(|old| old.read::<KeyUse>().ok());
    if known.is_some_and(|known| now < known.at + EVERY) {
        return Ok(()); // another process was faster
    }
    let body = serde_json::to_string(&KeyUse { at: now }).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let version = old.map_or(0, |old| old.version) + 1;
    // whoever writes at the same moment says the same
    ports.records.put(&key.account, Kind::Use, &Record { name, version, body }).await.map(drop)
}
