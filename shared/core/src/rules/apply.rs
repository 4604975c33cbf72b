//! What an account's rules make of an event: counters are asked, recipients looked up, words found.

use sha2::{Digest, Sha256};

use super::{
    Decision, Verdict, collect, decide, looks_at,
    threshold::{Count, Counter, Run, Wish, fold},
    to_be_counted,
    wording::{self, Said},
};
use crate::{
    Code, Reason, StoreError,
    accept::{self, NotReached},
    digest::times::Times,
    model::{Account, AccountId, Audience, Event, Name, Recipient, Rule, SourceSetting},
    plan::{Collected, Dropped, Target},
    ports::{IdempotencyKey, Kind, Ports, Record},
};

/// How often a counter is written against others, before the rule tells rather than stays silent.
const RACES: usize = 5;

/// What the rules add to what the event itself asks for.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) collected: Vec<Collected>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) told: Vec<Told>,
}

/// What one rule tells.
pub(crate) struct Told {
    pub(crate) rule: Name,
    pub(crate) targets: Vec<Target>,
    /// In words of its own, if it has some.
    pub(crate) said: Option<Said>,
}

/// Applies every rule that looks at the event. `whom` is what the event's `send_to` stands for. `key` makes a repeated
/// request the same event.
pub(crate) async fn apply(
    ports: &Ports,
    event: &Event,
    whom: &[Target],
    key: Option<&IdempotencyKey>,
    settings: &Account,
) -> Result<Applied, StoreError> {
    let account = &event.account;
    let mut applied = Applied::default();
    for record in ports.records.all(account, Kind::Rule).await?.iter() {
        let (Ok(name), Ok(rule)) = (Name::parse(&record.name), record.read::<Rule>()) else {
            tracing::error!(%account, "a rule cannot be read, and is passed over");
            continue;
        };
        if !looks_at(&rule, event) {
            continue;
        }
        let verdict = verdict(ports, &name, &rule, event, identity(event, key)).await?;
        let (is_collected, verdict) = collect(&rule, event, verdict);
        if let Some(batch) = rule.batch.as_ref().filter(|_| is_collected) {
            applied.collected.push(Collected {
                rule: name.clone(),
                due_at: Times::of(batch, settings.time_zone()).end_of(event.accepted_at),
                at_once: verdict != Verdict::Collect,
                for_each: rule.to.contains(&Audience::OfEvent),
            });
        }
        let mut template_error = None;
        match verdict {
            Verdict::Drop { why, count, needed } => {
                applied.dropped.push(Dropped::Rule { rule: name.clone(), why, count, needed });
            }
            Verdict::Collect => {}
            Verdict::Notify | Verdict::Recovered { .. } => {
                let targets = targets(ports, account, &name, &rule, whom, &mut applied.dropped).await?;
                let said = wording::say(&rule, event).unwrap_or_else(|error| {
                    template_error = Some(error);
                    None
                });
                let said = match verdict {
                    Verdict::Recovered { after } => Some(recovered(said, event, after, &settings.locale)),
                    Verdict::Notify | Verdict::Collect | Verdict::Drop { .. } => said,
                };
                applied.told.push(Told { rule: name.clone(), targets, said });
            }
        }
        applied.decisions.push(Decision { rule: name, verdict, template_error });
    }
    Ok(applied)
}

async fn verdict(ports: &Ports, name: &Name, rule: &Rule, event: &Event, id: u128) -> Result<Verdict, StoreError> {
    if is_switched_off(ports, event).await? {
        return Ok(Verdict::drop(Reason::SourceSwitchedOff));
    }
    let counted = match to_be_counted(rule, event, id) {
        Some((wish, run)) => Some((wish, count(ports, name, event, wish, run).await?)),
        None => None,
    };
    Ok(decide(rule, event, counted))
}

async fn is_switched_off(ports: &Ports, event: &Event) -> Result<bool, StoreError> {
    let settings = ports.records.all(&event.account, Kind::Source).await?;
    let name = event.source.as_str();
    let Ok(at) = settings.binary_search_by(|record| record.name.as_str().cmp(name)) else { return Ok(false) };
    Ok(!settings[at].read::<SourceSetting>()?.enabled)
}

/// A repeated request is the same event, even if the first one came to nothing before it had an id that lasts.
fn identity(event: &Event, key: Option<&IdempotencyKey>) -> u128 {
    let Some(key) = key else { return event.id.0 };
    let digest = Sha256::digest([key.route, &key.key].join("\0"));
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(first)
}

/// Counts the run, and answers what the counter says. Who loses every race tells rather than stays silent.
async fn count(ports: &Ports, rule: &Name, event: &Event, wish: Wish, run: Run) -> Result<Count, StoreError> {
    let name = format!("{rule}/{}", event.source.as_str());
    for _ in 0..RACES {
        let before = ports.records.get(&event.account, Kind::Counter, &name).await?;
        let counter = before.as_ref().map(Record::read::<Counter>).transpose()?.unwrap_or_default();
        let (after, count) = fold(counter.clone(), wish, run);
        if after == counter {
            return Ok(count);
        }
        let body = serde_json::to_string(&after).map_err(|error| StoreError::Corrupt(format!("a counter: {error}")))?;
        let record = Record { name: name.clone(), version: before.map_or(0, |before| before.version) + 1, body };
        if ports.records.put(&event.account, Kind::Counter, &record).await? {
            return Ok(count);
        }
    }
    tracing::warn!(account = %event.account, %rule, "a counter was written by too many at once; this run was told of uncounted");
    Ok(Count::Tell)
}

/// Whom the rule names. Who is not there is told of, and nobody else misses the message for it.
async fn targets(
    ports: &Ports,
    account: &AccountId,
    name: &Name,
    rule: &Rule,
    whom: &[Target],
    dropped: &mut Vec<Dropped>,
) -> Result<Vec<Target>, StoreError> {
    let mut targets = Vec::new();
    for audience in &rule.to {
        match audience {
            Audience::OfEvent => targets.extend_from_slice(whom),
            Audience::Named(recipient) => match accept::reached(ports, account, None, recipient).await {
                Ok(found) => targets.extend(found),
                Err(NotReached::Store(error)) => return Err(error),
                Err(NotReached::Nobody(problem)) => dropped.push(nobody(recipient, name, problem.code)),
            },
        }
    }
    Ok(targets)
}

fn nobody(recipient: &Recipient, rule: &Name, code: Code) -> Dropped {
    Dropped::Recipient { recipient: recipient.clone(), rule: Some(rule.clone()), why: accept::why_nobody(code) }
}

/// The words of a recovery: the event's, below a title that says what is over.
fn recovered(said: Option<Said>, event: &Event, after: u32, locale: &str) -> Said {
    let Said { title, message } = said.unwrap_or_else(|| Said { title: event.title.clone(), message: event.message.clone() });
    let what = title.unwrap_or_else(|| event.source.as_str().to_owned());
    let title = if locale.to_lowercase().starts_with("zh") {
        format!("{what}：连续失败 {after} 次后恢复正常")
    } else if after == 1 {
        format!("{what}: recovered after 1 failure")
    } else {
        format!("{what}: recovered after {after} failures")
    };
    Said { title: Some(title), message }
}
