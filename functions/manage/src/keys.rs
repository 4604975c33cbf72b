//! API keys: made, listed, revoked. A key is told once, in the answer that makes it.
//!
//! The id of a key that is made under an `Idempotency-Key` follows from that key, so that a repeated request finds what the
//! first one made. It is answered without the secret, which is not stored.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, Timestamp,
    model::{AccountId, Action, Key, KeyId, Scope},
    ports::IdempotencyKey,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Caller, Manager},
    json::Moment,
    key::new_key,
    list::{Everything, Items, Listing},
    path::{Identified, not_found},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit;

const MAKE: &str = "POST /v1/keys";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    scopes: Vec<Scope>,
    description: Option<String>,
    expires_at: Option<Moment>,
}

/// A key as it is shown; with the secret in the answer that makes it.
#[derive(Serialize)]
pub(crate) struct Shown {
    id: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    scopes: Vec<Scope>,
    description: Option<String>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl Shown {
    fn new(key: Key, whole: Option<String>) -> Self {
        let Key { id, account: _, hash: _, scopes, description, expires_at, created_at } = key;
        Self { id, key: whole, scopes, description, expires_at, created_at }
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Manager(caller): Manager,
    listing: Listing<Everything, KeyId>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let mut keys = api.ports.keys.list(&caller.account).await?;
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let after = keys.into_iter().filter(|key| cursor.as_ref().is_none_or(|cursor| key.id > *cursor));
    let shown = after.map(|key| Shown::new(key, None)).collect();
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.id.clone())))
}

pub(crate) async fn make(
    State(api): State<Api>,
    Manager(caller): Manager,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Refused> {
    let payload = Payload::read(request, Limit::Plain).await?;
    let clock = &*api.ports.clock;
    let now = clock.now();
    let body = payload.parse::<Body>()?.check(&caller, now)?;
    let repeatable = payload.idempotency_key(&caller.account, MAKE, now);
    let id = repeatable.as_ref().map_or_else(|| KeyId::from_chance(clock.chance()), id_from);
    let credential = new_key(id, [clock.chance(), clock.chance()]);
    let key = Key {
        id: credential.id.clone(),
        account: caller.account.clone(),
        hash: credential.hash(),
        scopes: body.scopes,
        description: body.description,
        expires_at: body.expires_at.map(|Moment(end)| end),
        created_at: now,
    };
    if repeatable.is_some()
        && let Some(made) = made_before(&api, &key).await?
    {
        return Ok((StatusCode::OK, Json(Shown::new(made, None))));
    }
    audit::record(&api, &caller, Action::KeyMade, Some(key.id.to_string())).await?;
    if api.ports.keys.create(&key).await? {
        return Ok((StatusCode::CREATED, Json(Shown::new(key, Some(credential.expose())))));
    }
    // two requests under one key at the same moment
    let taken = || Problem::new(Code::Conflict, "this id is taken; repeat with another `Idempotency-Key`");
    Ok((StatusCode::OK, Json(Shown::new(made_before(&api, &key).await?.ok_or_else(taken)?, None))))
}

pub(crate) async fn revoke(
    State(api): State<Api>,
    Manager(caller): Manager,
    Identified(id): Identified<KeyId>,
) -> Result<StatusCode, Refused> {
    find(&api, &caller.account, &id).await?.ok_or_else(not_found)?;
    audit::record(&api, &caller, Action::KeyRevoked, Some(id.to_string())).await?;
    let existed = api.ports.keys.delete(&caller.account, &id).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

impl Body {
    fn check(mut self, caller: &Caller, now: Timestamp) -> Result<Self, Problem> {
        self.scopes.sort();
        self.scopes.dedup();
        if self.scopes.is_empty() {
            return Err(Problem::field(Code::InvalidField, "scopes", "it is empty; a key needs at least one scope"));
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !caller.scopes.contains(scope)) {
            let detail = format!("the calling key lacks `{}`; nobody gives what he does not have", scope.as_str());
            return Err(Problem::field(Code::Forbidden, "scopes", detail));
        }
        if self.expires_at.is_some_and(|Moment(end)| end <= now) {
            return Err(Problem::field(Code::InvalidField, "expires_at", "it is over; give a time to come"));
        }
        Ok(self)
    }
}

fn id_from(key: &IdempotencyKey) -> KeyId {
    let digest = Sha256::digest(format!("{}\n{}", key.account, key.key));
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    KeyId::from_chance(u128::from_be_bytes(first))
}

async fn find(api: &Api, account: &AccountId, id: &KeyId) -> Result<Option<Key>, Refused> {
    Ok(api.ports.keys.list(account).await?.into_iter().find(|key| key.id == *id))
}

/// The key that an earlier request of the same idempotency key made, if there was one.
async fn made_before(api: &Api, wanted: &Key) -> Result<Option<Key>, Refused> {
    let Some(found) = find(api, &wanted.account, &wanted.id).await? else { return Ok(None) };
    let asks = |key: &Key| (key.scopes.clone(), key.description.clone(), key.expires_at);
    if asks(&found) == asks(wanted) {
        return Ok(Some(found));
    }
    let detail = "this key came with another body before; use a new key for a new request";
    Err(Problem::field(Code::IdempotencyMismatch, "Idempotency-Key", detail).into())
}
