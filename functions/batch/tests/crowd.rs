//! Many tasks that are due in one minute, or at one instant, on real files.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_batch::agenda::{Matters, look_at_due};
use bellhop_core::{
    StoreError, Timestamp,
    model::{CatchUp, Task, TaskId, TaskName, When},
    ports::{Agenda, Clock, Due, Ports},
};
use bellhop_embedded::{Durability, Options, Store};
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim, account, channel, draft,
    effects::{Effects, Point, between_points},
    registration,
};
use futures_util::{StreamExt, stream};
use tempfile::TempDir;

/// What this process may take more than before, in kilobytes: what a queue's window and SQLite's caches hold, and not the tasks.
const MOST_MEMORY: u64 = 100_000;

/// How much memory the process has.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

/// Tasks that wait for a minute to come.
struct Crowd {
    ports: Ports,
    sim: Arc<Sim>,
    minute: Timestamp,
    tasks: usize,
    _dir: TempDir,
}

impl Crowd {
    /// So many, each due so long after the minute has begun.
    async fn of(tasks: usize, after: impl Fn(usize) -> Duration) -> Self {
        let (dir, sim) = (tempfile::tempdir().expect("a folder"), Sim::new(1));
        let options = Options { durability: Durability::None };
        let store = Store::open(dir.path(), options, Arc::clone(&sim) as _).expect("it opens");
        let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
        assert!(ports.registrations.put(&registration("phone")).await.expect("it is saved"));
        let minute = sim.now() + Duration::from_mins(1);
        let task = |number: usize| {
            let at = minute + after(number);
            Task {
                id: TaskId::new(sim.now(), number as u128),
                account: account(),
                version: 1,
                name: TaskName::parse("one of many").expect("a name"),
                message: draft("x"),
                params: None,
                channels: vec![channel()],
                schedule: When::At { at },
                max_runs: None,
                catch_up: CatchUp::One,
                next_run: Some(at),
                under_way: None,
                last_run: None,
                runs: 0,
                missed: None,
                cancelled_at: None,
                made_under: None,
                updated_at: sim.now(),
            }
        };
        let puts = stream::iter(0..tasks).map(async |number| ports.tasks.put(&task(number)).await.expect("it is saved"));
        assert!(puts.buffer_unordered(500).all(async |saved| saved).await);
        Self { ports, sim, minute, tasks, _dir: dir }
    }

    /// None is left, lost or sent twice: as many events as tasks, of which none is due any more.
    async fn has_run_once(&self) {
        assert_eq!(self.ports.agenda.due(self.minute + Duration::from_hours(1), None, 1).await.expect("it is read"), []);
        let (mut events, mut last) = (0, None);
        loop {
            let page = self.ports.events.list(&account(), None, last, 5_000).await.expect("events are read");
            let Some(earliest) = page.last() else { break };
            last = Some(earliest.event.id);
            events += page.len();
        }
        assert_eq!(events, self.tasks);
    }
}

async fn look(ports: &Ports) -> usize {
    look_at_due(ports, Matters::Tasks, &mut HashMap::new()).await.expect("it is read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_tasks_of_one_minute_run_each_once_at_its_second_in_bounded_memory() {
    // given tasks that are due at every second of a minute
    let crowd = Crowd::of(100_000, |number| Duration::from_secs(number as u64 % 60)).await;
    let before = memory();

    // when somebody looks at every second
    let mut most = 0;
    for second in 0..60 {
        crowd.sim.set(crowd.minute + Duration::from_secs(second as u64));
        // then those of that second run
        let expected = (0..crowd.tasks).filter(|number| number % 60 == second).count();
        assert_eq!(look(&crowd.ports).await, expected, "second {second}");
        most = most.max(memory());
    }
    crowd.has_run_once().await;
    assert!(most.saturating_sub(before) < MOST_MEMORY, "{before} kB before, {most} kB at most");
}

/// Counts what was read of the agenda and has not run yet.
struct Held {
    agenda: Arc<dyn Agenda>,
    read: AtomicUsize,
    ran: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Agenda for Held {
    async fn due(&self, until: Timestamp, after: Option<&Due>, most: usize) -> Result<Vec<Due>, StoreError> {
        let page = self.agenda.due(until, after, most).await?;
        let read = self.read.fetch_add(page.len(), Ordering::SeqCst) + page.len();
        self.most.fetch_max(read - self.ran.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(page)
    }

    async fn announce(&self, now: Timestamp, until: Timestamp) -> Result<usize, StoreError> {
        self.agenda.announce(now, until).await
    }
}

#[async_trait]
impl Effects for Held {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        if point == Point::After("ledger.accept") {
            self.ran.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_one_instant_run_each_once_and_a_page_of_them_is_held_at_a_time() {
    // given more tasks than are ever looked up at once, all due at the same instant
    let crowd = Crowd::of(20_000, |_| Duration::ZERO).await;
    let agenda = Arc::clone(&crowd.ports.agenda);
    let held = Arc::new(Held { agenda, read: AtomicUsize::new(0), ran: AtomicUsize::new(0), most: AtomicUsize::new(0) });
    let ports = between_points(crowd.ports.clone(), &(Arc::clone(&held) as Arc<dyn Effects>));
    let ports = Ports { agenda: Arc::clone(&held) as _, ..ports };

    // when somebody looks at that instant
    crowd.sim.set(crowd.minute);

    // then one look does them all, and never is more than a page read that has not run
    assert_eq!(look(&ports).await, crowd.tasks);
    crowd.has_run_once().await;
    assert_eq!(held.ran.load(Ordering::SeqCst), crowd.tasks);
    assert_eq!(held.most.load(Ordering::SeqCst), 200);
}
