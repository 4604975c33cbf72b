//! `bellhop tasks`: messages that are sent by the clock.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Connection, Server, body, in_path,
    manage::{Page, Time, as_said, listed, query},
};
use crate::show::Shown;

const PATH: &str = "/v1/tasks";
const COLUMNS: &[&str] = &["name", "state", "schedule.kind", "next_run", "runs", "last_run.state", "to", "id"];
const RUNS: &[&str] = &["at", "state", "event", "deliveries.0.registration", "deliveries.0.state"];

/// What is the server's to say of a task.
const NOT_SAID: &[&str] =
    &["id", "channels", "state", "next_run", "runs", "last_run", "missed", "cancelled_at", "created_at", "updated_at"];

/// Options of `bellhop tasks`.
#[derive(Args)]
pub(crate) struct Tasks {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum Action {
    /// The newest first.
    List {
        /// scheduled, running, succeeded, failed, ended or cancelled.
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        channel: Option<String>,
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        page: Page,
    },
    /// One, with where it stands.
    Show { id: String },
    /// Make one.
    Make {
        /// JSON, as the API takes it; `-` reads standard input, `@file` a file.
        body: String,
        /// The same key makes it once.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
    /// Change some of its fields.
    Change {
        id: String,
        /// JSON of the fields that change, `null` for those that go; `-` reads standard input, `@file` a file.
        body: String,
    },
    /// Its runs, the newest first.
    Runs {
        id: String,
        #[command(flatten)]
        page: Page,
    },
    /// No run begins any more.
    Cancel { id: String },
    /// Forget one, with the list of its runs.
    Delete { id: String },
}

fn of(id: &str) -> String {
    format!("{PATH}/{}", in_path(id))
}

impl Tasks {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.action {
            Action::List { state, channel, source, time: Time { from, to }, page } => {
                let filter = [("state", state), ("channel", channel), ("source", source), ("from", from), ("to", to)];
                listed(&server, &format!("{PATH}{}", query(filter)), &page, COLUMNS)
            }
            Action::Show { id } => server.get(&of(&id)).map(Shown::one),
            Action::Make { body, idempotency_key } => {
                server.post(PATH, &body::json(body)?, idempotency_key.as_deref()).map(Shown::one)
            }
            Action::Change { id, body } => server.patch(&of(&id), &body::json(body)?).map(Shown::one),
            Action::Runs { id, page } => listed(&server, &format!("{}/runs", of(&id)), &page, RUNS),
            Action::Cancel { id } => server.post(&format!("{}/cancel", of(&id)), &json!({}), None).map(Shown::one),
            Action::Delete { id } => server.delete(&of(&id)).map(Shown::one),
        }
    }
}

/// Tasks that wait for a run, each as it would be asked for, with the runs that it has left, under a word that names it.
pub(crate) fn waiting(server: &Connection) -> Result<Vec<(String, Value)>> {
    let all = server.all(PATH, usize::MAX)?;
    let waits = all.into_iter().filter(|task| !task["next_run"].is_null());
    Ok(waits
        .map(|task| {
            let id = task["id"].as_str().unwrap_or_default().to_owned();
            let left = task["max_runs"].as_u64().map(|most| most.saturating_sub(task["runs"].as_u64().unwrap_or(0)));
            let mut said = as_said(task, NOT_SAID);
            if let Some(left) = left {
                said["max_runs"] = left.into();
            }
            (id, said)
        })
        .collect())
}

/// Makes one that another server had: once, however often that is tried within a day.
pub(crate) fn make(server: &Connection, id: &str, said: &Value) -> Result<Value> {
    server.post(PATH, said, Some(&format!("import/{id}")))
}
