//! Dies, or fails, at every point of every story, on real files.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_core::ports::Ports;
use bellhop_embedded::{Durability, Options, Store};
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim,
    crash::{
        Ending, Harm, Survey, Trial, World, every_crash_point, every_crash_point_of_a_client, every_crash_point_of_a_digest,
        every_crash_point_of_a_task, stories,
    },
    effects::Effects,
};
use tempfile::TempDir;

const LEASE: Duration = Duration::from_mins(1);
const LONGER_THAN_HIDDEN: Duration = Duration::from_mins(5);
const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

struct FileWorld {
    sim: Arc<Sim>,
    store: Option<Arc<Store>>,
    dir: TempDir,
}

#[async_trait]
impl World for FileWorld {
    async fn open(&mut self, _effects: Arc<dyn Effects>) -> Ports {
        // a process that ends takes nothing with it that it has handed to the kernel
        let options = Options { durability: Durability::None };
        let store = Store::open(self.dir.path(), options, Arc::clone(&self.sim) as _).unwrap();
        self.store = Some(Arc::clone(&store));
        store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
    }

    async fn crash(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }

    async fn pass(&mut self, time: Duration) {
        self.sim.pass(time);
    }
}

async fn every_story(harm: Harm, lease: Duration) -> Vec<Survey> {
    let trial = Trial { harm, times: 1, lease };
    let make = async || FileWorld { sim: Sim::new(1), store: None, dir: tempfile::tempdir().unwrap() };
    let mut surveys = Vec::new();
    for story in stories() {
        let survey = every_crash_point(make, &story, trial).await;
        surveys.push(survey.unwrap_or_else(|violation| panic!("{}", violation.0)));
    }
    surveys
}

#[tokio::test]
async fn whoever_dies_loses_nothing() {
    let surveys = every_story(Harm::Dies, LEASE).await;
    assert!(surveys.iter().all(|survey| survey.points > 10), "{surveys:?}");
}

#[tokio::test]
async fn whoever_dies_loses_nothing_even_if_leases_outlive_the_time_that_wake_ups_stay_hidden() {
    let surveys = every_story(Harm::Dies, LONGER_THAN_HIDDEN).await;
    assert!(surveys.iter().all(|survey| survey.points > 10), "{surveys:?}");
}

/// Here the process lives on, and the lease outlives the time for which a wake-up that nobody speaks of stays hidden.
#[tokio::test]
async fn a_store_that_fails_before_or_after_any_call_loses_nothing() {
    let surveys = every_story(Harm::Fails, LONGER_THAN_HIDDEN).await;
    assert!(surveys.iter().all(|survey| survey.points > 10), "{surveys:?}");
}

#[tokio::test]
async fn whoever_dies_or_fails_at_the_end_of_an_interval_leaves_each_event_in_one_digest() {
    let make = async || FileWorld { sim: Sim::new(1), store: None, dir: tempfile::tempdir().unwrap() };
    for harm in [Harm::Dies, Harm::Fails] {
        for ending in Ending::ALL {
            let survey = every_crash_point_of_a_digest(make, ending, Trial { harm, times: 1, lease: LEASE }).await;
            let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
            assert!(survey.points > 10, "{ending:?}: {survey:?}");
        }
    }
}

#[tokio::test]
async fn whoever_dies_or_whatever_fails_a_client_hears_everything_in_order() {
    let make = async || FileWorld { sim: Sim::new(1), store: None, dir: tempfile::tempdir().unwrap() };
    for harm in [Harm::Dies, Harm::Fails] {
        let survey = every_crash_point_of_a_client(make, Trial { harm, times: 1, lease: LEASE }).await;
        let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
        assert!(survey.points >= 100, "{harm:?}: {survey:?}");
    }
}

#[tokio::test]
async fn whoever_dies_or_whatever_fails_each_run_of_a_task_is_made_once() {
    let make = async || FileWorld { sim: Sim::new(1), store: None, dir: tempfile::tempdir().unwrap() };
    for harm in [Harm::Dies, Harm::Fails] {
        let survey = every_crash_point_of_a_task(make, Trial { harm, times: 1, lease: LEASE }, THREE).await;
        let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
        assert!(survey.points > 10, "{harm:?}: {survey:?}");
    }
}
