//! Ids of one process rise: what it takes in later has the higher one, within a millisecond, too.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Timestamp, model::EventId};

/// How far the next id of the same millisecond is away at most: enough that nobody guesses it, and little enough that a
/// millisecond has room for all.
const STEP_BITS: u32 = 48;

/// Makes ids. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Ids(Arc<Mutex<Option<EventId>>>);

impl Ids {
    /// The id of something accepted at `at`: higher than all before it of that millisecond.
    pub fn next(&self, at: Timestamp, chance: u128) -> EventId {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // one bit less than there is room for: nothing that is added reaches the milliseconds
        let fresh = EventId::new(at, chance & ((1 << 79) - 1));
        let id = match *last {
            Some(last) if last.time() == fresh.time() => EventId(last.0 + 1 + (chance & ((1 << STEP_BITS) - 1))),
            Some(_) | None => fresh,
        };
        *last = Some(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn of_two_of_one_millisecond_the_later_has_the_higher_id(chances in prop::collection::vec(any::<u128>(), 2..50)) {
            let (ids, at) = (Ids::default(), Timestamp::from_millisecond(1_800_000_000_000).unwrap());
            let made: Vec<_> = chances.into_iter().map(|chance| ids.next(at, chance)).collect();
            prop_assert!(made.is_sorted_by(|one, next| one < next));
            prop_assert!(made.iter().all(|id| id.time() == at));
        }
    }

    #[test]
    fn another_millisecond_begins_anew() {
        let (ids, at) = (Ids::default(), Timestamp::UNIX_EPOCH);
        let first = ids.next(at, u128::MAX);
        assert_eq!(ids.next(at, 0), EventId(first.0 + 1));
        let later = Timestamp::from_millisecond(1).unwrap();
        assert_eq!(ids.next(later, 7), EventId::new(later, 7));
    }
}
