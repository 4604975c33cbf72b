//! A hook: a path by which a system reports that knows nothing of this API.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor, value::StrDeserializer},
};
use serde_json::Value;

use super::{AccountId, EventType, Format, Name, Pattern, Recipient, RunResult, Source, Trigger};
use crate::Timestamp;

/// A path, and how what comes by it is read. Never changes: whoever wants another deletes it and makes a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// Whose it is.
    pub account: AccountId,
    /// Names it in the account.
    pub name: Name,
    /// What reports there.
    pub kind: HookKind,
    /// SHA-256 of the path's token, hex. The token has 128 bits of chance, so that a slow hash would buy nothing.
    pub hash: String,
    /// What an event is where the report does not say.
    #[serde(default)]
    pub defaults: Defaults,
    /// Who hears of what, for systems that name nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Route>,
    /// What the links to the system begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_base_url: Option<String>,
    /// SHA-256 of the token that each report has to show besides, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_hash: Option<String>,
    /// SHA-256 of the idempotency key of the request that made it, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_under: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The systems whose reports are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// `BetterGI`'s webhook, and the report of its plugin for bots.
    Bettergi,
    /// SQLE's webhook.
    Sqle,
    /// QD's custom push.
    Qd,
    /// Anything that can be told what to send.
    Generic,
}

/// Fields of an event, for reports that lack them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "they are those of `Event`")]
pub struct Defaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub send_to: Vec<Recipient>,
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub is_final: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Who hears of some of a system's reports; what is left out is any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What was done, e.g. `approve` or `exec_*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Pattern>,
    /// In which project, by its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Pattern>,
    /// At which step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// Who hears of it.
    #[serde(deserialize_with = "one_or_many")]
    pub to: Vec<Recipient>,
}

impl Route {
    /// Whether it is about such a report.
    pub fn leads(&self, action: &str, projects: &[&str], step: Option<u64>) -> bool {
        let fits = |pattern: &Pattern, text: &str| pattern.fits(&text.to_lowercase());
        self.action.as_ref().is_none_or(|pattern| fits(pattern, action))
            && self.project.as_ref().is_none_or(|pattern| projects.iter().any(|project| fits(pattern, project)))
            && self.step.is_none_or(|wanted| step == Some(wanted))
    }
}

/// `"a"` or `["a", "b"]`.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Recipient>, D::Error> {
    struct Recipients;
    impl<'de> Visitor<'de> for Recipients {
        type Value = Vec<Recipient>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a recipient or a list of recipients")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<Recipient>, E> {
            Recipient::deserialize(StrDeserializer::<E>::new(text)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Recipient>, A::Error> {
            let mut many = Vec::new();
            while let Some(one) = seq.next_element()? {
                many.push(one);
            }
            Ok(many)
        }
    }
    deserializer.deserialize_any(Recipients)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(value: Value) -> Route {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_route_leads_where_all_that_it_names_fits() {
        let approvals = route(json!({"action": "approve", "project": "Shop*", "step": 2, "to": "contact:bob"}));
        assert!(approvals.leads("approve", &["shop", "700300"], Some(2)));
        assert!(!approvals.leads("approve", &["shop"], Some(1)) && !approvals.leads("approve", &["shop"], None));
        assert!(!approvals.leads("reject", &["shop"], Some(2)) && !approvals.leads("approve", &["other"], Some(2)));
        let by_id = route(json!({"action": "exec_*", "project": "700300", "to": ["a"]}));
        assert!(by_id.leads("exec_failed", &["shop", "700300"], None));
        assert!(route(json!({"to": ["a"]})).leads("anything", &[], None));
    }

    #[test]
    fn recipients_are_one_or_many() {
        let send_to = |value| serde_json::from_value::<Defaults>(json!({ "send_to": value })).map(|defaults| defaults.send_to);
        assert_eq!(send_to(json!("phone")).unwrap(), send_to(json!(["phone"])).unwrap());
        assert!(send_to(json!("a b")).is_err() && send_to(json!([1])).is_err());
    }
}
