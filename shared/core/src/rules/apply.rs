//! What an account's rules make of an event: counters are asked, recipients looked up, words found.
//!
//! Promises: a run counts once and exactly, in order of acceptance; where a counter is written by too many at once, the run is
//! told of and the decision says `count_approximate`. A request that was answered before, or that will be refused for its
//! key, counts nothing. An event reaches [`MOST_TARGETS`] at most, and says whom it did not.

use std::{collections::HashSet, time::Duration};

use sha2::{Digest, Sha256};

use super::{
    Decision, Verdict, collect, decide, looks_at,
    threshold::{Count, Counter, Identity, Run, Wish, fold},
    to_be_counted,
    wording::{self, Said},
};
use crate::{
    Reason, StoreError,
    accept::{self, MOST_TARGETS, NotReached},
    digest::times::Times,
    model::{Account, AccountId, Audience, Event, Language, Name, Rule, SourceSetting},
    plan::{Collected, Dropped, Target},
    ports::{Accepted, IdempotencyKey, Kind, Ports, Record},
};

/// How many races for a counter are lost, before the rule tells rather than stays silent. Between two of them it waits.
const RACES: u32 = 5;

/// How many tries a race has. Each is lost to somebody who has counted: who is one of 40 is never too late.
const TRIES: u32 = 8;

/// The longest wait after the first race that was lost; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What comes of a request, as far as it is known.
pub(crate) enum Asked<T> {
    /// It is new.
    New(T),
    /// Its idempotency key was used before.
    Known(Accepted),
}

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
    /// Without those whom the event itself or an earlier rule tells: whoever is named first decides the words.
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
) -> Result<Asked<Applied>, StoreError> {
    let rules = looking(ports, event).await?;
    let is_off = !rules.is_empty() && is_switched_off(ports, event).await?;
    let identity = identity(event, key);
    // what is counted cannot be taken back: before anything is, it has to be certain that the request is new
    let will_count = !is_off && rules.iter().any(|(_, rule)| to_be_counted(rule, event, identity).is_some());
    if let Some(key) = key.filter(|_| will_count)
        && let Some(known) = ports.ledger.recall(key, event.accepted_at).await?
    {
        return Ok(Asked::Known(known));
    }
    let mut applied = Applied::default();
    let mut heard: HashSet<u64> = whom.iter().map(|target| target.tail(event.id)).collect();
    for (name, rule) in rules {
        let (verdict, count_approximate) = match to_be_counted(&rule, event, identity) {
            _ if is_off => (Verdict::drop(Reason::SourceSwitchedOff), false),
            None => (decide(&rule, event, None), false),
            Some((wish, run)) => {
                let counted = count(ports, (&name, &rule), event, wish, run).await?;
                (decide(&rule, event, counted.map(|count| (wish, count))), counted.is_none())
            }
        };
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
                applied.dropped.push(Dropped::Rule { rule: name.clone(), why, count, needed, count_approximate });
            }
            Verdict::Collect => {}
            Verdict::Notify | Verdict::Recovered { .. } => {
                let targets = targets(ports, event, (&name, &rule), &mut heard, &mut applied.dropped).await?;
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
        applied.decisions.push(Decision { rule: name, verdict, count_approximate, template_error });
    }
    Ok(Asked::New(applied))
}

/// Whether a rule of the account counts failures: runs of one source then want to be accepted one after the other.
pub async fn counts(ports: &Ports, account: &AccountId) -> Result<bool, StoreError> {
    let rules = ports.records.all(account, Kind::Rule).await?;
    let counts = |rule: &Rule| rule.enabled && (rule.after_failures.threshold().is_some() || rule.tell_recovery);
    Ok(rules.iter().any(|record| record.read::<Rule>().is_ok_and(|rule| counts(&rule))))
}

/// The account's rules that look at the event, by name.
async fn looking(ports: &Ports, event: &Event) -> Result<Vec<(Name, Rule)>, StoreError> {
    let account = &event.account;
    let mut rules = Vec::new();
    for record in ports.records.all(account, Kind::Rule).await?.iter() {
        let (Ok(name), Ok(rule)) = (Name::parse(&record.name), record.read::<Rule>()) else {
            tracing::error!(%account, "a rule cannot be read, and is passed over");
            continue;
        };
        if looks_at(&rule, event) {
            rules.push((name, rule));
        }
    }
    Ok(rules)
}

async fn is_switched_off(ports: &Ports, event: &Event) -> Result<bool, StoreError> {
    let settings = ports.records.all(&event.account, Kind::Source).await?;
    let name = SourceSetting::key(&event.source);
    let Ok(at) = settings.binary_search_by(|record| record.name.cmp(&name)) else { return Ok(false) };
    Ok(!settings[at].read::<SourceSetting>()?.enabled)
}

/// A repeated request is the same event, even if the first one came to nothing before it had an id that lasts; until its key
/// is forgotten. Another body under the key makes no other event: such a request is refused.
fn identity(event: &Event, key: Option<&IdempotencyKey>) -> Identity {
    let Some(key) = key else { return Identity { id: event.id.0, until: event.accepted_at } };
    let digest = Sha256::digest([key.route, &key.key].join("\0"));
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    Identity { id: u128::from_be_bytes(first), until: key.expires_at }
}

/// Counts the run, and answers what the counter says; nothing if all races were lost, and it is not counted.
async fn count(
    ports: &Ports,
    (name, rule): (&Name, &Rule),
    event: &Event,
    wish: Wish,
    run: Run,
) -> Result<Option<Count>, StoreError> {
    let (account, key) = (&event.account, format!("{name}/{}", event.source.as_str()));
    let _turn = ports.turns.take(account, &key).await;
    for race in 0..RACES {
        if race > 0 {
            let most = FIRST_WAIT * 2_u32.pow(race - 1);
            let thousandths = u32::try_from(ports.clock.chance() % 1_000).unwrap_or(0);
            ports.records.give_way(most * thousandths / 1_000).await;
        }
        for _ in 0..TRIES {
            let before = ports.records.get(account, Kind::Counter, &key).await?;
            let counter = before.as_ref().map(Record::read::<Counter>).transpose()?.unwrap_or_default().of(rule.created_at);
            let (after, count) = fold(counter.clone(), wish, run);
            if after == counter {
                return Ok(Some(count));
            }
            let body = serde_json::to_string(&after).map_err(|error| StoreError::Corrupt(format!("a counter: {error}")))?;
            let record = Record { name: key.clone(), version: before.map_or(0, |before| before.version) + 1, body };
            if ports.records.put(account, Kind::Counter, &record).await? {
                return Ok(Some(count));
            }
        }
    }
    tracing::warn!(%account, rule = %name, "a counter was written by too many at once; this run was told of uncounted");
    Ok(None)
}

/// Whom the rule names, and nobody has told by now. Who is not there, or one too many, is told of, and nobody else misses the
/// message for it. Whom the event names is told already.
async fn targets(
    ports: &Ports,
    event: &Event,
    (name, rule): (&Name, &Rule),
    heard: &mut HashSet<u64>,
    dropped: &mut Vec<Dropped>,
) -> Result<Vec<Target>, StoreError> {
    let mut targets = Vec::new();
    for audience in &rule.to {
        let Audience::Named(recipient) = audience else { continue };
        let mut drop = |why| {
            dropped.push(Dropped::Recipient { recipient: recipient.clone(), rule: Some(name.clone()), why });
        };
        match accept::reached(ports, &event.account, None, recipient).await {
            Ok(found) => {
                let mut new: Vec<_> = found.into_iter().filter(|target| !heard.contains(&target.tail(event.id))).collect();
                let room = MOST_TARGETS.saturating_sub(heard.len());
                if new.len() > room {
                    new.truncate(room);
                    drop(Reason::TooManyRecipients);
                }
                heard.extend(new.iter().map(|target| target.tail(event.id)));
                targets.extend(new);
            }
            Err(NotReached::Store(error)) => return Err(error),
            Err(NotReached::Nobody(problem)) => drop(accept::why_nobody(problem.code)),
        }
    }
    Ok(targets)
}

/// The words of a recovery: the event's, below a title that says what is over.
fn recovered(said: Option<Said>, event: &Event, after: u32, locale: &str) -> Said {
    let Said { title, message } = said.unwrap_or_else(|| Said { title: event.title.clone(), message: event.message.clone() });
    let what = title.unwrap_or_else(|| event.source.as_str().to_owned());
    let title = match Language::of(locale) {
        Language::Chinese => format!("{what}：连续失败 {after} 次后恢复正常"),
        Language::English if after == 1 => format!("{what}: recovered after 1 failure"),
        Language::English => format!("{what}: recovered after {after} failures"),
    };
    Said { title: Some(title), message }
}
