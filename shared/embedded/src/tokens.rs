//! Providers' tokens, sealed, in a table of their own beside the secrets that they stand for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    ports::Tokens,
    token::{Held, Slot, TokenKey, Wish, ask},
};
use bellhop_seal::Owner;
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::millis,
    sealing::Seals,
    writer::Tx,
};

/// This is the only process: whoever fetches is seen to finish by the callers that wait for the same
/// ([`bellhop_core::token::flights`]), and all that is left to wait for is the right of one that was given up.
const MOMENT: Duration = Duration::from_millis(250);

/// How long what is over stays: an answer that comes late finds its row.
const KEPT: Duration = Duration::from_hours(1);

#[async_trait]
impl Tokens for Store {
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError> {
        let (wanted, seals) = (key.clone(), Arc::clone(&self.memory.seals));
        let slot = self.readers.read(move |connection| get(connection, &seals, &wanted)).await?;
        match ask(slot.as_ref(), wish) {
            Held::Yours { .. } => {}
            held @ (Held::Token(_) | Held::Wait { .. } | Held::Refused(_)) => return Ok(held),
        }
        let (key, wish) = (key.clone(), wish.clone());
        self.write(move |tx| {
            let held = ask(get(tx.connection, tx.seals, &key)?.as_ref(), &wish);
            if matches!(held, Held::Yours { .. }) {
                forget_what_is_over(tx, &wish)?;
                write(tx, &key, &wish.fetching())?;
            }
            Ok(held)
        })
        .await
    }

    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError> {
        let (key, slot) = (key.clone(), slot.clone());
        self.write(move |tx| match get(tx.connection, tx.seals, &key)? {
            Some(there) if there.is_fetched_by(by) => write(tx, &key, &slot),
            Some(_) | None => Ok(()),
        })
        .await
    }

    async fn changed(&self, _key: &TokenKey) {
        tokio::time::sleep(MOMENT).await;
    }
}

/// What cannot be read is as good as nothing: another token is fetched.
fn get(connection: &Connection, seals: &Seals, key: &TokenKey) -> Result<Option<Slot>, Fault> {
    let mut find = connection.prepare_cached(
        "SELECT t.sealed, k.wrapped FROM tokens t JOIN data_keys k ON k.channel = t.channel
         WHERE t.account = ?1 AND t.channel = ?2 AND t.credential = ?3",
    )?;
    let names = (key.account.as_str(), key.channel.as_str(), key.credential.to_string());
    let found = find.query_row(names, |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
    let slot = found.and_then(|(sealed, wrapped)| seals.open(&Owner::token(key), &sealed, Some(wrapped)).ok());
    Ok(slot.and_then(|slot| parse("a token", &slot).ok()))
}

fn write(tx: &Tx<'_>, key: &TokenKey, slot: &Slot) -> Result<(), Fault> {
    let sealed = tx.seals.seal(tx.connection, &Owner::token(key), &json(slot)?)?;
    let mut write = tx.connection.prepare_cached(
        "INSERT OR REPLACE INTO tokens (account, channel, credential, sealed, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let until = slot.until().map_or(0, millis);
    let row = (key.account.as_str(), key.channel.as_str(), key.credential.to_string(), sealed, until);
    write.execute(row)?;
    Ok(())
}

fn forget_what_is_over(tx: &Tx<'_>, wish: &Wish) -> Result<(), Fault> {
    let long_ago = millis(wish.now - KEPT);
    tx.connection.prepare_cached("DELETE FROM tokens WHERE until < ?1")?.execute([long_ago])?;
    Ok(())
}
