//! Dies, or fails, before and after every write on the wire, on emulators whose queues keep the simulation's time.

mod emulated;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::ports::{Clock, Ports};
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim,
    crash::{Harm, Trial, World, every_crash_point, stories},
    effects::{Effects, Point},
};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire},
};

const LEASE: Duration = Duration::from_mins(1);
const HIDDEN: Duration = Duration::from_mins(2);

/// Tells the harness of every write.
struct Told(Arc<dyn Effects>);

/// The writes by their names, which the harness wants to be static. Reads change nothing: nothing happens around them.
fn write(call: &str) -> Option<&'static str> {
    const WRITES: [&str; 8] = [
        "PutItem",
        "DeleteItem",
        "TransactWriteItems",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "DeleteMessageBatch",
    ];
    WRITES.into_iter().find(|write| *write == call)
}

#[async_trait]
impl Fate for Told {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        let failed = |error| ConnectorError::io(Box::new(error));
        let Some(name) = write(call) else { return onwards.call(request).await };
        self.0.at(Point::Before(name)).await.map_err(failed)?;
        let response = onwards.call(request).await?;
        self.0.at(Point::After(name)).await.map_err(failed)?;
        Ok(response)
    }
}

struct EmulatedWorld {
    emulator: Arc<Emulator>,
    deployment: Deployment,
    sim: Arc<Sim>,
    began: bellhop_core::Timestamp,
    attempts: u32,
}

impl EmulatedWorld {
    async fn new(emulator: &Arc<Emulator>, attempts: u32) -> Self {
        emulator.is_ahead(0.0);
        let deployment = Deployment::on(emulator, HIDDEN).await;
        let sim = Sim::new(1);
        let began = sim.now();
        Self { emulator: Arc::clone(emulator), deployment, sim, began, attempts }
    }
}

#[async_trait]
impl World for EmulatedWorld {
    async fn open(&mut self, effects: Arc<dyn Effects>) -> Ports {
        let wire = Wire::with(Arc::new(Told(effects)));
        let store = self.deployment.store(wire, self.attempts, Arc::clone(&self.sim) as _);
        store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
    }

    async fn crash(&mut self) {}

    async fn pass(&mut self, time: Duration) {
        self.sim.pass(time);
        self.emulator.is_ahead(self.sim.now().duration_since(self.began).as_secs_f64());
    }
}

async fn play(kind: Kind, harm: Harm, attempts: u32, named: &[&str]) {
    let emulator = Arc::new(Emulator::with_its_own_time(kind).await);
    let trial = Trial { harm, times: 1, lease: LEASE };
    let mut played = 0;
    for story in stories().into_iter().filter(|story| named.is_empty() || named.contains(&story.name)) {
        let survey = every_crash_point(async || EmulatedWorld::new(&emulator, attempts).await, &story, trial).await;
        let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
        assert!(survey.points >= 30, "`{}` passes through accept, deliver and tick: {survey:?}", story.name);
        played += 1;
    }
    assert!(played > 0);
}

// One story on each emulator in every run, all of them on request: a run of one story is thousands of real requests.

#[tokio::test]
async fn whoever_dies_at_any_write_on_moto_loses_nothing() {
    play(Kind::Moto, Harm::Dies, 1, &["taken at once"]).await;
}

#[tokio::test]
async fn whoever_dies_at_any_write_on_ministack_loses_nothing() {
    play(Kind::Ministack, Harm::Dies, 1, &["parked beyond fifteen minutes, then taken"]).await;
}

#[tokio::test]
#[ignore = "half an hour: cargo test -p bellhop-aws --test crash_points -- --ignored"]
async fn whoever_dies_at_any_write_of_any_story_loses_nothing() {
    play(Kind::Ministack, Harm::Dies, 1, &[]).await;
}

#[tokio::test]
#[ignore = "half an hour: cargo test -p bellhop-aws --test crash_points -- --ignored"]
async fn an_aws_that_fails_at_any_write_of_any_story_loses_nothing() {
    play(Kind::Ministack, Harm::Fails, 1, &[]).await;
}
