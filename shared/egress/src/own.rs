//! The way to a server of the user's own, for the command line: no tenant says where it leads, so nothing is judged.
//!
//! Promise: no redirect, no proxy, no second try; an answer is read whole, up to 64 MiB.

use std::time::Duration;

use bellhop_core::{channel::Reply, ports::TransportError};
use reqwest::{Client, Method, redirect, retry};

use crate::{
    SettingsError,
    failure::{Via, explain, invalid},
    http::{USER_AGENT, headers_of, innermost},
};

/// The most that is read of an answer.
const MOST_BODY: usize = 64 * 1024 * 1024;

/// Asks a server of the user's own.
#[derive(Debug, Clone)]
pub struct OwnServer(Client);

impl OwnServer {
    /// Each request may take so long, its answer included.
    pub fn new(total_timeout: Duration) -> Result<Self, SettingsError> {
        #[expect(clippy::disallowed_methods, reason = "this is where clients are built")]
        let builder = Client::builder().user_agent(USER_AGENT).redirect(redirect::Policy::none()).retry(retry::never());
        let client = builder.no_proxy().timeout(total_timeout).build();
        client.map(Self).map_err(|error| SettingsError::Client(innermost(&error)))
    }

    /// The answer.
    pub async fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Reply, TransportError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| invalid("this is no method"))?;
        let mut request = self.0.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| explain(&error, Via::Direct))?;
        let (status, headers) = (response.status().as_u16(), headers_of(&response));
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error, Via::Direct))? {
            if whole.len() + chunk.len() > MOST_BODY {
                return Err(invalid("the answer is too long"));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body: whole })
    }
}
