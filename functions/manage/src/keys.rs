//! API keys: made, listed, revoked. A key is told once, in the answer that makes it.
//!
//! The id of a key that is made under an `Idempotency-Key` follows from that key, so that a repeated request finds what the
//! first one made. It is answered without the secret, which is not stored. After 24 hours an idempotency key stands for nothing,
//! and what is made under it follows from what was made before.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, Timestamp,
    model::{AccountId, Action, Key, KeyId, KeyUse, Scope},
    ports::{IdempotencyKey, Kind},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload, REMEMBERED},
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

/// How many keys an account has at most, those of sessions not counted.
const MOST: usize = 200;

/// More than there are, those of keys that were revoked while they were used included.
const MOST_USES: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    scopes: Vec<Scope>,
    /// Another one than the caller's: whoever runs the deployment helps those who have lost their keys.
    account: Option<String>,
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
    /// The key that somebody has signed in with, if this one is a session's.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_of: Option<KeyId>,
    created_at: Timestamp,
    /// To the minute or so.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl Shown {
    pub(crate) fn new(key: Key, whole: Option<String>) -> Self {
        let Key { id, account: _, hash: _, scopes, description, expires_at, session_of, created_at } = key;
        Self { id, key: whole, scopes, description, expires_at, session_of, created_at, last_used_at: None }
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
    let uses = api.ports.records.list(&caller.account, Kind::Use, None, MOST_USES).await?;
    let last_use = |id: &KeyId| uses.iter().find(|one| one.name == id.to_string())?.read::<KeyUse>().ok();
    let after = keys.into_iter().filter(|key| cursor.as_ref().is_none_or(|cursor| key.id > *cursor));
    let shown = after.map(|key| {
        let last_used_at = last_use(&key.id).map(|last| last.at);
        Shown { last_used_at, ..Shown::new(key, None) }
    });
    let shown = shown.collect();
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
    let owner = body.owner(&api, &caller).await?;
    let repeatable = payload.idempotency_key(&caller.account, MAKE, now);
    let known = api.ports.keys.list(&owner).await?;
    let id = match &repeatable {
        Some(repeatable) => id_under(repeatable, &known, now),
        None => KeyId::from_chance(clock.chance()),
    };
    let lasting = known.iter().filter(|key| key.session_of.is_none()).count();
    if lasting >= MOST && !known.iter().any(|key| key.id == id) {
        return Err(Problem::new(Code::TooManyItems, format!("an account has {MOST} keys at most; revoke one")).into());
    }
    let credential = new_key(id, [clock.chance(), clock.chance()]);
    let key = Key {
        id: credential.id.clone(),
        account: owner,
        hash: credential.hash(),
        scopes: body.scopes,
        description: body.description,
        expires_at: body.expires_at.map(|Moment(end)| end),
        session_of: None,
        created_at: now,
    };
    if repeatable.is_some()
        && let Some(made) = made_before(&api, &key).await?
    {
        return Ok((StatusCode::OK, Json(Shown::new(made, None))));
    }
    audit::record(&api, &caller, Action::KeyMade, Some(key.id.to_string())).await?;
    if key.account != caller.account {
        audit::record_for(&api, &key.account, &caller, Action::KeyMade, Some(key.id.to_string())).await?;
    }
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
    api.ports.records.delete(&caller.account, Kind::Use, &id.to_string()).await?;
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
        if let Some(last) = caller.expires_at
            && self.expires_at.is_none_or(|Moment(end)| end > last)
        {
            let detail = format!("the calling key ends at {last}; nobody gives what outlasts his own, so give a time until then");
            return Err(Problem::field(Code::Forbidden, "expires_at", detail));
        }
        Ok(self)
    }

    /// Whose the key is to be.
    async fn owner(&self, api: &Api, caller: &Caller) -> Result<AccountId, Refused> {
        let Some(named) = self.account.as_deref().filter(|named| *named != caller.account.as_str()) else {
            return Ok(caller.account.clone());
        };
        caller.require(Scope::Operate)?;
        if self.scopes.contains(&Scope::Operate) {
            let detail = "`operate` is for keys of the operator's own account; leave it out";
            return Err(Problem::field(Code::Forbidden, "scopes", detail).into());
        }
        let found = match AccountId::parse(named) {
            Ok(id) => api.ports.accounts.get(&id).await?,
            Err(_) => None,
        };
        match found.filter(|account| account.deleted_at.is_none()) {
            Some(account) => Ok(account.id.clone()),
            None => {
                Err(Problem::field(Code::InvalidField, "account", "there is none of that name; `GET /v1/accounts` lists them")
                    .into())
            }
        }
    }
}

/// The id of what is made under an idempotency key now: that of what was made under it in the last 24 hours, or a new one.
fn id_under(repeatable: &IdempotencyKey, known: &[Key], now: Timestamp) -> KeyId {
    let mut id = id_from(repeatable, None);
    while known.iter().any(|key| key.id == id && key.created_at + REMEMBERED <= now) {
        id = id_from(repeatable, Some(&id));
    }
    id
}

/// An id that follows from an idempotency key, and from what was made under it before.
pub(crate) fn id_from(key: &IdempotencyKey, before: Option<&KeyId>) -> KeyId {
    let before = before.map(KeyId::part).unwrap_or_default();
    let digest = Sha256::digest(format!("{}\n{}\n{}\n{before}", key.account, key.route, key.key));
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
