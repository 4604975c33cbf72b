//! Region, credentials and endpoint, as Lambda's environment has them, and the one way to AWS that all clients share.
//!
//! Promises: what is missing is named; one set of trusted certificates is read and parsed, once, for all clients. The
//! SDK's own chain (profiles, STS, instance metadata) would look in places that a function does not have, and costs 0.7 MB:
//! Lambda puts everything into the environment and keeps it for the environment's life.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn},
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};

/// How long a connection may take to come about: what the SDK takes by itself.
const CONNECT: Duration = Duration::from_millis(3_100);

/// How long one try of a call may take: a connection that died while the environment was frozen says nothing by itself.
const ATTEMPT: Duration = Duration::from_secs(4);

/// How long a call may take with all of its tries: less than a request may, and than a sender has left after its send.
const OPERATION: Duration = Duration::from_secs(12);

/// A variable that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable `{0}` is missing; Lambda sets it")]
pub struct Missing(&'static str);

impl Missing {
    /// Its name.
    pub fn variable(&self) -> &'static str {
        self.0
    }
}

/// What clients are built from, by this process's environment.
#[expect(clippy::disallowed_methods, reason = "Lambda says here where a function is, and who")]
pub(crate) fn sdk() -> Result<(SdkConfig, SharedHttpConnector), Missing> {
    sdk_from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn sdk_from(variable: impl Fn(&'static str) -> Option<String>) -> Result<(SdkConfig, SharedHttpConnector), Missing> {
    let needed = |name| variable(name).ok_or(Missing(name));
    let (id, secret) = (needed("AWS_ACCESS_KEY_ID")?, needed("AWS_SECRET_ACCESS_KEY")?);
    let credentials = Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "Lambda");
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
    let endpoint = variable("AWS_ENDPOINT_URL");
    let http = connector(endpoint.as_deref());
    let shared = http.clone();
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(needed("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .http_client(http_client_fn(move |_, _| shared.clone()));
    sdk.set_endpoint_url(endpoint);
    Ok((sdk.build(), http))
}

/// What makes the requests. Each connector reads and parses the system's certificates for itself, which takes longer than
/// all else that a function does before its first event: there is one. It needs none for an endpoint without TLS.
pub fn connector(endpoint: Option<&str>) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
    let connector = Connector::builder().connector_settings(settings);
    SharedHttpConnector::new(match endpoint {
        Some(endpoint) if endpoint.starts_with("http://") => connector.build_http(),
        Some(_) | None => connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDAS: [(&str, &str); 4] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_SESSION_TOKEN", "t0ken"),
    ];

    fn without(left_out: &str) -> Result<SdkConfig, Missing> {
        let find = |name| LAMBDAS.iter().find(|(known, _)| *known == name && *known != left_out);
        sdk_from(|name| find(name).map(|(_, value)| (*value).to_owned())).map(|(sdk, _)| sdk)
    }

    #[test]
    fn lambdas_environment_is_enough_and_no_endpoint_means_awss_own() {
        let sdk = without("nothing").unwrap();
        assert_eq!((sdk.region().map(AsRef::as_ref), sdk.endpoint_url()), (Some("eu-west-1"), None));
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            assert_eq!(without(name).unwrap_err(), Missing(name));
        }
        assert!(without("AWS_SESSION_TOKEN").is_ok(), "a person's key has none");
    }

    #[test]
    fn credentials_are_not_told() {
        let told = format!("{:?}", without("nothing").unwrap());
        assert!(!told.contains("s3cret") && !told.contains("t0ken"), "{told}");
    }
}
