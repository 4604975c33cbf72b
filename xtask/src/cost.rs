//! What Bellhop costs on AWS, by count: `cargo xtask cost` prints the tables of `docs/cost.md`.
//!
//! Counts are those that tests hold (`shared/aws/tests/capacity.rs`, `template.yaml`). Prices are AWS's list prices for us-east-1,
//! read in August 2026, without free tiers. What only AWS can tell (durations, how full batches are) is assumed, and named.

#![expect(clippy::print_stdout, reason = "tables go to standard output")]

/// USD for a million, or for one where a name says so.
mod price {
    /// <https://aws.amazon.com/api-gateway/pricing/>
    pub(super) const HTTP_API: f64 = 1.00;
    /// <https://aws.amazon.com/lambda/pricing/>
    pub(super) const LAMBDA: f64 = 0.20;
    pub(super) const LAMBDA_GB_SECONDS: f64 = 16.6667;
    pub(super) const LAMBDA_GB_SECONDS_ARM: f64 = 13.3334;
    /// Of a fair queue: 0.40, and 0.10 for the message groups. <https://aws.amazon.com/sqs/pricing/>
    pub(super) const SQS: f64 = 0.50;
    /// <https://aws.amazon.com/dynamodb/pricing/on-demand/>
    pub(super) const WRITE: f64 = 0.625;
    pub(super) const READ: f64 = 0.125;
    /// A gigabyte. <https://aws.amazon.com/cloudwatch/pricing/>
    pub(super) const LOG_GB: f64 = 0.50;
    /// One, a month.
    pub(super) const ALARM: f64 = 0.10;
    /// One, a month. <https://aws.amazon.com/kms/pricing/>
    pub(super) const KMS_KEY: f64 = 1.00;
    /// <https://aws.amazon.com/xray/pricing/>
    pub(super) const TRACE: f64 = 5.00;
    /// <https://aws.amazon.com/eventbridge/pricing/>
    pub(super) const SCHEDULE: f64 = 1.00;
}

/// A way to run, with what only AWS can tell. One event a request, one webhook each, delivered at the first attempt.
struct Way {
    name: &'static str,
    /// Events that one request brings.
    bulk: f64,
    /// Calls of the queue that `ingest` makes for an event: `an_event_delivered_at_once_makes_four_calls`,
    /// `a_bulk_of_a_hundred_events_is_sent_in_a_few_calls`.
    sent: f64,
    /// Messages that an invocation of the sender gets.
    batch: f64,
    gb_seconds: f64,
    /// Requests that X-Ray records: a twentieth, by default.
    traced: f64,
    /// Bytes that Lambda itself logs of an invocation: start and report, as JSON.
    platform_log: f64,
}

/// By the template's defaults.
const AS_DEPLOYED: Way = Way {
    name: "as deployed, full batches",
    bulk: 1.0,
    sent: 1.0,
    batch: 10.0,
    gb_seconds: price::LAMBDA_GB_SECONDS,
    traced: 0.0,
    platform_log: 0.0,
};

const ARM: Way = Way { name: "the same on arm64", gb_seconds: price::LAMBDA_GB_SECONDS_ARM, ..AS_DEPLOYED };

const WAYS: [Way; 5] = [
    Way { name: "as deployed, batches of one", batch: 1.0, ..AS_DEPLOYED },
    Way {
        name: "full batches, traced, start and report of each invocation logged",
        traced: 0.05,
        platform_log: 700.0,
        ..AS_DEPLOYED
    },
    AS_DEPLOYED,
    ARM,
    Way { name: "on arm64, bulks of 10 events", bulk: 10.0, sent: 0.1, ..ARM },
];

/// Seconds that are assumed: of `ingest` for a request, and of the sender for a batch, whose webhooks answer in 0.1 s.
const INGEST_SECONDS: f64 = 0.02;
const SENDER_SECONDS: f64 = 0.12;

/// Gigabytes of memory, by `template.yaml`.
const INGEST_GB: f64 = 0.5;
const SENDER_GB: f64 = 0.25;

/// Write units of an event: `an_event_delivered_at_once_costs_three_writes_and_no_read`.
const WRITES: f64 = 3.0;
/// Calls of the queue that Lambda makes for a batch: one receives it, one deletes it.
const RECEIVED: f64 = 2.0;
/// Bytes of our own lines `accepted` and `attempted`, with the names `main` and `desk`: those of `bellhop serve`, counted, less the
/// module, which functions leave out.
const OUR_LOG: f64 = (198.0 - 33.0) + (310.0 - 33.0);
/// Bytes of the API's line, as `template.yaml` has it.
const API_LOG: f64 = 95.0;

/// USD for a million events, part by part.
fn parts(way: &Way) -> [(&'static str, f64); 7] {
    let (requests, invocations) = (1.0 / way.bulk, 1.0 / way.batch);
    let lambda = |count: f64, gb: f64, seconds: f64| count * (price::LAMBDA + gb * seconds * way.gb_seconds);
    let log_bytes = OUR_LOG + requests * (API_LOG + way.platform_log) + invocations * way.platform_log;
    [
        ("API", requests * price::HTTP_API),
        ("ingest", lambda(requests, INGEST_GB, INGEST_SECONDS)),
        ("queue", (way.sent + RECEIVED * invocations) * price::SQS),
        ("sender", lambda(invocations, SENDER_GB, SENDER_SECONDS)),
        ("table", WRITES * price::WRITE),
        ("log", log_bytes / 1e3 * price::LOG_GB),
        ("traces", (requests + invocations) * way.traced * price::TRACE),
    ]
}

/// Minutes of a month of 30 days.
const MINUTES: f64 = 43_200.0;

/// USD a month of a stack that does nothing, with so many channels.
fn idle(channels: f64) -> [(&'static str, f64); 4] {
    // five pollers, each with a long poll of 20 s: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    let polls = (channels + 1.0) * 5.0 * 3.0 * MINUTES;
    let tick = price::SCHEDULE + price::LAMBDA + SENDER_GB * 0.05 * price::LAMBDA_GB_SECONDS + 2.0 * price::READ;
    [
        ("polling of the queues: the channels', and that of digests", polls / 1e6 * price::SQS),
        ("alarms: four a channel and ten", (4.0 * channels + 10.0) * price::ALARM),
        ("KMS key", price::KMS_KEY),
        ("tick: schedule, function, two reads", MINUTES / 1e6 * tick),
    ]
}

/// Prints both tables.
pub(crate) fn print() {
    let head: Vec<_> = parts(&AS_DEPLOYED).iter().map(|(part, _)| *part).collect();
    println!("| USD per million events | total | {} |\n|---|---|{}", head.join(" | "), "---|".repeat(head.len()));
    for way in &WAYS {
        let parts = parts(way);
        let each: Vec<_> = parts.iter().map(|(_, usd)| format!("{usd:.2}")).collect();
        println!("| {} | **{:.2}** | {} |", way.name, total(&parts), each.join(" | "));
    }
    let (two, all) = (idle(2.0), idle(29.0));
    println!("\n| USD a month, idle | 2 channels | 29 channels |\n|---|---|---|");
    for ((what, two), (_, all)) in two.iter().zip(&all) {
        println!("| {what} | {two:.2} | {all:.2} |");
    }
    println!("| **together** | **{:.2}** | **{:.2}** |", total(&two), total(&all));
}

fn total(parts: &[(&str, f64)]) -> f64 {
    parts.iter().map(|(_, usd)| usd).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part: &str, way: &Way) -> f64 {
        parts(way).iter().find(|(name, _)| *name == part).unwrap().1
    }

    #[test]
    fn a_batch_of_ten_shares_its_calls_and_its_invocation() {
        let one = Way { name: "one", batch: 1.0, ..AS_DEPLOYED };
        assert!((of("queue", &one) - 1.5).abs() < 1e-9);
        assert!((of("queue", &AS_DEPLOYED) - 0.6).abs() < 1e-9);
        assert!((of("sender", &one) - 10.0 * of("sender", &AS_DEPLOYED)).abs() < 1e-9);
    }

    #[test]
    fn a_bulk_saves_requests_and_no_writes() {
        let bulk = Way { name: "bulk", bulk: 10.0, ..AS_DEPLOYED };
        assert!((of("API", &bulk) - 0.1).abs() < 1e-9);
        assert!((of("table", &bulk) - of("table", &AS_DEPLOYED)).abs() < 1e-9);
    }
}
