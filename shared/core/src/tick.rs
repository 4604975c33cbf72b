//! What the minute brings: parked wake-ups, digests and tasks that are due go to their queues, each with its exact delay.
//!
//! A tick comes anywhere inside its minute and looks six minutes ahead, so that four in a row may fail. Ticks may overlap,
//! repeat and die half-way: a wake-up that is queued twice is one too many and does nothing ([`crate::transition`]), and a
//! digest that or a task that is looked at twice is sent once ([`crate::digest`], [`crate::task`]).

use std::time::Duration;

use crate::{
    StoreError, Timestamp,
    digest::{Composed, compose},
    ports::{Due, Matter, Ports},
    task::{Ran, run},
};

/// How far a tick looks ahead.
pub const AHEAD: Duration = Duration::from_mins(6);

/// How many wake-ups one call of the store moves.
const PAGE: usize = 100;

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticked {
    /// Wake-ups that were queued.
    pub queued: usize,
    /// Idempotency keys that were forgotten.
    pub expired: usize,
    /// Digests and tasks that whoever works on them was told of.
    pub announced: usize,
}

/// Does what is due before `now` + [`AHEAD`].
pub async fn tick(ports: &Ports, now: Timestamp) -> Result<Ticked, StoreError> {
    let mut ticked = Ticked::default();
    loop {
        let queued = ports.ledger.advance(now, now + AHEAD, PAGE).await?;
        ticked.queued += queued;
        if queued < PAGE {
            break;
        }
    }
    ticked.announced = ports.agenda.announce(now, now + AHEAD).await?;
    loop {
        let expired = ports.ledger.expire(now, PAGE).await?;
        ticked.expired += expired;
        if expired < PAGE {
            break;
        }
    }
    Ok(ticked)
}

/// What came of looking at something that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// At a rule's schedule.
    Digest(Composed),
    /// At a task.
    Task(Ran),
}

/// Looks at something that may be due, and does what is.
pub async fn look(ports: &Ports, due: &Due) -> Result<Looked, StoreError> {
    match &due.matter {
        // boxed: whoever waits for many of these is not to carry the room for each
        Matter::Rule(rule) => Ok(Looked::Digest(Box::pin(compose(ports, &due.account, rule)).await?)),
        Matter::Task(id) => Ok(Looked::Task(Box::pin(run(ports, &due.account, *id)).await?)),
    }
}
