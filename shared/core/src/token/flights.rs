//! How a delivery comes by its provider token: from this process's memory, from the store, or by fetching one.
//!
//! Promises: of all callers of one process who want the same token at the same time one asks the store or the provider, and
//! all hear what came of it; who meets a fetch of another process waits two seconds for it at most. Left to others: what is
//! kept and who may fetch ([`super::ask`]), and which token was refused ([`crate::deliver`]).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::{Credential, Good, Held, Secret, Slot, Token, TokenKey, Wish};
use crate::{
    Reason, Retry, SendError,
    channel::{Channel, Context, Params},
    model::{AccountId, ChannelId},
    ports::{Ports, TransportError},
};

/// How often a caller who meets somebody else's fetch asks again: with [`crate::ports::Tokens::changed`] between, two seconds.
const MOST_LOOKS: usize = 8;

/// More tokens than this are not remembered: all are forgotten, and read from the store again.
const MOST_KNOWN: usize = 1024;

/// What comes of asking.
type Flight = BoxFuture<'static, Result<Good, SendError>>;

/// Tokens that this process knows, and those that it is about to. Clones are one.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    known: HashMap<TokenKey, Good>,
    /// Weak: when nobody waits any more, nobody goes on.
    under_way: HashMap<TokenKey, WeakShared<Flight>>,
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}

/// How a caller takes part.
enum Seat {
    /// Others asked before.
    Joined(Shared<Flight>),
    /// It asks for all.
    First(Shared<Flight>),
}

impl Flights {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &TokenKey) -> Option<Good> {
        self.inner().known.get(key).cloned()
    }

    fn seat(&self, key: &TokenKey, begin: impl FnOnce() -> Flight) -> Seat {
        let mut inner = self.inner();
        if let Some(flight) = inner.under_way.get(key).and_then(WeakShared::upgrade) {
            return Seat::Joined(flight);
        }
        // what is known is over or refused: whoever comes now waits for the next one
        inner.known.remove(key);
        let flight = begin().shared();
        if let Some(weak) = flight.downgrade() {
            inner.under_way.insert(key.clone(), weak);
        }
        Seat::First(flight)
    }

    /// Nobody joins any more: whoever comes now asks anew.
    fn landed(&self, key: &TokenKey, result: &Result<Good, SendError>) {
        let mut inner = self.inner();
        inner.under_way.remove(key);
        if inner.known.len() >= MOST_KNOWN {
            inner.known.clear();
        }
        if let Ok(good) = result {
            inner.known.insert(key.clone(), good.clone());
        }
    }
}

/// A token for a message of that account; not the one that was `refused`, unless the provider gives that one again.
pub(crate) async fn obtain(
    ports: &Ports,
    channel: &'static dyn Channel,
    cx: &Context,
    (account, params): (&AccountId, &Params),
    credential: Credential,
    refused: Option<&Secret>,
) -> Result<Secret, SendError> {
    let channel_id = ChannelId::new(channel.spec().id);
    let key = TokenKey { account: account.clone(), channel: channel_id, credential };
    loop {
        if let Some(known) = ports.flights.known(&key).filter(|known| known.is_good(refused, ports.clock.now())) {
            return Ok(known.value);
        }
        let begin = || {
            let (ports, cx, key) = (ports.clone(), cx.clone(), key.clone());
            let (params, refused) = (params.clone(), refused.cloned());
            async move {
                let result = shared_or_fetched(&ports, channel, &cx, &key, &params, refused).await;
                ports.flights.landed(&key, &result);
                result
            }
            .boxed()
        };
        match ports.flights.seat(&key, begin) {
            Seat::First(flight) => return Ok(flight.await?.value),
            Seat::Joined(flight) => {
                let good = flight.await?;
                // those who asked may not have known that this one is refused
                if Some(&good.value) != refused {
                    return Ok(good.value);
                }
            }
        }
    }
}

/// The token that all senders share, or a new one.
async fn shared_or_fetched(
    ports: &Ports,
    channel: &dyn Channel,
    cx: &Context,
    key: &TokenKey,
    params: &Params,
    refused: Option<Secret>,
) -> Result<Good, SendError> {
    let mut wish = Wish { by: ports.clock.chance(), refused, now: ports.clock.now() };
    let mut pending = wish.now;
    for _ in 0..MOST_LOOKS {
        wish.now = ports.clock.now();
        let held = ports.tokens.ask(key, &wish).await.map_err(|error| {
            tracing::error!(account = %key.account, channel = %key.channel, %error, "cannot read a provider's token");
            let detail = "the provider's token could not be read; the operator's log says more";
            SendError::new(Reason::StoreFailed, Retry::Later, detail)
        })?;
        match held {
            Held::Token(good) => return Ok(good),
            Held::Refused(error) => return Err(error),
            Held::Wait { until } => {
                pending = until;
                ports.tokens.changed(key).await;
            }
            Held::Yours { .. } => {
                let result = fetched(ports, channel, cx, params).await.map(|token| Good::of(token, wish.now));
                let slot = match &result {
                    Ok(good) => Slot::Good(good.clone()),
                    Err(error) => Slot::after(error, ports.clock.now()),
                };
                if let Err(error) = ports.tokens.put(key, wish.by, &slot).await {
                    tracing::error!(account = %key.account, channel = %key.channel, %error, "cannot keep a provider's token");
                }
                return result;
            }
        }
    }
    let detail = "another sender is fetching the provider's token; the message goes when it is there";
    // whoever is that slow may be dead: its right ends
    let left = Duration::try_from(pending.duration_since(wish.now)).unwrap_or(Duration::ZERO);
    Err(SendError::new(Reason::TokenPending, Retry::After(left), detail))
}

/// Whatever comes of it, no message has left.
async fn fetched(ports: &Ports, channel: &dyn Channel, cx: &Context, params: &Params) -> Result<Token, SendError> {
    match ports.transport.http.call(&channel.fetch(cx, params)?).await {
        Ok(reply) => channel.token(cx, &reply),
        Err(error) => {
            let retry = error.retry();
            let TransportError { reason, detail, .. } = error;
            Err(SendError::new(reason, retry, format!("the provider's token could not be fetched: {detail}")))
        }
    }
}
