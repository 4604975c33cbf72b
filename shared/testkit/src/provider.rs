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
    model::DeliveryId,
    ports::{Http, Sent, TransportError},
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

/// The far end of [`Http`].
pub struct Provider {
    script: Box<Script>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    scripts: BTreeMap<Option<DeliveryId>, Vec<Answer>>,
    answers: BTreeMap<Option<DeliveryId>, Vec<Answer>>,
    requests: Vec<Outgoing>,
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

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, outgoing: &Outgoing) -> Answer {
        let delivery = outgoing.headers.iter().find_map(|(_, value)| value.parse().ok());
        let Seen { scripts, answers, requests } = &mut *self.seen();
        let script = scripts.entry(delivery).or_insert_with(|| (self.script)(delivery));
        let answers = answers.entry(delivery).or_default();
        let answer = script.get(answers.len()).or(script.last()).copied().unwrap_or(Answer::Taken);
        answers.push(answer);
        if answer != Answer::Refused {
            requests.push(outgoing.clone());
        }
        answer
    }
}

#[async_trait]
impl Http for Provider {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let reply = |status, headers| Ok(Reply { status, headers, body: Vec::new() });
        let error = |reason, sent| Err(TransportError { reason, sent, detail: "as the script says".to_owned() });
        match self.answer(outgoing) {
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
