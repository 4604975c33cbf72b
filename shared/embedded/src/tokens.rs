//! Providers' tokens, in a table of their own beside the secrets that they stand for.

use std::time::Duration;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    ports::Tokens,
    token::{Held, Slot, TokenKey, Wish, ask},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Store,
    error::{Fault, json, parse},
    queue::millis,
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
        let wanted = key.clone();
        let slot = self.readers.read(move |connection| get(connection, &wanted)).await?;
        match ask(slot.as_ref(), wish) {
            Held::Yours { .. } => {}
            held @ (Held::Token(_) | Held::Wait { .. } | Held::Refused(_)) => return Ok(held),
        }
        let (key, wish) = (key.clone(), wish.clone());
        self.write(move |tx| {
            let held = ask(get(tx.connection, &key)?.as_ref(), &wish);
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
        self.write(move |tx| match get(tx.connection, &key)? {
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
fn get(connection: &Connection, key: &TokenKey) -> Result<Option<Slot>, Fault> {
    let mut find =
        connection.prepare_cached("SELECT slot FROM tokens WHERE account = ?1 AND channel = ?2 AND credential = ?3")?;
    let names = (key.account.as_str(), key.channel.as_str(), key.credential.to_string());
    let slot = find.query_row(names, |row| row.get::<_, String>(0)).optional()?;
    Ok(slot.and_then(|slot| parse("a token", &slot).ok()))
}

fn write(tx: &Tx<'_>, key: &TokenKey, slot: &Slot) -> Result<(), Fault> {
    let mut write = tx.connection.prepare_cached(
        "INSERT OR REPLACE INTO tokens (account, channel, credential, slot, until) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let until = slot.until().map_or(0, millis);
    let row = (key.account.as_str(), key.channel.as_str(), key.credential.to_string(), json(slot)?, until);
    write.execute(row)?;
    Ok(())
}

fn forget_what_is_over(tx: &Tx<'_>, wish: &Wish) -> Result<(), Fault> {
    let long_ago = millis(wish.now - KEPT);
    tx.connection.prepare_cached("DELETE FROM tokens WHERE until < ?1")?.execute([long_ago])?;
    Ok(())
}
