//! What happened, and what came of it, to be read.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures_util::{future::BoxFuture, stream::BoxStream};

use super::StoredEvent;
use crate::{
    StoreError,
    model::{AccountId, Delivery, DeliveryId, Event, EventId, State},
    plan::Planned,
};

/// How many rows are counted at once.
const PLANNED_AT_ONCE: usize = 1_000;

/// Events as they were kept.
#[async_trait]
pub trait Events: Send + Sync {
    /// One.
    async fn get(&self, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, StoreError>;

    /// Up to `most`, newest first, with ids below `before` and at or above `from`.
    async fn list(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// The same, and no further than where they have planned so many deliveries: one event may have ten thousand.
    async fn planned(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
        deliveries: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut found = self.list(account, from, before, most).await?;
        let mut planned = 0;
        let has_room = |stored: &&StoredEvent| {
            let before = planned;
            planned += stored.plan.deliveries.len();
            before < deliveries
        };
        let enough = found.iter().take_while(has_room).count();
        found.truncate(enough);
        Ok(found)
    }

    /// The same without their plans.
    async fn heads(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        Ok(self.list(account, from, before, most).await?.into_iter().map(|stored| stored.event).collect())
    }
}

/// How many delivery rows of an event are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States(BTreeMap<State, usize>);

impl States {
    /// Counts so many more.
    pub fn add(&mut self, state: State, count: usize) {
        *self.0.entry(state).or_default() += count;
    }

    /// How many rows there are in those states.
    pub fn count(&self, is_meant: impl Fn(State) -> bool) -> usize {
        self.0.iter().filter(|(state, _)| is_meant(**state)).map(|(_, count)| count).sum()
    }
}

/// Delivery rows. A planned delivery has none before its first claim: [`crate::view`] tells what people are shown.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// The rows of these deliveries, in the same order.
    async fn get(&self, account: &AccountId, ids: &[DeliveryId]) -> Result<Vec<Option<Delivery>>, StoreError>;

    /// How many rows of an event are in each state, by its plan.
    async fn states(&self, account: &AccountId, event: EventId, plan: &[Planned]) -> Result<States, StoreError> {
        let mut states = States::default();
        for part in plan.chunks(PLANNED_AT_ONCE) {
            let ids: Vec<_> = part.iter().map(|planned| planned.id(event)).collect();
            self.get(account, &ids).await?.into_iter().flatten().for_each(|row| states.add(row.state, 1));
        }
        Ok(states)
    }

    /// Up to `most` in one of the rare states (`retrying`, `failed`, `dropped`), newest first, with ids below `before`.
    async fn in_state(
        &self,
        account: &AccountId,
        state: State,
        before: Option<DeliveryId>,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Is ready when a delivery of that event may have changed since this was called. `None`: nobody can tell, and whoever waits
    /// looks again.
    fn changed(&self, _event: EventId) -> Option<BoxFuture<'_, ()>> {
        None
    }

    /// Has an item when what the account looks at has changed since the one before: a delivery, a task, which keys count. Several
    /// changes may be one item. `None`: nobody can tell.
    fn changes(&self, _account: &AccountId) -> Option<BoxStream<'static, ()>> {
        None
    }
}
