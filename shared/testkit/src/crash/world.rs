//! A store that can be killed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::ports::Ports;

use crate::{Memory, Sim, effects::Effects, memory::Visibility};

/// What a store must be able to do to be played with.
#[async_trait]
pub trait World: Send {
    /// The ports of a new process over what is kept; over nothing at first. Its clock is the one that [`World::pass`]
    /// moves. A store that has inner steps tells `effects` of them; of the calls of its ports the harness tells itself.
    async fn open(&mut self, effects: Arc<dyn Effects>) -> Ports;

    /// The process ends, now: what is only in its memory is gone. Every [`Ports`] of it has been dropped already.
    async fn crash(&mut self);

    /// Lets time pass, for the clock and for the queue.
    async fn pass(&mut self, time: Duration);

    /// Whether what [`World::open`] gives tells `effects` of every write by itself: the harness adds the way out alone.
    fn tells_of_every_write(&self) -> bool {
        false
    }
}

/// A world on memory. The rows survive; a dead worker's claims and messages wait for their time.
pub struct MemoryWorld {
    sim: Arc<Sim>,
    memory: Arc<Memory>,
}

impl MemoryWorld {
    /// An empty world whose queue hides received messages for `visibility`. Copies are the harness's business.
    pub fn new(visibility: Duration) -> Self {
        let sim = Sim::new(0);
        let memory = Memory::new(Arc::clone(&sim), Visibility::orderly(visibility));
        Self { sim, memory }
    }

    /// What it stands on.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }
}

#[async_trait]
impl World for MemoryWorld {
    async fn open(&mut self, effects: Arc<dyn Effects>) -> Ports {
        self.memory.ports_with(Arc::clone(&self.sim) as _, effects)
    }

    async fn crash(&mut self) {}

    async fn pass(&mut self, time: Duration) {
        self.sim.pass(time);
    }
}
