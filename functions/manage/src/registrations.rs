//! Named destinations: saved whole with PUT, with `?verify=true` once a test of it has arrived; changed with PATCH, shown
//! without their secrets.
//!
//! Several registrations of a channel may be `"default": true`; the first by name then takes raw addresses.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bellhop_core::{
    Code, Problem, Timestamp,
    channel::{Catalog, Params, Spec},
    clients,
    deliver::trial::Trial,
    model::{AccountId, Action, ChannelId, Disabled, Name, NameError, Registration, Serves},
    ports::Freshness,
    quota::has_room_for_registration,
    short,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Caller, Manager, Reader},
    json,
    list::{Everything, Items, Listing},
    path::{Named, not_found},
    problem,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{audit, overlay, trials::Verify};

/// How often a save is tried when others save the same registration at the same moment.
const SAVES: usize = 2;

/// How many groups a registration may be in: DynamoDB writes 100 rows at once at most, and a save that leaves all of its
/// groups for others writes two for each.
const MOST_GROUPS: usize = 32;

/// The fewest characters of a secret of which the last four are shown.
const HINTED: usize = 12;

/// What PUT takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    channel: ChannelId,
    params: Option<Value>,
    groups: Option<Vec<String>>,
    enabled: Option<bool>,
    default: Option<bool>,
    serves: Option<Serves>,
    description: Option<String>,
}

/// A registration as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    name: Name,
    channel: ChannelId,
    params: Value,
    groups: Vec<Name>,
    enabled: bool,
    default: bool,
    serves: Serves,
    description: Option<String>,
    disabled: Option<Disabled>,
    paused_until: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// What came of the test that was asked for with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Trial>,
}

/// Why nothing was saved.
pub(crate) enum Unsaved {
    /// It could not be.
    Refused(Refused),
    /// It did not pass its test.
    Failed(Box<Trial>),
}

impl<E: Into<Refused>> From<E> for Unsaved {
    fn from(why: E) -> Self {
        Self::Refused(why.into())
    }
}

impl IntoResponse for Unsaved {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::Failed(test) => {
                let detail = "the test was not delivered, and nothing was saved; `test` says what was answered";
                problem::response(Problem::new(Code::TestFailed, detail), Map::from_iter([("test".to_owned(), json!(test))]))
            }
        }
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Name>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let found = api.ports.registrations.list(&caller.account, cursor.as_ref(), limit + 1).await?;
    let shown = found.iter().map(|registration| show(&api, registration)).collect();
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.name.clone())))
}

pub(crate) async fn one(State(api): State<Api>, Reader(caller): Reader, Named(name): Named) -> Result<Json<Shown>, Refused> {
    let found = fresh(&api, &caller.account, &name).await?.ok_or_else(not_found)?;
    Ok(Json(show(&api, &found)))
}

pub(crate) async fn put(
    State(api): State<Api>,
    Manager(caller): Manager,
    verify: Verify,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown>, Unsaved> {
    let body = Payload::read(request, Limit::Plain).await?.value()?;
    let wanted = json::read::<Body>(body.clone())?;
    let wanted = wanted.registration(api.ports.channels, &caller.account, &name, None, api.ports.clock.now())?;
    let test = verify.test(&api, &wanted).await?;
    if let Some(failed) = test.as_ref().filter(|test| !test.delivered) {
        return Err(Unsaved::Failed(Box::new(failed.clone())));
    }
    let Json(saved) = save(&api, &caller, &name, |_| Ok(body.clone())).await?;
    Ok(Json(Shown { test, ..saved }))
}

pub(crate) async fn patch(
    State(api): State<Api>,
    Manager(caller): Manager,
    Named(name): Named,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    let change: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    save(&api, &caller, &name, |old| Ok(overlay(as_body(old.ok_or_else(not_found)?), change.clone(), &["params"]))).await
}

pub(crate) async fn delete(State(api): State<Api>, Manager(caller): Manager, Named(name): Named) -> Result<StatusCode, Refused> {
    fresh(&api, &caller.account, &name).await?.ok_or_else(not_found)?;
    audit::record(&api, &caller, Action::RegistrationDeleted, Some(name.as_str().to_owned())).await?;
    let existed = api.ports.registrations.delete(&caller.account, &name).await?;
    clients::dismiss(&api.ports, &caller.account, &name).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

async fn fresh(api: &Api, account: &AccountId, name: &Name) -> Result<Option<Arc<Registration>>, Refused> {
    Ok(api.ports.registrations.get(account, name, Freshness::Fresh).await?)
}

/// Saves what `body` makes of the stored registration. Whoever saves has looked at it: a provider's verdict on the former
/// parameters is over.
async fn save(
    api: &Api,
    caller: &Caller,
    name: &Name,
    body: impl Fn(Option<&Registration>) -> Result<Value, Refused>,
) -> Result<Json<Shown>, Refused> {
    let (channels, account) = (api.ports.channels, &caller.account);
    for attempt in 0..SAVES {
        let old = fresh(api, account, name).await?;
        let body: Body = json::read(body(old.as_deref())?)?;
        let registration = body.registration(channels, account, name, old.as_deref(), api.ports.clock.now())?;
        if old.as_ref().is_none_or(|old| old.channel != registration.channel) {
            has_room_for_registration(&api.ports, account, &registration.channel).await?;
        }
        if attempt == 0 {
            audit::record(api, caller, Action::RegistrationSaved, Some(name.as_str().to_owned())).await?;
        }
        if api.ports.registrations.put(&registration).await? {
            return Ok(Json(show(api, &registration)));
        }
    }
    Err(Problem::new(Code::Conflict, format!("others saved `{name}` at the same moment; read it again and repeat")).into())
}

impl Body {
    /// The registration that this body asks for, in place of `old`.
    fn registration(
        self,
        channels: Catalog,
        account: &AccountId,
        name: &Name,
        old: Option<&Registration>,
        now: Timestamp,
    ) -> Result<Registration, Problem> {
        let spec = channels.require(&self.channel)?;
        let params = checked(channels, &self.channel, self.params)?;
        let serves = self.serves.unwrap_or_default();
        if serves == Serves::Contacts && spec.address.is_none() {
            let detail = format!("`{}` reaches the one place that its parameters name", self.channel);
            return Err(Problem::field(Code::InvalidField, "serves", detail));
        }
        Ok(Registration {
            account: account.clone(),
            name: name.clone(),
            channel: self.channel,
            params,
            groups: groups(&self.groups.unwrap_or_default())?,
            enabled: self.enabled.unwrap_or(true),
            default: self.default.unwrap_or(false),
            serves,
            description: self.description,
            version: old.map_or(0, |old| old.version) + 1,
            disabled: None,
            paused_until: None,
            timeouts: 0,
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: now,
        })
    }
}

/// Parameters that the channel takes, out of what was given.
pub(crate) fn checked(channels: Catalog, channel: &ChannelId, given: Option<Value>) -> Result<Params, Problem> {
    let spec = channels.require(channel)?;
    let params = Params::parse(spec, given.map_or(Ok(Map::new()), |given| object(spec, given))?)?;
    (spec.check)(&params)?;
    Ok(params)
}

/// The parameters as an object, with every secret in clear.
fn object(spec: &Spec, params: Value) -> Result<Map<String, Value>, Problem> {
    match params {
        Value::Object(params) => match params.iter().find(|(_, value)| is_masked(value)) {
            Some((name, _)) => {
                let detail =
                    "this is how an answer hides a secret; give the secret itself, or leave it out of a PATCH to keep it";
                Err(Problem::field(Code::InvalidParams, format!("params.{name}"), detail))
            }
            None => Ok(params),
        },
        Value::String(line) => short::read(spec, &line),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(Problem::field(Code::InvalidParams, "params", "expected an object of parameters, or all on one line as `a;b;c`"))
        }
    }
}

fn groups(texts: &[String]) -> Result<Vec<Name>, Problem> {
    let name = |(at, text): (usize, &String)| {
        Name::parse(text).map_err(|NameError| Problem::field(Code::InvalidName, format!("groups[{at}]"), NameError.to_string()))
    };
    let mut names: Vec<_> = texts.iter().enumerate().map(name).collect::<Result<_, _>>()?;
    names.sort();
    names.dedup();
    if names.len() > MOST_GROUPS {
        let detail = format!("a registration is in {MOST_GROUPS} groups at most");
        return Err(Problem::field(Code::TooManyItems, "groups", detail));
    }
    Ok(names)
}

/// The body that would save this registration as it is.
fn as_body(old: &Registration) -> Map<String, Value> {
    let Registration { channel, params, groups, enabled, default, serves, description, .. } = old;
    let fields = [
        ("channel", json!(channel)),
        ("params", Value::Object(params.expose().clone())),
        ("groups", json!(groups)),
        ("enabled", json!(enabled)),
        ("default", json!(default)),
        ("serves", json!(serves)),
        ("description", json!(description)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn show(api: &Api, registration: &Registration) -> Shown {
    let Registration {
        account: _,
        name,
        channel,
        params,
        groups,
        enabled,
        default,
        serves,
        description,
        version,
        disabled,
        paused_until,
        timeouts: _,
        created_at,
        updated_at,
    } = registration.clone();
    let paused_until = paused_until.filter(|until| *until > api.ports.clock.now());
    let params = mask_secrets(api.ports.channels.get(channel.as_str()), &params);
    Shown {
        name,
        channel,
        params,
        groups,
        enabled,
        default,
        serves,
        description,
        disabled,
        paused_until,
        version,
        created_at,
        updated_at,
        test: None,
    }
}

/// The parameters with every secret hidden; all of them where the channel is not known here.
fn mask_secrets(spec: Option<&Spec>, params: &Params) -> Value {
    let is_public = |name: &str| spec.is_some_and(|spec| spec.params.iter().any(|param| param.name == name && !param.secret));
    let shown = |(name, value): (&String, &Value)| (name.clone(), if is_public(name) { value.clone() } else { mask(value) });
    Value::Object(params.expose().iter().map(shown).collect())
}

fn mask(value: &Value) -> Value {
    match value {
        Value::Object(headers) => headers.iter().map(|(name, value)| (name.clone(), mask(value))).collect(),
        Value::String(text) => {
            // of a URL or of `Bearer …` the last word is what is secret
            let word = text.rsplit([' ', '/', '?', '&', '=', ':', '"']).next().unwrap_or_default();
            match word.chars().count().checked_sub(4) {
                Some(hidden) if hidden + 4 >= HINTED => {
                    json!({"set": true, "hint": format!("…{}", word.chars().skip(hidden).collect::<String>())})
                }
                Some(_) | None => json!({"set": true}),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => json!({"set": true}),
    }
}

/// Whether [`mask`] made it.
fn is_masked(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    object.get("set").is_some_and(Value::is_boolean) || object.values().any(is_masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_given_of_long_secrets_only() {
        assert_eq!(mask(&json!("secret-ab12")), json!({"set": true}));
        assert_eq!(mask(&json!("secret--ab12")), json!({"set": true, "hint": "…ab12"}));
        assert_eq!(mask(&json!("密码密码密码密码密码密码")), json!({"set": true, "hint": "…密码密码"}));
        assert_eq!(mask(&json!("")), json!({"set": true}));
        let short =
            ["https://hooks.example.com/in/ab12", "https://example.com/?key=abcd1234", "Bearer 12345678", "{\"k\": \"ab12\"}"];
        for short in short {
            assert_eq!(mask(&json!(short)), json!({"set": true}), "{short}: what is long here is no secret");
        }
    }

    #[test]
    fn a_registration_is_in_no_more_groups_than_one_save_can_write() {
        let named = |count: usize| (0..count).map(|number| format!("g{number}")).collect::<Vec<_>>();
        assert_eq!(groups(&named(MOST_GROUPS)).unwrap().len(), MOST_GROUPS);
        assert_eq!(groups(&named(MOST_GROUPS + 1)).unwrap_err().code, Code::TooManyItems);
    }

    #[test]
    fn headers_are_hidden_one_by_one() {
        let headers = json!({"Authorization": "Bearer 123456789abc3456", "X": "y"});
        let masked = json!({"Authorization": {"set": true, "hint": "…3456"}, "X": {"set": true}});
        assert_eq!(mask(&headers), masked);
    }

    #[test]
    fn what_was_hidden_is_recognised_when_it_comes_back() {
        assert!(is_masked(&mask(&json!("secret"))));
        assert!(is_masked(&mask(&json!({"Authorization": "Bearer 123456"}))));
        assert!(!is_masked(&json!("secret")));
        assert!(!is_masked(&json!({"set": "a header of that name"})));
    }
}
