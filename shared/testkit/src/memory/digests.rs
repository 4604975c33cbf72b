//! What rules have collected.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Entry, Name, Schedule},
    plan::Plan,
    ports::{Digests, Visit},
};

use super::Worker;

/// An entry, and the digest of its rule that it stands in.
pub(super) struct Collected {
    pub(super) entry: Entry,
    pub(super) digest: Option<u64>,
}

impl Worker {
    /// Puts the event among what each of these rules has collected, where it is not there yet.
    pub(super) async fn collect(&self, event: &bellhop_core::model::Event, plan: &Plan) -> Result<(), StoreError> {
        for collected in &plan.collected {
            let entry = Entry::of(event, collected);
            let place = (event.account.clone(), collected.rule.clone(), event.id);
            self.effect("entry", |tables| {
                tables.entries.entry(place).or_insert(Collected { entry, digest: None });
            })
            .await?;
        }
        Ok(())
    }

    async fn save(&self, schedule: &Schedule, freezes: bool) -> Result<bool, StoreError> {
        self.effect("schedule", |tables| {
            let place = (schedule.account.clone(), schedule.rule.clone());
            let fits = tables.schedules.get(&place).map_or(0, |stored| stored.version) + 1 == schedule.version;
            if fits {
                tables.schedules.insert(place, schedule.clone());
            }
            if let (true, true, Some(frozen)) = (fits, freezes, &schedule.frozen) {
                for ((account, rule, _), collected) in &mut tables.entries {
                    let is_open = collected.digest.is_none() && collected.entry.at <= frozen.until;
                    if *account == schedule.account && *rule == schedule.rule && is_open {
                        collected.digest = Some(schedule.number);
                    }
                }
            }
            fits
        })
        .await
    }
}

#[async_trait]
impl Digests for Worker {
    async fn get(&self, account: &AccountId, rule: &Name) -> Result<Option<Schedule>, StoreError> {
        Ok(self.read(|tables| tables.schedules.get(&(account.clone(), rule.clone())).cloned()))
    }

    async fn put(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.save(schedule, false).await
    }

    async fn freeze(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.save(schedule, true).await
    }

    async fn delete(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        self.effect("schedule gone", |tables| {
            let place = (schedule.account.clone(), schedule.rule.clone());
            let fits = tables.schedules.get(&place).is_some_and(|stored| stored.version == schedule.version);
            if fits {
                tables.schedules.remove(&place);
                // whoever makes the rule anew counts from one again, and tells none of these
                let of_rule = |(account, rule, _): &(AccountId, Name, _)| (account, rule) == (&schedule.account, &schedule.rule);
                let told = tables.entries.iter_mut().filter(|(place, collected)| of_rule(place) && collected.digest.is_some());
                told.for_each(|(_, collected)| collected.digest = Some(u64::MAX));
            }
            fits
        })
        .await
    }

    async fn collected(&self, schedule: &Schedule, from: Timestamp, visit: Visit<'_>) -> Result<(), StoreError> {
        let wanted = schedule.frozen.as_ref().map(|_| schedule.number);
        let found: Vec<Entry> = self.read(|tables| {
            let of_rule = |(account, rule, _): &(AccountId, Name, _)| *account == schedule.account && *rule == schedule.rule;
            let entries = tables.entries.iter().filter(|(place, _)| of_rule(place)).map(|(_, collected)| collected);
            let entries = entries.filter(|collected| collected.digest == wanted && collected.entry.at >= from);
            entries.map(|collected| collected.entry.clone()).collect()
        });
        found.into_iter().for_each(visit);
        Ok(())
    }
}
