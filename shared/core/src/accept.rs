//! An event comes in: find out who is to hear of it, and keep both before anything is answered.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Code, Problem, Reason, StoreError,
    channel::{Catalog, Params},
    clients,
    model::{
        AccountId, Address, AttachmentId, ChannelId, Contact, Draft, Event, EventId, Mid, Name, Recipient, Registration, Wording,
    },
    plan::{Collected, Dropped, Plan, Target, plan},
    ports::{Acceptance, Accepted, Freshness, IdempotencyKey, Kind, Ports, Record, StoredEvent},
    report,
    rules::{
        apply::{Applied, Asked, Told, apply},
        wording::Said,
    },
    view,
};

/// How many recipients one request may name.
const MOST_RECIPIENTS: usize = 1_000;

/// How many registrations they may stand for, each counted as often as it is named; and how many an event reaches by rules and
/// all, each counted once.
pub(crate) const MOST_TARGETS: usize = 10_000;

/// What the caller is told: kept, and what will come of it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The event's id.
    pub event: EventId,
    /// Each delivery, in its state of now.
    pub deliveries: Vec<view::Summary>,
    /// Rules that keep it for a digest.
    pub collected: Vec<Collected>,
    /// Who gets nothing, and why.
    pub dropped: Vec<Dropped>,
    /// The number under which Mpush clients know it.
    #[serde(skip)]
    pub mid: Option<Mid>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To tell those whom the caller names, and nobody else.
    Message,
    /// To report something: rules decide who hears of it besides those whom the caller names.
    Event,
    /// The same, by a system that cannot know our names: whoever of those it names is not there is told of and refuses nothing.
    Hook,
    /// To tell those whom a task names, and nobody else, when nobody is there to be refused anything: whoever is not there any
    /// more is told of.
    Task,
}

impl Wanted {
    /// The request's field that names recipients.
    fn field(self) -> &'static str {
        match self {
            Self::Message | Self::Task => "to",
            Self::Event | Self::Hook => "send_to",
        }
    }

    /// Whether whoever is not there refuses everything.
    fn is_strict(self) -> bool {
        match self {
            Self::Message | Self::Event => true,
            Self::Hook | Self::Task => false,
        }
    }
}

/// Accepts `draft` for `account`. When this returns `Ok`, the event is kept and every delivery in the answer becomes final.
pub async fn accept(
    ports: &Ports,
    account: &AccountId,
    draft: Draft,
    wanted: Wanted,
    key: Option<IdempotencyKey>,
) -> Result<Answer, Problem> {
    // before anybody is waited for: those who ask one after the other are kept in that order
    let id = ports.ids.next(ports.clock.now(), ports.clock.chance());
    keep(ports, account, draft, wanted, key, id).await
}

/// Accepts it likewise, under an id of the caller's: once, however often it is called.
pub(crate) async fn accept_as(
    ports: &Ports,
    account: &AccountId,
    draft: Draft,
    wanted: Wanted,
    id: EventId,
) -> Result<Answer, Problem> {
    keep(ports, account, draft, wanted, None, id).await
}

/// Whom `draft` would reach now; refuses what accepting it would refuse.
pub(crate) async fn reaches(ports: &Ports, account: &AccountId, draft: &Draft, wanted: Wanted) -> Result<Vec<Target>, Problem> {
    check_options(ports.channels, &draft.options)?;
    let (targets, _) = resolve(ports, account, draft, wanted).await?;
    Ok(targets)
}

async fn keep(
    ports: &Ports,
    account: &AccountId,
    draft: Draft,
    wanted: Wanted,
    key: Option<IdempotencyKey>,
    id: EventId,
) -> Result<Answer, Problem> {
    check_options(ports.channels, &draft.options)?;
    let now = id.time();
    let found = match resolve(ports, account, &draft, wanted).await {
        Ok(found) => found,
        // What was accepted once is answered again, even if it could not be accepted now.
        Err(problem) => match &key {
            Some(key) => return replay(ports, ports.ledger.recall(key, now).await?).await.unwrap_or(Err(problem)),
            None => return Err(problem),
        },
    };
    let picture = draft.screenshot.clone();
    if let Some(picture) = &picture {
        ports.attachments.put(account, AttachmentId(id), picture).await?;
    }
    let mut event = draft.into_event(id, account.clone(), now);
    let accepted = match decided(ports, &mut event, wanted, found, key.as_ref()).await? {
        Asked::Known(accepted) => accepted,
        Asked::New(plan) => {
            clients::number(ports, &mut event, &plan).await?;
            let accepted = ports.ledger.accept(Acceptance { key, event: event.clone(), plan: plan.clone() }).await?;
            if let Accepted::New(id) = accepted {
                let was = event.id;
                let event = Arc::new(event.adopt(id));
                clients::adopted(ports, &event, was).await?;
                clients::line_up(ports, &event, &plan).await?;
                report::accepted(&*ports.telemetry, &event, &plan);
                let deliveries = plan.deliveries.iter().map(|planned| view::Summary::queued(planned, id)).collect();
                let Plan { collected, dropped, .. } = plan;
                return Ok(Answer { event: id, deliveries, collected, dropped, mid: event.mid });
            }
            accepted
        }
    };
    if picture.is_some() && !refers_to(&accepted, AttachmentId(id)) {
        forget_picture(ports, account, id).await;
    }
    replay(ports, Some(accepted)).await.unwrap_or_else(|| Err(Problem::new(Code::Internal, "the event was not kept")))
}

/// What accepting `draft` would keep now; refuses what that would refuse. What rules count is counted in `ports`.
pub(crate) async fn foreseen(ports: &Ports, account: &AccountId, draft: Draft, wanted: Wanted) -> Result<(Event, Plan), Problem> {
    check_options(ports.channels, &draft.options)?;
    let found = resolve(ports, account, &draft, wanted).await?;
    let now = ports.clock.now();
    let mut event = draft.into_event(EventId::new(now, ports.clock.chance()), account.clone(), now);
    match decided(ports, &mut event, wanted, found, None).await? {
        Asked::New(plan) => Ok((event, plan)),
        Asked::Known(_) => Err(Problem::new(Code::Internal, "an event without a key was taken for a repeated one")),
    }
}

/// The plan of an event that goes to whom its recipients stand for; what rules say in words of their own is written into it.
async fn decided(
    ports: &Ports,
    event: &mut Event,
    wanted: Wanted,
    (targets, missing): (Vec<Target>, Vec<Dropped>),
    key: Option<&IdempotencyKey>,
) -> Result<Asked<Plan>, StoreError> {
    let asked = match wanted {
        Wanted::Message | Wanted::Task => Asked::New(planned(ports, &targets)),
        Wanted::Event | Wanted::Hook => by_rules(ports, event, targets, key).await?,
    };
    Ok(match asked {
        Asked::Known(accepted) => Asked::Known(accepted),
        Asked::New(mut plan) => {
            plan.dropped.extend(missing);
            Asked::New(plan)
        }
    })
}

/// The plan of what goes to these.
pub(crate) fn planned(ports: &Ports, targets: &[Target]) -> Plan {
    plan(targets, |registration| ports.channels.get(registration.channel.as_str()).map(|spec| spec.is_open(registration)))
}

/// The plan of an event that rules look at.
async fn by_rules(
    ports: &Ports,
    event: &mut Event,
    mut targets: Vec<Target>,
    key: Option<&IdempotencyKey>,
) -> Result<Asked<Plan>, StoreError> {
    let settings = ports.accounts.settings(&event.account).await?;
    let Applied { decisions, collected, dropped, told } = match apply(ports, event, &targets, key, &settings).await? {
        Asked::New(applied) => applied,
        Asked::Known(accepted) => return Ok(Asked::Known(accepted)),
    };
    let mut wordings = Vec::new();
    for Told { rule, targets: reached, said } in told {
        let tails: Vec<_> = reached.iter().map(|target| target.tail(event.id)).collect();
        if let Some(Said { title, message }) = said.filter(|_| !tails.is_empty()) {
            wordings.push(Wording { rule, title, message, tails });
        }
        targets.extend(reached);
    }
    event.wordings = wordings;
    let mut plan = planned(ports, &targets);
    plan.dropped.extend(dropped);
    plan.decisions = decisions;
    plan.collected = collected;
    Ok(Asked::New(plan))
}

/// Whether what was kept before has this very picture: a store that repeats a write by itself meets its own event.
fn refers_to(accepted: &Accepted, picture: AttachmentId) -> bool {
    match accepted {
        Accepted::Same(stored) => stored.event.screenshot == Some(picture),
        Accepted::New(_) | Accepted::Mismatch => false,
    }
}

/// A picture that nothing refers to costs room, not truth: failing to forget it is no reason to refuse the request.
async fn forget_picture(ports: &Ports, account: &AccountId, id: EventId) {
    if let Err(error) = ports.attachments.delete(account, AttachmentId(id)).await {
        tracing::warn!(%account, event = %id, %error, "a picture of a repeated request stays behind");
    }
}

/// The answer to a repeated request: the stored plan, and the states of now. `None` if nothing was stored.
async fn replay(ports: &Ports, accepted: Option<Accepted>) -> Option<Result<Answer, Problem>> {
    match accepted {
        None | Some(Accepted::New(_)) => None,
        Some(Accepted::Mismatch) => Some(Err(Problem::field(
            Code::IdempotencyMismatch,
            "Idempotency-Key",
            "this key came with another body within 24 hours; use a new key for a new request",
        ))),
        Some(Accepted::Same(stored)) => Some(answer(ports, &stored).await.map_err(Problem::from)),
    }
}

/// What is to be told about a stored event now.
pub async fn answer(ports: &Ports, stored: &StoredEvent) -> Result<Answer, StoreError> {
    let deliveries = view::of_event(ports, stored).await?;
    Ok(Answer {
        event: stored.event.id,
        deliveries: deliveries.into_iter().map(|delivery| delivery.summary).collect(),
        collected: stored.plan.collected.clone(),
        dropped: stored.plan.dropped.clone(),
        mid: stored.event.mid,
    })
}

fn check_options(channels: Catalog, options: &BTreeMap<ChannelId, Map<String, Value>>) -> Result<(), Problem> {
    options.iter().try_for_each(|(id, options)| match channels.get(id.as_str()) {
        Some(spec) => Params::check_options(spec, options),
        None => Err(Problem::field(Code::InvalidOption, format!("options.{id}"), "there is no such channel")),
    })
}

/// The registrations that the recipients stand for, in their order, and who is not there where that refuses nothing.
async fn resolve(
    ports: &Ports,
    account: &AccountId,
    draft: &Draft,
    wanted: Wanted,
) -> Result<(Vec<Target>, Vec<Dropped>), Problem> {
    let field = wanted.field();
    if draft.send_to.len() > MOST_RECIPIENTS {
        let detail = format!("one request names {MOST_RECIPIENTS} recipients at most; use groups, or several requests");
        return Err(Problem::field(Code::TooManyItems, field, detail));
    }
    let (mut targets, mut missing) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let (via, lost) = match &draft.via {
        Some(name) => match via(ports, account, name).await {
            Ok(via) => (Some(via), None),
            Err(NotReached::Nobody(problem)) if !wanted.is_strict() => (None, Some(problem)),
            Err(NotReached::Nobody(problem)) => return Err(problem),
            Err(NotReached::Store(error)) => return Err(error.into()),
        },
        None => (None, None),
    };
    for (at, recipient) in draft.send_to.iter().enumerate() {
        if !seen.insert(recipient) {
            continue;
        }
        let field = format!("{field}[{at}]");
        let found = match (recipient, &lost) {
            // the way that they were to be reached by is not there any more
            (Recipient::Address(_), Some(problem)) => Err(NotReached::Nobody(problem.clone())),
            _ => reached(ports, account, via.as_ref(), recipient).await,
        };
        match found {
            Ok(found) => targets.extend(found),
            Err(NotReached::Nobody(problem)) if !wanted.is_strict() => {
                let why = why_nobody(problem.code);
                missing.push(Dropped::Recipient { recipient: recipient.clone(), rule: None, why });
            }
            Err(NotReached::Nobody(problem)) => return Err(Problem { field: problem.field.or(Some(field)), ..problem }),
            Err(NotReached::Store(error)) => return Err(error.into()),
        }
        if targets.len() > MOST_TARGETS && wanted == Wanted::Task {
            for beyond in targets.drain(MOST_TARGETS..) {
                let registration = beyond.registration.name.clone();
                missing.push(Dropped::Registration { registration, why: Reason::TooManyRecipients });
            }
        }
        if targets.len() > MOST_TARGETS {
            let detail = format!("one event reaches {MOST_TARGETS} registrations at most; send several");
            return Err(Problem::field(Code::TooManyItems, field, detail));
        }
    }
    Ok((targets, missing))
}

/// In the word for those who are left out, where nothing is refused.
pub(crate) fn why_nobody(code: Code) -> Reason {
    if code == Code::NoAddress { Reason::NoAddress } else { Reason::UnknownRecipient }
}

/// Why a recipient stands for nobody.
pub(crate) enum NotReached {
    /// There is no such thing; the field is the recipient's own, unless the problem names another.
    Nobody(Problem),
    /// Nobody knows.
    Store(StoreError),
}

impl From<StoreError> for NotReached {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The registrations that one recipient stands for.
pub(crate) async fn reached(
    ports: &Ports,
    account: &AccountId,
    via: Option<&Arc<Registration>>,
    recipient: &Recipient,
) -> Result<Vec<Target>, NotReached> {
    let unknown = |what: &str, name: &Name| {
        let detail = format!("there is no {what} `{name}` in this account");
        NotReached::Nobody(Problem::new(Code::UnknownRecipient, detail))
    };
    match recipient {
        Recipient::Registration(name) => {
            let found = registration(ports, account, name).await?;
            Ok(vec![Target { registration: found.ok_or_else(|| unknown("registration", name))?, address: None }])
        }
        Recipient::Group(name) => {
            let members = ports.registrations.in_group(account, name).await?;
            if members.is_empty() {
                return Err(unknown("group", name));
            }
            Ok(members.into_iter().map(|registration| Target { registration, address: None }).collect())
        }
        Recipient::Contact(name) => {
            let record = ports.records.get(account, Kind::Contact, name.as_str()).await?;
            let contact = record.as_ref().map(Record::read::<Contact>).transpose()?.ok_or_else(|| unknown("contact", name))?;
            for_contact(ports, account, name, &contact).await
        }
        Recipient::Address(address) => {
            let registration = for_address(ports, account, via, address).await?;
            Ok(vec![Target { registration, address: Some(address.clone()) }])
        }
    }
}

/// A registration as it lately was; as it is now, rather than refuse or drop what goes to one that was made just now.
async fn registration(ports: &Ports, account: &AccountId, name: &Name) -> Result<Option<Arc<Registration>>, StoreError> {
    let known = ports.registrations.get(account, name, Freshness::Cached).await?;
    match known {
        Some(known) if known.is_open() => Ok(Some(known)),
        Some(_) | None => ports.registrations.get(account, name, Freshness::Fresh).await,
    }
}

/// The registration that the caller wants raw addresses to go through.
async fn via(ports: &Ports, account: &AccountId, name: &Name) -> Result<Arc<Registration>, NotReached> {
    let found = registration(ports, account, name).await?;
    let detail = format!("there is no registration `{name}` in this account");
    found.ok_or_else(|| NotReached::Nobody(Problem::field(Code::UnknownRecipient, "via", detail)))
}

/// Every registration that serves contacts and for which this one has an address.
async fn for_contact(ports: &Ports, account: &AccountId, name: &Name, contact: &Contact) -> Result<Vec<Target>, NotReached> {
    let serving = ports.registrations.for_contacts(account).await?;
    let reach = |registration: Arc<Registration>| {
        let kind = ports.channels.get(registration.channel.as_str())?.address?;
        contact.address(kind).map(|address| Target { registration, address: Some(address) })
    };
    let found: Vec<_> = serving.into_iter().filter(|registration| registration.is_open()).filter_map(reach).collect();
    if found.is_empty() {
        let detail = format!(
            "no enabled registration with `\"serves\": \"contacts\"` is for an address that contact `{name}` has; make one, or give the \
             contact an address"
        );
        return Err(NotReached::Nobody(Problem::new(Code::NoAddress, detail)));
    }
    Ok(found)
}

/// The registration that a raw address goes through.
async fn for_address(
    ports: &Ports,
    account: &AccountId,
    via: Option<&Arc<Registration>>,
    address: &Address,
) -> Result<Arc<Registration>, NotReached> {
    let takes = |registration: &Registration| {
        let spec = ports.channels.get(registration.channel.as_str());
        spec.is_some_and(|spec| spec.address == Some(address.kind))
    };
    let kind = address.kind.as_str();
    if let Some(via) = via {
        let detail = format!("`{}` is on channel `{}`, which takes no `{kind}:` addresses", via.name, via.channel);
        let wrong = || NotReached::Nobody(Problem::field(Code::InvalidField, "via", detail));
        return if takes(via) { Ok(Arc::clone(via)) } else { Err(wrong()) };
    }
    let all: Vec<_> = ports.registrations.defaults(account).await?.into_iter().filter(|found| takes(found)).collect();
    // one that is switched off is told of, but only where no other takes its place
    let found = all.iter().find(|found| found.is_open()).or(all.first()).cloned();
    let detail = format!("no registration with `\"default\": true` takes `{kind}:` addresses; make one, or name one in `via`");
    found.ok_or_else(|| NotReached::Nobody(Problem::new(Code::NoDefaultRegistration, detail)))
}
