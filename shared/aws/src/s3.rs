//! Attachments in S3, by signed requests of our own client: `aws-sdk-s3` would add a megabyte to every function.
//!
//! Promise: what was put is durable when the call returns. Left to others: when it is forgotten (the bucket's expiry).
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use aws_types::SdkConfig;
use bellhop_core::{
    StoreError,
    model::{AccountId, AttachmentId, Picture},
    ports::{Attachments, Clock},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Store, error::unfinished};

/// How often a request is made that S3 fails by a fault of its own.
const TRIES: u32 = 3;

/// How long to wait before the first repetition; twice as long before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// How long one request may take.
const LONGEST: Duration = Duration::from_secs(10);

/// What S3 leaves as it is in a key. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bucket.
pub(crate) struct Bucket {
    /// The URL that keys are put behind.
    base: String,
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    http: SharedHttpConnector,
    clock: Arc<dyn Clock>,
}

impl Bucket {
    /// `endpoint` instead of AWS's own, by path; else by host name.
    pub(crate) fn new(sdk: &SdkConfig, http: SharedHttpConnector, name: &str, clock: Arc<dyn Clock>) -> Self {
        let region = sdk.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        // https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Ningxia.html
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let base = match sdk.endpoint_url() {
            Some(endpoint) => format!("{}/{name}", endpoint.trim_end_matches('/')),
            None => format!("https://{name}.s3.{region}.{suffix}"),
        };
        Self { base, region, credentials: sdk.credentials_provider(), http, clock }
    }

    /// Opens the connection.
    pub(crate) async fn warm(&self) -> Result<(), StoreError> {
        self.call("HEAD", "attachments/warm", &[]).await.map(drop)
    }

    fn url(&self, key: &str) -> String {
        let parts: Vec<_> = key.split('/').map(|part| utf8_percent_encode(part, ENCODED).to_string()).collect();
        format!("{}/{}", self.base, parts.join("/"))
    }

    /// Makes a request until S3 answers it. `None`: there is no such object.
    async fn call(&self, method: &str, key: &str, body: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut tries = 1;
        loop {
            let answered = tokio::time::timeout(LONGEST, self.call_once(method, key, body)).await;
            match answered.unwrap_or_else(|_| Err(unfinished("S3: no answer in time"))) {
                Ok((200..=299, body)) => return Ok(Some(body)),
                Ok((404, _)) if method != "PUT" => return Ok(None),
                Ok((500..=599, _)) | Err(_) if tries < TRIES => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                Ok((403, _)) => return Err(unfinished("S3 answered 403; the function's role does not allow it")),
                Ok((status, _)) => return Err(StoreError::Unavailable(format!("S3 answered {status}"))),
                Err(error) => return Err(error),
            }
        }
    }

    async fn call_once(&self, method: &str, key: &str, body: &[u8]) -> Result<(u16, Vec<u8>), StoreError> {
        let request = self.signed(method, &self.url(key), body).await?;
        let response = self.http.call(request).await.map_err(|_| unfinished("S3: no connection, or it broke"))?;
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await;
        Ok((status, body.map_err(|_| unfinished("S3: the answer broke off"))?.to_vec()))
    }

    async fn signed(&self, method: &str, url: &str, body: &[u8]) -> Result<HttpRequest, StoreError> {
        let unsigned = || unfinished("S3: the request cannot be signed; see that credentials are set");
        let credentials = self.credentials.as_ref().ok_or_else(unsigned)?.provide_credentials().await.map_err(|_| unsigned())?;
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::from(self.clock.now()))
            .settings(settings)
            .build()
            .map_err(|_| unsigned())?
            .into();
        let signable =
            SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body)).map_err(|_| unsigned())?;
        let (instructions, _) = sign(signable, &params).map_err(|_| unsigned())?.into_parts();
        let mut request = http::Request::builder().method(method).uri(url).body(SdkBody::from(body)).map_err(|_| unsigned())?;
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).map_err(|_| unsigned())
    }
}

fn object(account: &AccountId, id: AttachmentId) -> String {
    format!("attachments/{}/{id}", account.as_str())
}

#[async_trait]
impl Attachments for Store {
    async fn put(&self, account: &AccountId, id: AttachmentId, picture: &Picture) -> Result<(), StoreError> {
        self.bucket.call("PUT", &object(account, id), &picture.0).await.map(drop)
    }

    async fn get(&self, account: &AccountId, id: AttachmentId) -> Result<Option<Picture>, StoreError> {
        let bytes = self.bucket.call("GET", &object(account, id), &[]).await?;
        Ok(bytes.map(|bytes| Picture(bytes.into())))
    }

    async fn delete(&self, account: &AccountId, id: AttachmentId) -> Result<(), StoreError> {
        self.bucket.call("DELETE", &object(account, id), &[]).await.map(drop)
    }
}
