//! What accounts own: registrations, keys, settings, pictures.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{
        Account, AccountId, AttachmentId, ChannelId, Disabled, FORMERS, Former, Hook, Key, KeyId, Name, Picture, Registration,
        Serves,
    },
    pace::{SendRate, Silence},
    ports::{Accounts, Attachments, Freshness, Hooks, Keys, Kind, Pace, Record, Records, Registrations},
};

use super::{
    Worker,
    tables::{Tables, Taken},
};

impl Tables {
    /// An account's registrations by name, after that one.
    fn registrations_of<'a>(
        &'a self,
        account: &'a AccountId,
        after: Option<&Name>,
    ) -> impl Iterator<Item = &'a Arc<Registration>> {
        let after = after.cloned();
        let owned = self.registrations.iter().filter(move |((owner, _), _)| owner == account);
        owned.filter(move |((_, name), _)| after.as_ref().is_none_or(|after| name > after)).map(|(_, found)| found)
    }
}

#[async_trait]
impl Registrations for Worker {
    async fn get(&self, account: &AccountId, name: &Name, _: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        let place = (account.clone(), name.clone());
        Ok(self.read(|tables| {
            let found = tables.registrations.get(&place)?;
            let silence = tables.pace.get(&place).map(Taken::silence).unwrap_or_default();
            let Silence { timeouts, paused_until } = silence;
            Some(Arc::new(Registration { timeouts, paused_until, ..Registration::clone(found) }))
        }))
    }

    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        Ok(self.read(|tables| {
            tables.registrations_of(account, None).filter(|found| found.groups.contains(group)).cloned().collect()
        }))
    }

    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        Ok(self.read(|tables| tables.registrations_of(account, None).filter(|found| found.default).cloned().collect()))
    }

    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        let serves = |found: &&Arc<Registration>| found.serves == Serves::Contacts;
        Ok(self.read(|tables| tables.registrations_of(account, None).filter(serves).cloned().collect()))
    }

    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        Ok(self.read(|tables| tables.registrations_of(account, after).take(most).cloned().collect()))
    }

    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        Ok(self
            .read(|tables| tables.registrations_of(account, None).filter(|there| there.channel == *channel).take(most).count()))
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        Ok(self.read(|tables| tables.formers.get(&(account.clone(), name.clone())).cloned().unwrap_or_default()))
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        self.effect("registration row", |tables| {
            let place = (registration.account.clone(), registration.name.clone());
            let stored = tables.registrations.get(&place);
            let fits = stored.map_or(0, |stored| stored.version) + 1 == registration.version;
            if fits {
                let formers = tables.formers.entry(place.clone()).or_default();
                formers.splice(..0, stored.and_then(|stored| stored.former(registration)));
                formers.truncate(FORMERS);
                tables.pace.remove(&place);
                tables.registrations.insert(place, Arc::new(registration.clone()));
            }
            fits
        })
        .await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        let place = (account.clone(), name.clone());
        self.effect("registration row gone", |tables| {
            tables.pace.remove(&place);
            tables.formers.remove(&place);
            tables.registrations.remove(&place).is_some()
        })
        .await
    }

    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        self.effect("registration disabled", |tables| {
            let stored = tables.registrations.get_mut(&(account.clone(), name.clone()));
            if let Some(stored) = stored.filter(|stored| stored.version == version) {
                Arc::make_mut(stored).disabled = Some(disabled.clone());
            }
        })
        .await
    }
}

#[async_trait]
impl Pace for Worker {
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError> {
        self.effect("slot reserved", |tables| {
            let taken = tables.pace.entry((account.clone(), name.clone())).or_default();
            let from = taken.paused_until.map_or(from, |until| until.max(from));
            let (slot, reserved) = rate.reserve(taken.reserved, from);
            taken.reserved = Some(reserved);
            slot
        })
        .await
    }

    async fn pause(&self, account: &AccountId, name: &Name, until: Timestamp) -> Result<(), StoreError> {
        self.effect("registration paused", |tables| {
            let taken = tables.pace.entry((account.clone(), name.clone())).or_default();
            taken.paused_until = taken.paused_until.max(Some(until));
        })
        .await
    }

    async fn note(&self, account: &AccountId, name: &Name, seen: Silence, now: Silence) -> Result<bool, StoreError> {
        self.effect("silence noted", |tables| {
            let taken = tables.pace.entry((account.clone(), name.clone())).or_default();
            let is_seen = taken.silence() == seen;
            if is_seen {
                Silence { timeouts: taken.timeouts, paused_until: taken.paused_until } = now;
            }
            is_seen
        })
        .await
    }
}

#[async_trait]
impl Records for Worker {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.read(|tables| tables.records.get(&(account.clone(), kind, name.to_owned())).cloned()))
    }

    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        Ok(Arc::new(Records::list(self, account, kind, None, usize::MAX).await?))
    }

    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        let is_after = |name: &String| after.is_none_or(|after| name.as_str() > after);
        Ok(self.read(|tables| {
            let of_kind =
                tables.records.iter().filter(|((owner, of, name), _)| owner == account && *of == kind && is_after(name));
            of_kind.map(|(_, record)| record.clone()).take(most).collect()
        }))
    }

    async fn put(&self, account: &AccountId, kind: Kind, record: &Record) -> Result<bool, StoreError> {
        self.effect("record", |tables| {
            let place = (account.clone(), kind, record.name.clone());
            let fits = tables.records.get(&place).map_or(0, |stored| stored.version) + 1 == record.version;
            if fits {
                tables.records.insert(place, record.clone());
            }
            fits
        })
        .await
    }

    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError> {
        let place = (account.clone(), kind, name.to_owned());
        self.effect("record gone", |tables| tables.records.remove(&place).is_some()).await
    }

    async fn give_way(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

#[async_trait]
impl Accounts for Worker {
    async fn get(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.read(|tables| tables.accounts.get(id).cloned()))
    }

    async fn list(&self, after: Option<&AccountId>, most: usize) -> Result<Vec<Account>, StoreError> {
        let is_after = |account: &&Arc<Account>| after.is_none_or(|after| account.id > *after);
        Ok(self.read(|tables| tables.accounts.values().filter(is_after).take(most).map(|found| Account::clone(found)).collect()))
    }

    async fn create(&self, account: &Account, key: &Key) -> Result<bool, StoreError> {
        self.effect("account and API key rows", |tables| {
            let is_free = !tables.accounts.contains_key(&account.id) && !tables.keys.contains_key(&key.id);
            if is_free {
                tables.accounts.insert(account.id.clone(), Arc::new(account.clone()));
                tables.keys.insert(key.id.clone(), Arc::new(key.clone()));
            }
            is_free
        })
        .await
    }

    async fn put(&self, before: Option<&Account>, account: &Account) -> Result<bool, StoreError> {
        let row = Arc::new(account.clone());
        self.effect("account row", |tables| {
            let is_there = tables.accounts.get(&row.id).map(AsRef::as_ref) == before;
            if is_there {
                tables.accounts.insert(row.id.clone(), row);
            }
            is_there
        })
        .await
    }
}

#[async_trait]
impl Keys for Worker {
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError> {
        Ok(self.read(|tables| tables.keys.get(id).cloned()))
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        let mut keys: Vec<Key> =
            self.read(|tables| tables.keys.values().filter(|key| key.account == *account).map(|key| Key::clone(key)).collect());
        keys.sort_by_key(|key| key.created_at);
        Ok(keys)
    }

    async fn create(&self, key: &Key) -> Result<bool, StoreError> {
        self.effect("API key row", |tables| {
            let is_free = !tables.keys.contains_key(&key.id);
            if is_free {
                tables.keys.insert(key.id.clone(), Arc::new(key.clone()));
            }
            is_free
        })
        .await
    }

    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError> {
        self.effect("API key row gone", |tables| {
            let owned = tables.keys.get(id).is_some_and(|key| key.account == *account);
            owned && tables.keys.remove(id).is_some()
        })
        .await
    }
}

#[async_trait]
impl Hooks for Worker {
    async fn find(&self, hash: &str) -> Result<Option<Arc<Hook>>, StoreError> {
        Ok(self.read(|tables| tables.hooks.values().find(|hook| hook.hash == hash).cloned()))
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Hook>, StoreError> {
        let of_account = |tables: &Tables| {
            let owned = tables.hooks.values().filter(|hook| hook.account == *account);
            owned.map(|hook| Hook::clone(hook)).collect()
        };
        Ok(self.read(of_account))
    }

    async fn create(&self, hook: &Hook) -> Result<bool, StoreError> {
        self.effect("hook rows", |tables| {
            let place = (hook.account.clone(), hook.name.clone());
            let is_free = !tables.hooks.contains_key(&place);
            if is_free {
                tables.hooks.insert(place, Arc::new(hook.clone()));
            }
            is_free
        })
        .await
    }

    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        let place = (account.clone(), name.clone());
        self.effect("hook rows gone", |tables| tables.hooks.remove(&place).is_some()).await
    }
}

#[async_trait]
impl Attachments for Worker {
    async fn put(&self, account: &AccountId, id: AttachmentId, picture: &Picture) -> Result<(), StoreError> {
        self.effect("object", |tables| drop(tables.attachments.insert((account.clone(), id.0), picture.clone()))).await
    }

    async fn get(&self, account: &AccountId, id: AttachmentId) -> Result<Option<Picture>, StoreError> {
        Ok(self.read(|tables| tables.attachments.get(&(account.clone(), id.0)).cloned()))
    }

    async fn delete(&self, account: &AccountId, id: AttachmentId) -> Result<(), StoreError> {
        self.effect("object gone", |tables| drop(tables.attachments.remove(&(account.clone(), id.0)))).await
    }
}
