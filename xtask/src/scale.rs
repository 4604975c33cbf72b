//! What so many events a second need of each limit of AWS: `cargo xtask scale` prints the table of `docs/scale.md`.
//!
//! One event a request, one webhook each. Counts are those that tests hold (`shared/aws/tests/capacity.rs`); what only AWS can
//! tell is assumed, and named.

#![expect(clippy::print_stdout, reason = "tables go to standard output")]

/// Seconds that are assumed: of `ingest` for a request; of the sender beside a send; of one write of the table.
const INGEST: f64 = 0.02;
const BESIDE: f64 = 0.02;
const WRITE: f64 = 0.005;

/// Messages of a batch: `BatchSize` in `template.yaml`.
const BATCH: f64 = 10.0;
/// Seconds that a send may take: `total_timeout` of `bellhop_egress::Settings`.
const SEND_TIMEOUT: f64 = 25.0;
/// Write units of an event: `an_event_delivered_at_once_costs_three_writes_and_no_read`.
const WRITES: f64 = 3.0;
/// Calls of the queue: one sends a message, one receives and one deletes a batch.
const CALLS: f64 = 1.0 + 2.0 / BATCH;
/// Partitions that a day of one account's events is spread over: `EVENT_SHARDS` in `shared/aws/src/dynamo/keys.rs`.
const EVENT_SHARDS: f64 = 4.0;
/// Deletions of parked wake-ups that a tick has under way: `AT_ONCE` in `shared/aws/src/dynamo/ledger.rs`.
const TICK_AT_ONCE: f64 = 8.0;

/// A need, and what bounds it.
struct Row {
    need: &'static str,
    of: fn(f64) -> f64,
    limit: f64,
    whose: &'static str,
}

const fn row(need: &'static str, of: fn(f64) -> f64, limit: f64, whose: &'static str) -> Row {
    Row { need, of, limit, whose }
}

/// Batches of the sender that are under way at once, if a send takes so long.
fn batches(events: f64, send: f64) -> f64 {
    (events / BATCH * (send + BESIDE)).ceil()
}

const ROWS: [Row; 13] = [
    row("API, requests/s", |n| n, 100.0, "`RequestsPerSecond`"),
    row("API, requests/s", |n| n, 10_000.0, "account"),
    row("`ingest`, at once", |n| (n * INGEST).ceil(), 1_000.0, "account, all functions"),
    row("sender, batches at once, sends of 0.1 s", |n| batches(n, 0.1), 10.0, "`MaximumConcurrency`"),
    row("the same, sends of 1 s", |n| batches(n, 1.0), 10.0, "`MaximumConcurrency`"),
    row("the same, every receiver hangs", |n| batches(n, SEND_TIMEOUT), 10.0, "`MaximumConcurrency`"),
    row("the same, every receiver hangs", |n| batches(n, SEND_TIMEOUT), 1_250.0, "Lambda, a queue"),
    row("queue, calls/s", |n| n * CALLS, f64::INFINITY, "none"),
    row("table, write units/s", |n| n * WRITES, 4_000.0, "a new table"),
    row("table, write units/s", |n| n * WRITES, 40_000.0, "account, a table"),
    row("one account's events, writes/s in a partition", |n| n / EVENT_SHARDS, 1_000.0, "DynamoDB"),
    row("one account's failures in the index, writes/s in a partition", |n| n, 1_000.0, "DynamoDB"),
    row("wake-ups parked for long, brought back/s", |n| n, TICK_AT_ONCE / WRITE, "the tick"),
];

/// Write units of a digest with something to tell and one recipient: its list and its freezing (2), its event (1), its moving on
/// (6, in a transaction), a claim and a settlement (2). `a_digest_costs_two_writes_to_freeze_and_six_to_move_on`,
/// `an_event_delivered_at_once_costs_three_writes_and_no_read`.
const DIGEST_WRITES: f64 = 2.0 + 1.0 + 6.0 + 2.0;
/// Schedules that one message announces: `PAGE` in `shared/aws/src/dynamo/composing.rs`.
const PAGE: f64 = 200.0;

/// Seconds that the table needs at least for so many digests, at so many write units a second.
fn floor(digests: f64, units: f64) -> f64 {
    digests * DIGEST_WRITES / units
}

/// Prints the tables. What is over its limit is bold.
pub(crate) fn print() {
    println!("| what | 100 events/s | 1,000 | 10,000 | limit | whose |\n|---|---|---|---|---|---|");
    for Row { need, of, limit, whose } in ROWS {
        let cells = [100.0, 1_000.0, 10_000.0].map(|events| cell(of(events), limit));
        let limit = if limit.is_finite() { format!("{limit:.0}") } else { "–".to_owned() };
        println!("| {need} | {} | {limit} | {whose} |", cells.join(" | "));
    }
    println!(
        "\n| digests due at once | messages that announce them | write units | a new table, s | a table, s |\n|---|---|---|---|---|"
    );
    for digests in [1_000.0, 100_000.0, 1_000_000.0] {
        let (pages, units) = ((digests / PAGE).ceil(), digests * DIGEST_WRITES);
        println!("| {digests:.0} | {pages:.0} | {units:.0} | {:.1} | {:.1} |", floor(digests, 4_000.0), floor(digests, 40_000.0));
    }
}

fn cell(value: f64, limit: f64) -> String {
    if value > limit { format!("**{value:.0}**") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_its_limit_stands_out() {
        assert_eq!((cell(1_000.0, 1_000.0).as_str(), cell(1_001.0, 1_000.0).as_str()), ("1000", "**1001**"));
    }

    #[test]
    fn a_batch_takes_as_long_as_its_sends_which_go_at_once() {
        assert!((batches(100.0, 0.98) - 10.0).abs() < 1e-9);
    }
}
