//! A channel whose provider wants a token with every message, and that provider.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Reason, Retry, SendError,
    channel::{Body, Catalog, Channel, Context, Message, Method, Outgoing, Params, Reply, Spec, Step},
    ports::{Http, Sent, Transport, TransportError},
    render,
    token::{Credential, Secret, Token},
};

use crate::{BARE, Provider};

/// The channel `probe`, as if its provider wanted tokens.
pub const TOKENED: Catalog = Catalog { specs: &[&BARE], speakers: &[&Tokened], render: render::message };

const TOKENS: &str = "https://tokened.invalid/token";

struct Tokened;

fn outgoing(method: Method, url: &str, headers: Vec<(String, String)>) -> Outgoing {
    Outgoing { method, url: url.to_owned(), headers, body: Body::Empty, proxy: None }
}

impl Channel for Tokened {
    fn spec(&self) -> &'static Spec {
        &BARE
    }

    fn step(&self, cx: &Context, _message: &Message, _params: &Params, so_far: &[Reply]) -> Step {
        let Some(token) = &cx.token else {
            return Step::Token(Credential::of(&["app", "s3cret"]));
        };
        let fail = |reason, retry| SendError::new(reason, retry, "the provider says so");
        match so_far.last().map(|reply| reply.status) {
            None => {
                let headers = vec![("authorization".to_owned(), token.expose().to_owned())];
                Step::Call(outgoing(Method::Post, "https://tokened.invalid/send", headers))
            }
            Some(200) => Step::Done,
            Some(401) => Step::Renew(fail(Reason::Unauthorized, Retry::Never)),
            Some(_) => Step::Fail(fail(Reason::ProviderError, Retry::Later)),
        }
    }

    fn fetch(&self, _cx: &Context, _params: &Params) -> Result<Outgoing, SendError> {
        Ok(outgoing(Method::Get, TOKENS, Vec::new()))
    }

    fn token(&self, _cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        let lasts = reply.header("lasts").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        match (reply.status, lasts) {
            (200, Some(lasts)) => Ok(Token { value: Secret::new(String::from_utf8_lossy(&reply.body)), lasts }),
            (403, _) => Err(SendError::new(Reason::Unauthorized, Retry::Never, "the provider refuses the credential")),
            _ => Err(SendError::new(Reason::ProviderError, Retry::Later, "the provider gives no token")),
        }
    }
}

/// What the provider answers to whoever asks for a token.
#[derive(Debug, Clone, Copy)]
pub enum Fetched {
    /// The next one, good for so long.
    Lasts(Duration),
    /// A refusal of the credential.
    Refused,
    /// Nothing: its answer is lost.
    Lost,
}

/// The far end: gives tokens `1`, `2` …, and takes what comes with one that it does not refuse.
pub struct TokenProvider {
    refuses: Box<dyn Fn(&str) -> bool + Send + Sync>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    script: VecDeque<Fetched>,
    fetches: usize,
    given: usize,
    /// The token of each message that came, and whether it was taken.
    messages: Vec<(String, bool)>,
}

impl TokenProvider {
    /// Answers those who ask for tokens by a script, and after its end with tokens of two hours.
    pub fn new(script: &[Fetched], refuses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Arc<Self> {
        let seen = Seen { script: script.iter().copied().collect(), ..Seen::default() };
        Arc::new(Self { refuses: Box::new(refuses), seen: Mutex::new(seen) })
    }

    /// How often it was asked for a token.
    pub fn fetches(&self) -> usize {
        self.seen().fetches
    }

    /// The token of each message that came, and whether it was taken.
    pub fn messages(&self) -> Vec<(String, bool)> {
        self.seen().messages.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self) -> Result<Reply, TransportError> {
        let seen = &mut *self.seen();
        seen.fetches += 1;
        match seen.script.pop_front().unwrap_or(Fetched::Lasts(Duration::from_hours(2))) {
            Fetched::Lasts(lasts) => {
                seen.given += 1;
                let headers = vec![("lasts".to_owned(), lasts.as_secs().to_string())];
                Ok(Reply { status: 200, headers, body: seen.given.to_string().into_bytes() })
            }
            Fetched::Refused => Ok(Reply { status: 403, headers: Vec::new(), body: Vec::new() }),
            Fetched::Lost => {
                let detail = "as the script says".to_owned();
                Err(TransportError { reason: Reason::Timeout, sent: Sent::Maybe, detail })
            }
        }
    }
}

#[async_trait]
impl Http for TokenProvider {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        // an answer takes its time: whoever else wants a token comes meanwhile
        tokio::task::yield_now().await;
        if outgoing.url == TOKENS {
            return self.fetch();
        }
        let token = outgoing.headers.first().map(|(_, token)| token.clone()).unwrap_or_default();
        let is_taken = !(self.refuses)(&token);
        self.seen().messages.push((token, is_taken));
        Ok(Reply { status: if is_taken { 200 } else { 401 }, headers: Vec::new(), body: Vec::new() })
    }
}

impl TokenProvider {
    /// A way out that leads to it.
    pub fn transport(self: &Arc<Self>) -> Transport {
        Transport { http: Arc::clone(self) as _, ..Provider::new(&[]).into() }
    }
}
