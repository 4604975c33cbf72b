//! The contract suites of all ports on ministack behind microburst, a proxy that knows AWS's protocols: what it throttles,
//! fails, cuts off and loses looks as AWS makes it look, and the SDK's own retries have to win.

mod emulated;

use std::{path::Path, process::Child, sync::OnceLock, time::Duration};

use bellhop_core::ports::Ports;
use bellhop_testkit::port_suite;
use emulated::{
    Deployment, Emulator, Kind, free_port, home, start,
    wire::{Plain, Wire},
};

/// A running proxy. It stops when its standard input closes, however this process ends.
struct Proxy {
    url: String,
    _process: Child,
}

impl Proxy {
    async fn before(emulator: &Emulator) -> &'static Self {
        static PROXY: OnceLock<Proxy> = OnceLock::new();
        let proxy = PROXY.get_or_init(|| {
            let port = free_port();
            let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators/faults.yaml");
            let arguments = [emulator.url.clone().into(), port.to_string().into(), rules.into_os_string()];
            let process = start("faults.py", &arguments, &home("microburst"));
            Self { url: format!("http://127.0.0.1:{port}"), _process: process }
        });
        let ready = async {
            while proxy.faults().await.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ready).await.expect("the proxy starts");
        proxy
    }

    /// How many faults it has injected.
    async fn faults(&self) -> Option<u64> {
        Plain::new().json(&format!("{}/_microburst/stats", self.url)).await?["requests"]["faulted"].as_u64()
    }
}

async fn ports() -> (Ports, ()) {
    let emulator = Emulator::shared(Kind::Ministack).await;
    let mut deployment = Deployment::on(emulator, Duration::from_mins(6)).await;
    deployment.url.clone_from(&Proxy::before(emulator).await.url);
    (deployment.ports(Wire::calm()), ())
}

port_suite!(together every_case ports);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suites_hold_behind_a_proxy_that_injects_faults() {
    Box::pin(every_case()).await;
    let faults = Proxy::before(Emulator::shared(Kind::Ministack).await).await.faults().await.unwrap();
    assert!(faults > 100, "{faults} faults are no trial");
}
