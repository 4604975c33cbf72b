//! What befalls a worker at each of its points: mostly nothing, sometimes a pause, a failing store, death.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{StoreError, ports::Clock};

use super::{Weather, turns::Turns};
use crate::{
    Dice, Sim,
    crash::until_death,
    effects::{Effects, Point},
};

/// All that chance decides in one schedule, and what it has decided.
pub(super) struct Luck {
    pub(super) sim: Arc<Sim>,
    pub(super) turns: Turns,
    harmful: u64,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    harms_left: usize,
    harms: usize,
    trace: Option<Vec<String>>,
}

/// What befalls a worker.
enum Lot {
    GoesOn,
    GivesWay,
    Stalls(Duration),
    Fails,
    Dies,
}

impl Luck {
    pub(super) fn new(sim: Arc<Sim>, seed: u64, weather: Weather, harms_left: usize, is_traced: bool) -> Self {
        let turns = Turns::new(Arc::clone(&sim));
        let mut dice = Dice::new(seed);
        let harmful = *dice.pick(weather.harmful());
        let state = State { dice, harms_left, harms: 0, trace: is_traced.then(Vec::new) };
        Self { sim, turns, harmful, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets chance decide something.
    pub(super) fn throw<T>(&self, decide: impl FnOnce(&mut Dice) -> T) -> T {
        decide(&mut self.state().dice)
    }

    /// Up to `seconds`, to the millisecond.
    pub(super) fn seconds(&self, seconds: u64) -> Duration {
        Duration::from_millis(self.throw(|dice| dice.below(seconds * 1_000 + 1)))
    }

    pub(super) async fn wait(&self, time: Duration) {
        self.turns.wait_until(self.sim.now() + time).await;
    }

    /// No more harm from here on.
    pub(super) fn calm_down(&self) {
        self.state().harms_left = 0;
    }

    pub(super) fn harms(&self) -> usize {
        self.state().harms
    }

    /// Writes a line, if anybody is going to read it.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let now = self.sim.now();
        if let Some(trace) = &mut self.state().trace {
            trace.push(format!("{now} {}", line()));
        }
    }

    pub(super) fn trace(&self) -> String {
        self.state().trace.take().unwrap_or_default().join("\n")
    }

    fn draw(&self) -> Lot {
        let State { dice, harms_left, harms, .. } = &mut *self.state();
        let throw = dice.below(1_000);
        if throw >= self.harmful || *harms_left == 0 {
            return if throw < 300 { Lot::GivesWay } else { Lot::GoesOn };
        }
        *harms_left -= 1;
        *harms += 1;
        match dice.below(3) {
            0 => Lot::Dies,
            1 => Lot::Fails,
            _ => Lot::Stalls(Duration::from_millis(dice.below(150_000))),
        }
    }
}

/// One worker's share of it.
pub(super) struct Fate {
    luck: Arc<Luck>,
    who: String,
    is_dead: AtomicBool,
}

impl Fate {
    pub(super) fn new(luck: &Arc<Luck>, who: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { luck: Arc::clone(luck), who: who.into(), is_dead: AtomicBool::new(false) })
    }

    /// Lives `life` to its end; `None` if death comes first.
    pub(super) async fn live<T>(&self, life: impl Future<Output = T>) -> Option<T> {
        until_death(life, || self.is_dead.load(Ordering::Relaxed)).await
    }
}

#[async_trait]
impl Effects for Fate {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        let lot = self.luck.draw();
        self.luck.note(|| {
            let lot = match &lot {
                Lot::GoesOn | Lot::GivesWay => String::new(),
                Lot::Stalls(time) => format!(": stalls for {time:?}"),
                Lot::Fails => ": FAILS".to_owned(),
                Lot::Dies => ": DIES".to_owned(),
            };
            format!("{} {point:?}{lot}", self.who)
        });
        match lot {
            Lot::GoesOn => {}
            Lot::GivesWay => self.luck.turns.give_way().await,
            Lot::Stalls(time) => self.luck.wait(time).await,
            Lot::Fails => return Err(StoreError::Unavailable("as the schedule wants it".to_owned())),
            Lot::Dies => {
                self.is_dead.store(true, Ordering::Relaxed);
                pending::<()>().await;
            }
        }
        Ok(())
    }
}
