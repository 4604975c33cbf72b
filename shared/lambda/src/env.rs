//! The environment of the functions. Each variable stands here once, and in `template.yaml`: a test compares the two.

use anyhow::{Context, Result};

/// The channels that are deployed, with commas between.
pub const CHANNELS: &str = "BELLHOP_CHANNELS";
/// Name of the table.
pub const TABLE: &str = "BELLHOP_TABLE";
/// URL of the queues, up to the channel's name.
pub const QUEUES: &str = "BELLHOP_QUEUES";
/// URL of the dead-letter queues, up to the channel's name.
pub const DEAD_LETTERS: &str = "BELLHOP_DEAD_LETTERS";
/// Name of the bucket for attachments.
pub const BUCKET: &str = "BELLHOP_BUCKET";
/// The KMS key that seals secret parameters.
pub const SEAL: &str = "BELLHOP_SEAL";
/// SHA-256 of the operator's key, hex; empty if there is none.
pub const ADMIN_KEY_HASH: &str = "BELLHOP_ADMIN_KEY_HASH";
/// Private networks that messages may be sent to, with commas between; empty for none.
pub const ALLOW_PRIVATE: &str = "BELLHOP_ALLOW_PRIVATE";
/// Addresses to dial for host names, as `host=address:port` with commas between; empty for none.
pub const RESOLVE: &str = "BELLHOP_RESOLVE";
/// PEM files with certificates to trust besides the system's, with commas between; empty for none.
pub const EXTRA_CA: &str = "BELLHOP_EXTRA_CA";
/// To whom push services turn: a `mailto:` or `https:` URL; empty for nobody.
pub const CONTACT: &str = "BELLHOP_CONTACT";
/// Where people reach the console: a URL; empty where nobody has said.
pub const PUBLIC_URL: &str = "BELLHOP_PUBLIC_URL";
/// The stage of the WebSocket API, as `https:`; empty where Mpush clients are not deployed.
pub const SOCKETS: &str = "BELLHOP_SOCKETS";
/// The account of Mpush clients and scripts that show no token; empty for none.
pub const MPUSH_ACCOUNT: &str = "BELLHOP_MPUSH_ACCOUNT";
/// The account that records of Kafka are for.
pub const KAFKA_ACCOUNT: &str = "BELLHOP_KAFKA_ACCOUNT";
/// URL of the queue for records that can never be accepted.
pub const KAFKA_DEAD_LETTERS: &str = "BELLHOP_KAFKA_DEAD_LETTERS";
/// What to log, e.g. `info` or `info,bellhop_core=debug`.
pub const LOG: &str = "BELLHOP_LOG";

/// A function that is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Takes events in.
    Ingest,
    /// Looks after what an account owns, and sends tests.
    Manage,
    /// Sends.
    Sender,
    /// Ticks.
    Batch,
    /// Hears Mpush clients.
    Socket,
    /// Takes records of Kafka.
    Kafka,
}

const EVERY: &[Function] =
    &[Function::Ingest, Function::Manage, Function::Sender, Function::Batch, Function::Socket, Function::Kafka];

/// Every variable there is, with the functions that read it.
pub const ALL: [(&str, &[Function]); 17] = [
    (CHANNELS, EVERY),
    (TABLE, EVERY),
    (QUEUES, EVERY),
    (DEAD_LETTERS, EVERY),
    (BUCKET, EVERY),
    (SEAL, &[Function::Manage, Function::Sender, Function::Socket]),
    (ADMIN_KEY_HASH, &[Function::Ingest, Function::Manage]),
    (ALLOW_PRIVATE, &[Function::Manage, Function::Sender]),
    (RESOLVE, &[Function::Manage, Function::Sender]),
    (EXTRA_CA, &[Function::Manage, Function::Sender]),
    (CONTACT, &[Function::Manage, Function::Sender]),
    (PUBLIC_URL, &[Function::Manage, Function::Batch]),
    (SOCKETS, &[Function::Manage, Function::Sender, Function::Socket]),
    (MPUSH_ACCOUNT, &[Function::Ingest, Function::Socket]),
    (KAFKA_ACCOUNT, &[Function::Kafka]),
    (KAFKA_DEAD_LETTERS, &[Function::Kafka]),
    (LOG, EVERY),
];

/// A variable that has to be there.
#[expect(clippy::disallowed_methods, reason = "this is where the functions read their environment")]
pub(crate) fn read(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable `{name}` is missing; template.yaml sets it"))
}
