//! Tests: a message is sent now, by a registration that is stored, by one that is about to be, or by values that somebody has
//! just typed; the answer shows what the provider said.
//!
//! Promise: a test takes 25 seconds at most, and counts as one request that sends.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::{Uri, request::Parts},
};
use bellhop_core::{
    Code, Problem,
    channel::Spec,
    deliver::trial::{self, Asked, Trial},
    model::{Account, Address, AddressKind, ChannelId, Registration},
    ports::Freshness,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::Manager,
    path::{Named, not_found},
};
use serde::Deserialize;
use serde_json::Value;

use crate::registrations::checked;

/// How long a test may take: the HTTP API of AWS waits 30 seconds.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const LONGEST: Duration = Duration::from_secs(25);

/// How long title and text of a test may be, in characters: it is a test, not a message.
const MOST_TITLE: usize = 200;
const MOST_BODY: usize = 2_000;

/// The path of a name that is none: what was typed is tested there.
const TYPED: &str = "test";

/// What a test may say of itself.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Said {
    to: Option<String>,
    title: Option<String>,
    body: Option<String>,
}

/// Values that are not saved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    channel: ChannelId,
    params: Option<Value>,
    to: Option<String>,
    title: Option<String>,
    body: Option<String>,
}

/// Tests a stored registration, whether it is switched on or not.
pub(crate) async fn stored(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Trial>, Refused> {
    let payload = Payload::read(request, Limit::Plain).await?;
    let said: Said = if payload.bytes().is_empty() { Said::default() } else { payload.parse()? };
    let found = api.ports.registrations.get(&caller.account, &name, Freshness::Fresh).await?.ok_or_else(not_found)?;
    let account = api.account(&caller.account).await?;
    Ok(Json(send(&api, &account, &found, true, said).await?))
}

/// Tests typed values, under the path of no name.
pub(crate) async fn typed(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Trial>, Refused> {
    if name.as_str() != TYPED {
        let detail = format!("nothing is posted here; PUT saves a registration, and `/v1/registrations/{name}/test` tests it");
        return Err(Problem::new(Code::NotFound, detail).into());
    }
    let Typed { channel, params, to, title, body } = Payload::read(request, Limit::Plain).await?.parse()?;
    let params = checked(api.ports.channels, &channel, params)?;
    let account = api.account(&caller.account).await?;
    let said = Said { to, title, body };
    let registration = Registration::unsaved(caller.account, name, channel, params, api.ports.clock.now());
    Ok(Json(send(&api, &account, &registration, false, said).await?))
}

/// Whether a registration is saved only if a test of it succeeds, and to whom that goes.
pub(crate) struct Verify {
    on: bool,
    to: Option<String>,
}

impl Verify {
    /// Tests it if that is asked for.
    pub(crate) async fn test(self, api: &Api, registration: &Registration) -> Result<Option<Trial>, Refused> {
        if !self.on {
            return Ok(None);
        }
        let account = api.account(&registration.account).await?;
        let said = Said { to: self.to, ..Said::default() };
        send(api, &account, registration, false, said).await.map(Some)
    }
}

/// Takes the query off the path: what is extracted after it takes none.
impl<S: Send + Sync> FromRequestParts<S> for Verify {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let mut verify = Self { on: false, to: None };
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let refused = |detail: &str| Problem::field(Code::InvalidQuery, name.to_string(), detail);
            match (&*name, &*value) {
                ("verify", "true") => verify.on = true,
                ("verify", "false") => verify.on = false,
                ("verify", _) => return Err(refused("expected `true` or `false`").into()),
                ("to", to) => verify.to = Some(to.to_owned()),
                _ => return Err(refused("this route takes `verify`, and with it `to`").into()),
            }
        }
        if verify.to.is_some() && !verify.on {
            return Err(Problem::field(Code::InvalidQuery, "to", "it says where a test goes: add `verify=true`").into());
        }
        let path = parts.uri.path().parse::<Uri>();
        parts.uri = path.map_err(|_| Problem::new(Code::NotFound, "there is nothing at this path"))?;
        Ok(verify)
    }
}

async fn send(api: &Api, account: &Account, registration: &Registration, is_stored: bool, said: Said) -> Result<Trial, Refused> {
    let Said { to, title, body } = said;
    for (field, text, most) in [("title", &title, MOST_TITLE), ("body", &body, MOST_BODY)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > most) {
            let detail = format!("a test has {most} characters at most; a longer text is a message");
            return Err(Problem::field(Code::InvalidField, field, detail).into());
        }
    }
    let channel = api.ports.channels.speaker(&registration.channel)?;
    let to = to.map(|to| address(channel.spec(), &to)).transpose()?;
    api.spend(account, 1)?;
    let Registration { name, params, .. } = registration;
    let asked = Asked { account, name, channel, params, stored: is_stored.then_some(registration), to, title, body };
    Ok(trial::trial(&api.ports, asked, tokio::time::sleep(LONGEST)).await?)
}

/// `email:a@example.org`, or the address alone: the channel knows of which kind it is.
fn address(spec: &Spec, text: &str) -> Result<Address, Problem> {
    let invalid = |detail: String| Problem::field(Code::InvalidField, "to", detail);
    let Some(kind) = spec.address else {
        return Err(invalid(format!("`{}` reaches the one place that its parameters name; leave it out", spec.id)));
    };
    let named = AddressKind::ALL.into_iter().find_map(|kind| Some((kind, text.strip_prefix(kind.as_str())?.strip_prefix(':')?)));
    let value = match named {
        Some((named, value)) if named == kind => value,
        Some(_) => return Err(invalid(format!("`{}` takes addresses of the kind `{}:`", spec.id, kind.as_str()))),
        None => text,
    };
    Address::parse(kind, value).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use bellhop_testkit::BARE;

    use super::*;

    #[test]
    fn an_address_of_another_kind_is_refused_and_not_taken_for_a_name() {
        let spec = Spec { address: Some(AddressKind::Wecom), ..BARE };
        for good in ["wecom:bob", "bob"] {
            assert_eq!(address(&spec, good), Ok(Address::parse(AddressKind::Wecom, "bob").unwrap()), "{good}");
        }
        let refused = address(&spec, "email:bob@example.org").unwrap_err();
        assert!(refused.field.as_deref() == Some("to") && refused.detail.contains("`wecom:`"), "{refused:?}");
    }
}
