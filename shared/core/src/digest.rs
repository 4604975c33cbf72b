//! Digests: what a rule collected over an interval, as one notification.
//!
//! Promises: every event that a rule collects stands in exactly one of its digests; what stands in a digest is frozen before
//! it is sent; none is empty, unless silence itself is to be told of. Left to others: how collected events are kept
//! ([`crate::ports::Digests`]), and the way to people, which is that of any other event.

mod compose;
pub mod content;
pub mod follow;
mod preview;
mod send;
pub mod times;
pub mod wording;

pub use compose::{Composed, compose};
pub use preview::{Preview, preview};
