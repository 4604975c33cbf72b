//! Tasks: a row each, and what leads to it.
//!
//! Promise: a task, its place among what is due ([`super::composing`]), its place among those that wait for a run, the run that is
//! under way and the request that made it are written in one transaction: none is ever without the others. What is over goes
//! when its last run does, by DynamoDB's own hand; a task that is deleted leaves the list of its runs behind until then, which
//! nobody can ask for any more.

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, EventId, Run, Task, TaskId},
    ports::{Due, Matter, Tasks},
};

use super::{
    events::A_DAY,
    keys,
    table::{Condition, Range, Row, Write, Written},
};
use crate::{Store, error::corrupt};

const VERSION: &str = "version";
const AT: &str = "at";
const TASK: &str = "task";

#[async_trait]
impl Tasks for Store {
    async fn get(&self, account: &AccountId, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.table.get(keys::task(account, id)).await?.map(|row| row.body()).transpose()
    }

    async fn list(
        &self,
        account: &AccountId,
        from: Option<TaskId>,
        before: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let range = Range {
            pk: keys::tasks(account),
            from: from.map(|id| id.to_string()),
            before: before.map(|id| id.to_string()),
            newest_first: true,
        };
        self.table.query(&range, most).await?.iter().map(Row::body).collect()
    }

    async fn put(&self, task: &Task) -> Result<bool, StoreError> {
        let stored = Tasks::get(self, &task.account, task.id).await?;
        if stored.as_ref().map_or(0, |stored| stored.version) + 1 != task.version {
            return Ok(false);
        }
        let kept_until = self.kept_until(&task.account).await?;
        let row = Row::new(keys::task(&task.account, task.id)).with_body(task)?.with_number(VERSION, task.version);
        let (before, now) = (stored.as_ref().and_then(due), due(task));
        let row = if now.is_none() { row.with_number(keys::EXPIRES, kept_until + A_DAY) } else { row };
        let condition = match &stored {
            Some(stored) => Condition::new("version = :version", ":version", stored.version),
            None => Condition::IS_FREE,
        };
        let under_way = |task: &Task| task.under_way.map(|run| run.event);
        let begun = task.under_way.filter(|_| stored.as_ref().and_then(under_way) != under_way(task));
        if before == now && begun.is_none() && stored.is_some() {
            return Ok(self.table.put_if(row, &condition, self.clock.chance()).await? == Written::Yes);
        }
        let mut writes = vec![Write::Put(row, Some(condition))];
        if let Some(run) = begun {
            let row = Row::new(keys::run(&task.account, task.id, run.event)).with_number(AT, run.at.as_millisecond());
            writes.push(Write::Put(row.with_number(keys::EXPIRES, kept_until), None));
        }
        if let (None, Some(under)) = (&stored, &task.made_under) {
            let seconds = self.clock.now().as_second();
            let row = Row::new(keys::made_under(&task.account, &under.key))
                .with_text(TASK, task.id.to_string())
                .with_number(keys::EXPIRES, task.id.time().as_second() + A_DAY);
            let is_free = Condition::new("attribute_not_exists(pk) OR expires <= :now", ":now", seconds);
            writes.push(Write::Put(row, Some(is_free)));
        }
        if before != now {
            writes.extend(before.as_ref().map(|before| Write::Delete(keys::composing(before), None)));
            match &now {
                Some(now) => {
                    self.name_minute(now.at).await?;
                    writes.push(Write::Put(Row::new(keys::composing(now)), None));
                    if before.is_none() {
                        writes.push(Write::Put(Row::new(keys::open_task(&task.account, task.id)), None));
                    }
                }
                None => writes.push(Write::Delete(keys::open_task(&task.account, task.id), None)),
            }
        }
        let is_written = self.table.write_all(writes).await?;
        if let Some(now) = now.filter(|now| is_written && before.as_ref() != Some(now)) {
            self.announce_soon(&now).await;
        }
        Ok(is_written)
    }

    async fn delete(&self, task: &Task) -> Result<bool, StoreError> {
        let condition = Condition::new("version = :version", ":version", task.version);
        let mut writes = vec![
            Write::Delete(keys::task(&task.account, task.id), Some(condition)),
            Write::Delete(keys::open_task(&task.account, task.id), None),
        ];
        writes.extend(due(task).map(|due| Write::Delete(keys::composing(&due), None)));
        // unless another task was made under the same key since
        if let Some(under) = &task.made_under
            && Tasks::made_under(self, &task.account, &under.key, self.clock.now()).await?.is_some_and(|made| made.id == task.id)
        {
            writes.push(Write::Delete(keys::made_under(&task.account, &under.key), None));
        }
        self.table.write_all(writes).await
    }

    async fn runs(&self, account: &AccountId, id: TaskId, before: Option<EventId>, most: usize) -> Result<Vec<Run>, StoreError> {
        let before = before.map(|event| event.to_string());
        let range = Range { before, newest_first: true, ..Range::all(keys::runs(account, id)) };
        self.table.query(&range, most).await?.iter().map(run).collect()
    }

    async fn made_under(&self, account: &AccountId, key: &str, now: Timestamp) -> Result<Option<Task>, StoreError> {
        let Some(row) = self.table.get(keys::made_under(account, key)).await? else { return Ok(None) };
        if row.number::<i64>(keys::EXPIRES)? <= now.as_second() {
            return Ok(None);
        }
        let id = row.text(TASK)?.parse().map_err(|_| corrupt("a task's id"))?;
        Tasks::get(self, account, id).await
    }

    async fn open(&self, account: &AccountId, most: usize) -> Result<usize, StoreError> {
        Ok(self.table.query(&Range::all(keys::open_tasks(account)), most).await?.len())
    }
}

fn due(task: &Task) -> Option<Due> {
    Some(Due { at: task.due()?, account: task.account.clone(), matter: Matter::Task(task.id) })
}

fn run(row: &Row) -> Result<Run, StoreError> {
    Ok(Run {
        event: row.text("sk")?.parse().map_err(|_| corrupt("a run's event"))?,
        at: Timestamp::from_millisecond(row.number(AT)?).map_err(|_| corrupt(AT))?,
    })
}
