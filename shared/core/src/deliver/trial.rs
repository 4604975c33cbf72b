//! A test of a registration: one message is sent now, and whoever asked is shown what was said and what was answered.
//!
//! Promises: it goes the way of every message (`deliver/drive.rs`: tokens, uploads, parts, address guard); nothing is kept of it
//! as a delivery, and no registration is switched off or on by it; no secret parameter, token, or part of a secret URL is in
//! what is shown. A test takes one slot of its registration and does not wait for it: what comes after it comes the
//! later; and a provider that asks to slow down is heard (`deliver/turn.rs`). Left to others: who may ask, and how long it may
//! take.

mod mask;
mod recorder;
mod shown;

use std::sync::Arc;

use futures_util::{
    FutureExt,
    future::{Either, select},
    pin_mut,
};
use serde::Serialize;

use super::{drive::Try, tried::Tried, turn};
use crate::{
    Reason, Retry, SendError, StoreError,
    channel::{Channel, Params, Text},
    model::{Account, Address, ChannelId, DeliveryId, Draft, EventId, Job, Name, Outcome, Registration},
    ports::Ports,
    token::flights::Flights,
};

use mask::Mask;
use recorder::Recorder;
use shown::Exchange;

/// What people read who did not say what it should be.
const TITLE: Text = Text { en: "Bellhop test", zh: "Bellhop 测试" };
const BODY: Text =
    Text { en: "If you can read this, messages arrive here.", zh: "看到这条消息，说明通知可以送达。" };

/// What is to be tested.
pub struct Asked<'a> {
    /// The settings of whoever asks.
    pub account: &'a Account,
    /// How the registration is called, or would be.
    pub name: &'a Name,
    /// Its channel.
    pub channel: &'static dyn Channel,
    /// Its parameters.
    pub params: &'a Params,
    /// The registration itself, where it is stored.
    pub stored: Option<&'a Registration>,
    /// To whom, on channels that serve many.
    pub to: Option<Address>,
    /// Another title than the usual.
    pub title: Option<String>,
    /// Another text than the usual.
    pub body: Option<String>,
}

/// What came of a test.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Whether the provider has taken the message.
    pub delivered: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was answered: an HTTP status, or a mail server's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What was said last, and the answer to it.
    #[serde(flatten)]
    exchange: Option<Exchange>,
    /// What was said before that: a token was fetched, a picture handed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<Exchange>,
    /// How long it took.
    pub duration_ms: u64,
    /// Why messages would not have been sent as this test was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// Something that keeps messages from a registration, but no test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

/// Sends the test, and gives it up when `limit` is over: by then something may have arrived.
pub async fn trial(ports: &Ports, asked: Asked<'_>, limit: impl Future<Output = ()> + Send) -> Result<Trial, StoreError> {
    let now = ports.clock.now();
    let Asked { account, name, channel, params, stored, .. } = asked;
    if let Some((registration, rate)) = stored.zip(channel.rate(params)) {
        ports.pace.reserve(&registration.account, &registration.name, rate, now).await?;
    }
    let recorder = Recorder::over(ports);
    // with flights of its own, so that a token that is fetched for it is fetched before its eyes
    let heard_by_it = Ports {
        transport: recorder.transport(),
        tokens: Arc::clone(&recorder) as _,
        flights: Flights::default(),
        ..ports.clone()
    };
    let job = job(ports, &asked);
    let slots = None;
    let is_live = channel.spec().is_live(params);
    let connection = if is_live { ports.clients.connection(&account.id, name).await? } else { None };
    let connection = connection.as_ref();
    let try_it = Try { job: &job, channel, params, slots, picture: None, account: Some(account), done: 0, connection };
    let tried = within(try_it.make(&heard_by_it), limit).await;
    let tried = tried.unwrap_or_else(|| gave_up(ports.clock.now().duration_since(now).as_millis()));
    if let Some(registration) = stored {
        turn::slow_down(ports, registration, &tried).await;
    }
    tracing::info!(account = %account.id, registration = %name, channel = channel.spec().id, outcome = tried.outcome.as_str(),
        reason = tried.reason.map(Reason::as_str), duration_ms = tried.duration_ms, "tested");
    let (said, tokens) = recorder.heard();
    let mask = Mask::of(channel.spec(), params, &tokens);
    let status = tried.status.or_else(|| said.last().and_then(recorder::Exchange::status));
    let mut exchanges: Vec<_> = said.iter().map(|exchange| shown::shown(exchange, &mask)).collect();
    Ok(Trial {
        delivered: tried.outcome == Outcome::Delivered || tried.pushed,
        reason: tried.reason,
        status,
        detail: tried.detail.map(|detail| mask.text(&detail)),
        exchange: exchanges.pop(),
        before: exchanges,
        duration_ms: tried.duration_ms,
        warnings: stored.map(|registration| warnings(registration, ports)).unwrap_or_default(),
    })
}

async fn within(trying: impl Future<Output = Tried>, limit: impl Future<Output = ()>) -> Option<Tried> {
    let limit = limit.fuse();
    pin_mut!(trying, limit);
    match select(trying, limit).await {
        Either::Left((tried, _)) => Some(tried),
        Either::Right(((), _)) => None,
    }
}

fn gave_up(after_ms: i128) -> Tried {
    let detail = "no whole answer in the time that a test has; whether the message arrived is unknown";
    let duration_ms = u64::try_from(after_ms).unwrap_or(0);
    let failed = Tried::failed(SendError::new(Reason::Timeout, Retry::Later, detail));
    Tried { outcome: Outcome::Unknown, duration_ms, ..failed }
}

/// The message: an event that was never accepted.
fn job(ports: &Ports, asked: &Asked<'_>) -> Job {
    let now = ports.clock.now();
    let id = EventId::new(now, ports.clock.chance());
    let said = |given: &Option<String>, usual: Text| {
        given.clone().unwrap_or_else(|| usual.in_language(&asked.account.locale).to_owned())
    };
    let draft = Draft { title: Some(said(&asked.title, TITLE)), ..Draft::new(said(&asked.body, BODY)) };
    Job {
        delivery: DeliveryId::new(id, asked.name, asked.to.as_ref()),
        n: 1,
        registration: asked.name.clone(),
        channel: ChannelId::new(asked.channel.spec().id),
        address: asked.to.clone(),
        event: Arc::new(draft.into_event(id, asked.account.id.clone(), now)),
    }
}

fn warnings(registration: &Registration, ports: &Ports) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |reason, detail: String| found.push(Warning { reason, detail });
    if !registration.enabled {
        let detail = "the registration is switched off: this test was sent all the same, messages are not; set `enabled`";
        warn(Reason::RegistrationDisabled, detail.to_owned());
    }
    if let Some(disabled) = &registration.disabled {
        let detail = format!(
            "the provider's answer `{}` has switched the registration off: this test was sent all the same, messages are not; \
             save the registration to switch it on",
            disabled.reason
        );
        warn(Reason::RegistrationDisabled, detail);
    }
    if let Some(until) = registration.paused_until.filter(|until| *until > ports.clock.now()) {
        let detail = format!("messages to this registration wait until {until}; this test did not");
        warn(Reason::Paused, detail);
    }
    found
}
