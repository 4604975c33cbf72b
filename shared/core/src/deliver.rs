//! One wake-up brings one delivery one attempt further.
//!
//! Promise: a send is preceded by a claim that is written down, and followed by a settlement; whoever dies in between
//! leaves a claim behind that the next wake-up records as unknown. A panic fails its own job alone. Left to others: which
//! wake-ups come when ([`crate::ports::Queue`]), how often a delivery is tried ([`crate::backoff`]).

mod tried;
mod turn;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;

use crate::{
    Reason, Retry, SendError, StoreError, Timestamp, backoff,
    channel::{Channel, Context, Message, Params, Reply, Step},
    mail::Receipt,
    model::{Account, Attempt, Delivery, Disabled, Job, Outcome, Picture, Registration, State},
    pace::Silence,
    ports::{Freshness, MOST_RECEIVES, Ports, Sent, TransportError, Wake},
    report,
    socket::Framed,
    token::{Secret, flights},
    transition::{Claim, Claimed, Next, Settlement, is_repeated, next_number},
};

use tried::Tried;
use turn::Turn;

/// How long a worker has a delivery for itself: more than a send may take, less than a message stays hidden.
pub const LEASE: Duration = Duration::from_mins(1);

/// A channel that asks for more calls than this is going round in circles.
const MOST_CALLS: usize = 32;

/// How often a settlement is tried at once, before the wake-up is left to come again.
const SETTLE_TRIES: usize = 3;

/// What the queue is to do with the wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Forget it.
    Ack,
    /// Bring it again, not before this much time has passed.
    GiveBack(Duration),
    /// Put it with the dead letters.
    Bury,
}

/// How long a wake-up stays away after the store has failed it, by how often it was received: an outage of ten minutes must
/// not turn what waits into dead letters. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
const AFTER_FAULT: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10)];

/// Works on one wake-up and tells the queue what became of it. `lease` is [`LEASE`] everywhere but in tests.
pub async fn work(ports: &Ports, wake: &Wake, lease: Duration) -> Result<(), StoreError> {
    match deliver(ports, wake, lease).await {
        Disposition::Ack => ports.queue.ack(wake).await,
        Disposition::GiveBack(after) => ports.queue.give_back(wake, after).await,
        Disposition::Bury => ports.queue.bury(wake).await,
    }
}

/// Works on one wake-up. A panic outside of the sending itself, which its attempt records, is a fault like the store's.
pub async fn deliver(ports: &Ports, wake: &Wake, lease: Duration) -> Disposition {
    let delivery = wake.job.delivery;
    match AssertUnwindSafe(attempt(ports, wake, lease)).catch_unwind().await {
        Ok(Ok(disposition)) => return disposition,
        Ok(Err(error)) => tracing::error!(%delivery, %error, "the store failed; the wake-up will come again"),
        Err(_) => tracing::error!(%delivery, "a panic while working on a wake-up; it will come again"),
    }
    let received = usize::try_from(wake.receives.saturating_sub(1)).unwrap_or(usize::MAX);
    Disposition::GiveBack(AFTER_FAULT[received.min(AFTER_FAULT.len() - 1)])
}

async fn attempt(ports: &Ports, wake: &Wake, lease: Duration) -> Result<Disposition, StoreError> {
    let job = &wake.job;
    let now = ports.clock.now();
    let last_receive = wake.receives >= MOST_RECEIVES;
    let claim = Claim { token: ports.clock.chance(), now, lease, last_receive };
    let row = match ports.ledger.claim(job, &claim).await? {
        Claimed::Mine(row) => row,
        Claimed::NotDue { at } => {
            ports.ledger.arm(job, at, now).await?;
            return Ok(Disposition::Ack);
        }
        Claimed::Open { n, at } => {
            ports.ledger.arm(&job.at(n), at, now).await?;
            return Ok(Disposition::Ack);
        }
        // Given back now, it would become a dead letter that no row tells of, while whoever holds the claim may yet die.
        Claimed::Busy { until } if last_receive => {
            ports.ledger.arm(job, until, now).await?;
            return Ok(Disposition::Ack);
        }
        Claimed::Busy { until } => return Ok(Disposition::GiveBack(until_then(now, until))),
        Claimed::Over => return Ok(Disposition::Ack),
        Claimed::GivenUp(row) => {
            report::ended(&*ports.telemetry, job, row.state, row.reason);
            return Ok(Disposition::Ack);
        }
        Claimed::Buried(row) => {
            report::ended(&*ports.telemetry, job, row.state, row.reason);
            return Ok(Disposition::Bury);
        }
    };
    let (settlement, used) = match prepare(ports, job, &row).await {
        Ok(Prepared::Never(why)) => {
            let next = Next::Final { state: State::Dropped, reason: Some(why) };
            (untried(&row, &claim, next), None)
        }
        Ok(Prepared::Later(next)) => (untried(&row, &claim, next), None),
        Ok(Prepared::Now(needed)) => {
            let tried = try_once(ports, job, &row, &needed).await;
            let settlement = match tried.waits {
                Some(next) => Settlement { done: tried.done, now: ports.clock.now(), ..untried(&row, &claim, next) },
                None => settlement(ports, &row, &claim, &tried),
            };
            (settlement, Some((needed.registration, needed.silence, tried)))
        }
        Err(error) => {
            tracing::error!(delivery = %job.delivery, %error, "cannot read what the message needs");
            let detail = "what the message needs could not be read; the operator's log says more";
            let error = SendError::new(Reason::StoreFailed, Retry::Later, detail);
            let tried = Tried { done: row.done, ..Tried::failed(error) };
            (settlement(ports, &row, &claim, &tried), None)
        }
    };
    let disposition = record(ports, job, &settlement).await;
    if let Some((registration, seen, tried)) = used {
        turn::heard(ports, &registration, seen, &tried).await;
        turn::slow_down(ports, &registration, &tried).await;
        if tried.dead_address {
            switch_off(ports, &registration, tried.reason.unwrap_or(Reason::Gone)).await;
        }
    }
    disposition
}

/// Switches a registration off whose address is dead. After the settlement: what was answered comes first, and the next
/// answer of that kind makes up for a switch that failed.
///
/// What was sent may have gone to an address that has been replaced since: only the registration that was used is meant.
async fn switch_off(ports: &Ports, registration: &Registration, reason: Reason) {
    let now = ports.registrations.get(&registration.account, &registration.name, Freshness::Fresh).await;
    let is_same = |now: &Registration| {
        let Registration { paused_until, timeouts, .. } = *now;
        *now == Registration { paused_until, timeouts, ..registration.clone() }
    };
    if now.is_ok_and(|now| now.is_none_or(|now| !is_same(&now))) {
        return;
    }
    let disabled = Disabled { reason, at: ports.clock.now() };
    let (account, name) = (&registration.account, &registration.name);
    for _ in 0..SETTLE_TRIES {
        match ports.registrations.disable(account, name, registration.version, &disabled).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%account, registration = %name, %error, "a dead address could not be switched off"),
        }
    }
}

/// What is to be done with a claimed delivery.
enum Prepared {
    /// Nothing, ever.
    Never(Reason),
    /// It is not its turn.
    Later(Next),
    /// To be sent.
    Now(Needed),
}

/// What a send needs besides the job.
struct Needed {
    registration: Arc<Registration>,
    silence: Silence,
    channel: &'static dyn Channel,
    picture: Option<Picture>,
    account: Option<Arc<Account>>,
}

async fn prepare(ports: &Ports, job: &Job, row: &Delivery) -> Result<Prepared, StoreError> {
    let Some(registration) = registration(ports, job, row).await? else {
        return Ok(Prepared::Never(Reason::RegistrationDeleted));
    };
    if !registration.is_open() {
        return Ok(Prepared::Never(Reason::RegistrationDisabled));
    }
    if registration.channel != job.channel {
        return Ok(Prepared::Never(Reason::ChannelChanged));
    }
    let Ok(channel) = ports.channels.speaker(&registration.channel) else {
        return Ok(Prepared::Never(Reason::ChannelNotDeployed));
    };
    let silence = match turn::turn(ports, channel, row, &registration).await? {
        Turn::Later(next) => return Ok(Prepared::Later(next)),
        Turn::Now(silence) => silence,
    };
    let picture = match job.event.screenshot {
        Some(id) => ports.attachments.get(job.account(), id).await?,
        None => None,
    };
    let account = ports.accounts.get(job.account()).await?;
    Ok(Prepared::Now(Needed { registration, silence, channel, picture, account }))
}

/// What was true 30 s ago is good enough to send, but not to drop: somebody may just have mended it.
async fn registration(ports: &Ports, job: &Job, row: &Delivery) -> Result<Option<Arc<Registration>>, StoreError> {
    let (account, name) = (job.account(), &job.registration);
    if row.attempts.is_empty()
        && row.n == 1
        && let Some(known) = ports.registrations.get(account, name, Freshness::Cached).await?
        && known.is_open()
        && known.channel == job.channel
    {
        return Ok(Some(known));
    }
    ports.registrations.get(account, name, Freshness::Fresh).await
}

fn until_then(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Nothing was tried.
fn untried(row: &Delivery, claim: &Claim, next: Next) -> Settlement {
    Settlement { token: claim.token, attempt: None, done: row.done, next, now: claim.now }
}

/// Writes the settlement down. Where that fails, or the claim was lost, the wake-up is never acknowledged: it may be the
/// one that another worker's claim, or the next attempt, depends on.
async fn record(ports: &Ports, job: &Job, settlement: &Settlement) -> Result<Disposition, StoreError> {
    let mut tries = 1;
    let recorded = loop {
        match ports.ledger.settle(job, settlement).await {
            Err(_) if tries < SETTLE_TRIES => tries += 1,
            result => break result?,
        }
    };
    if let Some(attempt) = &settlement.attempt {
        report::attempted(&*ports.telemetry, job, attempt);
    }
    if !recorded {
        return Ok(Disposition::GiveBack(Duration::ZERO));
    }
    if let Next::Final { state, reason } = settlement.next {
        report::ended(&*ports.telemetry, job, state, reason);
    }
    Ok(Disposition::Ack)
}

/// Makes the attempt. A panic on the way is an attempt that failed: unknown if a request had left.
async fn try_once(ports: &Ports, job: &Job, row: &Delivery, needed: &Needed) -> Tried {
    let Needed { registration, silence: _, channel, picture, account } = needed;
    let account = account.as_deref();
    let started = ports.clock.now();
    let cx = Context {
        now: started,
        chance: ports.clock.chance(),
        time_zone: account.map_or(jiff::tz::TimeZone::UTC, Account::time_zone),
        locale: account.map_or_else(|| "en".to_owned(), |account| account.locale.clone()),
        default_image_url: account.and_then(|account| account.default_image_url.clone()),
        done: usize::try_from(row.done).unwrap_or(usize::MAX),
        fixed: Vec::new(),
        token: None,
    };
    let mut called = Called { done: row.done, ..Called::default() };
    let sending = async {
        let params = registration.params.with_options(job.event.options.get(&registration.channel));
        let message = (ports.channels.render)(job, channel.spec(), picture.as_ref());
        drive(ports, *channel, registration, cx, (&message, &params), &mut called).await
    };
    let tried = AssertUnwindSafe(sending).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(delivery = %job.delivery, attempt = next_number(row), "a panic while sending");
        let outcome = if called.sent { Outcome::Unknown } else { Outcome::Retry };
        Tried { outcome, ..Tried::failed(SendError::new(Reason::Bug, Retry::Later, "a fault in our own code")) }
    });
    let duration_ms = u64::try_from(ports.clock.now().duration_since(started).as_millis()).unwrap_or(0);
    Tried { duration_ms, status: called.status, done: called.done, ..tried }
}

/// How far the calls of one attempt came; outlives a panic.
#[derive(Default)]
struct Called {
    sent: bool,
    status: Option<u16>,
    done: u32,
}

/// Steps through the channel until it is done.
async fn drive(
    ports: &Ports,
    channel: &'static dyn Channel,
    registration: &Registration,
    mut cx: Context,
    (message, params): (&Message<'_>, &Params),
    called: &mut Called,
) -> Tried {
    let transport = &ports.transport;
    let mut in_this_slot = called.done;
    let mut replies: Vec<Reply> = Vec::new();
    let mut refused: Option<Secret> = None;
    for _ in 0..MOST_CALLS {
        called.done = u32::try_from(cx.done + channel.arrived(&replies)).unwrap_or(u32::MAX);
        match channel.step(&cx, message, params, &replies) {
            Step::Token(credential) => {
                let whose = (&message.event.account, params);
                match flights::obtain(ports, channel, &cx, whose, credential, refused.as_ref()).await {
                    Ok(token) => cx.token = Some(token),
                    Err(error) => return Tried::failed(error),
                }
            }
            Step::Renew(error) => {
                let again = cx.token.take().filter(|_| refused.is_none());
                if again.is_none() || replies.pop().is_none() {
                    return Tried::failed(SendError { retry: Retry::Never, ..error });
                }
                refused = again;
            }
            Step::Ask(outgoing) => match transport.http.call(&outgoing).await {
                Ok(reply) => {
                    called.status = Some(reply.status);
                    replies.push(reply);
                }
                Err(error) => return Tried::unanswered(TransportError { sent: Sent::No, ..error }),
            },
            Step::Call(outgoing) => {
                if called.done > in_this_slot {
                    match turn::another(ports, channel, registration).await {
                        Ok(None) => in_this_slot = called.done,
                        Ok(Some(next)) => return Tried::waiting(next),
                        Err(error) => return Tried::failed(error),
                    }
                }
                called.sent = true;
                match transport.http.call(&outgoing).await {
                    Ok(reply) => {
                        called.status = Some(reply.status);
                        replies.push(reply);
                    }
                    Err(error) => return Tried::unanswered(error),
                }
            }
            Step::Mail(mail) => {
                called.sent = true;
                return match transport.smtp.send(&mail).await {
                    Ok(answer) => {
                        called.status = answer.decisive().map(|reply| reply.code);
                        channel.mailed(message, &answer).map_or_else(Tried::failed, Tried::delivered)
                    }
                    Err(error) => Tried::unanswered(error),
                };
            }
            Step::Socket(frame) => {
                called.sent = true;
                let answer = transport.sockets.send(&frame).await;
                called.status = answer.as_ref().ok().map(Framed::status);
                match answer {
                    Ok(Framed::Refused(reply)) => replies.push(reply),
                    Ok(Framed::Closed(code)) => return channel.closed(code).map_or_else(Tried::failed, Tried::delivered),
                    Err(error) => return Tried::unanswered(error),
                }
            }
            Step::Ses(mail) => {
                let Some(ses) = &transport.ses else {
                    let detail = "there is no way to Amazon SES from here; use the channel `email` with SES's SMTP interface";
                    return Tried::failed(SendError::new(Reason::InvalidParams, Retry::Never, detail));
                };
                called.sent = true;
                match ses.send(&mail).await {
                    Ok(reply) => {
                        called.status = Some(reply.status);
                        replies.push(reply);
                    }
                    Err(error) => return Tried::unanswered(error),
                }
            }
            Step::Done => return Tried::delivered(Receipt::All),
            Step::DoneBut(note) => return Tried { detail: Some(note), ..Tried::delivered(Receipt::All) },
            Step::Fail(error) => return Tried::failed(error),
        }
    }
    Tried::failed(SendError::new(Reason::Bug, Retry::Never, "the channel asks for one call after the other"))
}

/// What is written down about a try, and what follows from it.
fn settlement(ports: &Ports, row: &Delivery, claim: &Claim, tried: &Tried) -> Settlement {
    let now = ports.clock.now();
    let wait = match tried.outcome {
        Outcome::Delivered | Outcome::Failed => None,
        Outcome::Retry | Outcome::Unknown => backoff::wait(row.tries() + 1, tried.retry, ports.clock.chance()),
    };
    let reason = match tried.outcome {
        Outcome::Unknown => Some(Reason::OutcomeUnknown),
        Outcome::Delivered | Outcome::Retry | Outcome::Failed => tried.reason,
    };
    let next = match (tried.outcome, wait) {
        (Outcome::Delivered, _) => Next::Final { state: State::Delivered, reason: None },
        (_, Some(wait)) => Next::Again { at: now + wait, reason: reason.unwrap_or(Reason::Bug) },
        (_, None) => Next::Final { state: State::Failed, reason },
    };
    let attempt = Attempt {
        n: next_number(row),
        at: now,
        outcome: tried.outcome,
        reason: tried.reason,
        status: tried.status,
        detail: tried.detail.clone(),
        duration_ms: tried.duration_ms,
        repeated: is_repeated(row),
    };
    Settlement { token: claim.token, attempt: Some(attempt), done: tried.done, next, now }
}
