//! Whether it is a delivery's turn: what its provider asked for, what it declares to take, and whether it answers at all.
//!
//! Promise: a registration that is paused gets nothing, and one with a rate gets no more than that, across all workers; a
//! delivery reserves one slot for each thing it sends, parts of a message included. One that did not answer twice in a row is tried by one delivery at a
//! time; whoever took it for well, as it was half a minute ago at most, may try besides. Nobody waits here: who is too early
//! goes back to the queue. Costs nothing where there is neither a pause nor a rate nor a silence.

use std::time::Duration;

use super::{LEASE, Tried};
use crate::{
    Reason, Retry, SendError, StoreError, Timestamp, backoff,
    channel::Channel,
    model::{Delivery, Registration},
    pace::Silence,
    ports::{Freshness, Ports},
    transition::Next,
};

/// How long a registration pauses whose provider asks to slow down, but not for how long.
const PAUSE: Duration = Duration::from_mins(1);

/// How long a delivery waits at least while another one finds out whether the registration answers again.
const SHORTLY: Duration = Duration::from_secs(5);

/// The longest stretch over which what waited for the end of a pause is spread.
const MOST_SPREAD: Duration = Duration::from_secs(10);

/// Whether a delivery may go.
pub(super) enum Turn {
    /// It may; that is what is known of the registration's silence.
    Now(Silence),
    /// That is what it has to wait for.
    Later(Next),
}

/// Whether it is the delivery's turn.
pub(super) async fn turn(
    ports: &Ports,
    channel: &dyn Channel,
    row: &Delivery,
    registration: &Registration,
) -> Result<Turn, StoreError> {
    match slot(ports, channel, row, registration).await? {
        Some(next) => Ok(Turn::Later(next)),
        None => probe(ports, registration).await,
    }
}

/// `None`: the next part of a message that goes in several may leave now. Else what it has to wait for.
pub(super) async fn another(
    ports: &Ports,
    channel: &dyn Channel,
    registration: &Registration,
) -> Result<Option<Next>, SendError> {
    let Some(rate) = channel.rate(&registration.params) else { return Ok(None) };
    let now = ports.clock.now();
    let slot = ports.pace.reserve(&registration.account, &registration.name, rate, now).await.map_err(|error| {
        tracing::error!(account = %registration.account, registration = %registration.name, %error, "a slot was not reserved");
        let detail = "the turn of the message's next part could not be found out; the operator's log says more";
        SendError::new(Reason::StoreFailed, Retry::Later, detail)
    })?;
    Ok((slot > now).then_some(Next::Wait { at: slot, reason: Reason::Paced, reserved: true }))
}

/// One delivery at a time finds out whether a registration answers again.
async fn probe(ports: &Ports, registration: &Registration) -> Result<Turn, StoreError> {
    let (seen, now) = (registration.silence(), ports.clock.now());
    if !seen.wants_a_probe() {
        return Ok(Turn::Now(seen));
    }
    let (account, name) = (&registration.account, &registration.name);
    let probed = seen.probed(now + LEASE);
    if ports.pace.note(account, name, seen, probed).await? {
        return Ok(Turn::Now(probed));
    }
    let other = ports.registrations.get(account, name, Freshness::Fresh).await?;
    let until = other.and_then(|other| other.paused_until).unwrap_or(now).max(now + SHORTLY);
    Ok(Turn::Later(after(until, now, ports.clock.chance())))
}

/// `None`: now. Else what the delivery has to wait for.
async fn slot(
    ports: &Ports,
    channel: &dyn Channel,
    row: &Delivery,
    registration: &Registration,
) -> Result<Option<Next>, StoreError> {
    let now = ports.clock.now();
    let paused = registration.paused_until.filter(|until| *until > now);
    let Some(rate) = channel.rate(&registration.params) else {
        return Ok(paused.map(|until| after(until, now, ports.clock.chance())));
    };
    if paused.is_none() && row.slot.is_some_and(|slot| rate.holds(slot, now)) {
        return Ok(None);
    }
    let from = paused.unwrap_or(now);
    let slot = ports.pace.reserve(&registration.account, &registration.name, rate, from).await?;
    let reason = if paused.is_some() { Reason::Paused } else { Reason::Paced };
    Ok((slot > now).then_some(Next::Wait { at: slot, reason, reserved: true }))
}

/// Not all of them come back at the very moment when the pause is over.
fn after(until: Timestamp, now: Timestamp, chance: u128) -> Next {
    let spread = (super::until_then(now, until) / 10).min(MOST_SPREAD).as_millis().max(1);
    let at = until + Duration::from_millis(u64::try_from(chance % spread).unwrap_or(0));
    Next::Wait { at, reason: Reason::Paused, reserved: false }
}

/// Notes that the registration did not answer in time, or that it answers again. What is found out about it at the same time,
/// or was by somebody who has seen more, is left as it is.
pub(super) async fn heard(ports: &Ports, registration: &Registration, seen: Silence, tried: &Tried) {
    let now = match tried.reason {
        Some(Reason::Timeout) => seen.after_timeout(ports.clock.now()),
        _ if tried.was_answered() && seen.timeouts > 0 => Silence::default(),
        _ => return,
    };
    if let Err(error) = ports.pace.note(&registration.account, &registration.name, seen, now).await {
        tracing::error!(account = %registration.account, registration = %registration.name, %error, "a time-out, or its end, was not recorded");
    }
}

/// Pauses the registration if the provider asked to slow down: its limit is the registration's, not the message's.
pub(super) async fn slow_down(ports: &Ports, registration: &Registration, tried: &Tried) {
    let wait = match (tried.reason, tried.retry) {
        (Some(Reason::RateLimited), Retry::After(asked)) => asked.clamp(Duration::from_secs(1), backoff::LONGEST),
        (Some(Reason::RateLimited), Retry::Later) => PAUSE,
        _ => return,
    };
    let until = ports.clock.now() + wait;
    if let Err(error) = ports.pace.pause(&registration.account, &registration.name, until).await {
        tracing::error!(account = %registration.account, registration = %registration.name, %error, "a pause was not recorded");
    }
}
