//! The Mpush protocol, version 2.1, less its faults: what is said by requests and what is said over connections.
//! <https://github.com/kooritea/mpush>
//!
//! Promises: clients and scripts of Mpush are understood as they are; nothing is said of an account without its token, but
//! of the one that the operator names; what was answered with a number is kept. Left to others: who delivers
//! ([`bellhop_core::deliver`]), how a message's packet looks (`bellhop_channels`), the transport of either world.

mod auth;
mod packet;
mod register;
mod send;
mod session;
mod status;

use std::sync::Arc;

use bellhop_core::model::AccountId;
use bellhop_http::Api;

pub use auth::{Refusal, Said};
pub use packet::{Command, info};
pub use send::{Call, Pending};
pub use session::{Heard, Session};

/// What answers. Cheap to clone.
#[derive(Clone)]
pub struct Mpush {
    /// What the handlers share.
    pub api: Api,
    /// The account of those who show no token, if there is one.
    pub account: Option<Arc<AccountId>>,
}

impl Mpush {
    /// Over that API; `account` is reached without a token, as far as its own settings allow that.
    pub fn new(api: Api, account: Option<AccountId>) -> Self {
        Self { api, account: account.map(Arc::new) }
    }
}
