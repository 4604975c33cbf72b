//! Who is calling. A handler names the scope that it needs by the extractor it asks for: [`Sender`], [`Reader`],
//! [`Manager`], [`Operator`]; without that scope it is never entered.
//!
//! Promise: an unknown id costs the same work as a wrong secret, and both get the same answer.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    model::{AccountId, Key, KeyId, Scope},
};
use subtle::ConstantTimeEq;

use crate::{
    Api, Refused,
    key::{Credential, parse_key},
};

/// Whoever showed a valid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// For whom it speaks.
    pub account: AccountId,
    /// Which key it showed.
    pub key: KeyId,
    /// What that key may do.
    pub scopes: Vec<Scope>,
    /// When that key stops working; for a session's, when the key does that it was begun with: a session ends by itself, and
    /// what is made during one need not end with it.
    pub expires_at: Option<Timestamp>,
}

impl Caller {
    /// Refuses a caller whose key lacks that scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        let detail = || format!("this takes a key with the scope `{}`; make one with `POST /v1/keys`", scope.as_str());
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Problem::new(Code::Forbidden, detail())) }
    }
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident => $scope:expr),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Caller);

        impl FromRequestParts<Api> for $name {
            type Rejection = Refused;
            async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
                let caller = authenticate(api, &parts.headers).await?;
                caller.require($scope)?;
                Ok(Self(caller))
            }
        }
    )*};
}

callers! {
    /// A caller that may report events and send messages.
    Sender => Scope::Send,
    /// A caller that may see events, deliveries and lists.
    Reader => Scope::Read,
    /// A caller that may change what the account owns.
    Manager => Scope::Manage,
    /// A caller that runs the deployment.
    Operator => Scope::Operate,
}

async fn authenticate(api: &Api, headers: &HeaderMap) -> Result<Caller, Refused> {
    let unauthorized = |detail: &str| Refused(Problem::new(Code::Unauthorized, detail));
    let shown =
        credential(headers).ok_or_else(|| unauthorized("show a key in `Authorization: Bearer bh_…` or in `X-Api-Key: bh_…`"))?;
    proven(api, &shown).await?.map_err(unauthorized)
}

/// Whom that key speaks for, or why it does not count.
pub async fn proven(api: &Api, shown: &Credential) -> Result<Result<Caller, &'static str>, StoreError> {
    let key = api.ports.keys.get(&shown.id).await?;
    // a hash that no secret has stands in for an unknown key's, so that ids cannot be told by the time an answer takes
    let stored = key.as_ref().map_or_else(|| "-".repeat(64), |key| key.hash.to_ascii_lowercase());
    let proven = bool::from(shown.hash().as_bytes().ct_eq(stored.as_bytes()));
    let Some(key) = key.filter(|_| proven) else { return Ok(Err("there is no such key; it may have been revoked")) };
    let now = api.ports.clock.now();
    let is_over = |key: &Key| key.expires_at.is_some_and(|end| end <= now);
    if is_over(&key) {
        return Ok(Err("this key has expired; ask for a new one"));
    }
    let expires_at = match &key.session_of {
        None => key.expires_at,
        Some(begun_with) => match api.ports.keys.get(begun_with).await?.filter(|begun_with| !is_over(begun_with)) {
            Some(begun_with) => begun_with.expires_at,
            None => return Ok(Err("the key that this session was begun with is gone; sign in with another")),
        },
    };
    api.uses.note(&api.ports, &key).await;
    let Key { id, account, scopes, .. } = &*key;
    Ok(Ok(Caller { account: account.clone(), key: id.clone(), scopes: scopes.clone(), expires_at }))
}

/// `Authorization` counts before `X-Api-Key`.
fn credential(headers: &HeaderMap) -> Option<Credential> {
    let text = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key)?
        }
        None => headers.get("x-api-key")?.to_str().ok()?,
    };
    parse_key(text.trim()).ok()
}
