//! What the verbs need of the world. Every port has an implementation per runtime and one contract suite in `testkit`.

mod clients;
mod messages;
mod tasks;
mod transport;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::{
    StoreError, Timestamp,
    channel::Catalog,
    clients::Mids,
    ids::Ids,
    link::PublicUrl,
    model::{
        Account, AccountId, AttachmentId, AuditEntry, AuditId, ChannelId, DeliveryId, Disabled, Entry, Event, EventId, Former,
        Hook, Job, Key, KeyId, Name, Picture, Registration, Schedule,
    },
    pace::{SendRate, Silence},
    plan::Plan,
    report::Telemetry,
    rules::turns::Turns,
    token::{Held, Slot, TokenKey, Wish, flights::Flights},
    transition::{Claim, Claimed, Settlement},
    vapid::{Contact, VapidKey},
};

pub use clients::{Clients, Session};
pub use messages::{Deliveries, Events, States};
pub use tasks::{Agenda, Due, Matter, Tasks};
pub use transport::{Http, Live, NobodyLive, Pushed, Sent, Ses, Smtp, Sockets, Transport, TransportError};

/// Everything, as the mains put it together.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its trait or type, and that says it")]
pub struct Ports {
    pub ledger: Arc<dyn Ledger>,
    pub queue: Arc<dyn Queue>,
    pub events: Arc<dyn Events>,
    pub deliveries: Arc<dyn Deliveries>,
    pub registrations: Arc<dyn Registrations>,
    pub pace: Arc<dyn Pace>,
    pub records: Arc<dyn Records>,
    pub digests: Arc<dyn Digests>,
    pub tasks: Arc<dyn Tasks>,
    pub agenda: Arc<dyn Agenda>,
    pub accounts: Arc<dyn Accounts>,
    pub keys: Arc<dyn Keys>,
    pub hooks: Arc<dyn Hooks>,
    pub audit: Arc<dyn Audit>,
    pub attachments: Arc<dyn Attachments>,
    pub tokens: Arc<dyn Tokens>,
    pub clients: Arc<dyn Clients>,
    pub vapid: Arc<dyn Vapid>,
    pub contact: Contact,
    pub public_url: Option<PublicUrl>,
    pub flights: Flights,
    pub mids: Mids,
    pub turns: Turns,
    pub ids: Ids,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Arc<dyn Telemetry>,
    pub transport: Transport,
    pub channels: Catalog,
}

/// The only writer of the delivery path, shaped by transitions. A method that fails may have taken effect up to any
/// point; calling it again, or a later wake-up, finishes what it began.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Keeps an event with its plan, then queues a job for each planned delivery. This is the commit point: once it has
    /// answered `New` or `Same`, every delivery of the plan becomes final.
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError>;

    /// What an idempotency key stands for, without making anything new. `None` = never used, or expired. Its answer is an
    /// answer like that of [`Ledger::accept`]: a store whose `accept` may end half-way queues here, too, what has no row yet.
    async fn recall(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Accepted>, StoreError>;

    /// Applies [`crate::transition::claim`].
    async fn claim(&self, job: &Job, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Applies [`crate::transition::settle`], then arms the next wake-up if there is to be one. `false`: the claim no
    /// longer holds and nothing was recorded.
    async fn settle(&self, job: &Job, settlement: &Settlement) -> Result<bool, StoreError>;

    /// Has `job` come back at that time: as a delayed message within 15 minutes, else by the due index.
    async fn arm(&self, job: &Job, at: Timestamp, now: Timestamp) -> Result<(), StoreError>;

    /// Applies [`crate::transition::reopen`] and arms the new wake-up; `false` if the delivery is not over. `job.n` is
    /// ignored: the row decides the number, and without a row the planned job itself is queued again.
    async fn reopen(&self, job: &Job, under: Option<&str>, now: Timestamp) -> Result<bool, StoreError>;

    /// Applies [`crate::transition::confirm`]. `false`: it was over already, or there is no such row.
    async fn confirm(&self, account: &AccountId, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError>;

    /// Applies [`crate::transition::hasten`] and arms the new wake-up. `job.n` is ignored. `false`: it waits for nothing.
    async fn hasten(&self, job: &Job, now: Timestamp) -> Result<bool, StoreError>;

    /// Queues up to `most` of the wake-ups that are due before `until`, each with its exact delay. Answers how many.
    async fn advance(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<usize, StoreError>;

    /// Forgets up to `most` rows whose time is over: idempotency keys and entries of audits that have expired, and what accounts have kept for as
    /// long as they want to, which is 30 days at least. Answers how many.
    async fn expire(&self, now: Timestamp, most: usize) -> Result<usize, StoreError>;
}

/// An event that is to be kept.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The caller's, if it gave one.
    pub key: Option<IdempotencyKey>,
    /// What happened.
    pub event: Event,
    /// Who is to hear of it.
    pub plan: Plan,
}

/// `(account, route, key)` and what the body was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key.
    pub account: AccountId,
    /// On which route: the same key on another route is another key.
    pub route: &'static str,
    /// The caller's word.
    pub key: String,
    /// SHA-256 of the body, hex.
    pub body_hash: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// What came of an acceptance.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It was kept, under this id.
    New(EventId),
    /// It had been kept before: this is what was kept then.
    Same(Box<StoredEvent>),
    /// The key had been used with another body.
    Mismatch,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// What happened.
    pub event: Arc<Event>,
    /// Who was to hear of it.
    pub plan: Plan,
}

/// Wake-ups on their way to workers. At least once, in no certain order.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Up to `most` wake-ups of a channel that are ready now, fair among accounts; none if nothing is ready.
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError>;

    /// Returns when [`Queue::receive`] may have something for that channel.
    async fn ready(&self, channel: &ChannelId);

    /// The wake-up was worked on.
    async fn ack(&self, wake: &Wake) -> Result<(), StoreError>;

    /// The wake-up is to come again, not before `after`.
    async fn give_back(&self, wake: &Wake, after: Duration) -> Result<(), StoreError>;

    /// The wake-up, on its last receive, belongs to the dead letters.
    async fn bury(&self, wake: &Wake) -> Result<(), StoreError>;

    /// How long it keeps a wake-up that nobody receives; `None` = for ever.
    fn retention(&self) -> Option<Duration>;

    /// How many dead letters each channel has.
    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError>;

    /// Brings a channel's dead letters back into its queue. Answers how many.
    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError>;
}

/// How often a message is received before it is a dead letter.
pub const MOST_RECEIVES: u32 = 5;

/// A received wake-up.
#[derive(Debug, Clone)]
pub struct Wake {
    /// What is to be done.
    pub job: Job,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// The queue's own handle.
    pub receipt: String,
}

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// At most 30 s old.
    Cached,
    /// As it is now.
    Fresh,
}

/// Named destinations.
#[async_trait]
pub trait Registrations: Send + Sync {
    /// One.
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError>;

    /// Those that name this group, by name.
    async fn in_group(&self, account: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError>;

    /// Those that take raw addresses, by name.
    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError>;

    /// Those that reach contacts, by name.
    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError>;

    /// Up to `most` by name, after that one.
    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError>;

    /// How many there are on that channel; no more than `most` are counted.
    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError>;

    /// The parameters that it had before ([`Registration::former`]), the latest first, [`crate::model::FORMERS`] at most.
    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError>;

    /// Saves it if the stored version is the one before `registration.version` (1 = there is none), and keeps what that had
    /// for parameters. `false`: somebody else saved in between.
    async fn put(&self, registration: &Registration) -> Result<bool, StoreError>;

    /// Deletes it, former parameters and all. `false`: there was none.
    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError>;

    /// Switches it off if it is still that version.
    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError>;
}

/// When registrations may be sent to. Saving or deleting a registration forgets what is known of it here.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Reserves the next free slot at or after `from`, and after any pause: nobody else gets it.
    async fn reserve(&self, account: &AccountId, name: &Name, rate: SendRate, from: Timestamp) -> Result<Timestamp, StoreError>;

    /// Nothing is sent before `until`: [`Registration::paused_until`] says so, to others after 30 s at most.
    async fn pause(&self, account: &AccountId, name: &Name, until: Timestamp) -> Result<(), StoreError>;

    /// Puts `now` in the place of what was `seen` of its silence. `false`: others had put something else there before, and it
    /// stays.
    async fn note(&self, account: &AccountId, name: &Name, seen: Silence, now: Silence) -> Result<bool, StoreError>;
}

/// What an account says or we know about it, as JSON under a name: rules, sources, counters. Whoever asks knows the shape.
#[async_trait]
pub trait Records: Send + Sync {
    /// One, as it is now.
    async fn get(&self, account: &AccountId, kind: Kind, name: &str) -> Result<Option<Record>, StoreError>;

    /// All of a kind, by name, at most 30 s old. Not for [`Kind::Counter`], of which there is no list, nor for
    /// [`Kind::Contact`], of which there may be many.
    async fn all(&self, account: &AccountId, kind: Kind) -> Result<Arc<Vec<Record>>, StoreError>;

    /// Up to `most` by name, after that one, as they are now. Not for [`Kind::Counter`].
    async fn list(&self, account: &AccountId, kind: Kind, after: Option<&str>, most: usize) -> Result<Vec<Record>, StoreError>;

    /// Saves it if the stored version is the one before `record.version` (1 = there is none). `false`: somebody else saved
    /// in between.
    async fn put(&self, account: &AccountId, kind: Kind, record: &Record) -> Result<bool, StoreError>;

    /// Deletes it. `false`: there was none.
    async fn delete(&self, account: &AccountId, kind: Kind, name: &str) -> Result<bool, StoreError>;

    /// Returns after that time: whoever saved faster may be done by then.
    async fn give_way(&self, wait: Duration);
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`crate::model::Rule`], by its name.
    Rule,
    /// [`crate::model::SourceSetting`], by the source.
    Source,
    /// [`crate::model::Contact`], by its name.
    Contact,
    /// [`crate::rules::threshold::Counter`], by rule and source.
    Counter,
    /// [`crate::model::KeyUse`], by the key's id.
    Use,
}

impl Kind {
    /// The word in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Source => "source",
            Self::Contact => "contact",
            Self::Counter => "counter",
            Self::Use => "use",
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name among those of its kind.
    pub name: String,
    /// Counts the saves.
    pub version: u64,
    /// JSON.
    pub body: String,
}

impl Record {
    /// What it holds.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(|error| StoreError::Corrupt(format!("a record: {error}")))
    }
}

/// What rules have collected, and how far their digests have come; [`Agenda`] has when somebody has to look at it. [`Ledger::accept`] is who collects: an event that was
/// accepted stands among what each rule of its plan has collected, once, at its time of acceptance or, if it comes so late that
/// others may have looked there before, behind it.
#[async_trait]
pub trait Digests: Send + Sync {
    /// A rule's schedule, as it is now.
    async fn get(&self, account: &AccountId, rule: &Name) -> Result<Option<Schedule>, StoreError>;

    /// Saves it if the stored version is the one before `schedule.version` (1 = there is none). `false`: somebody else saved
    /// in between.
    async fn put(&self, schedule: &Schedule) -> Result<bool, StoreError>;

    /// Saves it likewise, and decides what stands in its [`Schedule::frozen`] digest: everything collected up to that time
    /// which stands in none before. What comes later stands in a later one.
    async fn freeze(&self, schedule: &Schedule) -> Result<bool, StoreError>;

    /// Forgets it if it is still that version.
    async fn delete(&self, schedule: &Schedule) -> Result<bool, StoreError>;

    /// Hands `visit` what stands in the frozen digest, or, if there is none, what stands in no digest yet, in no certain
    /// order; nothing from before `from`.
    async fn collected(&self, schedule: &Schedule, from: Timestamp, visit: Visit<'_>) -> Result<(), StoreError>;
}

/// Is handed one entry after the other.
pub type Visit<'v> = &'v mut (dyn FnMut(Entry) + Send);

/// Tenants.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// One, at most 30 s old.
    async fn get(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError>;

    /// Its settings, at most 30 s old: those of a new account where there are none.
    async fn settings(&self, id: &AccountId) -> Result<Arc<Account>, StoreError> {
        Ok(self.get(id).await?.unwrap_or_else(|| Arc::new(Account::new(id.clone()))))
    }

    /// Up to `most` by name, after that one, as they are now; the deleted ones among them.
    async fn list(&self, after: Option<&AccountId>, most: usize) -> Result<Vec<Account>, StoreError>;

    /// Makes a new one with its first key. `false`: there is one of that name, or was, or the key's id is taken.
    async fn create(&self, account: &Account, key: &Key) -> Result<bool, StoreError>;

    /// Saves it where `before` is what is there (`None`: nothing), so that of two who change it neither undoes what the other has
    /// said. `false`: it is not; the next [`Accounts::get`] here reads what is.
    async fn put(&self, before: Option<&Account>, account: &Account) -> Result<bool, StoreError>;
}

/// API keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// One, at most 30 s old, "there is none" included.
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError>;

    /// All of an account, oldest first.
    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError>;

    /// Keeps a new one. `false`: the id is taken.
    async fn create(&self, key: &Key) -> Result<bool, StoreError>;

    /// Revokes one. `false`: the account has none of that id.
    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError>;
}

/// The paths by which other systems report.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// The one whose token has that hash, at most 30 s old, "there is none" included.
    async fn find(&self, hash: &str) -> Result<Option<Arc<Hook>>, StoreError>;

    /// All of an account, by name.
    async fn list(&self, account: &AccountId) -> Result<Vec<Hook>, StoreError>;

    /// Keeps a new one. `false`: the account has one of that name.
    async fn create(&self, hook: &Hook) -> Result<bool, StoreError>;

    /// Forgets one. `false`: the account has none of that name.
    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError>;
}

/// What was done with what accounts own. Entries are never changed.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Keeps an entry, until its time is over.
    async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Up to `most`, newest first, with ids below `before`.
    async fn list(&self, account: &AccountId, before: Option<AuditId>, most: usize) -> Result<Vec<AuditEntry>, StoreError>;
}

/// Bytes that are too many for a row.
#[async_trait]
pub trait Attachments: Send + Sync {
    /// Keeps them; durable when it returns.
    async fn put(&self, account: &AccountId, id: AttachmentId, picture: &Picture) -> Result<(), StoreError>;

    /// Reads them.
    async fn get(&self, account: &AccountId, id: AttachmentId) -> Result<Option<Picture>, StoreError>;

    /// Forgets them.
    async fn delete(&self, account: &AccountId, id: AttachmentId) -> Result<(), StoreError>;
}

/// Providers' tokens, one slot for each credential, shared by all who send; kept as secret as parameters are.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Applies [`crate::token::ask`]: of all who ask at once, one has the right to fetch.
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError>;

    /// Puts what came of a fetch, unless somebody else has taken the right to it from `by`.
    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError>;

    /// Returns when asking again may be answered otherwise: after a quarter of a second at most.
    async fn changed(&self, key: &TokenKey);
}

/// The deployment's key of Web Push, the same for ever; its private part is kept as secret as parameters are.
#[async_trait]
pub trait Vapid: Send + Sync {
    /// The public part, if there is a key.
    async fn public(&self) -> Result<Option<String>, StoreError>;

    /// The key; where there is none, one is made. However many ask at once, in however many processes, all get the same.
    async fn key(&self) -> Result<VapidKey, StoreError>;
}

/// Time and chance: both come from outside, so that a test can have its own.
pub trait Clock: Send + Sync {
    /// Now, to the millisecond.
    fn now(&self) -> Timestamp;

    /// 128 fresh random bits.
    fn chance(&self) -> u128;
}
