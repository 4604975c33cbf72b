//! The delivery protocol, pure: what a wake-up may do with a row. Every store applies these functions, in a transaction or
//! under a condition on what it read, so that the protocol exists once.
//!
//! Promise: between two claims of one delivery, either the first was settled or its outcome is recorded as unknown.

use std::time::Duration;

use crate::{
    Reason, Timestamp, backoff,
    model::{Attempt, Delivery, Job, Lease, Outcome, State},
};

/// A worker's wish to work on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Will prove that it is still the same claim.
    pub token: u128,
    /// The worker's time.
    pub now: Timestamp,
    /// For how long it wants to be alone.
    pub lease: Duration,
    /// The message is on its last receive: workers have died of it, so it is recorded and not worked on.
    pub last_receive: bool,
}

/// What came of the wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// Work on it; this is the row, already written.
    Mine(Delivery),
    /// Too early: to be armed again for that time.
    NotDue {
        /// When.
        at: Timestamp,
    },
    /// Somebody works on it; keep the message until then.
    Busy {
        /// When the lease is over.
        until: Timestamp,
    },
    /// This wake-up was settled, but perhaps the next one was never armed: arm it again.
    Open {
        /// The next one.
        n: u32,
        /// When it is due.
        at: Timestamp,
    },
    /// An old copy: nothing to do.
    Over,
    /// The round is used up by workers that died; the row, already written, is final.
    GivenUp(Delivery),
    /// It was the last receive; the row, already written, is final, and the message belongs to the dead letters.
    Buried(Delivery),
}

impl Claimed {
    /// The row that has to be written, if any.
    pub fn row(&self) -> Option<&Delivery> {
        match self {
            Self::Mine(row) | Self::GivenUp(row) | Self::Buried(row) => Some(row),
            Self::NotDue { .. } | Self::Busy { .. } | Self::Open { .. } | Self::Over => None,
        }
    }
}

/// What wake-up `job.n` may do with the row it meets. `epoch` is that of the claiming process.
pub fn claim(row: Option<Delivery>, job: &Job, claim: &Claim, epoch: u64) -> Claimed {
    let Some(row) = row else {
        return take(new_row(job, claim.now), claim, epoch);
    };
    match row.state {
        State::Failed if row.reason == Some(Reason::DeadLetter) && row.n == job.n => {
            let round = u32::try_from(row.attempts.len()).unwrap_or(u32::MAX);
            take(Delivery { round, ..row }, claim, epoch)
        }
        State::Delivered | State::Confirmed | State::Failed | State::Dropped => Claimed::Over,
        State::Queued | State::Retrying => {
            let at = row.due.unwrap_or(claim.now);
            match job.n {
                n if n == row.n && at > claim.now => Claimed::NotDue { at },
                n if n == row.n => take(row, claim, epoch),
                n if n + 1 == row.n => Claimed::Open { n: row.n, at },
                n if n < row.n => Claimed::Over,
                _ => Claimed::Busy { until: claim.now + claim.lease },
            }
        }
        State::Sending => match &row.lease {
            _ if job.n < row.n => Claimed::Over,
            Some(lease) if lease.epoch == epoch && lease.until > claim.now => Claimed::Busy { until: lease.until },
            _ if job.n > row.n => Claimed::Busy { until: claim.now + claim.lease },
            _ => take(with_unknown(row, claim.now), claim, epoch),
        },
    }
}

fn new_row(job: &Job, now: Timestamp) -> Delivery {
    Delivery {
        id: job.delivery,
        account: job.account().clone(),
        registration: job.registration.clone(),
        channel: job.channel.clone(),
        address: job.address.clone(),
        state: State::Queued,
        n: job.n,
        round: 0,
        due: None,
        slot: None,
        done: 0,
        lease: None,
        reason: None,
        reopened_under: None,
        attempts: Vec::new(),
        updated_at: now,
    }
}

/// The worker that held the lease is gone, and nobody knows how far it came.
fn with_unknown(mut row: Delivery, now: Timestamp) -> Delivery {
    let repeated = is_repeated(&row);
    row.slot = None; // perhaps it was used
    row.attempts.push(Attempt {
        n: next_number(&row),
        at: now,
        outcome: Outcome::Unknown,
        reason: Some(Reason::OutcomeUnknown),
        status: None,
        detail: Some("the worker ended before it could record the outcome".to_owned()),
        duration_ms: 0,
        repeated,
    });
    row
}

fn take(row: Delivery, claim: &Claim, epoch: u64) -> Claimed {
    let exhausted = usize::try_from(row.tries()).is_ok_and(|tries| tries > backoff::SCHEDULE.len());
    let ended = |reason| Delivery {
        state: State::Failed,
        reason: Some(reason),
        due: None,
        lease: None,
        updated_at: claim.now,
        ..row.clone()
    };
    if claim.last_receive {
        Claimed::Buried(ended(Reason::DeadLetter))
    } else if exhausted {
        Claimed::GivenUp(ended(Reason::OutcomeUnknown))
    } else {
        let lease = Lease { token: claim.token, until: claim.now + claim.lease, epoch };
        let row = Delivery { state: State::Sending, due: None, lease: Some(lease), reason: None, updated_at: claim.now, ..row };
        Claimed::Mine(row)
    }
}

/// The number of the next attempt.
pub fn next_number(row: &Delivery) -> u32 {
    u32::try_from(row.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
}

/// Whether another attempt may show the receiver the same thing again.
pub fn is_repeated(row: &Delivery) -> bool {
    row.attempts.iter().any(|attempt| attempt.outcome == Outcome::Unknown)
}

/// What a worker has to say about its claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The claim's.
    pub token: u128,
    /// What was tried; `None` if nothing was, because the delivery was dropped or has to wait for its turn.
    pub attempt: Option<Attempt>,
    /// How many parts of the message have arrived by now, in all attempts.
    pub done: u32,
    /// The attempt does not count against the schedule.
    pub uncounted: bool,
    /// What follows.
    pub next: Next,
    /// The worker's time.
    pub now: Timestamp,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Final {
        /// A final state.
        state: State,
        /// Why, unless it arrived.
        reason: Option<Reason>,
    },
    /// Another attempt.
    Again {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// The same attempt, later: it is not this delivery's turn.
    Wait {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
        /// That time is reserved for it.
        reserved: bool,
    },
}

impl Next {
    /// When the next wake-up is due, if there is one.
    pub fn due(self) -> Option<Timestamp> {
        match self {
            Self::Final { .. } => None,
            Self::Again { at, .. } | Self::Wait { at, .. } => Some(at),
        }
    }
}

/// The row after `settlement`, or `None` if the claim no longer holds and nothing may be recorded.
pub fn settle(row: Delivery, settlement: &Settlement) -> Option<Delivery> {
    let holds = row.state == State::Sending && row.lease.as_ref().is_some_and(|lease| lease.token == settlement.token);
    if !holds {
        return None;
    }
    let mut row = Delivery { lease: None, slot: None, done: settlement.done, updated_at: settlement.now, ..row };
    row.attempts.extend(settlement.attempt.clone());
    if settlement.uncounted {
        row.round = u32::try_from(row.attempts.len()).unwrap_or(u32::MAX);
    }
    match settlement.next {
        Next::Final { state, reason } => Some(Delivery { state, reason, ..row }),
        Next::Again { at, reason } => {
            Some(Delivery { state: State::Retrying, reason: Some(reason), due: Some(at), n: row.n + 1, ..row })
        }
        Next::Wait { at, reason, reserved } => {
            let state = if row.tries() == 0 { State::Queued } else { State::Retrying };
            let slot = reserved.then_some(at);
            Some(Delivery { state, reason: Some(reason), due: Some(at), slot, n: row.n + 1, ..row })
        }
    }
}

/// What comes of a person's wish for another round.
#[derive(Debug, Clone, PartialEq)]
pub enum Reopened {
    /// The row as it is to stand: its wake-up is to be armed.
    Again(Box<Delivery>),
    /// The same wish was granted before.
    Before,
    /// The delivery is not over: it will be tried without anybody's doing.
    NotOver,
}

/// A person asks for another round, perhaps under an idempotency key.
pub fn reopen(row: Delivery, under: Option<&str>, now: Timestamp) -> Reopened {
    if under.is_some() && row.reopened_under.as_deref() == under {
        return Reopened::Before;
    }
    match row.state {
        State::Failed | State::Dropped | State::Delivered | State::Confirmed => Reopened::Again(Box::new(Delivery {
            state: State::Retrying,
            n: row.n + 1,
            round: u32::try_from(row.attempts.len()).unwrap_or(u32::MAX),
            due: Some(now),
            done: 0,
            reason: None,
            reopened_under: under.map(str::to_owned),
            updated_at: now,
            ..row
        })),
        State::Queued | State::Sending | State::Retrying => Reopened::NotOver,
    }
}

/// The receiver has acknowledged it: the row as it is to stand, or `None` if that changes nothing.
pub fn confirm(mut row: Delivery, now: Timestamp) -> Option<Delivery> {
    match row.state {
        State::Queued | State::Sending | State::Retrying => {
            let is_open = row.attempts.last().is_some_and(|attempt| attempt.reason == Some(Reason::Unacknowledged));
            if !is_open || row.state == State::Sending {
                let (n, repeated) = (next_number(&row), is_repeated(&row));
                let (reason, status, detail) = (Some(Reason::Unacknowledged), None, None);
                row.attempts.push(Attempt {
                    n,
                    at: now,
                    outcome: Outcome::Unknown,
                    reason,
                    status,
                    detail,
                    duration_ms: 0,
                    repeated,
                });
            }
            if let Some(last) = row.attempts.last_mut() {
                // what nobody knew is known now
                (last.outcome, last.reason) = (Outcome::Delivered, None);
            }
        }
        State::Delivered => {}
        State::Confirmed | State::Failed | State::Dropped => return None,
    }
    Some(Delivery { state: State::Confirmed, reason: None, due: None, slot: None, lease: None, updated_at: now, ..row })
}

/// What comes of it that what a delivery waited for is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Hastened {
    /// The row as it is to stand: its wake-up is to be armed.
    Now(Box<Delivery>),
    /// It is due already, and perhaps its wake-up was never armed: that is to be armed again.
    Due,
    /// It waits for nothing.
    No,
}

/// What a delivery waited for has come.
pub fn hasten(row: Delivery, now: Timestamp) -> Hastened {
    match (row.state, row.due) {
        (State::Queued | State::Retrying, Some(due)) if due > now => {
            Hastened::Now(Box::new(Delivery { n: row.n + 1, due: Some(now), slot: None, updated_at: now, ..row }))
        }
        (State::Queued | State::Retrying, _) => Hastened::Due,
        (State::Sending | State::Delivered | State::Confirmed | State::Failed | State::Dropped, _) => Hastened::No,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{AccountId, ChannelId, DeliveryId, Draft, EventId, Name};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn job(n: u32) -> Job {
        let event = EventId::new(at(0), 1);
        let registration = Name::parse("phone").unwrap();
        let account = AccountId::parse("main").unwrap();
        Job {
            delivery: DeliveryId::new(event, &registration, None),
            n,
            registration,
            channel: ChannelId::new("webhook"),
            address: None,
            event: Arc::new(Draft::new("x").into_event(event, account, at(0))),
        }
    }

    fn wish(second: i64) -> Claim {
        Claim { token: 7, now: at(second), lease: Duration::from_secs(30), last_receive: false }
    }

    fn mine(claimed: Claimed) -> Delivery {
        match claimed {
            Claimed::Mine(row) => row,
            other => panic!("not mine: {other:?}"),
        }
    }

    fn attempt(row: &Delivery, outcome: Outcome) -> Attempt {
        Attempt {
            n: next_number(row),
            at: at(1),
            outcome,
            reason: None,
            status: None,
            detail: None,
            duration_ms: 1,
            repeated: false,
        }
    }

    fn retrying(due: i64) -> Delivery {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let next = Next::Again { at: at(due), reason: Reason::ProviderError };
        let settlement =
            Settlement { token: 7, attempt: Some(attempt(&row, Outcome::Retry)), done: 0, uncounted: false, next, now: at(1) };
        settle(row, &settlement).unwrap()
    }

    #[test]
    fn without_a_row_the_first_wake_up_claims() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        assert_eq!((row.state, row.n, row.attempts.len()), (State::Sending, 1, 0));
    }

    #[test]
    fn a_live_lease_keeps_others_away() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        assert_eq!(claim(Some(row), &job(1), &wish(29), 1), Claimed::Busy { until: at(30) });
    }

    #[test]
    fn when_the_lease_is_over_the_outcome_is_unknown_and_the_claim_passes_on() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let row = mine(claim(Some(row), &job(1), &wish(30), 1));
        assert_eq!(row.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [Outcome::Unknown]);
        assert!(is_repeated(&row));
    }

    #[test]
    fn a_lease_of_an_earlier_process_is_over_at_once() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        assert_eq!(mine(claim(Some(row), &job(1), &wish(1), 2)).attempts.len(), 1);
    }

    #[test]
    fn a_settled_attempt_opens_the_next_number() {
        let row = retrying(10);
        assert_eq!((row.state, row.n, row.due), (State::Retrying, 2, Some(at(10))));
        assert_eq!(claim(Some(row.clone()), &job(2), &wish(5), 1), Claimed::NotDue { at: at(10) });
        assert_eq!(claim(Some(row.clone()), &job(1), &wish(5), 1), Claimed::Open { n: 2, at: at(10) });
        assert_eq!(mine(claim(Some(row), &job(2), &wish(10), 1)).n, 2);
    }

    #[test]
    fn a_copy_from_the_past_does_nothing() {
        let row = mine(claim(Some(retrying(10)), &job(2), &wish(10), 1));
        assert_eq!(claim(Some(row.clone()), &job(1), &wish(99), 1), Claimed::Over);
        let done = Next::Final { state: State::Delivered, reason: None };
        let row =
            settle(row, &Settlement { token: 7, attempt: None, done: 0, uncounted: false, next: done, now: at(11) }).unwrap();
        assert_eq!(claim(Some(row), &job(2), &wish(99), 1), Claimed::Over);
    }

    #[test]
    fn a_lost_claim_records_nothing() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let row = mine(claim(Some(row), &job(1), &Claim { token: 8, ..wish(30) }, 1));
        let next = Next::Final { state: State::Delivered, reason: None };
        assert_eq!(settle(row, &Settlement { token: 7, attempt: None, done: 0, uncounted: false, next, now: at(31) }), None);
    }

    #[test]
    fn the_last_receive_is_recorded_and_a_redrive_opens_a_new_round() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let Claimed::Buried(row) = claim(Some(row), &job(1), &Claim { last_receive: true, ..wish(30) }, 1) else { panic!() };
        assert_eq!((row.state, row.reason), (State::Failed, Some(Reason::DeadLetter)));
        let row = mine(claim(Some(row), &job(1), &wish(60), 1));
        assert_eq!((row.state, row.tries(), row.attempts.len()), (State::Sending, 0, 1));
    }

    #[test]
    fn workers_that_keep_dying_use_the_round_up() {
        let mut claimed = claim(None, &job(1), &wish(0), 1);
        let mut claims = 1;
        while let Claimed::Mine(row) = claimed {
            claimed = claim(Some(row), &job(1), &wish(claims * 30), 1);
            claims += 1;
        }
        let Claimed::GivenUp(row) = claimed else { panic!() };
        assert_eq!((row.reason, row.attempts.len()), (Some(Reason::OutcomeUnknown), 8));
    }

    #[test]
    fn waiting_for_its_turn_is_no_attempt_and_keeps_the_slot_until_something_is_tried() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let next = Next::Wait { at: at(9), reason: Reason::Paced, reserved: true };
        let row = settle(row, &Settlement { token: 7, attempt: None, done: 0, uncounted: false, next, now: at(1) }).unwrap();
        assert_eq!((row.state, row.n, row.due, row.slot), (State::Queued, 2, Some(at(9)), Some(at(9))));
        assert_eq!(claim(Some(row.clone()), &job(2), &wish(5), 1), Claimed::NotDue { at: at(9) });
        let row = mine(claim(Some(row), &job(2), &wish(9), 1));
        assert_eq!((row.slot, row.tries()), (Some(at(9)), 0));
        let taken_over = mine(claim(Some(row.clone()), &job(2), &wish(99), 1));
        assert_eq!(taken_over.slot, None, "the worker that died may have used it");
        let next = Next::Again { at: at(20), reason: Reason::ProviderError };
        let tried =
            Settlement { token: 7, attempt: Some(attempt(&row, Outcome::Retry)), done: 0, uncounted: false, next, now: at(10) };
        assert_eq!(settle(row, &tried).unwrap().slot, None);
    }

    #[test]
    fn a_persons_retry_begins_a_new_round_of_what_is_over() {
        assert_eq!(reopen(retrying(10), None, at(2)), Reopened::NotOver);
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let next = Next::Final { state: State::Failed, reason: Some(Reason::Rejected) };
        let settlement =
            Settlement { token: 7, attempt: Some(attempt(&row, Outcome::Failed)), done: 0, uncounted: false, next, now: at(1) };
        let Reopened::Again(row) = reopen(settle(row, &settlement).unwrap(), Some("key"), at(5)) else { panic!() };
        assert_eq!(reopen(*row.clone(), Some("key"), at(6)), Reopened::Before);
        assert_eq!((row.state, row.n, row.tries()), (State::Retrying, 2, 0));
        assert_eq!(mine(claim(Some(*row), &job(2), &wish(5), 1)).state, State::Sending);
    }

    #[test]
    fn an_acknowledgement_ends_what_is_under_way_and_the_worker_records_nothing_more() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let confirmed = confirm(row, at(1)).unwrap();
        assert_eq!((confirmed.state, confirmed.attempts.len(), confirmed.lease.clone()), (State::Confirmed, 1, None));
        let next = Next::Again { at: at(4), reason: Reason::Unacknowledged };
        let settlement = Settlement { token: 7, attempt: None, done: 0, uncounted: false, next, now: at(2) };
        assert_eq!(settle(confirmed.clone(), &settlement), None);
        assert_eq!(confirm(confirmed, at(3)), None);
    }

    #[test]
    fn what_the_provider_took_can_be_acknowledged_by_its_receiver() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let done = Next::Final { state: State::Delivered, reason: None };
        let delivered = Settlement {
            token: 7,
            attempt: Some(attempt(&row, Outcome::Delivered)),
            done: 0,
            uncounted: false,
            next: done,
            now: at(1),
        };
        let row = confirm(settle(row, &delivered).unwrap(), at(2)).unwrap();
        assert_eq!((row.state, row.attempts.len()), (State::Confirmed, 1));
    }

    #[test]
    fn only_what_waits_is_hastened() {
        let Hastened::Now(row) = hasten(retrying(10), at(3)) else { panic!("it waits") };
        assert_eq!((row.state, row.n, row.due), (State::Retrying, 3, Some(at(3))));
        assert_eq!(claim(Some(*row.clone()), &job(2), &wish(3), 1), Claimed::Open { n: 3, at: at(3) });
        assert_eq!(hasten(*row, at(3)), Hastened::Due);
        assert_eq!(hasten(mine(claim(None, &job(1), &wish(0), 1)), at(3)), Hastened::No, "it is under way");
    }

    #[test]
    fn an_attempt_that_does_not_count_leaves_the_whole_schedule() {
        let row = mine(claim(None, &job(1), &wish(0), 1));
        let next = Next::Again { at: at(3), reason: Reason::ProviderError };
        let tried =
            Settlement { token: 7, attempt: Some(attempt(&row, Outcome::Retry)), done: 0, uncounted: true, next, now: at(1) };
        let row = settle(row, &tried).unwrap();
        assert_eq!((row.attempts.len(), row.tries(), row.state), (1, 0, State::Retrying));
    }
}
