//! The way out against real servers on loopback. Every promise of the crate's doc has its tests here, but for the ones
//! that are pure, which are beside the code.
#![expect(clippy::unwrap_used, reason = "a test")]

mod addresses;
mod answers;
mod failures;
mod mail;
mod proxies;
mod servers;
mod tls;
mod websocket;

use std::net::SocketAddr;

use bellhop_core::{
    Reason,
    channel::{Body, Method, Outgoing, Reply},
    ports::{Http, Sent, TransportError},
};
use bellhop_egress::{HttpEgress, Settings};

/// Loopback is allowed, and `target.test` is that server.
fn settings(target: SocketAddr) -> Settings {
    Settings {
        allow_private: vec!["127.0.0.0/8".parse().unwrap()],
        resolve: vec![("target.test".to_owned(), target)],
        ..Settings::default()
    }
}

fn egress(settings: Settings) -> HttpEgress {
    HttpEgress::new(settings).unwrap()
}

/// The way out of an operator who allows nothing.
fn strict() -> HttpEgress {
    egress(Settings::default())
}

fn get(url: impl Into<String>) -> Outgoing {
    Outgoing { method: Method::Get, url: url.into(), headers: Vec::new(), body: Body::Empty, proxy: None }
}

fn through(proxy: impl Into<String>, outgoing: Outgoing) -> Outgoing {
    Outgoing { proxy: Some(proxy.into()), ..outgoing }
}

async fn answer(egress: &HttpEgress, outgoing: &Outgoing) -> Reply {
    egress.call(outgoing).await.unwrap()
}

async fn failure(egress: &HttpEgress, outgoing: &Outgoing) -> (Reason, Sent) {
    let TransportError { reason, sent, .. } = egress.call(outgoing).await.unwrap_err();
    (reason, sent)
}
