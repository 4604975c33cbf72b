//! The contract suites of all ports on moto.

mod emulated;

use std::time::Duration;

use bellhop_core::ports::Ports;
use bellhop_testkit::port_suite;
use emulated::{Deployment, Emulator, Kind, wire::Wire};

async fn ports() -> (Ports, ()) {
    let emulator = Emulator::shared(Kind::Moto).await;
    (Deployment::on(emulator, Duration::from_mins(6)).await.ports(Wire::calm()), ())
}

port_suite!(hosted ports);
