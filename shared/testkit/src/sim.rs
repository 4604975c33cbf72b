//! Time and chance out of a seed. Time stands still until somebody lets it pass.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bellhop_core::{Timestamp, ports::Clock};
use jiff::SignedDuration;
use tokio::sync::{Notify, futures::Notified};

/// When every simulation begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// Chance that can be had again: `SplitMix64`. <https://prng.di.unimi.it/splitmix64.c>
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed, the same throws.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.throw() % bound
    }

    /// An index below `length`, which is not 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// The true time of a simulated world, and its chance.
#[derive(Debug)]
pub struct Sim {
    now_ms: AtomicI64,
    dice: Mutex<Dice>,
    stirred: Notify,
}

impl Sim {
    /// A world at its beginning.
    pub fn new(seed: u64) -> Arc<Self> {
        let dice = Mutex::new(Dice::new(seed));
        Arc::new(Self { now_ms: AtomicI64::new(BEGIN_MS), dice, stirred: Notify::new() })
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.now_ms.fetch_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.stir();
    }

    /// Sets the time.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.as_millisecond(), Ordering::SeqCst);
        self.stir();
    }

    /// Tells whoever waits to look again.
    pub(crate) fn stir(&self) {
        self.stirred.notify_waiters();
    }

    /// Resolves at the next [`Sim::stir`] from now on.
    pub(crate) fn stirred(&self) -> Notified<'_> {
        self.stirred.notified()
    }

    /// The clock of a machine that is so much ahead.
    pub fn skewed(self: &Arc<Self>, ahead: SignedDuration) -> Arc<dyn Clock> {
        Arc::new(Skewed { sim: Arc::clone(self), ahead })
    }
}

impl Clock for Sim {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn chance(&self) -> u128 {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        u128::from(dice.throw()) << 64 | u128::from(dice.throw())
    }
}

struct Skewed {
    sim: Arc<Sim>,
    ahead: SignedDuration,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.sim.now() + self.ahead
    }

    fn chance(&self) -> u128 {
        self.sim.chance()
    }
}
