//! What the platform does, without knowing where it runs.
//!
//! Three verbs carry everything: [`accept`] takes an event and keeps it, [`deliver`] brings one delivery one attempt
//! further, [`tick`] wakes what has become due. They reach the world through [`ports`] only: no AWS, no HTTP client, no
//! SQL, no environment, no system clock lives here. The decisions are pure functions ([`plan`], [`transition`],
//! [`backoff`], [`render`]); the verbs are the order in which decisions are written down.
//!
//! Promises: what [`accept`] answered is kept and becomes final; a delivery is sent more than once only where an earlier
//! outcome is recorded as unknown. Left to others: HTTP, storage, how a provider wants it said ([`channel`] is the shape).

pub mod accept;
pub mod backoff;
pub mod channel;
pub mod clients;
pub mod deliver;
pub mod digest;
pub mod ending;
pub mod error;
pub mod explain;
pub mod hooks;
pub mod ids;
pub mod link;
pub mod mail;
pub mod model;
pub mod pace;
pub mod plan;
pub mod ports;
pub mod quota;
pub mod render;
pub mod report;
pub mod rules;
pub mod ses;
pub mod short;
pub mod socket;
pub mod task;
pub mod tick;
pub mod token;
pub mod transition;
pub mod vapid;
pub mod view;

pub use error::{Code, Problem, Reason, Retry, SendError, StoreError};
pub use jiff::Timestamp;
