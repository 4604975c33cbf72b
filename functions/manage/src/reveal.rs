//! A registration's parameters in clear, the former ones too, for whoever gives a manager's key once more: a browser that was
//! left open, or a program that holds a key, does not give away what it never needs to see.
//!
//! Promise: nothing is shown before the audit says so; what was refused is there, too.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, header},
};
use bellhop_core::{
    Code, Problem, Timestamp,
    channel::Params,
    model::{Action, ChannelId, Former, Name, Registration, Scope},
    ports::Freshness,
    token::Secret,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Caller, Manager, proven},
    key::parse_key,
    path::{Named, not_found},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::audit;

/// How much of what the account may send in a second a wrong key takes, so that keys are not tried out.
const TAKES: u32 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    key: Secret,
}

/// All of it; printed nowhere.
#[derive(Serialize)]
pub(crate) struct Revealed {
    name: Name,
    channel: ChannelId,
    params: Clear,
    version: u64,
    updated_at: Timestamp,
    former: Vec<RevealedFormer>,
}

/// What was there before.
#[derive(Serialize)]
struct RevealedFormer {
    version: u64,
    channel: ChannelId,
    params: Clear,
    saved_at: Timestamp,
    replaced_at: Timestamp,
}

/// Parameters with their secrets.
#[derive(Serialize)]
#[serde(transparent)]
struct Clear(Map<String, Value>);

impl From<&Params> for Clear {
    fn from(params: &Params) -> Self {
        Self(params.expose().clone())
    }
}

impl From<Former> for RevealedFormer {
    fn from(Former { version, channel, params, saved_at, replaced_at }: Former) -> Self {
        Self { version, channel, params: Clear::from(&params), saved_at, replaced_at }
    }
}

/// No cache keeps it. <https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5>
const NOT_KEPT: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

pub(crate) async fn reveal(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<([(HeaderName, &'static str); 1], Json<Revealed>), Refused> {
    let Body { key } = Payload::read(request, Limit::Plain).await?.parse()?;
    let account = api.account(&caller.account).await?;
    api.spend(&account, TAKES)?;
    let object = Some(name.as_str().to_owned());
    if !is_managers(&api, &caller, &key).await? {
        audit::record(&api, &caller, Action::RevealRefused, object).await?;
        let detail = "expected a whole key of this account with the scope `manage`, that of this request for example";
        return Err(Problem::field(Code::Forbidden, "key", detail).into());
    }
    api.give_back(&account, TAKES - 1);
    let found = api.ports.registrations.get(&caller.account, &name, Freshness::Fresh).await?.ok_or_else(not_found)?;
    let former = api.ports.registrations.formers(&caller.account, &name).await?;
    audit::record(&api, &caller, Action::RegistrationRevealed, object).await?;
    let Registration { channel, params, version, updated_at, .. } = &*found;
    let revealed = Revealed {
        name,
        channel: channel.clone(),
        params: Clear::from(params),
        version: *version,
        updated_at: *updated_at,
        former: former.into_iter().map(RevealedFormer::from).collect(),
    };
    Ok((NOT_KEPT, Json(revealed)))
}

/// Whether that key may manage the caller's account now.
async fn is_managers(api: &Api, caller: &Caller, key: &Secret) -> Result<bool, Refused> {
    let Ok(shown) = parse_key(key.expose().trim()) else { return Ok(false) };
    let proven = proven(api, &shown).await?;
    Ok(proven.is_ok_and(|who| who.account == caller.account && who.scopes.contains(&Scope::Manage)))
}
