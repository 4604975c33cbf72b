//! Dies, or fails, at every write on the wire, on emulators whose queues keep the simulation's time.
//!
//! Every story with either harm on either emulator, each an own test with an emulator of its own. A test plays its story
//! twice for each write that it makes (`every_crash_point`): to die before a write is to die after the one before it, so a
//! death comes only after; a failure comes before (nothing was done) and after (the answer is lost). Reads change nothing,
//! and a receive that brings nothing changes nothing either: nothing happens around them here. `rough.rs` fails reads.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    Timestamp,
    ports::{Clock, Ports},
};
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim, channel,
    crash::{Harm, Survey, Trial, Violation, World, every_crash_point, every_crash_point_of_a_task, stories},
    effects::{Effects, Point},
};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire, answer, json_of},
};

const LEASE: Duration = Duration::from_mins(1);
const HIDDEN: Duration = Duration::from_mins(2);

/// No story makes fewer writes: key, day, event and message; receive, claim, settlement and acknowledgement.
const LEAST_WRITES: usize = 8;

/// Tells the harness of every write.
struct Told {
    effects: Arc<dyn Effects>,
    harm: Harm,
}

/// The writes by their names, which the harness wants to be static.
fn write(call: &str) -> Option<&'static str> {
    const WRITES: [&str; 8] = [
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "TransactWriteItems",
        "SendMessageBatch",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "DeleteMessageBatch",
    ];
    WRITES.into_iter().find(|write| *write == call)
}

impl Told {
    async fn at(&self, point: Point) -> Result<(), ConnectorError> {
        self.effects.at(point).await.map_err(|error| ConnectorError::io(Box::new(error)))
    }

    /// A receive hides what it brings; what brings nothing has done nothing.
    async fn receive(&self, request: HttpRequest, onwards: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
        let (status, received) = json_of(onwards.call(request).await?).await;
        if received["Messages"].as_array().is_some_and(|messages| !messages.is_empty()) {
            self.at(Point::After("ReceiveMessage")).await?;
        }
        Ok(answer(status, &received))
    }
}

#[async_trait]
impl Fate for Told {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if call == "ReceiveMessage" {
            return self.receive(request, onwards).await;
        }
        let Some(name) = write(call) else { return onwards.call(request).await };
        if self.harm == Harm::Fails {
            self.at(Point::Before(name)).await?;
        }
        let response = onwards.call(request).await?;
        self.at(Point::After(name)).await?;
        Ok(response)
    }
}

struct EmulatedWorld {
    emulator: Arc<Emulator>,
    deployment: Deployment,
    sim: Arc<Sim>,
    began: Timestamp,
    harm: Harm,
}

impl EmulatedWorld {
    async fn new(emulator: &Arc<Emulator>, beside: &Deployment, harm: Harm) -> Self {
        emulator.is_ahead(0.0);
        let deployment = beside.anew(HIDDEN).await;
        let sim = Sim::new(1);
        let began = sim.now();
        Self { emulator: Arc::clone(emulator), deployment, sim, began, harm }
    }
}

#[async_trait]
impl World for EmulatedWorld {
    async fn open(&mut self, effects: Arc<dyn Effects>) -> Ports {
        let wire = Wire::with(Arc::new(Told { effects, harm: self.harm }));
        // once: what the SDK would repeat, the next try has to finish
        let store = self.deployment.store(wire, 1, Arc::clone(&self.sim) as _);
        store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
    }

    async fn crash(&mut self) {}

    async fn pass(&mut self, time: Duration) {
        self.sim.pass(time);
        self.emulator.is_ahead(self.sim.now().duration_since(self.began).as_secs_f64());
    }

    fn tells_of_every_write(&self) -> bool {
        true
    }
}

/// Where worlds are made, one after the other.
async fn place(kind: Kind) -> (Arc<Emulator>, Deployment) {
    let emulator = Arc::new(Emulator::with_its_own_time(kind).await);
    let mut deployment = Deployment::on(&emulator, HIDDEN).await;
    deployment.config.channels.retain(|known| *known == channel());
    (emulator, deployment)
}

async fn play(kind: Kind, harm: Harm, named: &str) {
    let story = stories().into_iter().find(|story| story.name == named).unwrap();
    let (emulator, deployment) = place(kind).await;
    let trial = Trial { harm, times: 1, lease: LEASE };
    judge(every_crash_point(async || EmulatedWorld::new(&emulator, &deployment, harm).await, &story, trial).await);
}

async fn play_task(kind: Kind, harm: Harm) {
    let (emulator, deployment) = place(kind).await;
    let trial = Trial { harm, times: 1, lease: LEASE };
    let make = async || EmulatedWorld::new(&emulator, &deployment, harm).await;
    // a first and a last: one between them, which would double what this takes, is played over the other stores
    judge(every_crash_point_of_a_task(make, trial, const { NonZeroU32::new(2).unwrap() }).await);
}

fn judge(survey: Result<Survey, Violation>) {
    let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
    assert!(survey.points >= LEAST_WRITES, "accept, deliver and tick: {survey:?}");
}

/// Expands to every story under each promise, and to a test that none is left out.
macro_rules! every_story {
    ($($test:ident = $story:literal,)+) => {
        every_story! { whoever_dies_after_any_write_on_moto_loses_nothing = (Moto, Dies) => $($test = $story,)+ }
        every_story! { whoever_dies_after_any_write_on_ministack_loses_nothing = (Ministack, Dies) => $($test = $story,)+ }
        every_story! { what_fails_before_or_after_any_write_on_moto_loses_nothing = (Moto, Fails) => $($test = $story,)+ }
        every_story! { what_fails_before_or_after_any_write_on_ministack_loses_nothing = (Ministack, Fails) => $($test = $story,)+ }

        #[test]
        fn every_story_of_the_testkit_is_played() {
            assert_eq!(stories().iter().map(|story| story.name).collect::<Vec<_>>(), [$($story),+]);
        }
    };
    ($promise:ident = ($kind:ident, $harm:ident) => $($test:ident = $story:literal,)+) => {
        mod $promise {
            use super::*;
            $(#[tokio::test] async fn $test() { play(Kind::$kind, Harm::$harm, $story).await; })+
            #[tokio::test] async fn a_task_with_two_runs() { play_task(Kind::$kind, Harm::$harm).await; }
        }
    };
}

every_story! {
    taken_at_once = "taken at once",
    two_recipients = "two recipients",
    the_client_goes_away = "the client goes away",
    refused_by_503_then_taken = "503, then taken",
    taken_without_an_answer_then_taken = "taken without an answer, then taken",
    refused_then_taken = "refused, then taken",
    a_panic_then_taken = "a panic, then taken",
    parked_beyond_fifteen_minutes_then_taken = "parked beyond fifteen minutes, then taken",
    a_dead_address = "a dead address",
    deleted_on_the_way = "deleted on the way",
    deleted_before_the_client_asks_again = "deleted before the client asks again",
    not_its_turn_then_taken = "not its turn, then taken",
    with_a_picture = "with a picture",
    rejected_and_reopened = "rejected and reopened",
    rejected_and_reopened_by_somebody_who_goes_away = "rejected and reopened by somebody who goes away",
}
