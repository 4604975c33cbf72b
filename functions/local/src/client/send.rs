//! Commands that talk to a running server.

use std::{
    fs,
    io::{Read, stdin},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bellhop_core::{
    channel::{Body, Method, Outgoing},
    ports::Http,
};
use bellhop_egress::{Cidr, HttpEgress, Settings};
use clap::Args;
use serde_json::{Map, Value, json};

/// Longer than the server lets anybody wait for an outcome.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the server is and who asks.
#[derive(Args)]
struct Server {
    /// The server's base URL.
    #[arg(long, env = "BELLHOP_URL", default_value = "http://127.0.0.1:8480")]
    url: String,
    /// An API key; without it, the one in `<data>/admin-key`.
    #[arg(long, env = "BELLHOP_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The data directory of a server on this machine.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data")]
    data: PathBuf,
    /// Makes it safe to run the same command again within 24 hours.
    #[arg(long)]
    idempotency_key: Option<String>,
}

/// Options of `bellhop send`.
#[derive(Args)]
pub(crate) struct Send {
    /// Registrations, `group:…`, `contact:…` or addresses such as `email:…`.
    #[arg(required = true)]
    to: Vec<String>,
    /// One line.
    #[arg(long)]
    title: Option<String>,
    /// The text; `-` reads standard input.
    #[arg(long)]
    body: Option<String>,
    /// How the text is written: text, markdown or html.
    #[arg(long)]
    format: Option<String>,
    /// Where a click leads.
    #[arg(long)]
    link: Option<String>,
    /// The registration that raw addresses go through.
    #[arg(long)]
    via: Option<String>,
    /// Wait up to this long for the outcome, at most 25. Ends with status 2 if not everything arrived by then.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u32>,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop event`.
#[derive(Args)]
pub(crate) struct Event {
    /// Where it happened, `site/task`.
    #[arg(long)]
    source: Option<String>,
    /// What kind of thing, e.g. `backup.end`.
    #[arg(long = "type")]
    kind: Option<String>,
    /// success, failure or partial.
    #[arg(long)]
    result: Option<String>,
    /// auto or manual.
    #[arg(long)]
    trigger: Option<String>,
    /// One line.
    #[arg(long)]
    title: Option<String>,
    /// Where a click leads.
    #[arg(long)]
    link: Option<String>,
    /// The source has given up.
    #[arg(long = "final")]
    is_final: bool,
    /// The text; `-` reads standard input.
    #[arg(long)]
    message: String,
    /// Recipients, besides the rules; may be repeated.
    #[arg(long = "send-to", value_delimiter = ',')]
    send_to: Vec<String>,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop redrive`.
#[derive(Args)]
pub(crate) struct Redrive {
    /// The channel whose dead letters are to be tried again.
    channel: String,
    #[command(flatten)]
    server: Server,
}

impl Send {
    /// The server's answer, and whether what was waited for has come about.
    pub(crate) fn run(self) -> Result<(Value, bool)> {
        let body = object([
            ("to", Some(json!(self.to))),
            ("title", self.title.map(Value::from)),
            ("body", self.body.map(text).transpose()?),
            ("format", self.format.map(Value::from)),
            ("url", self.link.map(Value::from)),
            ("via", self.via.map(Value::from)),
            ("wait_seconds", self.wait.map(Value::from)),
        ]);
        let answer = self.server.post("/v1/messages", &body)?;
        let arrived = |delivery: &Value| matches!(delivery["state"].as_str(), Some("delivered" | "confirmed"));
        let deliveries = answer["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let all = !deliveries.is_empty() && deliveries.iter().all(arrived);
        Ok((answer, all || self.wait.is_none_or(|seconds| seconds == 0)))
    }
}

impl Event {
    pub(crate) fn run(self) -> Result<Value> {
        let body = object([
            ("source", self.source.map(Value::from)),
            ("type", self.kind.map(Value::from)),
            ("result", self.result.map(Value::from)),
            ("trigger", self.trigger.map(Value::from)),
            ("title", self.title.map(Value::from)),
            ("message", Some(text(self.message)?)),
            ("url", self.link.map(Value::from)),
            ("final", self.is_final.then_some(Value::Bool(true))),
            ("send_to", (!self.send_to.is_empty()).then(|| json!(self.send_to))),
        ]);
        self.server.post("/v1/events", &body)
    }
}

impl Redrive {
    pub(crate) fn run(self) -> Result<Value> {
        self.server.post("/v1/dead-letters/redrive", &json!({ "channel": self.channel }))
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// The argument itself, or standard input for `-`.
fn text(argument: String) -> Result<Value> {
    if argument != "-" {
        return Ok(argument.into());
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("standard input is not UTF-8 text")?;
    Ok(text.into())
}

impl Server {
    /// Posts and answers with the body.
    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => kept_key(&self.data.join("admin-key"))?,
        };
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {key}")),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(self.idempotency_key.clone().map(|key| ("idempotency-key".to_owned(), key)));
        let outgoing = Outgoing {
            method: Method::Post,
            url: format!("{}{path}", self.url.trim_end_matches('/')),
            headers,
            body: Body::Json(body.to_string()),
            proxy: None,
        };
        // the server is the user's own, wherever it is
        let allow_private = Cidr::parse_list("0.0.0.0/0,::/0")?;
        let http = HttpEgress::new(Settings { allow_private, total_timeout: PATIENCE, ..Settings::default() })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reply = runtime.block_on(http.call(&outgoing)).map_err(|error| {
            anyhow::anyhow!("the server did not answer ({}: {}); is `bellhop serve` running?", error.reason, error.detail)
        })?;
        let answer: Value = serde_json::from_slice(&reply.body).context("the server's answer is not JSON; is --url right?")?;
        if (200..300).contains(&reply.status) {
            return Ok(answer);
        }
        let said = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        match said("field") {
            field if field.is_empty() => bail!("{}: {}", said("code"), said("detail")),
            field => bail!("{} ({field}): {}", said("code"), said("detail")),
        }
    }
}

fn kept_key(file: &Path) -> Result<String> {
    let key =
        fs::read_to_string(file).context("no key: give --key or BELLHOP_KEY, or name the server's data directory with --data")?;
    Ok(key.trim().to_owned())
}
