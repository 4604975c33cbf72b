//! Mail through Amazon SES, as the process's own credentials allow it.
//!
//! Promises: a mail is sent once for each call, since `SendRawEmail` knows no idempotency key and the SDK's repetition of a
//! lost answer would be a second mail that nobody hears of; an error tells nothing of the mail. Left to others: what an
//! answer means (the channel).

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_ses::{
    Client, config,
    error::SdkError,
    primitives::Blob,
    types::{MessageTag, RawMessage},
};
use aws_smithy_types::{error::metadata::ProvideErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use bellhop_core::{
    Reason,
    channel::Reply,
    ports::{Sent, Ses, TransportError},
    ses::SesMail,
};
use serde_json::json;

use crate::environment::{self, Missing};

/// How long a mail with its pictures may take: other calls are small, and have less.
const SEND: Duration = Duration::from_secs(20);

/// The way to SES.
#[derive(Debug, Clone)]
pub struct SesEgress(Client);

impl SesEgress {
    /// With clients of that configuration, but for its repetitions and times.
    pub fn new(sdk: &SdkConfig) -> Self {
        let times = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let times = times.operation_attempt_timeout(SEND).operation_timeout(SEND).build();
        let own = config::Builder::from(sdk).retry_config(RetryConfig::disabled()).timeout_config(times);
        Self(Client::from_conf(own.build()))
    }

    /// By this process's environment (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_ENDPOINT_URL`).
    pub fn from_environment() -> Result<Arc<Self>, Missing> {
        let (sdk, _) = environment::sdk()?;
        Ok(Arc::new(Self::new(&sdk)))
    }
}

#[async_trait]
impl Ses for SesEgress {
    async fn send(&self, mail: &SesMail) -> Result<Reply, TransportError> {
        let invalid = || not_sent(Reason::InvalidParams, "the mail is none that Amazon SES takes; look at the registration");
        let message = RawMessage::builder().data(Blob::new(mail.message.clone())).build().map_err(|_| invalid())?;
        let tag = |(name, value): &(String, String)| MessageTag::builder().name(name).value(value).build();
        let tags = mail.tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(|_| invalid())?;
        let call = self.0.send_raw_email().source(&mail.from).set_destinations(Some(mail.to.clone())).raw_message(message);
        let call = call.set_tags(Some(tags)).set_configuration_set_name(mail.configuration_set.clone());
        let mut own = config::Builder::new();
        own.set_region(mail.region.clone().map(Region::new));
        match call.customize().config_override(own).send().await {
            Ok(sent) => Ok(reply(200, None, &json!({ "MessageId": sent.message_id }))),
            Err(SdkError::ServiceError(refusal)) => {
                let message = json!({ "message": refusal.err().message() });
                Ok(reply(refusal.raw().status().as_u16(), refusal.err().code(), &message))
            }
            Err(error) => Err(unanswered(&error)),
        }
    }
}

/// An answer in the words of SES's JSON API, though the SDK's is the older one: one form of errors is enough.
fn reply(status: u16, error: Option<&str>, body: &serde_json::Value) -> Reply {
    let headers = error.map(|name| ("x-amzn-errortype".to_owned(), name.to_owned()));
    Reply { status, headers: headers.into_iter().collect(), body: body.to_string().into_bytes() }
}

fn unanswered<E, R>(error: &SdkError<E, R>) -> TransportError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            not_sent(Reason::InvalidParams, "there is no way to Amazon SES in that region; look at `region`")
        }
        SdkError::TimeoutError(_) => maybe_sent(Reason::Timeout, "no answer of Amazon SES in time"),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if never_connected(error) => not_sent(Reason::ConnectFailed, "Amazon SES cannot be reached"),
            Some(error) if error.is_timeout() => maybe_sent(Reason::Timeout, "no answer of Amazon SES in time"),
            _ => maybe_sent(Reason::ConnectionLost, "the connection to Amazon SES broke before it had answered"),
        },
        _ => maybe_sent(Reason::UnexpectedAnswer, "the answer of Amazon SES cannot be read"),
    }
}

/// Whether there was surely no connection to write into.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.any(|kind| kind == io::ErrorKind::ConnectionRefused)
}

fn not_sent(reason: Reason, detail: &str) -> TransportError {
    TransportError { reason, sent: Sent::No, detail: detail.to_owned() }
}

fn maybe_sent(reason: Reason, detail: &str) -> TransportError {
    TransportError { reason, sent: Sent::Maybe, detail: detail.to_owned() }
}
