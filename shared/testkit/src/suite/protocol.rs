//! What a ledger does with a delivery's row, and when the next wake-up comes.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Reason, Timestamp,
    model::{Delivery, Job, Outcome, State},
    ports::Ports,
    transition::{Claim, Claimed, Next, Settlement},
};

use super::{LEASE, accepted, attempt, claimed, failed, nothing_comes, received, row, settled, the_wake, wish};

async fn claim(ports: &Ports, job: &Job, claim: &Claim) -> Claimed {
    ports.ledger.claim(job, claim).await.expect("the ledger claims")
}

async fn arm(ports: &Ports, job: &Job, at: Timestamp, now: Timestamp) {
    ports.ledger.arm(job, at, now).await.expect("the ledger arms");
}

async fn advance(ports: &Ports, until: Timestamp, most: usize) -> usize {
    ports.ledger.advance(ports.clock.now(), until, most).await.expect("the ledger advances")
}

fn again(at: Timestamp) -> Next {
    Next::Again { at, reason: Reason::ProviderError }
}

/// A delivery whose first wake-up was received, and acknowledged when it was settled with `next`.
async fn tried_once(ports: &Ports, outcome: Outcome, next: Next) -> Job {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    settled(ports, &wake.job, outcome, next).await;
    ports.queue.ack(&wake).await.expect("the queue forgets");
    wake.job
}

pub async fn the_first_wake_up_claims_and_the_row_says_so(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let mine = claimed(ports, &job, 7).await;
    let row = row(ports, &job).await.expect("a claim makes the row");
    assert_eq!(row, mine);
    assert_eq!((row.id, row.state, row.n, row.attempts.len()), (job.delivery, State::Sending, 1, 0));
    assert_eq!(row.lease.map(|lease| lease.token), Some(7));
}

pub async fn a_live_claim_keeps_others_away(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let first = wish(ports, 7);
    assert!(matches!(claim(ports, &job, &first).await, Claimed::Mine(_)));
    let second = Claim { token: 8, now: first.now + LEASE / 2, ..first };
    assert_eq!(claim(ports, &job, &second).await, Claimed::Busy { until: first.now + LEASE });
    assert_eq!(row(ports, &job).await.and_then(|row| row.lease).map(|lease| lease.token), Some(7));
}

pub async fn a_claim_that_is_over_is_recorded_as_unknown_and_passes_on(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let first = wish(ports, 7);
    assert!(matches!(claim(ports, &job, &first).await, Claimed::Mine(_)));
    let second = Claim { token: 8, now: first.now + LEASE, ..first };
    assert!(matches!(claim(ports, &job, &second).await, Claimed::Mine(_)));
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!(row.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [Outcome::Unknown]);
    assert_eq!(row.lease.map(|lease| lease.token), Some(8));
}

pub async fn of_two_claims_at_once_one_wins(ports: &Ports) {
    for round in 0..200 {
        let job = accepted(ports, &["phone"]).await.remove(0);
        let tries = [1, 2].map(|token| {
            let (ports, job, wish) = (ports.clone(), job.clone(), wish(ports, token));
            tokio::spawn(async move { ports.ledger.claim(&job, &wish).await })
        });
        let mut winners = 0;
        for tried in tries {
            match tried.await.expect("no panic").expect("the ledger claims") {
                Claimed::Mine(_) => winners += 1,
                Claimed::Busy { .. } => {}
                other => panic!("round {round}: {other:?}"),
            }
        }
        assert_eq!(winners, 1, "round {round}");
    }
}

pub async fn a_settled_delivery_is_over(ports: &Ports) {
    let done = Next::Final { state: State::Delivered, reason: None };
    let job = tried_once(ports, Outcome::Delivered, done).await;
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!((row.state, row.lease, row.attempts.len()), (State::Delivered, None, 1));
    assert_eq!(claim(ports, &job, &wish(ports, 8)).await, Claimed::Over);
    nothing_comes(ports).await;
}

pub async fn a_lost_claim_settles_nothing(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let before = claimed(ports, &job, 7).await;
    let now = ports.clock.now();
    let next = Next::Final { state: State::Delivered, reason: None };
    let settlement =
        Settlement { token: 8, attempt: Some(attempt(1, Outcome::Delivered, now)), done: 0, uncounted: false, next, now };
    assert!(!ports.ledger.settle(&job, &settlement).await.expect("the ledger settles"));
    assert_eq!(row(ports, &job).await, Some(before));
}

pub async fn another_attempt_is_armed_and_does_not_come_early(ports: &Ports) {
    let at = ports.clock.now() + Duration::from_mins(10);
    let job = tried_once(ports, Outcome::Retry, again(at)).await;
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!((row.state, row.n, row.due), (State::Retrying, 2, Some(at)));
    nothing_comes(ports).await;
    assert_eq!(claim(ports, &job.at(2), &wish(ports, 8)).await, Claimed::NotDue { at });
}

pub async fn another_attempt_comes_when_it_is_due(ports: &Ports) {
    let at = ports.clock.now();
    let job = tried_once(ports, Outcome::Retry, again(at)).await;
    assert_eq!(the_wake(ports).await.job, job.at(2));
    assert_eq!(claimed(ports, &job.at(2), 8).await.n, 2);
}

pub async fn an_old_wake_up_opens_the_one_after_it(ports: &Ports) {
    let at = ports.clock.now() + Duration::from_mins(10);
    let job = tried_once(ports, Outcome::Retry, again(at)).await;
    assert_eq!(claim(ports, &job, &wish(ports, 8)).await, Claimed::Open { n: 2, at });
    arm(ports, &job.at(2), at, ports.clock.now()).await;
    nothing_comes(ports).await;
}

pub async fn a_wake_up_beyond_fifteen_minutes_waits_for_advance(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    ports.queue.ack(&the_wake(ports).await).await.expect("the queue forgets");
    // armed an hour ago for a moment ago: whoever tells by the times that are handed over parks it
    let at = ports.clock.now() - Duration::from_secs(1);
    arm(ports, &job, at, at - Duration::from_hours(1)).await;
    nothing_comes(ports).await;
    assert_eq!(advance(ports, at, 10).await, 0, "it is not due before its time");
    assert_eq!(advance(ports, at + Duration::from_millis(1), 10).await, 1);
    assert_eq!(the_wake(ports).await.job, job);
    assert_eq!(advance(ports, at + Duration::from_hours(1), 10).await, 0, "it was parked once");
}

pub async fn a_wake_up_that_is_armed_again_outlives_the_acknowledgement_of_the_old_one(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    let now = ports.clock.now();
    arm(ports, &wake.job, now, now).await;
    ports.queue.ack(&wake).await.expect("the queue forgets");
    assert_eq!(the_wake(ports).await.job, wake.job);
}

pub async fn advance_takes_the_earliest_and_no_more_than_asked(ports: &Ports) {
    let jobs = accepted(ports, &["a", "b", "c"]).await;
    let mut wakes = Vec::new();
    while wakes.len() < 3 {
        wakes.extend(received(ports).await);
    }
    for wake in &wakes {
        ports.queue.ack(wake).await.expect("the queue forgets");
    }
    let now = ports.clock.now();
    let minutes = [3, 1, 2];
    for (job, minutes) in jobs.iter().zip(minutes) {
        arm(ports, job, now - Duration::from_mins(minutes), now - Duration::from_hours(1)).await;
    }
    assert_eq!(advance(ports, now, 1).await, 1);
    assert_eq!(the_wake(ports).await.job, jobs[0]);
    assert_eq!(advance(ports, now, 2).await, 2);
    assert_eq!(advance(ports, now, 2).await, 0);
}

pub async fn the_last_receive_is_recorded_as_a_dead_letter(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let last = Claim { last_receive: true, ..wish(ports, 7) };
    assert!(matches!(claim(ports, &job, &last).await, Claimed::Buried(_)));
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!((row.state, row.reason), (State::Failed, Some(Reason::DeadLetter)));
    assert_eq!(claimed(ports, &job, 8).await.state, State::Sending, "a redrive opens a new round");
}

pub async fn a_delivery_that_is_over_can_be_reopened(ports: &Ports) {
    let done = Next::Final { state: State::Failed, reason: Some(Reason::Rejected) };
    let job = tried_once(ports, Outcome::Failed, done).await;
    assert!(ports.ledger.reopen(&job, None, ports.clock.now()).await.expect("the ledger reopens"));
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!((row.state, row.n, row.tries(), row.attempts.len()), (State::Retrying, 2, 0, 1));
    assert_eq!(the_wake(ports).await.job, job.at(2));
}

pub async fn a_delivery_that_is_not_over_cannot_be_reopened(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    let before: Delivery = claimed(ports, &job, 7).await;
    assert!(!ports.ledger.reopen(&job, None, ports.clock.now()).await.expect("the ledger reopens"));
    assert_eq!(row(ports, &job).await, Some(before));
    let at = ports.clock.now() + Duration::from_mins(10);
    let waiting = accepted(ports, &["desk"]).await.remove(0);
    settled(ports, &waiting, Outcome::Retry, again(at)).await;
    assert!(!ports.ledger.reopen(&waiting, None, ports.clock.now()).await.expect("the ledger reopens"));
    failed(ports, &accepted(ports, &["car"]).await.remove(0)).await;
}

pub async fn reopening_what_has_no_row_queues_the_planned_wake_up(ports: &Ports) {
    let job = accepted(ports, &["phone"]).await.remove(0);
    ports.queue.ack(&the_wake(ports).await).await.expect("the queue forgets");
    assert!(ports.ledger.reopen(&job.at(4), None, ports.clock.now()).await.expect("the ledger reopens"));
    assert_eq!(the_wake(ports).await.job, job);
}

pub async fn what_waits_is_brought_forward_and_what_is_under_way_is_not(ports: &Ports) {
    let hasten = async |job: &Job| ports.ledger.hasten(job, ports.clock.now()).await.expect("the ledger hastens");
    let job = accepted(ports, &["phone"]).await.remove(0);
    assert!(!hasten(&job).await, "its first wake-up is on its way");
    ports.queue.ack(&the_wake(ports).await).await.expect("the queue forgets");
    claimed(ports, &job, 7).await;
    assert!(!hasten(&job).await, "somebody works on it");
    let at = ports.clock.now() + Duration::from_hours(24);
    let next = Next::Wait { at, reason: Reason::NotConnected, reserved: false };
    let now = ports.clock.now();
    let settlement = Settlement { token: 7, attempt: None, done: 0, uncounted: false, next, now };
    assert!(ports.ledger.settle(&job, &settlement).await.expect("the ledger settles"));
    nothing_comes(ports).await;
    assert!(hasten(&job).await);
    assert_eq!(the_wake(ports).await.job, job.at(3));
    assert_eq!(claimed(ports, &job.at(3), 8).await.n, 3);
    assert_eq!(claim(ports, &job.at(2), &wish(ports, 9)).await, Claimed::Over, "the wake-up that was to come is an old copy");
}

pub async fn what_its_receiver_acknowledges_is_confirmed_once(ports: &Ports) {
    let at = ports.clock.now() + Duration::from_mins(10);
    let job = tried_once(ports, Outcome::Unknown, again(at)).await;
    let confirm =
        async || ports.ledger.confirm(job.account(), job.delivery, ports.clock.now()).await.expect("the ledger confirms");
    assert!(confirm().await && !confirm().await);
    let row = row(ports, &job).await.expect("the row is there");
    assert_eq!((row.state, row.reason, row.due), (State::Confirmed, None, None));
    assert_eq!(row.attempts.last().map(|attempt| attempt.outcome), Some(Outcome::Delivered), "what nobody knew is known");
    assert_eq!(claim(ports, &job.at(2), &wish(ports, 8)).await, Claimed::Over);
}
