//! Everything put together over memory.

use std::sync::Arc;

use bellhop_core::{
    Reason,
    model::{ChannelId, Outcome, State},
    ports::Ports,
    report::Telemetry,
};

use crate::{Memory, Provider, Sim, memory::Visibility};

/// Ports over memory, and what stands behind them.
pub struct Rig {
    /// Time and chance.
    pub sim: Arc<Sim>,
    /// Every store.
    pub memory: Arc<Memory>,
    /// The far end.
    pub provider: Arc<Provider>,
    /// All of it, ready to use.
    pub ports: Ports,
}

impl Rig {
    /// An empty world with that provider in it.
    pub fn new(provider: Arc<Provider>) -> Self {
        let sim = Sim::new(0);
        let memory = Memory::new(Arc::clone(&sim), Visibility::default());
        let ports = memory.ports();
        let ports = Ports { transport: Arc::clone(&provider).into(), ..ports };
        Self { sim, memory, provider, ports }
    }
}

/// Ports over an empty memory; the provider takes everything, the only channel is `probe`, time stands still.
pub fn ports() -> Ports {
    Rig::new(Provider::new(&[])).ports
}

/// Hears everything and tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Telemetry for Silent {
    fn accepted(&self, _deliveries: usize) {}
    fn attempted(&self, _channel: &ChannelId, _outcome: Outcome, _reason: Option<Reason>, _duration_ms: u64) {}
    fn ended(&self, _channel: &ChannelId, _state: State) {}
}
