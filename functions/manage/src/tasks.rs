//! Tasks: messages that are sent by the clock. Made one by one or many at once, listed, shown with their runs, changed,
//! cancelled, deleted.
//!
//! A repeated request, known by its `Idempotency-Key`, is answered with the task that the first one made, as it is now.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, ChannelId, EventId, Run, Source, Task, TaskId},
    ports::IdempotencyKey,
    task::{
        self,
        view::{self, RunState, RunView, Standing, TaskState},
    },
    view::Page,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Manager, Reader},
    json::Moment,
    list::{Everything, Items, Listing},
    path::{Identified, Owning, not_found},
    problem, task as request,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::overlay;

const MAKE: &str = "POST /v1/tasks";
const BULK: &str = "POST /v1/tasks/bulk";

/// The most tasks in one bulk.
const MOST_TASKS: usize = 100;

/// How many runs a preview shows.
const SHOWN_RUNS: usize = 5;

/// The latest run of a task, in short.
#[derive(Debug, Serialize)]
struct Latest {
    #[serde(flatten)]
    run: Run,
    state: Option<RunState>,
}

/// A task as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: TaskId,
    #[serde(flatten)]
    said: Map<String, Value>,
    channels: Vec<ChannelId>,
    state: TaskState,
    next_run: Option<Timestamp>,
    runs: u32,
    last_run: Option<Latest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Shown {
    fn new(standing: Standing) -> Self {
        let Standing { task, state, latest } = standing;
        Self {
            id: task.id,
            said: request::as_body(&task),
            state,
            next_run: task.next_run,
            runs: task.runs,
            last_run: task.latest().map(|run| Latest { run: *run, state: latest }),
            missed: task.missed,
            cancelled_at: task.cancelled_at,
            created_at: task.id.time(),
            updated_at: task.updated_at,
            channels: task.channels,
        }
    }
}

async fn shown(api: &Api, task: Task) -> Result<Shown, Problem> {
    Ok(Shown::new(view::standing(&api.ports, task).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    state: Option<TaskState>,
    channel: Option<ChannelId>,
    source: Option<Source>,
    from: Option<Moment>,
    to: Option<Moment>,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Filter, TaskId>,
) -> Result<Json<Items<Shown>>, Refused> {
    let Listing { limit, cursor, filter } = listing;
    let Filter { state, channel, source, from, to } = filter;
    if let Some(channel) = &channel {
        api.ports.channels.require(channel).map_err(|problem| Problem { code: Code::InvalidQuery, ..problem })?;
    }
    let (from, to) = (from.map(|Moment(from)| from), to.map(|Moment(to)| to));
    let filter = view::Filter { state, channel, source, from, to };
    let Page { items, next } = view::list(&api.ports, &caller.account, &filter, cursor, limit).await?;
    let whole = Items::first(items.into_iter().map(Shown::new).collect(), limit, |last: &Shown| last.id);
    if whole.next_cursor.is_some() {
        return Ok(Json(whole)); // it was cut for its length
    }
    Ok(Json(Items::new(whole.items, next.as_ref())))
}

pub(crate) async fn one(
    State(api): State<Api>,
    Reader(caller): Reader,
    Identified(id): Identified<TaskId>,
) -> Result<Json<Shown>, Refused> {
    let task = api.ports.tasks.get(&caller.account, id).await?.ok_or_else(not_found)?;
    Ok(Json(shown(&api, task).await?))
}

pub(crate) async fn runs(
    State(api): State<Api>,
    Reader(caller): Reader,
    Owning(id): Owning<TaskId>,
    listing: Listing<Everything, EventId>,
) -> Result<Json<Items<RunView>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    api.ports.tasks.get(&caller.account, id).await?.ok_or_else(not_found)?;
    let runs = view::runs(&api.ports, &caller.account, id, cursor, limit + 1).await?;
    Ok(Json(Items::first(runs, limit, |last: &RunView| last.run.event)))
}

pub(crate) async fn make(
    State(api): State<Api>,
    Manager(caller): Manager,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Refused> {
    let account = api.account(&caller.account).await?;
    api.spend(&account, 1)?;
    let payload = Payload::read(request, Limit::Plain).await?;
    let value = payload.value()?;
    let key = payload.idempotency_key(&account.id, MAKE, api.ports.clock.now());
    Ok((StatusCode::CREATED, Json(made(&api, &account, value, key).await?)))
}

async fn made(api: &Api, account: &Account, value: Value, key: Option<IdempotencyKey>) -> Result<Shown, Problem> {
    let wish = request::wish(value, account)?;
    let task = task::make(&api.ports, &account.id, wish, key.map(request::made_under)).await?;
    shown(api, task).await
}

/// When a task would run.
#[derive(Debug, Serialize)]
pub(crate) struct NextRuns {
    next_runs: Vec<Timestamp>,
}

pub(crate) async fn preview(State(api): State<Api>, Reader(caller): Reader, request: Request) -> Result<Json<NextRuns>, Refused> {
    let account = api.account(&caller.account).await?;
    api.spend(&account, 1)?;
    let asked: request::TimesBody = Payload::read(request, Limit::Plain).await?.parse()?;
    let (schedule, max_runs) = asked.read(&account)?;
    let next_runs = task::next_runs(&schedule, max_runs, api.ports.clock.now(), SHOWN_RUNS)?;
    Ok(Json(NextRuns { next_runs }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    tasks: Vec<Value>,
}

/// What came of one item of a bulk.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Made(Box<Shown>),
    Refused(problem::Body),
}

#[derive(Debug, Serialize)]
pub(crate) struct BulkAnswer {
    items: Vec<Item>,
}

/// Each item stands for itself.
pub(crate) async fn bulk(
    State(api): State<Api>,
    Manager(caller): Manager,
    request: Request,
) -> Result<(StatusCode, Json<BulkAnswer>), Refused> {
    let account = api.account(&caller.account).await?;
    let payload = Payload::read(request, Limit::Plain).await?;
    let BulkBody { tasks } = payload.parse()?;
    let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    if tasks.len() > MOST_TASKS {
        let detail = format!("a bulk has at most {MOST_TASKS} tasks, this one has {count}; send several");
        return Err(Problem::field(Code::TooManyItems, "tasks", detail).into());
    }
    api.spend(&account, count)?;
    let now = api.ports.clock.now();
    let mut items = Vec::new();
    // one after the other, so that each sees how many there are
    for (index, value) in tasks.into_iter().enumerate() {
        let key = payload.item_key(&account.id, BULK, index, &value, now);
        items.push(match made(&api, &account, value, key).await {
            Ok(task) => Item::Made(Box::new(task)),
            Err(problem) => Item::Refused(problem.under(&format!("tasks[{index}]")).into()),
        });
    }
    Ok((StatusCode::ACCEPTED, Json(BulkAnswer { items })))
}

/// What is absent stays; `schedule` and `options` are replaced whole.
pub(crate) async fn patch(
    State(api): State<Api>,
    Manager(caller): Manager,
    Identified(id): Identified<TaskId>,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    let change: Map<String, Value> = Payload::read(request, Limit::Plain).await?.parse()?;
    let account = api.account(&caller.account).await?;
    let change = |old: &Task| request::wish(overlay(request::as_body(old), change.clone(), &[]), &account);
    let task = task::edit(&api.ports, &caller.account, id, change).await?.ok_or_else(not_found)?;
    Ok(Json(shown(&api, task).await?))
}

pub(crate) async fn cancel(
    State(api): State<Api>,
    Manager(caller): Manager,
    Identified(id): Identified<TaskId>,
    request: Request,
) -> Result<Json<Shown>, Refused> {
    Payload::read(request, Limit::Plain).await?.nothing()?;
    let task = task::cancel(&api.ports, &caller.account, id).await?.ok_or_else(not_found)?;
    Ok(Json(shown(&api, task).await?))
}

pub(crate) async fn delete(
    State(api): State<Api>,
    Manager(caller): Manager,
    Identified(id): Identified<TaskId>,
) -> Result<StatusCode, Refused> {
    let existed = task::delete(&api.ports, &caller.account, id).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}
