//! What an account says and is shown: a command for each kind of thing, alike for all of them.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Connection, Server, body, in_path};
use crate::show::Shown;

/// How many a list shows, unless more are asked for.
const MOST: usize = 50;

/// Things under names of the account's own choosing.
pub(crate) struct Kind {
    path: &'static str,
    columns: &'static [&'static str],
}

pub(crate) const RULES: Kind =
    Kind { path: "/v1/rules", columns: &["name", "enabled", "to", "match.sources", "match.types", "after_failures", "batch.at"] };
pub(crate) const CONTACTS: Kind =
    Kind { path: "/v1/contacts", columns: &["name", "email", "phone", "wecom_user_id", "feishu_open_id", "locale"] };
const HOOKS: Kind = Kind { path: "/v1/hooks", columns: &["name", "kind", "created_at"] };
const KEYS: Kind =
    Kind { path: "/v1/keys", columns: &["id", "scopes", "description", "expires_at", "last_used_at", "created_at"] };
const ACCOUNTS: Kind = Kind { path: "/v1/accounts", columns: &["id", "created_at"] };

impl Kind {
    pub(crate) const fn new(path: &'static str, columns: &'static [&'static str]) -> Self {
        Self { path, columns }
    }

    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    pub(crate) fn of(&self, name: &str) -> String {
        format!("{}/{}", self.path, in_path(name))
    }

    pub(crate) fn list(&self, server: &Connection, page: &Page) -> Result<Shown> {
        listed(server, self.path, page, self.columns)
    }
}

/// How much of a list is shown.
#[derive(Args)]
pub(crate) struct Page {
    /// How many at most.
    #[arg(long, default_value_t = MOST)]
    limit: usize,
}

pub(crate) fn listed(server: &Connection, path: &str, page: &Page, columns: &'static [&'static str]) -> Result<Shown> {
    let items = server.all(path, page.limit)?;
    Ok(Shown::list(json!({ "items": items }), "items", columns))
}

/// What can be done with rules and contacts alike.
#[derive(Subcommand)]
pub(crate) enum Named {
    /// All of them.
    List(Page),
    /// One, whole.
    Show { name: String },
    /// Save one whole.
    Put {
        name: String,
        /// JSON, as the API takes it; `-` reads standard input, `@file` a file.
        body: String,
    },
    /// Change some of its fields.
    Change {
        name: String,
        /// JSON of the fields that change, `null` for those that go; `-` reads standard input, `@file` a file.
        body: String,
    },
    /// Delete one.
    Delete { name: String },
}

impl Named {
    fn run(self, kind: &Kind, server: &Connection) -> Result<Shown> {
        match self {
            Self::List(page) => kind.list(server, &page),
            Self::Show { name } => server.get(&kind.of(&name)).map(Shown::one),
            Self::Put { name, body } => server.put(&kind.of(&name), &body::json(body)?).map(Shown::one),
            Self::Change { name, body } => server.patch(&kind.of(&name), &body::json(body)?).map(Shown::one),
            Self::Delete { name } => server.delete(&kind.of(&name)).map(Shown::one),
        }
    }
}

/// Options of `bellhop contacts`.
#[derive(Args)]
pub(crate) struct Contacts {
    #[command(subcommand)]
    action: Named,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop rules`.
#[derive(Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    action: RuleAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum RuleAction {
    #[command(flatten)]
    Named(Named),
    /// What a rule's next digest would say now.
    Preview { name: String },
    /// Send what a rule has collected, now.
    Flush { name: String },
}

/// Options of `bellhop sources`.
#[derive(Args)]
pub(crate) struct Sources {
    #[command(subcommand)]
    action: SourceAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum SourceAction {
    /// Those that were switched.
    List(Page),
    /// Rules look at it.
    On { source: String },
    /// No rule looks at it.
    Off { source: String },
    /// Forget that it was switched.
    Forget { source: String },
}

/// Options of `bellhop hooks`.
#[derive(Args)]
pub(crate) struct Hooks {
    #[command(subcommand)]
    action: HookAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum HookAction {
    /// All of them.
    List(Page),
    /// One, without its path.
    Show { name: String },
    /// Make one, and print its path, once.
    Make {
        name: String,
        /// bettergi, sqle, qd or generic.
        #[arg(long)]
        kind: String,
        /// More fields, as JSON; `-` reads standard input, `@file` a file.
        #[arg(long)]
        with: Option<String>,
    },
    /// Delete one.
    Delete { name: String },
}

/// Options of `bellhop keys`.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: KeyAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum KeyAction {
    /// All of the account's.
    List(Page),
    /// Make one, and print it, once.
    Make {
        /// send, read, manage, operate.
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// For another account, which has lost its own: takes a key with `operate`.
        #[arg(long)]
        account: Option<String>,
        #[arg(long)]
        description: Option<String>,
        /// Such as `2027-01-01T00:00:00Z`.
        #[arg(long)]
        expires_at: Option<String>,
    },
    /// Revoke one: within a minute it is good for nothing anywhere.
    Revoke { id: String },
}

/// Options of `bellhop accounts`.
#[derive(Args)]
pub(crate) struct Accounts {
    #[command(subcommand)]
    action: AccountAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum AccountAction {
    /// All of the deployment's.
    List(Page),
    /// Make one, and print its first key, once.
    Make { id: String },
    /// Say how much one may have.
    Quotas {
        id: String,
        /// JSON, such as `{"tasks": 5000}`; `-` reads standard input, `@file` a file.
        quotas: String,
    },
    /// Delete one, with all that it has.
    Delete { id: String },
}

/// Options of `bellhop account`.
#[derive(Args)]
pub(crate) struct Account {
    /// JSON of the settings that change; `-` reads standard input, `@file` a file. Without it, they are shown.
    change: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop audit`.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop dead-letters`.
#[derive(Args)]
pub(crate) struct DeadLetters {
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop events`.
#[derive(Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    action: EventAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum EventAction {
    /// The newest first.
    List {
        #[arg(long)]
        source: Option<String>,
        #[arg(long = "type")]
        kind: Option<String>,
        #[arg(long)]
        result: Option<String>,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        page: Page,
    },
    /// One, with what every rule decided and what became of its deliveries.
    Show { id: String },
}

/// Options of `bellhop deliveries`.
#[derive(Args)]
pub(crate) struct Deliveries {
    #[command(subcommand)]
    action: DeliveryAction,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum DeliveryAction {
    /// The newest first.
    List {
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        registration: Option<String>,
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        time: Time,
        #[command(flatten)]
        page: Page,
    },
    /// One, with its attempts and what the provider answered.
    Show { id: String },
    /// Try one again that is over.
    Retry { id: String },
}

/// Between these.
#[derive(Args)]
pub(crate) struct Time {
    /// Such as `2026-01-01T00:00:00Z`.
    #[arg(long)]
    pub(crate) from: Option<String>,
    #[arg(long)]
    pub(crate) to: Option<String>,
}

const EVENTS: &[&str] = &["accepted_at", "source", "type", "result", "title", "id"];
const DELIVERIES: &[&str] = &["registration", "channel", "address", "state", "reason", "id"];

impl Contacts {
    pub(crate) fn run(self) -> Result<Shown> {
        self.action.run(&CONTACTS, &self.server.open()?)
    }
}

impl Rules {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        let act = |name: &str, verb: &str| server.post(&format!("{}/{verb}", RULES.of(name)), &json!({}), None).map(Shown::one);
        match self.action {
            RuleAction::Named(action) => action.run(&RULES, &server),
            RuleAction::Preview { name } => act(&name, "preview-digest"),
            RuleAction::Flush { name } => act(&name, "flush"),
        }
    }
}

impl Sources {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        let switch = |source: &str, enabled: bool| {
            server.put("/v1/sources", &json!({ "source": source, "enabled": enabled })).map(Shown::one)
        };
        match self.action {
            SourceAction::List(page) => listed(&server, "/v1/sources", &page, &["source", "enabled"]),
            SourceAction::On { source } => switch(&source, true),
            SourceAction::Off { source } => switch(&source, false),
            SourceAction::Forget { source } => server.delete(&format!("/v1/sources?source={}", in_path(&source))).map(Shown::one),
        }
    }
}

impl Hooks {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.action {
            HookAction::List(page) => HOOKS.list(&server, &page),
            HookAction::Show { name } => server.get(&HOOKS.of(&name)).map(Shown::one),
            HookAction::Make { name, kind, with } => {
                let mut hook = with.map(body::json).transpose()?.unwrap_or_else(|| json!({}));
                hook["name"] = name.into();
                hook["kind"] = kind.into();
                server.post(HOOKS.path, &hook, None).map(Shown::one)
            }
            HookAction::Delete { name } => server.delete(&HOOKS.of(&name)).map(Shown::one),
        }
    }
}

impl Keys {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.action {
            KeyAction::List(page) => KEYS.list(&server, &page),
            KeyAction::Make { scopes, account, description, expires_at } => {
                let key = json!({ "scopes": scopes, "account": account, "description": description, "expires_at": expires_at });
                server.post(KEYS.path, &key, None).map(Shown::one)
            }
            KeyAction::Revoke { id } => server.delete(&KEYS.of(&id)).map(Shown::one),
        }
    }
}

impl Accounts {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.action {
            AccountAction::List(page) => ACCOUNTS.list(&server, &page),
            AccountAction::Make { id } => server.post(ACCOUNTS.path, &json!({ "id": id }), None).map(Shown::one),
            AccountAction::Quotas { id, quotas } => {
                server.patch(&ACCOUNTS.of(&id), &json!({ "quotas": body::json(quotas)? })).map(Shown::one)
            }
            AccountAction::Delete { id } => server.delete(&ACCOUNTS.of(&id)).map(Shown::one),
        }
    }
}

impl Account {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.change {
            Some(change) => server.put("/v1/account", &body::json(change)?).map(Shown::one),
            None => server.get("/v1/account").map(Shown::one),
        }
    }
}

impl Audit {
    pub(crate) fn run(self) -> Result<Shown> {
        listed(&self.server.open()?, "/v1/audit", &self.page, &["at", "key", "action", "object"])
    }
}

impl DeadLetters {
    pub(crate) fn run(self) -> Result<Shown> {
        let answer = self.server.open()?.get("/v1/dead-letters")?;
        Ok(Shown::list(answer, "items", &["channel", "count"]))
    }
}

impl Events {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        match self.action {
            EventAction::List { source, kind, result, time: Time { from, to }, page } => {
                let query = query([("source", source), ("type", kind), ("result", result), ("from", from), ("to", to)]);
                listed(&server, &format!("/v1/events{query}"), &page, EVENTS)
            }
            EventAction::Show { id } => server.get(&format!("/v1/events/{}", in_path(&id))).map(Shown::one),
        }
    }
}

impl Deliveries {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        let of = |id: &str| format!("/v1/deliveries/{}", in_path(id));
        match self.action {
            DeliveryAction::List { state, registration, channel, time: Time { from, to }, page } => {
                let filter = [("state", state), ("registration", registration), ("channel", channel), ("from", from), ("to", to)];
                listed(&server, &format!("/v1/deliveries{}", query(filter)), &page, DELIVERIES)
            }
            DeliveryAction::Show { id } => server.get(&of(&id)).map(Shown::one),
            DeliveryAction::Retry { id } => server.post(&format!("{}/retry", of(&id)), &json!({}), None).map(Shown::one),
        }
    }
}

pub(crate) fn query<const N: usize>(filter: [(&str, Option<String>); N]) -> String {
    let given = filter.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", in_path(&value?))));
    match given.collect::<Vec<_>>().join("&") {
        none if none.is_empty() => none,
        given => format!("?{given}"),
    }
}

/// What is stored, without what is the server's to say of it.
pub(crate) fn as_said(mut stored: Value, not_said: &[&str]) -> Value {
    if let Some(fields) = stored.as_object_mut() {
        fields.retain(|name, value| !value.is_null() && !not_said.contains(&name.as_str()));
    }
    stored
}
