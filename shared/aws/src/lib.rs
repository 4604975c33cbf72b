//! Every port on DynamoDB, SQS, KMS and S3, and mail through SES: the only place with `aws_*` crates.
//!
//! Promises: every transition of the ledger is a sequence of conditional writes of which any beginning is finished by the
//! next call; no call scans, and no query is without a bound; nothing that is secret reaches a log line or an error.
//! Retries below are the SDK's own. Left to others: what a transition means ([`bellhop_core::transition`]), and what is
//! deployed ([`Config`] is told).

mod cache;
mod clock;
mod dynamo;
mod environment;
mod error;
mod letter;
mod letterbox;
mod live;
mod outbox;
mod queue;
mod s3;
mod seal;
mod ses;
mod signed;
mod sqs;
mod store;

pub use clock::SystemClock;
pub use dynamo::keys::{EXPIRES, RARE, RARE_PK, RARE_SK};
pub use environment::{Missing, connector};
pub use letter::{Arrived, Poison, Reference, wake_from};
pub use letterbox::Letterbox;
pub use live::Connections;
pub use queue::RETENTION;
pub use ses::SesEgress;
pub use store::{Config, Sealing, Store, connect};
