//! Tasks from their making to their end, on memory.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use bellhop_core::{
    Code, Problem, Timestamp,
    channel::Params,
    deliver::{LEASE, work},
    model::{
        Account, CatchUp, Draft, EventId, MadeUnder, Quotas, Recipient, Registration, Start, Task, TaskId, TaskName, When, Zone,
    },
    ports::{Clock, Matter, Ports},
    task::{
        self, Ran, Wish,
        view::{self, Filter, RunState, TaskState},
    },
};
use bellhop_testkit::{Answer, Provider, Rig, account, channel, draft, name, registration};
use jiff::civil;

async fn rig(script: &[Answer]) -> Rig {
    let rig = Rig::new(Provider::new(script));
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    rig
}

fn wish(schedule: When) -> Wish {
    let name = TaskName::parse("reminder").expect("a name");
    Wish { name, message: draft("pay"), params: None, schedule, max_runs: None, catch_up: CatchUp::One }
}

fn every_minute() -> When {
    When::Cron { cron: "* * * * *".parse().expect("cron"), time_zone: Zone::parse("UTC").expect("a zone"), start: Start::Now }
}

fn daily() -> When {
    When::Daily { time: civil::time(12, 0, 0, 0), time_zone: Zone::parse("UTC").expect("a zone"), start: Start::Now }
}

async fn make(ports: &Ports, wish: Wish) -> Task {
    task::make(ports, &account(), wish, None).await.expect("it is made")
}

async fn get(ports: &Ports, id: TaskId) -> Task {
    ports.tasks.get(&account(), id).await.expect("memory does not fail").expect("it is there")
}

/// Looks at the task as if it were due. Answers whether it ran.
async fn look(ports: &Ports, id: TaskId) -> bool {
    matches!(task::run(ports, &account(), id).await.expect("memory does not fail"), Ran::Once(_))
}

/// Looks until it does not run any more.
async fn looks(ports: &Ports, id: TaskId) -> usize {
    let mut runs = 0;
    while look(ports, id).await {
        runs += 1;
    }
    runs
}

/// Looks at whatever is due. Answers how many ran.
async fn looks_at_all(ports: &Ports) -> usize {
    let mut runs = 0;
    for due in ports.agenda.due(ports.clock.now(), None, 100).await.expect("memory does not fail") {
        if let Matter::Task(id) = due.matter {
            runs += looks(ports, id).await;
        }
    }
    runs
}

/// Works on what is ready.
async fn deliver(ports: &Ports) {
    while let [wake, ..] = &ports.queue.receive(&channel(), 1).await.expect("memory does not fail")[..] {
        work(ports, wake, LEASE).await.expect("memory does not fail");
    }
}

async fn state(ports: &Ports, id: TaskId) -> (TaskState, Option<RunState>) {
    let standing = view::standing(ports, get(ports, id).await).await.expect("memory does not fail");
    (standing.state, standing.latest)
}

async fn events(ports: &Ports) -> Vec<EventId> {
    let events = ports.events.list(&account(), None, None, 1_000).await.expect("memory does not fail");
    events.iter().map(|stored| stored.event.id).collect()
}

fn refusal<T: std::fmt::Debug>(made: Result<T, Problem>) -> (Code, Option<String>) {
    let problem = made.expect_err("it is refused");
    (problem.code, problem.field)
}

#[tokio::test]
async fn a_task_for_now_is_scheduled_then_running_then_succeeded() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(When::Now)).await;
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Scheduled, None));

    assert!(look(&rig.ports, task.id).await);
    assert!(!look(&rig.ports, task.id).await, "it has run");
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Running, Some(RunState::Running)));

    deliver(&rig.ports).await;
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Succeeded, Some(RunState::Succeeded)));
    let runs = view::runs(&rig.ports, &account(), task.id, None, 10).await.expect("memory does not fail");
    assert_eq!((runs.len(), runs[0].told.deliveries.len(), runs[0].told.deliveries[0].attempts.len()), (1, 1, 1));
}

#[tokio::test]
async fn how_a_task_ended_is_not_guessed_once_its_run_is_forgotten() {
    let rig = rig(&[]).await;
    assert!(rig.ports.accounts.put(None, &Account::new(account())).await.expect("memory does not fail"));
    let task = make(&rig.ports, wish(When::Now)).await;
    assert!(look(&rig.ports, task.id).await);
    deliver(&rig.ports).await;

    rig.sim.pass(Duration::from_hours(24 * 31));
    // its delivery and its event
    assert_eq!(rig.ports.ledger.expire(rig.ports.clock.now(), 2).await.expect("memory does not fail"), 2);
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Ended, None));
}

#[tokio::test]
async fn a_task_that_outlives_its_account_ends_where_it_would_run() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    let gone = Account { deleted_at: Some(rig.ports.clock.now()), ..Account::new(account()) };
    assert!(rig.ports.accounts.put(None, &gone).await.expect("memory does not fail"));
    rig.sim.pass(Duration::from_mins(1));
    assert!(!look(&rig.ports, task.id).await);
    assert_eq!(rig.ports.tasks.get(&account(), task.id).await.expect("memory does not fail"), None);
    assert_eq!(events(&rig.ports).await, []);
}

#[tokio::test]
async fn a_task_whose_message_is_rejected_has_failed() {
    let rig = rig(&[Answer::Status(400)]).await;
    let task = make(&rig.ports, wish(When::Now)).await;
    assert!(look(&rig.ports, task.id).await);
    deliver(&rig.ports).await;
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Failed, Some(RunState::Failed)));
}

#[tokio::test]
async fn a_failed_run_does_not_end_a_repeating_task() {
    let rig = rig(&[Answer::Status(400)]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    for _ in 0..3 {
        rig.sim.pass(Duration::from_mins(1));
        assert!(look(&rig.ports, task.id).await);
        deliver(&rig.ports).await;
        assert_eq!(state(&rig.ports, task.id).await, (TaskState::Scheduled, Some(RunState::Failed)));
    }
}

#[tokio::test]
async fn a_recipient_that_is_gone_fails_the_run_and_not_the_task() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    assert!(rig.ports.registrations.delete(&account(), &name("phone")).await.expect("memory does not fail"));
    rig.sim.pass(Duration::from_mins(1));
    assert!(look(&rig.ports, task.id).await);
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Scheduled, Some(RunState::Failed)));
    let runs = view::runs(&rig.ports, &account(), task.id, None, 10).await.expect("memory does not fail");
    assert_eq!(runs[0].dropped.len(), 1);
}

#[tokio::test]
async fn a_cancelled_task_never_fires_whatever_its_kind() {
    let rig = rig(&[]).await;
    for kind in ["now", "at", "cron", "daily"] {
        let schedule = match kind {
            "now" => When::Now,
            "at" => When::At { at: rig.sim.now() + Duration::from_mins(1) },
            "cron" => every_minute(),
            _ => daily(),
        };
        let task = make(&rig.ports, wish(schedule)).await;
        let cancelled = task::cancel(&rig.ports, &account(), task.id).await.expect("memory does not fail").expect("it is there");
        assert_eq!(cancelled.due(), None);
        rig.sim.pass(Duration::from_hours(25));
        assert!(!look(&rig.ports, task.id).await, "{kind}");
        assert_eq!(state(&rig.ports, task.id).await.0, TaskState::Cancelled);
    }
    assert_eq!(events(&rig.ports).await, []);
}

#[tokio::test]
async fn a_run_that_had_begun_when_its_task_was_cancelled_is_not_made_afterwards() {
    // given a worker that has begun a run and died
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(When::Now)).await;
    let run = bellhop_core::model::Run { event: task.id.run(rig.sim.now(), rig.sim.now()), at: rig.sim.now() };
    let begun = Task { version: 2, under_way: Some(run), runs: 1, next_run: None, ..task.clone() };
    assert!(rig.ports.tasks.put(&begun).await.expect("memory does not fail"));
    assert_eq!(state(&rig.ports, task.id).await.0, TaskState::Running);

    task::cancel(&rig.ports, &account(), task.id).await.expect("memory does not fail");
    assert!(!look(&rig.ports, task.id).await);
    assert_eq!(events(&rig.ports).await, []);
}

#[tokio::test]
async fn editing_a_task_moves_its_next_run() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    let later = rig.sim.now() + Duration::from_hours(3);
    let edit = |old: &Task| Ok(Wish { schedule: When::At { at: later }, ..Wish::from(old) });
    let edited = task::edit(&rig.ports, &account(), task.id, edit).await.expect("it is edited").expect("it is there");
    assert_eq!(edited.next_run, Some(later));
    rig.sim.pass(Duration::from_mins(5));
    assert!(!look(&rig.ports, task.id).await, "its old time is nothing any more");
    rig.sim.pass(Duration::from_hours(3));
    assert!(look(&rig.ports, task.id).await);
}

#[tokio::test]
async fn editing_its_words_leaves_a_tasks_next_run_where_it_is() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    rig.sim.pass(Duration::from_secs(90));
    let edit = |old: &Task| Ok(Wish { message: draft("pay now"), ..Wish::from(old) });
    let edited = task::edit(&rig.ports, &account(), task.id, edit).await.expect("it is edited").expect("it is there");
    assert_eq!(edited.next_run, task.next_run);
    assert!(look(&rig.ports, task.id).await);
    let events = rig.ports.events.list(&account(), None, None, 10).await.expect("memory does not fail");
    assert_eq!(events[0].event.message, "pay now");
}

#[tokio::test]
async fn a_repeating_task_that_has_run_can_be_moved_to_a_single_time() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, wish(every_minute())).await;
    for _ in 0..2 {
        rig.sim.pass(Duration::from_mins(1));
        assert!(look(&rig.ports, task.id).await);
    }
    for minutes in [90, 120] {
        let at = rig.ports.clock.now() + Duration::from_mins(minutes);
        let edit = |old: &Task| Ok(Wish { schedule: When::At { at }, ..Wish::from(old) });
        let moved = task::edit(&rig.ports, &account(), task.id, edit).await.expect("it is moved").expect("it is there");
        assert_eq!(moved.next_run, Some(at));
    }
    rig.sim.pass(Duration::from_mins(121));
    assert_eq!(looks(&rig.ports, task.id).await, 1);
    let at = rig.ports.clock.now() + Duration::from_mins(1);
    let edit = |old: &Task| Ok(Wish { schedule: When::At { at }, ..Wish::from(old) });
    assert_eq!(refusal(task::edit(&rig.ports, &account(), task.id, edit).await), (Code::Conflict, None), "it is over");
}

#[tokio::test]
async fn no_more_runs_begin_than_max_runs() {
    let rig = rig(&[]).await;
    let three = NonZeroU32::new(3);
    let task = make(&rig.ports, Wish { max_runs: three, ..wish(every_minute()) }).await;
    let mut runs = 0;
    for _ in 0..10 {
        rig.sim.pass(Duration::from_mins(1));
        let (one, other) = tokio::join!(look(&rig.ports, task.id), look(&rig.ports, task.id));
        runs += usize::from(one || other);
    }
    assert_eq!((runs, events(&rig.ports).await.len()), (3, 3));
    deliver(&rig.ports).await;
    assert_eq!(state(&rig.ports, task.id).await.0, TaskState::Succeeded);

    // its owner lets it run twice more
    let edit = |old: &Task| Ok(Wish { max_runs: NonZeroU32::new(5), ..Wish::from(old) });
    task::edit(&rig.ports, &account(), task.id, edit).await.expect("it is edited");
    for _ in 0..10 {
        rig.sim.pass(Duration::from_mins(1));
        runs += usize::from(look(&rig.ports, task.id).await);
    }
    assert_eq!((runs, events(&rig.ports).await.len()), (5, 5));
}

/// At the full hour, and at each minute of the ten behind it.
fn ten_minutes_an_hour() -> When {
    When::Cron { cron: "0-9 * * * *".parse().expect("cron"), time_zone: Zone::parse("UTC").expect("a zone"), start: Start::Now }
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_as_the_task_wants_it() {
    for (catch_up, runs) in [(CatchUp::One, 1), (CatchUp::All, 10), (CatchUp::None, 0)] {
        let rig = rig(&[]).await;
        rig.sim.pass(Duration::from_mins(10));
        let task = make(&rig.ports, Wish { catch_up, ..wish(ten_minutes_an_hour()) }).await;
        let first = task.next_run.expect("it has one");
        rig.sim.pass(Duration::from_mins(50 + 20));
        assert_eq!(looks(&rig.ports, task.id).await, runs, "{catch_up:?}");
        let after = get(&rig.ports, task.id).await;
        assert_eq!(after.next_run, Some(first + Duration::from_hours(1)), "{catch_up:?}");
        assert_eq!(after.missed.is_some(), catch_up == CatchUp::None);

        // and goes on as if nothing had been
        rig.sim.pass(Duration::from_mins(40));
        assert_eq!(looks(&rig.ports, task.id).await, 1, "{catch_up:?}");
    }
}

#[tokio::test]
async fn a_time_that_is_not_five_minutes_late_is_not_missed() {
    let rig = rig(&[]).await;
    let task = make(&rig.ports, Wish { catch_up: CatchUp::None, ..wish(daily()) }).await;
    let at = task.next_run.expect("it has one");
    rig.sim.pass(at.duration_since(rig.sim.now()).unsigned_abs() + Duration::from_mins(4));
    assert!(look(&rig.ports, task.id).await);
    rig.sim.pass(Duration::from_hours(24) + Duration::from_mins(2));
    assert!(!look(&rig.ports, task.id).await);
    assert_eq!(get(&rig.ports, task.id).await.missed, Some(at + Duration::from_hours(24)));
}

#[tokio::test]
async fn a_single_time_that_was_missed_is_made_up_for_or_fails() {
    for (catch_up, runs, ended) in
        [(CatchUp::One, 1, TaskState::Succeeded), (CatchUp::All, 1, TaskState::Succeeded), (CatchUp::None, 0, TaskState::Failed)]
    {
        let rig = rig(&[]).await;
        let at = rig.sim.now() + Duration::from_mins(1);
        let task = make(&rig.ports, Wish { catch_up, ..wish(When::At { at }) }).await;
        rig.sim.pass(Duration::from_hours(1));
        assert_eq!(looks(&rig.ports, task.id).await, runs, "{catch_up:?}");
        deliver(&rig.ports).await;
        assert_eq!(state(&rig.ports, task.id).await.0, ended, "{catch_up:?}");
    }
}

#[tokio::test]
async fn what_no_run_could_send_is_refused() {
    let rig = rig(&[]).await;
    let refused = async |wish| refusal(task::make(&rig.ports, &account(), wish, None).await);
    let field = |code, field: &str| (code, Some(field.to_owned()));

    let nobody = Draft { send_to: vec![Recipient::Registration(name("nobody"))], ..draft("x") };
    assert_eq!(refused(Wish { message: nobody, ..wish(When::Now) }).await, field(Code::UnknownRecipient, "to[0]"));
    let past = When::At { at: Timestamp::UNIX_EPOCH };
    assert_eq!(refused(wish(past)).await, field(Code::InvalidField, "schedule.at"));
    let twice = Wish { max_runs: NonZeroU32::new(2), ..wish(When::Now) };
    assert_eq!(refused(twice).await, field(Code::InvalidField, "max_runs"));
    let params = Some(serde_json::Map::from_iter([("code".to_owned(), "1".into())]));
    assert_eq!(refused(Wish { params, ..wish(When::Now) }).await, field(Code::InvalidOption, "params"));
    let cron = "0 0 30 2 *".parse().expect("cron");
    let never = When::Cron { cron, time_zone: Zone::parse("UTC").expect("a zone"), start: Start::Now };
    assert_eq!(refused(wish(never)).await, field(Code::InvalidField, "schedule"));
    assert_eq!(rig.ports.tasks.open(&account(), 10).await.expect("memory does not fail"), 0);
}

#[tokio::test]
async fn an_account_has_no_more_open_tasks_than_its_quota() {
    let rig = rig(&[]).await;
    let quotas = Quotas { tasks: 2, ..Quotas::default() };
    let settings = Account { quotas, ..Account::new(account()) };
    assert!(rig.ports.accounts.put(None, &settings).await.expect("memory does not fail"));
    let first = make(&rig.ports, wish(daily())).await;
    make(&rig.ports, wish(daily())).await;
    assert_eq!(refusal(task::make(&rig.ports, &account(), wish(daily()), None).await), (Code::QuotaExceeded, None));
    make(&rig.ports, wish(When::Now)).await;
    task::cancel(&rig.ports, &account(), first.id).await.expect("memory does not fail");
    assert_eq!(refusal(task::make(&rig.ports, &account(), wish(daily()), None).await), (Code::QuotaExceeded, None), "one waits");
    assert_eq!(looks_at_all(&rig.ports).await, 1);
    make(&rig.ports, wish(daily())).await;
}

#[tokio::test]
async fn the_same_request_makes_one_task_and_another_under_its_key_none() {
    let rig = rig(&[]).await;
    let under = |body: &str| Some(MadeUnder { key: "k".to_owned(), body: body.to_owned() });
    let make = async |body: &str| task::make(&rig.ports, &account(), wish(daily()), under(body)).await;
    let (one, same) = (make("a").await.expect("it is made"), make("a").await.expect("it is the same"));
    assert_eq!(one.id, same.id);
    assert_eq!(refusal(make("b").await), (Code::IdempotencyMismatch, Some("Idempotency-Key".to_owned())));
    rig.sim.pass(Duration::from_hours(25));
    assert_ne!(make("b").await.expect("the key is forgotten").id, one.id);
}

#[tokio::test]
async fn a_list_shows_what_its_filter_wants() {
    let rig = rig(&[Answer::Status(400)]).await;
    let mut ids = BTreeMap::new();
    for (called, schedule) in [("failed", When::Now), ("waits", daily()), ("cancelled", daily())] {
        rig.sim.pass(Duration::from_secs(1));
        let source = bellhop_core::model::Source::parse(called).expect("a source");
        let task = make(&rig.ports, Wish { message: Draft { source, ..draft("x") }, ..wish(schedule) }).await;
        ids.insert(called, task.id);
    }
    look(&rig.ports, ids["failed"]).await;
    deliver(&rig.ports).await;
    task::cancel(&rig.ports, &account(), ids["cancelled"]).await.expect("memory does not fail");

    let shown = async |filter: Filter| {
        let page = view::list(&rig.ports, &account(), &filter, None, 10).await.expect("memory does not fail");
        page.items.iter().map(|standing| standing.task.id).collect::<Vec<_>>()
    };
    let of_state = async |state| shown(Filter { state: Some(state), ..Filter::default() }).await;
    assert_eq!(shown(Filter::default()).await, [ids["cancelled"], ids["waits"], ids["failed"]], "newest first");
    assert_eq!(of_state(TaskState::Failed).await, [ids["failed"]]);
    assert_eq!(of_state(TaskState::Scheduled).await, [ids["waits"]]);
    assert_eq!(of_state(TaskState::Cancelled).await, [ids["cancelled"]]);
    assert_eq!(of_state(TaskState::Succeeded).await, []);
    let source = bellhop_core::model::Source::parse("waits");
    assert_eq!(shown(Filter { source, ..Filter::default() }).await, [ids["waits"]]);
    let other = bellhop_core::model::ChannelId::new("email");
    assert_eq!(shown(Filter { channel: Some(other), ..Filter::default() }).await, []);
    assert_eq!(shown(Filter { channel: Some(channel()), ..Filter::default() }).await.len(), 3);
    let from = Some(ids["waits"].time());
    assert_eq!(shown(Filter { from, ..Filter::default() }).await, [ids["cancelled"], ids["waits"]]);
    assert_eq!(shown(Filter { to: from, ..Filter::default() }).await, [ids["failed"]]);

    let page = view::list(&rig.ports, &account(), &Filter::default(), None, 2).await.expect("memory does not fail");
    assert_eq!((page.items.len(), page.next), (2, Some(ids["waits"])));
    let rest = view::list(&rig.ports, &account(), &Filter::default(), page.next, 2).await.expect("memory does not fail");
    assert_eq!((rest.items[0].task.id, rest.next), (ids["failed"], None));
}

#[tokio::test]
async fn a_default_registration_that_is_switched_off_is_not_sent_to() {
    // given two configurations, both default, the first of which is switched off
    let rig = Rig::new(Provider::new(&[]));
    let off = Registration { enabled: false, default: true, params: Params::default(), ..registration("a") };
    for registration in [off.clone(), Registration { default: true, ..registration("b") }] {
        assert!(rig.ports.registrations.put(&registration).await.expect("memory does not fail"));
    }
    let to = Draft { send_to: vec![Recipient::Registration(name("a"))], ..draft("x") };
    let task = make(&rig.ports, Wish { message: to, ..wish(When::Now) }).await;
    assert!(look(&rig.ports, task.id).await);
    assert_eq!(state(&rig.ports, task.id).await, (TaskState::Failed, Some(RunState::Failed)));
}
