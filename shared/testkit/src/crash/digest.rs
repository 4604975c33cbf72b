//! The end of an interval, with harm at every point: what was reported stands in one digest.

use std::{collections::BTreeMap, time::Duration};

use bellhop_core::{
    Code, Problem, StoreError,
    accept::{Wanted, accept},
    digest::follow,
    model::{Account, Draft, Rule, RunResult},
    ports::{Kind, Ports, Record},
    tick::look,
};

use futures_util::future::join;

use super::{Survey, Trial, Violation, World, process::Process, run::done};
use crate::{Provider, account, key, name, registration};

const RULE: &str = "each-minute";

/// From one digest to the next.
const INTERVAL: Duration = Duration::from_mins(1);

/// Tries that nobody needs.
const MOST_TRIES: usize = 50;

/// How the last digest comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By the next due time.
    Due,
    /// Because somebody asks for it.
    Flushed,
    /// Because the rule is deleted.
    Deleted,
}

impl Ending {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Due, Self::Flushed, Self::Deleted];
}

/// Plays the end of an interval for every point (or pair of points …) that it passes, each time in a new world.
pub async fn every_crash_point_of_a_digest<W: World>(
    make: impl AsyncFn() -> W,
    ending: Ending,
    trial: Trial,
) -> Result<Survey, Violation> {
    super::every_point(trial, async |at| {
        let mut play =
            Play { process: Process::new(make().await, trial.harm, at, Provider::new(&[])), ending, reported: Vec::new() };
        let played = Box::pin(play.play()).await;
        let told = play.process.told(played);
        told.map_err(|Violation(what)| Violation(format!("{ending:?} ({:?} at {at:?}): {what}", trial.harm)))
    })
    .await
}

struct Play<W> {
    process: Process<W>,
    ending: Ending,
    reported: Vec<String>,
}

impl<W: World> Play<W> {
    async fn play(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        done(ports.registrations.put(&registration("phone")).await)?;
        let rule = rule();
        let settings = Account::new(account());
        done(follow::follow(&ports, &settings, &name(RULE), None, Some(&rule)).await)?;
        let body = serde_json::to_string(&rule).map_err(|error| Violation(error.to_string()))?;
        done(ports.records.put(&account(), Kind::Rule, &Record { name: RULE.to_owned(), version: 1, body }).await)?;
        drop(ports);

        self.process.dying.count_from_here(true);
        self.report("e1").await?;
        // the very moment belongs to the digest that ends there, whoever comes first
        self.process.world.pass(INTERVAL).await;
        self.race("e2").await?;
        self.report("e3").await?;
        self.process.world.pass(Duration::from_secs(1)).await;
        match self.ending {
            Ending::Due => {}
            Ending::Flushed => self.insist(async |ports| follow::flush(ports, &account(), &name(RULE)).await.map(drop)).await?,
            Ending::Deleted => {
                let rule = &rule;
                let delete = async |ports: &Ports| {
                    follow::follow(ports, &Account::new(account()), &name(RULE), Some(rule), None).await?;
                    ports.records.delete(&account(), Kind::Rule, RULE).await.map(drop)
                };
                self.insist(delete).await?;
            }
        }
        for _ in 0..3 {
            self.compose().await?;
            self.process.world.pass(INTERVAL).await;
        }
        self.compose().await?;
        self.process.dying.count_from_here(false);
        self.judge().await
    }

    /// Does it until it is done.
    async fn insist(&mut self, act: impl AsyncFn(&Ports) -> Result<(), StoreError>) -> Result<(), Violation> {
        for _ in 0..MOST_TRIES {
            if let Some(Ok(())) = self.process.alive(async |ports| act(ports).await).await {
                return Ok(());
            }
        }
        Err(Violation("it fails again and again".to_owned()))
    }

    /// A client reports, and asks again until it has its answer.
    async fn report(&mut self, message: &str) -> Result<(), Violation> {
        self.reported.push(message.to_owned());
        for _ in 0..MOST_TRIES {
            let draft = Draft { result: Some(RunResult::Success), ..Draft::new(message) };
            let asked = self.process.alive(async |ports| {
                let key = key(message, "hash", ports.clock.now());
                accept(ports, &account(), draft, Wanted::Event, Some(key)).await
            });
            match asked.await {
                Some(Ok(answer)) if answer.collected.len() == 1 => return Ok(()),
                Some(Ok(answer)) => return Err(Violation(format!("it was not collected once: {answer:?}"))),
                None | Some(Err(Problem { code: Code::Unavailable, .. })) => {}
                Some(Err(problem)) => return Err(Violation(format!("the request was refused: {problem}"))),
            }
        }
        Err(Violation("a request fails again and again".to_owned()))
    }

    /// A client reports while what is due is composed, in one process, which may die of either; then each is done for certain.
    async fn race(&mut self, message: &str) -> Result<(), Violation> {
        let draft = Draft { result: Some(RunResult::Success), ..Draft::new(message) };
        let both = self.process.alive(async |ports| {
            let key = key(message, "hash", ports.clock.now());
            join(compose_due(ports), accept(ports, &account(), draft, Wanted::Event, Some(key))).await
        });
        drop(both.await);
        self.report(message).await?;
        self.compose().await
    }

    /// Whatever is due is composed, by whoever lives.
    async fn compose(&mut self) -> Result<(), Violation> {
        self.insist(compose_due).await
    }

    /// Each report stands in one digest, which is on its way to its registration once.
    async fn judge(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        let mut told: BTreeMap<&str, usize> = self.reported.iter().map(|message| (message.as_str(), 0)).collect();
        for stored in done(ports.events.list(&account(), None, None, 100).await)? {
            if stored.event.event_type.as_ref().is_none_or(|kind| kind.as_str() != "digest") {
                continue;
            }
            if stored.plan.deliveries.len() != 1 {
                return Err(Violation(format!("a digest is planned like this: {:?}", stored.plan)));
            }
            for (message, count) in &mut told {
                *count += stored.event.message.matches(message).count();
            }
        }
        match told.iter().find(|(_, count)| **count != 1) {
            Some((message, count)) => Err(Violation(format!("{message} stands in digests {count} times"))),
            None if self.ending == Ending::Deleted => match done(ports.digests.get(&account(), &name(RULE)).await)? {
                Some(left) => Err(Violation(format!("the rule is gone, and its schedule is not: {left:?}"))),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

async fn compose_due(ports: &Ports) -> Result<(), StoreError> {
    for due in ports.agenda.due(ports.clock.now(), None, 10).await? {
        look(ports, &due).await?;
    }
    Ok(())
}

fn rule() -> Rule {
    let rule = serde_json::json!({"to": ["phone"], "batch": {"at": "00:00:00", "every_seconds": 60, "anchor": "2026-01-01"}});
    serde_json::from_value(rule).unwrap_or_else(|error| panic!("{error}"))
}
