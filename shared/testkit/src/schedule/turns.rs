//! Takes turns among many lives on one thread, in an order that chance chooses, in simulated time.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bellhop_core::{Timestamp, ports::Clock};

use crate::{Dice, Sim};

/// How a life waits: for its next turn, or for a time.
pub(super) struct Turns {
    sim: Arc<Sim>,
    /// When the life that was polled last wants to go on.
    next: AtomicI64,
}

impl Turns {
    pub(super) fn new(sim: Arc<Sim>) -> Self {
        Self { sim, next: AtomicI64::new(0) }
    }

    /// Lets others go first.
    pub(super) async fn give_way(&self) {
        self.pause(self.sim.now()).await;
    }

    /// Waits until the true time is `at`.
    pub(super) async fn wait_until(&self, at: Timestamp) {
        while self.sim.now() < at {
            self.pause(at).await;
        }
    }

    async fn pause(&self, next: Timestamp) {
        let mut is_back = false;
        poll_fn(|_| {
            if std::mem::replace(&mut is_back, true) {
                return Poll::Ready(());
            }
            self.next.store(next.as_millisecond(), Ordering::Relaxed);
            Poll::Pending
        })
        .await;
    }
}

/// Something that lives beside others.
pub(super) struct Life<'a> {
    what: Pin<Box<dyn Future<Output = ()> + 'a>>,
    next: Timestamp,
}

impl<'a> Life<'a> {
    pub(super) fn new(what: impl Future<Output = ()> + 'a) -> Self {
        Self { what: Box::pin(what), next: Timestamp::MIN }
    }
}

/// Gives turns until `is_over`, which is asked whenever nobody has anything to do at the present time. `false` if that was
/// not before `end`.
pub(super) fn take_turns(
    lives: &mut Vec<Life>,
    turns: &Turns,
    dice: &mut Dice,
    end: Timestamp,
    is_over: impl Fn() -> bool,
) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let mut ready = Vec::new();
    loop {
        let now = turns.sim.now();
        ready.clear();
        ready.extend(lives.iter().enumerate().filter(|(_, life)| life.next <= now).map(|(place, _)| place));
        if ready.is_empty() {
            if is_over() {
                return true;
            }
            match lives.iter().map(|life| life.next).min() {
                Some(next) if next < end => turns.sim.set(next),
                _ => return false,
            }
            continue;
        }
        let place = *dice.pick(&ready);
        let life = &mut lives[place];
        match life.what.as_mut().poll(&mut cx) {
            Poll::Ready(()) => drop(lives.swap_remove(place)),
            Poll::Pending => life.next = Timestamp::from_millisecond(turns.next.load(Ordering::Relaxed)).unwrap_or(end),
        }
    }
}
