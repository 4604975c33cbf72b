//! Digests: whether the rules that are not due cost those that are, and how much memory a long window takes.
//!
//! Each step is a process of its own (`functions/batch/examples/digests.rs`), which composes through the ports that `serve` composes
//! through, by the same loop. Composing ends with queued deliveries; sending them is what `serve` measures.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::{
    Common,
    report::{Report, Target},
    serve::count,
};

/// How much more the same work may take where there are more rules.
const MOST_RATIO: f64 = 1.2;

/// What a long window may take, in MB (10^6 bytes).
const MOST_MB: f64 = 128.0;

/// Options of `bellhop-bench digest`.
#[derive(Args)]
pub(crate) struct Digest {
    /// The program that does the steps.
    #[arg(long, default_value = "target/release/examples/digests")]
    steps: PathBuf,
    /// Rules that have a digest each time.
    #[arg(long, default_value_t = 1_000)]
    due: usize,
    /// Rules of the large store, those included.
    #[arg(long, default_value_t = 1_000_000)]
    rules: usize,
    /// Events in each of their digests.
    #[arg(long, default_value_t = 5)]
    events: usize,
    /// How often each store composes, in turn.
    #[arg(long, default_value_t = 11)]
    rounds: u32,
    /// Events of the long window.
    #[arg(long, default_value_t = 100_000)]
    window: usize,
}

/// A store that is filled.
struct House<'a> {
    digest: &'a Digest,
    data: &'a Path,
    rules: usize,
    due: usize,
}

/// What composing took.
struct Composed {
    seconds: f64,
    cpu_seconds: f64,
    most_resident_mb: f64,
}

impl Digest {
    pub(crate) fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        self.compare(common, report)?;
        // each event from a source of its own, too: sources are counted one by one
        for sources in [1_000, self.window] {
            let data = common.fresh_data()?;
            let house = self.filled(data.path(), 1, 1)?;
            house.report(0, self.window, sources)?;
            let composed = house.compose(0)?;
            let what = format!("{} events of {sources} sources in one window", self.window);
            report.add(format!("{what}: composed in"), "s", composed.seconds, Target::None);
            report.add(format!("{what}: resident memory, most"), "MB", composed.most_resident_mb, Target::AtMost(MOST_MB));
        }
        Ok(())
    }

    /// The same work in a store without other rules and in one with many.
    fn compare(&self, common: &Common, report: &mut Report) -> Result<()> {
        let (few, many) = (common.fresh_data()?, common.fresh_data()?);
        let houses = [self.filled(few.path(), self.due, self.due)?, self.filled(many.path(), self.rules, self.due)?];
        let mut took = [Vec::new(), Vec::new()];
        for day in 0..self.rounds {
            for (house, took) in houses.iter().zip(&mut took) {
                house.report(day, self.events, self.events)?;
                took.push(house.compose(day)?);
            }
        }
        let [few, many] = &houses;
        let (few, many) = (self.tell(few, &took[0], report)?, self.tell(many, &took[1], report)?);
        report.add("many rules / few: time", "×", many.0 / few.0, Target::AtMost(MOST_RATIO));
        report.add("many rules / few: CPU", "×", many.1 / few.1, Target::AtMost(MOST_RATIO));
        report.add("rounds in turn, of which these are the medians", "", count(self.rounds as usize), Target::None);
        Ok(())
    }

    /// Answers time and CPU.
    fn tell(&self, house: &House<'_>, took: &[Composed], report: &mut Report) -> Result<(f64, f64)> {
        let what = format!("{} due of {} rules, {} events each", house.due, house.rules, self.events);
        let (seconds, cpu) = (median(took, |took| took.seconds)?, median(took, |took| took.cpu_seconds)?);
        let resident = median(took, |took| took.most_resident_mb)?;
        report.add(format!("{what}: composed in"), "ms", seconds * 1e3, Target::None);
        report.add(format!("{what}: CPU"), "ms", cpu * 1e3, Target::None);
        report.add(format!("{what}: resident memory, most"), "MB", resident, Target::None);
        report.add(format!("{what}: the database's file"), "MB", house.file_mb()?, Target::None);
        Ok((seconds, cpu))
    }

    fn filled<'a>(&'a self, data: &'a Path, rules: usize, due: usize) -> Result<House<'a>> {
        let house = House { digest: self, data, rules, due };
        house.step("fill", &[])?;
        Ok(house)
    }
}

impl House<'_> {
    fn report(&self, day: u32, events: usize, sources: usize) -> Result<()> {
        let arguments = [("--day", day.to_string()), ("--events", events.to_string()), ("--sources", sources.to_string())];
        self.step("report", &arguments).map(drop)
    }

    fn compose(&self, day: u32) -> Result<Composed> {
        let said: Value = serde_json::from_str(&self.step("compose", &[("--day", day.to_string())])?)?;
        let figure = |name: &str| said[name].as_f64().with_context(|| format!("`compose` does not say `{name}`"));
        let [seconds, cpu_seconds, most_resident_mb] = ["seconds", "cpu_seconds", "most_resident_mb"].map(figure);
        Ok(Composed { seconds: seconds?, cpu_seconds: cpu_seconds?, most_resident_mb: most_resident_mb? })
    }

    fn step(&self, step: &str, more: &[(&str, String)]) -> Result<String> {
        let mut command = Command::new(&self.digest.steps);
        command.arg(step).arg("--data").arg(self.data);
        command.args(["--rules", &self.rules.to_string(), "--due", &self.due.to_string()]);
        for (name, value) in more {
            command.args([name, value.as_str()]);
        }
        let done = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {command:?}"))?;
        ensure!(done.status.success(), "{command:?} ended with {}", done.status);
        Ok(String::from_utf8(done.stdout)?)
    }

    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    fn file_mb(&self) -> Result<f64> {
        Ok(fs::metadata(self.data.join("bellhop.db"))?.len() as f64 / 1e6)
    }
}

fn median(took: &[Composed], figure: impl Fn(&Composed) -> f64) -> Result<f64> {
    let mut figures: Vec<_> = took.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("there was no round")
}
