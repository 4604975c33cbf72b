//! One story, once, with harm at given points.

use std::time::Duration;

use bellhop_core::{
    Code, Problem,
    accept::{Answer as Accepted, Wanted, accept},
    deliver::{deliver, work},
    model::{Draft, Picture, Recipient, State},
    ports::{Freshness, Ports, StoredEvent, Wake},
    tick::tick,
};

use super::{Client, Story, Trial, Twist, Violation, World, judge, process::Process};
use crate::{Dice, Provider, account, channel, draft, key, name, one_a_minute, probe_rate, registration};

/// How much time passes when there is nothing to do: less than a tick looks ahead.
const STEP: Duration = Duration::from_mins(4);

/// Steps without anything to do after which nothing more will come: longer than leases and messages keep others away.
const QUIET_STEPS: usize = 5;

/// Steps without anything to do after which nobody waits any longer: some 7 hours.
const MOST_STEPS: usize = 100;

/// Turns that no story needs: whoever takes more goes round in circles.
const MOST_TURNS: usize = 2_000;

struct Run<'a, W> {
    process: Process<W>,
    story: &'a Story,
    lease: Duration,
    dice: Dice,
    copies: bool,
    delivered_before: Vec<Wake>,
}

/// Plays `story` to its end and judges it. Answers how many of the harms came about.
pub(super) async fn run<W: World>(world: W, story: &Story, trial: Trial, copies: bool, at: &[usize]) -> Result<usize, Violation> {
    let seed = at.iter().fold(7, |seed, at| seed * 1_000 + *at as u64);
    let mut run = Run {
        process: Process::new(world, trial.harm, at, Provider::new(story.script)),
        story,
        lease: trial.lease,
        dice: Dice::new(seed),
        copies,
        delivered_before: Vec::new(),
    };
    let played = run.play().await;
    run.process.told(played)
}

impl<W: World> Run<'_, W> {
    async fn play(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        for called in self.story.to {
            let mut registration = registration(called);
            if self.story.twist == Twist::Paced {
                registration.params = one_a_minute();
            }
            done(ports.registrations.put(&registration).await)?;
            if let Some(rate) = probe_rate(&registration.params) {
                let (account, name) = (&registration.account, &registration.name);
                done(ports.pace.reserve(account, name, rate, ports.clock.now()).await)?;
            }
        }
        self.process.dying.count_from_here(true);
        let answered = self.ask().await?.is_some();
        if self.story.twist == Twist::DeletedAfterwards && answered {
            self.delete_registrations().await?;
        }
        self.drain(answered).await?;
        if self.story.twist == Twist::Reopened {
            self.reopen().await?;
            self.drain(answered).await?;
        }
        self.process.dying.count_from_here(false);
        self.judge(answered).await
    }

    fn draft(&self) -> Draft {
        let send_to = self.story.to.iter().map(|called| Recipient::Registration(name(called))).collect();
        let screenshot = (self.story.twist == Twist::Picture).then(|| Picture([1, 2, 3].into()));
        Draft { send_to, screenshot, ..draft("text") }
    }

    /// The client asks until it has its answer, or goes away.
    async fn ask(&mut self) -> Result<Option<Accepted>, Violation> {
        loop {
            let draft = self.draft();
            let asked = self.process.alive(async |ports| {
                let key = key("k", "hash", ports.clock.now());
                accept(ports, &account(), draft, Wanted::Event, Some(key)).await
            });
            match asked.await {
                Some(Ok(answer)) => return Ok(Some(answer)),
                None | Some(Err(Problem { code: Code::Unavailable, .. })) => {}
                Some(Err(Problem { code: Code::UnknownRecipient, .. })) if self.story.twist == Twist::DeletedInBetween => {
                    return Ok(None);
                }
                Some(Err(problem)) => return Err(Violation(format!("the request was refused: {problem}"))),
            }
            if self.story.twist == Twist::DeletedInBetween {
                self.delete_registrations().await?;
            }
            if self.story.client == Client::GoesAway {
                return Ok(None);
            }
        }
    }

    async fn delete_registrations(&mut self) -> Result<(), Violation> {
        self.process.dying.count_from_here(false);
        let ports = self.process.ports().await;
        for called in self.story.to {
            done(ports.registrations.delete(&account(), &name(called)).await)?;
        }
        self.process.dying.count_from_here(true);
        Ok(())
    }

    /// A person has seen how it ended and asks for another round.
    async fn reopen(&mut self) -> Result<(), Violation> {
        for stored in self.kept().await? {
            for planned in stored.plan.deliveries {
                let job = planned.job(&stored.event);
                loop {
                    let asked = self.process.alive(async |ports| ports.ledger.reopen(&job, None, ports.clock.now()).await).await;
                    if matches!(asked, Some(Ok(_))) || self.story.client == Client::GoesAway {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Works, waits and ticks until everything is final and nothing more comes.
    async fn drain(&mut self, answered: bool) -> Result<(), Violation> {
        let mut idle = 0;
        let mut unfinished = Vec::new();
        for _ in 0..MOST_TURNS {
            let received = self.process.alive(async |ports| ports.queue.receive(&channel(), 10).await).await;
            let wakes = received.and_then(Result::ok).unwrap_or_default();
            idle = if wakes.is_empty() { idle + 1 } else { 0 };
            let has_worked = self.work(wakes).await;
            if idle > 0 {
                if idle == 1 || has_worked {
                    // rows change while somebody works, and then alone
                    unfinished = self.unfinished(answered).await?;
                }
                if idle > MOST_STEPS {
                    return Err(Violation(format!("nothing more comes, but {}", unfinished.join(", "))));
                }
                if idle > QUIET_STEPS && unfinished.is_empty() {
                    self.process.dying.count_from_here(true);
                    return Ok(());
                }
                if idle > 1 && unfinished.is_empty() {
                    // the rest is the same for every story: ticks that find nothing
                    self.process.dying.count_from_here(false);
                }
                // a tick that fails is made up for by the next
                let ticked = self.process.alive(async |ports| tick(ports, ports.clock.now()).await).await;
                drop(ticked);
                self.process.world.pass(STEP).await;
            }
        }
        Err(Violation("wake-ups come again and again without an end".to_owned()))
    }

    /// Works on a batch. If there are copies: in any order, now and then on a copy first, or on an old one afterwards. Answers whether anything
    /// was worked on.
    async fn work(&mut self, mut wakes: Vec<Wake>) -> bool {
        if self.copies {
            self.dice.shuffle(&mut wakes);
        }
        let lease = self.lease;
        for wake in &wakes {
            if self.has_copy(4) && self.process.alive(async |ports| deliver(ports, wake, lease).await).await.is_none() {
                return true;
            }
            if self.process.alive(async |ports| drop(work(ports, wake, lease).await)).await.is_none() {
                return true;
            }
        }
        let has_wakes = !wakes.is_empty();
        self.delivered_before.extend(wakes);
        if !self.delivered_before.is_empty() && self.has_copy(3) {
            let copy = self.dice.pick(&self.delivered_before).clone();
            self.process.alive(async |ports| deliver(ports, &copy, lease).await).await;
            return true;
        }
        has_wakes
    }

    fn has_copy(&mut self, one_in: u64) -> bool {
        self.copies && self.dice.one_in(one_in)
    }

    async fn kept(&mut self) -> Result<Vec<StoredEvent>, Violation> {
        done(self.process.ports().await.events.list(&account(), None, None, 100).await)
    }

    /// What is not final yet, and has to become so.
    async fn unfinished(&mut self, answered: bool) -> Result<Vec<String>, Violation> {
        let mut unfinished = Vec::new();
        for stored in self.kept().await? {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            let rows = done(self.process.ports().await.deliveries.get(&account(), &ids).await)?;
            unfinished.extend(ids.iter().zip(rows).filter_map(|(id, row)| match row {
                None => answered.then(|| format!("{id} was never tried")),
                Some(row) => (!row.state.is_final()).then(|| format!("{id} is {}: {row:?}", row.state.as_str())),
            }));
        }
        Ok(unfinished)
    }

    async fn judge(&mut self, answered: bool) -> Result<(), Violation> {
        let kept = self.kept().await?;
        let ports = self.process.ports().await;
        if answered && kept.len() != 1 {
            return Err(Violation(format!("one request was answered, and {} events were kept", kept.len())));
        }
        if let Some(id) =
            self.process.provider.deliveries().iter().find(|id| kept.iter().all(|stored| stored.event.id != id.event))
        {
            return Err(Violation(format!("{id} was sent, and its event was never kept")));
        }
        let rounds = if self.story.twist == Twist::Reopened { 2 } else { 1 };
        for stored in &kept {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            for row in done(ports.deliveries.get(&account(), &ids).await)?.iter().flatten() {
                judge(row, &self.process.provider.answers(row.id), rounds)?;
                if !self.story.ends.contains(&row.state) {
                    return Err(Violation(format!("it ended as {}: {row:?}", row.state.as_str())));
                }
            }
            if let Some(id) = stored.event.screenshot
                && done(ports.attachments.get(&account(), id).await)?.is_none()
            {
                return Err(Violation(format!("the picture {id} is gone")));
            }
        }
        self.judge_registrations(&ports).await
    }

    /// A provider's answer never switches off what it did not speak of.
    async fn judge_registrations(&self, ports: &Ports) -> Result<(), Violation> {
        for called in self.story.to {
            let found = done(ports.registrations.get(&account(), &name(called), Freshness::Fresh).await)?;
            let is_dead = self.story.ends == [State::Failed];
            if found.is_some_and(|found| found.disabled.is_some()) && !is_dead {
                return Err(Violation(format!("`{called}` was switched off")));
            }
        }
        Ok(())
    }
}

pub(super) fn done<T>(result: Result<T, bellhop_core::StoreError>) -> Result<T, Violation> {
    result.map_err(|error| Violation(error.to_string()))
}
