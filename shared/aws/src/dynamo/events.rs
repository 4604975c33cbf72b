//! Events as they were kept, each with its plan.
//!
//! A list walks the days that have events, newest first, and asks the shards of a day at once. Promise: whoever keeps an
//! event has written its day before, so that no event is out of sight.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Event, EventId},
    ports::{Events, StoredEvent},
};
use futures_util::{TryStreamExt, stream::FuturesUnordered};

use super::{
    keys::{self, Key},
    pages::{Paged, Pages},
    table::{Condition, Range, Row, Written},
};
use crate::{Store, error::unfinished};

/// Of seconds.
pub(crate) const A_DAY: i64 = 24 * 60 * 60;

/// How many days one call of the table names.
const DAYS: usize = 64;

#[async_trait]
impl Events for Store {
    async fn get(&self, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        let Some(row) = self.table.get(keys::event(account, id)).await? else { return Ok(None) };
        self.stored(account, &row).await
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
        let mut rows: Vec<_> = shards.into_iter().flatten().collect();
        rows.sort_by(|a, b| b.text("sk").unwrap_or_default().cmp(a.text("sk").unwrap_or_default()));
        rows.truncate(most);
        self.readable(account, &rows).await
    }

    /// An event's row, with its pages. `None`: it has expired, and they were forgotten first.
    async fn stored(&self, account: &AccountId, row: &Row) -> Result<Option<StoredEvent>, StoreError> {
        let pages = Pages::of(account, row)?;
        let read = self.table.get_many([&*pages.text, &*pages.plan].concat()).await?;
        let stored = put_together(&pages, row, &read);
        if stored.is_err() && row.number::<i64>(keys::EXPIRES)? <= self.clock.now().as_second() {
            return Ok(None);
        }
        stored.map(Some)
    }

    /// Those of the events that can be read: one that cannot must not hide all the others.
    async fn readable(&self, account: &AccountId, rows: &[Row]) -> Result<Vec<StoredEvent>, StoreError> {
        let mut found = Vec::new();
        for row in rows {
            match self.stored(account, row).await {
                Ok(stored) => found.extend(stored),
                Err(StoreError::Corrupt(what)) => tracing::error!(%account, what, "an event cannot be read, and is left out"),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What happened, without who was to hear of it: all that a sender needs.
    pub(crate) async fn event(&self, account: &AccountId, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        let Some(row) = self.table.get(keys::event(account, id)).await? else { return Ok(None) };
        let pages = Pages::of(account, &row)?;
        let read = self.table.get_many(pages.text.clone()).await?;
        pages.event(&row, &read).map(Arc::new).map(Some)
    }

    /// Writes an event if there is none of that id, and before it what rules collect of it; else answers the one that is
    /// there. `again`: an earlier try has used the id.
    pub(crate) async fn put_event(&self, stored: &StoredEvent, again: bool) -> Result<Option<StoredEvent>, StoreError> {
        let StoredEvent { event, plan } = stored;
        let kept_until = self.kept_until(&event.account).await?;
        let paged = Paged::of(event, plan)?;
        // what is written before the event's row is not to be written in vain, nor for rules that the first plan has not
        if (paged.has_pages() || again && !plan.collected.is_empty())
            && let Some(there) = Events::get(self, &event.account, event.id).await?
        {
            return Ok(Some(there));
        }
        if !plan.collected.is_empty() {
            // boxed: most events are collected by nobody, and are not to carry the room for it
            Box::pin(self.collect(event, &plan.collected, kept_until)).await?;
        }
        self.name_day(&event.account, event.id.time(), kept_until).await?;
        let row = Row::new(keys::event(&event.account, event.id)).with_number(keys::EXPIRES, kept_until);
        let row = self.put_pages(paged, event, kept_until, row).await?;
        match self.table.put_if(row, &Condition::IS_FREE, self.clock.chance()).await? {
            Written::Yes => Ok(None),
            Written::No(Some(there)) => self.stored(&event.account, &there).await?.map(Some).ok_or_else(forgotten),
            Written::No(None) => Err(forgotten()),
        }
    }

    /// Says that a day has events: once per process and day.
    async fn name_day(&self, account: &AccountId, at: Timestamp, kept_until: i64) -> Result<(), StoreError> {
        let key = keys::day_with_events(account, keys::day(at));
        if !self.seen.contains(&key) {
            // events of the day's end are kept longer than those of its beginning
            self.table.put(Row::new(key.clone()).with_number(keys::EXPIRES, kept_until + A_DAY)).await?;
            self.seen.insert(key);
        }
        Ok(())
    }
}

fn put_together(pages: &Pages, row: &Row, read: &HashMap<Key, Row>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent { event: Arc::new(pages.event(row, read)?), plan: pages.plan(row, read)? })
}

fn forgotten() -> StoreError {
    unfinished("an event was forgotten at this very moment")
}
