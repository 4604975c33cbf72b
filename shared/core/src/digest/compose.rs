//! Composing: what is due is frozen, sent and put behind, in this order; whoever comes after one that died goes on from there.
//!
//! * freeze: the schedule says which digest is under way and what it holds; of two composers, one gets there;
//! * send: each part is an event like any other, under an id that follows from the digest, so that a repetition is the same;
//! * done: the schedule goes on to the next due time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, tz::TimeZone};

use super::{
    content::{Content, Gathering},
    send::{Letter, send},
    times::Times,
};
use crate::{
    StoreError, Timestamp,
    model::{
        Account, AccountId, Audience, Batch, Because, Closing, Entry, Frozen, Name, Recipient, Rule, Schedule, Source,
        SourceSetting,
    },
    ports::{Kind, Ports, Record},
};

/// How often a schedule is written against others.
const RACES: usize = 20;

/// How long a rule that collects no more is looked after: whoever knew it before may still be collecting for it.
const STRAGGLERS: SignedDuration = SignedDuration::from_secs(60);

/// For how long a source that was seen is expected again: a week, even that in which clocks go back.
const EXPECTED: SignedDuration = SignedDuration::from_hours(7 * 24 + 1);

/// Of how many sources that is remembered.
const MOST_SEEN: usize = 500;

/// What came of looking at a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Composed {
    /// A digest was sent, as so many events.
    Sent(usize),
    /// There was nothing to tell.
    Nothing,
    /// It is not yet time, or there is no such schedule.
    NotDue,
}

/// Looks at a rule's schedule, and does what is due.
pub async fn compose(ports: &Ports, account: &AccountId, name: &Name) -> Result<Composed, StoreError> {
    let mut composed = Composed::NotDue;
    let mut known = ports.digests.get(account, name).await?;
    for _ in 0..RACES {
        let Some(schedule) = known.filter(|schedule| schedule.is_up(ports.clock.now())) else { return Ok(composed) };
        let desk = Desk::of(ports, schedule).await?;
        let version = desk.schedule.version + 1;
        let (saved, after) = if let Some(frozen) = desk.schedule.frozen.clone() {
            let (letters, sources) = desk.letters(ports, &frozen).await?;
            let events = send(ports, &desk.schedule, &desk.settings, desk.batch(), &letters).await?;
            composed = if events > 0 { Composed::Sent(events) } else { Composed::Nothing };
            match desk.done(&frozen, &sources, ports.clock.now()) {
                Some(after) => (ports.digests.put(&after).await?, Some(after)),
                None => (ports.digests.delete(&desk.schedule).await?, None),
            }
        } else {
            match desk.next(ports.clock.now()) {
                Next::Later => return Ok(composed),
                Next::At(due) => {
                    let after = Schedule { version, due, ..desk.schedule };
                    (ports.digests.put(&after).await?, Some(after))
                }
                Next::Freeze(frozen) => {
                    let number = desk.schedule.number + 1;
                    let after = Schedule { frozen: Some(frozen), number, version, ..desk.schedule };
                    (ports.digests.freeze(&after).await?, Some(after))
                }
            }
        };
        // what was saved need not be read again; where others were faster, theirs counts
        known = if saved { after } else { ports.digests.get(account, name).await? };
    }
    Err(StoreError::Unavailable("others work on this digest at the same time; it is looked at again".to_owned()))
}

/// What is known of one schedule.
pub(super) struct Desk {
    schedule: Schedule,
    pub(super) settings: Arc<Account>,
    /// What the digest goes by: what the rule says now, or what it said as long as that is told of.
    rule: Option<Rule>,
    /// What the rule says now, if it collects.
    collecting: Option<Rule>,
    /// Sources that are switched off for all rules, by their keys; looked up where silence is told of.
    switched_off: BTreeSet<String>,
}

/// What is to be done with a schedule that has no digest under way.
enum Next {
    Later,
    At(Timestamp),
    Freeze(Frozen),
}

impl Desk {
    pub(super) async fn of(ports: &Ports, schedule: Schedule) -> Result<Self, StoreError> {
        let settings = ports.accounts.settings(&schedule.account).await?;
        let record = ports.records.get(&schedule.account, Kind::Rule, schedule.rule.as_str()).await?;
        let stored = record.as_ref().map(Record::read::<Rule>).transpose()?;
        let collecting = stored.clone().filter(Rule::collects);
        let frozen = schedule.frozen.as_ref().and_then(|frozen| frozen.rule.as_deref());
        let rule = frozen.or(schedule.closing.as_ref().map(|closing| &*closing.rule)).cloned().or(stored);
        let mut switched_off = BTreeSet::new();
        let is_asked = rule.as_ref().and_then(|rule| rule.batch.as_ref()).is_some_and(|batch| batch.report_idle);
        let settings_of_sources = if is_asked { Some(ports.records.all(&schedule.account, Kind::Source).await?) } else { None };
        for record in settings_of_sources.iter().flat_map(|records| records.iter()) {
            if !record.read::<SourceSetting>()?.enabled {
                switched_off.insert(record.name.clone());
            }
        }
        Ok(Self { schedule, settings, rule, collecting, switched_off })
    }

    pub(super) fn batch(&self) -> Option<&Batch> {
        self.rule.as_ref().and_then(|rule| rule.batch.as_ref())
    }

    /// The due times that are to come; nothing for a rule that collects no more.
    fn times(&self) -> Option<Times> {
        let batch = self.collecting.as_ref()?.batch.as_ref()?;
        Some(Times::of(batch, self.settings.time_zone()))
    }

    fn next(&self, now: Timestamp) -> Next {
        let Schedule { since, due, flush, ref closing, .. } = self.schedule;
        let freeze = |until: Timestamp, intervals, because| {
            Next::Freeze(Frozen { since, until: until.max(since), intervals, because, rule: None })
        };
        match (flush, self.times()) {
            (Some(at), _) => freeze(at, 0, Because::Flushed),
            (None, _) if due > now => Next::Later,
            (None, Some(times)) if closing.is_none() => {
                let until = times.before(now);
                if until > since { freeze(until, times.between(since, until), Because::Due) } else { Next::At(times.after(now)) }
            }
            (None, _) => freeze(now, 0, Because::Last),
        }
    }

    /// What the digest tells whom, and every source that it tells of.
    pub(super) async fn letters(&self, ports: &Ports, frozen: &Frozen) -> Result<(Vec<Letter>, Vec<Source>), StoreError> {
        let (named, for_each) = match &self.rule {
            Some(rule) => (named(rule), rule.to.contains(&Audience::OfEvent)),
            None => (Vec::new(), false),
        };
        let most = self.batch().map(|batch| batch.max_lines).unwrap_or_default().get();
        let empty = || Gathering::new(frozen.since, most);
        let (mut all, mut of_each) = (empty(), BTreeMap::new());
        let oldest = frozen.until - SignedDuration::from_hours(24 * i64::from(self.settings.retention_days));
        let mut visit = |entry: Entry| {
            all.add(&entry);
            for recipient in entry.to.iter().filter(|recipient| for_each && !named.contains(recipient)) {
                of_each.entry(recipient.to_string()).or_insert_with(|| (recipient.clone(), empty())).1.add(&entry);
            }
        };
        ports.digests.collected(&self.schedule, oldest, &mut visit).await?;
        let sources: Vec<Source> = all.sources().cloned().collect();
        let idle = self.idle(frozen, &sources);
        let mut letters = Vec::new();
        if !named.is_empty() && (!all.is_empty() || !idle.is_empty()) {
            letters.push(Letter { to: named, content: self.content(ports, frozen, all, idle) });
        }
        for (recipient, gathering) in of_each.into_values() {
            letters.push(Letter { to: vec![recipient], content: self.content(ports, frozen, gathering, Vec::new()) });
        }
        Ok((letters, sources))
    }

    /// What the next digest would tell now.
    fn content(&self, ports: &Ports, frozen: &Frozen, gathering: Gathering, idle: Vec<Source>) -> Content {
        let (tally, sites, unlisted_sources) = gathering.end();
        Content {
            rule: self.schedule.rule.clone(),
            since: frozen.since,
            until: frozen.until,
            time_zone: self.batch().map_or(TimeZone::UTC, |batch| batch.zone(self.settings.time_zone())),
            intervals: frozen.intervals,
            because: frozen.because,
            tally,
            sites,
            unlisted_sources,
            idle,
            link: ports.public_url.as_ref().map(|url| url.messages(frozen.since, frozen.until)),
        }
    }

    /// Sources that were expected and are silent: lately seen, or named by the rule.
    fn idle(&self, frozen: &Frozen, sources: &[Source]) -> Vec<Source> {
        let tells = |rule: &&Rule| rule.batch.as_ref().is_some_and(|batch| batch.report_idle);
        // nobody is expected any more where the rule has ended
        let Some(rule) = self.rule.as_ref().filter(tells).filter(|_| frozen.because != Because::Last) else {
            return Vec::new();
        };
        let seen = self.schedule.seen.iter().filter(|(_, at)| *at + EXPECTED >= frozen.until).map(|(source, _)| source.clone());
        // the rule may have been edited since
        let seen = seen.filter(|source| rule.matching.has_source(source));
        let named = rule.matching.sources.iter().filter_map(|pattern| Source::parse(pattern.exact()?));
        let mut idle = BTreeMap::new();
        for source in named.chain(seen) {
            idle.insert(SourceSetting::key(&source), source);
        }
        for source in sources {
            idle.remove(&SourceSetting::key(source));
        }
        idle.retain(|key, _| !self.switched_off.contains(key));
        idle.into_values().collect()
    }

    /// The schedule behind a digest; `None` where nothing will be collected any more.
    fn done(&self, frozen: &Frozen, sources: &[Source], now: Timestamp) -> Option<Schedule> {
        let mut seen: BTreeMap<_, _> = self.schedule.seen.iter().cloned().collect();
        seen.extend(sources.iter().map(|source| (source.clone(), frozen.until)));
        let mut seen: Vec<_> = seen.into_iter().filter(|(_, at)| *at + EXPECTED >= frozen.until).collect();
        seen.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        seen.truncate(MOST_SEEN);
        let is_over = |closing: &Closing| closing.at + STRAGGLERS <= now;
        let (closing, due) = match (self.schedule.closing.clone(), self.times()) {
            (Some(closing), _) if !is_over(&closing) => {
                let due = closing.at + STRAGGLERS;
                (Some(closing), due)
            }
            // whoever began to end it never came to say so to the rule itself
            (_, Some(times)) => (None, times.after(now.max(frozen.until))),
            // it is about to be saved anew
            (None, None) if frozen.rule.is_some() => (None, now + STRAGGLERS),
            (_, None) => return None,
        };
        let version = self.schedule.version + 1;
        let since = frozen.until;
        // asked for while this one was under way
        let flush = self.schedule.flush.filter(|at| *at > since);
        let due = flush.map_or(due, |at| due.min(at));
        Some(Schedule { since, due, frozen: None, flush, closing, seen, version, ..self.schedule.clone() })
    }
}

/// Whom the rule names itself.
fn named(rule: &Rule) -> Vec<Recipient> {
    let named = rule.to.iter().filter_map(|audience| match audience {
        Audience::Named(recipient) => Some(recipient.clone()),
        Audience::OfEvent => None,
    });
    named.collect()
}
