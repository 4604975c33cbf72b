//! Tells those who wait for an event's deliveries that one has changed.

use bellhop_core::model::EventId;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// As many as a byte can tell apart. Events that share a bell are told of each other's changes, too, and look once more for
/// nothing.
const BELLS: usize = 256;

/// A bell for each event, and for some others.
pub(crate) struct Changes([Notify; BELLS]);

impl Default for Changes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Notify::new()))
    }
}

impl Changes {
    fn bell(&self, event: EventId) -> &Notify {
        // the lowest bits of an id are chance
        &self.0[usize::from(event.0.to_le_bytes()[0])]
    }

    /// A delivery of that event has changed.
    pub(crate) fn tell(&self, event: EventId) {
        self.bell(event).notify_waiters();
    }

    /// Is ready when that is told from now on.
    pub(crate) fn of(&self, event: EventId) -> BoxFuture<'_, ()> {
        Box::pin(self.bell(event).notified())
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
}
