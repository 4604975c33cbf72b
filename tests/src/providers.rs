//! One TLS server on this machine that plays every provider: it answers each as it is told and remembers what arrived. An
//! answer of 101 opens a WebSocket; what arrives there is the body.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::Response,
    serve::Listener,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
    server::TlsStream,
};

use crate::{Answer, Arrival, socket};

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

    /// What has a server trust this one, and lead all of its hosts here; the certificate goes to `ca.pem` in that folder.
    pub fn options(&self, data: &Path) -> Vec<String> {
        let ca = data.join("ca.pem");
        fs::write(&ca, &self.certificate).unwrap();
        let hosts: BTreeSet<_> = self.on(|stage| stage.players.iter().map(|player| player.part.host.clone()).collect());
        let resolve = hosts.iter().flat_map(|host| ["--resolve".to_owned(), format!("{host}={}", self.address)]);
        ["--extra-ca".to_owned(), ca.to_str().unwrap().to_owned()].into_iter().chain(resolve).collect()
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

/// Which arrival at which player.
#[derive(Clone, Copy)]
struct Place {
    player: usize,
    arrival: usize,
}

impl Stage {
    fn player(&mut self, name: &str) -> &mut Player {
        self.players.iter_mut().find(|player| player.part.name == name).unwrap()
    }

    /// Remembers what arrived, and tells where and what is said to it; nothing if nobody knows it.
    fn receive(&mut self, host: &str, arrival: Arrival) -> Option<(Place, Answer)> {
        let knows = |player: &Player| player.part.host == host && arrival.path.starts_with(&player.part.path);
        let Some(at) = self.players.iter().position(knows) else {
            let path = arrival.path.split('?').next().unwrap();
            self.strays.push(format!("{} {host}{path}", arrival.method));
            return None;
        };
        let player = &mut self.players[at];
        player.arrivals.push(arrival);
        let place = Place { player: at, arrival: player.arrivals.len() - 1 };
        Some((place, player.script.pop_front().unwrap_or_else(|| player.part.usually.clone())))
    }

    fn heard(&mut self, place: Place, text: String) {
        self.players[place.player].arrivals[place.arrival].body = text.into_bytes();
    }
}

async fn receive(State(providers): State<Providers>, mut request: Request) -> Response<String> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let arrival = Arrival { method: head.method.to_string(), path: head.uri.to_string(), headers: head.headers, body };
    let host = arrival.header("host").split(':').next().unwrap_or_default().to_owned();
    let key = arrival.header("sec-websocket-key").to_owned();
    let Some((place, answer)) = providers.on(|stage| stage.receive(&host, arrival)) else {
        return Answer::status(404).into_response();
    };
    if answer.opens_a_socket() {
        tokio::spawn(socket::hear(upgrade, move |text| providers.on(|stage| stage.heard(place, text))));
        return socket::agreed(answer, &key).into_response();
    }
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
