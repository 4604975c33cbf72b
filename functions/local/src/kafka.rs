//! Records of Kafka to [`bellhop_kafka`], as a member of a consumer group: with the Cargo feature `kafka`, or not at all.
//!
//! Promises: an offset is committed behind what was dealt with, so that whoever dies begins where nothing is lost; each partition
//! is taken in its order. Left to others: what a record says, and that one which comes twice is one.

#[cfg(feature = "kafka")]
mod dead_letters;
#[cfg(feature = "kafka")]
mod group;

#[cfg(feature = "kafka")]
pub(crate) use group::Consumer;
#[cfg(not(feature = "kafka"))]
pub(crate) use nobody::Consumer;

#[cfg(not(feature = "kafka"))]
mod nobody {
    use std::{convert::Infallible, sync::Arc};

    use anyhow::{Result, bail};
    use bellhop_core::ports::Ports;
    use tokio::sync::watch;

    use crate::cli;

    /// There is none in this program.
    pub(crate) struct Consumer(Infallible);

    impl Consumer {
        #[expect(clippy::unused_async, reason = "as the other one")]
        pub(crate) async fn new(_brokers: &str, _options: &cli::Kafka, _ports: &Ports) -> Result<Self> {
            bail!("--kafka: this program was built without the Cargo feature `kafka`; build it with `--features kafka`")
        }

        pub(crate) async fn run(self, _ports: Arc<Ports>, _stopped: watch::Receiver<bool>) {
            match self.0 {}
        }
    }
}
