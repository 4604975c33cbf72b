//! Clients that keep a connection to an API Gateway WebSocket API: what is said to them is a request to the API's stage.
//!
//! Promise: a text is on its way when a push says so, and a connection that is gone is called gone. Left to others: who is on
//! which connection ([`bellhop_core::ports::Clients`]).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use async_trait::async_trait;
use bellhop_core::{
    Reason,
    clients::LONGEST,
    model::ConnectionId,
    ports::{Live, Pushed, Sent, TransportError},
};
use percent_encoding::utf8_percent_encode;

use crate::{
    Store,
    signed::{ENCODED, Service, Signed},
};

/// How often a request is made that API Gateway fails by a fault of its own, or that finds its connection dead after a freeze.
/// A text that comes twice does no harm: a message has its number, and the others say the same again.
const TRIES: usize = 2;

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
    /// The answer's status, or why there is none.
    async fn call(&self, method: &str, connection: &ConnectionId, body: &[u8]) -> Result<u16, String> {
        let url = format!("{}/{}", self.base, utf8_percent_encode(&connection.0, ENCODED));
        let mut tries = 1;
        loop {
            match self.signed.call(Service::ExecuteApi, method, &url, body).await {
                Ok((500..=599, _)) | Err(_) if tries < TRIES => tries += 1,
                Ok((status, _)) => return Ok(status),
                Err(unanswered) => return Err(unanswered.to_string()),
            }
        }
    }
}

#[async_trait]
impl Live for Connections {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        if text.len() > LONGEST {
            return Pushed::Refused(format!("a connection takes {LONGEST} bytes in one message; this one has {}", text.len()));
        }
        let pushed = self.call("POST", connection, text.as_bytes()).await.map_or_else(unanswered, pushed);
        match &pushed {
            Pushed::Sent | Pushed::Gone => {}
            Pushed::NotNow(detail) | Pushed::Refused(detail) | Pushed::Failed(TransportError { detail, .. }) => {
                tracing::warn!(detail, "a client was not sent something");
            }
        }
        pushed
    }

    async fn close(&self, connection: &ConnectionId) {
        match self.call("DELETE", connection, &[]).await {
            Ok(200..=299 | 410) => {}
            Ok(status) => tracing::warn!(status, "API Gateway did not close a connection; it ends by itself"),
            Err(detail) => tracing::warn!(detail, "a connection was not closed; it ends by itself"),
        }
    }
}

/// What became of a text, by the answer's status.
fn pushed(status: u16) -> Pushed {
    match status {
        200..=299 => Pushed::Sent,
        410 => Pushed::Gone,
        413 => Pushed::Refused("API Gateway answered 413: the message is too long".to_owned()),
        429 => Pushed::NotNow("API Gateway answered 429: too fast, or the client does not take in what it is sent".to_owned()),
        403 => failed("API Gateway answered 403; the function's role does not allow it".to_owned()),
        other => failed(format!("API Gateway answered {other}")),
    }
}

fn failed(detail: String) -> Pushed {
    Pushed::Failed(TransportError { reason: Reason::ProviderError, sent: Sent::No, detail })
}

fn unanswered(detail: String) -> Pushed {
    Pushed::Failed(TransportError { reason: Reason::ConnectionLost, sent: Sent::Maybe, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_gone_what_is_refused_is_refused_and_the_rest_is_tried_again() {
        assert_eq!(pushed(200), Pushed::Sent);
        assert_eq!(pushed(410), Pushed::Gone);
        assert!(matches!(pushed(413), Pushed::Refused(_)));
        assert!(matches!(pushed(429), Pushed::NotNow(_)));
        for status in [400, 403, 404, 500, 503] {
            assert!(matches!(pushed(status), Pushed::Failed(_)), "{status}");
        }
    }
}
