//! What came of one try to send, before it is known what follows. Pure.

use std::time::Duration;

use crate::{
    Reason, Retry, SendError, Timestamp, clients,
    mail::Receipt,
    model::Outcome,
    ports::{Sent, TransportError},
    transition::Next,
};

/// How long a client that reads slowly is left alone.
const BUSY: Duration = Duration::from_secs(3);

/// How one try went.
pub(super) struct Tried {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    pub(super) retry: Retry,
    pub(super) status: Option<u16>,
    pub(super) detail: Option<String>,
    pub(super) dead_address: bool,
    pub(super) duration_ms: u64,
    /// How many parts of the message have arrived by now.
    pub(super) done: u32,
    /// Some have, and the others have to wait for their turn: the attempt goes on then, and is not over.
    pub(super) waits: Option<Next>,
    /// It was pushed to a client, whose acknowledgement is awaited.
    pub(super) pushed: bool,
}

impl Tried {
    /// Somebody is there.
    pub(super) fn was_answered(&self) -> bool {
        self.outcome == Outcome::Delivered || self.status.is_some()
    }

    /// It goes on later. The parts that have left have arrived.
    pub(super) fn waiting(next: Next) -> Self {
        Self { waits: Some(next), ..Self::delivered(Receipt::All) }
    }

    /// The client that it goes to is not there any more: it waits until the client is back.
    pub(super) fn absent(accepted_at: Timestamp) -> Self {
        let next = Next::Wait { at: clients::expires(accepted_at), reason: Reason::NotConnected, reserved: false };
        let error = SendError::new(Reason::NotConnected, Retry::Later, "the client is not connected");
        Self { waits: Some(next), ..Self::failed(error) }
    }

    /// The client has not taken in what it was sent before.
    pub(super) fn busy(now: Timestamp, detail: String) -> Self {
        let next = Next::Wait { at: now + BUSY, reason: Reason::Unacknowledged, reserved: false };
        Self { waits: Some(next), ..Self::failed(SendError::new(Reason::Unacknowledged, Retry::Later, detail)) }
    }

    pub(super) fn delivered(receipt: Receipt) -> Self {
        let detail = match receipt {
            Receipt::All => None,
            Receipt::Except(whom) => Some(whom),
        };
        Self {
            outcome: Outcome::Delivered,
            reason: None,
            retry: Retry::Never,
            status: None,
            detail,
            dead_address: false,
            duration_ms: 0,
            done: 0,
            waits: None,
            pushed: false,
        }
    }

    /// A client was sent it; nobody knows whether it has arrived before the client says so.
    pub(super) fn pushed() -> Self {
        let detail = "the client was sent it; its acknowledgement ends the delivery";
        let tried = Self::failed(SendError::new(Reason::Unacknowledged, Retry::Later, detail));
        Self { outcome: Outcome::Unknown, pushed: true, ..tried }
    }

    /// No answer came.
    pub(super) fn unanswered(error: TransportError) -> Self {
        let retry = error.retry();
        let tried = Self::failed(SendError::new(error.reason, retry, error.detail));
        match error.sent {
            Sent::No => tried,
            Sent::Maybe => Self { outcome: Outcome::Unknown, ..tried },
        }
    }

    pub(super) fn failed(error: SendError) -> Self {
        let outcome = if error.retry == Retry::Never { Outcome::Failed } else { Outcome::Retry };
        Self {
            outcome,
            reason: Some(error.reason),
            retry: error.retry,
            status: None,
            detail: Some(error.detail),
            dead_address: error.dead_address,
            duration_ms: 0,
            done: 0,
            waits: None,
            pushed: false,
        }
    }
}
