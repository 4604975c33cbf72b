//! What became of a message, in Mpush's words. Pure.

use std::collections::BTreeMap;

use bellhop_core::{
    Reason,
    model::{Attempt, Name, Outcome, State},
    view::DeliveryView,
};
use serde_json::{Map, Value};

/// A client's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It stands behind another one.
    Ready,
    /// It was sent, and not acknowledged yet.
    Wait,
    /// It has arrived.
    Ok,
    /// It will not.
    No,
    /// It is on its way to the push service.
    WebpushWait,
    /// The push service has it.
    WebpushOk,
    /// The client has shown it.
    WebpushConfirmed,
}

impl Status {
    /// The word, with Mpush's own spelling.
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Wait => "wait",
            Self::Ok => "ok",
            Self::No => "no",
            Self::WebpushWait => "webpush-wait",
            Self::WebpushOk => "webpush-ok",
            Self::WebpushConfirmed => "webpush-ok-comfirm",
        }
    }

    /// Nobody waits for anything better.
    fn is_settled(self) -> bool {
        match self {
            Self::Ok | Self::No | Self::WebpushConfirmed => true,
            Self::Ready | Self::Wait | Self::WebpushWait | Self::WebpushOk => false,
        }
    }

    pub(crate) fn of(view: &DeliveryView, by_push: bool) -> Self {
        match view.summary.state {
            State::Queued | State::Sending | State::Retrying if by_push => Self::WebpushWait,
            State::Queued if view.reason == Some(Reason::BehindAnother) => Self::Ready,
            State::Queued | State::Sending | State::Retrying => Self::Wait,
            State::Delivered if by_push => Self::WebpushOk,
            State::Confirmed if by_push => Self::WebpushConfirmed,
            State::Delivered | State::Confirmed => Self::Ok,
            State::Failed | State::Dropped => Self::No,
        }
    }
}

/// How a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over a connection that it keeps.
    Socket,
    /// By its push service.
    Push,
}

/// By name; whoever is not in it is called.
pub(crate) type Ways = BTreeMap<Name, Way>;

/// Whether the push service is who has it, or is to have it: what goes over a connection has no HTTP status.
fn is_with_push_service(view: &DeliveryView) -> bool {
    let counts = |attempt: &Attempt| match view.summary.state {
        State::Delivered | State::Confirmed => attempt.outcome == Outcome::Delivered,
        State::Queued | State::Sending | State::Retrying | State::Failed | State::Dropped => attempt.outcome != Outcome::Failed,
    };
    view.attempts.iter().any(|attempt| attempt.status.is_some() && counts(attempt))
}

/// The status of each client.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Statuses(pub(crate) Vec<(String, Status)>);

impl Statuses {
    /// `ways`: how those are told whom a request of ours alone does not reach. A client that keeps a connection may have been told
    /// by its push service.
    pub(crate) fn of(views: &[DeliveryView], ways: &Ways) -> Self {
        let status = |view: &DeliveryView| {
            let name = &view.summary.registration;
            let by_push = match ways.get(name) {
                Some(Way::Push) => true,
                Some(Way::Socket) => is_with_push_service(view),
                None => false,
            };
            (name.as_str().to_owned(), Status::of(view, by_push))
        };
        Self(views.iter().map(status).collect())
    }

    pub(crate) fn are_settled(&self) -> bool {
        self.0.iter().all(|(_, status)| status.is_settled())
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, status)| (name.clone(), status.as_str().into())).collect()
    }
}
