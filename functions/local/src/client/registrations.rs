//! `bellhop registrations`.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Server, body,
    manage::{Kind, Page},
};
use crate::show::Shown;

pub(crate) const REGISTRATIONS: Kind = Kind::new(
    "/v1/registrations",
    &["name", "channel", "enabled", "groups", "default", "serves", "disabled.reason", "paused_until", "description"],
);

/// Options of `bellhop registrations`.
#[derive(Args)]
pub(crate) struct Registrations {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum Action {
    /// All of them.
    List(Page),
    /// One, without its secrets.
    Show { name: String },
    /// Save one whole.
    Put(Put),
    /// Change some of its fields.
    Change {
        name: String,
        /// JSON of the fields that change, `null` for those that go; `-` reads standard input, `@file` a file.
        body: String,
    },
    /// Switch one on.
    Enable { name: String },
    /// Switch one off.
    Disable { name: String },
    /// Send a test message, and show what the provider answers.
    Test {
        name: String,
        /// To this address, on channels that serve many people.
        #[arg(long)]
        to: Option<String>,
    },
    /// Print its parameters in clear, and the former ones. The audit log says so.
    Reveal { name: String },
    /// Delete one.
    Delete { name: String },
}

/// Options of `bellhop registrations put`.
#[derive(Args)]
struct Put {
    name: String,
    /// One of `bellhop channels`.
    #[arg(long)]
    channel: String,
    /// A parameter, `name=value`; may be repeated. What stands on a command line stands in its history: see `--params`.
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// All parameters: JSON, or QD's `a;b;c`; `-` reads standard input, `@file` a file.
    #[arg(long)]
    params: Option<String>,
    /// May be repeated.
    #[arg(long)]
    group: Vec<String>,
    /// It takes raw addresses, such as `email:…`.
    #[arg(long)]
    default: bool,
    /// It reaches contacts.
    #[arg(long)]
    contacts: bool,
    #[arg(long)]
    description: Option<String>,
    /// Save it only if a test message arrives.
    #[arg(long)]
    verify: bool,
}

impl Registrations {
    pub(crate) fn run(self) -> Result<Shown> {
        let server = self.server.open()?;
        let of = |name: &str| REGISTRATIONS.of(name);
        let switch = |name: &str, enabled: bool| server.patch(&of(name), &json!({ "enabled": enabled })).map(Shown::one);
        match self.action {
            Action::List(page) => REGISTRATIONS.list(&server, &page),
            Action::Show { name } => server.get(&of(&name)).map(Shown::one),
            Action::Put(put) => {
                let path = format!("{}{}", of(&put.name), if put.verify { "?verify=true" } else { "" });
                server.put(&path, &put.body()?).map(Shown::one)
            }
            Action::Change { name, body } => server.patch(&of(&name), &body::json(body)?).map(Shown::one),
            Action::Enable { name } => switch(&name, true),
            Action::Disable { name } => switch(&name, false),
            Action::Test { name, to } => {
                let body = to.map_or_else(|| json!({}), |to| json!({ "to": to }));
                server.post(&format!("{}/test", of(&name)), &body, None).map(Shown::one)
            }
            Action::Reveal { name } => {
                let body = json!({ "key": server.key() });
                server.post(&format!("{}/reveal", of(&name)), &body, None).map(Shown::one)
            }
            Action::Delete { name } => server.delete(&of(&name)).map(Shown::one),
        }
    }
}

impl Put {
    fn body(self) -> Result<Value> {
        let mut params = match self.params {
            Some(params) => all_of(params)?,
            None => json!({}),
        };
        if let (Value::String(_), [first, ..]) = (&params, &self.param[..]) {
            bail!("`--params` has all of them on one line; `--param {first}` cannot be added to it");
        }
        for param in self.param {
            let (name, value) = param.split_once('=').with_context(|| format!("`{param}` is not `name=value`"))?;
            params[name] = value_of(&self.channel, name, value);
        }
        let serves = if self.contacts { "contacts" } else { "one" };
        Ok(json!({
            "channel": self.channel, "params": params, "groups": self.group, "default": self.default, "serves": serves,
            "description": self.description,
        }))
    }
}

/// An object of parameters, or all of them on one line.
fn all_of(argument: String) -> Result<Value> {
    match body::whole(argument)? {
        text if text.trim_start().starts_with('{') => {
            Ok(Value::Object(serde_json::from_str::<Map<_, _>>(&text).context("`--params` is not JSON")?))
        }
        line => Ok(Value::String(line.trim_end_matches(['\r', '\n']).to_owned())),
    }
}

/// A text, or what the channel wants there that is none.
fn value_of(channel: &str, name: &str, value: &str) -> Value {
    use bellhop_core::channel::Kind as Type;
    let spec = bellhop_channels::SPECS.get(channel);
    let kind = spec.and_then(|spec| spec.params.iter().find(|param| param.name == name)).map(|param| param.kind);
    let read = || serde_json::from_str(value).unwrap_or_else(|_| value.into());
    match kind {
        Some(Type::Bool | Type::Headers | Type::Number | Type::List | Type::Object) => read(),
        Some(Type::Text | Type::LongText | Type::Url | Type::Choice(_)) | None => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_what_its_channel_wants_there() {
        assert_eq!(value_of("gotify", "priority", "5"), json!(5));
        assert_eq!(value_of("gotify", "app_token", "5"), json!("5"));
        assert_eq!(value_of("webhook", "headers", r#"{"a": "b"}"#), json!({"a": "b"}));
        assert_eq!(value_of("nothing", "x", "true"), json!("true"));
    }

    #[test]
    fn parameters_may_stand_on_one_line() {
        assert_eq!(all_of("a;b;c\n".to_owned()).unwrap(), json!("a;b;c"));
        assert_eq!(all_of(r#"{"url": "https://e.com"}"#.to_owned()).unwrap(), json!({"url": "https://e.com"}));
        assert!(all_of("{".to_owned()).is_err());
    }
}
