//! What was read lately. The writer forgets what it has changed, right after the commit, so that nothing in here is ever
//! older than the last answer.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// More than this is not kept: the whole cache is dropped and fills again.
const MOST: usize = 4096;

/// Things by their name, "there is none" included.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(Mutex<Inner<K, V>>);

#[derive(Debug)]
struct Inner<K, V> {
    known: HashMap<K, Option<Arc<V>>>,
    /// How often something was forgotten: what was read before may be what is to be forgotten.
    changes: u64,
}

/// Says when a read began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Began(u64);

impl<K: Eq + Hash, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Inner { known: HashMap::new(), changes: 0 }))
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// What is known, or a stamp for the read that must follow.
    pub(crate) fn get(&self, key: &K) -> Result<Option<Arc<V>>, Began> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.known.get(key).cloned().ok_or(Began(inner.changes))
    }

    /// Keeps what was read, unless something changed since the read began.
    pub(crate) fn keep(&self, began: Began, key: K, value: Option<Arc<V>>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.changes == began.0 {
            if inner.known.len() >= MOST {
                inner.known.clear();
            }
            inner.known.insert(key, value);
        }
    }

    /// Has changed.
    pub(crate) fn forget(&self, key: &K) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.changes += 1;
        inner.known.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_during_a_read_is_not_kept() {
        let cache = Cache::<u8, &str>::default();
        let began = cache.get(&1).unwrap_err();
        cache.forget(&1);
        cache.keep(began, 1, Some(Arc::new("old")));
        assert!(cache.get(&1).is_err());
    }

    #[test]
    fn that_there_is_none_is_known_too() {
        let cache = Cache::<u8, &str>::default();
        let began = cache.get(&1).unwrap_err();
        cache.keep(began, 1, None);
        assert_eq!(cache.get(&1), Ok(None));
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let cache = Cache::<usize, u8>::default();
        for key in 0..3 * MOST {
            let began = cache.get(&key).unwrap_err();
            cache.keep(began, key, None);
        }
        assert!(cache.0.lock().unwrap().known.len() <= MOST);
    }
}
