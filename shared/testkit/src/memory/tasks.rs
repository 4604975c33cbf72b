//! Tasks with their runs, and what is due when.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, EventId, Run, Schedule, Task, TaskId},
    ports::{Agenda, Clock, Due, Matter, Tasks},
};

use super::{Worker, tables::Tables};

/// For how long the key of a request is remembered.
const REMEMBERED: std::time::Duration = std::time::Duration::from_hours(24);

#[async_trait]
impl Tasks for Worker {
    async fn get(&self, account: &AccountId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.read(|tables| tables.tasks.get(&(account.clone(), id)).cloned()))
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<TaskId>,
        before: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let shown = |task: &&Task| {
            task.account == *account && from.is_none_or(|from| task.id >= from) && before.is_none_or(|before| task.id < before)
        };
        Ok(self.read(|tables| tables.tasks.values().rev().filter(shown).take(most).cloned().collect()))
    }

    async fn put(&self, task: &Task) -> Result<bool, StoreError> {
        let now = self.memory.sim.now();
        self.effect("task", |tables| {
            let place = (task.account.clone(), task.id);
            let version = tables.tasks.get(&place).map_or(0, |stored| stored.version);
            let under = task.made_under.as_ref().filter(|_| version == 0);
            let is_taken = under.is_some_and(|under| made_under(tables, &task.account, &under.key, now).is_some());
            let fits = version + 1 == task.version && !is_taken;
            if fits {
                if let Some(run) = task.under_way {
                    tables.runs.insert((task.account.clone(), task.id, run.event), run);
                }
                tables.tasks.insert(place, task.clone());
            }
            fits
        })
        .await
    }

    async fn delete(&self, task: &Task) -> Result<bool, StoreError> {
        self.effect("task gone", |tables| {
            let place = (task.account.clone(), task.id);
            let fits = tables.tasks.get(&place).is_some_and(|stored| stored.version == task.version);
            if fits {
                tables.tasks.remove(&place);
                tables.runs.retain(|(account, id, _), _| (account, *id) != (&task.account, task.id));
            }
            fits
        })
        .await
    }

    async fn runs(&self, account: &AccountId, id: TaskId, before: Option<EventId>, most: usize) -> Result<Vec<Run>, StoreError> {
        let first = (account.clone(), id, EventId(0));
        let end = (account.clone(), id, before.unwrap_or(EventId(u128::MAX)));
        Ok(self.read(|tables| tables.runs.range(first..end).rev().take(most).map(|(_, run)| *run).collect()))
    }

    async fn made_under(&self, account: &AccountId, key: &str, now: Timestamp) -> Result<Option<Task>, StoreError> {
        Ok(self.read(|tables| made_under(tables, account, key, now)))
    }

    async fn open(&self, account: &AccountId, most: usize) -> Result<usize, StoreError> {
        let is_open = |task: &&Task| task.account == *account && task.due().is_some();
        Ok(self.read(|tables| tables.tasks.values().filter(is_open).take(most).count()))
    }
}

fn made_under(tables: &Tables, account: &AccountId, key: &str, now: Timestamp) -> Option<Task> {
    let is_it = |task: &&Task| {
        let under = task.made_under.as_ref().is_some_and(|under| under.key == key);
        task.account == *account && under && now < task.id.time() + REMEMBERED
    };
    tables.tasks.values().rev().find(is_it).cloned()
}

#[async_trait]
impl Agenda for Worker {
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        let mut due: Vec<Due> = self.read(|tables| {
            let schedules = tables.schedules.values().map(|schedule: &Schedule| Due {
                at: schedule.due,
                account: schedule.account.clone(),
                matter: Matter::Rule(schedule.rule.clone()),
            });
            let tasks = tables
                .tasks
                .values()
                .filter_map(|task| Some(Due { at: task.due()?, account: task.account.clone(), matter: Matter::Task(task.id) }));
            schedules.chain(tasks).filter(|due| due.at <= until).collect()
        });
        due.sort();
        due.retain(|due| after.is_none_or(|after| due > after));
        due.truncate(most);
        Ok(due)
    }

    async fn announce(&self, _now: Timestamp, _until: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}
