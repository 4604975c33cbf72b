//! Rules: who hears of which events. What is saved is what was written, checked.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    digest::{self, Preview, follow},
    model::{Account, AccountId, Batch, Name, Rule},
    ports::{Kind, Ports},
    rules::wording,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Manager, Reader},
    path::{Named, not_found},
};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::records::Said;

/// How many recipients, and patterns of a kind, a rule has at most.
const MOST_ENTRIES: usize = 100;

impl Said for Rule {
    const KIND: Kind = Kind::Rule;
    // each event is held against all of them
    const MOST: Option<usize> = Some(200);
    const INNER: &[&str] = &["match", "batch"];

    fn check(&self) -> Result<(), Problem> {
        for (field, template) in [("title", &self.title), ("body", &self.body)] {
            if let Some(template) = template {
                wording::check(template)
                    .map_err(|why| Problem::field(Code::InvalidField, field, format!("no template: {why}")))?;
            }
        }
        if let Some(batch) = &self.batch {
            check_batch(batch)?;
        }
        if self.to.is_empty() {
            let detail = "it names nobody; give a registration, `group:…` or `event.send_to`";
            return Err(Problem::field(Code::InvalidField, "to", detail));
        }
        let lengths =
            [("to", self.to.len()), ("match.sources", self.matching.sources.len()), ("match.types", self.matching.types.len())];
        match lengths.into_iter().find(|(_, length)| *length > MOST_ENTRIES) {
            Some((field, _)) => Err(Problem::field(Code::TooManyItems, field, format!("it has {MOST_ENTRIES} entries at most"))),
            None => Ok(()),
        }
    }

    fn completed(self, before: Option<&Self>, settings: &Account, now: Timestamp) -> Result<Self, Problem> {
        let known = before.and_then(|before| before.created_at);
        if self.created_at.is_some_and(|said| Some(said) != known) {
            let detail = "it is not set by anybody; leave it out";
            return Err(Problem::field(Code::InvalidField, "created_at", detail));
        }
        let created_at = if before.is_some() { known } else { Some(now) };
        Ok(follow::anchored(Self { created_at, ..self }, before, settings, now))
    }

    async fn prepare(
        ports: &Ports,
        settings: &Account,
        name: &Name,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<(), StoreError> {
        follow::follow(ports, settings, name, before, after).await
    }
}

fn check_batch(batch: &Batch) -> Result<(), Problem> {
    let invalid = |field: &str, detail: String| Problem::field(Code::InvalidField, field, detail);
    if let Some(zone) = &batch.time_zone {
        TimeZone::get(zone)
            .map_err(|_| invalid("batch.time_zone", "expected an IANA name such as `Asia/Shanghai`".to_owned()))?;
    }
    if let Some(title) = &batch.title {
        wording::check(title).map_err(|why| invalid("batch.title", format!("no template: {why}")))?;
    }
    Ok(())
}

/// What the rule's next digest would say now.
pub(crate) async fn preview_digest(
    State(api): State<Api>,
    Reader(caller): Reader,
    Named(name): Named,
    request: Request,
) -> Result<Json<Preview>, Refused> {
    Payload::read(request, Limit::Plain).await?.nothing()?;
    require(&api, &caller.account, &name).await?;
    let preview = digest::preview(&api.ports, &caller.account, &name).await?;
    preview.map(Json).ok_or_else(|| collects_nothing(&name))
}

/// A digest of what the rule has collected up to now.
#[derive(Debug, Serialize)]
pub(crate) struct Flushed {
    rule: Name,
    until: Timestamp,
}

/// Has the rule's digest sent now.
pub(crate) async fn flush(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<(StatusCode, Json<Flushed>), Refused> {
    Payload::read(request, Limit::Plain).await?.nothing()?;
    require(&api, &caller.account, &name).await?;
    let until = follow::flush(&api.ports, &caller.account, &name).await?.ok_or_else(|| collects_nothing(&name))?;
    Ok((StatusCode::ACCEPTED, Json(Flushed { rule: name, until })))
}

async fn require(api: &Api, account: &AccountId, name: &Name) -> Result<(), Refused> {
    api.ports.records.get(account, Kind::Rule, name.as_str()).await?.map(drop).ok_or_else(not_found)
}

fn collects_nothing(name: &Name) -> Refused {
    let detail = format!("rule `{name}` collects nothing for a digest; give it a `batch` that is enabled");
    Problem::new(Code::Conflict, detail).into()
}
