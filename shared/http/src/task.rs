//! A task as it is asked for: a message, and when it is sent. Pure: whatever is wrong with the words is found here.

use std::{collections::BTreeMap, num::NonZeroU32};

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, CatchUp, Cron, CronError, Draft, Format, MadeUnder, Minute, Source, Start, Task, TaskName, When, Zone},
    ports::IdempotencyKey,
    task::Wish,
};
use jiff::civil::Time;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    json::{self, OneOrMany},
    key::hash_secret,
    message::MessageBody,
};

/// What POST takes. A task has no picture of its own, which would have to be kept as long as it lives, and nobody waits for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: TaskName,
    source: Option<Source>,
    to: OneOrMany,
    via: Option<String>,
    title: Option<String>,
    body: Option<String>,
    format: Option<Format>,
    url: Option<String>,
    image_url: Option<String>,
    data: Option<Value>,
    options: Option<BTreeMap<String, Map<String, Value>>>,
    params: Option<Map<String, Value>>,
    schedule: ScheduleBody,
    max_runs: Option<u32>,
    catch_up: Option<CatchUp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Now,
    At,
    Hourly,
    Daily,
    Cron,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleBody {
    kind: Kind,
    at: Option<Timestamp>,
    minute: Option<u64>,
    time: Option<Time>,
    cron: Option<String>,
    time_zone: Option<String>,
    start: Option<Start>,
}

/// What a body asks for, in an account whose time zone counts where it names none.
pub fn wish(value: Value, account: &Account) -> Result<Wish, Problem> {
    let Asked { name, source, params, schedule, max_runs, catch_up, to, via, title, body, format, url, image_url, data, options } =
        json::read(value)?;
    let said = MessageBody { to, via, title, body, format, url, image_url, data, options, screenshot: None, wait_seconds: None };
    let (message, _) = said.draft()?;
    Ok(Wish {
        name,
        message: Draft { source: source.unwrap_or_default(), ..message },
        params,
        schedule: schedule.when(account)?,
        max_runs: runs(max_runs)?,
        catch_up: catch_up.unwrap_or_default(),
    })
}

/// What asks when a task would run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimesBody {
    schedule: ScheduleBody,
    max_runs: Option<u32>,
}

impl TimesBody {
    /// What it asks about, read as in a [`wish`].
    pub fn read(self, account: &Account) -> Result<(When, Option<NonZeroU32>), Problem> {
        Ok((self.schedule.when(account)?, runs(self.max_runs)?))
    }
}

fn runs(most: Option<u32>) -> Result<Option<NonZeroU32>, Problem> {
    let at_least_one = |most| {
        NonZeroU32::new(most).ok_or_else(|| invalid("max_runs", "expected 1 or more; leave it out for a task without an end"))
    };
    most.map(at_least_one).transpose()
}

impl ScheduleBody {
    fn when(self, account: &Account) -> Result<When, Problem> {
        self.read(account).map_err(|problem| problem.under("schedule"))
    }

    fn read(self, account: &Account) -> Result<When, Problem> {
        let given = [
            ("at", self.at.is_some()),
            ("minute", self.minute.is_some()),
            ("time", self.time.is_some()),
            ("cron", self.cron.is_some()),
            ("time_zone", self.time_zone.is_some()),
            ("start", self.start.is_some()),
        ];
        let (needed, taken): (_, &[&str]) = match self.kind {
            Kind::Now => (None, &[]),
            Kind::At => (Some("at"), &["at"]),
            Kind::Hourly => (Some("minute"), &["minute", "time_zone", "start"]),
            Kind::Daily => (Some("time"), &["time", "time_zone", "start"]),
            Kind::Cron => (Some("cron"), &["cron", "time_zone", "start"]),
        };
        if let Some((field, _)) = given.iter().find(|(field, is_given)| *is_given && !taken.contains(field)) {
            return Err(invalid(field, "a schedule of this kind has no such field; leave it out"));
        }
        let missing = || Problem::field(Code::MissingField, needed.unwrap_or("kind"), "a schedule of this kind needs it");
        let start = self.start.unwrap_or_default();
        let name = self.time_zone.as_deref().unwrap_or(&account.time_zone);
        let time_zone = Zone::parse(name).ok_or_else(|| invalid("time_zone", "expected an IANA name such as `Asia/Shanghai`"))?;
        Ok(match self.kind {
            Kind::Now => When::Now,
            Kind::At => {
                // times are kept to the millisecond
                let at = self.at.ok_or_else(missing)?.as_millisecond();
                When::At { at: Timestamp::from_millisecond(at).map_err(|_| missing())? }
            }
            Kind::Hourly => {
                let minute = Minute::new(self.minute.ok_or_else(missing)?);
                When::Hourly { minute: minute.ok_or_else(|| invalid("minute", "expected 0 to 59"))?, time_zone, start }
            }
            Kind::Daily => When::Daily { time: self.time.ok_or_else(missing)?, time_zone, start },
            Kind::Cron => {
                let cron: Result<Cron, CronError> = self.cron.ok_or_else(missing)?.parse();
                When::Cron { cron: cron.map_err(|error| invalid("cron", error.to_string()))?, time_zone, start }
            }
        })
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

/// The body that would ask for this task.
pub fn as_body(task: &Task) -> Map<String, Value> {
    let Draft { source, title, message, format, url, image_url, send_to, via, data, options, .. } = &task.message;
    // what runs once need not say how often
    let max_runs = task.max_runs.filter(|_| task.schedule.repeats());
    let fields = [
        ("name", json!(task.name)),
        ("source", json!(source)),
        ("to", json!(send_to)),
        ("via", json!(via)),
        ("title", json!(title)),
        ("body", json!(message)),
        ("format", json!(format)),
        ("url", json!(url)),
        ("image_url", json!(image_url)),
        ("data", json!(data)),
        ("options", if options.is_empty() { Value::Null } else { json!(options) }),
        ("params", json!(task.params)),
        ("schedule", json!(task.schedule)),
        ("max_runs", json!(max_runs)),
        ("catch_up", json!(task.catch_up)),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a task is remembered by that was made under that key.
pub fn made_under(key: IdempotencyKey) -> MadeUnder {
    MadeUnder { key: hash_secret(&format!("{}\0{}", key.route, key.key)), body: key.body_hash }
}
