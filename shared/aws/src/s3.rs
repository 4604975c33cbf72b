//! Attachments in S3, by [signed](crate::signed) requests of our own.
//!
//! Promise: what was put is durable when the call returns. Left to others: when it is forgotten (the bucket's expiry).
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::time::Duration;

use async_trait::async_trait;
use aws_types::SdkConfig;
use bellhop_core::{
    StoreError,
    model::{AccountId, AttachmentId, Picture},
    ports::Attachments,
};
use percent_encoding::utf8_percent_encode;

use crate::{
    Store,
    error::unfinished,
    signed::{ENCODED, Service, Signed},
};

/// How often a request is made that S3 fails by a fault of its own.
const TRIES: u32 = 3;

/// How long to wait before the first repetition; twice as long before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// A bucket.
pub(crate) struct Bucket {
    /// The URL that keys are put behind.
    base: String,
    signed: Signed,
}

impl Bucket {
    /// `endpoint` instead of AWS's own, by path; else by host name.
    pub(crate) fn new(sdk: &SdkConfig, signed: Signed, name: &str) -> Self {
        let region = signed.region();
        // https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Ningxia.html
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let base = match sdk.endpoint_url() {
            Some(endpoint) => format!("{}/{name}", endpoint.trim_end_matches('/')),
            None => format!("https://{name}.s3.{region}.{suffix}"),
        };
        Self { base, signed }
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
            match self.signed.call(Service::S3, method, &self.url(key), body).await {
                Ok((200..=299, body)) => return Ok(Some(body)),
                Ok((404, _)) if method != "PUT" => return Ok(None),
                Ok((500..=599, _)) | Err(_) if tries < TRIES => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                Ok((403, _)) => return Err(unfinished("S3 answered 403; the function's role does not allow it")),
                Ok((status, _)) => return Err(StoreError::Unavailable(format!("S3 answered {status}"))),
                Err(unanswered) => return Err(unanswered.into()),
            }
        }
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
