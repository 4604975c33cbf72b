//! WebSockets on one machine: clients that keep a connection to this process.
//!
//! Promises: a client that reads slowly holds up nobody but itself, and is let go after a while; what is said to one client is
//! said in order; a stop lets all of them go. Left to others: what is said ([`bellhop_mpush`]), and what a client is still to
//! be told ([`bellhop_core::clients`]).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_core::{
    StoreError,
    clients::LONGEST,
    model::ConnectionId,
    ports::{Live, Pushed},
};
use bellhop_mpush::{Heard, Mpush, Session};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// How much may wait to be written to one client.
const MOST_UNWRITTEN: usize = 32;

/// How long a client may take to take something in.
const WRITE: Duration = Duration::from_secs(30);

/// How long nothing may be heard of a client: half-way, it is asked whether it is there.
const SILENCE: Duration = Duration::from_mins(2);

/// How long a connection may say nothing of who it is, where no account says that.
const AUTH: Duration = Duration::from_secs(30);

/// Every connection of this process.
#[derive(Default)]
pub(crate) struct Sockets(Mutex<Known>);

#[derive(Default)]
struct Known {
    open: HashMap<ConnectionId, mpsc::Sender<Message>>,
    last: u64,
}

impl Sockets {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, out: mpsc::Sender<Message>) -> ConnectionId {
        let mut known = self.known();
        known.last += 1;
        let id = ConnectionId(known.last.to_string());
        known.open.insert(id.clone(), out);
        id
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.known().open.len()
    }
}

#[async_trait]
impl Live for Sockets {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        if text.len() > LONGEST {
            return Pushed::Refused(format!("a connection takes {LONGEST} bytes in one message; this one has {}", text.len()));
        }
        let Some(out) = self.known().open.get(connection).cloned() else { return Pushed::Gone };
        match out.try_send(Message::text(text)) {
            Ok(()) => Pushed::Sent,
            Err(mpsc::error::TrySendError::Full(_)) => Pushed::NotNow("the client does not take in what it is sent".to_owned()),
            Err(mpsc::error::TrySendError::Closed(_)) => Pushed::Gone,
        }
    }

    /// The writer ends when it has written what came before.
    async fn close(&self, connection: &ConnectionId) {
        self.known().open.remove(connection);
    }
}

/// Whether the request wants to go on as a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let has = |name, word: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    has(header::UPGRADE, "websocket") && has(header::CONNECTION, "upgrade")
}

/// Goes on as a WebSocket. <https://www.rfc-editor.org/rfc/rfc6455#section-4.2>
pub(crate) fn upgrade(mpush: Mpush, sockets: Arc<Sockets>, stopped: watch::Receiver<bool>, mut request: Request) -> Response {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let is_known_version = request.headers().get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let Some(accept) = key.filter(|_| is_known_version) else {
        let version = [(header::SEC_WEBSOCKET_VERSION, "13")];
        return (StatusCode::UPGRADE_REQUIRED, version, "this takes WebSocket version 13\n").into_response();
    };
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => attend(mpush, &sockets, stopped, upgraded).await,
            Err(error) => tracing::debug!(%error, "a connection ended before it was a WebSocket"),
        }
    });
    let headers =
        [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_ACCEPT, accept.as_str())];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Attends to one client until it is gone.
async fn attend(mpush: Mpush, sockets: &Sockets, stopped: watch::Receiver<bool>, upgraded: Upgraded) {
    // ten thousand clients are idle most of the time: their buffers are as small as they may be
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let (sink, stream) = stream.split();
    let (out, unwritten) = mpsc::channel(MOST_UNWRITTEN);
    let id = sockets.enter(out.clone());
    let writing = tokio::spawn(write(sink, unwritten));
    listen(&mpush, &id, stream, out, stopped).await;
    sockets.close(&id).await;
    mpush.left(&id).await;
    drop(writing.await); // a panic there ended that connection alone
}

/// Writes what comes, each within its time, and takes its leave when nothing more will come.
async fn write(mut sink: SplitSink<Stream, Message>, mut unwritten: mpsc::Receiver<Message>) {
    while let Some(message) = unwritten.recv().await {
        match timeout(WRITE, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    drop(timeout(WRITE, sink.close()).await); // whoever is gone needs no farewell
}

/// Hears the client until it takes its leave, or nothing is heard of it, or another connection has taken its place.
async fn listen(
    mpush: &Mpush,
    id: &ConnectionId,
    mut stream: SplitStream<Stream>,
    out: mpsc::Sender<Message>,
    mut stopped: watch::Receiver<bool>,
) {
    // whoever closes the connection lets go of the one way out that it knows: this one must not keep it open
    let weak = out.downgrade();
    drop(out);
    let own = mpush.without_token().await.ok().flatten();
    let auth = own.map_or(AUTH, |account| Duration::from_millis(u64::from(account.mpush.auth_timeout_ms)));
    let begun = Instant::now();
    let (mut session, mut heard_at, mut asked) = (None::<Session>, begun, false);
    loop {
        let deadline = if session.is_none() {
            begun + auth
        } else if asked {
            heard_at + SILENCE
        } else {
            heard_at + SILENCE / 2
        };
        let message = tokio::select! {
            message = stream.next() => message,
            () = sleep_until(deadline) => {
                let Some(out) = weak.upgrade().filter(|_| session.is_some() && !asked) else { return };
                asked = true;
                drop(out.try_send(Message::Ping(Vec::new().into()))); // one that cannot be asked is silent, too
                continue;
            }
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        (heard_at, asked) = (Instant::now(), false);
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        };
        let Some(out) = weak.upgrade() else { return };
        let say = async |packet: serde_json::Value| out.send(Message::text(packet.to_string())).await.is_ok();
        let goes_on = match mpush.heard(session.as_ref(), &text).await {
            Heard::Nothing => true,
            Heard::Say(packet) => say(packet).await,
            Heard::Joins(packet, joins) => {
                let joined = async {
                    mpush.meet(id, &joins).await?;
                    // what waits for the client comes after this answer
                    let said = say(packet).await;
                    if said {
                        mpush.join(id, &joins).await?;
                    }
                    Ok::<_, StoreError>(said)
                };
                let joined = joined.await.inspect_err(|error| {
                    tracing::error!(%error, "a client could not be connected; it will come again");
                });
                session = Some(joins);
                joined.unwrap_or(false)
            }
            Heard::Sent(pending) => {
                let out = out.clone();
                tokio::spawn(async move {
                    let reply = pending.reply().await;
                    drop(out.send(Message::text(reply.to_string())).await); // whoever asked may be gone
                });
                true
            }
        };
        if !goes_on {
            return;
        }
    }
}
