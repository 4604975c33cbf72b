//! What people are shown of tasks and their runs. How a run went is read from its deliveries, which know it best.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    StoreError, Timestamp,
    model::{AccountId, ChannelId, EventId, Run, Source, State, Task, TaskId},
    plan::Dropped,
    ports::{Ports, StoredEvent},
    view::{self, Page, Told},
};

/// The most tasks that one page of a filtered list looks through.
const MOST_TASKS: usize = 200;

/// The most deliveries that are told with a run; its event tells more.
const MOST_OF_RUN: usize = 100;

/// How many of them are looked at at once.
const AT_ONCE: usize = 16;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It waits for its next run.
    Scheduled,
    /// Its latest run is on its way to people.
    Running,
    /// It is over, and its last run reached everybody.
    Succeeded,
    /// It is over, and its last run did not reach everybody, or there was none.
    Failed,
    /// It is over, and how its last run went is kept no longer.
    Ended,
    /// Somebody has ended it.
    Cancelled,
}

impl TaskState {
    /// Every state there is.
    pub const ALL: [Self; 6] = [Self::Scheduled, Self::Running, Self::Succeeded, Self::Failed, Self::Ended, Self::Cancelled];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Some delivery is not over.
    Running,
    /// Everybody was reached.
    Succeeded,
    /// Somebody was not.
    Failed,
}

/// A run with all that became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    /// Which, and for what time.
    #[serde(flatten)]
    pub run: Run,
    /// How it went; nothing where its event is not kept any more.
    pub state: Option<RunState>,
    /// Its deliveries with their attempts.
    #[serde(flatten)]
    pub told: Told,
    /// Who got nothing, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
}

/// Where a task stands, and how its latest run went.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The task.
    pub task: Task,
    /// Where it stands.
    pub state: TaskState,
    /// How its latest run went, if there was one and it is known.
    pub latest: Option<RunState>,
}

/// What a list of tasks shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state only.
    pub state: Option<TaskState>,
    /// To this channel only.
    pub channel: Option<ChannelId>,
    /// Of this source only.
    pub source: Option<Source>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// What can be said without looking at deliveries.
    fn may_show(&self, task: &Task) -> bool {
        self.channel.as_ref().is_none_or(|channel| task.channels.contains(channel))
            && self.source.as_ref().is_none_or(|source| *source == task.message.source)
    }
}

/// A run, and what became of it.
async fn of_run(ports: &Ports, account: &AccountId, run: Run) -> Result<RunView, StoreError> {
    let Some(stored) = ports.events.get(account, run.event).await? else {
        return Ok(RunView { run, state: None, told: Told::default(), dropped: Vec::new() });
    };
    let state = state_of(ports, &stored).await?;
    let told = view::first_of_event(ports, &stored, MOST_OF_RUN).await?;
    Ok(RunView { run, state: Some(state), told, dropped: stored.plan.dropped })
}

/// How it went, from where its deliveries stand: what has no row yet waits to be queued.
async fn state_of(ports: &Ports, stored: &StoredEvent) -> Result<RunState, StoreError> {
    let StoredEvent { event, plan } = stored;
    let states = ports.deliveries.states(&event.account, event.id, &plan.deliveries).await?;
    let are_lost = ports.queue.retention().is_some_and(|retention| event.id.time() + retention < ports.clock.now());
    let rows = states.count(|_| true);
    let open = states.count(|state| !state.is_final()) + if are_lost { 0 } else { plan.deliveries.len().saturating_sub(rows) };
    let there = states.count(|state| matches!(state, State::Delivered | State::Confirmed));
    Ok(if open > 0 {
        RunState::Running
    } else if plan.dropped.is_empty() && there == plan.deliveries.len() {
        RunState::Succeeded
    } else {
        RunState::Failed
    })
}

/// Where a task stands.
pub async fn standing(ports: &Ports, task: Task) -> Result<Standing, StoreError> {
    let latest = match task.latest() {
        Some(run) => match ports.events.get(&task.account, run.event).await? {
            Some(stored) => Some(state_of(ports, &stored).await?),
            None => None,
        },
        None => None,
    };
    let state = match latest {
        _ if task.cancelled_at.is_some() => TaskState::Cancelled,
        _ if task.under_way.is_some() => TaskState::Running,
        Some(RunState::Running) => TaskState::Running,
        _ if task.next_run.is_some() => TaskState::Scheduled,
        Some(RunState::Succeeded) => TaskState::Succeeded,
        None if task.latest().is_some() => TaskState::Ended,
        Some(RunState::Failed) | None => TaskState::Failed,
    };
    Ok(Standing { task, state, latest })
}

/// Up to `most` tasks, newest first, below `before`. A filtered page looks at a bounded number: it may be short while there is
/// more.
pub async fn list(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    before: Option<TaskId>,
    most: usize,
) -> Result<Page<Standing, TaskId>, StoreError> {
    let floor = |at: Timestamp| TaskId::new(at, 0);
    let before = [before, filter.to.map(floor)].into_iter().flatten().min();
    let tasks = ports.tasks.list(account, filter.from.map(floor), before, MOST_TASKS).await?;
    let is_whole = tasks.len() < MOST_TASKS;
    let last = tasks.last().map(|task| task.id);
    let (mut items, mut wanted) = (Vec::new(), tasks.into_iter().filter(|task| filter.may_show(task)));
    loop {
        // no more are looked at than the page may need
        let some: Vec<_> = wanted.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(Page { items, next: last.filter(|_| !is_whole) });
        }
        let standings = stream::iter(some.into_iter().map(|task| standing(ports, task)));
        let standings: Vec<_> = standings.buffered(AT_ONCE).try_collect().await?;
        items.extend(standings.into_iter().filter(|standing| filter.state.is_none_or(|state| state == standing.state)));
        if items.len() > most {
            items.truncate(most);
            let next = items.last().map(|standing: &Standing| standing.task.id);
            return Ok(Page { items, next });
        }
    }
}

/// Up to `most` runs of a task, newest first, with events below `before`.
pub async fn runs(
    ports: &Ports,
    account: &AccountId,
    id: TaskId,
    before: Option<EventId>,
    most: usize,
) -> Result<Vec<RunView>, StoreError> {
    let runs = ports.tasks.runs(account, id, before, most).await?;
    stream::iter(runs.into_iter().map(|run| of_run(ports, account, run))).buffered(AT_ONCE).try_collect().await
}
