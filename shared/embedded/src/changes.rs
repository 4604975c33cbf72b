//! Tells those who wait for an event's deliveries that one has changed, and those who look at an account that something of it has.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bellhop_core::model::{AccountId, EventId};
use futures_util::{
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt},
};
use tokio::sync::{Notify, watch};

/// As many as a byte can tell apart. Events that share a bell are told of each other's changes, too, and look once more for
/// nothing.
const BELLS: usize = 256;

pub(crate) struct Changes {
    /// One for each event, and for some others.
    bells: [Notify; BELLS],
    /// One for each account that somebody looks at, and for no other: nobody is to learn when others are busy.
    accounts: Mutex<HashMap<AccountId, watch::Sender<()>>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { bells: std::array::from_fn(|_| Notify::new()), accounts: Mutex::default() }
    }
}

impl Changes {
    fn bell(&self, event: EventId) -> &Notify {
        // the lowest bits of an id are chance
        &self.bells[usize::from(event.0.to_le_bytes()[0])]
    }

    /// A delivery of that event has changed.
    pub(crate) fn tell(&self, event: EventId) {
        self.bell(event).notify_waiters();
    }

    /// Is ready when that is told from now on.
    pub(crate) fn of(&self, event: EventId) -> BoxFuture<'_, ()> {
        Box::pin(self.bell(event).notified())
    }

    /// Something that the account looks at has changed.
    pub(crate) fn tell_account(&self, account: &AccountId) {
        if let Some(bell) = self.accounts().get(account) {
            bell.send_replace(());
        }
    }

    /// Has an item when that was told since the one before.
    pub(crate) fn of_account(&self, account: &AccountId) -> BoxStream<'static, ()> {
        let mut accounts = self.accounts();
        accounts.retain(|_, bell| bell.receiver_count() > 0);
        let told = accounts.entry(account.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        stream::unfold(told, async |mut told| told.changed().await.is_ok().then_some(((), told))).boxed()
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<()>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_asked_before_a_change_hears_of_it_and_who_asks_later_waits_for_the_next() {
        let (changes, event) = (Changes::default(), EventId(7));
        let before = changes.of(event);
        changes.tell(EventId(8));
        changes.tell(event);
        assert_eq!(before.now_or_never(), Some(()));
        assert_eq!(changes.of(event).now_or_never(), None);
    }

    #[test]
    fn changes_of_an_account_are_told_to_all_who_look_at_it_several_as_one_and_to_nobody_else() {
        let [main, other] = ["main", "other"].map(|name| AccountId::parse(name).unwrap());
        let changes = Changes::default();
        let [mut one, mut another] = [changes.of_account(&main), changes.of_account(&main)];
        let mut elsewhere = changes.of_account(&other);
        changes.tell_account(&main);
        changes.tell_account(&main);
        for stream in [&mut one, &mut another] {
            assert_eq!(stream.next().now_or_never(), Some(Some(())));
            assert_eq!(stream.next().now_or_never(), None);
        }
        assert_eq!(elsewhere.next().now_or_never(), None);
        drop((one, another));
        drop(changes.of_account(&other));
        assert_eq!(changes.accounts().len(), 1, "who looks no more is forgotten");
    }
}
