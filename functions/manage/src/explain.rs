//! What would come of an event: asked before it happens, and with a rule before it is saved.

use axum::{
    Json,
    extract::{Request, State},
};
use bellhop_core::{
    Code, Problem,
    explain::{Explanation, explain},
    model::{Account, Name, Rule},
    ports::{Kind, Record},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::Reader,
    event::EventBody,
    path::Named,
};
use serde::Deserialize;
use serde_json::Value;

use crate::records;

/// The path of a name that is none: a path of its own would hide the rule of that name.
const EXPLAIN: &str = "explain";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    event: EventBody,
    /// Which one `rule` stands in for.
    name: Option<Name>,
    rule: Option<Value>,
}

pub(crate) async fn what_would_happen(
    State(api): State<Api>,
    Reader(caller): Reader,
    Named(name): Named,
    request: Request,
) -> Result<Json<Explanation>, Refused> {
    if name.as_str() != EXPLAIN {
        let detail = "nothing is posted here; PUT saves a rule, and `/v1/rules/explain` says what would come of an event";
        return Err(Problem::new(Code::NotFound, detail).into());
    }
    let account = api.account(&caller.account).await?;
    // it is as much work as the event itself
    api.spend(&account, 1)?;
    let Body { event, name, rule } = Payload::read(request, Limit::Plain).await?.parse()?;
    let draft = event.draft(&account).map_err(|problem| problem.under("event"))?;
    let rule = match (name, rule) {
        (Some(name), Some(rule)) => Some(tried(&api, &account, name, rule).await.map_err(|problem| problem.under("rule"))?),
        (None, None) => None,
        (None, Some(_)) => return Err(missing("name", "a rule that stands in for another has its name").into()),
        (Some(_), None) => return Err(missing("rule", "what is to stand in for the rule of that name").into()),
    };
    let rule = rule.as_ref().map(|(name, rule)| (name, rule));
    let explained = explain(&api.ports, &account.id, draft, rule).await;
    Ok(Json(explained.map_err(|problem| if problem.field.is_some() { problem.under("event") } else { problem })?))
}

fn missing(field: &str, detail: &str) -> Problem {
    Problem::field(Code::MissingField, field, detail)
}

/// The rule as saving it would make it.
async fn tried(api: &Api, account: &Account, name: Name, said: Value) -> Result<(Name, Rule), Problem> {
    let saved = api.ports.records.get(&account.id, Kind::Rule, name.as_str()).await?;
    let saved = saved.as_ref().map(Record::read::<Rule>).transpose()?;
    let rule = records::read(said, saved.as_ref(), account, api.ports.clock.now())?;
    Ok((name, rule))
}
