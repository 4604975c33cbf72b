//! AWS as a function meets it while nothing is there yet: an endpoint with TLS that answers every call at once, and that
//! every row is missing. It says when the first connection came and when the last answer went.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONNECTION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, rustls::pki_types::PrivateKeyDer};

/// The endpoint; it ends with the program.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// The certificate that it has to be trusted by.
    pub(crate) certificate: String,
    seen: Mutex<Seen>,
    keeps: bool,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    first_connection: Option<Instant>,
    last_answer: Option<Instant>,
}

impl Endpoint {
    /// Listens on a free port. One that does not keep connections closes each after its answer.
    pub(crate) async fn start(keeps: bool) -> Result<Arc<Self>> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint =
            Arc::new(Self { address: listener.local_addr()?, certificate: made.cert.pem(), seen: Mutex::default(), keeps });
        let listening = Arc::clone(&endpoint);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                listening.seen().first_connection.get_or_insert_with(Instant::now);
                // what is small is not to wait for an acknowledgement
                drop(stream.set_nodelay(true));
                let (acceptor, endpoint) = (acceptor.clone(), Arc::clone(&listening));
                tokio::spawn(async move {
                    // a function that is killed breaks its connections
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = service_fn(move |request| answer(Arc::clone(&endpoint), request));
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
                });
            }
        });
        Ok(endpoint)
    }

    /// From the first connection to the last answer, since it was asked before.
    pub(crate) fn spoken(&self) -> Duration {
        let Seen { first_connection, last_answer } = std::mem::take(&mut *self.seen());
        let spoken = first_connection.zip(last_answer).map(|(first, last)| last.saturating_duration_since(first));
        spoken.unwrap_or_default()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// DynamoDB and SQS say that it is done and that nothing is there, S3 that the object is not.
async fn answer(endpoint: Arc<Endpoint>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let is_object = request.method() != Method::POST;
    request.into_body().collect().await?;
    let (status, body) = if is_object { (StatusCode::NOT_FOUND, "") } else { (StatusCode::OK, "{}") };
    let mut response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    if !endpoint.keeps {
        response = response.header(CONNECTION, "close");
    }
    endpoint.seen().last_answer = Some(Instant::now());
    Ok(response.body(Full::from(body))?)
}
