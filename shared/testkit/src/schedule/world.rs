//! One schedule: what is in it, when it is over, and whether all promises were kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Sum,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellhop_core::{
    StoreError,
    model::{Delivery, DeliveryId, EventId, Outcome},
    ports::{Clock, Ports},
};
use futures_util::FutureExt;
use jiff::SignedDuration;

use super::{
    SKEW_MS, Weather,
    fate::{Fate, Luck},
    people,
    turns::{Life, take_turns},
};
use crate::{
    Answer, Dice, Memory, Provider, Sim, account, channel,
    crash::{Violation, judge},
    effects::{Effects, transport_between_points},
    memory::Visibility,
    registration,
};

/// Longer than the longest schedule of retries and several rounds of it.
const END: Duration = Duration::from_hours(24 * 8);

/// The registrations that everybody sends to.
pub(super) const NAMES: [&str; 2] = ["phone", "desk"];

/// How a schedule went, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tale {
    /// Deliveries that became final.
    pub deliveries: usize,
    /// Attempts whose outcome is recorded as unknown.
    pub unknown: usize,
    /// Stalls, failures and deaths.
    pub harms: usize,
    /// Wake-ups that became dead letters.
    pub dead_letters: u64,
    /// Wake-ups that waited in the due index.
    pub parked: usize,
}

/// What all lives of one schedule share.
pub(super) struct World {
    pub(super) memory: Arc<Memory>,
    pub(super) luck: Arc<Luck>,
    pub(super) lease: Duration,
    pub(super) calm: Ports,
    provider: Arc<Provider>,
    promises: Mutex<Promises>,
}

/// What people were told, and what they asked for.
#[derive(Default)]
pub(super) struct Promises {
    /// Events that a client was answered for.
    pub(super) kept: BTreeSet<EventId>,
    /// The event of each idempotency key that was answered.
    pub(super) of_key: BTreeMap<String, EventId>,
    /// How often somebody may have got another round.
    pub(super) reopened: BTreeMap<DeliveryId, usize>,
    /// Clients and others who are not done yet.
    pub(super) busy: usize,
    /// Something that a client saw and should not have.
    pub(super) broken: Option<String>,
}

impl World {
    fn new(seed: u64, weather: Weather, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let sim = Sim::new(dice.throw());
        let (lease, visibility) = *dice.pick(&[(60, 90), (60, 62), (60, 25), (20, 120)]);
        let (lease, visibility) = (Duration::from_secs(lease), Duration::from_secs(visibility));
        let harms = weather.harms(lease, visibility);
        // copies heal what is lost on the way: some worlds are without
        let visibility = if dice.one_in(3) {
            Visibility::orderly(visibility)
        } else {
            Visibility::unruly(visibility, Dice::new(dice.throw()))
        };
        let memory = Memory::new(Arc::clone(&sim), visibility);
        let scripts = Mutex::new(Dice::new(dice.throw()));
        let provider = Provider::by(move |_| script(&mut scripts.lock().unwrap_or_else(PoisonError::into_inner)));
        let luck = Arc::new(Luck::new(sim, dice.throw(), weather, harms, is_traced));
        let calm = memory.ports();
        Self { memory, luck, lease, calm, provider, promises: Mutex::default() }
    }

    pub(super) fn promises(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ports of a worker whose clock is off by up to 2 s.
    pub(super) fn ports(&self, fate: &Arc<Fate>, rig: &Rig) -> Ports {
        let effects = Arc::clone(fate) as Arc<dyn Effects>;
        let ahead = self.luck.throw(|dice| dice.below(2 * SKEW_MS + 1)).cast_signed() - SKEW_MS.cast_signed();
        let clock = self.luck.sim.skewed(SignedDuration::from_millis(ahead));
        let ports = rig(self.memory.ports_with(clock, Arc::clone(&effects)), &self.memory, Arc::clone(&effects));
        Ports { transport: transport_between_points(&Arc::clone(&self.provider).into(), &effects), ..ports }
    }

    fn is_over(&self) -> bool {
        self.promises().busy == 0 && self.memory.is_quiet()
    }

    /// Judges every delivery of every event that was kept. Those of events that nobody was answered for may be missing.
    fn judge(&self) -> Result<Tale, Violation> {
        let promises = self.promises();
        let events = at_once(self.calm.events.list(&account(), None, None, usize::MAX));
        let events: BTreeMap<_, _> = events.into_iter().map(|stored| (stored.event.id, stored)).collect();
        if let Some(broken) = &promises.broken {
            return Err(Violation(broken.clone()));
        }
        if let Some(id) = promises.kept.iter().find(|id| !events.contains_key(id)) {
            return Err(Violation(format!("{id} was accepted, and is not kept")));
        }
        if let Some(id) = self.provider.deliveries().into_iter().find(|id| !events.contains_key(&id.event)) {
            return Err(Violation(format!("{id} was sent, and its event was never kept")));
        }
        let mut tale = Tale { harms: self.luck.harms(), ..Tale::default() };
        for stored in events.values() {
            for planned in &stored.plan.deliveries {
                let id = planned.id(stored.event.id);
                let Some(row) = at_once(self.calm.deliveries.get(&account(), &[id])).remove(0) else {
                    if promises.kept.contains(&stored.event.id) {
                        return Err(Violation(format!("{id} was accepted, and never tried")));
                    }
                    continue;
                };
                let rounds = 1 + promises.reopened.get(&id).copied().unwrap_or(0);
                judge(&row, &self.provider.answers(id), rounds)?;
                tale.count(&row);
            }
        }
        Ok(tale)
    }
}

impl Tale {
    fn count(&mut self, row: &Delivery) {
        self.deliveries += 1;
        self.unknown += row.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unknown).count();
    }
}

/// The result of something that does not wait and does not fail: a calm worker's call.
pub(super) fn at_once<T>(call: impl Future<Output = Result<T, StoreError>>) -> T {
    match call.now_or_never() {
        Some(Ok(result)) => result,
        _ => unreachable!("memory neither waits nor fails by itself"),
    }
}

/// Puts something of a test's own into a worker's ports.
pub(super) type Rig<'a> = dyn Fn(Ports, &Arc<Memory>, Arc<dyn Effects>) -> Ports + 'a;

impl Sum for Tale {
    fn sum<I: Iterator<Item = Self>>(tales: I) -> Self {
        tales.fold(Self::default(), |sum, tale| Self {
            deliveries: sum.deliveries + tale.deliveries,
            unknown: sum.unknown + tale.unknown,
            harms: sum.harms + tale.harms,
            dead_letters: sum.dead_letters + tale.dead_letters,
            parked: sum.parked + tale.parked,
        })
    }
}

/// What the provider does to one delivery.
fn script(dice: &mut Dice) -> Vec<Answer> {
    use Answer::{Later, Panics, Refused, Status, Taken, TimesOut};
    let scripts: [&[Answer]; 12] = [
        &[Taken],
        &[Taken],
        &[Taken],
        &[Status(503), Taken],
        &[TimesOut, Taken],
        &[TimesOut, TimesOut, Status(503), Taken],
        &[Later(429, 20), Taken],
        &[Later(503, 3600), Taken],
        &[Refused, Status(500), Taken],
        &[Panics, Taken],
        &[Status(400)],
        &[Status(410)],
    ];
    if dice.one_in(100) { vec![Status(503)] } else { dice.pick(&scripts).to_vec() }
}

pub(super) fn play(seed: u64, weather: Weather, rig: &Rig, is_traced: bool) -> Result<Tale, Violation> {
    let world = World::new(seed, weather, is_traced);
    play_out(&world, weather, rig).map_err(|Violation(what)| {
        let trace = world.luck.trace();
        Violation(format!("seed {seed}, {weather:?}, lease {:?}: {what}\n{trace}", world.lease))
    })
}

fn play_out(world: &World, weather: Weather, rig: &Rig) -> Result<Tale, Violation> {
    for called in NAMES {
        at_once(world.calm.registrations.put(&registration(called)));
    }
    let mut lives: Vec<Life> = people::all(world, rig);
    let mut dice = Dice::new(world.luck.throw(Dice::throw));
    let end = world.luck.sim.now() + END;
    let mut out = |lives: &mut Vec<Life>| {
        let is_over = take_turns(lives, &world.luck.turns, &mut dice, end, || world.is_over());
        if is_over { Ok(()) } else { Err(Violation("it does not end".to_owned())) }
    };
    out(&mut lives)?;
    if weather == Weather::Rough {
        world.judge()?;
    }
    // whoever runs the platform has found the cause, and redrives
    world.luck.calm_down();
    let dead_letters = at_once(world.calm.queue.redrive(&channel()));
    out(&mut lives)?;
    let tale = world.judge()?;
    Ok(Tale { dead_letters, parked: world.memory.parked(), ..tale })
}
