//! Tasks, and what is due when.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    StoreError, Timestamp,
    model::{AccountId, EventId, Name, Run, Task, TaskId},
};

/// What accounts want sent by the clock.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// One, as it is now.
    async fn get(&self, account: &AccountId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Up to `most`, newest first, with ids below `before` and at or above `from`.
    async fn list(
        &self,
        account: &AccountId,
        from: Option<TaskId>,
        before: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<Task>, StoreError>;

    /// Saves it if the stored version is the one before `task.version` (1 = there is none), and puts the run that is under way
    /// among its runs. `false`: somebody else saved in between, or made one under the same key within 24 hours.
    async fn put(&self, task: &Task) -> Result<bool, StoreError>;

    /// Forgets it with the list of its runs, if it is still that version.
    async fn delete(&self, task: &Task) -> Result<bool, StoreError>;

    /// Up to `most` of its runs, newest first, with events below `before`.
    async fn runs(&self, account: &AccountId, id: TaskId, before: Option<EventId>, most: usize) -> Result<Vec<Run>, StoreError>;

    /// The one that was made under that key within 24 hours.
    async fn made_under(&self, account: &AccountId, key: &str, now: Timestamp) -> Result<Option<Task>, StoreError>;

    /// How many of the account's are due at some time; no more than `most` are counted.
    async fn open(&self, account: &AccountId, most: usize) -> Result<usize, StoreError>;
}

/// What is due when: schedules of digests ([`super::Digests`]) and tasks ([`Tasks`]), each from when it was saved until it is
/// saved with another time.
#[async_trait]
pub trait Agenda: Send + Sync {
    /// Up to `most` that are due at or before `until`, the earliest first, behind that one.
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError>;

    /// Has whoever works on it look at what is due before `until`, each at its time; where somebody asks [`Agenda::due`] every
    /// second, nothing is to be done. Answers how many.
    async fn announce(&self, now: Timestamp, until: Timestamp) -> Result<usize, StoreError>;
}

/// Something that has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// What.
    #[serde(flatten)]
    pub matter: Matter,
}

/// What can be due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// A rule's digest.
    Rule(Name),
    /// A task's run.
    Task(TaskId),
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => write!(f, "rule {rule}"),
            Self::Task(id) => write!(f, "task {id}"),
        }
    }
}
