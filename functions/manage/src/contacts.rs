//! Contacts: people, with their addresses on channels that serve many with one app.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, StoreError,
    model::{AccountId, Contact, Name},
    ports::{Kind, Record},
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

/// A contact as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    name: Name,
    #[serde(flatten)]
    contact: Contact,
    version: u64,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Name>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let after = cursor.as_ref().map(Name::as_str);
    let found = api.ports.records.list(&caller.account, Kind::Contact, after, limit + 1).await?;
    let shown = found.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.name.clone())))
}

pub(crate) async fn one(State(api): State<Api>, Reader(caller): Reader, Named(name): Named) -> Result<Json<Shown>, Refused> {
    let found = api.ports.records.get(&caller.account, Kind::Contact, name.as_str()).await?.ok_or_else(not_found)?;
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
        Ok(overlay(old.as_object().cloned().unwrap_or_default(), change.clone(), ""))
    })
    .await
}

pub(crate) async fn delete(State(api): State<Api>, Manager(caller): Manager, Named(name): Named) -> Result<StatusCode, Refused> {
    let existed = api.ports.records.delete(&caller.account, Kind::Contact, name.as_str()).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Saves what `body` makes of the stored contact.
async fn save(
    api: &Api,
    account: &AccountId,
    name: Name,
    body: impl Fn(Option<&Contact>) -> Result<Value, Refused>,
) -> Result<Json<Shown>, Refused> {
    let saved = records::save(api, account, Kind::Contact, name.as_str(), None, |old| {
        let old = old.map(Record::read::<Contact>).transpose()?;
        let contact: Contact = json::read(body(old.as_ref())?)?;
        match contact.broken() {
            Some((field, error)) => Err(Problem::field(Code::InvalidField, field, error.to_string()).into()),
            None => Ok(contact),
        }
    });
    let (contact, version) = saved.await?;
    Ok(Json(Shown { name, contact, version }))
}

fn show(record: &Record) -> Result<Shown, StoreError> {
    let name = Name::parse(&record.name).map_err(|error| StoreError::Corrupt(format!("a contact's name: {error}")))?;
    Ok(Shown { name, contact: record.read()?, version: record.version })
}
