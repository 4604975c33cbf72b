//! A rule's schedule follows what its owner says: made with the rule, moved with its times, ended with it.
//!
//! Promise: the schedule is written before the rule is, so that nothing is ever collected for a rule that has none; whoever
//! dies between the two leaves a schedule that finds out by itself ([`super::compose()`]).

use jiff::Timestamp;

use super::times::Times;
use crate::{
    StoreError,
    model::{Account, AccountId, Batch, Because, Closing, Frozen, Name, Rule, Schedule},
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

/// To be called before a rule is saved (or deleted: `after` is `None`), and once more behind it, with what was saved as both:
/// who was at work on a digest meanwhile may have gone by what the rule said before.
///
/// What was due by then, or belongs to a deleted rule of that name, is told as the rule said until now.
pub async fn follow(
    ports: &Ports,
    settings: &Account,
    name: &Name,
    before: Option<&Rule>,
    after: Option<&Rule>,
) -> Result<(), StoreError> {
    let [collecting, collects] = [before, after].map(|rule| rule.filter(|rule| rule.collects()));
    match (collecting, collects.and_then(|after| after.batch.as_ref())) {
        (_, Some(batch)) => {
            let times = Times::of(batch, settings.time_zone());
            change(ports, &settings.id, name, |old, now| {
                let due = times.after(now);
                let Some(old) = old else { return Step::Put(fresh(&settings.id, name, now, due)) };
                match (&old.closing, &old.frozen) {
                    (Some(closing), Some(frozen)) if before.is_none() => Step::Put(going_on(old, closing, frozen)),
                    (Some(closing), None) if before.is_none() => {
                        Step::Freeze(frozen(old, now, 0, Because::Last, Some(closing.rule.clone())))
                    }
                    // saved anew, so that whoever works on it looks at the rule again
                    _ if old.frozen.is_some() || old.flush.is_some() => Step::Put(Schedule { closing: None, ..old.clone() }),
                    (None, None) if old.since < old.due && old.due <= now => {
                        Step::Freeze(frozen(old, old.due, 1, Because::Due, before.cloned().map(Box::new)))
                    }
                    (None, None) if old.due == due => Step::Nothing,
                    _ => Step::Put(Schedule { due, closing: None, ..old.clone() }),
                }
            })
            .await
        }
        (Some(before), None) => {
            change(ports, &settings.id, name, |old, now| match old {
                Some(old) if old.closing.is_none() => {
                    let closing = Some(Closing { rule: Box::new(before.clone()), at: now });
                    Step::Put(Schedule { closing, due: old.due.min(now), ..old.clone() })
                }
                Some(_) | None => Step::Nothing,
            })
            .await
        }
        (None, None) => Ok(()),
    }
}

/// Asks for a digest of what was collected up to now; answers up to when. `None`: the rule collects nothing.
pub async fn flush(ports: &Ports, account: &AccountId, name: &Name) -> Result<Option<Timestamp>, StoreError> {
    let mut until = None;
    change(ports, account, name, |old, now| {
        until = old.filter(|old| old.closing.is_none()).map(|old| old.flush.map_or(now, |asked| asked.max(now)));
        match (old, until) {
            (Some(old), Some(at)) => Step::Put(Schedule { flush: Some(at), due: old.due.min(at), ..old.clone() }),
            _ => Step::Nothing,
        }
    })
    .await?;
    Ok(until)
}

/// With a digest of the deleted rule under way, which goes to those whom that named.
fn going_on(old: &Schedule, closing: &Closing, frozen: &Frozen) -> Schedule {
    let rule = frozen.rule.clone().or_else(|| Some(closing.rule.clone()));
    Schedule { frozen: Some(Frozen { rule, ..frozen.clone() }), closing: None, ..old.clone() }
}

/// With a digest under way that ends at `until`.
fn frozen(old: &Schedule, until: Timestamp, intervals: u64, because: Because, rule: Option<Box<Rule>>) -> Schedule {
    let frozen = Frozen { since: old.since, until: until.max(old.since), intervals, because, rule };
    Schedule { frozen: Some(frozen), closing: None, number: old.number + 1, due: old.due.min(until), ..old.clone() }
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

/// What becomes of a schedule.
enum Step {
    Nothing,
    Put(Schedule),
    Freeze(Schedule),
}

/// Does with the schedule what `make` says.
async fn change(
    ports: &Ports,
    account: &AccountId,
    name: &Name,
    mut make: impl FnMut(Option<&Schedule>, Timestamp) -> Step + Send,
) -> Result<(), StoreError> {
    for _ in 0..RACES {
        let old = ports.digests.get(account, name).await?;
        let step = make(old.as_ref(), ports.clock.now());
        let version = old.map_or(0, |old| old.version) + 1;
        let is_done = match step {
            Step::Nothing => true,
            Step::Put(new) => ports.digests.put(&Schedule { version, ..new }).await?,
            Step::Freeze(new) => ports.digests.freeze(&Schedule { version, ..new }).await?,
        };
        if is_done {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable("others work on this rule's digests at the same time; try again".to_owned()))
}
