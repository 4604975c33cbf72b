//! Requests to AWS by a client of our own: an SDK for each of these services would add a megabyte to every function.
//!
//! Promise: nothing of an answer, a URL or a credential stands in an error. Left to others: what is asked, and what an answer
//! means. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

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
use bellhop_core::{StoreError, ports::Clock};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::error::unfinished;

/// How long one request may take.
const LONGEST: Duration = Duration::from_secs(10);

/// What stays as it is in a part of a path. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who is asked: each is signed for in its own way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Service {
    /// Objects in buckets.
    S3,
    /// Connections of a WebSocket API.
    ExecuteApi,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::ExecuteApi => "execute-api",
        }
    }

    /// S3 alone signs a path as it stands, and tells the hash of the body.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    fn settings(self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        match self {
            Self::S3 => {
                settings.percent_encoding_mode = PercentEncodingMode::Single;
                settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
            Self::ExecuteApi => {}
        }
        settings
    }
}

/// A request without an answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{}: {what}", .service.name())]
pub(crate) struct Unanswered {
    service: Service,
    what: &'static str,
}

impl From<Unanswered> for StoreError {
    fn from(unanswered: Unanswered) -> Self {
        unfinished(&unanswered.to_string())
    }
}

/// Signs and makes requests.
#[derive(Clone)]
pub(crate) struct Signed {
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    http: SharedHttpConnector,
    clock: Arc<dyn Clock>,
}

impl Signed {
    /// By the credentials of that configuration, over `http`.
    pub(crate) fn new(sdk: &SdkConfig, http: SharedHttpConnector, clock: Arc<dyn Clock>) -> Self {
        let region = sdk.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        Self { region, credentials: sdk.credentials_provider(), http, clock }
    }

    /// Where AWS is, as far as the region tells.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Makes one request. Answers status and body.
    pub(crate) async fn call(
        &self,
        service: Service,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), Unanswered> {
        let failed = |what| Unanswered { service, what };
        let request = self.signed(service, method, url, body).await?;
        let calling = async {
            let response = self.http.call(request).await.map_err(|_| failed("no connection, or it broke"))?;
            let status = response.status().as_u16();
            let body = ByteStream::new(response.into_body()).collect().await;
            Ok((status, body.map_err(|_| failed("the answer broke off"))?.to_vec()))
        };
        tokio::time::timeout(LONGEST, calling).await.unwrap_or_else(|_| Err(failed("no answer in time")))
    }

    async fn signed(&self, service: Service, method: &str, url: &str, body: &[u8]) -> Result<HttpRequest, Unanswered> {
        let unsigned = || Unanswered { service, what: "the request cannot be signed; see that credentials are set" };
        let credentials = self.credentials.as_ref().ok_or_else(unsigned)?.provide_credentials().await.map_err(|_| unsigned())?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name())
            .time(SystemTime::from(self.clock.now()))
            .settings(service.settings())
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

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_types::region::Region;
    use bellhop_testkit::Sim;

    use super::*;
    use crate::connector;

    /// The signature is the one that botocore makes of the same request.
    #[tokio::test]
    async fn a_post_to_a_connection_is_signed_as_others_sign_it() {
        let keys = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "example");
        let sdk = SdkConfig::builder()
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .build();
        let clock = Sim::new(0);
        clock.set("2024-05-01T08:00:00Z".parse().unwrap());
        let signed = Signed::new(&sdk, connector(Some("http://127.0.0.1")), clock);
        let url = "https://abc123.execute-api.us-east-1.amazonaws.com/prod/@connections/L0SM9cOFvHcCIhw%3D";
        let request = signed.signed(Service::ExecuteApi, "POST", url, br#"{"a":1}"#).await.unwrap();
        assert_eq!(request.uri(), url);
        assert_eq!(request.headers().get("x-amz-date"), Some("20240501T080000Z"));
        assert_eq!(
            request.headers().get("authorization"),
            Some(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240501/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, \
                 Signature=7f4a1361ffba87843ab599bc88f9dca12b76787288746c2f9d5c8c3848f36ed2"
            )
        );
    }
}
