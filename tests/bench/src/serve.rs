//! One machine under load: how much it takes and delivers, how fast, and what that costs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Args;

use crate::{
    Common,
    client::{Client, Post, deliveries},
    load::{Latencies, Messages, bulk, steady},
    machine::per_second,
    process::{Bellhop, slow_sync},
    report::{Report, Target},
    sink::Sink,
};

/// More than a machine of today delivers in a second: what the sink remembers is bounded by it.
const MOST_A_SECOND: usize = 50_000;

/// Messages of the run on one connection.
const ONE_BY_ONE: usize = 2000;

/// Options of `bellhop-bench serve`.
#[derive(Args)]
pub(crate) struct Serve {
    /// How long each steady run takes.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Deliveries that are stored before.
    #[arg(long, default_value_t = 1_000_000)]
    prefill: usize,
    /// Messages that are queued to see what memory they take.
    #[arg(long, default_value_t = 100_000)]
    queued: usize,
    /// Connections that messages are posted on.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: usize,
    /// Connections of the run with slow syncs.
    #[arg(long, default_value_t = 64)]
    slow_connections: usize,
    /// Registrations that messages go to in turn, all at the same sink; each has at most 8 requests in flight.
    #[arg(long, default_value_t = 16)]
    registrations: usize,
    /// Give idempotency keys that sort by time; random ones are what most clients have.
    #[arg(long)]
    ordered_keys: bool,
}

impl Serve {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let names: Vec<String> = (0..self.registrations).map(|number| format!("desk-{number}")).collect();
        let messages = Arc::new(Messages::new(names.clone(), self.ordered_keys));
        let sink = Sink::start(Duration::ZERO).await?;
        let data = common.fresh_data()?;
        let bellhop = Bellhop::start(&common.start(data.path()))?;
        // the figure is of a server that has settled: nothing to wait for tells when
        tokio::time::sleep(Duration::from_secs(2)).await;
        report.add("resident memory, idle", "MB", bellhop.resident_mb()?, Target::AtMost(20.0));
        bellhop.register(&sink, &names, &[]).await?;
        self.prefill(&bellhop, &sink, &messages, report).await?;
        self.steady(&bellhop, &sink, &messages, report).await?;
        one_by_one(&bellhop, &sink, &messages, report).await?;
        self.queue(&bellhop, &sink, &messages, report).await?;
        bellhop.kill()?;
        sink.hold(false);
        drop(data);
        self.slow(common, &names, &messages, report).await
    }

    /// Through the product itself: bulks of events with a key, each event delivered to the sink.
    async fn prefill(&self, bellhop: &Bellhop, sink: &Sink, messages: &Arc<Messages>, report: &mut Report) -> Result<()> {
        if self.prefill == 0 {
            return Ok(());
        }
        let begun = Instant::now();
        bulk(&bellhop.server, self.prefill, messages).await?;
        sink.until(Sink::total, self.prefill).await?;
        report.add("stored before: deliveries, made by bulks", "", count(self.prefill), Target::None);
        report.add("stored before: bulk in and delivered", "/s", per_second(self.prefill, begun.elapsed()), Target::None);
        Ok(())
    }

    async fn steady(&self, bellhop: &Bellhop, sink: &Sink, messages: &Arc<Messages>, report: &mut Report) -> Result<()> {
        let time = Duration::from_secs(self.seconds);
        sink.remember(MOST_A_SECOND * usize::try_from(self.seconds)?);
        let (used, log, begun) = (bellhop.used()?, bellhop.watch_log(), Instant::now());
        let accepted = steady(&bellhop.server, self.connections, time, messages, 202).await?;
        let (took, delivered) = (begun.elapsed(), sink.distinct());
        let backlog = accepted.count() - delivered.min(accepted.count());
        sink.until(Sink::distinct, accepted.count()).await?;
        let after = bellhop.used()?;
        let thousands = count(accepted.count()) / 1000.0;
        report.add("accepted", "/s", per_second(accepted.count(), took), Target::Rate(12_000.0));
        report.add("delivered, end to end", "/s", per_second(delivered, took), Target::Rate(10_000.0));
        report.add("accepted and not delivered yet at the end", "", count(backlog), Target::None);
        report.add("accept, p50", "ms", accepted.ms(500), Target::None);
        report.add("accept, p99", "ms", accepted.ms(990), Target::Time(15.0));
        report.add("accept, longest", "ms", accepted.ms(1000), Target::None);
        let written = (after.bytes_written - used.bytes_written) / thousands / 1e6;
        report.add("written to disk per message", "KB", written, Target::AtMost(32.0));
        report.add("write-ahead log, longest", "MB", log.most_mb(), Target::AtMost(64.0));
        let cpu = (after.cpu_seconds - used.cpu_seconds) / thousands;
        report.add("CPU per 1,000 delivered", "s", cpu, Target::Cpu(0.15));
        report.add("resident memory, after the load", "MB", bellhop.resident_mb()?, Target::None);
        report.add("resident memory, most", "MB", bellhop.most_resident_mb()?, Target::None);
        Ok(())
    }

    /// The sink answers nobody, so that all that comes in waits.
    async fn queue(&self, bellhop: &Bellhop, sink: &Sink, messages: &Arc<Messages>, report: &mut Report) -> Result<()> {
        sink.hold(true);
        let took = bulk(&bellhop.server, self.queued, messages).await?;
        report.add("bulk, the sink answering nobody", "events/s", per_second(self.queued, took), Target::Rate(25_000.0));
        let name = format!("resident memory, {} messages queued", self.queued);
        report.add(name, "MB", bellhop.resident_mb()?, Target::AtMost(64.0));
        Ok(())
    }

    /// A new store on a disk that takes 2 ms longer for each sync.
    async fn slow(&self, common: &Common, names: &[String], messages: &Arc<Messages>, report: &mut Report) -> Result<()> {
        let (data, scratch, sink) = (common.fresh_data()?, tempfile::tempdir()?, Sink::start(Duration::ZERO).await?);
        let mut start = common.start(data.path());
        start.preload = Some(slow_sync(scratch.path())?);
        let bellhop = Bellhop::start(&start)?;
        bellhop.register(&sink, names, &[]).await?;
        let (time, begun) = (Duration::from_secs(self.seconds), Instant::now());
        let accepted = steady(&bellhop.server, self.slow_connections, time, messages, 202).await?;
        let (took, delivered) = (begun.elapsed(), sink.total());
        ensure!(accepted.ms(500) >= 2.0, "the syncs of this server are not slower: is it linked statically?");
        let with = format!("syncs + 2 ms, {} connections:", self.slow_connections);
        report.add(format!("{with} accepted"), "/s", per_second(accepted.count(), took), Target::Rate(6000.0));
        report.add(format!("{with} delivered"), "/s", per_second(delivered, took), Target::None);
        report.add(format!("{with} accept, p99"), "ms", accepted.ms(990), Target::None);
        let backlog = count(accepted.count() - delivered.min(accepted.count()));
        report.add(format!("{with} not delivered yet at the end"), "", backlog, Target::None);
        report.add(format!("{with} resident memory, most"), "MB", bellhop.most_resident_mb()?, Target::AtMost(64.0));
        bellhop.kill()
    }
}

/// Each message after the one before it has arrived.
async fn one_by_one(bellhop: &Bellhop, sink: &Sink, messages: &Messages, report: &mut Report) -> Result<()> {
    sink.remember(ONE_BY_ONE);
    let mut client = Client::connect(&bellhop.server).await?;
    let mut each = Vec::with_capacity(ONE_BY_ONE);
    for _ in 0..ONE_BY_ONE {
        let (key, body) = messages.message();
        let begun = Instant::now();
        let answer = client.accepted(Post { path: "/v1/messages", idempotency_key: &key, body }).await?;
        for delivery in deliveries(&answer)? {
            each.push(sink.arrived(&delivery).await? - begun);
        }
    }
    let each = Latencies::new(each)?;
    report.add("one connection, end to end, p50", "ms", each.ms(500), Target::Time(1.0));
    report.add("one connection, end to end, p99", "ms", each.ms(990), Target::Time(3.0));
    Ok(())
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "a figure")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}
