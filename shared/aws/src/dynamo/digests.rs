//! What rules have collected, and when it is due.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Name, Schedule},
    ports::{Digests, Due, Visit},
};

use crate::{Store, error::unfinished};

#[async_trait]
impl Digests for Store {
    async fn get(&self, _account: &AccountId, _rule: &Name) -> Result<Option<Schedule>, StoreError> {
        Ok(None)
    }

    async fn put(&self, _schedule: &Schedule) -> Result<bool, StoreError> {
        Err(unfinished("not there yet"))
    }

    async fn freeze(&self, _schedule: &Schedule) -> Result<bool, StoreError> {
        Err(unfinished("not there yet"))
    }

    async fn delete(&self, _schedule: &Schedule) -> Result<bool, StoreError> {
        Err(unfinished("not there yet"))
    }

    async fn collected(&self, _schedule: &Schedule, _from: Timestamp, _visit: Visit<'_>) -> Result<(), StoreError> {
        Err(unfinished("not there yet"))
    }

    async fn due(&self, _until: Timestamp, _after: Option<&Due>, _most: usize) -> Result<Vec<Due>, StoreError> {
        Ok(Vec::new())
    }

    async fn announce(&self, _now: Timestamp, _until: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}
