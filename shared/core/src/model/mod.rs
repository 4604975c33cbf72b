//! The nouns: account, key, registration, hook, event, delivery. Parsed once at the edge, valid ever after.

mod account;
mod audit;
mod client;
mod contact;
mod delivery;
mod digest;
mod event;
mod hook;
mod id;
mod language;
mod name;
mod recipient;
mod registration;
mod rule;
mod task;

pub use account::{Account, Key, KeyUse, Quotas, Rate, Scope, is_language_tag};
pub use audit::{Action, AuditEntry};
pub use client::{ConnectionId, Method, Mid, Mpush, Origin, SendType};
pub use contact::Contact;
pub use delivery::{Attempt, Delivery, Job, Lease, Outcome, State};
pub use digest::{Because, Closing, Entry, Frozen, Schedule};
pub use event::{Draft, Event, EventType, Format, Picture, RunResult, Source, Trigger, Wording};
pub use hook::{Defaults, Hook, HookKind, Route};
pub use id::{AttachmentId, AuditId, DeliveryId, EventId, KeyId, ParseIdError, TaskId};
pub use language::Language;
pub use name::{AccountId, ChannelId, Name, NameError};
pub use recipient::{Address, AddressKind, Recipient, RecipientError};
pub use registration::{Disabled, FORMERS, Former, Registration, Serves, WAY};
pub use rule::{AfterFailures, Audience, Batch, Collect, Every, Matching, MaxLines, Notify, Pattern, Rule, SourceSetting, Tell};
pub use task::{CatchUp, Cron, CronError, MadeUnder, Minute, Run, Start, Task, TaskName, When, Zone};
