//! A webhook receiver that costs next to nothing: it reads a request, finds the delivery's id, answers 204.
//!
//! Promises: what has arrived is counted before it is answered; no more ids are remembered than was asked for. It
//! understands what the server under test sends (HTTP/1.1 with `content-length`), and no more.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// The longest request that it takes.
const MOST_BYTES: usize = 1 << 20;

/// How long it is waited for something to happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// One delivery's arrivals.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) first: Instant,
    pub(crate) times: usize,
}

/// The receiver; it ends with the program.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    /// How long it thinks before each answer.
    delay: Duration,
    total: AtomicUsize,
    remembered: Mutex<Remembered>,
    changed: Notify,
    holding: AtomicBool,
    released: Notify,
    sockets: AtomicUsize,
    most_sockets: AtomicUsize,
}

#[derive(Default)]
struct Remembered {
    arrivals: HashMap<Box<[u8]>, Arrival>,
    most: usize,
}

impl Sink {
    /// Listens on a free port.
    pub(crate) async fn start(delay: Duration) -> Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sink = Arc::new(Self {
            address: listener.local_addr()?,
            delay,
            total: AtomicUsize::new(0),
            remembered: Mutex::default(),
            changed: Notify::new(),
            holding: AtomicBool::new(false),
            released: Notify::new(),
            sockets: AtomicUsize::new(0),
            most_sockets: AtomicUsize::new(0),
        });
        let listening = Arc::clone(&sink);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = Arc::clone(&listening);
                tokio::spawn(async move {
                    let open = sink.sockets.fetch_add(1, Ordering::Relaxed) + 1;
                    sink.most_sockets.fetch_max(open, Ordering::Relaxed);
                    // a connection that breaks is the sender's to report
                    drop(sink.serve(stream).await);
                    sink.sockets.fetch_sub(1, Ordering::Relaxed);
                    sink.changed.notify_waiters();
                });
            }
        });
        Ok(sink)
    }

    /// Forgets the ids that have arrived, and remembers up to `most` from now on.
    pub(crate) fn remember(&self, most: usize) {
        *self.remembered() = Remembered { arrivals: HashMap::with_capacity(most), most };
    }

    /// Answers nobody until told otherwise.
    pub(crate) fn hold(&self, hold: bool) {
        self.holding.store(hold, Ordering::Relaxed);
        self.released.notify_waiters();
    }

    /// How many requests have ever arrived.
    pub(crate) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// The most connections that were ever open at once.
    pub(crate) fn most_sockets(&self) -> usize {
        self.most_sockets.load(Ordering::Relaxed)
    }

    /// What is remembered, by `webhook-id`.
    pub(crate) fn arrivals(&self) -> HashMap<String, Arrival> {
        let arrivals = &self.remembered().arrivals;
        arrivals.iter().map(|(id, arrival)| (String::from_utf8_lossy(id).into_owned(), *arrival)).collect()
    }

    /// How many different deliveries are remembered.
    pub(crate) fn distinct(&self) -> usize {
        self.remembered().arrivals.len()
    }

    /// When a delivery first arrived; waits for it.
    pub(crate) async fn arrived(&self, delivery: &str) -> Result<Instant> {
        let look = || self.remembered().arrivals.get(delivery.as_bytes()).map(|arrival| arrival.first);
        tokio::time::timeout(PATIENCE, self.until_some(look)).await.context("a delivery has not arrived within a minute")
    }

    /// Waits until a count has come so far; fails if nothing arrives for a minute.
    pub(crate) async fn until(&self, count: impl Fn(&Self) -> usize, wanted: usize) -> Result<()> {
        while count(self) < wanted {
            let seen = self.total();
            let more = self.until_some(|| (self.total() > seen || count(self) >= wanted).then_some(()));
            let come = tokio::time::timeout(PATIENCE, more).await;
            come.with_context(|| format!("{} of {wanted} have arrived, and for a minute none did", count(self)))?;
        }
        Ok(())
    }

    /// Waits until every connection is closed, and so all that came on them is counted.
    pub(crate) async fn closed(&self) -> Result<()> {
        let closed = self.until_some(|| (self.sockets.load(Ordering::Relaxed) == 0).then_some(()));
        tokio::time::timeout(PATIENCE, closed).await.context("connections stay open for a minute")
    }

    async fn until_some<T>(&self, look: impl Fn() -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            match look() {
                Some(found) => return found,
                None => changed.await,
            }
        }
    }

    async fn serve(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(16 << 10);
        loop {
            let Some(request) = Request::parse(&buffer)? else {
                ensure!(buffer.len() < MOST_BYTES, "a request is longer than {MOST_BYTES} bytes");
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
                continue;
            };
            self.count(request.id);
            let length = request.length;
            buffer.drain(..length);
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            self.wait_for_release().await;
            stream.write_all(ANSWER).await?;
        }
    }

    async fn wait_for_release(&self) {
        while self.holding.load(Ordering::Relaxed) {
            let released = self.released.notified();
            if self.holding.load(Ordering::Relaxed) {
                released.await;
            }
        }
    }

    fn count(&self, id: &[u8]) {
        let now = Instant::now();
        let mut remembered = self.remembered();
        if let Some(arrival) = remembered.arrivals.get_mut(id) {
            arrival.times += 1;
        } else if remembered.arrivals.len() < remembered.most {
            remembered.arrivals.insert(id.into(), Arrival { first: now, times: 1 });
        }
        drop(remembered);
        self.total.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A whole request at the beginning of a buffer.
#[derive(Debug, PartialEq)]
struct Request<'b> {
    /// `webhook-id`, or nothing.
    id: &'b [u8],
    /// Head and body.
    length: usize,
}

impl<'b> Request<'b> {
    /// `None`: there is more to come.
    fn parse(buffer: &'b [u8]) -> Result<Option<Self>> {
        let (mut id, mut body, mut head) = (&b""[..], 0, 0);
        for line in buffer.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\r\n") else { return Ok(None) };
            head += line.len();
            if text.is_empty() {
                return Ok((buffer.len() >= head + body).then_some(Self { id, length: head + body }));
            }
            if let Some(value) = header(text, b"content-length:") {
                body = str::from_utf8(value)?.parse().context("`content-length` is no number")?;
            } else if let Some(value) = header(text, b"webhook-id:") {
                id = value;
            } else if header(text, b"transfer-encoding:").is_some() {
                bail!("the sink takes no `transfer-encoding`");
            }
        }
        Ok(None)
    }
}

fn header<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_once_it_is_whole() {
        let sent = b"POST / HTTP/1.1\r\nWebhook-Id: dlv_1\r\ncontent-length: 3\r\n\r\nabcPOST";
        let whole = sent.len() - 4;
        assert_eq!(Request::parse(sent).unwrap(), Some(Request { id: b"dlv_1", length: whole }));
        for end in 0..whole {
            assert_eq!(Request::parse(&sent[..end]).unwrap(), None, "{end} bytes");
        }
    }

    #[test]
    fn a_body_without_a_length_is_refused() {
        assert!(Request::parse(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
