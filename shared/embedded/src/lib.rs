//! Every port on SQLite: one machine, one directory, no service beside it.
//!
//! Promises: what a call answered has been written and synced; every transition of the ledger is one transaction; a
//! restart takes over at once what its predecessor had under way; nobody waits for a wake-up longer than its delay; memory
//! holds a bounded window of the queue, however long that is. Left to others: what a transition means
//! ([`bellhop_core::transition`]), when the store is opened, closed and asked.
//!
//! One thread owns the connection that writes ([`Store::open`] starts it); it takes what has come in, commits it as one
//! group, tells the window of the queue what changed; when the disk has it (`sync`), it is answered. Readers have
//! connections of their own.

mod accounts;
mod attachments;
mod audit;
mod backup;
mod cache;
mod changes;
mod clients;
mod clock;
mod deliveries;
mod digests;
mod directory;
mod error;
mod events;
mod formers;
mod hooks;
mod idempotency;
mod inspect;
mod key_file;
mod ledger;
mod log;
mod opening;
mod pace;
mod queue;
mod readers;
mod records;
mod registrations;
mod retention;
mod rotation;
mod schema;
mod sealing;
mod store;
mod sync;
mod tasks;
mod tokens;
mod vapid;
mod writer;

pub use backup::backup;
pub use clock::SystemClock;
pub use error::OpenError;
pub use inspect::{Inspection, Sealing, inspect};
pub use queue::MOST_IN_CHANNEL;
pub use rotation::rotate_key;
pub use store::{Backlog, Durability, Options, Store};

#[cfg(test)]
mod tests;
