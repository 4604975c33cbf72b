//! From the minute's tick to `core::tick`.
//!
//! On one machine the tick is a timer: once at the start, for what became due while nothing ran, then every minute; and every
//! second somebody looks for digests and tasks ([`agenda`]). On AWS it is a schedule, and what it announces comes back as pages
//! ([`handle_page`]). A tick that fails is told to the operator and made up for by the next: each looks minutes ahead.

pub mod agenda;
mod pages;

use std::time::Duration;

use bellhop_core::{
    StoreError,
    ports::Ports,
    tick::{Ticked, tick},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

pub use pages::handle_page;

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Ticks until `stop` says so.
pub async fn run(ports: Ports, mut stop: watch::Receiver<bool>) {
    let mut timer = interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = timer.tick() => once(&ports).await,
            _ = stop.changed() => {}
        }
    }
}

async fn once(ports: &Ports) {
    if let Err(error) = handle_tick(ports).await {
        tracing::error!(%error, "the tick failed; the next one makes up for it");
    }
}

/// Does what is due now.
pub async fn handle_tick(ports: &Ports) -> Result<(), StoreError> {
    let ticked = tick(ports, ports.clock.now()).await?;
    if ticked != Ticked::default() {
        tracing::info!(queued = ticked.queued, announced = ticked.announced, expired = ticked.expired, "ticked");
    }
    Ok(())
}
