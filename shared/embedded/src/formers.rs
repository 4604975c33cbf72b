//! What registrations had for parameters before: sealed like the present ones, the last few of each.

use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, ChannelId, FORMERS, Former, Name},
};
use bellhop_seal::Owner;
use rusqlite::{Connection, Row};

use crate::{
    error::{Fault, json, parse},
    queue::{millis, table::limit},
    sealing::Seals,
    writer::Tx,
};

/// Keeps it, and forgets the one that is too many.
pub(crate) fn keep(tx: &Tx<'_>, account: &AccountId, name: &Name, former: &Former) -> Result<(), Fault> {
    let owner = Owner::former(account, name, &former.channel, former.version);
    let sealed = tx.seals.seal(tx.connection, &owner, &json(&former.params)?)?;
    let version = i64::try_from(former.version).map_err(|_| Fault::corrupt("a version"))?;
    tx.connection
        .prepare_cached(
            "INSERT OR REPLACE INTO formers (account, name, version, channel, saved_at, replaced_at, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            account.as_str(),
            name.as_str(),
            version,
            former.channel.as_str(),
            millis(former.saved_at),
            millis(former.replaced_at),
            sealed,
        ))?;
    tx.connection
        .prepare_cached(
            "DELETE FROM formers WHERE account = ?1 AND name = ?2 AND version <=
             (SELECT version FROM formers WHERE account = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1 OFFSET ?3)",
        )?
        .execute((account.as_str(), name.as_str(), limit(FORMERS)))?;
    Ok(())
}

/// Those that are kept, the latest first.
pub(crate) fn list(connection: &Connection, seals: &Seals, account: &AccountId, name: &Name) -> Result<Vec<Former>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT f.version, f.channel, f.saved_at, f.replaced_at, f.sealed, k.wrapped FROM formers f
         LEFT JOIN data_keys k ON k.channel = f.channel WHERE f.account = ?1 AND f.name = ?2 ORDER BY f.version DESC",
    )?;
    let mut rows = find.query((account.as_str(), name.as_str()))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match former(seals, account, name, row) {
            Ok(former) => found.push(former),
            Err(fault) if fault.is_corrupt() => {
                let error = StoreError::from(fault);
                tracing::error!(%error, "former parameters cannot be read"); // they hide no others
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

fn former(seals: &Seals, account: &AccountId, name: &Name, row: &Row<'_>) -> Result<Former, Fault> {
    let version = row.get::<_, i64>(0)?.unsigned_abs();
    let channel = ChannelId::new(&row.get::<_, String>(1)?);
    let owner = Owner::former(account, name, &channel, version);
    let params = seals.open(&owner, &row.get::<_, Vec<u8>>(4)?, row.get(5)?)?;
    let params = parse("the parameters that a registration had", &params)?;
    Ok(Former { version, channel, params, saved_at: time(row.get(2)?)?, replaced_at: time(row.get(3)?)? })
}

/// Forgets them all.
pub(crate) fn forget(connection: &Connection, account: &AccountId, name: &Name) -> Result<(), Fault> {
    let mut delete = connection.prepare_cached("DELETE FROM formers WHERE account = ?1 AND name = ?2")?;
    delete.execute((account.as_str(), name.as_str()))?;
    Ok(())
}

fn time(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::Corrupt("a time".to_owned()))
}
