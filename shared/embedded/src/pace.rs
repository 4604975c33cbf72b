//! When registrations may be sent to.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Name},
    pace::{SendRate, Silence},
    ports::Pace,
};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Store,
    error::Fault,
    queue::millis,
    writer::{Effect, Tx},
};

/// What is known of one registration.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    /// Up to here its slots are taken.
    reserved: Option<Timestamp>,
    /// Whether it pauses, and why.
    silence: Silence,
}

#[async_trait]
impl Pace for Store {
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let taken = get(tx.connection, &account, &name)?;
            let from = taken.silence.paused_until.map_or(from, |until| until.max(from));
            let (slot, reserved) = rate.reserve(taken.reserved, from);
            put(tx.connection, &account, &name, Taken { reserved: Some(reserved), ..taken })?;
            Ok(slot)
        })
        .await
    }

    async fn pause(&self, account: &AccountId, name: &Name, until: Timestamp) -> Result<(), StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx: &mut Tx<'_>| {
            let taken = get(tx.connection, &account, &name)?;
            let paused_until = taken.silence.paused_until.max(Some(until));
            put(tx.connection, &account, &name, Taken { silence: Silence { paused_until, ..taken.silence }, ..taken })?;
            tx.effects.push(Effect::Registration(account.clone(), name.clone()));
            Ok(())
        })
        .await
    }

    async fn note(&self, account: &AccountId, name: &Name, seen: Silence, now: Silence) -> Result<bool, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx: &mut Tx<'_>| {
            // whoever has seen something else has to look again, in either case
            tx.effects.push(Effect::Registration(account.clone(), name.clone()));
            let taken = get(tx.connection, &account, &name)?;
            let is_seen = taken.silence == seen;
            if is_seen {
                put(tx.connection, &account, &name, Taken { silence: now, ..taken })?;
            }
            Ok(is_seen)
        })
        .await
    }
}

/// What is known of it; nothing if it was never paced nor paused.
fn get(connection: &Connection, account: &AccountId, name: &Name) -> Result<Taken, Fault> {
    let sql = "SELECT reserved, timeouts, paused_until FROM pace WHERE account = ?1 AND name = ?2";
    let mut find = connection.prepare_cached(sql)?;
    let found =
        find.query_row((account.as_str(), name.as_str()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let (reserved, timeouts, paused_until) = found.unwrap_or_default();
    Ok(Taken { reserved: time(reserved)?, silence: silence(timeouts, paused_until)? })
}

/// As the two columns have it.
pub(crate) fn silence(timeouts: Option<u32>, paused_until: Option<i64>) -> Result<Silence, Fault> {
    Ok(Silence { timeouts: timeouts.unwrap_or(0), paused_until: time(paused_until)? })
}

/// Forgets it: its owner has changed something, and begins anew.
pub(crate) fn forget(connection: &Connection, account: &AccountId, name: &Name) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached("DELETE FROM pace WHERE account = ?1 AND name = ?2")?;
    delete.execute((account.as_str(), name.as_str()))?;
    Ok(())
}

fn put(connection: &Connection, account: &AccountId, name: &Name, taken: Taken) -> Result<(), Fault> {
    let Taken { reserved, silence: Silence { timeouts, paused_until } } = taken;
    let sql = "INSERT OR REPLACE INTO pace (account, name, reserved, timeouts, paused_until) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut put = connection.prepare_cached(sql)?;
    put.execute((account.as_str(), name.as_str(), reserved.map(millis), timeouts, paused_until.map(millis)))?;
    Ok(())
}

fn time(ms: Option<i64>) -> Result<Option<Timestamp>, Fault> {
    ms.map(Timestamp::from_millisecond).transpose().map_err(|_| Fault::corrupt("a time"))
}
