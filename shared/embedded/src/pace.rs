//! When registrations may be sent to.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Name},
    pace::SendRate,
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
    /// Nothing is sent before that.
    paused_until: Option<Timestamp>,
}

#[async_trait]
impl Pace for Store {
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let taken = get(tx.connection, &account, &name)?;
            let from = taken.paused_until.map_or(from, |until| until.max(from));
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
            let paused_until = taken.paused_until.max(Some(until));
            put(tx.connection, &account, &name, Taken { paused_until, ..taken })?;
            tx.effects.push(Effect::Registration(account.clone(), name.clone()));
            Ok(())
        })
        .await
    }
}

/// What is known of it; nothing if it was never paced nor paused.
fn get(connection: &Connection, account: &AccountId, name: &Name) -> Result<Taken, Fault> {
    let mut find = connection.prepare_cached("SELECT reserved, paused_until FROM pace WHERE account = ?1 AND name = ?2")?;
    let found = find.query_row((account.as_str(), name.as_str()), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (reserved, paused_until) = found.unwrap_or_default();
    Ok(Taken { reserved: time(reserved)?, paused_until: time(paused_until)? })
}

/// Forgets it: its owner has changed something, and begins anew.
pub(crate) fn forget(connection: &Connection, account: &AccountId, name: &Name) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached("DELETE FROM pace WHERE account = ?1 AND name = ?2")?;
    delete.execute((account.as_str(), name.as_str()))?;
    Ok(())
}

fn put(connection: &Connection, account: &AccountId, name: &Name, taken: Taken) -> Result<(), Fault> {
    let mut put = connection
        .prepare_cached("INSERT OR REPLACE INTO pace (account, name, reserved, paused_until) VALUES (?1, ?2, ?3, ?4)")?;
    put.execute((account.as_str(), name.as_str(), taken.reserved.map(millis), taken.paused_until.map(millis)))?;
    Ok(())
}

pub(crate) fn time(ms: Option<i64>) -> Result<Option<Timestamp>, Fault> {
    ms.map(Timestamp::from_millisecond).transpose().map_err(|_| Fault::corrupt("a time"))
}
