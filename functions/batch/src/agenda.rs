//! Digests and tasks on one machine: every second, whatever is due is looked at, a few at a time.
//!
//! Promises: what fails waits for a minute, and nobody waits for it; digests that take their time hold up no task, nor tasks a
//! digest; however much is due, a page of it is held in memory for each of the two. Left to others: what is done with it ([`look`](bellhop_core::tick::look)).

use std::{collections::HashMap, time::Duration};

use bellhop_core::{
    StoreError, Timestamp,
    model::AccountId,
    ports::{Matter, Ports},
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::pages::{AT_ONCE, one};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// How long one that failed waits.
const PAUSE: Duration = Duration::from_mins(1);

/// How many are looked up at once.
const PAGE: usize = 200;

/// What failed, and until when it waits.
type Failed = HashMap<(AccountId, Matter), Timestamp>;

/// What is looked at together: a page is done when the slowest of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matters {
    /// The digests of rules.
    Digests,
    /// The runs of tasks.
    Tasks,
}

impl Matters {
    fn has(self, matter: &Matter) -> bool {
        match matter {
            Matter::Rule(_) => self == Self::Digests,
            Matter::Task(_) => self == Self::Tasks,
        }
    }
}

/// Works on what is due until `stop` says so.
pub async fn run(ports: Ports, stop: watch::Receiver<bool>) {
    tokio::join!(every_second(&ports, Matters::Digests, stop.clone()), every_second(&ports, Matters::Tasks, stop));
}

async fn every_second(ports: &Ports, matters: Matters, mut stop: watch::Receiver<bool>) {
    let mut timer = interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = Failed::new();
    while !*stop.borrow() {
        tokio::select! {
            _ = timer.tick() => {
                if let Err(error) = look_at_due(ports, matters, &mut failed).await {
                    tracing::error!(%error, "what is due cannot be read; it is looked for again in a second");
                }
            }
            _ = stop.changed() => {}
        }
    }
}

/// Works on whatever of these is due now and did not fail within the minute. Answers how many were sent.
pub async fn look_at_due(ports: &Ports, matters: Matters, failed: &mut Failed) -> Result<usize, StoreError> {
    let now = ports.clock.now();
    failed.retain(|_, until| *until > now);
    let (mut sent, mut after) = (0, None);
    loop {
        let page = ports.agenda.due(now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { return Ok(sent) };
        after = Some(last);
        let mine = page.into_iter().filter(|due| matters.has(&due.matter));
        let open = mine.filter(|due| !failed.contains_key(&(due.account.clone(), due.matter.clone())));
        let looking = open.map(async |due| (one(ports, &due).await, due)).collect::<Vec<_>>();
        let looked: Vec<_> = stream::iter(looking).buffer_unordered(AT_ONCE).collect().await;
        sent += looked.iter().filter(|(sent, _)| *sent == Some(true)).count();
        let not_done = looked.into_iter().filter(|(sent, _)| sent.is_none());
        failed.extend(not_done.map(|(_, due)| ((due.account, due.matter), now + PAUSE)));
    }
}
