//! Hooks: made, listed, deleted. A hook's path is told once, in the answer that makes it: its token is all that whoever
//! reports there needs. What is stored is the token's hash.
//!
//! A repeated request, known by its `Idempotency-Key`, is answered with the hook that the first one made, without the path.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use bellhop_core::{
    Code, Problem, Timestamp,
    hooks::{KNOWN, Known},
    model::{AccountId, Action, Defaults, Hook, HookKind, Name, Route},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload, REMEMBERED},
    caller::{Manager, Reader},
    key::hash_secret,
    list::{Everything, Items, Listing},
    message::link,
    path::{Named, not_found},
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::audit;

const MAKE: &str = "POST /v1/hooks";

/// How many hooks an account has at most.
const MOST: usize = 200;

/// How many recipients, and how many lines of them, a hook has at most.
const MOST_RECIPIENTS: usize = 100;

/// The path of a name that is none: what is known of the systems stands there.
const KINDS: &str = "kinds";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: Name,
    kind: HookKind,
    defaults: Option<Defaults>,
    recipients: Option<Vec<Route>>,
    link_base_url: Option<String>,
    token: Option<String>,
}

/// A hook as it is shown; with its path in the answer that makes it.
#[derive(Serialize)]
pub(crate) struct Shown {
    name: Name,
    kind: HookKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    defaults: Defaults,
    recipients: Vec<Route>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_base_url: Option<String>,
    token: IsSet,
    created_at: Timestamp,
}

/// A secret of which nothing is shown but whether there is one.
#[derive(Serialize)]
struct IsSet {
    set: bool,
}

impl Shown {
    fn new(hook: Hook, url: Option<String>) -> Self {
        let Hook { name, kind, defaults, recipients, link_base_url, report_hash, created_at, .. } = hook;
        let token = IsSet { set: report_hash.is_some() };
        Self { name, kind, url, defaults, recipients, link_base_url, token, created_at }
    }
}

/// What is known of the systems: enough to draw a form.
pub(crate) async fn kinds(Reader(_): Reader) -> Json<Items<Known>> {
    Json(Items::all(KNOWN.to_vec()))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Name>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let hooks = api.ports.hooks.list(&caller.account).await?.into_iter();
    let after = hooks.filter(|hook| cursor.as_ref().is_none_or(|cursor| hook.name > *cursor));
    let shown = after.map(|hook| Shown::new(hook, None)).collect();
    Ok(Json(Items::first(shown, limit, |last: &Shown| last.name.clone())))
}

pub(crate) async fn one(State(api): State<Api>, Reader(caller): Reader, Named(name): Named) -> Result<Json<Shown>, Refused> {
    let found = api.ports.hooks.list(&caller.account).await?.into_iter().find(|hook| hook.name == name);
    Ok(Json(Shown::new(found.ok_or_else(not_found)?, None)))
}

pub(crate) async fn delete(State(api): State<Api>, Manager(caller): Manager, Named(name): Named) -> Result<StatusCode, Refused> {
    let hooks = api.ports.hooks.list(&caller.account).await?;
    hooks.iter().find(|hook| hook.name == name).ok_or_else(not_found)?;
    audit::record(&api, &caller, Action::HookDeleted, Some(name.as_str().to_owned())).await?;
    let existed = api.ports.hooks.delete(&caller.account, &name).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

pub(crate) async fn make(
    State(api): State<Api>,
    Manager(caller): Manager,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Refused> {
    let origin = origin(request.headers());
    let payload = Payload::read(request, Limit::Plain).await?;
    let body = payload.parse::<Body>()?.check()?;
    let now = api.ports.clock.now();
    let made_under = payload.idempotency_key(&caller.account, MAKE, now).map(|key| hash_secret(&key.key));
    let token = format!("{:032x}", api.ports.clock.chance());
    let hook = body.hook(caller.account.clone(), hash_secret(&token), made_under, now);
    if let Some(made) = made_before(&api, &hook).await? {
        return Ok((StatusCode::OK, Json(Shown::new(made, None))));
    }
    audit::record(&api, &caller, Action::HookMade, Some(hook.name.as_str().to_owned())).await?;
    if api.ports.hooks.create(&hook).await? {
        return Ok((StatusCode::CREATED, Json(Shown::new(hook, Some(format!("{origin}/in/{token}"))))));
    }
    // two requests under one key at the same moment
    let made = made_before(&api, &hook).await?.ok_or_else(|| taken(&hook.name))?;
    Ok((StatusCode::OK, Json(Shown::new(made, None))))
}

impl Body {
    fn check(self) -> Result<Self, Problem> {
        let wrong = |field: &str, detail: &str| Err(Problem::field(Code::InvalidField, field, detail));
        let routes = self.recipients.as_deref().unwrap_or_default();
        if self.name.as_str() == KINDS {
            return wrong("name", "this name is taken by `GET /v1/hooks/kinds`; choose another");
        }
        if !routes.is_empty() && self.kind != HookKind::Sqle {
            return wrong("recipients", "only `sqle` reports by action; name recipients in `defaults.send_to`");
        }
        if let Some(at) = routes.iter().position(|route| route.to.is_empty()) {
            return wrong(&format!("recipients[{at}].to"), "it names nobody; give a registration, `group:…` or `contact:…`");
        }
        let defaults = self.defaults.as_ref();
        let listed = routes.iter().map(|route| route.to.len()).chain(defaults.map(|defaults| defaults.send_to.len()));
        if listed.chain([routes.len()]).any(|length| length > MOST_RECIPIENTS) {
            let detail = format!("a list of recipients has {MOST_RECIPIENTS} entries at most; use groups");
            return Err(Problem::field(Code::TooManyItems, "recipients", detail));
        }
        match self.kind {
            HookKind::Bettergi | HookKind::Sqle => {}
            HookKind::Qd | HookKind::Generic if self.token.is_none() => {}
            HookKind::Qd | HookKind::Generic => return wrong("token", "only `bettergi` and `sqle` show one; leave it out"),
        }
        if self.token.as_deref().is_some_and(str::is_empty) {
            return wrong("token", "it is empty; leave it out to ask for none");
        }
        let is_link = |text: &String, schemes: &[&str]| Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()));
        let links = [
            ("link_base_url", self.link_base_url.as_ref()),
            ("defaults.image_url", defaults.and_then(|defaults| defaults.image_url.as_ref())),
        ];
        for (field, url) in links {
            if url.is_some_and(|url| !is_link(url, &["http", "https"])) {
                return wrong(field, "expected a URL that begins with `http://` or `https://`");
            }
        }
        if let Some(url) = defaults.and_then(|defaults| defaults.url.clone()) {
            link(url).map_err(|problem| problem.under("defaults"))?;
        }
        Ok(self)
    }

    fn hook(self, account: AccountId, hash: String, made_under: Option<String>, created_at: Timestamp) -> Hook {
        Hook {
            account,
            name: self.name,
            kind: self.kind,
            hash,
            defaults: self.defaults.unwrap_or_default(),
            recipients: self.recipients.unwrap_or_default(),
            link_base_url: self.link_base_url.map(|url| url.trim_end_matches('/').to_owned()),
            report_hash: self.token.as_deref().map(hash_secret),
            made_under,
            created_at,
        }
    }
}

/// What an earlier request of the same idempotency key made; refuses what cannot be made beside the hooks that are there.
async fn made_before(api: &Api, wanted: &Hook) -> Result<Option<Hook>, Refused> {
    let hooks = api.ports.hooks.list(&wanted.account).await?;
    let is_full = hooks.len() >= MOST;
    let is_taken = hooks.iter().any(|hook| hook.name == wanted.name);
    let earlier = hooks.into_iter().find(|hook| {
        let is_remembered = wanted.created_at < hook.created_at + REMEMBERED;
        is_remembered && hook.made_under.is_some() && hook.made_under == wanted.made_under
    });
    match earlier {
        Some(made) if asks(&made) == asks(wanted) => Ok(Some(made)),
        Some(_) => {
            let detail = "this key came with another body before; use a new key for a new request";
            Err(Problem::field(Code::IdempotencyMismatch, "Idempotency-Key", detail).into())
        }
        None if is_taken => Err(taken(&wanted.name).into()),
        None if is_full => {
            Err(Problem::new(Code::TooManyItems, format!("an account has {MOST} hooks at most; delete one")).into())
        }
        None => Ok(None),
    }
}

fn asks(hook: &Hook) -> Hook {
    Hook { hash: String::new(), created_at: Timestamp::UNIX_EPOCH, ..hook.clone() }
}

fn taken(name: &Name) -> Problem {
    let detail =
        format!("there is a hook `{name}` already, and nobody can be told its path again; delete it, or choose another name");
    Problem::field(Code::Conflict, "name", detail)
}

/// Where the caller reached us, by its own words: a proxy in front says whether that was by TLS.
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-Proto>
fn origin(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if text("x-forwarded-proto").is_some_and(|scheme| scheme == "https") { "https" } else { "http" };
    text(header::HOST.as_str()).map_or_else(String::new, |host| format!("{scheme}://{host}"))
}
