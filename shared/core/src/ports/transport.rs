//! The ways out to receivers, one for each protocol, and what is known when an answer did not come.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Reason, Retry,
    channel::{Outgoing, Reply},
    mail::{Mail, Mailed},
    model::ConnectionId,
    ses::SesMail,
    socket::{Frame, Framed},
};

/// The way out for requests: timeouts, size caps and the address guard are its business.
#[async_trait]
pub trait Http: Send + Sync {
    /// Makes one request.
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError>;
}

/// The way out for mail, under the same rules.
#[async_trait]
pub trait Smtp: Send + Sync {
    /// Sends one mail: one connection, one message.
    async fn send(&self, mail: &Mail) -> Result<Mailed, TransportError>;
}

/// The way out for WebSockets, under the same rules.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// Sends one frame: one connection, one text, and a farewell that the server answers. An error with [`Sent::No`] means
    /// that not a byte of the text has left.
    async fn send(&self, frame: &Frame) -> Result<Framed, TransportError>;
}

/// The way out for mail through Amazon SES, with the operator's own credentials.
#[async_trait]
pub trait Ses: Send + Sync {
    /// Sends one mail, and once: trying again is the core's business. The answer is written as SES's JSON API writes it,
    /// whichever API was called: a 200 with `MessageId`, or the error's name in `x-amzn-errortype` and its `message`.
    async fn send(&self, mail: &SesMail) -> Result<Reply, TransportError>;
}

/// The way to clients that keep a connection to us.
#[async_trait]
pub trait Live: Send + Sync {
    /// Sends one text; never waits for a client that reads slowly.
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed;

    /// Ends the connection, if it is still there.
    async fn close(&self, connection: &ConnectionId);
}

/// What became of a text that was sent to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It is on its way; whether it arrives, the client's acknowledgement tells.
    Sent,
    /// The connection is gone.
    Gone,
    /// It was not sent, and the connection may still be there.
    NotNow(String),
    /// Nobody could be asked to send it, or did not answer.
    Failed(TransportError),
    /// It will never get through.
    Refused(String),
}

/// Nobody is connected here.
#[derive(Debug, Clone, Copy)]
pub struct NobodyLive;

#[async_trait]
impl Live for NobodyLive {
    async fn push(&self, _connection: &ConnectionId, _text: &str) -> Pushed {
        Pushed::Gone
    }

    async fn close(&self, _connection: &ConnectionId) {}
}

/// Every way out.
#[derive(Clone)]
pub struct Transport {
    /// For requests.
    pub http: Arc<dyn Http>,
    /// For mail.
    pub smtp: Arc<dyn Smtp>,
    /// For WebSockets.
    pub sockets: Arc<dyn Sockets>,
    /// For mail through Amazon SES. `None`: this program has no way there.
    pub ses: Option<Arc<dyn Ses>>,
    /// For clients that keep a connection to us.
    pub live: Arc<dyn Live>,
}

impl<T: Http + Smtp + Sockets + Ses + 'static> From<Arc<T>> for Transport {
    fn from(all: Arc<T>) -> Self {
        Self {
            http: Arc::clone(&all) as _,
            smtp: Arc::clone(&all) as _,
            sockets: Arc::clone(&all) as _,
            ses: Some(all),
            live: Arc::new(NobodyLive),
        }
    }
}

/// No answer, or not a whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// Why.
    pub reason: Reason,
    /// Whether the request may have arrived all the same.
    pub sent: Sent,
    /// For people; without the URL, which may hold a secret.
    pub detail: String,
}

impl TransportError {
    /// Whether the same request may fare better.
    pub fn retry(&self) -> Retry {
        let hopeless = matches!(self.reason, Reason::BlockedAddress | Reason::InvalidParams);
        if hopeless { Retry::Never } else { Retry::Later }
    }
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Surely nowhere.
    No,
    /// Perhaps all the way.
    Maybe,
}
