//! What needs attention: what was switched off, what providers refuse, what ends, and what failed.

use std::{collections::HashSet, time::Duration};

use bellhop_core::{Reason, Timestamp, channel::Text, model::Scope};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    call::{Listed, segment},
    language::texts,
    pages::messages::place_of,
    show::{self, text, time},
    visitor::{Stop, Visitor},
};

texts! {
    ATTENTION = "Needs attention", "需要处理";
    ALL_WELL = "Nothing needs attention.", "没有需要处理的事项。";
    SOME_WELL = "Nothing needs attention among the first 200 registrations and keys and the newest deliveries that failed.",
                "前 200 个推送注册和密钥以及最新的失败投递中没有需要处理的事项。";
    DISABLED = "was disabled by the provider's answer", "因服务商的回应而停用";
    CREDENTIALS = "has credentials that the provider refuses", "的凭据被服务商拒绝";
    NOT_DELIVERED = "a delivery failed", "一条投递失败";
    KEY = "API key", "API 密钥";
    HAS_ENDED = "has expired", "已过期";
    ENDS_SOON = "expires soon", "即将过期";
    DEAD_LETTERS = "dead letters on", "死信，渠道";
}

/// How long before its end a key needs attention.
const SOON: Duration = Duration::from_hours(7 * 24);

/// `newest` are the deliveries of the last day, and `failed` those of them that failed, both the newest first.
pub(super) async fn attention(
    visitor: &Visitor,
    registrations: &Listed,
    newest: &[Value],
    failed: &[Value],
) -> Result<Markup, Stop> {
    let disabled: Vec<_> = registrations.items.iter().filter(|registration| !registration["disabled"].is_null()).collect();
    let is_disabled = |name: &str| disabled.iter().any(|registration| text(registration, "name") == name);
    // what is older stands behind what is newer: whatever failed and is not among the newest is older than they are
    let refused = refused(newest.iter().chain(failed));
    let is_told =
        |delivery: &Value| is_refused(delivery) && refused.iter().any(|told| told["registration"] == delivery["registration"]);
    let mut lines: Vec<_> = disabled.iter().map(|registration| disabled_line(visitor, registration)).collect();
    let enabled = refused.iter().filter(|delivery| !is_disabled(text(delivery, "registration")));
    lines.extend(enabled.map(|delivery| refused_line(visitor, delivery)));
    let keys = keys(visitor).await?;
    lines.extend(keys.items.iter().filter_map(|key| Some(key_line(visitor, key, ending(key, visitor.now())?))));
    let mut known = HashSet::new();
    let others = failed.iter().filter(|delivery| !is_told(delivery) && known.insert(text(delivery, "registration")));
    lines.extend(others.map(|delivery| failed_line(visitor, delivery)));
    if visitor.may(Scope::Operate) {
        let there = visitor.list("/v1/dead-letters").await?.items;
        let letters = there.iter().filter(|letters| letters["count"] != 0);
        lines.extend(letters.map(
            |letters| html! { (show::value(&letters["count"])) " " (visitor.say(DEAD_LETTERS)) " " (text(letters, "channel")) },
        ));
    }
    let is_more = registrations.next_cursor.is_some() || keys.next_cursor.is_some();
    Ok(html! {
        h2 { (visitor.say(ATTENTION)) }
        @if lines.is_empty() { p.empty { (visitor.say(if is_more { SOME_WELL } else { ALL_WELL })) } }
        @else { ul.attention { @for line in &lines { li { (line) } } } }
    })
}

/// The account's keys, for those who may see them.
async fn keys(visitor: &Visitor) -> Result<Listed, Stop> {
    if visitor.may(Scope::Manage) { visitor.list("/v1/keys?limit=200").await } else { Ok(Listed::default()) }
}

fn is_refused(delivery: &Value) -> bool {
    delivery["reason"] == Reason::Unauthorized.as_str()
}

/// Of each registration whose provider refuses the credentials, the newest delivery that tells so; none where one has arrived
/// since. `deliveries` are the newest first.
fn refused<'d>(deliveries: impl Iterator<Item = &'d Value>) -> Vec<&'d Value> {
    let has_arrived = |delivery: &Value| matches!(text(delivery, "state"), "delivered" | "confirmed");
    let telling = deliveries.filter(|delivery| is_refused(delivery) || has_arrived(delivery));
    let mut known = HashSet::new();
    telling.filter(|delivery| known.insert(text(delivery, "registration"))).filter(|delivery| is_refused(delivery)).collect()
}

/// What is to be said of a key's end. Sessions end soon, and nobody has to do anything about it.
fn ending(key: &Value, now: Timestamp) -> Option<Text> {
    let end = Timestamp::deserialize(&key["expires_at"]).ok().filter(|_| key["session_of"].is_null())?;
    if end <= now { Some(HAS_ENDED) } else { (end <= now + SOON).then_some(ENDS_SOON) }
}

fn disabled_line(visitor: &Visitor, registration: &Value) -> Markup {
    let name = text(registration, "name");
    html! {
        a href={ "/console/registrations/" (segment(name)) } { (name) } " " (visitor.say(DISABLED)) ": "
        code { (text(&registration["disabled"], "reason")) } ", " (time(&registration["disabled"]["at"]))
    }
}

fn refused_line(visitor: &Visitor, delivery: &Value) -> Markup {
    let name = text(delivery, "registration");
    html! {
        a href={ "/console/registrations/" (segment(name)) } { (name) } " " (visitor.say(CREDENTIALS)) ": "
        code { (text(delivery, "reason")) } ", " (time(&delivery["accepted_at"]))
    }
}

fn key_line(visitor: &Visitor, key: &Value, ending: Text) -> Markup {
    html! {
        a href="/console/keys" { (visitor.say(KEY)) " " code { (text(key, "id")) } } " " (text(key, "description")) " "
        (visitor.say(ending)) ": " (time(&key["expires_at"]))
    }
}

fn failed_line(visitor: &Visitor, delivery: &Value) -> Markup {
    html! {
        a href=(place_of(text(delivery, "event"), text(delivery, "id"))) { (visitor.say(NOT_DELIVERED)) } ": " (text(delivery, "registration")) ", "
        code { (text(delivery, "reason")) } ", " (time(&delivery["accepted_at"]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(registration: &str, state: &str, reason: &str) -> Value {
        json!({ "registration": registration, "state": state, "reason": reason })
    }

    #[test]
    fn refused_credentials_are_told_once_for_each_registration_by_the_newest_delivery() {
        let all = [
            delivery("desk", "retrying", "unauthorized"),
            delivery("desk", "failed", "unauthorized"),
            delivery("phone", "failed", "rejected"),
            delivery("phone", "failed", "unauthorized"),
        ];
        assert_eq!(refused(all.iter()), [&all[0], &all[3]]);
    }

    #[test]
    fn credentials_that_were_taken_since_are_not_told_of() {
        let all = [delivery("desk", "queued", ""), delivery("desk", "delivered", ""), delivery("desk", "failed", "unauthorized")];
        assert!(refused(all.iter()).is_empty());
    }

    #[test]
    fn a_key_is_told_of_from_a_week_before_its_end() {
        let now = Timestamp::UNIX_EPOCH + Duration::from_hours(24);
        let said = |key: Value| ending(&key, now).map(|text| text.en);
        let ends = |end: Timestamp| said(json!({ "expires_at": end }));
        assert_eq!(ends(now), Some("has expired"));
        assert_eq!(ends(now + SOON), Some("expires soon"));
        assert_eq!(ends(now + SOON + Duration::from_secs(1)), None);
        assert_eq!(said(json!({ "expires_at": null })), None);
        assert_eq!(said(json!({ "expires_at": now, "session_of": "key_full" })), None);
    }
}
