//! Seeded schedules: clients, workers, ticks and people at once, in simulated time, with whatever chance brings.
//!
//! [`play`] takes a seed and plays it until nothing is left to do. Workers' clocks are off by up to 2 s, ticks come anywhere
//! in their minute or up to four times in a row not at all, messages come twice and in any order, workers stall, fail and
//! die between any two primitive writes. Promise: the same seed plays the same; `Err` tells what was not kept and, moment
//! by moment, how that came about. Left to others: real threads, real files.

mod fate;
mod people;
mod turns;
mod world;

use std::{sync::Arc, time::Duration};

use bellhop_core::ports::Ports;

pub use world::Tale;

use crate::{Memory, crash::Violation, effects::Effects};

/// How far a worker's clock is off, at most.
const SKEW_MS: u64 = 2_000;

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Two or three harms: too few for a message to be received five times before somebody looks at it.
    Rough,
    /// Up to a hundred: there are dead letters that nobody recorded, and somebody redrives them.
    Storm,
}

impl Weather {
    /// How often harm is done, at most. A harm costs a message one receive, or two where it comes back before the claim of
    /// whoever was harmed is over.
    fn harms(self, lease: Duration, visibility: Duration) -> usize {
        match self {
            Self::Rough if lease + Duration::from_millis(2 * SKEW_MS) > visibility => 2,
            Self::Rough => 3,
            Self::Storm => 100,
        }
    }

    /// How many of a thousand points may do harm: where it comes seldom, it comes late.
    fn harmful(self) -> &'static [u64] {
        match self {
            Self::Rough => &[2, 8, 32],
            Self::Storm => &[64],
        }
    }
}

/// Plays the schedule of that seed. `rig` may put something of its own into each worker's ports: it is given them, what
/// they stand on, and what befalls that worker.
pub fn play(
    seed: u64,
    weather: Weather,
    rig: impl Fn(Ports, &Arc<Memory>, Arc<dyn Effects>) -> Ports,
) -> Result<Tale, Violation> {
    world::play(seed, weather, &rig, false).map_err(|_| match world::play(seed, weather, &rig, true) {
        Err(violation) => violation,
        Ok(_) => Violation(format!("seed {seed} failed once and then did not: something is not simulated")),
    })
}
