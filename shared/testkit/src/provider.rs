//! A provider that answers by a script and remembers every request that arrived.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bellhop_core::{
    Reason,
    channel::{Outgoing, Reply},
    mail::{Mail, Mailed, SmtpReply},
    model::DeliveryId,
    ports::{Http, Sent, Ses, Smtp, Sockets, TransportError},
    ses::SesMail,
    socket::{Frame, Framed},
};

/// What the provider does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Takes it.
    Taken,
    /// Refuses it with this status.
    Status(u16),
    /// Refuses it with this status and asks to wait so many seconds.
    Later(u16, u32),
    /// Takes it, but no answer comes back.
    TimesOut,
    /// Lets nobody in.
    Refused,
    /// Takes it, and our own code falls over the answer.
    Panics,
}

impl Answer {
    /// Whether the receiver sees the message.
    pub fn is_taken(self) -> bool {
        match self {
            Self::Taken | Self::TimesOut | Self::Panics => true,
            Self::Status(status) => (200..300).contains(&status),
            Self::Later(..) | Self::Refused => false,
        }
    }
}

type Script = dyn Fn(Option<DeliveryId>) -> Vec<Answer> + Send + Sync;

/// The far end of every way out.
pub struct Provider {
    script: Box<Script>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    scripts: BTreeMap<Option<DeliveryId>, Vec<Answer>>,
    answers: BTreeMap<Option<DeliveryId>, Vec<Answer>>,
    requests: Vec<Outgoing>,
    mails: Vec<Mail>,
    frames: Vec<Frame>,
    ses_mails: Vec<SesMail>,
}

impl Provider {
    /// Gives each delivery these answers in order; the last one repeats, and an empty script takes everything.
    pub fn new(script: &[Answer]) -> Arc<Self> {
        let script = script.to_vec();
        Self::by(move |_| script.clone())
    }

    /// The same, with a script per delivery.
    pub fn by(script: impl Fn(Option<DeliveryId>) -> Vec<Answer> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), seen: Mutex::default() })
    }

    /// What was answered to the attempts of one delivery, connections that were refused included.
    pub fn answers(&self, delivery: DeliveryId) -> Vec<Answer> {
        self.seen().answers.get(&Some(delivery)).cloned().unwrap_or_default()
    }

    /// Every delivery that something was tried for.
    pub fn deliveries(&self) -> Vec<DeliveryId> {
        self.seen().answers.keys().copied().flatten().collect()
    }

    /// Every request that arrived, in order.
    pub fn requests(&self) -> Vec<Outgoing> {
        self.seen().requests.clone()
    }

    /// Every mail that arrived, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.seen().mails.clone()
    }

    /// Every frame that arrived, in order.
    pub fn frames(&self) -> Vec<Frame> {
        self.seen().frames.clone()
    }

    /// Every mail that arrived through SES, in order.
    pub fn ses_mails(&self) -> Vec<SesMail> {
        self.seen().ses_mails.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next answer to a delivery; what arrives is kept by `keep`.
    fn answer(&self, delivery: Option<DeliveryId>, keep: impl FnOnce(&mut Seen)) -> Answer {
        let seen = &mut *self.seen();
        let script = seen.scripts.entry(delivery).or_insert_with(|| (self.script)(delivery));
        let answers = seen.answers.entry(delivery).or_default();
        let answer = script.get(answers.len()).or(script.last()).copied().unwrap_or(Answer::Taken);
        answers.push(answer);
        if answer != Answer::Refused {
            keep(seen);
        }
        answer
    }
}

fn error<T>(reason: Reason, sent: Sent) -> Result<T, TransportError> {
    Err(TransportError { reason, sent, detail: "as the script says".to_owned() })
}

#[async_trait]
impl Http for Provider {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let reply = |status, headers| Ok(Reply { status, headers, body: Vec::new() });
        let delivery = outgoing.headers.iter().find_map(|(_, value)| value.parse().ok());
        match self.answer(delivery, |seen| seen.requests.push(outgoing.clone())) {
            Answer::Taken => reply(200, Vec::new()),
            Answer::Status(status) => reply(status, Vec::new()),
            Answer::Later(status, seconds) => reply(status, vec![("retry-after".to_owned(), seconds.to_string())]),
            Answer::TimesOut => error(Reason::Timeout, Sent::Maybe),
            Answer::Refused => error(Reason::ConnectFailed, Sent::No),
            // without the hook's print: this panic is part of the script
            Answer::Panics => resume_unwind(Box::new("as the script says")),
        }
    }
}

/// The delivery's id stands before the `@` of the message's id; a status is the reply to the message.
#[async_trait]
impl Smtp for Provider {
    async fn send(&self, mail: &Mail) -> Result<Mailed, TransportError> {
        let message = String::from_utf8_lossy(&mail.message);
        let id = message.lines().find_map(|line| line.strip_prefix("Message-ID: <")).and_then(|id| id.split('@').next());
        let delivery = id.and_then(|id| id.parse().ok());
        let reply = |code| SmtpReply { code, text: "as the script says".to_owned() };
        let answered = |code| Mailed::Answered { recipients: vec![reply(250); mail.to.len()], message: reply(code) };
        match self.answer(delivery, |seen| seen.mails.push(mail.clone())) {
            Answer::Taken => Ok(answered(250)),
            Answer::Status(code) => Ok(answered(code)),
            Answer::Later(code, _) => Ok(Mailed::HeldBack(vec![reply(code); mail.to.len()])),
            Answer::TimesOut => error(Reason::Timeout, Sent::Maybe),
            Answer::Refused => error(Reason::ConnectFailed, Sent::No),
            Answer::Panics => resume_unwind(Box::new("as the script says")),
        }
    }
}

/// The delivery's id stands in a header; a status refuses the handshake, and above 999 it is the code that the server closes
/// with.
#[async_trait]
impl Sockets for Provider {
    async fn send(&self, frame: &Frame) -> Result<Framed, TransportError> {
        let refused = |status| Ok(Framed::Refused(Reply { status, headers: Vec::new(), body: Vec::new() }));
        let delivery = frame.headers.iter().find_map(|(_, value)| value.parse().ok());
        match self.answer(delivery, |seen| seen.frames.push(frame.clone())) {
            Answer::Taken => Ok(Framed::Closed(Some(1000))),
            Answer::Status(code @ 1000..) => Ok(Framed::Closed(Some(code))),
            Answer::Status(status) | Answer::Later(status, _) => refused(status),
            Answer::TimesOut => error(Reason::Timeout, Sent::Maybe),
            Answer::Refused => error(Reason::ConnectFailed, Sent::No),
            Answer::Panics => resume_unwind(Box::new("as the script says")),
        }
    }
}

/// The delivery's id stands in a tag.
#[async_trait]
impl Ses for Provider {
    async fn send(&self, mail: &SesMail) -> Result<Reply, TransportError> {
        let reply = |status| Ok(Reply { status, headers: Vec::new(), body: br#"{"MessageId":"1"}"#.to_vec() });
        let delivery = mail.tags.iter().find_map(|(_, value)| value.parse().ok());
        match self.answer(delivery, |seen| seen.ses_mails.push(mail.clone())) {
            Answer::Taken => reply(200),
            Answer::Status(status) | Answer::Later(status, _) => reply(status),
            Answer::TimesOut => error(Reason::Timeout, Sent::Maybe),
            Answer::Refused => error(Reason::ConnectFailed, Sent::No),
            Answer::Panics => resume_unwind(Box::new("as the script says")),
        }
    }
}
