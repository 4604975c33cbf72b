//! What was read lately, by the clock on the wall: a frozen environment's monotonic clock may stand still.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bellhop_core::Timestamp;

/// How old an answer may be.
const LONGEST: Duration = Duration::from_secs(30);

/// More than this is not kept: the whole cache is dropped and fills again.
const MOST: usize = 4096;

/// Things by their name, "there is none" included.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(Mutex<Inner<K, V>>);

#[derive(Debug)]
struct Inner<K, V> {
    known: HashMap<K, (Timestamp, Option<Arc<V>>)>,
    /// How often something was forgotten: what was read before may be what is to be forgotten.
    changes: u64,
}

/// Says when a read began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Began {
    changes: u64,
    at: Timestamp,
}

impl<K: Eq + Hash, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Inner { known: HashMap::new(), changes: 0 }))
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// What is known, or a stamp for the read that must follow.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Result<Option<Arc<V>>, Began> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.known.get(key) {
            Some((at, value)) if *at <= now && now < *at + LONGEST => Ok(value.clone()),
            _ => Err(Began { changes: inner.changes, at: now }),
        }
    }

    /// A stamp for a read that is to be fresh.
    pub(crate) fn begin(&self, now: Timestamp) -> Began {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Began { changes: inner.changes, at: now }
    }

    /// Keeps what was read, unless something changed here since the read began.
    pub(crate) fn keep(&self, began: Began, key: K, value: Option<Arc<V>>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.changes == began.changes {
            if inner.known.len() >= MOST {
                inner.known.clear();
            }
            inner.known.insert(key, (began.at, value));
        }
    }

    /// Has changed, or may have.
    pub(crate) fn forget(&self, key: &K) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.changes += 1;
        inner.known.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_read_is_known_for_thirty_seconds_and_no_longer() {
        let cache = Cache::<u8, &str>::default();
        cache.keep(cache.begin(at(100)), 1, Some(Arc::new("a")));
        assert_eq!(cache.get(&1, at(129)), Ok(Some(Arc::new("a"))));
        assert!(cache.get(&1, at(130)).is_err());
        assert!(cache.get(&1, at(99)).is_err(), "a clock that was set back says nothing about age");
    }

    #[test]
    fn what_changed_during_a_read_is_not_kept() {
        let cache = Cache::<u8, &str>::default();
        let began = cache.begin(at(0));
        cache.forget(&1);
        cache.keep(began, 1, Some(Arc::new("old")));
        assert!(cache.get(&1, at(0)).is_err());
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let cache = Cache::<usize, u8>::default();
        for key in 0..3 * MOST {
            cache.keep(cache.begin(at(0)), key, None);
        }
        assert!(cache.0.lock().unwrap().known.len() <= MOST);
    }
}
