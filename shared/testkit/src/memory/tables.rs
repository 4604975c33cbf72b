//! The rows, as maps in order: the same seed sees them in the same order.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use bellhop_core::{
    Timestamp,
    model::{
        Account, AccountId, AuditEntry, AuditId, ChannelId, ConnectionId, Delivery, DeliveryId, EventId, Former, Hook, Job, Key,
        KeyId, Mid, Name, Picture, Registration, Run, Schedule, Task, TaskId,
    },
    pace::Silence,
    ports::{IdempotencyKey, Kind, Record, Session, StoredEvent},
    token::{Slot, TokenKey},
    vapid::VapidKey,
};

use super::{digests::Collected, queue::Messages};

/// Everything that is kept.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) idempotency: BTreeMap<(AccountId, &'static str, String), Used>,
    pub(super) events: BTreeMap<(AccountId, EventId), StoredEvent>,
    pub(super) deliveries: BTreeMap<(AccountId, DeliveryId), Delivery>,
    pub(super) due: BTreeMap<(Timestamp, DeliveryId, u32), Job>,
    pub(super) parked: usize,
    pub(super) queues: BTreeMap<ChannelId, Messages>,
    pub(super) messages_sent: u64,
    pub(super) registrations: BTreeMap<(AccountId, Name), Arc<Registration>>,
    /// The latest first.
    pub(super) formers: BTreeMap<(AccountId, Name), Vec<Former>>,
    pub(super) pace: BTreeMap<(AccountId, Name), Taken>,
    pub(super) records: BTreeMap<(AccountId, Kind, String), Record>,
    pub(super) schedules: BTreeMap<(AccountId, Name), Schedule>,
    pub(super) entries: BTreeMap<(AccountId, Name, EventId), Collected>,
    pub(super) tasks: BTreeMap<(AccountId, TaskId), Task>,
    pub(super) runs: BTreeMap<(AccountId, TaskId, EventId), Run>,
    pub(super) accounts: BTreeMap<AccountId, Arc<Account>>,
    pub(super) keys: BTreeMap<KeyId, Arc<Key>>,
    pub(super) hooks: BTreeMap<(AccountId, Name), Arc<Hook>>,
    pub(super) audit: BTreeMap<(AccountId, AuditId), AuditEntry>,
    pub(super) attachments: BTreeMap<(AccountId, EventId), Picture>,
    pub(super) tokens: BTreeMap<TokenKey, Slot>,
    pub(super) client_tokens: BTreeMap<String, AccountId>,
    pub(super) numbers: BTreeMap<(AccountId, Mid), EventId>,
    pub(super) lines: BTreeSet<(AccountId, Name, DeliveryId)>,
    pub(super) connections: BTreeMap<(AccountId, Name), ConnectionId>,
    pub(super) sessions: BTreeMap<ConnectionId, Session>,
    pub(super) vapid: Option<VapidKey>,
}

/// Up to when slots of a registration are taken, how long it pauses, and how often in a row it did not answer.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) reserved: Option<Timestamp>,
    pub(super) paused_until: Option<Timestamp>,
    pub(super) timeouts: u32,
}

impl Taken {
    pub(super) fn silence(&self) -> Silence {
        Silence { timeouts: self.timeouts, paused_until: self.paused_until }
    }
}

/// What an idempotency key was used for.
pub(super) struct Used {
    pub(super) event: EventId,
    pub(super) body_hash: String,
    pub(super) expires_at: Timestamp,
}

/// When a task was over that is not due any more.
fn over(task: &Task) -> Timestamp {
    task.latest().map_or(task.updated_at, |run| task.updated_at.max(run.event.time()))
}

impl Tables {
    /// `attribute_not_exists(pk) OR expires < :now`: where that fails, what is there.
    pub(super) fn use_key(&mut self, key: &IdempotencyKey, event: EventId, now: Timestamp) -> Result<(), &Used> {
        let place = (key.account.clone(), key.route, key.key.clone());
        let used = Used { event, body_hash: key.body_hash.clone(), expires_at: key.expires_at };
        match self.idempotency.entry(place) {
            Entry::Vacant(vacant) => {
                vacant.insert(used);
                Ok(())
            }
            Entry::Occupied(mut there) if there.get().expires_at < now => {
                there.insert(used);
                Ok(())
            }
            Entry::Occupied(there) => Err(there.into_mut()),
        }
    }

    /// Writes an event if there is none of that id: then `None`, else the one that is there.
    pub(super) fn put_event(&mut self, stored: &StoredEvent) -> Option<StoredEvent> {
        let place = (stored.event.account.clone(), stored.event.id);
        if let Some(there) = self.events.get(&place) {
            return Some(there.clone());
        }
        self.events.insert(place, stored.clone());
        None
    }

    /// Forgets up to `most` entries of audits whose time is over.
    pub(super) fn forget_audit(&mut self, now: Timestamp, most: usize) -> usize {
        let over = self.audit.iter().filter(|(_, entry)| entry.until <= now).map(|(place, _)| place.clone());
        let over: Vec<_> = over.take(most).collect();
        for place in &over {
            self.audit.remove(place);
        }
        over.len()
    }

    /// Forgets up to `most` rows that their accounts have kept for long enough.
    pub(super) fn forget_old(&mut self, now: Timestamp, most: usize) -> usize {
        let mut left = most;
        for account in self.accounts.values() {
            let before = now - Duration::from_hours(24 * u64::from(account.retention_days.max(30)));
            let is_old = |owner: &AccountId, at: Timestamp| *owner == account.id && at < before;
            let mut kept = |is_old: bool| {
                let goes = is_old && left > 0;
                left -= usize::from(goes);
                !goes
            };
            self.deliveries.retain(|(owner, id), _| kept(is_old(owner, id.event.time())));
            self.events.retain(|(owner, id), _| kept(is_old(owner, id.time())));
            self.entries.retain(|(owner, ..), collected| kept(is_old(owner, collected.entry.at)));
            self.runs.retain(|(owner, _, event), _| kept(is_old(owner, event.time())));
            self.tasks.retain(|(owner, _), task| kept(task.due().is_none() && is_old(owner, over(task))));
            self.attachments.retain(|(owner, id), _| !is_old(owner, id.time()));
        }
        most - left
    }

    pub(super) fn send(&mut self, job: Job, visible_at: Timestamp) {
        self.messages_sent += 1;
        let number = self.messages_sent;
        self.queues.entry(job.channel.clone()).or_default().push(number, job, visible_at);
    }
}
