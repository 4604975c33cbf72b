//! One wake-up brings one delivery one attempt further.
//!
//! Promise: a send is preceded by a claim that is written down, and followed by a settlement; whoever dies in between
//! leaves a claim behind that the next wake-up records as unknown. A panic fails its own job alone. Left to others: which
//! wake-ups come when ([`crate::ports::Queue`]), how often a delivery is tried ([`crate::backoff`]).

mod drive;
mod live;
mod tried;
mod turn;

pub mod trial;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;

use crate::{
    Reason, Retry, SendError, StoreError, Timestamp, backoff,
    channel::{Channel, Params},
    clients,
    model::{Account, Attempt, ConnectionId, Delivery, Disabled, Job, Outcome, Picture, Registration, State},
    pace::Silence,
    ports::{Freshness, MOST_RECEIVES, Ports, Wake},
    report,
    transition::{Claim, Claimed, Next, Settlement, is_repeated, next_number},
};

use drive::Try;
use tried::Tried;
use turn::Turn;

/// How long a worker has a delivery for itself: more than a send may take, less than a message stays hidden.
pub const LEASE: Duration = Duration::from_mins(1);

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
        Claimed::Over => {
            if goes_to_clients(ports, job) {
                clients::left_behind(ports, job.account(), &job.registration, job.delivery).await?;
            }
            return Ok(Disposition::Ack);
        }
        Claimed::GivenUp(row) => {
            report::ended(&*ports.telemetry, job, row.state, row.reason);
            return Ok(Disposition::Ack);
        }
        Claimed::Buried(row) => {
            report::ended(&*ports.telemetry, job, row.state, row.reason);
            return Ok(Disposition::Bury);
        }
    };
    let mut live = None;
    let (settlement, used) = match prepare(ports, job, &row).await {
        Ok(Prepared::Never(why)) => {
            let next = Next::Final { state: State::Dropped, reason: Some(why) };
            (untried(&row, &claim, next), None)
        }
        Ok(Prepared::GivenUp(why)) => {
            let next = Next::Final { state: State::Failed, reason: Some(why) };
            (untried(&row, &claim, next), None)
        }
        Ok(Prepared::Later(next)) => (untried(&row, &claim, next), None),
        Ok(Prepared::Behind { next, registration, channel }) => {
            live = Some((registration, channel));
            (untried(&row, &claim, next), None)
        }
        Ok(Prepared::Now(needed)) => {
            let params = needed.registration.params.with_options(job.event.options.get(&needed.registration.channel));
            let try_it = Try {
                job,
                channel: needed.channel,
                params: &params,
                slots: Some(&needed.registration),
                picture: needed.picture.as_ref(),
                account: needed.account.as_deref(),
                done: row.done,
                connection: needed.connection.as_ref(),
            };
            let tried = try_it.make(ports).await;
            let (settlement, waiting) = settled(ports, (job, &row, &claim), &needed, &params, &tried);
            live = waiting;
            (settlement, Some((needed.registration, needed.silence, tried)))
        }
        Err(error) => {
            tracing::error!(delivery = %job.delivery, %error, "cannot read what the message needs");
            let detail = "what the message needs could not be read; the operator's log says more";
            let error = SendError::new(Reason::StoreFailed, Retry::Later, detail);
            let tried = Tried { done: row.done, ..Tried::failed(error) };
            (settlement(ports, &row, &claim, &tried, None), None)
        }
    };
    let disposition = record(ports, job, &settlement).await;
    if let Err(error) = in_line(ports, job, &settlement, live).await {
        tracing::error!(delivery = %job.delivery, %error, "a client's line was not looked at; its next message will do so");
    }
    if let Some((registration, seen, tried)) = used {
        turn::heard(ports, &registration, seen, &tried).await;
        turn::slow_down(ports, &registration, &tried).await;
        if tried.dead_address {
            switch_off(ports, &registration, tried.reason.unwrap_or(Reason::Gone)).await;
        }
    }
    disposition
}

/// Who waits in a client's line, and how it is reached.
type InLine = (Arc<Registration>, &'static dyn Channel);

/// What is written down of a try, and, where it waits in a client's line from now on, by which registration.
fn settled(
    ports: &Ports,
    (job, row, claim): (&Job, &Delivery, &Claim),
    needed: &Needed,
    params: &Params,
    tried: &Tried,
) -> (Settlement, Option<InLine>) {
    let again = needed.again(params, job, ports.clock.now());
    if needed.is_live && tried.dead_address {
        // its push service has given it up, and it will be back
        let settlement = settlement(ports, row, claim, tried, again);
        let next = Tried::absent(job.event.accepted_at).waits.unwrap_or(settlement.next);
        let disabled = Some(Disabled { reason: Reason::Gone, at: ports.clock.now() });
        let without = Registration { disabled, ..Registration::clone(&needed.registration) };
        return (Settlement { next, uncounted: true, ..settlement }, Some((Arc::new(without), needed.channel)));
    }
    let waits = match again.filter(|_| needed.is_repeated(row, tried)) {
        Some(at) => Some(Next::Wait { at, reason: tried.reason.unwrap_or(Reason::Unacknowledged), reserved: false }),
        None => tried.waits,
    };
    let settlement = match waits {
        Some(next) => Settlement { done: tried.done, now: ports.clock.now(), ..untried(row, claim, next) },
        None => settlement(ports, row, claim, tried, again),
    };
    let is_in_line = tried.waits.is_some() && needed.is_live;
    (settlement, is_in_line.then(|| (Arc::clone(&needed.registration), needed.channel)))
}

fn goes_to_clients(ports: &Ports, job: &Job) -> bool {
    ports.channels.get(job.channel.as_str()).is_some_and(|spec| spec.client.is_some())
}

/// What has to follow where a client gets its messages one after the other: what is over makes way for the next, and what waits
/// for something is brought forward if that has come by now.
async fn in_line(ports: &Ports, job: &Job, settlement: &Settlement, live: Option<InLine>) -> Result<(), StoreError> {
    match (settlement.next, live) {
        (Next::Final { .. }, _) if goes_to_clients(ports, job) => {
            clients::over(ports, job.account(), &job.registration, job.delivery).await
        }
        (Next::Wait { reason: Reason::BehindAnother | Reason::NotConnected, .. }, Some((registration, channel))) => {
            live::look_again(ports, channel, job, &registration).await
        }
        (Next::Final { .. } | Next::Again { .. } | Next::Wait { .. }, _) => Ok(()),
    }
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
    /// Nothing any more.
    GivenUp(Reason),
    /// It is not its turn.
    Later(Next),
    /// Its client is not there, or has not acknowledged what stands before it.
    Behind { next: Next, registration: Arc<Registration>, channel: &'static dyn Channel },
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
    is_live: bool,
    connection: Option<ConnectionId>,
}

/// How many pushes of one message over connections are written down at most.
const MOST_PUSHES: usize = 100;

/// How long after its acceptance a message is tried again as soon as its channel wants to.
const FIRST_TRIES: Duration = Duration::from_mins(1);

impl Needed {
    /// Whether a push went as the one before did, or there have been too many to tell of each: it is not written down again.
    fn is_repeated(&self, row: &Delivery, tried: &Tried) -> bool {
        let is_as_before = row.attempts.last().is_some_and(|last| last.reason == tried.reason);
        self.connection.is_some() && tried.retry != Retry::Never && (is_as_before || row.attempts.len() >= MOST_PUSHES)
    }

    /// When it is tried again, if not by the schedule: what was pushed until it is acknowledged, other things in the first minute.
    fn again(&self, params: &Params, job: &Job, now: Timestamp) -> Option<Timestamp> {
        let usual = Account::new(job.account().clone());
        let soon = self.channel.soon(params, self.account.as_deref().unwrap_or(&usual))?;
        (self.connection.is_some() || now + soon < job.event.accepted_at + FIRST_TRIES).then_some(now + soon)
    }
}

async fn prepare(ports: &Ports, job: &Job, row: &Delivery) -> Result<Prepared, StoreError> {
    let Some(registration) = registration(ports, job, row).await? else {
        return Ok(Prepared::Never(Reason::RegistrationDeleted));
    };
    let is_open =
        ports.channels.get(registration.channel.as_str()).map_or(registration.is_open(), |spec| spec.is_open(&registration));
    if !is_open {
        return Ok(Prepared::Never(Reason::RegistrationDisabled));
    }
    if registration.channel != job.channel {
        return Ok(Prepared::Never(Reason::ChannelChanged));
    }
    let Ok(channel) = ports.channels.speaker(&registration.channel) else {
        return Ok(Prepared::Never(Reason::ChannelNotDeployed));
    };
    let is_live = channel.spec().is_live(&registration.params);
    let mut connection = None;
    if is_live {
        match live::turn(ports, channel, job, &registration).await? {
            live::Turn::Now(found) => connection = found,
            live::Turn::Later(next) => return Ok(Prepared::Behind { next, registration, channel }),
            live::Turn::Never(why) => return Ok(Prepared::GivenUp(why)),
        }
    }
    let silence = match turn::turn(ports, channel, row, &registration).await? {
        Turn::Later(next) => return Ok(Prepared::Later(next)),
        Turn::Now(silence) => silence,
    };
    let picture = match job.event.screenshot {
        Some(id) => ports.attachments.get(job.account(), id).await?,
        None => None,
    };
    let account = ports.accounts.get(job.account()).await?;
    Ok(Prepared::Now(Needed { registration, silence, channel, picture, account, is_live, connection }))
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
    Settlement { token: claim.token, attempt: None, done: row.done, uncounted: false, next, now: claim.now }
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

/// What is written down about a try, and what follows from it. `again`: when that is, if not by the schedule.
fn settlement(ports: &Ports, row: &Delivery, claim: &Claim, tried: &Tried, again: Option<Timestamp>) -> Settlement {
    let now = ports.clock.now();
    let again = again.filter(|_| tried.retry == Retry::Later);
    let wait = match tried.outcome {
        Outcome::Delivered | Outcome::Failed => None,
        Outcome::Retry | Outcome::Unknown => backoff::wait(row.tries() + 1, tried.retry, ports.clock.chance()),
    };
    let reason = match tried.outcome {
        Outcome::Unknown if !tried.pushed => Some(Reason::OutcomeUnknown),
        Outcome::Delivered | Outcome::Unknown | Outcome::Retry | Outcome::Failed => tried.reason,
    };
    let next = match (tried.outcome, again.or_else(|| wait.map(|wait| now + wait))) {
        (Outcome::Delivered, _) => Next::Final { state: State::Delivered, reason: None },
        (Outcome::Retry | Outcome::Unknown, Some(at)) => Next::Again { at, reason: reason.unwrap_or(Reason::Bug) },
        (Outcome::Failed, _) | (_, None) => Next::Final { state: State::Failed, reason },
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
    Settlement {
        token: claim.token,
        attempt: Some(attempt),
        done: tried.done,
        uncounted: again.is_some() && !tried.pushed,
        next,
        now,
    }
}
