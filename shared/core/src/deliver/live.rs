//! Deliveries to clients that keep a connection to us: each waits until it is the first of its client's line and the client
//! is there, is pushed, and pushed again until the client acknowledges it.
//!
//! Promise: nobody waits for what has come already. What a delivery waits for may come between the look and the moment when
//! the wait is written down; so it is looked again after that.

use std::time::Duration;

use crate::{
    Reason, StoreError,
    channel::Channel,
    clients::{self, MOST_WAITING},
    model::{ConnectionId, Job, Registration},
    ports::Ports,
    transition::Next,
};

/// After how long a delivery looks again whose client is there but has not acknowledged the one before: whoever should have
/// brought it forward may have died.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// What is to be done with a delivery to a client.
pub(super) enum Turn {
    /// It may go: over that connection, or, where there is none, as its channel reaches absent clients.
    Now(Option<ConnectionId>),
    /// That is what it has to wait for.
    Later(Next),
    /// It is given up.
    Never(Reason),
}

/// What is to be done with it, by the line and the client's connection as they are now.
pub(super) async fn turn(
    ports: &Ports,
    channel: &dyn Channel,
    job: &Job,
    registration: &Registration,
) -> Result<Turn, StoreError> {
    let (account, name) = (&registration.account, &registration.name);
    if job.n == 1 {
        // whoever accepted it may have died before it stood in the line
        ports.clients.enter(account, name, job.delivery).await?;
    }
    let (now, expires) = (ports.clock.now(), clients::expires(job.event.accepted_at));
    if expires <= now {
        return Ok(Turn::Never(Reason::Expired));
    }
    let wait = |at, reason| Ok(Turn::Later(Next::Wait { at, reason, reserved: false }));
    let connection = ports.clients.connection(account, name).await?;
    if connection.is_none() && registration.disabled.is_none() && channel.reaches_absent(&registration.params) {
        return Ok(Turn::Now(None));
    }
    if clients::first(ports, account, name).await? != Some(job.delivery) {
        let line = ports.clients.line(account, name, MOST_WAITING).await?;
        if line.len() == MOST_WAITING && !line.contains(&job.delivery) {
            return Ok(Turn::Never(Reason::ClientQueueFull));
        }
        let at = if connection.is_some() { expires.min(now + LOOK_AGAIN) } else { expires };
        return wait(at, Reason::BehindAnother);
    }
    match connection {
        Some(connection) => Ok(Turn::Now(Some(connection))),
        None => wait(expires, Reason::NotConnected),
    }
}

/// Brings the wake-up of a delivery forward that has just been written down as waiting, if its turn has come meanwhile.
pub(super) async fn look_again(
    ports: &Ports,
    channel: &dyn Channel,
    job: &Job,
    registration: &Registration,
) -> Result<(), StoreError> {
    let looking = Job { n: job.n + 1, ..job.clone() };
    if let Turn::Now(_) = turn(ports, channel, &looking, registration).await? {
        ports.ledger.hasten(job, ports.clock.now()).await?;
    }
    Ok(())
}
