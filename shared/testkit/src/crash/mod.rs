//! Dies before or after the k-th effect, for every k of a delivery's whole life, and looks at what is left.
//!
//! [`every_crash_point`] plays a [`Story`] for each point that it passes: there the process ends (or the store fails),
//! and the world goes on: the client may ask again, the store is opened again, messages become visible again, come twice,
//! late and in another order, and ticks run until nothing is left. Promise: `Ok` means that what was accepted became final,
//! and that nothing was sent again but after an outcome that is recorded as unknown ([`judge()`]). Left to others: how a
//! store is killed ([`World`]).

mod client;
mod digest;
mod dying;
mod judge;
mod process;
mod run;
mod story;
mod task;
mod world;

use std::time::Duration;

pub use client::every_crash_point_of_a_client;
pub use digest::{Ending, every_crash_point_of_a_digest};
pub(crate) use dying::until_death;
pub use judge::{Violation, judge};
pub use story::{Client, Story, Twist, stories};
pub use task::every_crash_point_of_a_task;
pub use world::{MemoryWorld, World};

/// What happens at the chosen point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// The process ends there.
    Dies,
    /// The effect fails, though `After` it has happened.
    Fails,
}

/// How to try a story.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// What happens.
    pub harm: Harm,
    /// How many times in one run: 2 tries every pair of points.
    pub times: usize,
    /// For how long a worker claims a delivery.
    pub lease: Duration,
}

/// How far a trial went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// How often the story was played.
    pub runs: usize,
    /// How many points its longest run passed before the first harm.
    pub points: usize,
}

/// Plays `story` for every point (or pair of points …) that it passes, each time in a new world: once as it is, and once
/// with wake-ups that come twice, late and in another order.
pub async fn every_crash_point<W: World>(make: impl AsyncFn() -> W, story: &Story, trial: Trial) -> Result<Survey, Violation> {
    every_point(trial, async |at| {
        let mut harms = 0;
        // copies heal what is lost on the way: without them it stays lost
        for copies in [false, true] {
            let played = run::run(make().await, story, trial, copies, at).await;
            harms = harms.max(played.map_err(|Violation(what)| {
                Violation(format!("{} ({:?} at {at:?}, lease {:?}): {what}", story.name, trial.harm, trial.lease))
            })?);
        }
        Ok(harms)
    })
    .await
}

/// Plays for every point (or pair of points …), until one harm after the other no longer comes about.
async fn every_point(trial: Trial, play: impl AsyncFn(&[usize]) -> Result<usize, Violation>) -> Result<Survey, Violation> {
    let mut at = vec![0; trial.times];
    let mut survey = Survey { runs: 0, points: 0 };
    loop {
        let harms = play(&at).await?;
        survey = Survey { runs: survey.runs + 1, points: survey.points.max(at.first().copied().unwrap_or(0)) };
        // the points count on from each harm, so that what never happened carries over to the one before
        let Some(last) = harms.checked_sub(1) else { return Ok(survey) };
        at[last] += 1;
        at[harms..].fill(0);
    }
}
