//! Clients that keep a connection to an API Gateway WebSocket API: what is said to them is a request to the API's stage.
//!
//! Promise: a text is on its way when a push says so, and a connection that is gone is called gone. Left to others: who is on
//! which connection ([`bellhop_core::ports::Clients`]).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use async_trait::async_trait;
use bellhop_core::{
    model::ConnectionId,
    ports::{Live, Pushed},
};
use percent_encoding::utf8_percent_encode;

use crate::{
    Store,
    signed::{ENCODED, Service, Signed},
};

/// The longest text; API Gateway itself cuts it into frames.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
pub const MOST_BYTES: usize = 128 * 1024;

/// The connections of one stage.
pub struct Connections {
    /// The URL that connections are put behind.
    base: String,
    signed: Signed,
}

impl Store {
    /// The connections of the stage at that URL.
    pub fn connections(&self, stage: &str) -> Connections {
        Connections { base: format!("{}/@connections", stage.trim_end_matches('/')), signed: self.signed.clone() }
    }
}

impl Connections {
    fn url(&self, connection: &ConnectionId) -> String {
        format!("{}/{}", self.base, utf8_percent_encode(&connection.0, ENCODED))
    }
}

#[async_trait]
impl Live for Connections {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        if text.len() > MOST_BYTES {
            return Pushed::Refused(format!("API Gateway takes {MOST_BYTES} bytes in one message; this one has {}", text.len()));
        }
        match self.signed.call(Service::ExecuteApi, "POST", &self.url(connection), text.as_bytes()).await {
            Ok((status, _)) => pushed(status),
            Err(error) => Pushed::NotNow(error.to_string()),
        }
    }

    async fn close(&self, connection: &ConnectionId) {
        match self.signed.call(Service::ExecuteApi, "DELETE", &self.url(connection), &[]).await {
            Ok((200..=299 | 410, _)) => {}
            Ok((status, _)) => tracing::warn!(status, "API Gateway did not close a connection; it ends when it is idle"),
            Err(error) => tracing::warn!(%error, "a connection was not closed; it ends when it is idle"),
        }
    }
}

/// What became of a text, by the answer's status.
fn pushed(status: u16) -> Pushed {
    match status {
        200..=299 => Pushed::Sent,
        410 => Pushed::Gone,
        403 => Pushed::Refused("API Gateway answered 403; the function's role does not allow it".to_owned()),
        413 => Pushed::Refused("API Gateway answered 413: the message is too long".to_owned()),
        429 => Pushed::NotNow("API Gateway answered 429: too fast, or the client does not take in what it is sent".to_owned()),
        other => Pushed::NotNow(format!("API Gateway answered {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_gone_what_is_refused_is_refused_and_the_rest_comes_later() {
        assert_eq!(pushed(200), Pushed::Sent);
        assert_eq!(pushed(410), Pushed::Gone);
        for status in [403, 413] {
            assert!(matches!(pushed(status), Pushed::Refused(_)), "{status}");
        }
        for status in [400, 429, 500, 503] {
            assert!(matches!(pushed(status), Pushed::NotNow(_)), "{status}");
        }
    }
}
