//! Commands that have something told to people.

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{Server, body::text};
use crate::show::Shown;

/// What is shown of a delivery that was planned.
const PLANNED: &[&str] = &["registration", "channel", "address", "state", "id"];

/// What makes a command one.
#[derive(Args)]
struct Repeat {
    /// Makes it safe to run the same command again within 24 hours.
    #[arg(long)]
    idempotency_key: Option<String>,
}

impl Repeat {
    fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
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
    repeat: Repeat,
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
    repeat: Repeat,
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
    pub(crate) fn run(self) -> Result<(Shown, bool)> {
        let body = object([
            ("to", Some(json!(self.to))),
            ("title", self.title.map(Value::from)),
            ("body", self.body.map(text).transpose()?.map(Value::from)),
            ("format", self.format.map(Value::from)),
            ("url", self.link.map(Value::from)),
            ("via", self.via.map(Value::from)),
            ("wait_seconds", self.wait.map(Value::from)),
        ]);
        let answer = self.server.open()?.post("/v1/messages", &body, self.repeat.key())?;
        let arrived = |delivery: &Value| matches!(delivery["state"].as_str(), Some("delivered" | "confirmed"));
        let deliveries = answer["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let all = !deliveries.is_empty() && deliveries.iter().all(arrived);
        let arrived = all || self.wait.is_none_or(|seconds| seconds == 0);
        Ok((Shown::list(answer, "deliveries", PLANNED), arrived))
    }
}

impl Event {
    pub(crate) fn run(self) -> Result<Shown> {
        let body = object([
            ("source", self.source.map(Value::from)),
            ("type", self.kind.map(Value::from)),
            ("result", self.result.map(Value::from)),
            ("trigger", self.trigger.map(Value::from)),
            ("title", self.title.map(Value::from)),
            ("message", Some(text(self.message)?.into())),
            ("url", self.link.map(Value::from)),
            ("final", self.is_final.then_some(Value::Bool(true))),
            ("send_to", (!self.send_to.is_empty()).then(|| json!(self.send_to))),
        ]);
        let answer = self.server.open()?.post("/v1/events", &body, self.repeat.key())?;
        Ok(Shown::list(answer, "deliveries", PLANNED))
    }
}

impl Redrive {
    pub(crate) fn run(self) -> Result<Shown> {
        let body = json!({ "channel": self.channel });
        Ok(Shown::one(self.server.open()?.post("/v1/dead-letters/redrive", &body, None)?))
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}
