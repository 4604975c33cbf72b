//! An account's audit: what was done with what it owns, and by which key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Account, AccountId, AuditId, KeyId};
use crate::Timestamp;

/// How long entries are kept at least, in days.
const LEAST_DAYS: u32 = 30;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Says when, too.
    pub id: AuditId,
    /// Whose audit it stands in.
    pub account: AccountId,
    /// Who.
    pub key: KeyId,
    /// What.
    pub action: Action,
    /// With what: a name or an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How long it is kept.
    pub until: Timestamp,
}

impl AuditEntry {
    /// Of something that is done now. `chance` is random.
    pub fn new(account: &Account, key: KeyId, action: Action, object: Option<String>, (now, chance): (Timestamp, u128)) -> Self {
        let days = u64::from(account.retention_days.max(LEAST_DAYS));
        let until = now + Duration::from_hours(24 * days);
        Self { id: AuditId::new(now, chance), account: account.id.clone(), key, action, object, until }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A registration was made or changed.
    RegistrationSaved,
    /// A registration was deleted.
    RegistrationDeleted,
    /// A registration's secrets were shown in clear.
    RegistrationRevealed,
    /// They were asked for without a key that allows it.
    RevealRefused,
    /// A key was made.
    KeyMade,
    /// A key was revoked.
    KeyRevoked,
    /// A hook was made.
    HookMade,
    /// A hook was deleted.
    HookDeleted,
    /// The account's settings were changed.
    AccountSaved,
    /// An account was made.
    AccountMade,
    /// An account was deleted.
    AccountDeleted,
    /// A channel's dead letters, those of all accounts, were brought back.
    DeadLettersRedriven,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_for(retention_days: u32) -> Duration {
        let account = Account { retention_days, ..Account::new(AccountId::parse("main").unwrap()) };
        let key = KeyId::from_part("abcd").unwrap();
        let entry = AuditEntry::new(&account, key, Action::KeyMade, None, (Timestamp::UNIX_EPOCH, 7));
        Duration::try_from(entry.until.duration_since(entry.id.time())).unwrap()
    }

    #[test]
    fn an_entry_is_kept_as_long_as_events_are_and_for_thirty_days_at_least() {
        assert_eq!(kept_for(1), Duration::from_hours(30 * 24));
        assert_eq!(kept_for(365), Duration::from_hours(365 * 24));
    }
}
