//! When digests are due, and what stands in each.
//!
//! A digest is frozen by its end and a list. An entry is put at its time of acceptance up to [`LATE`] after it and no later
//! ([`super::entries`]), so that whoever freezes at or after a digest's end has all that is older than that; what is younger and
//! there, it lists. The list lies in rows of its own, under a token of its own, before the one conditional write that names
//! it: of two who freeze at once, the other's list is never read. All that digests up to a number have taken follows from that
//! number's mark alone, and is never less than what those before had taken; so a digest is what its mark has and the mark
//! before has not: each entry once, whenever it came. Two marks are kept, so that freezing and sending take
//! as long however many digests there were.
//!
//! A schedule and its place in the index of what is due ([`super::composing`]) are written in one transaction: neither is ever
//! without the other. A deleted schedule leaves its last mark behind for a day, so that one that is made anew does not tell
//! again what was just told.
//!
//! [`LATE`]: super::entries

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Entry, Name, Schedule},
    ports::{Digests, Due, Matter, Visit},
};

use super::{
    entries::{LATE, Mark, Of},
    events::A_DAY,
    keys,
    table::{BODY, Condition, Row, Write, Written},
};
use crate::{
    Store,
    error::{json, parse, unfinished},
};

/// Counts what was written, through deletions, too.
const SAVES: &str = "saves";
const MARKS: &str = "marks";

/// A schedule's row.
struct Kept {
    /// `None`: it was deleted.
    schedule: Option<Schedule>,
    saves: u64,
    /// Of the last digest, and of the one before it.
    marks: Marks,
}

type Marks = Vec<Mark>;

#[async_trait]
impl Digests for Store {
    async fn get(&self, account: &AccountId, rule: &Name) -> Result<Option<Schedule>, StoreError> {
        Ok(self.kept(Of { account, rule }).await?.and_then(|kept| kept.schedule))
    }

    async fn put(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        let Some(kept) = self.kept_before(schedule).await? else { return Ok(false) };
        let marks = match &kept {
            Some(Kept { schedule: Some(_), marks, .. }) => marks.clone(),
            Some(Kept { schedule: None, marks, .. }) => vec![first_mark(schedule, marks.last())],
            None => vec![first_mark(schedule, None)],
        };
        self.write(kept.as_ref(), schedule, &marks).await
    }

    async fn freeze(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        let Some(Some(kept)) = self.kept_before(schedule).await? else { return Ok(false) };
        let (Some(frozen), Some(last)) = (&schedule.frozen, kept.marks.last()) else { return Ok(false) };
        let mark = self.list_last(of(schedule), schedule.number, frozen.until.max(last.until)).await?;
        let marks = vec![last.clone(), mark];
        self.write(Some(&kept), schedule, &marks).await
    }

    async fn delete(&self, schedule: &Schedule) -> Result<bool, StoreError> {
        let Some(kept) = self.kept(of(schedule)).await? else { return Ok(false) };
        let Some(there) = kept.schedule.as_ref().filter(|there| there.version == schedule.version) else { return Ok(false) };
        let left = Row::new(keys::schedule(&schedule.account, &schedule.rule))
            .with_number(SAVES, kept.saves + 1)
            .with_text(MARKS, json(&kept.marks)?)
            .with_number(keys::EXPIRES, self.clock.now().as_second() + A_DAY);
        let writes = vec![Write::Put(left, Some(kept.is_unchanged())), Write::Delete(keys::composing(&due(there)), None)];
        self.table.write_all(writes).await
    }

    async fn collected(&self, schedule: &Schedule, from: Timestamp, visit: Visit<'_>) -> Result<(), StoreError> {
        let of = of(schedule);
        let marks = self.kept(of).await?.map(|kept| kept.marks).unwrap_or_default();
        let mark = |number: u64| marks.iter().find(|mark| mark.number == number).ok_or_else(gone_on);
        let inside = match &schedule.frozen {
            Some(_) => Some(self.taken(of, mark(schedule.number)?).await?),
            None => None,
        };
        let before = schedule.number.saturating_sub(u64::from(inside.is_some()));
        let outside = self.taken(of, mark(before)?).await?;
        let from = from.max(outside.until - LATE);
        let until = inside.as_ref().map(|inside| inside.until);
        let mut of_digest = |place, row: &Row| {
            if !outside.has(place) && inside.as_ref().is_none_or(|inside| inside.has(place)) {
                visit(row.body::<Entry>()?);
            }
            Ok(())
        };
        self.entries(of, from, until, &mut of_digest).await
    }
}

impl Kept {
    fn is_unchanged(&self) -> Condition {
        Condition::new("saves = :saves", ":saves", self.saves)
    }
}

impl Store {
    async fn kept(&self, of: Of<'_>) -> Result<Option<Kept>, StoreError> {
        let Some(row) = self.table.get(keys::schedule(of.account, of.rule)).await? else { return Ok(None) };
        let schedule = row.has(BODY).then(|| row.body()).transpose()?;
        Ok(Some(Kept { schedule, saves: row.number(SAVES)?, marks: parse("a schedule's marks", row.text(MARKS)?)? }))
    }

    /// The row, if it has the version before that one; `None`: it has not.
    async fn kept_before(&self, schedule: &Schedule) -> Result<Option<Option<Kept>>, StoreError> {
        let kept = self.kept(of(schedule)).await?;
        let version = kept.as_ref().and_then(|kept| kept.schedule.as_ref()).map_or(0, |there| there.version);
        Ok((version + 1 == schedule.version).then_some(kept))
    }

    /// Writes it over what was read. `false`: somebody else did.
    async fn write(&self, kept: Option<&Kept>, schedule: &Schedule, marks: &[Mark]) -> Result<bool, StoreError> {
        let row = Row::new(keys::schedule(&schedule.account, &schedule.rule))
            .with_body(schedule)?
            .with_number(SAVES, kept.map_or(0, |kept| kept.saves) + 1)
            .with_text(MARKS, json(&marks)?);
        let condition = kept.map_or(Condition::IS_FREE, Kept::is_unchanged);
        let (before, now) = (kept.and_then(|kept| kept.schedule.as_ref()).map(due), due(schedule));
        if before.as_ref() == Some(&now) {
            return Ok(self.table.put_if(row, &condition, self.clock.chance()).await? == Written::Yes);
        }
        self.name_minute(now.at).await?;
        let mut writes = vec![Write::Put(row, Some(condition)), Write::Put(Row::new(keys::composing(&now)), None)];
        writes.extend(before.map(|before| Write::Delete(keys::composing(&before), None)));
        let is_written = self.table.write_all(writes).await?;
        if is_written {
            self.announce_soon(&now).await;
        }
        Ok(is_written)
    }
}

fn of(schedule: &Schedule) -> Of<'_> {
    Of { account: &schedule.account, rule: &schedule.rule }
}

fn due(schedule: &Schedule) -> Due {
    Due { at: schedule.due, account: schedule.account.clone(), matter: Matter::Rule(schedule.rule.clone()) }
}

/// Where a new schedule begins: where it says, and behind what a deleted one has lately told.
fn first_mark(schedule: &Schedule, last: Option<&Mark>) -> Mark {
    let lately = last.filter(|last| last.until + LATE + LATE > schedule.since);
    match lately {
        Some(last) => Mark { number: schedule.number, ..last.clone() },
        None => Mark::new(schedule.number, schedule.since),
    }
}

fn gone_on() -> StoreError {
    unfinished("others went on with this rule's digests; look at its schedule again")
}
