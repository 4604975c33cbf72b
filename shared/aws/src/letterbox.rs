//! A queue for what people look at: nobody here receives it.

use aws_sdk_sqs::Client;
use bellhop_core::StoreError;

use crate::error::unavailable;

/// Where letters are put in.
#[derive(Debug, Clone)]
pub struct Letterbox {
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Letterbox {
    /// Puts one in.
    pub async fn post(&self, letter: String) -> Result<(), StoreError> {
        let sent = self.client.send_message().queue_url(&self.url).message_body(letter).send().await;
        sent.map(drop).map_err(|error| unavailable("SendMessage", &error))
    }
}
