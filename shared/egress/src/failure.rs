//! What went wrong, and how far the request came. Pure.
//!
//! Promise: `Sent::No` only where surely nothing of the request left; a detail is made of our own words and the names of
//! error kinds, never of text that may hold a URL or a credential.

use std::{error::Error, io};

use bellhop_core::{
    Reason,
    ports::{Sent, TransportError},
};
use rustls::CertificateError;
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::resolve::NoAddress;

/// Which way the request took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Straight to the target.
    Direct,
    /// Through the registration's proxy.
    Proxy,
}

/// The parameters do not make a request.
pub(crate) fn invalid(detail: impl Into<String>) -> TransportError {
    unsent(Reason::InvalidParams, detail)
}

/// Surely nothing left.
pub(crate) fn unsent(reason: Reason, detail: impl Into<String>) -> TransportError {
    TransportError { reason, sent: Sent::No, detail: detail.into() }
}

fn perhaps_sent(reason: Reason, detail: impl Into<String>) -> TransportError {
    TransportError { reason, sent: Sent::Maybe, detail: detail.into() }
}

impl From<NoAddress> for TransportError {
    fn from(why: NoAddress) -> Self {
        match why {
            NoAddress::Unknown => unsent(Reason::DnsFailed, "the host name has no address; check how it is written"),
            NoAddress::Blocked => unsent(
                Reason::BlockedAddress,
                "the host is not on the public internet; the operator may allow its network with `--allow-private`",
            ),
        }
    }
}

/// What a failed request means.
pub(crate) fn explain(error: &reqwest::Error, via: Via) -> TransportError {
    if let Some(why) = find::<NoAddress>(error) {
        return (*why).into();
    }
    if error.is_builder() {
        return invalid("the URL cannot be sent");
    }
    if error.is_connect() {
        return unconnected(error, via);
    }
    if error.is_timeout() {
        return perhaps_sent(Reason::Timeout, "no whole answer in time");
    }
    perhaps_sent(Reason::ConnectionLost, "the connection broke before the answer was whole")
}

/// No connection came about: name, TCP, proxy or TLS.
fn unconnected(error: &reqwest::Error, via: Via) -> TransportError {
    if let Some(tls) = find::<rustls::Error>(error) {
        return unsent(Reason::TlsFailed, format!("the TLS handshake failed: {}", tls_fault(tls)));
    }
    let kinds = || causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let kind = kinds().find(|kind| *kind != io::ErrorKind::Other);
    let what = match (error.is_timeout(), kind) {
        (true, _) => "no connection in time".to_owned(),
        (false, Some(kind)) => kind.to_string(),
        (false, None) => "no connection".to_owned(),
    };
    match (via, kind) {
        (Via::Proxy, _) => unsent(Reason::ProxyFailed, format!("the proxy did not connect: {what}")),
        // A TCP connection does not come about with an end of file: this is the handshake after it.
        (Via::Direct, Some(io::ErrorKind::UnexpectedEof)) => {
            unsent(Reason::TlsFailed, "the TLS handshake failed: the server closed the connection")
        }
        (Via::Direct, _) => unsent(Reason::ConnectFailed, format!("the host cannot be reached: {what}")),
    }
}

/// How far a mail's session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TCP, TLS and the greeting.
    Connecting,
    /// All that comes after.
    Talking,
}

/// What it means that a mail server was not heard to the end. How far the mail came is for the caller to say.
pub(crate) fn interrupted(error: &lettre::transport::smtp::Error, stage: Stage) -> TransportError {
    if let Some(tls) = find::<rustls::Error>(error) {
        return unsent(Reason::TlsFailed, format!("the TLS handshake failed: {}", tls_fault(tls)));
    }
    let kinds = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match (stage, kinds.last()) {
        (Stage::Connecting, Some(io::ErrorKind::UnexpectedEof)) => {
            unsent(Reason::TlsFailed, "the TLS handshake failed: the server closed the connection")
        }
        (Stage::Connecting, Some(kind)) => unsent(Reason::ConnectFailed, format!("the host cannot be reached: {kind}")),
        (Stage::Connecting, None) => {
            unsent(Reason::ConnectFailed, "the server did not greet as mail servers do; look at `port` and `tls`")
        }
        (Stage::Talking, Some(_) | None) => unsent(Reason::ConnectionLost, "the connection broke before the server had answered"),
    }
}

/// A mail server that would have the mail in clear.
pub(crate) fn no_starttls() -> TransportError {
    let detail = "the server does not offer STARTTLS; set `tls` to `implicit` if that is what its port speaks, or to `none`";
    unsent(Reason::TlsFailed, detail)
}

/// A reply that is no answer to what was said.
pub(crate) fn out_of_order() -> TransportError {
    unsent(Reason::UnexpectedAnswer, "the mail server answered something else than it was asked")
}

/// A mail server that took longer than a whole session may.
pub(crate) fn too_slow() -> TransportError {
    unsent(Reason::Timeout, "the mail server did not answer in time")
}

/// No TCP connection came about, or no TLS on it.
pub(crate) fn not_dialled(error: &io::Error) -> TransportError {
    if let Some(tls) = find::<rustls::Error>(error) {
        return unsent(Reason::TlsFailed, format!("the TLS handshake failed: {}", tls_fault(tls)));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => unsent(Reason::TlsFailed, "the TLS handshake failed: the server closed the connection"),
        kind => unsent(Reason::ConnectFailed, format!("the host cannot be reached: {kind}")),
    }
}

/// TLS cannot be had at all.
pub(crate) fn no_tls() -> TransportError {
    unsent(Reason::TlsFailed, "TLS cannot be set up; the operator has to see that CA certificates are installed")
}

/// What it means that a WebSocket was lost. How far the frame came is for the caller to say.
pub(crate) fn socket_broken(error: &tungstenite::Error) -> TransportError {
    match error {
        tungstenite::Error::Io(_)
        | tungstenite::Error::ConnectionClosed
        | tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake) => {
            unsent(Reason::ConnectionLost, "the connection broke before the server had taken its leave")
        }
        _ => unsent(Reason::UnexpectedAnswer, "the server does not speak WebSocket as it is documented; look at `url`"),
    }
}

/// A WebSocket that took longer than a whole session may.
pub(crate) fn socket_too_slow() -> TransportError {
    unsent(Reason::Timeout, "the server did not open the WebSocket, or did not take its leave, in time")
}

fn tls_fault(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => "the certificate's issuer is not trusted here",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name"
            }
            _ => "the certificate is not valid",
        },
        rustls::Error::AlertReceived(_) => "the server refused it",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS on this port",
        _ => "the two sides do not agree",
    }
}

/// An error and what caused it. [`io::Error`] passes over the error it wraps, so that one is opened.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_inside_of_wrapped_io_errors() {
        let error = io::Error::other(io::Error::other(NoAddress::Blocked));
        assert_eq!(find::<NoAddress>(&error), Some(&NoAddress::Blocked));
    }

    #[test]
    fn a_blocked_address_says_what_the_operator_can_do() {
        let error = TransportError::from(NoAddress::Blocked);
        assert_eq!((error.reason, error.sent), (Reason::BlockedAddress, Sent::No));
        assert!(error.detail.contains("--allow-private"));
    }
}
