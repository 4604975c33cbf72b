//! When registrations may be sent to: one row per registration, changed by single conditional updates.
//!
//! A reservation says what it takes the row to be, and the condition says whether that is so: after a rest the first try
//! fits, under load the second. An update whose answer was lost is known again unless others came in between; then a slot
//! stays empty.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Name},
    pace::{SendRate, Silence},
    ports::Pace,
};

use super::{
    keys::{self, EXPIRES},
    table::{Row, Update, Updated},
};
use crate::{Store, error::unfinished};

const RESERVED: &str = "reserved";
const PAUSED_UNTIL: &str = "paused_until";
const TIMEOUTS: &str = "timeouts";

/// How long after the last message the row is of use to nobody.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// How often a reservation is tried against others.
const TRIES: usize = 20;

#[async_trait]
impl Pace for Store {
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError> {
        let every = i128::try_from(rate.every.as_millis()).unwrap_or(i128::MAX);
        let (mut from, mut is_taken) = (from, false);
        for _ in 0..TRIES {
            let now = from.as_millisecond();
            let not_paused = "(attribute_not_exists(paused_until) OR paused_until <= :from)";
            let update = if is_taken {
                Update::new("SET reserved = reserved + :every, expires = :expires", format!("reserved > :from AND {not_paused}"))
                    .with_number(":every", every)
            } else {
                let is_free = format!("(attribute_not_exists(reserved) OR reserved <= :from) AND {not_paused}");
                Update::new("SET reserved = :next, expires = :expires", is_free).with_number(":next", i128::from(now) + every)
            };
            let update = update.with_number(":from", now).with_number(":expires", from.as_second() + KEPT);
            match self.table.update_if(keys::pace(account, name), update, self.clock.chance()).await? {
                Updated::Yes(row) => return Ok(rate.slot(time(&row, RESERVED)?, from)),
                Updated::No(row) => {
                    if row.has(PAUSED_UNTIL) {
                        from = from.max(time(&row, PAUSED_UNTIL)?);
                    }
                    is_taken = row.has(RESERVED) && time(&row, RESERVED)? > from;
                }
            }
        }
        Err(unfinished("a registration's slots are reserved by too many at once"))
    }

    async fn pause(&self, account: &AccountId, name: &Name, until: Timestamp) -> Result<(), StoreError> {
        let is_longer = "attribute_not_exists(paused_until) OR paused_until < :until";
        let update = Update::new("SET paused_until = :until, expires = :expires", is_longer)
            .with_number(":until", until.as_millisecond())
            .with_number(":expires", until.as_second() + KEPT);
        let updated = self.table.update_if(keys::pace(account, name), update, self.clock.chance()).await;
        self.known.registrations.forget(&(account.clone(), name.clone()));
        debug_assert_eq!(EXPIRES, "expires", "as the expressions above spell it");
        updated.map(drop)
    }

    async fn note(&self, account: &AccountId, name: &Name, seen: Silence, now: Silence) -> Result<bool, StoreError> {
        let timeouts =
            if seen.timeouts == 0 { "(attribute_not_exists(timeouts) OR timeouts = :seen)" } else { "timeouts = :seen" };
        let paused = if seen.paused_until.is_some() { "paused_until = :paused" } else { "attribute_not_exists(paused_until)" };
        let change = match now.paused_until {
            Some(_) => "SET timeouts = :timeouts, paused_until = :until, expires = :expires",
            None => "REMOVE paused_until SET timeouts = :timeouts, expires = :expires",
        };
        let mut update = Update::new(change, format!("{timeouts} AND {paused}"))
            .with_number(":seen", seen.timeouts)
            .with_number(":timeouts", now.timeouts)
            .with_number(":expires", self.clock.now().as_second() + KEPT);
        for (name, time) in [(":paused", seen.paused_until), (":until", now.paused_until)] {
            if let Some(time) = time {
                update = update.with_number(name, time.as_millisecond());
            }
        }
        let updated = self.table.update_if(keys::pace(account, name), update, self.clock.chance()).await;
        self.known.registrations.forget(&(account.clone(), name.clone()));
        Ok(matches!(updated?, Updated::Yes(_)))
    }
}

/// What a row says of a registration's silence.
pub(super) fn silence(row: &Row) -> Result<Silence, StoreError> {
    let timeouts = if row.has(TIMEOUTS) { row.number(TIMEOUTS)? } else { 0 };
    let paused_until = row.has(PAUSED_UNTIL).then(|| time(row, PAUSED_UNTIL)).transpose()?;
    Ok(Silence { timeouts, paused_until })
}

fn time(row: &Row, name: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(row.number(name)?).map_err(|_| crate::error::corrupt(name))
}
