//! What is told to whoever runs the platform: one wide log event per unit of work, and the same facts as metrics.
//!
//! Fields are ids, names of closed lists and durations: never a recipient's address, a secret, a URL or a body.

use crate::{
    Reason,
    model::{Attempt, ChannelId, Event, Job, Outcome, State},
    plan::Plan,
};

/// Where metrics go.
pub trait Telemetry: Send + Sync {
    /// An event was kept.
    fn accepted(&self, deliveries: usize);

    /// An attempt ended.
    fn attempted(&self, channel: &ChannelId, outcome: Outcome, reason: Option<Reason>, duration_ms: u64);

    /// A delivery became final.
    fn ended(&self, channel: &ChannelId, state: State);
}

pub(crate) fn accepted(telemetry: &dyn Telemetry, event: &Event, plan: &Plan) {
    telemetry.accepted(plan.deliveries.len());
    tracing::info!(
        account = %event.account,
        event = %event.id,
        deliveries = plan.deliveries.len(),
        dropped = plan.dropped.len(),
        "accepted"
    );
}

pub(crate) fn attempted(telemetry: &dyn Telemetry, job: &Job, attempt: &Attempt) {
    telemetry.attempted(&job.channel, attempt.outcome, attempt.reason, attempt.duration_ms);
    tracing::info!(
        account = %job.account(),
        delivery = %job.delivery,
        registration = %job.registration,
        channel = %job.channel,
        attempt = attempt.n,
        outcome = attempt.outcome.as_str(),
        reason = attempt.reason.map(Reason::as_str),
        status = attempt.status,
        duration_ms = attempt.duration_ms,
        repeated = attempt.repeated,
        "attempted"
    );
}

pub(crate) fn ended(telemetry: &dyn Telemetry, job: &Job, state: State, reason: Option<Reason>) {
    telemetry.ended(&job.channel, state);
    if state != State::Delivered {
        tracing::warn!(
            account = %job.account(),
            delivery = %job.delivery,
            registration = %job.registration,
            channel = %job.channel,
            state = state.as_str(),
            reason = reason.map(Reason::as_str),
            "ended"
        );
    }
}
