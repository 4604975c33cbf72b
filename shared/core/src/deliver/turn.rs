//! Whether it is a delivery's turn: what its provider asked for, and what it declares to take.
//!
//! Promise: a registration that is paused gets nothing, and one with a rate gets no more than that, across all workers; a
//! delivery reserves one slot for each thing it sends. Nobody waits here: who is too early goes back to the queue. Costs
//! nothing where there is neither a pause nor a rate.

use std::time::Duration;

use super::Tried;
use crate::{
    Reason, Retry, StoreError, Timestamp, backoff,
    channel::Channel,
    model::{Delivery, Registration},
    ports::Ports,
    transition::Next,
};

/// How long a registration pauses whose provider asks to slow down, but not for how long.
const PAUSE: Duration = Duration::from_mins(1);

/// The longest stretch over which what waited for the end of a pause is spread.
const MOST_SPREAD: Duration = Duration::from_secs(10);

/// `None`: now. Else what the delivery has to wait for.
pub(super) async fn turn(
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
