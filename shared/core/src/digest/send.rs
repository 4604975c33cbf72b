//! A digest on its way: each part is an event, delivered as any other.
//!
//! Promise: the same digest makes the same events, so that sending it again sends nothing twice.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    content::Content,
    wording::{self, Language},
};
use crate::{
    Code, Reason, StoreError,
    accept::{self, NotReached},
    channel::Limit,
    clients,
    model::{Account, Batch, Contact, Draft, Event, EventId, EventType, Format, Name, Recipient, Schedule, Source},
    plan::{Dropped, Target},
    ports::{Acceptance, Accepted, Kind, Ports, Record},
    render::shorten,
    report,
    rules::{Decision, Verdict, wording::title_of_digest},
};

/// What one circle of people is told.
pub(super) struct Letter {
    pub(super) to: Vec<Recipient>,
    pub(super) content: Content,
}

/// What makes parts alike: those who have the same get the same events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    language: Language,
    format: Format,
    title: Option<Limit>,
    body: Option<Limit>,
}

/// Sends all of them; answers as how many events.
pub(super) async fn send(
    ports: &Ports,
    schedule: &Schedule,
    settings: &Account,
    batch: Option<&Batch>,
    letters: &[Letter],
) -> Result<usize, StoreError> {
    let mut events = 0;
    for (number, letter) in letters.iter().enumerate() {
        let (shapes, mut missing) = shapes(ports, schedule, settings, letter).await?;
        let (title, error) = title(batch, &letter.content);
        for (shape, targets) in shapes {
            let messages = wording::parts(&letter.content, shape.language, shape.format, shape.title, shape.body);
            let title = title.as_ref().map(|title| shape.title.map_or_else(|| title.clone(), |limit| shorten(title, limit)));
            for (at, part) in messages.iter().enumerate() {
                let which = format!("{number}/{shape:?}/{at}");
                let said = title.as_ref().filter(|_| messages.len() == 1).unwrap_or(&part.title);
                let mut event =
                    event(schedule, &letter.content, shape.format, said, &part.message, &which, (at + 1, messages.len()));
                let mut plan = accept::planned(ports, &targets);
                plan.dropped.append(&mut missing);
                let (rule, template_error) = (schedule.rule.clone(), error.clone());
                plan.decisions.push(Decision { rule, verdict: Verdict::Notify, template_error, count_approximate: false });
                events += 1;
                clients::number(ports, &mut event, &plan).await?;
                let accepted = ports.ledger.accept(Acceptance { key: None, event: event.clone(), plan: plan.clone() }).await?;
                if let Accepted::New(_) = accepted {
                    clients::line_up(ports, &event, &plan).await?;
                    report::accepted(&*ports.telemetry, &event, &plan);
                }
            }
        }
    }
    Ok(events)
}

/// The targets by what they can be told. Where there are none, somebody may still see it among the events.
async fn shapes(
    ports: &Ports,
    schedule: &Schedule,
    settings: &Account,
    letter: &Letter,
) -> Result<(BTreeMap<Shape, Vec<Target>>, Vec<Dropped>), StoreError> {
    let (mut shapes, mut missing) = (BTreeMap::<Shape, Vec<Target>>::new(), Vec::new());
    for recipient in &letter.to {
        let language = Language::of(&locale(ports, schedule, settings, recipient).await?);
        match accept::reached(ports, &schedule.account, None, recipient).await {
            Ok(targets) => {
                for target in targets {
                    let spec = ports.channels.get(target.registration.channel.as_str());
                    let (title, body) = spec.map_or((None, None), |spec| (spec.limits.title, spec.limits.part));
                    let format = wording::form(spec.map_or(&[], |spec| spec.shows));
                    shapes.entry(Shape { language, format, title, body }).or_default().push(target);
                }
            }
            Err(NotReached::Store(error)) => return Err(error),
            Err(NotReached::Nobody(problem)) => missing.push(nobody(recipient, &schedule.rule, problem.code)),
        }
    }
    if shapes.is_empty() {
        let language = Language::of(&settings.locale);
        shapes.insert(Shape { language, format: Format::Text, title: None, body: None }, Vec::new());
    }
    Ok((shapes, missing))
}

fn nobody(recipient: &Recipient, rule: &Name, code: Code) -> Dropped {
    let why: Reason = accept::why_nobody(code);
    Dropped::Recipient { recipient: recipient.clone(), rule: Some(rule.clone()), why }
}

/// A contact's own locale, or the account's.
async fn locale(ports: &Ports, schedule: &Schedule, settings: &Account, recipient: &Recipient) -> Result<String, StoreError> {
    let Recipient::Contact(name) = recipient else { return Ok(settings.locale.clone()) };
    let record = ports.records.get(&schedule.account, Kind::Contact, name.as_str()).await?;
    let contact = record.as_ref().map(Record::read::<Contact>).transpose()?;
    Ok(contact.and_then(|contact| contact.locale).unwrap_or_else(|| settings.locale.clone()))
}

/// The rule's own title, or why it could not be made.
pub(super) fn title(batch: Option<&Batch>, content: &Content) -> (Option<String>, Option<String>) {
    match batch.and_then(|batch| batch.title.as_deref()).map(|template| title_of_digest(template, content)).transpose() {
        Ok(title) => (title, None),
        Err(error) => (None, Some(error)),
    }
}

fn event(
    schedule: &Schedule,
    content: &Content,
    format: Format,
    title: &str,
    message: &str,
    which: &str,
    (part, parts): (usize, usize),
) -> Event {
    let digest =
        Sha256::digest([schedule.account.as_str(), schedule.rule.as_str(), &schedule.number.to_string(), which].join("\0"));
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    let id = EventId::new(content.until, u128::from_be_bytes(first));
    let draft = Draft {
        source: Source::parse(&format!("digest/{}", schedule.rule)).unwrap_or_default(),
        event_type: EventType::parse("digest"),
        title: Some(title.to_owned()),
        format,
        url: content.link.clone(),
        data: Some(json!({
            "rule": schedule.rule,
            "number": schedule.number,
            "because": content.because,
            "since": content.since,
            "until": content.until,
            "intervals": content.intervals,
            "events": content.tally.total(),
            "successes": content.tally.successes,
            "failures": content.tally.failures,
            "part": part,
            "parts": parts,
        })),
        ..Draft::new(message)
    };
    draft.into_event(id, schedule.account.clone(), content.until)
}
