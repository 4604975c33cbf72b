//! Named destinations. A registration is put together from four rows, so that each role can be given its own: the
//! directory row, its sealed parameters, and its standing and pace, which are all that a sender may write.
//!
//! Promises: a save is one transaction over all rows that belong to it; what is read together belongs to one version.
//! Where no key is configured, or a channel is not deployed, parameters are not read, and registrations have none but
//! [`WAY`](bellhop_core::model::WAY): `ingest` needs no other, and a sender those of its own channel.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    channel::Params,
    model::{AccountId, ChannelId, Disabled, Former, Name, Registration, Serves},
    pace::Silence,
    ports::{Freshness, Registrations},
};

use bellhop_seal::Owner;
use serde::Deserialize;

use super::{
    formers,
    keys::{self, Key},
    pace,
    table::{Condition, Range, Row, Write},
};
use crate::{
    Store,
    error::{corrupt, json, unfinished},
    seal::Seal,
};

pub(super) const VERSION: &str = "version";
pub(super) const SEALED: &str = "sealed";

/// How often a read begins again because a save came in between.
const TRIES: usize = 5;

/// How many rows of a group one call reads.
const PAGE: usize = 200;

/// How many are counted at once.
const COUNTED: usize = 500;

/// The channel of a registration's directory row.
#[derive(Deserialize)]
struct On {
    channel: ChannelId,
}

#[async_trait]
impl Registrations for Store {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        let key = (account.clone(), name.clone());
        let now = self.clock.now();
        let began = match (freshness, self.known.registrations.get(&key, now)) {
            (Freshness::Cached, Ok(known)) => return Ok(known),
            _ => self.known.registrations.begin(now),
        };
        let found = self.read_all(vec![keys::registration(account, name)]).await?.pop();
        self.known.registrations.keep(began, key, found.clone());
        Ok(found)
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.named_by(account, keys::members(account, group)).await
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.named_by(account, keys::defaults(account)).await
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.named_by(account, keys::serving(account)).await
    }

    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        // the first text above the name itself
        let from = after.map(|name| format!("{}\0", name.as_str()));
        let rows = self.table.query(&Range { from, ..Range::all(keys::registrations(account)) }, most).await?;
        let names = rows.iter().map(|row| name(row).map(|name| keys::registration(account, &name)));
        self.read_all(names.collect::<Result<_, _>>()?).await
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        let (mut count, mut from) = (0, None);
        loop {
            let range = Range { from, ..Range::all(keys::registrations(account)) };
            let rows = self.table.query(&range, COUNTED).await?;
            for row in &rows {
                count += usize::from(row.body::<On>()?.channel == *channel);
            }
            match rows.last() {
                Some(last) if rows.len() == COUNTED && count < most => from = Some(format!("{}\0", last.text("sk")?)),
                Some(_) | None => return Ok(count.min(most)),
            }
        }
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        self.formers_of(account, name).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        let before = self.before(&registration.account, &registration.name).await?;
        let fits = before.as_ref().map_or(0, |(before, _)| before.version) + 1 == registration.version;
        if !fits {
            return Ok(false);
        }
        let saved = self.table.write_all(self.save(before.as_ref(), registration).await?).await;
        self.known.registrations.forget(&(registration.account.clone(), registration.name.clone()));
        saved
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let Some((there, formers)) = self.before(account, name).await? else { return Ok(false) };
            let deleted = self.table.write_all(removal(&there, formers)).await;
            self.known.registrations.forget(&(account.clone(), name.clone()));
            if deleted? {
                return Ok(true);
            }
        }
        Err(unfinished("a registration is changed again and again; delete it once more"))
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        let there = self.table.get(keys::registration(account, name)).await?;
        if there.is_none_or(|there| there.number(VERSION) != Ok(version)) {
            return Ok(());
        }
        let row = Row::new(keys::standing(account, name)).with_body(disabled)?.with_number(VERSION, version);
        let is_news = Condition::new("attribute_not_exists(pk) OR version <= :version", ":version", version);
        let written = self.table.put_if(row, &is_news, self.clock.chance()).await;
        self.known.registrations.forget(&(account.clone(), name.clone()));
        written.map(drop)
    }
}

impl Store {
    /// Those that are named by the rows of a partition, and name it in turn.
    async fn named_by(&self, account: &AccountId, pk: String) -> Result<Vec<Arc<Registration>>, StoreError> {
        let mut range = Range::all(pk);
        let mut found = Vec::new();
        loop {
            let rows = self.table.query(&range, PAGE).await?;
            let names = rows.iter().map(name).collect::<Result<Vec<_>, _>>()?;
            found.extend(self.read_all(names.iter().map(|name| keys::registration(account, name)).collect()).await?);
            let Some(last) = names.last().filter(|_| names.len() == PAGE) else { return Ok(found) };
            range.from = Some(format!("{}\0", last.as_str()));
        }
    }

    /// The registrations of these rows, in this order; those that are not there are left out.
    async fn read_all(&self, wanted: Vec<Key>) -> Result<Vec<Arc<Registration>>, StoreError> {
        for _ in 0..TRIES {
            if let Some(found) = self.read_once(&wanted).await? {
                return Ok(found);
            }
        }
        Err(unfinished("registrations are changed again and again while they are read"))
    }

    /// `None`: a save came in between the directory and the rest.
    async fn read_once(&self, wanted: &[Key]) -> Result<Option<Vec<Arc<Registration>>>, StoreError> {
        let rows = self.table.get_many(wanted.to_vec()).await?;
        let found = wanted.iter().filter_map(|key| rows.get(key)).map(Row::body::<Registration>);
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let rest = found.iter().flat_map(|registration| {
            let Registration { channel, account, name, .. } = registration;
            let secret = self.opens(channel).map(|_| keys::secret(channel, account, name));
            let pace = secret.is_some().then(|| keys::pace(account, name));
            [Some(keys::standing(account, name)), secret, pace].into_iter().flatten()
        });
        let rest = self.table.get_many(rest.collect()).await?;
        let mut whole = Vec::new();
        for mut registration in found {
            let (channel, account, name) =
                (registration.channel.clone(), registration.account.clone(), registration.name.clone());
            let version = registration.version;
            if let Some(standing) = rest.get(&keys::standing(&account, &name))
                && standing.number::<u64>(VERSION)? == version
            {
                registration.disabled = Some(standing.body()?);
            }
            if let Some(pace) = rest.get(&keys::pace(&account, &name)) {
                Silence { timeouts: registration.timeouts, paused_until: registration.paused_until } = pace::silence(pace)?;
            }
            if let Some(seal) = self.opens(&channel) {
                let secret = rest.get(&keys::secret(&channel, &account, &name));
                let Some(secret) = secret.filter(|row| row.number(VERSION) == Ok(version)) else { return Ok(None) };
                let sealed = secret.bytes(SEALED)?;
                let opened = seal.open(&self.table, &Owner::registration(&registration), sealed).await?;
                registration.params = serde_json::from_slice::<Params>(&opened).map_err(|_| corrupt("parameters"))?;
            }
            whole.push(Arc::new(registration));
        }
        Ok(Some(whole))
    }

    /// The seal of that channel's parameters, if they may be read here: a sender reads those of its own channel alone, and
    /// sees other registrations without.
    fn opens(&self, channel: &ChannelId) -> Option<&Seal> {
        self.seal.as_ref().filter(|_| self.opened.contains(channel))
    }

    /// The directory row that is there, and how often former parameters of it were kept.
    async fn before(&self, account: &AccountId, name: &Name) -> Result<Option<(Registration, usize)>, StoreError> {
        let row = self.table.get(keys::registration(account, name)).await?;
        row.map(|row| Ok((row.body()?, formers::count(&row)?))).transpose()
    }

    /// Everything that changes with a save over `before`.
    async fn save(&self, before: Option<&(Registration, usize)>, new: &Registration) -> Result<Vec<Write>, StoreError> {
        let Registration { account, name, version, channel, .. } = new;
        let Some(seal) = &self.seal else {
            return Err(StoreError::Unavailable("registrations cannot be saved here: no key for their parameters".to_owned()));
        };
        seal.renew(&self.table, channel, self.clock.now(), self.clock.chance()).await?;
        let former = match before {
            Some((before, _)) => self.replaced(seal, before, new).await?,
            None => None,
        };
        let sealed = seal.seal(&self.table, &Owner::registration(new), &json(&new.params)?, self.clock.chance()).await?;
        let formers = before.map_or(0, |(_, formers)| *formers);
        let before = before.map(|(before, _)| before);
        let is_unchanged = match before {
            None => Condition::IS_FREE,
            Some(before) => Condition::new("version = :version", ":version", before.version),
        };
        let count = i128::try_from(formers + usize::from(former.is_some())).unwrap_or(i128::MAX);
        let directory = Row::new(keys::registration(account, name)).with_body(&new.directory())?.with_number(VERSION, *version);
        let directory = directory.with_number(formers::COUNT, count);
        let sealed = Row::new(keys::secret(channel, account, name)).with_bytes(SEALED, sealed).with_number(VERSION, *version);
        let mut writes = vec![Write::Put(directory, Some(is_unchanged)), Write::Put(sealed, None)];
        if let Some(former) = former {
            writes.push(self.keep_former(seal, new, &former, formers).await?);
        }
        // what a provider said was about the version before
        writes.push(Write::Delete(keys::standing(account, name), None));
        writes.push(Write::Delete(keys::pace(account, name), None));
        let named = naming(new);
        for key in before.map(naming).unwrap_or_default().into_iter().filter(|key| !named.contains(key)) {
            writes.push(Write::Delete(key, None));
        }
        writes.extend(named.into_iter().map(|key| Write::Put(Row::new(key), None)));
        if let Some(before) = before.filter(|before| before.channel != *channel) {
            writes.push(Write::Delete(keys::secret(&before.channel, account, name), None));
        }
        Ok(writes)
    }
}

/// The rows by which groups, defaults and contacts find a registration.
fn naming(registration: &Registration) -> Vec<Key> {
    let Registration { account, name, groups, default, serves, .. } = registration;
    let mut named: Vec<_> = groups.iter().map(|group| keys::member(account, group, name)).collect();
    named.extend(default.then(|| keys::default(account, name)));
    named.extend((*serves == Serves::Contacts).then(|| keys::serves(account, name)));
    named.sort_unstable_by(|a, b| a.pk.cmp(&b.pk));
    named.dedup();
    named
}

fn removal(there: &Registration, formers: usize) -> Vec<Write> {
    let Registration { account, name, version, channel, .. } = there;
    let is_unchanged = Condition::new("version = :version", ":version", *version);
    let mut writes = vec![
        Write::Delete(keys::registration(account, name), Some(is_unchanged)),
        Write::Delete(keys::secret(channel, account, name), None),
        Write::Delete(keys::standing(account, name), None),
        Write::Delete(keys::pace(account, name), None),
    ];
    writes.extend(formers::removal(account, name, formers));
    writes.extend(naming(there).into_iter().map(|key| Write::Delete(key, None)));
    writes
}

fn name(row: &Row) -> Result<Name, StoreError> {
    Name::parse(row.text("sk")?).map_err(|_| corrupt("a registration's name"))
}
