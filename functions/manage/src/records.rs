//! What an account says under names of its own choosing: listed, shown, saved, changed, deleted, alike for every kind.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    model::{AccountId, Name},
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
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::overlay;

/// How often a save is tried against others.
const TRIES: usize = 5;

/// One kind of what an account says.
pub(crate) trait Said: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Where it is kept.
    const KIND: Kind;
    /// How many an account has at most, if they are read together.
    const MOST: Option<usize>;
    /// The field whose own fields a PATCH changes one by one, if there is one.
    const INNER: &str;

    /// Refuses what could not be used; types are checked already.
    fn check(&self) -> Result<(), Problem>;

    /// Notes what is ours to say: `old` is what it replaces. Refuses it from others.
    fn note(&mut self, _old: Option<&Self>, _now: Timestamp) -> Result<(), Problem> {
        Ok(())
    }
}

/// It as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<T> {
    name: Name,
    #[serde(flatten)]
    said: T,
    version: u64,
}

pub(crate) async fn list<T: Said>(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Name>,
) -> Result<Json<Items<Shown<T>>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let after = cursor.as_ref().map(Name::as_str);
    let found = api.ports.records.list(&caller.account, T::KIND, after, limit + 1).await?;
    let shown = found.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Json(Items::first(shown, limit, |last: &Shown<T>| last.name.clone())))
}

pub(crate) async fn one<T: Said>(
    State(api): State<Api>,
    Reader(caller): Reader,
    Named(name): Named,
) -> Result<Json<Shown<T>>, Refused> {
    let found = api.ports.records.get(&caller.account, T::KIND, name.as_str()).await?.ok_or_else(not_found)?;
    Ok(Json(show(&found)?))
}

pub(crate) async fn put<T: Said>(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown<T>>, Refused> {
    let body: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    save_named(&api, &caller.account, name, |_| Ok(Value::Object(body.clone()))).await
}

pub(crate) async fn patch<T: Said>(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown<T>>, Refused> {
    let change: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    save_named(&api, &caller.account, name, |old: Option<&T>| {
        let old = json!(old.ok_or_else(not_found)?);
        Ok(overlay(old.as_object().cloned().unwrap_or_default(), change.clone(), T::INNER))
    })
    .await
}

pub(crate) async fn delete<T: Said>(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
) -> Result<StatusCode, Refused> {
    let existed = api.ports.records.delete(&caller.account, T::KIND, name.as_str()).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Saves what `body` makes of what is stored. `null` counts as absent.
async fn save_named<T: Said>(
    api: &Api,
    account: &AccountId,
    name: Name,
    body: impl Fn(Option<&T>) -> Result<Value, Refused>,
) -> Result<Json<Shown<T>>, Refused> {
    let saved = save(api, account, T::KIND, name.as_str(), T::MOST, |old| {
        let old = old.map(Record::read::<T>).transpose()?;
        let mut body = body(old.as_ref())?;
        if let Value::Object(fields) = &mut body {
            fields.retain(|_, value| !value.is_null());
            if let Some(Value::Object(inner)) = fields.get_mut(T::INNER) {
                inner.retain(|_, value| !value.is_null());
            }
        }
        let mut said: T = json::read(body)?;
        said.check()?;
        said.note(old.as_ref(), api.ports.clock.now())?;
        Ok(said)
    });
    let (said, version) = saved.await?;
    Ok(Json(Shown { name, said, version }))
}

fn show<T: Said>(record: &Record) -> Result<Shown<T>, StoreError> {
    let name = Name::parse(&record.name).map_err(|error| StoreError::Corrupt(format!("the name of a record: {error}")))?;
    Ok(Shown { name, said: record.read()?, version: record.version })
}

/// Saves what `make` makes of the stored record; a new one only if there are fewer than `most`, where there is such a number.
/// Those who save new ones at the same moment do not see each other: by so many there may be more. Answers it with its version.
pub(crate) async fn save<T: Serialize>(
    api: &Api,
    account: &AccountId,
    kind: Kind,
    name: &str,
    most: Option<usize>,
    make: impl Fn(Option<&Record>) -> Result<T, Refused>,
) -> Result<(T, u64), Refused> {
    let records = &api.ports.records;
    for _ in 0..TRIES {
        let old = records.get(account, kind, name).await?;
        let new = make(old.as_ref())?;
        if let (None, Some(most)) = (&old, most)
            && records.list(account, kind, None, most).await?.len() >= most
        {
            let detail = format!("an account has {most} of these at most; delete one, or let one say more");
            return Err(Problem::new(Code::TooManyItems, detail).into());
        }
        let body = serde_json::to_string(&new).map_err(|error| StoreError::Corrupt(format!("a record: {error}")))?;
        let record = Record { name: name.to_owned(), version: old.map_or(0, |old| old.version) + 1, body };
        if records.put(account, kind, &record).await? {
            return Ok((new, record.version));
        }
    }
    Err(Problem::new(Code::Conflict, format!("others saved `{name}` at the same moment; read it again and repeat")).into())
}
