//! Tasks: messages that are sent by the clock.
//!
//! Promises: a run is one event, whose id is settled before it is accepted, so that whoever dies, and of two who look at once,
//! it is made once; no more runs begin than `max_runs`; what was cancelled begins no run; a run that fails ends nothing. Left to
//! others: when a task runs ([`times`]), how it is kept ([`crate::ports::Tasks`]), and the way to people, which is that of any
//! other message.

mod run;
pub mod times;
pub mod view;

use std::{iter, num::NonZeroU32};

use serde_json::{Map, Value};

use crate::{
    Code, Problem, StoreError, Timestamp,
    accept::{self, Wanted},
    channel::{Catalog, Kind, Params},
    model::{AccountId, CatchUp, ChannelId, Draft, MadeUnder, Task, TaskId, TaskName, When},
    ports::Ports,
    quota::has_room_for_task,
};

pub use run::{Ran, run};

/// How often a task is written against others.
const RACES: usize = 20;

/// The most that a task may say, in bytes of JSON: its row, with what becomes of it, has to fit DynamoDB's 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MOST_SAID: usize = 256 * 1_024;

/// The parameter of channels that send by template.
const PARAMS: &str = "params";

/// What somebody wants sent, and when: the part of a [`Task`] that is its owner's to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// See [`Task::name`].
    pub name: TaskName,
    /// See [`Task::message`].
    pub message: Draft,
    /// See [`Task::params`].
    pub params: Option<Map<String, Value>>,
    /// See [`Task::schedule`].
    pub schedule: When,
    /// See [`Task::max_runs`].
    pub max_runs: Option<NonZeroU32>,
    /// See [`Task::catch_up`].
    pub catch_up: CatchUp,
}

/// Makes a task. A repeated request, known by what it was made under, is answered with the task that the first one made, as it
/// is now.
pub async fn make(ports: &Ports, account: &AccountId, wish: Wish, under: Option<MadeUnder>) -> Result<Task, Problem> {
    let now = ports.clock.now();
    if let Some(made) = made_before(ports, account, under.as_ref(), now).await? {
        return Ok(made);
    }
    let channels = check(ports, account, &wish).await?;
    let next_run = first_run(&wish.schedule, now)?;
    // what runs at once waits for nothing, and is over in a moment
    if wish.schedule != When::Now {
        has_room_for_task(ports, account).await?;
    }
    let Wish { name, message, params, schedule, max_runs, catch_up } = wish.settled();
    let task = Task {
        id: TaskId::new(now, ports.clock.chance()),
        account: account.clone(),
        version: 1,
        name,
        message,
        params,
        channels,
        schedule,
        max_runs,
        catch_up,
        next_run: Some(next_run),
        under_way: None,
        last_run: None,
        runs: 0,
        missed: None,
        cancelled_at: None,
        made_under: under,
        updated_at: now,
    };
    if ports.tasks.put(&task).await? {
        return Ok(task);
    }
    // two requests under one key at the same moment
    let made = made_before(ports, account, task.made_under.as_ref(), now).await?;
    made.ok_or_else(|| raced(task.id))
}

/// Puts `change` over a task; its next run moves if its times do. `None`: there is no such task.
pub async fn edit(
    ports: &Ports,
    account: &AccountId,
    id: TaskId,
    change: impl Fn(&Task) -> Result<Wish, Problem> + Send,
) -> Result<Option<Task>, Problem> {
    for _ in 0..RACES {
        let Some(old) = ports.tasks.get(account, id).await? else { return Ok(None) };
        if old.cancelled_at.is_some() {
            return Err(Problem::new(Code::Conflict, "this task was cancelled; make a new one"));
        }
        let now = ports.clock.now();
        let wish = change(&old)?;
        let channels = check(ports, account, &wish).await?;
        // a repeating task that was over goes on where its owner lets it run more often
        let goes_on = old.next_run.is_none() && wish.schedule.repeats();
        let next_run =
            if wish.schedule == old.schedule && !goes_on { old.next_run } else { Some(first_run(&wish.schedule, now)?) };
        let version = old.version + 1;
        let was_open = old.due().is_some();
        let is_moved = wish.schedule != old.schedule;
        let Wish { name, message, params, schedule, max_runs, catch_up } = wish.settled();
        // what runs once runs once more than it has, where it is not over by itself
        let once_more = !schedule.repeats() && (old.next_run.is_some() || old.schedule.repeats());
        let max_runs = if once_more { NonZeroU32::new(old.runs + 1) } else { max_runs };
        let mut new =
            Task { version, name, message, params, channels, schedule, max_runs, catch_up, next_run, updated_at: now, ..old };
        if !new.has_runs_left() {
            if is_moved {
                return Err(Problem::new(Code::Conflict, "this task has had all its runs; raise `max_runs`, or make a new one"));
            }
            new.next_run = None;
        }
        if !was_open && new.due().is_some() {
            has_room_for_task(ports, account).await?;
        }
        if ports.tasks.put(&new).await? {
            return Ok(Some(new));
        }
    }
    Err(raced(id))
}

/// Ends a task: no run begins any more. One that is over stays as it is. `None`: there is no such task.
pub async fn cancel(ports: &Ports, account: &AccountId, id: TaskId) -> Result<Option<Task>, Problem> {
    for _ in 0..RACES {
        let Some(old) = ports.tasks.get(account, id).await? else { return Ok(None) };
        if old.due().is_none() {
            return Ok(Some(old));
        }
        let now = ports.clock.now();
        let last_run = old.latest().copied();
        let new = Task {
            version: old.version + 1,
            next_run: None,
            under_way: None,
            last_run,
            cancelled_at: Some(now),
            updated_at: now,
            ..old
        };
        if ports.tasks.put(&new).await? {
            return Ok(Some(new));
        }
    }
    Err(raced(id))
}

/// Deletes a task with the list of its runs; what they have sent goes its way. `false`: there is no such task.
pub async fn delete(ports: &Ports, account: &AccountId, id: TaskId) -> Result<bool, Problem> {
    for _ in 0..RACES {
        let Some(old) = ports.tasks.get(account, id).await? else { return Ok(false) };
        if ports.tasks.delete(&old).await? {
            return Ok(true);
        }
    }
    Err(raced(id))
}

/// What a run of the task says.
pub(crate) fn said(task: &Task, channels: Catalog) -> Draft {
    let mut draft = task.message.clone();
    if let Some(params) = &task.params {
        for spec in channels.specs.iter().filter(|spec| takes_params(spec)) {
            let options = draft.options.entry(ChannelId::new(spec.id)).or_default();
            // what is said for one channel alone counts more
            options.entry(PARAMS).or_insert_with(|| Value::Object(params.clone()));
        }
    }
    draft
}

fn takes_params(spec: &crate::channel::Spec) -> bool {
    spec.params.iter().any(|param| param.name == PARAMS && param.per_message && param.kind == Kind::Object)
}

/// Refuses what no run could send; answers the channels that it reaches now.
async fn check(ports: &Ports, account: &AccountId, wish: &Wish) -> Result<Vec<ChannelId>, Problem> {
    has_such_runs(&wish.schedule, wish.max_runs)?;
    let said = serde_json::to_string(&(&wish.message, &wish.params))
        .map_err(|_| Problem::new(Code::Internal, "a task cannot be written"))?;
    if said.len() > MOST_SAID {
        let detail =
            format!("a task says {MOST_SAID} bytes of JSON at most, this one {}; shorten `body`, `data` or `params`", said.len());
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    let targets = accept::reaches(ports, account, &wish.message, Wanted::Message).await?;
    let mut channels: Vec<_> = targets.into_iter().map(|target| target.registration.channel.clone()).collect();
    channels.sort_unstable();
    channels.dedup();
    if let Some(params) = &wish.params {
        let mut taken = channels.iter().filter_map(|id| ports.channels.get(id.as_str())).filter(|spec| takes_params(spec));
        let Some(spec) = taken.next() else {
            let detail = "nobody whom it goes to is reached by a channel with templates; leave it out, or use `options`";
            return Err(Problem::field(Code::InvalidOption, PARAMS, detail));
        };
        let options = Map::from_iter([(PARAMS.to_owned(), Value::Object(params.clone()))]);
        Params::check_options(spec, &options).map_err(|problem| Problem { field: Some(PARAMS.to_owned()), ..problem })?;
    }
    Ok(channels)
}

/// The first `count` times at which a task would run that is made now, fewer if it ends before.
pub fn next_runs(schedule: &When, max_runs: Option<NonZeroU32>, now: Timestamp, count: usize) -> Result<Vec<Timestamp>, Problem> {
    has_such_runs(schedule, max_runs)?;
    let most = max_runs.map_or(count, |most| count.min(usize::try_from(most.get()).unwrap_or(usize::MAX)));
    let first = first_run(schedule, now)?;
    Ok(iter::successors(Some(first), |at| times::next(schedule, *at)).take(most).collect())
}

fn has_such_runs(schedule: &When, max_runs: Option<NonZeroU32>) -> Result<(), Problem> {
    if !schedule.repeats() && max_runs.is_some_and(|most| most != NonZeroU32::MIN) {
        return Err(invalid("max_runs", "a task that runs once has no other than 1; leave it out"));
    }
    Ok(())
}

/// When a schedule that is saved now runs first. A single time must not be over, but for the minute that clocks and networks
/// may take.
fn first_run(schedule: &When, now: Timestamp) -> Result<Timestamp, Problem> {
    match schedule {
        When::At { at } if *at + jiff::SignedDuration::from_mins(1) < now => {
            return Err(invalid("schedule.at", "this time is over; give one to come, or the kind `now`"));
        }
        When::Now | When::At { .. } | When::Hourly { .. } | When::Daily { .. } | When::Cron { .. } => {}
    }
    times::first(schedule, now).ok_or_else(|| invalid("schedule", "there is no such time; look at the day and the month"))
}

fn invalid(field: &str, detail: &str) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

async fn made_before(
    ports: &Ports,
    account: &AccountId,
    under: Option<&MadeUnder>,
    now: Timestamp,
) -> Result<Option<Task>, Problem> {
    let Some(under) = under else { return Ok(None) };
    match ports.tasks.made_under(account, &under.key, now).await? {
        Some(made) if made.made_under.as_ref() != Some(under) => Err(Problem::field(
            Code::IdempotencyMismatch,
            "Idempotency-Key",
            "this key came with another body within 24 hours; use a new key for a new request",
        )),
        made => Ok(made),
    }
}

fn raced(id: TaskId) -> Problem {
    Problem::new(Code::Conflict, format!("others saved `{id}` at the same moment; read it again and repeat"))
}

impl Wish {
    /// What runs once has one run.
    fn settled(self) -> Self {
        let max_runs = if self.schedule.repeats() { self.max_runs } else { Some(NonZeroU32::MIN) };
        Self { max_runs, ..self }
    }
}

impl From<&Task> for Wish {
    fn from(task: &Task) -> Self {
        let Task { name, message, params, schedule, max_runs, catch_up, .. } = task.clone();
        // what runs once need not say how often
        let max_runs = max_runs.filter(|_| schedule.repeats());
        Self { name, message, params, schedule, max_runs, catch_up }
    }
}

/// So that whoever runs tasks need not know why one could not be accepted.
pub(crate) fn unavailable(problem: &Problem) -> StoreError {
    StoreError::Unavailable(problem.to_string())
}
