//! A hundred thousand tasks that are due in one minute, on real files.

use std::{fs, sync::Arc, time::Duration};

use bellhop_batch::agenda::{Matters, look_at_due};
use bellhop_core::{
    model::{CatchUp, Task, TaskId, TaskName, When},
    ports::Clock,
};
use bellhop_embedded::{Durability, Options, Store};
use bellhop_testkit::{CATALOG, Provider, Silent, Sim, account, channel, draft, registration};
use futures_util::{StreamExt, stream};

const TASKS: u64 = 100_000;

/// What this process may take more than before, in kilobytes: what a queue's window and SQLite's caches hold, and not the tasks.
const MOST_MEMORY: u64 = 100_000;

/// How much memory the process has.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_tasks_of_one_minute_run_each_once_at_its_second_in_bounded_memory() {
    // given tasks that are due at every second of a minute
    let (dir, sim) = (tempfile::tempdir().expect("a folder"), Sim::new(1));
    let options = Options { durability: Durability::None };
    let store = Store::open(dir.path(), options, Arc::clone(&sim) as _).expect("it opens");
    let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
    assert!(ports.registrations.put(&registration("phone")).await.expect("it is saved"));
    let minute = sim.now() + Duration::from_mins(1);
    let due = |number: u64| minute + Duration::from_secs(number % 60);
    let task = |number: u64| Task {
        id: TaskId::new(sim.now(), u128::from(number)),
        account: account(),
        version: 1,
        name: TaskName::parse("one of many").expect("a name"),
        message: draft("x"),
        params: None,
        channels: vec![channel()],
        schedule: When::At { at: due(number) },
        max_runs: None,
        catch_up: CatchUp::One,
        next_run: Some(due(number)),
        under_way: None,
        last_run: None,
        runs: 0,
        missed: None,
        cancelled_at: None,
        made_under: None,
        updated_at: sim.now(),
    };
    let puts = stream::iter(0..TASKS).map(async |number| ports.tasks.put(&task(number)).await.expect("it is saved"));
    assert!(puts.buffer_unordered(500).all(async |saved| saved).await);
    let before = memory();

    // when somebody looks at every second
    let (mut ran, mut most) = (0, 0);
    for second in 0..60 {
        sim.set(minute + Duration::from_secs(second));
        let now = look_at_due(&ports, Matters::Tasks, &mut std::collections::HashMap::new()).await.expect("it is read");
        // then those of that second run
        let expected = (0..TASKS).filter(|number| number % 60 == second).count();
        assert_eq!(now, expected, "second {second}");
        ran += now;
        most = most.max(memory());
    }

    // and none is left, lost or sent twice
    assert_eq!(u64::try_from(ran).expect("few"), TASKS);
    assert_eq!(ports.agenda.due(minute + Duration::from_hours(1), None, 1).await.expect("it is read"), []);
    let (mut events, mut last) = (0, None);
    loop {
        let page = ports.events.list(&account(), None, last, 5_000).await.expect("events are read");
        let Some(earliest) = page.last() else { break };
        last = Some(earliest.event.id);
        events += page.len();
    }
    assert_eq!(u64::try_from(events).expect("few"), TASKS);
    assert!(most.saturating_sub(before) < MOST_MEMORY, "{before} kB before, {most} kB at most");
}
