//! Events as they were kept, each with its plan.
//!
//! A list walks the days that have events, newest first, and asks the shards of a day at once. Promise: whoever keeps an
//! event has written its day before, so that no event is out of sight.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Event, EventId},
    ports::{Events, StoredEvent},
};
use futures_util::{TryStreamExt, stream::FuturesUnordered};

use super::{
    keys,
    table::{Condition, Range, Row, Written},
};
use crate::{
    Store,
    error::{json, parse},
};

const PLAN: &str = "plan";

/// How many days one call of the table names.
const DAYS: usize = 64;

#[async_trait]
impl Events for Store {
    async fn get(&self, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.table.get(keys::event(account, id)).await?.map(|row| stored(&row)).transpose()
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut found = Vec::new();
        let mut days = Range {
            from: from.map(|from| keys::day(from.time())),
            // above the day itself, which has events below `before`
            before: before.map(|before| format!("{}~", keys::day(before.time()))),
            newest_first: true,
            ..Range::all(keys::days(account))
        };
        loop {
            let page = self.table.query(&days, DAYS).await?;
            for row in &page {
                let day = row.text("sk")?;
                found.extend(self.of_day(account, day, from, before, most - found.len()).await?);
                if found.len() == most {
                    return Ok(found);
                }
                days.before = Some(day.to_owned());
            }
            if page.len() < DAYS {
                return Ok(found);
            }
        }
    }
}

impl Store {
    async fn of_day(
        &self,
        account: &AccountId,
        day: &str,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let shards = (0..keys::EVENT_SHARDS).map(|shard| async move {
            let range = Range {
                pk: keys::events_of_day(account, day, shard),
                from: from.map(|id| id.to_string()),
                before: before.map(|id| id.to_string()),
                newest_first: true,
            };
            self.table.query(&range, most).await
        });
        let shards: Vec<_> = shards.collect::<FuturesUnordered<_>>().try_collect().await?;
        let found: Result<Vec<_>, _> = shards.iter().flatten().map(stored).collect();
        let mut found = found?;
        found.sort_by_key(|stored| std::cmp::Reverse(stored.event.id));
        found.truncate(most);
        Ok(found)
    }

    /// Writes an event if there is none of that id; else answers the one that is there.
    pub(crate) async fn put_event(&self, stored: &StoredEvent) -> Result<Option<StoredEvent>, StoreError> {
        let event = &stored.event;
        let kept_until = self.kept_until(&event.account).await?;
        self.name_day(&event.account, event.id.time(), kept_until).await?;
        let row = Row::new(keys::event(&event.account, event.id))
            .with_body(event)?
            .with_text(PLAN, json(&stored.plan)?)
            .with_number(keys::EXPIRES, kept_until);
        match self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await? {
            Written::Yes => Ok(None),
            Written::No(Some(there)) => self::stored(&there).map(Some),
            Written::No(None) => Err(crate::error::unfinished("an event was forgotten at this very moment")),
        }
    }

    /// Says that a day has events: once per process and day.
    async fn name_day(&self, account: &AccountId, at: Timestamp, kept_until: i64) -> Result<(), StoreError> {
        /// Events of the day's end are kept longer than those of its beginning.
        const A_DAY: i64 = 24 * 60 * 60;
        let key = keys::day_with_events(account, keys::day(at));
        if !self.seen.contains(&key) {
            self.table.put(Row::new(key.clone()).with_number(keys::EXPIRES, kept_until + A_DAY)).await?;
            self.seen.insert(key);
        }
        Ok(())
    }
}

fn stored(row: &Row) -> Result<StoredEvent, StoreError> {
    let event: Event = row.body()?;
    Ok(StoredEvent { event: Arc::new(event), plan: parse("a plan", row.text(PLAN)?)? })
}
