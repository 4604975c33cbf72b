//! The worker that does not survive its k-th point.

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_trait::async_trait;
use bellhop_core::StoreError;

use super::Harm;
use crate::effects::{Effects, Point};

/// Counts points, and does the harm where it is told to.
pub(super) struct Dying {
    harm: Harm,
    count: Mutex<Count>,
}

struct Count {
    is_on: bool,
    left: VecDeque<usize>,
    passed: usize,
    harms: usize,
    is_dead: bool,
    last: String,
}

impl Dying {
    /// Not counting yet.
    pub(super) fn new(harm: Harm, at: &[usize]) -> Self {
        let left = at.iter().copied().collect();
        let count = Count { is_on: false, left, passed: 0, harms: 0, is_dead: false, last: String::new() };
        Self { harm, count: Mutex::new(count) }
    }

    pub(super) fn count_from_here(&self, is_on: bool) {
        self.count().is_on = is_on;
    }

    pub(super) fn harms(&self) -> usize {
        self.count().harms
    }

    /// Where the last harm was done.
    pub(super) fn last(&self) -> String {
        self.count().last.clone()
    }

    pub(super) fn revive(&self) {
        self.count().is_dead = false;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.count().is_dead
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts this point; whether it is the one.
    fn strikes(&self, point: Point) -> bool {
        let mut count = self.count();
        if !count.is_on || count.left.front() != Some(&count.passed) {
            count.passed += usize::from(count.is_on);
            return false;
        }
        count.left.pop_front();
        count.passed = 0;
        count.harms += 1;
        count.is_dead = self.harm == Harm::Dies;
        count.last = format!("{point:?}");
        true
    }
}

#[async_trait]
impl Effects for Dying {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        // whoever does something else in this process has a turn between any two points
        tokio::task::yield_now().await;
        match (self.strikes(point), self.harm) {
            (false, _) => Ok(()),
            (true, Harm::Dies) => pending().await,
            (true, Harm::Fails) => Err(StoreError::Unavailable("as the test wants it".to_owned())),
        }
    }
}

/// Runs `life` to its end, or to the moment when `is_dead` says so. Death comes from inside, so nothing has to wake us.
pub(crate) async fn until_death<T>(life: impl Future<Output = T>, is_dead: impl Fn() -> bool) -> Option<T> {
    let mut life = pin!(life);
    poll_fn(|cx| match life.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if is_dead() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
