//! The ways out, with a memory: what left by them and what came back, and every token that was used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    Reason, StoreError,
    channel::{Outgoing, Reply},
    mail::{Mail, Mailed},
    ports::{Http, Ports, Sent, Ses, Smtp, Sockets, Tokens, Transport, TransportError},
    ses::SesMail,
    socket::{Frame, Framed},
    token::{Held, Secret, Slot, TokenKey, Wish},
};

/// What left.
#[derive(Clone)]
pub(super) enum Said {
    Request(Outgoing),
    Mail(Mail),
    Frame(Frame),
    Ses(SesMail),
}

/// What came back.
#[derive(Clone)]
pub(super) enum Heard {
    Reply(Reply),
    /// A provider's token was in it.
    Token(u16),
    Mailed(Mailed),
    /// The server closed with that code.
    Closed(Option<u16>),
}

/// One thing that left, and what came back, if anything did.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) said: Said,
    pub(super) heard: Option<Heard>,
}

impl Exchange {
    /// An HTTP status, or a mail server's code.
    pub(super) fn status(&self) -> Option<u16> {
        match self.heard.as_ref()? {
            Heard::Reply(reply) => Some(reply.status),
            Heard::Token(status) => Some(*status),
            Heard::Mailed(answer) => answer.decisive().map(|reply| reply.code),
            Heard::Closed(_) => Some(101),
        }
    }
}

/// See the module.
pub(super) struct Recorder {
    out: Transport,
    tokens: Arc<dyn Tokens>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    exchanges: Vec<Exchange>,
    tokens: Vec<Secret>,
}

impl Recorder {
    pub(super) fn over(ports: &Ports) -> Arc<Self> {
        Arc::new(Self { out: ports.transport.clone(), tokens: Arc::clone(&ports.tokens), seen: Mutex::default() })
    }

    pub(super) fn transport(self: &Arc<Self>) -> Transport {
        Transport {
            http: Arc::clone(self) as _,
            smtp: Arc::clone(self) as _,
            sockets: Arc::clone(self) as _,
            ses: self.out.ses.as_ref().map(|_| Arc::clone(self) as _),
            live: Arc::clone(&self.out.live),
        }
    }

    /// All that was said and heard, in order, and every token.
    pub(super) fn heard(&self) -> (Vec<Exchange>, Vec<Secret>) {
        let seen = self.seen();
        (seen.exchanges.clone(), seen.tokens.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers it before it leaves: it may be given up while nothing has come back.
    fn saying(&self, said: Said) -> usize {
        let mut seen = self.seen();
        seen.exchanges.push(Exchange { said, heard: None });
        seen.exchanges.len() - 1
    }

    fn hearing(&self, place: usize, heard: Option<Heard>) {
        if let Some(exchange) = self.seen().exchanges.get_mut(place) {
            exchange.heard = heard;
        }
    }
}

#[async_trait]
impl Http for Recorder {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let place = self.saying(Said::Request(outgoing.clone()));
        let answer = self.out.http.call(outgoing).await;
        self.hearing(place, answer.as_ref().ok().cloned().map(Heard::Reply));
        answer
    }
}

#[async_trait]
impl Smtp for Recorder {
    async fn send(&self, mail: &Mail) -> Result<Mailed, TransportError> {
        let place = self.saying(Said::Mail(mail.clone()));
        let answer = self.out.smtp.send(mail).await;
        self.hearing(place, answer.as_ref().ok().cloned().map(Heard::Mailed));
        answer
    }
}

#[async_trait]
impl Sockets for Recorder {
    async fn send(&self, frame: &Frame) -> Result<Framed, TransportError> {
        let place = self.saying(Said::Frame(frame.clone()));
        let answer = self.out.sockets.send(frame).await;
        let heard = answer.as_ref().ok().map(|answer| match answer {
            Framed::Refused(reply) => Heard::Reply(reply.clone()),
            Framed::Closed(code) => Heard::Closed(*code),
        });
        self.hearing(place, heard);
        answer
    }
}

#[async_trait]
impl Ses for Recorder {
    async fn send(&self, mail: &SesMail) -> Result<Reply, TransportError> {
        let place = self.saying(Said::Ses(mail.clone()));
        let gone = || TransportError {
            reason: Reason::InvalidParams,
            sent: Sent::No,
            detail: "there is no way to Amazon SES from here".to_owned(),
        };
        let answer = self.out.ses.as_ref().ok_or_else(gone)?.send(mail).await;
        self.hearing(place, answer.as_ref().ok().cloned().map(Heard::Reply));
        answer
    }
}

#[async_trait]
impl Tokens for Recorder {
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError> {
        let held = self.tokens.ask(key, wish).await?;
        if let Held::Token(good) = &held {
            self.seen().tokens.push(good.value.clone());
        }
        Ok(held)
    }

    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError> {
        if let Slot::Good(good) = slot {
            let mut seen = self.seen();
            seen.tokens.push(good.value.clone());
            // what was answered last is where it came from
            if let Some(exchange) = seen.exchanges.last_mut() {
                exchange.heard = exchange.status().map(Heard::Token);
            }
        }
        self.tokens.put(key, by, slot).await
    }

    async fn changed(&self, key: &TokenKey) {
        self.tokens.changed(key).await;
    }
}
