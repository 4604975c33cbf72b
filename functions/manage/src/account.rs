//! The account's settings. PUT changes those that it names and keeps the others; `null` is the setting of a new account.

use axum::{
    Json,
    extract::{Request, State},
};
use bellhop_core::{
    Code, Problem, clients,
    digest::follow::follow,
    model::{Account, Action, Name, Quotas, Rate, Rule, Scope, is_language_tag},
    ports::Kind,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::Manager,
    json,
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{audit, mpush, overlay};

/// The longest that anything is kept.
const MOST_DAYS: u32 = 3_650;

/// How often an account is saved against others.
pub(crate) const RACES: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    time_zone: Option<String>,
    locale: Option<String>,
    default_image_url: Option<String>,
    retention_days: Option<u32>,
    rate: Option<Value>,
    quotas: Option<Value>,
    mpush: Option<Value>,
}

pub(crate) async fn get(State(api): State<Api>, Manager(caller): Manager) -> Result<Json<Value>, Refused> {
    let account = api.account(&caller.account).await?;
    Ok(Json(shown(&account)?))
}

/// As it is shown.
fn shown(account: &Account) -> Result<Value, Problem> {
    let mut shown = serde_json::to_value(account).map_err(|_| Problem::new(Code::Internal, "the settings cannot be shown"))?;
    shown["mpush"] = mpush::shown(&account.mpush);
    Ok(shown)
}

pub(crate) async fn put(State(api): State<Api>, Manager(caller): Manager, request: Request) -> Result<Json<Value>, Refused> {
    let change: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    let has_mpush = change.contains_key("mpush");
    for _ in 0..RACES {
        let stored = api.ports.accounts.get(&caller.account).await?;
        let old = stored.as_deref().cloned().unwrap_or_else(|| Account::new(caller.account.clone()));
        let settings: Settings = json::read(overlay(as_body(&old), change.clone(), &["rate", "quotas"]))?;
        let account = settings.account(&old, has_mpush)?;
        if account.quotas != old.quotas {
            // they are the deployment's word, not the account's
            caller.require(Scope::Operate)?;
        }
        let (before, now) = (&old.mpush.token_hash, &account.mpush.token_hash);
        if let Some(token) = now.as_ref().filter(|_| now != before)
            && !api.ports.clients.take_token(token, &account.id).await?
        {
            return Err(invalid("mpush.token", "another account has this token; take a longer one").into());
        }
        audit::record(&api, &caller, Action::AccountSaved, None).await?;
        if !api.ports.accounts.put(stored.as_deref(), &account).await? {
            continue;
        }
        if let Some(token) = before.as_ref().filter(|_| now != before) {
            api.ports.clients.drop_token(token, &account.id).await?;
            // whoever came in by it shows the next one
            clients::dismiss_all(&api.ports, &account.id).await?;
        }
        if account.time_zone != old.time_zone {
            move_digests(&api, &account).await?;
        }
        return Ok(Json(shown(&account)?));
    }
    Err(raced().into())
}

pub(crate) fn raced() -> Problem {
    Problem::new(Code::Conflict, "others saved the account at the same moment; repeat the request")
}

/// Digests whose rule names no zone are due in the account's.
async fn move_digests(api: &Api, account: &Account) -> Result<(), Refused> {
    for record in api.ports.records.all(&account.id, Kind::Rule).await?.iter() {
        let (Ok(name), Ok(rule)) = (Name::parse(&record.name), record.read::<Rule>()) else { continue };
        if rule.batch.as_ref().is_some_and(|batch| batch.time_zone.is_none()) {
            follow(&api.ports, account, &name, Some(&rule), Some(&rule)).await?;
        }
    }
    Ok(())
}

fn as_body(old: &Account) -> Map<String, Value> {
    let Account { time_zone, locale, default_image_url, retention_days, rate, quotas, .. } = old;
    let fields = [
        ("time_zone", json!(time_zone)),
        ("locale", json!(locale)),
        ("default_image_url", json!(default_image_url)),
        ("retention_days", json!(retention_days)),
        ("rate", json!(rate)),
        ("quotas", json!(quotas)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Settings {
    fn account(self, old: &Account, has_mpush: bool) -> Result<Account, Problem> {
        let mpush = has_mpush.then(|| self.mpush.unwrap_or(Value::Null));
        let usual = Account::new(old.id.clone());
        Ok(Account {
            time_zone: self.time_zone.map_or(Ok(usual.time_zone), |name| time_zone(&name))?,
            locale: self.locale.map_or(Ok(usual.locale), locale)?,
            default_image_url: self.default_image_url.map(image_link).transpose()?,
            retention_days: self.retention_days.map_or(Ok(usual.retention_days), retention)?,
            rate: self.rate.map_or(Ok(usual.rate), rate)?,
            quotas: self.quotas.map_or(Ok(usual.quotas), quotas)?,
            mpush: mpush::changed(&old.mpush, mpush)?,
            id: usual.id,
            created_at: old.created_at,
            deleted_at: old.deleted_at,
        })
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

fn time_zone(name: &str) -> Result<String, Problem> {
    let zone = TimeZone::get(name).ok();
    let known = zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned);
    known.ok_or_else(|| invalid("time_zone", "expected an IANA name such as `Asia/Shanghai`"))
}

fn locale(tag: String) -> Result<String, Problem> {
    if is_language_tag(&tag) { Ok(tag) } else { Err(invalid("locale", "expected a language tag such as `zh-CN`")) }
}

fn image_link(text: String) -> Result<String, Problem> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text),
        Ok(_) | Err(_) => Err(invalid("default_image_url", "expected a URL that begins with `http://` or `https://`")),
    }
}

fn retention(days: u32) -> Result<u32, Problem> {
    let fits = (1..=MOST_DAYS).contains(&days);
    if fits { Ok(days) } else { Err(invalid("retention_days", format!("expected a number from 1 to {MOST_DAYS}"))) }
}

fn rate(value: Value) -> Result<Rate, Problem> {
    let rate: Rate = json::read(value).map_err(|problem| problem.under("rate"))?;
    let fits = rate.per_second == 0 || rate.burst > 0;
    if fits { Ok(rate) } else { Err(invalid("rate.burst", "expected at least 1; `per_second` 0 switches the limit off")) }
}

pub(crate) fn quotas(value: Value) -> Result<Quotas, Problem> {
    json::read(value).map_err(|problem| problem.under("quotas"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_kept_by_its_own_name() {
        assert_eq!(time_zone("asia/shanghai").unwrap(), "Asia/Shanghai");
        assert_eq!(time_zone("UTC").unwrap(), "UTC");
        for bad in ["", "Mars/Olympus", "+08:00", "CST8"] {
            assert!(time_zone(bad).is_err(), "{bad}");
        }
    }
}
