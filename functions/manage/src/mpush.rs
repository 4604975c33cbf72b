//! An account's settings for Mpush: how its clients and scripts reach it. The token is kept as a hash, and never shown.

use std::ops::RangeInclusive;

use bellhop_core::{Code, Problem, model::Mpush};
use bellhop_http::{json, key::hash_secret};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The shortest token: a shorter one is guessed.
const SHORTEST: usize = 4;

/// The longest.
const LONGEST: usize = 256;

/// The longest between two tries, and until a connection has to say who it is.
const LONGEST_MS: u32 = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    token: Option<Value>,
    http_verify_token: Option<bool>,
    ws_verify_token: Option<bool>,
    cors: Option<bool>,
    wait_timeout_ms: Option<u32>,
    retry_timeout_ms: Option<u32>,
    auth_timeout_ms: Option<u32>,
}

/// What is shown of the token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    #[expect(dead_code, reason = "it is read to be recognised, and says nothing new")]
    set: bool,
}

/// As it is shown.
pub(crate) fn shown(mpush: &Mpush) -> Value {
    let mut shown = as_body(mpush);
    shown.insert("token".to_owned(), json!({ "set": mpush.token_hash.is_some() }));
    Value::Object(shown)
}

fn as_body(mpush: &Mpush) -> Map<String, Value> {
    let Mpush { token_hash: _, http_verify_token, ws_verify_token, cors, wait_timeout_ms, retry_timeout_ms, auth_timeout_ms } =
        mpush;
    let fields = [
        ("http_verify_token", json!(http_verify_token)),
        ("ws_verify_token", json!(ws_verify_token)),
        ("cors", json!(cors)),
        ("wait_timeout_ms", json!(wait_timeout_ms)),
        ("retry_timeout_ms", json!(retry_timeout_ms)),
        ("auth_timeout_ms", json!(auth_timeout_ms)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `old` with what is named in `change`; `null` is the setting of a new account, of the whole or of one field.
pub(crate) fn changed(old: &Mpush, change: Option<Value>) -> Result<Mpush, Problem> {
    match change {
        None => Ok(old.clone()),
        Some(Value::Null) => Ok(Mpush::default()),
        Some(change) => changed_by(old, change).map_err(|problem| problem.under("mpush")),
    }
}

fn changed_by(old: &Mpush, change: Value) -> Result<Mpush, Problem> {
    let token_is_named = change.get("token").is_some();
    let change: Map<String, Value> = json::read(change)?;
    let settings: Settings = json::read(crate::overlay(as_body(old), change, &[]))?;
    let usual = Mpush::default();
    let token_hash = if token_is_named { token(settings.token, old)? } else { old.token_hash.clone() };
    let ms = |name: &str, given: Option<u32>, usual: u32, fitting: RangeInclusive<u32>| {
        let given = given.unwrap_or(usual);
        let detail = format!("expected milliseconds from {} to {}", fitting.start(), fitting.end());
        if fitting.contains(&given) { Ok(given) } else { Err(Problem::field(Code::InvalidField, name, detail)) }
    };
    Ok(Mpush {
        token_hash,
        http_verify_token: settings.http_verify_token.unwrap_or(usual.http_verify_token),
        ws_verify_token: settings.ws_verify_token.unwrap_or(usual.ws_verify_token),
        cors: settings.cors.unwrap_or(usual.cors),
        wait_timeout_ms: ms("wait_timeout_ms", settings.wait_timeout_ms, usual.wait_timeout_ms, 0..=Mpush::LONGEST_WAIT_MS)?,
        retry_timeout_ms: ms("retry_timeout_ms", settings.retry_timeout_ms, usual.retry_timeout_ms, 100..=LONGEST_MS)?,
        auth_timeout_ms: ms("auth_timeout_ms", settings.auth_timeout_ms, usual.auth_timeout_ms, 100..=LONGEST_MS)?,
    })
}

/// The hash that follows from the token: `null` takes it away, and what GET shows of it keeps it.
fn token(given: Option<Value>, old: &Mpush) -> Result<Option<String>, Problem> {
    match given {
        None => Ok(None),
        Some(shown @ Value::Object(_)) => {
            let _: Shown = json::read(shown).map_err(|problem: Problem| problem.under("token"))?;
            Ok(old.token_hash.clone())
        }
        Some(Value::String(token))
            if (SHORTEST..=LONGEST).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(hash_secret(&token)))
        }
        Some(_) => {
            let detail = format!("expected {SHORTEST} to {LONGEST} letters, digits and signs of ASCII, without spaces");
            Err(Problem::field(Code::InvalidField, "token", detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(change: Value) -> Result<Mpush, Problem> {
        let old = Mpush { token_hash: Some("old".to_owned()), cors: true, ..Mpush::default() };
        changed(&old, Some(change))
    }

    #[test]
    fn what_is_not_named_stays_and_null_is_the_usual() {
        let changed = by(json!({"retry_timeout_ms": 100})).unwrap();
        assert_eq!((changed.token_hash.as_deref(), changed.cors, changed.retry_timeout_ms), (Some("old"), true, 100));
        assert!(!by(json!({"cors": null})).unwrap().cors);
        assert_eq!(by(Value::Null).unwrap(), Mpush::default());
    }

    #[test]
    fn a_token_is_kept_as_a_hash_and_taken_away_by_null() {
        assert_eq!(by(json!({"token": "t0ken"})).unwrap().token_hash, Some(hash_secret("t0ken")));
        assert_eq!(by(json!({"token": null})).unwrap().token_hash, None);
        assert_eq!(by(json!({"token": {"set": true}})).unwrap().token_hash.as_deref(), Some("old"));
        assert_eq!(shown(&by(json!({"token": "t0ken"})).unwrap())["token"], json!({"set": true}));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        for (change, field) in [
            (json!({"token": "abc"}), "mpush.token"),
            (json!({"token": 7}), "mpush.token"),
            (json!({"retry_timeout_ms": 99}), "mpush.retry_timeout_ms"),
            (json!({"auth_timeout_ms": 60_001}), "mpush.auth_timeout_ms"),
            (json!({"port": 9093}), "mpush.port"),
        ] {
            assert_eq!(by(change.clone()).unwrap_err().field.as_deref(), Some(field), "{change}");
        }
    }
}
