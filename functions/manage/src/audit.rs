//! An account's audit: who did what with what it owns, and when.
//!
//! Promise: what stands in the list of [`Action`]s is not done before its entry is kept. An entry whose deed then failed may
//! be there.

use axum::{Json, extract::State};
use bellhop_core::{
    Timestamp,
    model::{AccountId, Action, AuditEntry, AuditId, KeyId},
};
use bellhop_http::{
    Api, Refused,
    caller::{Caller, Manager},
    list::{Everything, Items, Listing},
};
use serde::Serialize;

/// An entry as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: AuditId,
    at: Timestamp,
    key: KeyId,
    action: Action,
    object: Option<String>,
}

/// Keeps that the caller does this now.
pub(crate) async fn record(api: &Api, caller: &Caller, action: Action, object: Option<String>) -> Result<(), Refused> {
    record_for(api, &caller.account, caller, action, object).await
}

/// Keeps that the caller does this now, where that account sees it.
pub(crate) async fn record_for(
    api: &Api,
    account: &AccountId,
    caller: &Caller,
    action: Action,
    object: Option<String>,
) -> Result<(), Refused> {
    let clock = &api.ports.clock;
    let account = api.account(account).await?;
    let entry = AuditEntry::new(&account, caller.key.clone(), action, object, (clock.now(), clock.chance()));
    Ok(api.ports.audit.record(&entry).await?)
}

pub(crate) async fn list(
    State(api): State<Api>,
    Manager(caller): Manager,
    listing: Listing<Everything, AuditId>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let found = api.ports.audit.list(&caller.account, cursor, limit + 1).await?.into_iter();
    let shown = found.map(|AuditEntry { id, key, action, object, .. }| Shown { id, at: id.time(), key, action, object });
    Ok(Json(Items::first(shown.collect(), limit, |last: &Shown| last.id)))
}
