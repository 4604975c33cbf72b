//! What happens to requests on their way to the emulator.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::Value;

/// Stands between the clients and the emulator.
pub(crate) struct Wire {
    fate: Arc<dyn Fate>,
    requests: AtomicU64,
}

/// What happens to a request.
#[async_trait]
pub(crate) trait Fate: Send + Sync {
    /// `call` is the operation, e.g. `PutItem`.
    async fn send(&self, call: &str, request: HttpRequest, onwards: &SharedHttpConnector)
    -> Result<HttpResponse, ConnectorError>;
}

/// Nothing ever happens.
pub(crate) struct Calm;

#[async_trait]
impl Fate for Calm {
    async fn send(
        &self,
        _call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        onwards.call(request).await
    }
}

/// Counts calls.
#[derive(Default)]
pub(crate) struct Counting(Mutex<BTreeMap<String, usize>>);

impl Counting {
    pub(crate) fn count(&self, call: &str) {
        *self.0.lock().unwrap().entry(call.to_owned()).or_default() += 1;
    }

    /// How many of that call there were.
    pub(crate) fn of(&self, call: &str) -> usize {
        self.0.lock().unwrap().get(call).copied().unwrap_or(0)
    }

    /// All of them, by name; from here on it counts anew.
    pub(crate) fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl Fate for Counting {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        self.count(call);
        onwards.call(request).await
    }
}

impl Wire {
    pub(crate) fn calm() -> Arc<Self> {
        Self::with(Arc::new(Calm))
    }

    pub(crate) fn with(fate: Arc<dyn Fate>) -> Arc<Self> {
        Arc::new(Self { fate, requests: AtomicU64::new(0) })
    }

    /// How many requests have gone over it.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// An answer of AWS's.
pub(crate) fn answer(status: u16, body: &Value) -> HttpResponse {
    let response = http::Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    HttpResponse::try_from(response.body(SdkBody::from(body.to_string())).unwrap()).unwrap()
}

/// An answer, read.
pub(crate) async fn json_of(response: HttpResponse) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = ByteStream::new(response.into_body()).collect().await.unwrap().to_vec();
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// What a request says.
pub(crate) fn body_of(request: &HttpRequest) -> Value {
    serde_json::from_slice(request.body().bytes().unwrap()).unwrap()
}

/// The same request, saying that.
pub(crate) fn with_body(mut request: HttpRequest, body: &Value) -> HttpRequest {
    let body = body.to_string();
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
    request
}

/// The clients' HTTP client.
#[derive(Clone)]
pub(crate) struct Client {
    inner: SharedHttpClient,
    wire: Arc<Wire>,
}

impl Client {
    pub(crate) fn new(wire: Arc<Wire>) -> Self {
        Self { inner: Builder::new().build_http(), wire }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(OnWire { inner, wire: Arc::clone(&self.wire) })
    }
}

struct OnWire {
    inner: SharedHttpConnector,
    wire: Arc<Wire>,
}

impl fmt::Debug for OnWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWire")
    }
}

impl HttpConnector for OnWire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, wire) = (self.inner.clone(), Arc::clone(&self.wire));
        HttpConnectorFuture::new(async move {
            wire.requests.fetch_add(1, Ordering::Relaxed);
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let call = target.rsplit('.').next().unwrap_or_default().to_owned();
            wire.fate.send(&call, request, &inner).await
        })
    }
}

/// Requests without a signature that counts, for what the SDKs here do not know.
pub(crate) struct Plain(SharedHttpConnector);

impl Plain {
    pub(crate) fn new() -> Self {
        Self(SharedHttpConnector::new(Connector::builder().build_http()))
    }

    /// `None`: no answer.
    pub(crate) async fn status(&self, method: &str, url: &str) -> Option<u16> {
        self.call(method, url).await.map(|response| response.status().as_u16())
    }

    /// The JSON that lies there.
    pub(crate) async fn json(&self, url: &str) -> Option<Value> {
        Some(json_of(self.call("GET", url).await?).await.1)
    }

    async fn call(&self, method: &str, url: &str) -> Option<HttpResponse> {
        let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let request = http::Request::builder().method(method).uri(url).header("authorization", scope);
        let request = HttpRequest::try_from(request.body(SdkBody::empty()).ok()?).ok()?;
        self.0.call(request).await.ok()
    }
}
