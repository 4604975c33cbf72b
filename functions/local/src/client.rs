//! Commands that talk to a running server, on this machine or elsewhere.

pub(crate) mod archive;
mod body;
pub(crate) mod manage;
pub(crate) mod mpush;
pub(crate) mod registrations;
mod sealed;
pub(crate) mod send;
pub(crate) mod tasks;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use bellhop_core::channel::Reply;
use bellhop_egress::OwnServer;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Longer than the server lets anybody wait for an outcome.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a command waits because it asks too often.
const PATIENT: usize = 10;

/// The most that a page of a list holds.
const PAGE: usize = 200;

/// Where the server is and who asks.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's base URL.
    #[arg(long, env = "BELLHOP_URL", default_value = "http://127.0.0.1:8480", global = true)]
    url: String,
    /// An API key; without it, the one in `<data>/admin-key`.
    #[arg(long, env = "BELLHOP_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    /// The data directory of a server on this machine.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data", global = true)]
    data: PathBuf,
}

impl Server {
    pub(crate) fn open(&self) -> Result<Connection> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => kept_key(&self.data.join("admin-key"))?,
        };
        let http = OwnServer::new(PATIENCE)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Connection { url: self.url.trim_end_matches('/').to_owned(), key, http, runtime })
    }
}

fn kept_key(file: &Path) -> Result<String> {
    let key =
        fs::read_to_string(file).context("no key: give --key or BELLHOP_KEY, or name the server's data directory with --data")?;
    Ok(key.trim().to_owned())
}

/// A server that was found.
pub(crate) struct Connection {
    url: String,
    key: String,
    http: OwnServer,
    runtime: Runtime,
}

impl Connection {
    /// The key that is shown to the server.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None, None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call("PUT", path, Some(body), None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value, idempotency_key: Option<&str>) -> Result<Value> {
        self.call("POST", path, Some(body), idempotency_key)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.call("PATCH", path, Some(body), None)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        self.call("DELETE", path, None, None)
    }

    /// All of a list, page after page, up to `most`; `path` may have a query.
    pub(crate) fn all(&self, path: &str, most: usize) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        let and = if path.contains('?') { '&' } else { '?' };
        while items.len() < most {
            let limit = PAGE.min(most - items.len());
            let from = cursor.as_deref().map(|cursor| format!("&cursor={}", in_path(cursor))).unwrap_or_default();
            let mut page = self.get(&format!("{path}{and}limit={limit}{from}"))?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Option<String>) -> Result<Reply> {
        let answer = self.runtime.block_on(self.http.call(method, url, headers, body));
        answer.map_err(|error| {
            anyhow!("the server did not answer ({}: {}); is `bellhop serve` running?", error.reason, error.detail)
        })
    }

    /// The answer's body; `null` where it has none. A refusal is an error that says what the server said.
    fn call(&self, method: &str, path: &str, body: Option<&Value>, idempotency_key: Option<&str>) -> Result<Value> {
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(body.map(|_| ("content-type", "application/json")));
        headers.extend(idempotency_key.map(|key| ("idempotency-key", key)));
        let (url, body) = (format!("{}{path}", self.url), body.map(Value::to_string));
        let mut answer = self.ask(method, &url, &headers, body.clone())?;
        for _ in 0..PATIENT {
            // whoever asks too often is told how long to wait
            let Some(wait) = (answer.status == 429).then(|| answer.header("retry-after")?.parse().ok()).flatten() else { break };
            thread::sleep(Duration::from_secs(wait).min(PATIENCE));
            answer = self.ask(method, &url, &headers, body.clone())?;
        }
        let Reply { status, headers: _, body } = answer;
        let is_fine = (200..300).contains(&status);
        if is_fine && body.is_empty() {
            return Ok(Value::Null);
        }
        let answer: Value = serde_json::from_slice(&body).context("the server's answer is not JSON; is --url right?")?;
        if is_fine {
            return Ok(answer);
        }
        let said = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        match said("field") {
            field if field.is_empty() => bail!("{}: {}", said("code"), said("detail")),
            field => bail!("{} ({field}): {}", said("code"), said("detail")),
        }
    }
}

/// A name as a part of a path or a query.
pub(crate) fn in_path(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
