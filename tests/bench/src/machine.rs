//! What the machine can do without us, measured right before the benchmark.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    client::Server,
    load::{Latencies, Messages, steady},
    report::Machine,
    sink::Sink,
};

const SYNCS: u64 = 500;
const PAGE: usize = 4096;

/// Measures the sink with as many connections as the benchmark will have, and the disk that will have the data.
pub(crate) async fn measure(data: &Path, connections: usize) -> Result<Machine> {
    let sink = Sink::start(Duration::ZERO).await?;
    let messages = Arc::new(Messages::new(vec!["desk".to_owned()], false));
    let (alone, time) = (Server { address: sink.address, authorization: String::new() }, Duration::from_secs(3));
    let answered = steady(&alone, connections, time, &messages, 204).await?;
    Ok(Machine { sink_per_second: per_second(answered.count(), time), sync_ms: sync(data)? })
}

/// The median time of a page written and synced, over and over in the same megabyte, as a write-ahead log has it.
fn sync(data: &Path) -> Result<f64> {
    let file = tempfile::tempfile_in(data)?;
    file.write_all_at(&vec![1; 1 << 20], 0)?;
    file.sync_all()?;
    let one = |number: u64, file: &File| -> Result<Duration> {
        let begun = Instant::now();
        file.write_all_at(&[2; PAGE], number % 256 * 4096)?;
        file.sync_data()?;
        Ok(begun.elapsed())
    };
    let each = (0..SYNCS).map(|number| one(number, &file)).collect::<Result<_>>()?;
    Ok(Latencies::new(each)?.ms(500))
}

/// Time of all processors since the machine started, in ticks.
/// <https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat>
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processors {
    all: u64,
    /// What the host gave to other guests while this one had work to do.
    stolen: u64,
}

impl Processors {
    pub(crate) fn look() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("`/proc/stat` is empty")?;
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { all: ticks.iter().sum(), stolen: ticks.get(7).copied().unwrap_or(0) })
    }

    /// In percent, since `before`.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) fn stolen_since(self, before: Self) -> f64 {
        (self.stolen - before.stolen) as f64 * 100.0 / (self.all - before.all).max(1) as f64
    }
}

/// How many a second that is.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Memory is no disk.
pub(crate) fn is_on_disk(data: &Path) -> Result<()> {
    let (data, mounts) = (fs::canonicalize(data)?, fs::read_to_string("/proc/mounts")?);
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let here = mounts.filter(|(point, _)| data.starts_with(point)).max_by_key(|(point, _)| point.len());
    let (_, kind) = here.context("the data directory lies on no file system")?;
    ensure!(!matches!(kind, "tmpfs" | "ramfs"), "`{}` is on `{kind}`: name a directory on a disk with `--data`", data.display());
    Ok(())
}
