//! One process after the other over one world, each until its end.

use std::sync::Arc;

use bellhop_core::ports::Ports;

use super::{Harm, Violation, World, dying::Dying, until_death};
use crate::{
    Provider,
    effects::{between_points, transport_between_points},
};

pub(super) struct Process<W> {
    pub(super) world: W,
    ports: Option<Ports>,
    pub(super) dying: Arc<Dying>,
    pub(super) provider: Arc<Provider>,
}

impl<W: World> Process<W> {
    pub(super) fn new(world: W, harm: Harm, at: &[usize], provider: Arc<Provider>) -> Self {
        Self { world, ports: None, dying: Arc::new(Dying::new(harm, at)), provider }
    }

    /// The ports of the present process.
    pub(super) async fn ports(&mut self) -> Ports {
        if let Some(ports) = &self.ports {
            return ports.clone();
        }
        let effects = Arc::clone(&self.dying) as _;
        let ports = self.world.open(Arc::clone(&effects)).await;
        let ports = Ports { transport: Arc::clone(&self.provider).into(), ..ports };
        let ports = if self.world.tells_of_every_write() {
            Ports { transport: transport_between_points(&ports.transport, &effects), ..ports }
        } else {
            between_points(ports, &effects)
        };
        self.ports.insert(ports).clone()
    }

    /// Does `act` in the present process; `None` if that dies of it, and a new one is there.
    pub(super) async fn alive<T>(&mut self, act: impl AsyncFnOnce(&Ports) -> T) -> Option<T> {
        let ports = self.ports().await;
        let dying = Arc::clone(&self.dying);
        let result = until_death(act(&ports), || dying.is_dead()).await;
        if result.is_none() {
            drop(ports);
            self.ports = None;
            self.world.crash().await;
            self.dying.revive();
        }
        result
    }

    /// How many of the harms came about; or what went wrong, and after which.
    pub(super) fn told(&self, played: Result<(), Violation>) -> Result<usize, Violation> {
        played.map_err(|Violation(what)| match self.dying.last().as_str() {
            "" => Violation(what),
            last => Violation(format!("after {last}: {what}")),
        })?;
        Ok(self.dying.harms())
    }
}
