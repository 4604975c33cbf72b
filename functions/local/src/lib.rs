//! The binary `bellhop`: the same libraries as on Lambda, on the embedded store; and the command line.
//!
//! `serve` builds the ports and runs ingest, manage, sender and batch in one process. The other commands are clients of a
//! running server (`send`, `event`, `redrive`), look after a data directory (`doctor`, `rotate-key`), or need neither (`channels`,
//! `dry-run`, `verdict`, `new-key`).

mod backup;
mod case;
pub mod cli;
mod client;
mod doctor;
pub mod dry_run;
mod first_start;
mod kafka;
mod metrics;
mod rotate_key;
mod serve;
mod ses;
mod show;
mod sockets;
pub mod verdict;
