//! What tests are made of: every port on memory, a provider that follows a script, one contract suite per port, the
//! crash-point harness and the seeded schedules.
//!
//! Promises: the memory store is shaped like the next runtime (ordered writes and an at-least-once queue, not
//! transactions), so that what holds on it holds wherever writes come one after the other; everything here follows a
//! [`Sim`]'s time and chance, so that a failure comes back with its seed. Left to others: real time, real files, real
//! networks.

pub mod crash;
pub mod effects;
mod make;
pub mod memory;
mod probe;
mod provider;
mod rig;
pub mod schedule;
mod sim;
pub mod suite;
mod tokened;

pub use make::{acceptance, account, channel, draft, event, key, name, one_a_minute, planned, registration};
pub use memory::Memory;
pub use probe::{BARE, CATALOG, probe_rate};
pub use provider::{Answer, Provider};
pub use rig::{Rig, Silent, ports};
pub use sim::{Dice, Sim};
pub use tokened::{Fetched, TOKENED, TokenProvider};
