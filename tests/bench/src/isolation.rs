//! A quiet receiver beside one that hangs: what the first suffers, and how many sockets the second gets.
//!
//! One account has both: there are no more accounts yet.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use tokio::time::MissedTickBehavior;

use crate::{
    Common,
    client::{Client, Post, deliveries},
    load::{Latencies, Messages, bulk},
    process::Bellhop,
    report::{Report, Target},
    sink::Sink,
};

/// What the product promises: requests in flight to one registration.
const MOST_IN_FLIGHT: f64 = 8.0;

/// Options of `bellhop-bench isolation`.
#[derive(Args)]
pub(crate) struct Isolation {
    /// How long the quiet one is watched.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Messages to the quiet one, a second.
    #[arg(long, default_value_t = 50)]
    quiet: u64,
    /// Messages to the hanging one, all at once.
    #[arg(long, default_value_t = 2000)]
    hanging: usize,
    /// How long the hanging one takes for each.
    #[arg(long, default_value_t = 5)]
    hang_seconds: u64,
}

impl Isolation {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let [quiet, hanging] = [Duration::ZERO, Duration::from_secs(self.hang_seconds)].map(Sink::start);
        let (quiet, hanging) = (quiet.await?, hanging.await?);
        let data = common.fresh_data()?;
        let bellhop = Bellhop::start(&common.start(data.path()))?;
        let [to_quiet, to_hanging] = ["quiet", "hanging"].map(|name| Arc::new(Messages::new(vec![name.to_owned()], false)));
        bellhop.register(&quiet, &["quiet".to_owned()], &[]).await?;
        bellhop.register(&hanging, &["hanging".to_owned()], &[]).await?;

        let (accepts, before) = self.watch(&bellhop, &quiet, &to_quiet).await?;
        report.add("quiet alone, accept, p50", "ms", accepts.ms(500), Target::None);
        report.add("quiet alone, end to end, p50", "ms", before.ms(500), Target::None);
        report.add("quiet alone, end to end, p99", "ms", before.ms(990), Target::None);
        bulk(&bellhop.server, self.hanging, &to_hanging).await?;
        let (accepts, beside) = self.watch(&bellhop, &quiet, &to_quiet).await?;
        report.add("quiet beside the hanging one, accept, p50", "ms", accepts.ms(500), Target::None);
        report.add("quiet beside the hanging one, end to end, p50", "ms", beside.ms(500), Target::None);
        report.add("quiet beside the hanging one, end to end, p99", "ms", beside.ms(990), Target::Time(10.0));
        report.add("quiet beside the hanging one, end to end, longest", "ms", beside.ms(1000), Target::None);
        let sockets = f64::from(u32::try_from(hanging.most_sockets())?);
        report.add("sockets ever open to the hanging one at once", "", sockets, Target::AtMost(MOST_IN_FLIGHT));
        bellhop.kill()
    }

    /// Messages by the clock, not by the answers: whoever is held up holds up those behind. How long answers took from when
    /// each message should have been sent, and arrivals.
    async fn watch(&self, bellhop: &Bellhop, quiet: &Sink, messages: &Messages) -> Result<(Latencies, Latencies)> {
        let count = usize::try_from(self.quiet * self.seconds)?;
        quiet.remember(count);
        let mut client = Client::connect(&bellhop.server).await?;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(self.quiet)?);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut sent, mut accepts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            // when it should have been sent, so that a slow answer counts for those behind it, too
            let due = ticks.tick().await.into_std();
            let (key, body) = messages.message();
            let answer = client.accepted(Post { path: "/v1/messages", idempotency_key: &key, body }).await?;
            let delivery = deliveries(&answer)?.pop().context("it goes to one registration")?;
            accepts.push(due.elapsed());
            sent.push((delivery, due));
        }
        let mut each = Vec::with_capacity(count);
        for (delivery, due) in sent {
            each.push(quiet.arrived(&delivery).await?.saturating_duration_since(due));
        }
        Ok((Latencies::new(accepts)?, Latencies::new(each)?))
    }
}
