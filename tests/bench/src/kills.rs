//! `kill -9` under load, over and over: nothing accepted is lost, and what comes twice is known to be unknown.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hyper::StatusCode;
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    Common,
    client::{Client, Post, Server, deliveries},
    load::{Latencies, Messages},
    process::Bellhop,
    report::{Report, Target},
    serve::count,
    sink::Sink,
};

/// How many deliveries the sink remembers; a run ends before.
const MOST_REMEMBERED: usize = 5_000_000;

const PATIENCE: Duration = Duration::from_mins(1);

/// Options of `bellhop-bench kills`.
#[derive(Args)]
pub(crate) struct Kills {
    /// How often the server is killed.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Connections that messages are posted on.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: usize,
    /// Registrations that messages go to in turn.
    #[arg(long, default_value_t = 16)]
    registrations: usize,
}

impl Kills {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let names: Vec<String> = (0..self.registrations).map(|number| format!("desk-{number}")).collect();
        let (sink, data) = (Sink::start(Duration::ZERO).await?, common.fresh_data()?);
        sink.remember(MOST_REMEMBERED);
        let start = common.start(data.path());
        let mut bellhop = Bellhop::start(&start)?;
        bellhop.register(&sink, &names, &[]).await?;
        let (server, stop) = (watch::Sender::new(bellhop.server.clone()), Arc::new(AtomicBool::new(false)));
        let messages = Arc::new(Messages::new(names, false));
        let mut posting = JoinSet::new();
        for _ in 0..self.connections {
            posting.spawn(post_until_stopped(server.subscribe(), Arc::clone(&messages), Arc::clone(&stop)));
        }
        let mut recoveries = Vec::with_capacity(self.rounds);
        for round in 0..self.rounds {
            // in the thick of it: at another point of the load in every round
            sink.until(Sink::total, sink.total() + 500 + round * 37 % 1000).await?;
            bellhop.kill()?;
            // what the dead one has sent is still on its way
            sink.closed().await?;
            let (before, restarted) = (sink.total(), Instant::now());
            bellhop = Bellhop::start(&start)?;
            server.send_replace(bellhop.server.clone());
            sink.until(Sink::total, before + 1).await?;
            recoveries.push(restarted.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        let mut accepted = BTreeSet::new();
        while let Some(each) = posting.join_next().await {
            accepted.extend(each??);
        }
        sink.until(Sink::distinct, accepted.len()).await.context("something accepted does not arrive")?;
        self.explain(&bellhop, &sink, &accepted, report).await?;
        let recoveries = Latencies::new(recoveries)?;
        report.add("from the restart to the first arrival, median", "ms", recoveries.ms(500), Target::None);
        report.add("from the restart to the first arrival, longest", "ms", recoveries.ms(1000), Target::AtMost(1000.0));
        bellhop.kill()
    }

    /// Who is lost, who came twice, and whether the product says why.
    async fn explain(&self, bellhop: &Bellhop, sink: &Sink, accepted: &BTreeSet<String>, report: &mut Report) -> Result<()> {
        let arrivals = sink.arrivals();
        let lost = accepted.iter().filter(|delivery| !arrivals.contains_key(*delivery)).count();
        let strange = arrivals.keys().filter(|delivery| !accepted.contains(*delivery)).count();
        let (mut duplicates, mut unexplained) = (0, 0);
        let mut client = Client::connect(&bellhop.server).await?;
        for (delivery, arrival) in arrivals.iter().filter(|(_, arrival)| arrival.times > 1) {
            let found = client.get(&format!("/v1/deliveries/{delivery}")).await?;
            let more = arrival.times - 1;
            duplicates += more;
            unexplained += more - more.min(unknowns(&found));
        }
        report.add("rounds of `kill -9`", "", count(self.rounds), Target::None);
        report.add("accepted", "", count(accepted.len()), Target::None);
        report.add("accepted and not arrived", "", count(lost), Target::AtMost(0.0));
        report.add("arrived and not accepted", "", count(strange), Target::AtMost(0.0));
        report.add("arrived once more than once", "", count(duplicates), Target::None);
        report.add("of these without an unknown outcome", "", count(unexplained), Target::AtMost(0.0));
        Ok(())
    }
}

/// How many attempts of a delivery have an outcome that nobody knows.
fn unknowns(delivery: &Value) -> usize {
    let attempts = delivery["attempts"].as_array().into_iter().flatten();
    attempts.filter(|attempt| attempt["outcome"] == "unknown").count()
}

/// Posts one message after the other, each until it is answered with 202. Answers with what was accepted.
async fn post_until_stopped(
    mut server: watch::Receiver<Server>,
    messages: Arc<Messages>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<String>> {
    let mut accepted = Vec::new();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        let (key, body) = messages.message();
        let answer = loop {
            let mut connected = match client.take() {
                Some(client) => client,
                None => connect(&mut server).await?,
            };
            match connected.post(Post { path: "/v1/messages", idempotency_key: &key, body: body.clone() }).await {
                Ok((status, answer)) => {
                    client = Some(connected);
                    ensure!(status == StatusCode::ACCEPTED, "{status}: {}", String::from_utf8_lossy(&answer));
                    break answer;
                }
                // it was killed: the same again, to the next one
                Err(_) => drop(connected),
            }
        };
        accepted.extend(deliveries(&answer)?);
    }
    Ok(accepted)
}

/// To the server of now, or the next one if that is gone already.
async fn connect(server: &mut watch::Receiver<Server>) -> Result<Client> {
    loop {
        let now = server.borrow_and_update().clone();
        match Client::connect(&now).await {
            Ok(client) => return Ok(client),
            Err(_) => timeout(PATIENCE, server.changed()).await.context("no server for a minute")??,
        }
    }
}
