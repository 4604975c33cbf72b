//! Ways out of a function.
//!
//! An environment is frozen between invocations. Its connections die meanwhile and its monotonic clock may stand still, so
//! no timer of a connection pool can tell; a request written into a dead connection is a send whose outcome nobody knows.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Reason, Timestamp,
    channel::{Outgoing, Reply},
    mail::{Mail, Mailed},
    ports::{Clock, Http, Sent, Ses, Smtp, Sockets, TransportError},
    ses::SesMail,
    socket::{Frame, Framed},
};
use bellhop_egress::SettingsError;

/// After so long a gap by the wall clock, connections are not trusted any more.
const GAP: Duration = Duration::from_secs(30);

/// A client without connections, or why there is none.
type Made = Result<Arc<dyn Http>, SettingsError>;

/// A way out that begins afresh after a gap.
pub struct Thawing {
    make: Box<dyn Fn() -> Made + Send + Sync>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

struct Kept {
    http: Arc<dyn Http>,
    used_at: Timestamp,
}

impl Thawing {
    /// Starts with a client of `make`.
    pub fn new(clock: Arc<dyn Clock>, make: impl Fn() -> Made + Send + Sync + 'static) -> Result<Self, SettingsError> {
        let kept = Mutex::new(Kept { http: make()?, used_at: clock.now() });
        Ok(Self { make: Box::new(make), clock, kept })
    }

    /// The client to use now.
    fn client(&self) -> Made {
        let now = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(kept.used_at).unsigned_abs() > GAP {
            kept.http = (self.make)()?;
        }
        kept.used_at = now;
        Ok(Arc::clone(&kept.http))
    }

    fn used(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).used_at = self.clock.now();
    }
}

#[async_trait]
impl Http for Thawing {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let no_client =
            |error: SettingsError| TransportError { reason: Reason::TlsFailed, sent: Sent::No, detail: error.to_string() };
        let answer = self.client().map_err(no_client)?.call(outgoing).await;
        self.used();
        answer
    }
}

/// The way out of a function that sends nothing.
#[derive(Debug, Clone, Copy)]
pub struct Closed;

#[async_trait]
impl Http for Closed {
    async fn call(&self, _outgoing: &Outgoing) -> Result<Reply, TransportError> {
        Err(closed())
    }
}

#[async_trait]
impl Smtp for Closed {
    async fn send(&self, _mail: &Mail) -> Result<Mailed, TransportError> {
        Err(closed())
    }
}

#[async_trait]
impl Sockets for Closed {
    async fn send(&self, _frame: &Frame) -> Result<Framed, TransportError> {
        Err(closed())
    }
}

#[async_trait]
impl Ses for Closed {
    async fn send(&self, _mail: &SesMail) -> Result<Reply, TransportError> {
        Err(closed())
    }
}

fn closed() -> TransportError {
    let detail = "this function sends nothing; the sender does".to_owned();
    TransportError { reason: Reason::Bug, sent: Sent::No, detail }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bellhop_testkit::{Provider, Sim};

    use super::*;

    fn thawing(clock: &Arc<Sim>) -> (Thawing, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let fresh = move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Provider::new(&[]) as Arc<dyn Http>)
        };
        (Thawing::new(Arc::clone(clock) as _, fresh).unwrap(), made)
    }

    #[tokio::test]
    async fn connections_are_kept_from_call_to_call() {
        let clock = Sim::new(0);
        let (way_out, made) = thawing(&clock);
        for _ in 0..3 {
            clock.pass(Duration::from_secs(29));
            way_out.client().unwrap();
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn after_a_gap_it_begins_afresh() {
        let clock = Sim::new(0);
        let (way_out, made) = thawing(&clock);
        clock.pass(Duration::from_secs(31));
        way_out.client().unwrap();
        way_out.client().unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }
}
