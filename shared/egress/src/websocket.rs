//! The `Sockets` port: a frame of a tenant over a connection of its own.
//!
//! Promise: what is dialled is what was judged; one try, no redirect, no proxy; whatever a server has to say is read to its
//! farewell and forgotten, 64 KiB of it at a time. A frame counts as written once the connection has taken all of it, and as
//! arrived once the server has taken its leave after it: by answering ours, by a farewell of its own, or by closing the
//! connection in order. Left to others: what a farewell means (the channel), judging addresses ([`crate::resolve`]), naming
//! failures ([`crate::failure`]).

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    channel::Reply,
    ports::{Sent, Sockets, TransportError},
    socket::{Frame, Framed},
};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderName, HeaderValue, Request, Response, header};
use rustls::{
    ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        error::ProtocolError,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use url::Url;

use crate::{
    Guard, Settings, SettingsError,
    failure::{invalid, no_tls, not_dialled, socket_broken, socket_too_slow},
    http::USER_AGENT,
    request,
    resolve::{Resolver, System},
};

/// How much of one message is read; nobody wants it.
const MOST_HEARD: usize = 64 * 1024;

/// The way out for WebSockets.
pub struct SocketEgress {
    resolver: Resolver,
    extra_ca: Vec<CertificateDer<'static>>,
    connect_timeout: Duration,
    total_timeout: Duration,
    /// Made by the first `wss`: reading the system's certificates takes longer than all else at a start.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl SocketEgress {
    /// Connects to nobody yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { allow_private, resolve, extra_ca, connect_timeout, total_timeout } = settings;
        let resolver = Resolver::new(Guard::new(allow_private), resolve, Box::new(System));
        let extra_ca = certificates(&extra_ca)?;
        Ok(Self { resolver, extra_ca, connect_timeout, total_timeout, tls: OnceLock::new() })
    }

    async fn session(&self, frame: &Frame, sent: &mut Sent) -> Result<Framed, TransportError> {
        let url = url(&frame.url)?;
        let handshake = handshake(&url, frame)?;
        let connected = tokio::time::timeout(self.connect_timeout, self.connect(&url)).await;
        let stream = connected.unwrap_or_else(|_| Err(not_dialled(&std::io::ErrorKind::TimedOut.into())))?;
        let limits = WebSocketConfig::default().max_message_size(Some(MOST_HEARD)).max_frame_size(Some(MOST_HEARD));
        match client_async_with_config(handshake, stream, Some(limits.read_buffer_size(4096))).await {
            Ok((socket, _)) => converse(socket, &frame.text, sent).await,
            Err(tungstenite::Error::Http(answer)) => Ok(Framed::Refused(reply(*answer))),
            Err(error) => Err(socket_broken(&error)),
        }
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, TransportError> {
        let host = url.host_str().unwrap_or_default();
        let mut addresses = self.resolver.targets(host, url.port_or_known_default().unwrap_or_default()).await?;
        for (address, port) in addresses.iter_mut().filter_map(|address| Some((address, url.port()?))) {
            address.set_port(port);
        }
        #[expect(clippy::disallowed_methods, reason = "these addresses were judged")]
        let stream = TcpStream::connect(&*addresses).await.map_err(|error| not_dialled(&error))?;
        if url.scheme() == "ws" {
            return Ok(Box::new(stream));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| invalid("no certificate can bear the URL's host name"))?;
        let connector = TlsConnector::from(self.tls()?);
        Ok(Box::new(connector.connect(name, stream).await.map_err(|error| not_dialled(&error))?))
    }

    /// Trusts whom the system trusts, and whom the operator adds.
    fn tls(&self) -> Result<Arc<ClientConfig>, TransportError> {
        if let Some(known) = self.tls.get() {
            return Ok(Arc::clone(known));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(self.extra_ca.iter().cloned(), Arc::clone(&provider));
        let verifier = verifier.map_err(|_| no_tls())?;
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|_| no_tls())?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config.with_no_client_auth()))))
    }
}

#[async_trait]
impl Sockets for SocketEgress {
    async fn send(&self, frame: &Frame) -> Result<Framed, TransportError> {
        let mut sent = Sent::No;
        match tokio::time::timeout(self.total_timeout, self.session(frame, &mut sent)).await {
            Ok(Ok(framed)) => Ok(framed),
            Ok(Err(error)) => Err(TransportError { sent, ..error }),
            Err(_) => Err(TransportError { sent, ..socket_too_slow() }),
        }
    }
}

/// With TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

fn certificates(files: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let mut all = Vec::new();
    for (number, file) in (1..).zip(files) {
        let found = CertificateDer::pem_slice_iter(file).collect::<Result<Vec<_>, _>>().unwrap_or_default();
        if found.is_empty() {
            return Err(SettingsError::Certificate { number });
        }
        all.extend(found);
    }
    Ok(all)
}

fn url(text: &str) -> Result<Url, TransportError> {
    let url = Url::parse(text).map_err(|error| invalid(format!("the URL cannot be read: {error}")))?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(invalid("the URL has to begin with `ws://` or `wss://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the URL may not hold a user or password; put them into a header"));
    }
    Ok(url)
}

/// The request that asks for a WebSocket. <https://www.rfc-editor.org/rfc/rfc6455#section-4.1>
fn handshake(url: &Url, frame: &Frame) -> Result<Request<()>, TransportError> {
    let mut request = url.as_str().into_client_request().map_err(|_| invalid("the URL cannot be sent"))?;
    let headers = request::headers(&frame.headers)?;
    if let Some(ours) = headers.keys().find(|name| is_ours(name)) {
        return Err(invalid(format!("the header `{ours}` belongs to the handshake itself; remove it")));
    }
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    request.headers_mut().extend(headers);
    Ok(request)
}

/// A subprotocol is the tenant's to choose; what else the handshake is made of is not.
fn is_ours(name: &HeaderName) -> bool {
    matches!(*name, header::HOST | header::CONNECTION | header::UPGRADE)
        || (name.as_str().starts_with("sec-websocket-") && *name != header::SEC_WEBSOCKET_PROTOCOL)
}

fn reply(answer: Response<Option<Vec<u8>>>) -> Reply {
    let headers = answer.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), str::from_utf8(value.as_bytes()).ok()?.to_owned())));
    Reply { status: answer.status().as_u16(), headers: headers.collect(), body: answer.into_body().unwrap_or_default() }
}

/// Says it, says goodbye, and waits for the answer.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    text: &str,
    sent: &mut Sent,
) -> Result<Framed, TransportError> {
    *sent = Sent::Maybe;
    socket.send(Message::text(text)).await.map_err(|error| socket_broken(&error))?;
    let farewell = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.close(Some(farewell)).await.map_err(|error| socket_broken(&error))?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(farewell))) => return Ok(Framed::Closed(farewell.map(|farewell| farewell.code.into()))),
            Some(Ok(_)) => {} // servers may have more to say than we want to know
            Some(Err(error)) if !is_end(&error) => return Err(socket_broken(&error)),
            None | Some(Err(_)) => return Ok(Framed::Closed(None)),
        }
    }
}

/// Whether the server closed the connection in order: with all that it was sent read, but without a farewell.
fn is_end(error: &tungstenite::Error) -> bool {
    match error {
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
        tungstenite::Error::Io(error) => error.kind() == std::io::ErrorKind::UnexpectedEof, // TLS without its own farewell
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::Reason;

    use super::*;

    fn refused(url: &str, headers: &[(&str, &str)]) -> TransportError {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let frame = Frame { url: url.to_owned(), headers, text: String::new() };
        super::url(url).and_then(|url| handshake(&url, &frame)).unwrap_err()
    }

    #[test]
    fn what_is_no_websocket_address_is_refused_before_anything_leaves() {
        for url in ["http://x.example/", "x.example", "ws://", "wss://u@x.example/", "ws://:sekret@x.example/"] {
            let error = refused(url, &[]);
            assert_eq!((error.reason, error.sent), (Reason::InvalidParams, Sent::No), "{url}");
            assert!(!error.detail.contains("sekret"), "{}", error.detail);
        }
    }

    #[test]
    fn a_tenant_has_no_say_in_the_handshake_but_for_the_subprotocol() {
        for name in ["Host", "connection", "Upgrade", "Sec-WebSocket-Key", "sec-websocket-extensions", "content-length"] {
            let error = refused("ws://x.example/", &[(name, "sekret")]);
            assert_eq!((error.reason, error.sent), (Reason::InvalidParams, Sent::No), "{name}");
            assert!(!error.detail.contains("sekret"), "{}", error.detail);
        }
        let url = super::url("ws://x.example/").unwrap();
        let headers = vec![("sec-websocket-protocol".to_owned(), "chat".to_owned()), ("user-agent".to_owned(), "me".to_owned())];
        let request = handshake(&url, &Frame { url: String::new(), headers, text: String::new() }).unwrap();
        let sent = |name| request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        assert_eq!((sent("sec-websocket-protocol"), sent("user-agent")), (vec!["chat"], vec!["me"]));
    }
}
