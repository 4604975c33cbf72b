//! Delivery rows. What a row may become is [`bellhop_core::transition`]'s business; here it is found.

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, Delivery, DeliveryId, State},
    ports::Deliveries,
};

use super::{keys, table::Range};
use crate::{Store, error::corrupt};

#[async_trait]
impl Deliveries for Store {
    async fn get(&self, account: &AccountId, ids: &[DeliveryId]) -> Result<Vec<Option<Delivery>>, StoreError> {
        let wanted: Vec<_> = ids.iter().map(|id| keys::delivery(account, *id)).collect();
        let mut asked = wanted.clone();
        asked.sort_unstable_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
        asked.dedup(); // a batch that names a row twice is refused
        let found = self.table.get_many(asked).await?;
        wanted.iter().map(|key| found.get(key).map(super::table::Row::body).transpose()).collect()
    }

    /// The index names candidates and lags; their rows decide. What has just come into a state may be missing.
    async fn in_state(
        &self,
        account: &AccountId,
        state: State,
        before: Option<DeliveryId>,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(pk) = keys::rare(account, state) else { return Ok(Vec::new()) };
        let mut range = Range { before: before.map(|id| id.to_string()), newest_first: true, ..Range::all(pk) };
        let mut found = Vec::new();
        loop {
            let wanted = most - found.len();
            let candidates = self.table.query_rare(&range, wanted).await?;
            let ids = candidates.iter().map(|row| row.text(keys::RARE_SK)?.parse().map_err(|_| corrupt(keys::RARE_SK)));
            let ids = ids.collect::<Result<Vec<DeliveryId>, StoreError>>()?;
            let rows = Deliveries::get(self, account, &ids).await?;
            found.extend(rows.into_iter().flatten().filter(|row| row.state == state));
            let Some(last) = ids.last().filter(|_| ids.len() == wanted && found.len() < most) else { return Ok(found) };
            range.before = Some(last.to_string());
        }
    }
}
