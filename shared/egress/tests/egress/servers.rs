//! The other side: an HTTP/1.1 server, an HTTP proxy and a SOCKS5 proxy, as small as they can be and still be real.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A request as it came over the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// `GET /path HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a server does after a request.
#[derive(Clone)]
pub(crate) enum Then {
    /// Sends this and waits for the next request.
    Answer(Vec<u8>),
    /// Sends this and closes.
    Close(Vec<u8>),
    /// Nothing, for ever.
    Silence,
}

impl Then {
    /// A whole answer.
    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn note(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }
}

async fn listen() -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, Server { address, seen: Arc::default(), connections: Arc::default() })
}

/// A server that does the same after every request.
pub(crate) async fn http(then: Then) -> Server {
    let (listener, server) = listen().await;
    let running = server.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            running.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(converse(stream, running.clone(), then.clone()));
        }
    });
    server
}

/// The same behind TLS.
pub(crate) async fn https(acceptor: TlsAcceptor, then: Then) -> Server {
    let (listener, server) = listen().await;
    let running = server.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            running.connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, running, then) = (acceptor.clone(), running.clone(), then.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(stream, running, then).await;
                }
            });
        }
    });
    server
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, server: Server, then: Then) {
    while let Some(request) = read_request(&mut stream).await {
        server.note(request);
        match &then {
            Then::Answer(bytes) => {
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Then::Close(bytes) => {
                drop(stream.write_all(bytes).await);
                drop(stream.shutdown().await);
                return;
            }
            Then::Silence => std::future::pending().await,
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut request = Seen { line, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// Every name leads to `target`, whatever it is.
#[expect(clippy::disallowed_methods, reason = "a proxy dials")]
async fn join(mut stream: TcpStream, target: SocketAddr, hello: &[u8]) {
    let mut upstream = TcpStream::connect(target).await.unwrap();
    stream.write_all(hello).await.unwrap();
    drop(tokio::io::copy_bidirectional(&mut stream, &mut upstream).await);
}

/// A proxy that wants `authorization`, tunnels everything to `target`, and answers plain requests itself.
pub(crate) async fn http_proxy(authorization: &'static str, target: SocketAddr) -> Server {
    let (listener, proxy) = listen().await;
    let running = proxy.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            running.connections.fetch_add(1, Ordering::SeqCst);
            let running = running.clone();
            tokio::spawn(async move {
                let request = read_request(&mut stream).await.unwrap();
                running.note(request.clone());
                if request.header("proxy-authorization") != Some(authorization) {
                    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(refusal).await.unwrap();
                } else if request.line.starts_with("CONNECT ") {
                    join(stream, target, b"HTTP/1.1 200 Connection established\r\n\r\n").await;
                } else {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforwarded").await.unwrap();
                }
            });
        }
    });
    proxy
}

/// A proxy that wants `user` and `password`, and connects everybody to `target`. What it was asked for stands in `line`:
/// `name target.test:80` or `address 127.0.0.1:80`.
/// <https://www.rfc-editor.org/rfc/rfc1928>, <https://www.rfc-editor.org/rfc/rfc1929>
pub(crate) async fn socks_proxy(user: &'static str, password: &'static str, target: SocketAddr) -> Server {
    let (listener, proxy) = listen().await;
    let running = proxy.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            running.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(socks_session(stream, running.clone(), user, password, target));
        }
    });
    proxy
}

async fn socks_session(mut stream: TcpStream, proxy: Server, user: &str, password: &str, target: SocketAddr) {
    assert_eq!(stream.read_u8().await.unwrap(), 5);
    let methods = read_counted(&mut stream).await;
    assert!(methods.contains(&2), "user and password are offered: {methods:?}");
    stream.write_all(&[5, 2]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    let given = (read_counted(&mut stream).await, read_counted(&mut stream).await);
    if given != (user.as_bytes().to_vec(), password.as_bytes().to_vec()) {
        stream.write_all(&[1, 1]).await.unwrap();
        return;
    }
    stream.write_all(&[1, 0]).await.unwrap();
    let mut command = [0; 4];
    stream.read_exact(&mut command).await.unwrap();
    let host = match command {
        [5, 1, 0, 1] => {
            let mut octets = [0; 4];
            stream.read_exact(&mut octets).await.unwrap();
            format!("address {}", std::net::Ipv4Addr::from(octets))
        }
        [5, 1, 0, 3] => format!("name {}", String::from_utf8(read_counted(&mut stream).await).unwrap()),
        other => panic!("a request of another kind: {other:?}"),
    };
    let port = stream.read_u16().await.unwrap();
    proxy.note(Seen { line: format!("{host}:{port}"), ..Seen::default() });
    join(stream, target, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
}

/// A byte that tells how many follow, and those.
async fn read_counted(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; stream.read_u8().await.unwrap().into()];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}
