//! Every outgoing byte of a tenant.
//!
//! Promise: a tenant reaches no address that [`Guard`] denies, however it writes the host, whatever its name server
//! answers, and whichever proxy it names; an answer is never larger than 256 KiB; an error tells why, and whether the
//! request may have arrived, but no URL, credential or body. Left to others: what is said (channels), when it is said
//! again (core).

mod failure;
mod guard;
mod http;
mod own;
mod proxy;
mod request;
mod resolve;
mod settings;
mod smtp;
mod websocket;

pub use crate::{
    guard::{Cidr, Guard},
    http::HttpEgress,
    own::OwnServer,
    settings::{Settings, SettingsError, parse_resolve},
    smtp::SmtpEgress,
    websocket::SocketEgress,
};
