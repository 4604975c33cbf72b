//! `GET /metrics`: counters in the Prometheus text format.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bellhop_core::{
    Reason,
    model::{ChannelId, Outcome, State},
    report::Telemetry,
};

/// Counts since the start of the process. Labels are words of closed lists.
#[derive(Default)]
pub(crate) struct Metrics {
    events: AtomicU64,
    deliveries: AtomicU64,
    attempts: Mutex<BTreeMap<(ChannelId, &'static str, &'static str), Attempts>>,
    ended: Mutex<BTreeMap<(ChannelId, &'static str), u64>>,
}

#[derive(Default)]
struct Attempts {
    count: u64,
    milliseconds: u64,
}

impl Telemetry for Metrics {
    fn accepted(&self, deliveries: usize) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.deliveries.fetch_add(u64::try_from(deliveries).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn attempted(&self, channel: &ChannelId, outcome: Outcome, reason: Option<Reason>, duration_ms: u64) {
        let labels = (channel.clone(), outcome.as_str(), reason.map_or("", Reason::as_str));
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = attempts.entry(labels).or_default();
        attempts.count += 1;
        attempts.milliseconds += duration_ms;
    }

    fn ended(&self, channel: &ChannelId, state: State) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended.entry((channel.clone(), state.as_str())).or_default() += 1;
    }
}

impl Metrics {
    /// Everything, in the text format. `gauges` are added as they stand: name, labels, value.
    pub(crate) fn text(&self, gauges: &[(&str, String, u64)]) -> String {
        let mut text = String::new();
        let mut line = |name: &str, labels: &str, value: u64| {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            text.extend([name, &labels, " ", &value.to_string(), "\n"]);
        };
        line("bellhop_events_accepted_total", "", self.events.load(Ordering::Relaxed));
        line("bellhop_deliveries_planned_total", "", self.deliveries.load(Ordering::Relaxed));
        for ((channel, outcome, reason), attempts) in &*self.attempts.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = format!("channel=\"{channel}\",outcome=\"{outcome}\",reason=\"{reason}\"");
            line("bellhop_attempts_total", &labels, attempts.count);
            line("bellhop_attempts_milliseconds_total", &labels, attempts.milliseconds);
        }
        for ((channel, state), count) in &*self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            line("bellhop_deliveries_ended_total", &format!("channel=\"{channel}\",state=\"{state}\""), *count);
        }
        for (name, labels, value) in gauges {
            line(name, labels, *value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        let webhook = ChannelId::new("webhook");
        metrics.accepted(2);
        metrics.attempted(&webhook, Outcome::Retry, Some(Reason::Timeout), 7);
        metrics.ended(&webhook, State::Delivered);
        let text = metrics.text(&[("bellhop_queue_depth", "channel=\"webhook\"".to_owned(), 3)]);
        for line in [
            "bellhop_events_accepted_total 1",
            "bellhop_deliveries_planned_total 2",
            "bellhop_attempts_total{channel=\"webhook\",outcome=\"retry\",reason=\"timeout\"} 1",
            "bellhop_deliveries_ended_total{channel=\"webhook\",state=\"delivered\"} 1",
            "bellhop_queue_depth{channel=\"webhook\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
