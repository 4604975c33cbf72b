//! What registrations had for parameters before: a few rows of each, sealed, whose places take turns, so that keeping the
//! next is one write and forgets the oldest. The directory row counts them.

use bellhop_core::{
    StoreError, Timestamp,
    channel::Params,
    model::{AccountId, ChannelId, FORMERS, Former, Name, Registration},
};
use bellhop_seal::Owner;

use super::{
    keys,
    registrations::{SEALED, VERSION},
    table::{Range, Row, Write},
};
use crate::{
    Store,
    error::{corrupt, json},
    seal::Seal,
};

/// In the directory row: how often former parameters were kept.
pub(super) const COUNT: &str = "formers";

const CHANNEL: &str = "channel";
const SAVED_AT: &str = "saved_at";
const REPLACED_AT: &str = "replaced_at";

/// How often former parameters of that directory row were kept.
pub(super) fn count(directory: &Row) -> Result<usize, StoreError> {
    if directory.has(COUNT) { directory.number(COUNT) } else { Ok(0) }
}

/// What forgets those of a registration.
pub(super) fn removal(account: &AccountId, name: &Name, count: usize) -> impl Iterator<Item = Write> {
    (0..count.min(FORMERS)).map(|place| Write::Delete(keys::former(account, name, place), None))
}

impl Store {
    /// What is kept of `before` when `new` takes its place. What cannot be read any more keeps nobody from saving.
    pub(super) async fn replaced(
        &self,
        seal: &Seal,
        before: &Registration,
        new: &Registration,
    ) -> Result<Option<Former>, StoreError> {
        let Registration { account, name, channel, version, .. } = before;
        let there = self.table.get(keys::secret(channel, account, name)).await?;
        let Some(there) = there.filter(|there| there.number(VERSION) == Ok(*version)) else { return Ok(None) };
        match seal.open(&self.table, &Owner::registration(before), there.bytes(SEALED)?).await {
            Ok(opened) => {
                let params = serde_json::from_slice::<Params>(&opened).map_err(|_| corrupt("parameters"))?;
                Ok(Registration { params, ..before.clone() }.former(new))
            }
            Err(StoreError::Corrupt(_)) => Ok(None),
            Err(error @ StoreError::Unavailable(_)) => Err(error),
        }
    }

    /// What keeps it, after `before` others.
    pub(super) async fn keep_former(
        &self,
        seal: &Seal,
        Registration { account, name, .. }: &Registration,
        former: &Former,
        before: usize,
    ) -> Result<Write, StoreError> {
        let Former { version, channel, params, saved_at, replaced_at } = former;
        let owner = Owner::former(account, name, channel, *version);
        let sealed = seal.seal(&self.table, &owner, &json(params)?, self.clock.chance()).await?;
        let row = Row::new(keys::former(account, name, before))
            .with_bytes(SEALED, sealed)
            .with_number(VERSION, *version)
            .with_text(CHANNEL, channel.as_str())
            .with_number(SAVED_AT, saved_at.as_millisecond())
            .with_number(REPLACED_AT, replaced_at.as_millisecond());
        Ok(Write::Put(row, None))
    }

    /// Those that are kept, the latest first. One that cannot be read hides no other.
    pub(super) async fn formers_of(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        let Some(seal) = &self.seal else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for row in self.table.query(&Range::all(keys::formers(account, name)), FORMERS).await? {
            match self.former(seal, account, name, &row).await {
                Ok(former) => found.push(former),
                Err(error @ StoreError::Corrupt(_)) => tracing::error!(%error, "former parameters cannot be read"),
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
            }
        }
        found.sort_by_key(|former| std::cmp::Reverse(former.version));
        Ok(found)
    }

    async fn former(&self, seal: &Seal, account: &AccountId, name: &Name, row: &Row) -> Result<Former, StoreError> {
        let time = |name| Timestamp::from_millisecond(row.number(name)?).map_err(|_| corrupt("a time"));
        let (version, channel) = (row.number(VERSION)?, ChannelId::new(row.text(CHANNEL)?));
        let owner = Owner::former(account, name, &channel, version);
        let opened = seal.open(&self.table, &owner, row.bytes(SEALED)?).await?;
        let params = serde_json::from_slice(&opened).map_err(|_| corrupt("parameters"))?;
        Ok(Former { version, channel, params, saved_at: time(SAVED_AT)?, replaced_at: time(REPLACED_AT)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_prints_the_names_of_its_attributes_alone() {
        let place = keys::former(&AccountId::parse("main").unwrap(), &Name::parse("phone").unwrap(), 7);
        assert_eq!(place.sk, "2", "the places take turns");
        let row = Row::new(place).with_bytes(SEALED, b"s3cret".to_vec()).with_text(CHANNEL, "s3cret");
        let printed = format!("{row:?}");
        assert!(printed.contains(SEALED) && !printed.contains("s3cret") && !printed.contains("115"), "{printed}");
    }
}
