//! Tasks, their runs, and what is due when.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::{num::NonZeroU32, time::Duration};

use bellhop_core::{
    Timestamp,
    model::{CatchUp, MadeUnder, Run, Task, TaskId, TaskName, When},
    ports::{Due, Matter, Ports},
};

use super::{digests::made, other_account};
use crate::{account, channel, draft};

/// One that is made now and runs then.
fn task(ports: &Ports, next_run: Timestamp) -> Task {
    let now = ports.clock.now();
    Task {
        id: TaskId::new(now, ports.clock.chance()),
        account: account(),
        version: 1,
        name: TaskName::parse("催款 / reminder").expect("a name"),
        message: draft("pay"),
        params: Some(serde_json::Map::from_iter([("code".to_owned(), "1".into())])),
        channels: vec![channel()],
        schedule: When::At { at: next_run },
        max_runs: Some(NonZeroU32::MIN),
        catch_up: CatchUp::One,
        next_run: Some(next_run),
        under_way: None,
        last_run: None,
        runs: 0,
        missed: None,
        cancelled_at: None,
        made_under: None,
        updated_at: now,
    }
}

async fn put(ports: &Ports, task: &Task) -> bool {
    ports.tasks.put(task).await.expect("tasks are saved")
}

async fn get(ports: &Ports, id: TaskId) -> Option<Task> {
    ports.tasks.get(&account(), id).await.expect("tasks are read")
}

async fn list(ports: &Ports, from: Option<TaskId>, before: Option<TaskId>, most: usize) -> Vec<TaskId> {
    let listed = ports.tasks.list(&account(), from, before, most).await.expect("tasks are listed");
    listed.iter().map(|task| task.id).collect()
}

async fn due(ports: &Ports, until: Timestamp) -> Vec<Due> {
    ports.agenda.due(until, None, 10).await.expect("what is due is read")
}

fn due_at(task: &Task, at: Timestamp) -> Due {
    Due { at, account: task.account.clone(), matter: Matter::Task(task.id) }
}

/// The same with its run under way.
fn begun(task: &Task, at: Timestamp) -> Task {
    let run = Run { event: task.id.run(at, at), at };
    Task { version: task.version + 1, under_way: Some(run), runs: task.runs + 1, next_run: None, ..task.clone() }
}

/// The same when that run is over, and the next one is then.
fn done(task: &Task, next_run: Option<Timestamp>) -> Task {
    Task { version: task.version + 1, under_way: None, last_run: task.under_way, next_run, ..task.clone() }
}

pub async fn a_task_is_read_as_it_was_saved_by_its_own_account_alone(ports: &Ports) {
    let task = task(ports, ports.clock.now() + Duration::from_hours(1));
    assert_eq!(get(ports, task.id).await, None);
    assert!(put(ports, &task).await);
    assert_eq!(get(ports, task.id).await, Some(task.clone()));
    assert_eq!(ports.tasks.get(&other_account(), task.id).await.expect("tasks are read"), None);
}

pub async fn a_task_is_saved_over_the_version_before_alone(ports: &Ports) {
    let first = task(ports, ports.clock.now() + Duration::from_hours(1));
    let second = Task { version: 2, name: TaskName::parse("other").expect("a name"), ..first.clone() };
    assert!(!put(ports, &second).await, "there is no version 1");
    assert!(put(ports, &first).await);
    assert!(!put(ports, &first).await, "there is one already");
    assert!(put(ports, &second).await);
    assert!(!put(ports, &second).await);
    assert_eq!(get(ports, first.id).await, Some(second));
}

pub async fn of_two_who_begin_a_run_at_once_one_gets_there(ports: &Ports) {
    let at = ports.clock.now();
    let mut task = task(ports, at);
    assert!(put(ports, &task).await);
    for round in 0..10 {
        let begins = [1, 2].map(|which| {
            let ms = 2 * round + which;
            let (ports, begun) = (ports.clone(), begun(&task, at + Duration::from_millis(ms)));
            tokio::spawn(async move { ports.tasks.put(&begun).await })
        });
        let mut winners = 0;
        for begin in begins {
            winners += u32::from(begin.await.expect("no panic").expect("tasks are saved"));
        }
        assert_eq!(winners, 1);
        task = get(ports, task.id).await.expect("it is there");
        let next = done(&task, Some(at));
        assert!(put(ports, &next).await);
        task = next;
    }
    assert_eq!(ports.tasks.runs(&account(), task.id, None, 20).await.expect("runs are read").len(), 10);
}

pub async fn tasks_are_listed_newest_first_within_their_bounds(ports: &Ports) {
    let at = ports.clock.now() + Duration::from_hours(1);
    let mut ids = Vec::new();
    for second in [0, 1, 2, 3] {
        let id = TaskId::new(at + Duration::from_secs(second), ports.clock.chance());
        assert!(put(ports, &Task { id, ..task(ports, at) }).await);
        ids.insert(0, id);
    }
    assert!(put(ports, &Task { account: other_account(), ..task(ports, at) }).await);
    assert_eq!(list(ports, None, None, 10).await, ids);
    assert_eq!(list(ports, None, None, 3).await, ids[..3]);
    assert_eq!(list(ports, None, Some(ids[1]), 10).await, ids[2..], "below that one");
    assert_eq!(list(ports, Some(ids[1]), None, 10).await, ids[..2], "at or above that one");
    assert_eq!(list(ports, Some(ids[1]), Some(ids[2]), 10).await, []);
}

pub async fn a_task_is_due_when_it_says_until_it_says_otherwise(ports: &Ports) {
    let now = ports.clock.now();
    let (soon, later) = (now + Duration::from_secs(30), now + Duration::from_mins(90));
    let first = task(ports, soon);
    assert!(put(ports, &first).await);
    assert_eq!(due(ports, soon - Duration::from_millis(1)).await, []);
    assert_eq!(due(ports, soon).await, [due_at(&first, soon)]);

    let running = begun(&first, soon);
    assert!(put(ports, &running).await);
    assert_eq!(due(ports, soon).await, [due_at(&first, soon)], "somebody may have to finish it");

    let waiting = done(&running, Some(later));
    assert!(put(ports, &waiting).await);
    assert_eq!((due(ports, soon).await, due(ports, later).await), (vec![], vec![due_at(&first, later)]));

    let over = Task { version: waiting.version + 1, next_run: None, cancelled_at: Some(now), ..waiting };
    assert!(put(ports, &over).await);
    assert_eq!(due(ports, later + Duration::from_hours(1)).await, []);
}

pub async fn tasks_and_schedules_are_due_together_the_earliest_first_page_by_page(ports: &Ports) {
    let schedule = made(ports).await;
    let of_rule = Due { at: schedule.due, account: account(), matter: Matter::Rule(schedule.rule.clone()) };
    let mut all = vec![of_rule];
    for seconds in [1, 1, 60, 61] {
        let at = schedule.due - Duration::from_mins(1) + Duration::from_secs(seconds);
        let task = task(ports, at);
        assert!(put(ports, &task).await);
        all.push(due_at(&task, at));
    }
    all.sort();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let until = schedule.due + Duration::from_mins(1);
        let page = ports.agenda.due(until, after.as_ref(), 2).await.expect("what is due is read");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.clone());
        found.extend(page);
    }
    assert_eq!(found, all);
}

pub async fn the_runs_of_a_task_are_listed_newest_first(ports: &Ports) {
    let at = ports.clock.now();
    let (mut task, other) = (task(ports, at), task(ports, at));
    assert!(put(ports, &task).await && put(ports, &other).await);
    let mut runs = Vec::new();
    for second in 0..3 {
        let running = begun(&task, at + Duration::from_secs(second));
        assert!(put(ports, &running).await);
        runs.insert(0, running.under_way.expect("it is under way"));
        task = done(&running, Some(at));
        assert!(put(ports, &task).await);
    }
    let listed = async |before, most| ports.tasks.runs(&account(), task.id, before, most).await.expect("runs are read");
    assert_eq!(listed(None, 10).await, runs);
    assert_eq!(listed(None, 2).await, runs[..2]);
    assert_eq!(listed(Some(runs[1].event), 10).await, runs[2..]);
    assert_eq!(ports.tasks.runs(&account(), other.id, None, 10).await.expect("runs are read"), []);
    assert_eq!(ports.tasks.runs(&other_account(), task.id, None, 10).await.expect("runs are read"), []);
}

pub async fn a_deleted_task_is_neither_there_nor_due(ports: &Ports) {
    let at = ports.clock.now();
    let first = task(ports, at);
    assert!(put(ports, &first).await);
    let running = begun(&first, at);
    assert!(put(ports, &running).await);
    assert!(!ports.tasks.delete(&first).await.expect("tasks are deleted"), "it is another version by now");
    assert!(ports.tasks.delete(&running).await.expect("tasks are deleted"));
    assert!(!ports.tasks.delete(&running).await.expect("tasks are deleted"));
    assert_eq!((get(ports, first.id).await, list(ports, None, None, 10).await, due(ports, at).await), (None, vec![], vec![]));
    assert_eq!(ports.tasks.open(&account(), 10).await.expect("tasks are counted"), 0);
}

pub async fn under_one_key_one_task_is_made(ports: &Ports) {
    let now = ports.clock.now();
    let under = |key: &str| Some(MadeUnder { key: key.to_owned(), body: "b".to_owned() });
    let made = async |key: &str| ports.tasks.made_under(&account(), key, ports.clock.now()).await.expect("tasks are read");
    assert_eq!(made("k").await, None);
    let first = Task { made_under: under("k"), ..task(ports, now) };
    assert!(put(ports, &first).await);
    assert!(!put(ports, &Task { made_under: under("k"), ..task(ports, now) }).await, "the key is used");
    assert!(put(ports, &Task { made_under: under("l"), ..task(ports, now) }).await);
    assert!(put(ports, &Task { account: other_account(), made_under: under("k"), ..task(ports, now) }).await);
    let changed = Task { version: 2, runs: 7, ..first };
    assert!(put(ports, &changed).await);
    assert_eq!(made("k").await, Some(changed.clone()), "as it is now");
    let a_day_later = now + Duration::from_hours(24) + Duration::from_secs(2);
    assert_eq!(ports.tasks.made_under(&account(), "k", a_day_later).await.expect("tasks are read"), None);
    assert!(ports.tasks.delete(&changed).await.expect("tasks are deleted"));
    assert_eq!(made("k").await, None, "a task that is deleted gives its key back");
    let again = Task { made_under: under("k"), ..task(ports, now) };
    assert!(put(ports, &again).await);
    assert_eq!(made("k").await, Some(again));
}

pub async fn those_that_wait_for_a_run_are_counted(ports: &Ports) {
    let now = ports.clock.now();
    let open = async |most| ports.tasks.open(&account(), most).await.expect("tasks are counted");
    assert_eq!(open(5).await, 0);
    let tasks = [task(ports, now), task(ports, now), task(ports, now)];
    for task in &tasks {
        assert!(put(ports, task).await);
    }
    assert!(put(ports, &Task { account: other_account(), ..task(ports, now) }).await);
    assert_eq!((open(5).await, open(2).await), (3, 2));
    let running = begun(&tasks[0], now);
    assert!(put(ports, &running).await);
    assert_eq!(open(5).await, 3, "it is not over");
    assert!(put(ports, &done(&running, None)).await);
    assert_eq!(open(5).await, 2);
}
