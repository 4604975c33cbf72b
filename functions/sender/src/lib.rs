//! From the queue to `core::deliver`.
//!
//! On one machine a sender is a continuous set of jobs in flight: no batch waits for its slowest member. Promises: a job
//! that panics fails alone, and its wake-up comes again; when told to stop, it takes nothing new and lets what is in flight
//! finish. On Lambda a sender is handed a batch ([`handle_batch`], with the feature `lambda`). Left to others: which wake-up
//! comes first and how many of one registration at a time (the queue).

#[cfg(feature = "lambda")]
mod batch;

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    deliver::{LEASE, work},
    model::ChannelId,
    ports::{Ports, Wake},
};
use tokio::{sync::watch, task::JoinSet};

#[cfg(feature = "lambda")]
pub use batch::{BEFORE_DEADLINE, handle_batch};

/// How long to leave a queue alone that does not answer.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// Works on one wake-up. Where the queue does not take the answer, the wake-up comes again by itself.
async fn one(ports: &Ports, wake: &Wake) {
    if let Err(error) = work(ports, wake, LEASE).await {
        tracing::error!(delivery = %wake.job.delivery, %error, "the queue did not take the answer; the wake-up will come again");
    }
}

/// Works on a channel's wake-ups, up to `most` at a time, until `stop` says so; then waits for what is in flight.
pub async fn run(ports: Ports, channel: ChannelId, most: usize, mut stop: watch::Receiver<bool>) {
    let (ports, mut jobs) = (Arc::new(ports), JoinSet::new());
    while !*stop.borrow() {
        match ports.queue.receive(&channel, most - jobs.len()).await {
            Ok(wakes) => {
                let idle = wakes.is_empty();
                for wake in wakes {
                    let ports = Arc::clone(&ports);
                    jobs.spawn(async move { one(&ports, &wake).await });
                }
                if idle || jobs.len() >= most {
                    wait(&ports, &channel, &mut jobs, most, &mut stop).await;
                }
            }
            Err(error) => {
                tracing::error!(%channel, %error, "the queue did not answer; trying again");
                tokio::select! {
                    () = tokio::time::sleep(AFTER_FAULT) => {}
                    _ = stop.changed() => {}
                }
            }
        }
        while jobs.try_join_next().is_some() {}
    }
    while jobs.join_next().await.is_some() {}
}

/// Waits until there may be something to receive and room for it, or it is time to stop.
async fn wait(ports: &Ports, channel: &ChannelId, jobs: &mut JoinSet<()>, most: usize, stop: &mut watch::Receiver<bool>) {
    let has_room = jobs.len() < most;
    tokio::select! {
        _ = stop.changed() => {}
        () = ports.queue.ready(channel), if has_room => {}
        _ = jobs.join_next(), if !jobs.is_empty() => {}
    }
}
