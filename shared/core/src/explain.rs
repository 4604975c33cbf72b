//! What would come of an event: the way of [`crate::accept`] as far as the plan, over records that keep nothing.
//!
//! Promises: the answer is what accepting the same event would decide now; nothing is counted, kept or sent. Left to others:
//! that somebody may ask.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;

use crate::{
    Problem, StoreError,
    accept::{self, Wanted},
    channel::{Limit, Unit},
    model::{AccountId, Draft, Event, Name, Rule, Wording},
    plan::{Collected, Dropped, Plan, Planned},
    ports::{Kind, Ports, Record, Records},
    render::shorten,
    rules::Decision,
};

/// How much of a text is told, of which there may be as many as rules: an answer has an end.
const TOLD: Limit = Limit { max: 2_000, unit: Unit::Chars };

/// What would come of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What each rule that looks at it decides, and why.
    pub decisions: Vec<Decision>,
    /// Who gets it, at once.
    pub deliveries: Vec<Reached>,
    /// Which rules keep it for a digest.
    pub collected: Vec<Collected>,
    /// Who gets nothing, and why.
    pub dropped: Vec<Dropped>,
    /// What rules say of it in words of their own.
    pub wordings: Vec<Words>,
}

/// Somebody who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Where, and to whom.
    #[serde(flatten)]
    pub planned: Planned,
    /// The rule whose words it has; none where it has the event's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worded_by: Option<Name>,
}

/// What one rule says, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Which.
    pub rule: Name,
    /// One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text.
    pub message: String,
}

/// What accepting `draft` would come to now. `rule` stands in for the saved one of that name.
pub async fn explain(
    ports: &Ports,
    account: &AccountId,
    draft: Draft,
    rule: Option<(&Name, &Rule)>,
) -> Result<Explanation, Problem> {
    let rule = rule.map(|(name, rule)| record(name, rule)).transpose()?;
    let records = Arc::new(Imagined { records: Arc::clone(&ports.records), rule });
    let ports = Ports { records, ..ports.clone() };
    let (event, plan) = accept::foreseen(&ports, account, draft, Wanted::Event).await?;
    Ok(Explanation::of(&event, plan))
}

fn record(name: &Name, rule: &Rule) -> Result<Record, StoreError> {
    let body = serde_json::to_string(rule).map_err(|error| StoreError::Corrupt(format!("a rule: {error}")))?;
    Ok(Record { name: name.as_str().to_owned(), version: 1, body })
}

impl Explanation {
    /// What is told of an event that would be kept with that plan.
    pub fn of(event: &Event, plan: Plan) -> Self {
        let Plan { deliveries, collected, dropped, decisions } = plan;
        let reached = |planned: Planned| {
            let tail = planned.id(event.id).tail;
            let wording = event.wordings.iter().find(|wording| wording.tails.contains(&tail));
            Reached { planned, worded_by: wording.map(|wording| wording.rule.clone()) }
        };
        Self {
            deliveries: deliveries.into_iter().map(reached).collect(),
            wordings: event.wordings.iter().map(Words::of).collect(),
            decisions,
            collected,
            dropped,
        }
    }
}

impl Words {
    fn of(wording: &Wording) -> Self {
        let Wording { rule, title, message, tails: _ } = wording;
        let title = title.as_deref().map(|title| shorten(title, TOLD));
        Self { rule: rule.clone(), title, message: shorten(message, TOLD) }
    }
}

/// The records of an account, with a rule in the place of the saved one. What is saved here is kept nowhere, so that a counter
/// says what it would say and stays as it is.
struct Imagined {
    records: Arc<dyn Records>,
    rule: Option<Record>,
}

#[async_trait]
impl Records for Imagined {
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError> {
        self.records.get(account, kind, name).await
    }

    /// Whoever decides about an event asks for all rules at once.
    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError> {
        let saved = self.records.all(account, kind).await?;
        let Some(rule) = self.rule.as_ref().filter(|_| kind == Kind::Rule) else { return Ok(saved) };
        let mut rules = saved.to_vec();
        match rules.binary_search_by(|there| there.name.cmp(&rule.name)) {
            Ok(at) => rules[at] = rule.clone(),
            Err(at) => rules.insert(at, rule.clone()),
        }
        Ok(Arc::new(rules))
    }

    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError> {
        self.records.list(account, kind, after, most).await
    }

    async fn put(&self, _: &AccountId, _: Kind, _: &Record) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn delete(&self, _: &AccountId, _: Kind, _: &str) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn give_way(&self, _: Duration) {}
}
