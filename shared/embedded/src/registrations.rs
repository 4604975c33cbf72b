//! Named destinations. Their parameters, which hold secrets, lie in a table of their own.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    channel::Params,
    model::{AccountId, ChannelId, Disabled, Former, Name, Registration},
    pace::Silence,
    ports::{Freshness, Registrations},
};
use bellhop_seal::Owner;
use rusqlite::{Connection, OptionalExtension, Params as SqlParams, Row};

use crate::{
    Store,
    error::{Fault, json, parse},
    formers, pace,
    queue::table::limit,
    sealing::Seals,
    writer::{Effect, Tx},
};

#[async_trait]
impl Registrations for Store {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        let key = (account.clone(), name.clone());
        let began = match (self.memory.registrations.get(&key), freshness) {
            (Ok(known), Freshness::Cached) => return Ok(known),
            (Ok(_), Freshness::Fresh) => None,
            (Err(began), _) => Some(began),
        };
        let (wanted, seals) = (key.clone(), Arc::clone(&self.memory.seals));
        let found = self.readers.read(move |connection| get(connection, &seals, &wanted.0, &wanted.1)).await?.map(Arc::new);
        if let Some(began) = began {
            self.memory.registrations.keep(began, key, found.clone());
        }
        Ok(found)
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        let (account, group) = (account.clone(), group.clone());
        let seals = Arc::clone(&self.memory.seals);
        let look = move |connection: &Connection| {
            let sql = "SELECT r.body, s.sealed, k.wrapped, p.timeouts, p.paused_until FROM registration_groups g
                       JOIN registrations r ON r.account = g.account AND r.name = g.name
                       JOIN secrets s ON s.account = r.account AND s.name = r.name LEFT JOIN data_keys k ON k.channel = s.channel
                       LEFT JOIN pace p ON p.account = r.account AND p.name = r.name
                       WHERE g.account = ?1 AND g.member_of = ?2 ORDER BY g.name";
            all(connection, &seals, sql, (account.as_str(), group.as_str()))
        };
        self.readers.read(look).await
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        let account = account.clone();
        let seals = Arc::clone(&self.memory.seals);
        let look = move |connection: &Connection| {
            let sql = "SELECT r.body, s.sealed, k.wrapped, p.timeouts, p.paused_until FROM registrations r
                       JOIN secrets s ON s.account = r.account AND s.name = r.name LEFT JOIN data_keys k ON k.channel = s.channel
                       LEFT JOIN pace p ON p.account = r.account AND p.name = r.name
                       WHERE r.account = ?1 AND r.is_default = 1 ORDER BY r.name";
            all(connection, &seals, sql, [account.as_str()])
        };
        self.readers.read(look).await
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        let account = account.clone();
        let seals = Arc::clone(&self.memory.seals);
        let look = move |connection: &Connection| {
            let sql = "SELECT r.body, s.sealed, k.wrapped, p.timeouts, p.paused_until FROM registrations r
                       JOIN secrets s ON s.account = r.account AND s.name = r.name LEFT JOIN data_keys k ON k.channel = s.channel
                       LEFT JOIN pace p ON p.account = r.account AND p.name = r.name
                       WHERE r.account = ?1 AND json_extract(r.body, '$.serves') = 'contacts' ORDER BY r.name";
            all(connection, &seals, sql, [account.as_str()])
        };
        self.readers.read(look).await
    }

    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        let (account, after) = (account.clone(), after.cloned());
        let seals = Arc::clone(&self.memory.seals);
        let look = move |connection: &Connection| {
            let after = after.as_ref().map_or("", Name::as_str); // no name is empty
            let sql = "SELECT r.body, s.sealed, k.wrapped, p.timeouts, p.paused_until FROM registrations r
                       JOIN secrets s ON s.account = r.account AND s.name = r.name LEFT JOIN data_keys k ON k.channel = s.channel
                       LEFT JOIN pace p ON p.account = r.account AND p.name = r.name
                       WHERE r.account = ?1 AND r.name > ?2 ORDER BY r.name LIMIT ?3";
            all(connection, &seals, sql, (account.as_str(), after, limit(most)))
        };
        self.readers.read(look).await
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        let (account, channel) = (account.clone(), channel.clone());
        let look = move |connection: &Connection| {
            let mut count = connection.prepare_cached(
                "SELECT count(*) FROM
                 (SELECT 1 FROM registrations WHERE account = ?1 AND json_extract(body, '$.channel') = ?2 LIMIT ?3)",
            )?;
            let count: i64 = count.query_row((account.as_str(), channel.as_str(), limit(most)), |row| row.get(0))?;
            usize::try_from(count).map_err(|_| Fault::corrupt("a number of registrations"))
        };
        self.readers.read(look).await
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        let (account, name, seals) = (account.clone(), name.clone(), Arc::clone(&self.memory.seals));
        self.readers.read(move |connection| formers::list(connection, &seals, &account, &name)).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        let new = registration.clone();
        self.write(move |tx| {
            let before = version(tx.connection, &new.account, &new.name)?;
            if before.unwrap_or(0) + 1 != new.version {
                return Ok(false);
            }
            keep_former(tx, &new)?;
            let (account, name) = (new.account.as_str(), new.name.as_str());
            let sealed = tx.seals.seal(tx.connection, &Owner::registration(&new), &json(&new.params)?)?;
            tx.connection
                .prepare_cached("INSERT OR REPLACE INTO secrets (account, name, channel, sealed) VALUES (?1, ?2, ?3, ?4)")?
                .execute((account, name, new.channel.as_str(), sealed))?;
            leave_groups(tx.connection, &new.account, &new.name)?;
            pace::forget(tx.connection, &new.account, &new.name)?;
            let mut join = tx
                .connection
                .prepare_cached("INSERT OR IGNORE INTO registration_groups (account, member_of, name) VALUES (?1, ?2, ?3)")?;
            for group in &new.groups {
                join.execute((account, group.as_str(), name))?;
            }
            write(tx, new.clone())?;
            Ok(true)
        })
        .await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        let (account, name) = (account.clone(), name.clone());
        self.write(move |tx| {
            let names = (account.as_str(), name.as_str());
            let delete = |sql| tx.connection.prepare_cached(sql)?.execute(names);
            let found = delete("DELETE FROM registrations WHERE account = ?1 AND name = ?2")? > 0;
            delete("DELETE FROM secrets WHERE account = ?1 AND name = ?2")?;
            formers::forget(tx.connection, &account, &name)?;
            leave_groups(tx.connection, &account, &name)?;
            pace::forget(tx.connection, &account, &name)?;
            tx.effects.push(Effect::Registration(account.clone(), name.clone()));
            Ok(found)
        })
        .await
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        let (account, name, disabled) = (account.clone(), name.clone(), disabled.clone());
        self.write(move |tx| match directory_row(tx.connection, &account, &name)? {
            Some(found) if found.version == version => write(tx, Registration { disabled: Some(disabled.clone()), ..found }),
            Some(_) | None => Ok(()),
        })
        .await
    }
}

fn get(connection: &Connection, seals: &Seals, account: &AccountId, name: &Name) -> Result<Option<Registration>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT r.body, s.sealed, k.wrapped, p.timeouts, p.paused_until FROM registrations r
         JOIN secrets s ON s.account = r.account AND s.name = r.name LEFT JOIN data_keys k ON k.channel = s.channel
         LEFT JOIN pace p ON p.account = r.account AND p.name = r.name
         WHERE r.account = ?1 AND r.name = ?2",
    )?;
    find.query_row((account.as_str(), name.as_str()), |row| Ok(registration(seals, row))).optional()?.transpose()
}

fn all(connection: &Connection, seals: &Seals, sql: &str, names: impl SqlParams) -> Result<Vec<Arc<Registration>>, Fault> {
    let mut find = connection.prepare_cached(sql)?;
    find.query_map(names, |row| Ok(registration(seals, row)))?.map(|found| Ok(Arc::new(found??))).collect()
}

/// The row and its parameters, put together again.
fn registration(seals: &Seals, row: &Row<'_>) -> Result<Registration, Fault> {
    let body: Registration = parse("a registration", &row.get::<_, String>(0)?)?;
    let params = seals.open(&Owner::registration(&body), &row.get::<_, Vec<u8>>(1)?, row.get(2)?)?;
    let Silence { timeouts, paused_until } = pace::silence(row.get(3)?, row.get(4)?)?;
    Ok(Registration { params: parse("the parameters of a registration", &params)?, timeouts, paused_until, ..body })
}

/// The row alone, without parameters and pace.
fn directory_row(connection: &Connection, account: &AccountId, name: &Name) -> Result<Option<Registration>, Fault> {
    let mut find = connection.prepare_cached("SELECT body FROM registrations WHERE account = ?1 AND name = ?2")?;
    let body = find.query_row((account.as_str(), name.as_str()), |row| row.get::<_, String>(0)).optional()?;
    body.map(|body| parse("a registration", &body)).transpose()
}

/// Keeps the parameters that `new` replaces. What cannot be read any more keeps nobody from saving.
fn keep_former(tx: &Tx<'_>, new: &Registration) -> Result<(), Fault> {
    match get(tx.connection, tx.seals, &new.account, &new.name) {
        Ok(before) => match before.and_then(|before| before.former(new)) {
            Some(former) => formers::keep(tx, &new.account, &new.name, &former),
            None => Ok(()),
        },
        Err(fault) if fault.is_corrupt() => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn version(connection: &Connection, account: &AccountId, name: &Name) -> Result<Option<u64>, Fault> {
    let mut find = connection.prepare_cached("SELECT version FROM registrations WHERE account = ?1 AND name = ?2")?;
    let version = find.query_row((account.as_str(), name.as_str()), |row| row.get::<_, i64>(0)).optional()?;
    Ok(version.map(i64::unsigned_abs))
}

/// Writes the row, without the parameters.
fn write(tx: &mut Tx<'_>, registration: Registration) -> Result<(), Fault> {
    let row = Registration { params: Params::default(), ..registration };
    let version = i64::try_from(row.version).map_err(|_| Fault::corrupt("a version"))?;
    tx.connection
        .prepare_cached(
            "INSERT OR REPLACE INTO registrations (account, name, version, is_default, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((row.account.as_str(), row.name.as_str(), version, row.default, json(&row)?))?;
    tx.effects.push(Effect::Registration(row.account, row.name));
    Ok(())
}

fn leave_groups(connection: &Connection, account: &AccountId, name: &Name) -> Result<(), Fault> {
    let names = (account.as_str(), name.as_str());
    connection.prepare_cached("DELETE FROM registration_groups WHERE account = ?1 AND name = ?2")?.execute(names)?;
    Ok(())
}
