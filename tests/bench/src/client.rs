//! One HTTP/1.1 connection that is kept alive: hyper's, and nothing around it.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Where the server is, and who asks.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The value of `authorization`; empty for a sink.
    pub(crate) authorization: String,
}

/// A connection.
pub(crate) struct Client {
    server: Server,
    sender: SendRequest<Full<Bytes>>,
    /// Of a session at the console; empty before signing in.
    cookie: String,
}

/// A request with a body.
pub(crate) struct Post<'p> {
    pub(crate) path: &'p str,
    pub(crate) idempotency_key: &'p str,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) async fn connect(server: &Server) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a load program's own connection")]
        let stream = TcpStream::connect(server.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // what goes wrong on it is told to whoever sends
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { server: server.clone(), sender, cookie: String::new() })
    }

    /// Posts, and answers with status and body.
    pub(crate) async fn post(&mut self, post: Post<'_>) -> Result<(StatusCode, Bytes)> {
        let request = self.request(Method::POST, post.path).header("idempotency-key", post.idempotency_key);
        self.send(request.body(Full::new(post.body))?).await
    }

    /// Posts what has to be accepted.
    pub(crate) async fn accepted(&mut self, post: Post<'_>) -> Result<Bytes> {
        let (status, answer) = self.post(post).await?;
        ensure!(status == StatusCode::ACCEPTED, "{status} instead of 202: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    pub(crate) async fn put(&mut self, path: &str, body: &Value) -> Result<()> {
        let request = self.request(Method::PUT, path).body(Full::new(body.to_string().into()))?;
        let (status, answer) = self.send(request).await?;
        ensure!(status.is_success(), "`PUT {path}`: {status} {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let (status, answer) = self.send(self.request(Method::GET, path).body(Full::default())?).await?;
        ensure!(status.is_success(), "`GET {path}`: {status} {}", String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Signs in at the console.
    pub(crate) async fn sign_in(&mut self) -> Result<()> {
        let key = self.server.authorization.strip_prefix("Bearer ").context("there is no key")?;
        let form = Full::new(Bytes::from(format!("key={key}")));
        let request = self.request(Method::POST, "/console/sign-in").body(form)?;
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        body.collect().await?; // the connection is used again
        ensure!(head.status == StatusCode::SEE_OTHER, "{} instead of 303: the console lets nobody in", head.status);
        let cookie = head.headers.get(SET_COOKIE).context("signing in gives no cookie")?.to_str()?;
        cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        Ok(())
    }

    /// A page of the console.
    pub(crate) async fn page(&mut self, path: &str) -> Result<Bytes> {
        let request = self.request(Method::GET, path).header(COOKIE, &self.cookie).body(Full::default())?;
        let (status, page) = self.send(request).await?;
        ensure!(status == StatusCode::OK, "`{path}`: {status}");
        Ok(page)
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        request.header(CONTENT_TYPE, "application/json").header(AUTHORIZATION, &self.server.authorization)
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }
}

/// The ids of an answer's deliveries.
pub(crate) fn deliveries(answer: &[u8]) -> Result<Vec<String>> {
    let answer: Value = serde_json::from_slice(answer)?;
    let deliveries = answer["deliveries"].as_array().context("the answer has no `deliveries`")?;
    let id = |delivery: &Value| Ok(delivery["id"].as_str().context("a delivery has no `id`")?.to_owned());
    deliveries.iter().map(id).collect()
}
