//! Figures, and the targets beside them, scaled to the machine that was measured in the same run.

use serde_json::{Value, json};

/// The machine on which the targets are to hold as they are: what its sink takes a second, and its sync in ms.
const FAST_SINK: f64 = 100_000.0;
const FAST_SYNC_MS: f64 = 0.1;

/// What this machine can do without us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    /// Requests a second from a bare client to the sink.
    pub(crate) sink_per_second: f64,
    /// The median of 4 KB written and synced.
    pub(crate) sync_ms: f64,
}

impl Machine {
    /// The better of two looks: whoever else was busy must not make the targets easier.
    fn better(self, other: Self) -> Self {
        let sink_per_second = self.sink_per_second.max(other.sink_per_second);
        Self { sink_per_second, sync_ms: self.sync_ms.min(other.sync_ms) }
    }

    /// How many times slower than the machine of the targets; never less than 1. The worse of sink and disk counts.
    fn slowness(self) -> f64 {
        self.cpu_slowness().max(self.sync_ms / FAST_SYNC_MS)
    }

    /// The same, for what no disk is waited for.
    fn cpu_slowness(self) -> f64 {
        (FAST_SINK / self.sink_per_second).max(1.0)
    }
}

/// What is asked of a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// So many a second: fewer on a slower machine.
    Rate(f64),
    /// At most that long: longer on a slower machine.
    Time(f64),
    /// At most so much CPU: more where the CPU is slower.
    Cpu(f64),
    /// At most that, on every machine.
    AtMost(f64),
    /// Nothing; the figure explains the others.
    None,
}

impl Target {
    /// As it stands in the issue, and on this machine.
    fn scaled(self, machine: Machine) -> Option<(&'static str, f64, f64)> {
        match self {
            Self::Rate(rate) => Some(("≥", rate, rate / machine.slowness())),
            Self::Time(time) => Some(("≤", time, time * machine.slowness())),
            Self::Cpu(seconds) => Some(("≤", seconds, seconds * machine.cpu_slowness())),
            Self::AtMost(most) => Some(("≤", most, most)),
            Self::None => None,
        }
    }
}

/// What a benchmark found.
pub(crate) struct Report {
    benchmark: &'static str,
    command: String,
    machine: Machine,
    figures: Vec<(String, &'static str, f64, Target)>,
}

impl Report {
    pub(crate) fn new(benchmark: &'static str, command: String, machine: Machine) -> Self {
        Self { benchmark, command, machine, figures: Vec::new() }
    }

    /// The last words: what the machine can do, looked at once more.
    pub(crate) fn end(&mut self, again: Machine) {
        self.machine = self.machine.better(again);
        self.add("the machine: sink alone, bare client", "requests/s", self.machine.sink_per_second, Target::None);
        self.add("the machine: 4 KB written and synced, median", "ms", self.machine.sync_ms, Target::None);
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, unit: &'static str, value: f64, target: Target) {
        let name = name.into();
        eprintln!("{name}: {} {unit}", short(value));
        self.figures.push((name, unit, value, target));
    }

    pub(crate) fn json(&self) -> Value {
        let figure = |(name, unit, value, target): &(String, &str, f64, Target)| {
            let mut figure = json!({ "figure": name, "unit": unit, "measured": value });
            if let Some((sign, target, here)) = target.scaled(self.machine) {
                figure["target"] = json!({ "sign": sign, "value": target, "here": here, "ratio": value / here });
            }
            figure
        };
        let figures: Vec<_> = self.figures.iter().map(figure).collect();
        json!({ "benchmark": self.benchmark, "command": self.command, "slowness": self.machine.slowness(), "figures": figures })
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("`{}`\n\n| {} | measured | target | target here | ratio |\n", self.command, self.benchmark);
        text.push_str("|---|---|---|---|---|\n");
        for (name, unit, value, target) in &self.figures {
            let asked = target.scaled(self.machine).map_or("| |".to_owned(), |(sign, target, here)| {
                // nothing is allowed: there is no ratio to nothing
                let ratio = if here == 0.0 { String::new() } else { format!("{:.2}", value / here) };
                format!("{sign} {} | {sign} {} | {ratio}", short(target), short(here))
            });
            text.extend(["| ", name, " | ", &short(*value), " ", unit, " | ", &asked, " |\n"]);
        }
        text
    }
}

/// As many digits as mean something.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0..100.0 => 1,
        1.0..10.0 => 2,
        _ if value == 0.0 => 0,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_machine_has_easier_targets_and_a_faster_one_the_same() {
        let half = Machine { sink_per_second: 50_000.0, sync_ms: 0.1 };
        assert_eq!(Target::Rate(12_000.0).scaled(half), Some(("≥", 12_000.0, 6_000.0)));
        assert_eq!(Target::Time(15.0).scaled(half), Some(("≤", 15.0, 30.0)));
        let slow_disk = Machine { sink_per_second: 200_000.0, sync_ms: 1.0 };
        assert_eq!(Target::Time(1.0).scaled(slow_disk), Some(("≤", 1.0, 10.0)));
        assert_eq!(Target::Cpu(0.15).scaled(slow_disk), Some(("≤", 0.15, 0.15)));
        let fast = Machine { sink_per_second: 200_000.0, sync_ms: 0.01 };
        assert_eq!(Target::Rate(12_000.0).scaled(fast), Some(("≥", 12_000.0, 12_000.0)));
    }

    #[test]
    fn a_table_has_each_figure_beside_its_target() {
        let mut report = Report::new("serve", "cmd".to_owned(), Machine { sink_per_second: 50_000.0, sync_ms: 0.1 });
        report.add("accepted", "/s", 5_000.0, Target::Rate(10_000.0));
        assert!(report.markdown().contains("| accepted | 5000 /s | ≥ 10000 | ≥ 5000 | 1.00 |"));
        assert_eq!(report.json()["figures"][0]["target"]["ratio"], 1.0);
    }
}
