//! Rows that this process has written and that nobody changes: writing them once is enough.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::keys::Key;

/// More than this is not kept: all is forgotten, and written once more.
const MOST: usize = 4096;

/// Their keys.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashSet<Key>>);

impl Seen {
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    pub(crate) fn insert(&self, key: Key) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(key);
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
