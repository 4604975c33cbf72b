//! The contract suites of all ports, on real files and the real clock.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use bellhop_core::ports::Ports;
use bellhop_embedded::{Options, Store, SystemClock};
use bellhop_testkit::{CATALOG, Provider, Silent, port_suite};
use tempfile::TempDir;

#[expect(clippy::unused_async, reason = "as the suites call it")]
async fn ports() -> (Ports, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data"), Options::default(), Arc::new(SystemClock)).unwrap();
    (store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG), dir)
}

port_suite!(ports);
