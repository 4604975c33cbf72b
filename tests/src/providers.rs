//! One TLS server on this machine that plays every provider: it answers each as it is told and remembers what arrived.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
    serve::Listener,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
    server::TlsStream,
};

use crate::{Answer, Arrival};

/// What one provider does: it knows its requests by their host and how their path begins.
pub struct Part {
    pub name: String,
    pub host: String,
    pub path: String,
    /// What it says as long as nothing else was asked of it.
    pub usually: Answer,
}

/// The server.
#[derive(Clone)]
pub struct Providers {
    pub address: SocketAddr,
    /// Its certificate for all hosts, in PEM.
    pub certificate: String,
    stage: Arc<Mutex<Stage>>,
}

struct Stage {
    players: Vec<Player>,
    /// Requests that nobody knows.
    strays: Vec<String>,
}

struct Player {
    part: Part,
    script: VecDeque<Answer>,
    arrivals: Vec<Arrival>,
}

impl Providers {
    /// Listens on a free port.
    pub async fn start(parts: Vec<Part>) -> Self {
        let hosts: Vec<_> = parts.iter().map(|part| part.host.clone()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let player = |part| Player { part, script: VecDeque::new(), arrivals: Vec::new() };
        let stage = Stage { players: parts.into_iter().map(player).collect(), strays: Vec::new() };
        let providers =
            Self { address: tcp.local_addr().unwrap(), certificate: made.cert.pem(), stage: Arc::new(Mutex::new(stage)) };
        let router = Router::new().fallback(receive).with_state(providers.clone());
        let listener = Tls { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        tokio::spawn(async move { axum::serve(listener, router).await });
        providers
    }

    /// The next answers of a provider; after them what it usually says.
    pub fn answer(&self, name: &str, answers: impl IntoIterator<Item = Answer>) {
        self.on(|stage| stage.player(name).script.extend(answers));
    }

    pub fn arrivals(&self, name: &str) -> Vec<Arrival> {
        self.on(|stage| stage.player(name).arrivals.clone())
    }

    /// Method, host and path of every request that belongs to nobody.
    pub fn strays(&self) -> Vec<String> {
        self.on(|stage| stage.strays.clone())
    }

    fn on<T>(&self, act: impl FnOnce(&mut Stage) -> T) -> T {
        act(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stage {
    fn player(&mut self, name: &str) -> &mut Player {
        self.players.iter_mut().find(|player| player.part.name == name).unwrap()
    }
}

async fn receive(
    State(providers): State<Providers>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let arrival = Arrival { method: method.to_string(), path: uri.to_string(), headers, body: body.to_vec() };
    let host = arrival.header("host").trim_end_matches(":443").to_owned();
    let answer = providers.on(|stage| {
        let knows = |player: &&mut Player| player.part.host == host && uri.path().starts_with(&player.part.path);
        let Some(player) = stage.players.iter_mut().find(knows) else {
            stage.strays.push(format!("{method} {host}{}", uri.path()));
            return Answer::status(404);
        };
        player.arrivals.push(arrival);
        player.script.pop_front().unwrap_or_else(|| player.part.usually.clone())
    });
    answer.into_response()
}

/// Connections whose handshake is done; who does not manage it is left out.
struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
