//! Who counts with a counter waits for whoever counts with it in the same process, so that a process never races against
//! itself. Left to others: races against other processes (`rules::apply`).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::model::AccountId;

/// Beyond this many counters, those that nobody uses any more are forgotten.
const MOST_KNOWN: usize = 1024;

/// A counter, by its account and name.
type Which = (AccountId, String);

/// The counters that are in use in this process. Clones are one.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<Which, Weak<AsyncMutex<()>>>>>);

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

impl Turns {
    /// Returns when nobody else of this process counts with it, and until what it returns is dropped nobody else does.
    pub(super) async fn take(&self, account: &AccountId, counter: &str) -> OwnedMutexGuard<()> {
        self.of(account, counter).lock_owned().await
    }

    fn of(&self, account: &AccountId, counter: &str) -> Arc<AsyncMutex<()>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let which = (account.clone(), counter.to_owned());
        if let Some(turn) = known.get(&which).and_then(Weak::upgrade) {
            return turn;
        }
        if known.len() >= MOST_KNOWN {
            known.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        known.insert(which, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_counter_has_one_user_at_a_time_and_another_does_not_wait_for_it() {
        let (turns, account) = (Turns::default(), AccountId::parse("main").unwrap());
        let mine = turns.take(&account, "ops/a").now_or_never().unwrap();
        assert!(turns.clone().take(&account, "ops/a").now_or_never().is_none());
        assert!(turns.take(&account, "ops/b").now_or_never().is_some());
        drop(mine);
        assert!(turns.take(&account, "ops/a").now_or_never().is_some());
    }

    #[test]
    fn counters_that_nobody_uses_are_forgotten() {
        let (turns, account) = (Turns::default(), AccountId::parse("main").unwrap());
        let _mine = turns.take(&account, "kept").now_or_never().unwrap();
        for number in 0..MOST_KNOWN * 3 {
            turns.take(&account, &number.to_string()).now_or_never().unwrap();
        }
        assert!(turns.0.lock().unwrap().len() <= MOST_KNOWN);
        assert!(turns.take(&account, "kept").now_or_never().is_none());
    }
}
