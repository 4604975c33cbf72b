//! Rules: who hears of which events. What is saved is what was written, checked.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, StoreError,
    model::{AccountId, Name, Rule},
    ports::{Kind, Record},
    rules::wording,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Manager, Reader},
    json,
    list::{Everything, Items, Listing},
    path::{Named, not_found},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{overlay, records};

/// How many rules an account has at most: each event is held against all of them.
const MOST: usize = 200;

/// How many recipients, and patterns of a kind, a rule has at most.
const MOST_ENTRIES: usize = 100;

/// A rule as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    name: Name,
    #[serde(flatten)]
    rule: Rule,
    version: u64,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Name>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let after = cursor.as_ref().map(Name::as_str);
    let found = api.ports.records.list(&caller.account, Kind::Rule, after, limit + 1).await?;
    let shown = found.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.name.clone())))
}

pub(crate) async fn one(State(api): State<Api>, Reader(caller): Reader, Named(name): Named) -> Result<Json<Shown>, Refused> {
    let found = api.ports.records.get(&caller.account, Kind::Rule, name.as_str()).await?.ok_or_else(not_found)?;
    Ok(Json(show(&found)?))
}

pub(crate) async fn put(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    let body: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    save(&api, &caller.account, name, |_| Ok(Value::Object(body.clone()))).await
}

pub(crate) async fn patch(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    let change: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    save(&api, &caller.account, name, |old| {
        let old = json!(old.ok_or_else(not_found)?);
        Ok(overlay(old.as_object().cloned().unwrap_or_default(), change.clone(), "match"))
    })
    .await
}

pub(crate) async fn delete(State(api): State<Api>, Manager(caller): Manager, Named(name): Named) -> Result<StatusCode, Refused> {
    let existed = api.ports.records.delete(&caller.account, Kind::Rule, name.as_str()).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Saves what `body` makes of the stored rule.
async fn save(
    api: &Api,
    account: &AccountId,
    name: Name,
    body: impl Fn(Option<&Rule>) -> Result<Value, Refused>,
) -> Result<Json<Shown>, Refused> {
    let saved = records::save(api, account, Kind::Rule, name.as_str(), Some(MOST), |old| {
        let old = old.map(Record::read::<Rule>).transpose()?;
        Ok(check(json::read(without_nulls(body(old.as_ref())?))?)?)
    });
    let (rule, version) = saved.await?;
    Ok(Json(Shown { name, rule, version }))
}

/// `null` counts as absent.
fn without_nulls(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

fn check(rule: Rule) -> Result<Rule, Problem> {
    for (field, template) in [("title", &rule.title), ("body", &rule.body)] {
        if let Some(template) = template {
            wording::check(template).map_err(|why| Problem::field(Code::InvalidField, field, format!("no template: {why}")))?;
        }
    }
    if rule.to.is_empty() {
        let detail = "it names nobody; give a registration, `group:…` or `event.send_to`";
        return Err(Problem::field(Code::InvalidField, "to", detail));
    }
    let lengths =
        [("to", rule.to.len()), ("match.sources", rule.matching.sources.len()), ("match.types", rule.matching.types.len())];
    match lengths.into_iter().find(|(_, length)| *length > MOST_ENTRIES) {
        Some((field, _)) => Err(Problem::field(Code::TooManyItems, field, format!("it has {MOST_ENTRIES} entries at most"))),
        None => Ok(rule),
    }
}

fn show(record: &Record) -> Result<Shown, StoreError> {
    let name = Name::parse(&record.name).map_err(|error| StoreError::Corrupt(format!("a rule's name: {error}")))?;
    Ok(Shown { name, rule: record.read()?, version: record.version })
}
