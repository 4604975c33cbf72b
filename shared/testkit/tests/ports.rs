//! The port suites on memory.

use std::future::{Ready, ready};

use bellhop_core::ports::Ports;
use bellhop_testkit::{Provider, Rig};

fn memory() -> Ready<(Ports, Rig)> {
    let rig = Rig::new(Provider::new(&[]));
    ready((rig.ports.clone(), rig))
}

bellhop_testkit::port_suite!(memory);
