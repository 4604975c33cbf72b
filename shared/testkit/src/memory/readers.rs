//! Events and delivery rows, read as people see them.

use std::ops::Bound;

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Delivery, DeliveryId, EventId, State},
    ports::{Deliveries, Events, StoredEvent},
};

use super::Worker;

const FIRST: EventId = EventId(0);
const LAST: EventId = EventId(u128::MAX);

#[async_trait]
impl Events for Worker {
    async fn get(&self, account: &AccountId, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.read(|tables| tables.events.get(&(account.clone(), id)).cloned()))
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<EventId>,
        before: Option<EventId>,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let from = from.unwrap_or(FIRST);
        let end = before.map_or(Bound::Included((account.clone(), LAST)), |before| Bound::Excluded((account.clone(), before)));
        if before.is_some_and(|before| before <= from) {
            return Ok(Vec::new());
        }
        let range = (Bound::Included((account.clone(), from)), end);
        Ok(self.read(|tables| tables.events.range(range).rev().take(most).map(|(_, stored)| stored.clone()).collect()))
    }
}

#[async_trait]
impl Deliveries for Worker {
    async fn get(&self, account: &AccountId, ids: &[DeliveryId]) -> Result<Vec<Option<Delivery>>, StoreError> {
        Ok(ids.iter().map(|id| self.row(account, *id)).collect())
    }

    async fn in_state(
        &self,
        account: &AccountId,
        state: State,
        before: Option<DeliveryId>,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let shown =
            |row: &&Delivery| row.account == *account && row.state == state && before.is_none_or(|before| row.id < before);
        Ok(self.read(|tables| tables.deliveries.values().rev().filter(shown).take(most).cloned().collect()))
    }
}
