//! The API in this process, over the stores themselves: SQLite in a folder, and DynamoDB, SQS, KMS and S3 on an emulator.
//!
//! Promise: routers, ports and ways out are those of the mains; who works on the queue is the test's business.

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../shared/aws/tests/emulated/mod.rs"]
pub(crate) mod emulated;

use std::{path::Path, sync::Arc, time::Duration};

use acceptance::Client;
use bellhop_core::{
    Timestamp,
    model::{AccountId, ChannelId, Key, Scope},
    ports::{Ports, Transport},
};
use bellhop_egress::{HttpEgress, Settings, SmtpEgress, SocketEgress};
use bellhop_embedded::{Options, Store, SystemClock};
use bellhop_http::{Api, complete, key::parse_key};
use bellhop_testkit::Silent;
use emulated::{Deployment, Emulator, Kind, wire::Wire};
use tokio::net::TcpListener;

pub(crate) const OPERATORS: &str = "bh_admin_0123456789abcdef0123456789abcdef";

/// A server, and what it keeps things in.
pub(crate) struct World<S> {
    pub(crate) client: Client,
    pub(crate) ports: Ports,
    pub(crate) kept_in: S,
}

/// The channel of these tests.
pub(crate) fn webhook() -> ChannelId {
    ChannelId::new("webhook")
}

/// As `bellhop serve` puts it together.
pub(crate) async fn on_sqlite(data: &Path) -> World<Arc<Store>> {
    let store = Store::open(data, Options::default(), Arc::new(SystemClock)).unwrap();
    let ports = store.ports(transport(), Arc::new(Silent), bellhop_channels::ALL);
    World { client: serve(&ports).await, ports, kept_in: store }
}

/// As the functions on Lambda put it together, in one process.
pub(crate) async fn on_aws() -> World<Deployment> {
    on_aws_over(Wire::calm()).await
}

/// The same, with what is called seen by `wire`.
pub(crate) async fn on_aws_over(wire: Arc<Wire>) -> World<Deployment> {
    let emulator = Emulator::shared(Kind::Ministack).await;
    let deployed = Deployment::of(vec![webhook()], emulator, Duration::from_mins(6)).await;
    let store = deployed.store(wire, 3, Arc::new(bellhop_aws::SystemClock));
    let ports = store.ports(transport(), Arc::new(Silent), bellhop_channels::ALL);
    World { client: serve(&ports).await, ports, kept_in: deployed }
}

/// Every way out, with leave to reach this machine.
fn transport() -> Transport {
    let settings = Settings { allow_private: vec!["127.0.0.0/8".parse().unwrap()], ..Settings::default() };
    Transport {
        http: Arc::new(HttpEgress::new(settings.clone()).unwrap()),
        smtp: Arc::new(SmtpEgress::new(settings.clone()).unwrap()),
        sockets: Arc::new(SocketEgress::new(settings).unwrap()),
        ses: None,
        live: Arc::new(bellhop_core::ports::NobodyLive),
    }
}

/// Stores a key with all scopes that is good until then.
pub(crate) async fn store_key(ports: &Ports, whole: &str, expires_at: Option<Timestamp>) {
    let credential = parse_key(whole).unwrap();
    let key = Key {
        id: credential.id.clone(),
        account: AccountId::parse("main").unwrap(),
        hash: credential.hash(),
        scopes: Scope::ALL.to_vec(),
        description: None,
        expires_at,
        session_of: None,
        created_at: ports.clock.now(),
    };
    assert!(ports.keys.create(&key).await.unwrap());
}

/// The operator's client of the API over these ports.
async fn serve(ports: &Ports) -> Client {
    store_key(ports, OPERATORS, None).await;
    let api = Api::new(ports.clone());
    let routes =
        bellhop_ingest::routes(api.clone()).merge(bellhop_manage::routes(api.clone())).merge(bellhop_manage::console(api));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, complete(routes)).await });
    Client::new(url, OPERATORS.to_owned())
}
