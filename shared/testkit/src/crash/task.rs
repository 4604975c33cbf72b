//! A task with some runs, with harm at every point: each run is made once, and there are as many as were asked for.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use bellhop_core::{
    Code, Problem, StoreError,
    model::{CatchUp, MadeUnder, Start, TaskName, When, Zone},
    ports::Ports,
    task::{self, Wish},
    tick::look,
};
use futures_util::future::join;

use super::{Survey, Trial, Violation, World, process::Process, run::done};
use crate::{Provider, account, draft, registration};

/// Tries that nobody needs.
const MOST_TRIES: usize = 50;

/// Plays a task of so many runs for every point (or pair of points …) that it passes, each time in a new world. Two are a first one and
/// a last; every further one is one between.
pub async fn every_crash_point_of_a_task<W: World>(
    make: impl AsyncFn() -> W,
    trial: Trial,
    runs: NonZeroU32,
) -> Result<Survey, Violation> {
    super::every_point(trial, async |at| {
        let mut play = Play { process: Process::new(make().await, trial.harm, at, Provider::new(&[])), runs };
        let played = Box::pin(play.play()).await;
        let told = play.process.told(played);
        told.map_err(|Violation(what)| Violation(format!("a task ({:?} at {at:?}): {what}", trial.harm)))
    })
    .await
}

struct Play<W> {
    process: Process<W>,
    runs: NonZeroU32,
}

impl<W: World> Play<W> {
    async fn play(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        done(ports.registrations.put(&registration("phone")).await)?;
        drop(ports);

        self.process.dying.count_from_here(true);
        self.make().await?;
        for _ in 0..=self.runs.get() {
            self.process.world.pass(Duration::from_mins(1)).await;
            // two look at once, in one process, which may die of either; then somebody looks for certain
            drop(self.process.alive(async |ports| join(look_at_due(ports), look_at_due(ports)).await).await);
            self.look().await?;
        }
        self.process.dying.count_from_here(false);
        self.judge().await
    }

    /// A client asks, and asks again until it has its answer.
    async fn make(&mut self) -> Result<(), Violation> {
        let runs = self.runs;
        for _ in 0..MOST_TRIES {
            let asked = self.process.alive(async |ports| {
                let under = MadeUnder { key: "k".to_owned(), body: "b".to_owned() };
                task::make(ports, &account(), wish(runs), Some(under)).await
            });
            match asked.await {
                Some(Ok(_)) => return Ok(()),
                None | Some(Err(Problem { code: Code::Unavailable | Code::Conflict, .. })) => {}
                Some(Err(problem)) => return Err(Violation(format!("the request was refused: {problem}"))),
            }
        }
        Err(Violation("a request fails again and again".to_owned()))
    }

    async fn look(&mut self) -> Result<(), Violation> {
        for _ in 0..MOST_TRIES {
            if let Some(Ok(())) = self.process.alive(async |ports| look_at_due(ports).await).await {
                return Ok(());
            }
        }
        Err(Violation("it fails again and again".to_owned()))
    }

    async fn judge(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        let tasks = done(ports.tasks.list(&account(), None, None, 10).await)?;
        let [task] = &tasks[..] else { return Err(Violation(format!("it was made {} times", tasks.len()))) };
        let runs = done(ports.tasks.runs(&account(), task.id, None, 10).await)?;
        let times: BTreeSet<_> = runs.iter().map(|run| run.at).collect();
        let events = done(ports.events.list(&account(), None, None, 100).await)?;
        let listed: BTreeSet<_> = runs.iter().map(|run| run.event).collect();
        let promises = [
            (task.due().is_none(), "it is not over"),
            (task.runs == self.runs.get() && runs.len() == self.runs.get() as usize, "it has not had its runs"),
            (times.len() == runs.len(), "a time has two runs"),
            (
                events.iter().map(|stored| stored.event.id).collect::<BTreeSet<_>>() == listed,
                "its runs are not the events there are",
            ),
            (events.iter().all(|stored| stored.plan.deliveries.len() == 1), "a run goes to nobody, or to more than one"),
        ];
        match promises.into_iter().find(|(kept, _)| !kept) {
            None => Ok(()),
            Some((_, broken)) => Err(Violation(format!("{broken}: {task:?}, {runs:?}, {} events", events.len()))),
        }
    }
}

fn wish(runs: NonZeroU32) -> Wish {
    let schedule = When::Cron {
        cron: "* * * * *".parse().unwrap_or_else(|error| panic!("{error}")),
        time_zone: Zone::parse("UTC").unwrap_or_else(|| panic!("UTC is a zone")),
        start: Start::Now,
    };
    let name = TaskName::parse("each minute").unwrap_or_else(|| panic!("it is a name"));
    Wish { name, message: draft("x"), params: None, schedule, max_runs: Some(runs), catch_up: CatchUp::All }
}

async fn look_at_due(ports: &Ports) -> Result<(), StoreError> {
    for due in ports.agenda.due(ports.clock.now(), None, 10).await? {
        look(ports, &due).await?;
    }
    Ok(())
}
