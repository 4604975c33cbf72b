//! A task's time comes: what is due is begun, accepted and put behind, in this order; whoever comes after one that died goes on
//! from there.
//!
//! * begin: the task says which run is under way, counts it and says when the next one is; of two who look, one gets there;
//! * accept: the run is an event like any other, under the id that the task says, so that a repetition is the same;
//! * done: the task waits for its next time.

use std::time::Duration;

use super::{RACES, said, times, unavailable};
use crate::{
    StoreError, Timestamp,
    accept::{self, Wanted},
    model::{AccountId, CatchUp, Run, Task, TaskId},
    ports::Ports,
};

/// How late a run may be that nothing is to be caught up with: whoever announces it may try three times.
const LATE: Duration = Duration::from_mins(5);

/// What came of looking at a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It ran, for this time.
    Once(Run),
    /// It is not yet time, or there is no such task, or its time is over.
    Not,
}

/// What is to be done with a task.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// Nothing.
    Wait,
    /// To be saved: a run is under way, or times have passed.
    Save(Box<Task>),
    /// The run that is under way is to be accepted.
    Accept(Run),
}

/// Looks at a task, and makes at most one run. Whatever is due behind that is still due.
pub async fn run(ports: &Ports, account: &AccountId, id: TaskId) -> Result<Ran, StoreError> {
    let mut known = ports.tasks.get(account, id).await?;
    // one that somebody made who had not heard of the account's end
    if ports.accounts.get(account).await?.is_some_and(|account| account.deleted_at.is_some()) {
        super::delete(ports, account, id).await.map_err(|problem| unavailable(&problem))?;
        return Ok(Ran::Not);
    }
    for _ in 0..RACES {
        let Some(task) = known else { return Ok(Ran::Not) };
        match step(&task, ports.clock.now()) {
            Step::Wait => return Ok(Ran::Not),
            Step::Save(next) => {
                let saved = ports.tasks.put(&next).await?;
                // what was saved need not be read again; where others were faster, theirs counts
                known = if saved { Some(*next) } else { ports.tasks.get(account, id).await? };
            }
            Step::Accept(begun) => {
                let draft = said(&task, ports.channels);
                match accept::accept_as(ports, account, draft, Wanted::Task, begun.event).await {
                    Ok(_) => {}
                    Err(problem) if problem.code.status() >= 500 => return Err(unavailable(&problem)),
                    // what is refused now is refused always; the next time may fare better
                    Err(problem) => {
                        tracing::error!(%account, task = %id, event = %begun.event, code = problem.code.as_str(), "a run was refused");
                    }
                }
                let done = Task { version: task.version + 1, under_way: None, last_run: Some(begun), ..task };
                // where others were faster, they have seen that it is under way, and put it behind
                return if ports.tasks.put(&done).await? { Ok(Ran::Once(begun)) } else { finish(ports, done, begun).await };
            }
        }
    }
    Err(StoreError::Unavailable("others work on this task at the same time; it is looked at again".to_owned()))
}

/// Puts an accepted run behind where others saved the task meanwhile.
async fn finish(ports: &Ports, task: Task, begun: Run) -> Result<Ran, StoreError> {
    for _ in 0..RACES {
        let Some(now) = ports.tasks.get(&task.account, task.id).await?.filter(|now| now.under_way == Some(begun)) else {
            return Ok(Ran::Once(begun));
        };
        let done = Task { version: now.version + 1, under_way: None, last_run: Some(begun), ..now };
        if ports.tasks.put(&done).await? {
            return Ok(Ran::Once(begun));
        }
    }
    Ok(Ran::Once(begun)) // it stays due, and is put behind by whoever looks next
}

fn step(task: &Task, now: Timestamp) -> Step {
    if let Some(run) = task.under_way {
        return Step::Accept(run);
    }
    let Some(at) = task.next_run.filter(|at| *at <= now) else { return Step::Wait };
    let next = times::next(&task.schedule, at);
    let is_behind = next.is_some_and(|next| next <= now);
    let after_now = || if is_behind { times::next(&task.schedule, now) } else { next };
    let begin = |next_run: Option<Timestamp>| {
        let run = Run { event: task.id.run(at, now), at };
        let mut begun = Task { version: task.version + 1, under_way: Some(run), runs: task.runs + 1, next_run, ..task.clone() };
        if !begun.has_runs_left() {
            begun.next_run = None;
        }
        Step::Save(Box::new(begun))
    };
    match task.catch_up {
        CatchUp::None if is_behind || at + LATE < now => {
            // the latest time may be not so late that it is over
            let next_run = times::next(&task.schedule, at.max(now - LATE));
            Step::Save(Box::new(Task { version: task.version + 1, next_run, missed: Some(at), ..task.clone() }))
        }
        CatchUp::All => begin(next),
        CatchUp::One | CatchUp::None => begin(after_now()),
    }
}
