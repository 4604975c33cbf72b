//! A real HTTP server that plays the receiver: remembers what arrived, answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri},
};
use tokio::{net::TcpListener, sync::watch};

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Arrival {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What the receiver says.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Whether it agrees to a WebSocket.
    pub(crate) fn opens_a_socket(&self) -> bool {
        self.status == 101
    }

    pub(crate) fn into_response(self) -> Response<String> {
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        for (name, value) in self.headers {
            response.headers_mut().insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        response
    }
}

/// The receiver.
#[derive(Clone)]
pub struct Sink {
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    arrivals: Mutex<Vec<Arrival>>,
    script: Mutex<VecDeque<Answer>>,
    delay: Mutex<Duration>,
    holding: watch::Sender<bool>,
}

impl Sink {
    /// Listens on a free port and answers 204.
    pub async fn start() -> Self {
        let (sink, listener) = Self::bind().await;
        let router = sink.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        sink
    }

    async fn bind() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            arrivals: Mutex::default(),
            script: Mutex::default(),
            delay: Mutex::default(),
            holding: watch::Sender::new(false),
        };
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self { url, inner: Arc::new(inner) }, listener)
    }

    fn router(&self) -> Router {
        Router::new().fallback(receive).with_state(self.clone())
    }

    /// The next answers; after them 204 again.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.script.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// Waits so long before each answer.
    pub fn slow(&self, delay: Duration) {
        *self.inner.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Holds every answer back until told otherwise.
    pub fn hold(&self, hold: bool) {
        self.inner.holding.send_replace(hold);
    }

    pub fn arrivals(&self) -> Vec<Arrival> {
        self.inner.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many have arrived.
    pub async fn until(&self, count: usize) -> Vec<Arrival> {
        crate::eventually(&format!("{count} arrivals"), async || {
            let arrivals = self.arrivals();
            (arrivals.len() >= count).then_some(arrivals)
        })
        .await
    }
}

async fn receive(State(sink): State<Sink>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<String> {
    let arrival = Arrival { method: method.to_string(), path: uri.to_string(), headers, body: body.to_vec() };
    sink.inner.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
    let answer = sink.inner.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let delay = *sink.inner.delay.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::time::sleep(delay).await;
    // The sink outlives its answers, so the sender of this cannot be gone.
    drop(sink.inner.holding.subscribe().wait_for(|holding| !holding).await);
    answer.unwrap_or_else(|| Answer::status(204)).into_response()
}
