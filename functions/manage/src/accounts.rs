//! Tenants, for whoever runs the deployment: made with a first key, given quotas, listed, deleted.
//!
//! Promises: nothing that an account owns is shown here; the name of a deleted account is never given again; the operator's own
//! account cannot be deleted. Left to others: what becomes of an account's things ([`bellhop_core::ending`]).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bellhop_core::{
    Code, Problem, Timestamp,
    ending::{self, Left},
    model::{Account, AccountId, Action, Key, KeyId, NameError, Quotas, Scope},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload, REMEMBERED},
    caller::Operator,
    key::new_key,
    list::{Everything, Items, Listing},
    path::{Named, not_found},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    account, audit,
    keys::{self, id_from},
    overlay,
};

const MAKE: &str = "POST /v1/accounts";

/// What an account's first key may do: all but running the deployment.
const FIRST: [Scope; 3] = [Scope::Send, Scope::Read, Scope::Manage];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: String,
}

/// An account as it is shown to the operator; with its first key in the answer that makes it.
#[derive(Serialize)]
pub(crate) struct Shown {
    id: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    quotas: Quotas,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<keys::Shown>,
}

impl Shown {
    fn new(account: Account, key: Option<keys::Shown>) -> Self {
        let Account { id, created_at, deleted_at, quotas, .. } = account;
        Self { id, created_at, deleted_at, quotas, key }
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Operator(caller): Operator,
    listing: Listing<Everything, AccountId>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let accounts = &api.ports.accounts;
    let mut found = accounts.list(cursor.as_ref(), limit + 1).await?;
    // the operator's own has no row before it saves settings
    let is_after = cursor.is_none_or(|cursor| caller.account > cursor);
    if is_after && accounts.get(&caller.account).await?.is_none() {
        found.push(Account::new(caller.account));
        found.sort_by(|a, b| a.id.cmp(&b.id));
    }
    let shown = found.into_iter().map(|account| Shown::new(account, None)).collect();
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.id.clone())))
}

pub(crate) async fn make(
    State(api): State<Api>,
    Operator(caller): Operator,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Refused> {
    let payload = Payload::read(request, Limit::Plain).await?;
    let Body { id } = payload.parse()?;
    let id = AccountId::parse(&id).map_err(|NameError| Problem::field(Code::InvalidName, "id", NameError.to_string()))?;
    if id == caller.account {
        return Err(taken(&id).into());
    }
    let clock = &*api.ports.clock;
    let now = clock.now();
    let repeatable = payload.idempotency_key(&caller.account, MAKE, now);
    let key_id = repeatable.as_ref().map_or_else(|| KeyId::from_chance(clock.chance()), |key| id_from(key, None));
    let credential = new_key(key_id, [clock.chance(), clock.chance()]);
    let key = Key {
        id: credential.id.clone(),
        account: id.clone(),
        hash: credential.hash(),
        scopes: FIRST.to_vec(),
        description: Some("first key".to_owned()),
        expires_at: None,
        session_of: None,
        created_at: now,
    };
    let account = Account { created_at: Some(now), ..Account::new(id) };
    audit::record(&api, &caller, Action::AccountMade, Some(account.id.to_string())).await?;
    if api.ports.accounts.create(&account, &key).await? {
        let key = keys::Shown::new(key, Some(credential.expose()));
        return Ok((StatusCode::CREATED, Json(Shown::new(account, Some(key)))));
    }
    let (account, key) = made_before(&api, &key).await?;
    Ok((StatusCode::OK, Json(Shown::new(account, Some(keys::Shown::new(key, None))))))
}

/// What PATCH takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    quotas: Map<String, Value>,
}

/// How much an account may have.
pub(crate) async fn patch(
    State(api): State<Api>,
    Operator(caller): Operator,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    let Change { quotas } = Payload::read(request, Limit::Plain).await?.parse()?;
    let id = AccountId::parse(name.as_str()).map_err(|_| not_found())?;
    for _ in 0..account::RACES {
        let stored = api.ports.accounts.get(&id).await?.filter(|account| account.deleted_at.is_none());
        // the operator's own has no row before it saves settings
        let own = || (id == caller.account).then(|| Account::new(id.clone()));
        let old = stored.as_deref().cloned().or_else(own).ok_or_else(not_found)?;
        let before = serde_json::to_value(old.quotas).ok().and_then(|before| before.as_object().cloned()).unwrap_or_default();
        let quotas = account::quotas(overlay(before, quotas.clone(), &[]))?;
        audit::record(&api, &caller, Action::AccountSaved, Some(id.to_string())).await?;
        let account = Account { quotas, ..old };
        if api.ports.accounts.put(stored.as_deref(), &account).await? {
            return Ok(Json(Shown::new(account, None)));
        }
    }
    Err(account::raced().into())
}

pub(crate) async fn delete(State(api): State<Api>, Operator(caller): Operator, Named(name): Named) -> Result<Response, Refused> {
    let id = AccountId::parse(name.as_str()).map_err(|_| not_found())?;
    if id == caller.account {
        let detail = "this is the account of the key that you show; the operator's own account cannot be deleted";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    audit::record(&api, &caller, Action::AccountDeleted, Some(id.to_string())).await?;
    match ending::end(&api.ports, &id).await?.ok_or_else(not_found)? {
        (_, Left::Nothing) => Ok(StatusCode::NO_CONTENT.into_response()),
        (account, Left::More) => Ok((StatusCode::ACCEPTED, Json(Shown::new(account, None))).into_response()),
    }
}

/// The account and the first key that an earlier request of the same idempotency key made.
async fn made_before(api: &Api, wanted: &Key) -> Result<(Account, Key), Refused> {
    let Some(account) = api.ports.accounts.get(&wanted.account).await? else {
        // so it is the key's id that is taken, which follows from the idempotency key
        let detail = "this key came with another body before; use a new key for a new request";
        return Err(Problem::field(Code::IdempotencyMismatch, "Idempotency-Key", detail).into());
    };
    let found = api.ports.keys.list(&wanted.account).await?.into_iter().find(|key| key.id == wanted.id);
    let found = found.filter(|found| wanted.created_at < found.created_at + REMEMBERED);
    Ok((Account::clone(&account), found.ok_or_else(|| taken(&wanted.account))?))
}

fn taken(id: &AccountId) -> Problem {
    let detail = format!("there is an account `{id}` already, or was: names are given once; choose another");
    Problem::field(Code::Conflict, "id", detail)
}
