//! One try to send: the channel is stepped through until it is done, over the ways out.
//!
//! Promises: deliveries and tests are sent by this and nothing else; a panic is a try that failed, unknown if a request had
//! left. Left to others: whose turn it is ([`super::turn`]), and what is written down of a try.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::{tried::Tried, turn};
use crate::{
    Reason, Retry, SendError,
    channel::{Channel, Context, Message, Params, Reply, Step},
    mail::Receipt,
    model::{Account, ConnectionId, Job, Outcome, Picture, Registration},
    ports::{Ports, Pushed, Sent, Session, TransportError},
    socket::Framed,
    token::{Secret, flights},
    vapid,
};

/// A channel that asks for more calls than this is going round in circles.
const MOST_CALLS: usize = 32;

/// What is to be sent, and to what.
pub(super) struct Try<'a> {
    /// What is told, and to whom.
    pub(super) job: &'a Job,
    /// How.
    pub(super) channel: &'static dyn Channel,
    /// The registration's, with the message's options laid over them.
    pub(super) params: &'a Params,
    /// Whose slots the parts of the message take, but the first, which is taken before. `None`: nobody's.
    pub(super) slots: Option<&'a Registration>,
    /// The event's screenshot.
    pub(super) picture: Option<&'a Picture>,
    /// The settings of whoever sends.
    pub(super) account: Option<&'a Account>,
    /// How many parts have arrived in earlier tries.
    pub(super) done: u32,
    /// The connection of the client that it goes to, if it keeps one.
    pub(super) connection: Option<&'a ConnectionId>,
}

impl Try<'_> {
    /// Makes it.
    pub(super) async fn make(&self, ports: &Ports) -> Tried {
        let Self { job, channel, picture, account, done, connection, .. } = *self;
        let started = ports.clock.now();
        let cx = Context {
            now: started,
            chance: ports.clock.chance(),
            time_zone: account.map_or(jiff::tz::TimeZone::UTC, Account::time_zone),
            locale: account.map_or_else(|| "en".to_owned(), |account| account.locale.clone()),
            default_image_url: account.and_then(|account| account.default_image_url.clone()),
            done: usize::try_from(done).unwrap_or(usize::MAX),
            fixed: Vec::new(),
            token: None,
            connection: connection.cloned(),
            vapid: None,
        };
        let mut called = Called { done, ..Called::default() };
        let sending = async {
            let message = (ports.channels.render)(job, channel.spec(), picture);
            drive(ports, self, cx, &message, &mut called).await
        };
        let tried = AssertUnwindSafe(sending).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(delivery = %job.delivery, n = job.n, "a panic while sending");
            let outcome = if called.sent { Outcome::Unknown } else { Outcome::Retry };
            Tried { outcome, ..Tried::failed(SendError::new(Reason::Bug, Retry::Later, "a fault in our own code")) }
        });
        let duration_ms = u64::try_from(ports.clock.now().duration_since(started).as_millis()).unwrap_or(0);
        Tried { duration_ms, status: called.status, done: called.done, ..tried }
    }
}

/// How far the calls of one try came; outlives a panic.
#[derive(Default)]
struct Called {
    sent: bool,
    status: Option<u16>,
    done: u32,
}

/// Steps through the channel until it is done.
async fn drive(ports: &Ports, attempt: &Try<'_>, mut cx: Context, message: &Message<'_>, called: &mut Called) -> Tried {
    let Try { job, channel, params, slots, .. } = *attempt;
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
            Step::Vapid => match sender(ports).await {
                Ok(sender) => cx.vapid = Some(sender),
                Err(error) => return Tried::failed(error),
            },
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
                if let Some(registration) = slots.filter(|_| called.done > in_this_slot) {
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
            Step::Push(connection, text) => return push(ports, job, &connection, &text).await,
            Step::Done => return Tried::delivered(Receipt::All),
            Step::DoneBut(note) => return Tried { detail: Some(note), ..Tried::delivered(Receipt::All) },
            Step::Fail(error) => return Tried::failed(error),
        }
    }
    Tried::failed(SendError::new(Reason::Bug, Retry::Never, "the channel asks for one call after the other"))
}

/// As whom this deployment speaks to push services.
async fn sender(ports: &Ports) -> Result<vapid::Sender, SendError> {
    let key = ports.vapid.key().await.map_err(|error| {
        tracing::error!(%error, "cannot read the key of Web Push");
        let detail = "the key of Web Push could not be read; the operator's log says more";
        SendError::new(Reason::StoreFailed, Retry::Later, detail)
    })?;
    Ok(vapid::Sender { key, contact: ports.contact.clone() })
}

/// Pushes a text to a client that is there, or was.
async fn push(ports: &Ports, job: &Job, connection: &ConnectionId, text: &str) -> Tried {
    match ports.transport.live.push(connection, text).await {
        Pushed::Sent => Tried::pushed(),
        Pushed::Gone => {
            let session = Session { account: job.account().clone(), name: job.registration.clone() };
            if let Err(error) = ports.clients.disconnect(connection, &session).await {
                tracing::warn!(%error, "a connection that is gone was not forgotten; the next push will find it gone");
            }
            Tried::absent(job.event.accepted_at)
        }
        Pushed::NotNow(detail) => Tried::busy(ports.clock.now(), detail),
        Pushed::Failed(error) => Tried::unanswered(error),
        Pushed::Refused(detail) => Tried::failed(SendError::new(Reason::Rejected, Retry::Never, detail)),
    }
}
