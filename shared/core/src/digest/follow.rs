//! A rule's schedule follows what its owner says: made with the rule, moved with its times, ended with it.
//!
//! Promise: the schedule is written before the rule is, so that nothing is ever collected for a rule that has none; whoever
//! dies between the two leaves a schedule that finds out by itself ([`super::compose()`]).

use jiff::Timestamp;

use super::times::Times;
use crate::{
    StoreError,
    model::{Account, AccountId, Batch, Closing, Name, Rule, Schedule},
    ports::Ports,
};

/// How often a schedule is written against others.
const RACES: usize = 20;

/// The day that the rule's intervals count from: that of the first save, unless the times have changed since.
#[must_use]
pub fn anchored(rule: Rule, before: Option<&Rule>, settings: &Account, now: Timestamp) -> Rule {
    let Some(batch) = rule.batch else { return rule };
    let times = |batch: &Batch| (batch.at, batch.every, batch.time_zone.clone());
    let kept = before.and_then(|before| before.batch.as_ref()).filter(|before| times(before) == times(&batch));
    let today = || batch.zone(settings.time_zone()).to_datetime(now).date();
    let anchor = Some(kept.and_then(|before| before.anchor).unwrap_or_else(today));
    Rule { batch: Some(Batch { anchor, ..batch }), ..rule }
}

/// To be called before a rule is saved (or deleted: `after` is `None`).
pub async fn follow(
    ports: &Ports,
    settings: &Account,
    name: &Name,
    before: Option<&Rule>,
    after: Option<&Rule>,
) -> Result<(), StoreError> {
    let [before, after] = [before, after].map(|rule| rule.filter(|rule| rule.collects()));
    match (before, after.and_then(|after| after.batch.as_ref())) {
        (_, Some(batch)) => {
            let times = Times::of(batch, settings.time_zone());
            change(ports, &settings.id, name, |old, now| {
                let due = times.after(now);
                match old {
                    None => Some(fresh(&settings.id, name, now, due)),
                    // what is under way goes its way, and the times after it are the new ones
                    Some(old) if old.frozen.is_some() || old.flush.is_some() => {
                        old.closing.is_some().then(|| Schedule { closing: None, ..old.clone() })
                    }
                    Some(old) => {
                        (old.due != due || old.closing.is_some()).then(|| Schedule { due, closing: None, ..old.clone() })
                    }
                }
            })
            .await
        }
        (Some(before), None) => {
            change(ports, &settings.id, name, |old, now| {
                let closing = Some(Closing { rule: Box::new(before.clone()), at: now });
                old.filter(|old| old.closing.is_none()).map(|old| Schedule { closing, due: old.due.min(now), ..old.clone() })
            })
            .await
        }
        (None, None) => Ok(()),
    }
}

/// Asks for a digest of what was collected up to now; answers up to when. `None`: the rule collects nothing.
pub async fn flush(ports: &Ports, account: &AccountId, name: &Name) -> Result<Option<Timestamp>, StoreError> {
    let Some(schedule) = ports.digests.get(account, name).await?.filter(|schedule| schedule.closing.is_none()) else {
        return Ok(None);
    };
    if let Some(at) = schedule.flush {
        return Ok(Some(at)); // asked for already, and about to be sent
    }
    let at = ports.clock.now();
    change(ports, account, name, |old, _| {
        old.filter(|old| old.flush.is_none()).map(|old| Schedule { flush: Some(at), due: old.due.min(at), ..old.clone() })
    })
    .await?;
    Ok(Some(at))
}

fn fresh(account: &AccountId, rule: &Name, since: Timestamp, due: Timestamp) -> Schedule {
    Schedule {
        account: account.clone(),
        rule: rule.clone(),
        version: 0,
        since,
        due,
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    }
}

/// Saves what `make` makes of the schedule, if it makes anything of it.
async fn change(
    ports: &Ports,
    account: &AccountId,
    name: &Name,
    make: impl Fn(Option<&Schedule>, Timestamp) -> Option<Schedule>,
) -> Result<(), StoreError> {
    for _ in 0..RACES {
        let old = ports.digests.get(account, name).await?;
        let Some(new) = make(old.as_ref(), ports.clock.now()) else { return Ok(()) };
        let version = old.map_or(0, |old| old.version) + 1;
        if ports.digests.put(&Schedule { version, ..new }).await? {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("others work on this rule's digests at the same time; try again".to_owned()))
}
