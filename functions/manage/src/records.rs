//! What an account says under names of its own choosing: listed, shown, saved, changed, deleted, alike for every kind.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    model::{Account, AccountId, Name},
    ports::{Kind, Ports, Record},
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
pub(crate) const TRIES: usize = 5;

/// One kind of what an account says.
pub(crate) trait Said: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Where it is kept.
    const KIND: Kind;
    /// How many an account has at most, if they are read together.
    const MOST: Option<usize>;
    /// The fields whose own fields a PATCH changes one by one.
    const INNER: &[&str];

    /// Refuses what could not be used; types are checked already.
    fn check(&self) -> Result<(), Problem>;

    /// It with what is ours to say of it: `before` is what it replaces. Refuses that from others.
    fn completed(self, _before: Option<&Self>, _settings: &Account, _now: Timestamp) -> Result<Self, Problem> {
        Ok(self)
    }

    /// What has to be done before it is saved (or deleted: there is no `after`), and once more behind it, with what was saved as
    /// both.
    fn prepare(
        _ports: &Ports,
        _settings: &Account,
        _name: &Name,
        _before: Option<&Self>,
        _after: Option<&Self>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
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
    let before = api.ports.records.get(&caller.account, T::KIND, name.as_str()).await?.ok_or_else(not_found)?;
    // one that cannot be read can be deleted all the same
    if let Ok(before) = before.read::<T>() {
        T::prepare(&api.ports, &*api.account(&caller.account).await?, &name, Some(&before), None).await?;
    }
    let existed = api.ports.records.delete(&caller.account, T::KIND, name.as_str()).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Saves what `body` makes of what is stored.
async fn save_named<T: Said>(
    api: &Api,
    account: &AccountId,
    name: Name,
    body: impl Fn(Option<&T>) -> Result<Value, Refused>,
) -> Result<Json<Shown<T>>, Refused> {
    let settings = &*api.account(account).await?;
    for _ in 0..TRIES {
        let stored = stored(api, account, T::KIND, name.as_str(), T::MOST).await?;
        let old = stored.as_ref().map(Record::read::<T>).transpose()?;
        let said = read(body(old.as_ref())?, old.as_ref(), settings, api.ports.clock.now())?;
        T::prepare(&api.ports, settings, &name, old.as_ref(), Some(&said)).await?;
        if let Some(version) = replace(api, account, T::KIND, name.as_str(), stored.as_ref(), &said).await? {
            T::prepare(&api.ports, settings, &name, Some(&said), Some(&said)).await?;
            return Ok(Json(Shown { name, said, version }));
        }
    }
    Err(raced(name.as_str()))
}

/// What `body` says, checked, with what is ours to say of it: `before` is what it replaces. `null` counts as absent.
pub(crate) fn read<T: Said>(mut body: Value, before: Option<&T>, settings: &Account, now: Timestamp) -> Result<T, Problem> {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
        for inner in T::INNER {
            if let Some(Value::Object(inner)) = fields.get_mut(*inner) {
                inner.retain(|_, value| !value.is_null());
            }
        }
    }
    let said: T = json::read(body)?;
    said.check()?;
    said.completed(before, settings, now)
}

fn show<T: Said>(record: &Record) -> Result<Shown<T>, StoreError> {
    let name = Name::parse(&record.name).map_err(|error| StoreError::Corrupt(format!("the name of a record: {error}")))?;
    Ok(Shown { name, said: record.read()?, version: record.version })
}

/// What is stored under that name; where there is nothing, there must be fewer than `most`, if there is such a number.
/// Those who save new ones at the same moment do not see each other: by so many there may be more.
pub(crate) async fn stored(
    api: &Api,
    account: &AccountId,
    kind: Kind,
    name: &str,
    most: Option<usize>,
) -> Result<Option<Record>, Refused> {
    let records = &api.ports.records;
    let old = records.get(account, kind, name).await?;
    if let (None, Some(most)) = (&old, most)
        && records.list(account, kind, None, most).await?.len() >= most
    {
        let detail = format!("an account has {most} of these at most; delete one, or let one say more");
        return Err(Problem::new(Code::TooManyItems, detail).into());
    }
    Ok(old)
}

/// Saves `new` in the place of `old`, and answers its version; nothing if somebody else saved in between.
pub(crate) async fn replace<T: Serialize + Sync>(
    api: &Api,
    account: &AccountId,
    kind: Kind,
    name: &str,
    old: Option<&Record>,
    new: &T,
) -> Result<Option<u64>, Refused> {
    let body = serde_json::to_string(new).map_err(|error| StoreError::Corrupt(format!("a record: {error}")))?;
    let version = old.map_or(0, |old| old.version) + 1;
    let saved = api.ports.records.put(account, kind, &Record { name: name.to_owned(), version, body }).await?;
    Ok(saved.then_some(version))
}

pub(crate) fn raced(name: &str) -> Refused {
    Problem::new(Code::Conflict, format!("others saved `{name}` at the same moment; read it again and repeat")).into()
}
