//! Lambda's side of a function: a Runtime API that hands out events one by one, and says when the function asked and
//! answered. <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
};

/// How long a function may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a function does.
enum Told {
    /// It wants its next event.
    Asks(Instant),
    /// It answers one.
    Answers(Instant),
    /// It cannot.
    Fails(String),
}

/// The Runtime API of one function at a time.
pub(crate) struct Runtime {
    pub(crate) address: SocketAddr,
    events: mpsc::UnboundedSender<Value>,
    told: mpsc::UnboundedReceiver<Told>,
}

struct Desk {
    events: Mutex<mpsc::UnboundedReceiver<Value>>,
    told: mpsc::UnboundedSender<Told>,
}

impl Runtime {
    /// Listens on a free port; it ends with the program.
    pub(crate) async fn start() -> Result<Self> {
        let (events, to_come) = mpsc::unbounded_channel();
        let (telling, told) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk { events: Mutex::new(to_come), told: telling });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // what is small is not to wait for an acknowledgement
                drop(stream.set_nodelay(true));
                let desk = Arc::clone(&desk);
                let answer = service_fn(move |request| answer(Arc::clone(&desk), request));
                // a function that is killed breaks its connection
                tokio::spawn(async move { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await) });
            }
        });
        Ok(Self { address, events, told })
    }

    /// When the function asks for its next event.
    pub(crate) async fn asked(&mut self) -> Result<Instant> {
        match self.next().await? {
            Told::Asks(at) => Ok(at),
            Told::Answers(_) => bail!("the function answers an event that it did not get"),
            Told::Fails(why) => bail!("the function does not start: {why}"),
        }
    }

    /// Hands out an event. How long the answer takes.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Result<Duration> {
        let begun = Instant::now();
        self.events.send(event.clone())?;
        match self.next().await? {
            Told::Answers(at) => Ok(at.saturating_duration_since(begun)),
            Told::Asks(_) => bail!("the function asks for an event before it has answered one"),
            Told::Fails(why) => bail!("the function fails an event: {why}"),
        }
    }

    async fn next(&mut self) -> Result<Told> {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.context("the function says nothing; start it by hand and look at its log")?.context("the runtime has ended")
    }
}

async fn answer(desk: Arc<Desk>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let now = Instant::now();
    if request.method() == Method::GET {
        desk.told.send(Told::Asks(now))?;
        let event = desk.events.lock().await.recv().await.context("no more events")?;
        return next(&event);
    }
    let failed = request.uri().path().ends_with("/error");
    let body = request.into_body().collect().await?.to_bytes();
    let answered = Told::Answers(Instant::now());
    desk.told.send(if failed { Told::Fails(String::from_utf8_lossy(&body).into_owned()) } else { answered })?;
    Ok(Response::builder().status(StatusCode::ACCEPTED).body(Full::default())?)
}

#[expect(clippy::disallowed_methods, reason = "a load program's own clock")]
fn next(event: &Value) -> Result<Response<Full<Bytes>>> {
    let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + Duration::from_mins(1);
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bellhop");
    Ok(response.body(Full::new(event.to_string().into()))?)
}
