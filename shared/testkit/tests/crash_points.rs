//! Dies at every point of every story, on memory.

use std::{num::NonZeroU32, time::Duration};

use bellhop_testkit::crash::{
    Ending, Harm, MemoryWorld, Story, Trial, every_crash_point, every_crash_point_of_a_client, every_crash_point_of_a_digest,
    every_crash_point_of_a_task, stories,
};

const LEASE: Duration = Duration::from_mins(1);
const LONGER_THAN_LEASE: Duration = Duration::from_mins(2);
const SHORTER_THAN_LEASE: Duration = Duration::from_secs(20);
const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

async fn play(stories: Vec<Story>, harm: Harm, times: usize, visibility: Duration) {
    assert!(!stories.is_empty());
    let trial = Trial { harm, times, lease: LEASE };
    for story in stories {
        let survey = every_crash_point(async || MemoryWorld::new(visibility), &story, trial).await;
        let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
        assert!(survey.points >= 30, "`{}` passes through accept, deliver and tick: {survey:?}", story.name);
    }
}

/// Stories that pass through accept, deliver and tick, short enough for every pair of points.
fn short_stories() -> Vec<Story> {
    let names = ["503, then taken", "deleted before the client asks again", "parked beyond fifteen minutes, then taken"];
    stories().into_iter().filter(|story| names.contains(&story.name)).collect()
}

#[tokio::test]
async fn whoever_dies_anywhere_loses_nothing() {
    play(stories(), Harm::Dies, 1, LONGER_THAN_LEASE).await;
}

#[tokio::test]
async fn whoever_dies_anywhere_loses_nothing_even_if_messages_come_back_before_leases_are_over() {
    play(stories(), Harm::Dies, 1, SHORTER_THAN_LEASE).await;
}

#[tokio::test]
async fn a_store_that_fails_before_or_after_any_effect_loses_nothing() {
    play(stories(), Harm::Fails, 1, LONGER_THAN_LEASE).await;
    play(stories(), Harm::Fails, 1, SHORTER_THAN_LEASE).await;
}

#[tokio::test]
async fn whoever_dies_twice_loses_nothing() {
    play(short_stories(), Harm::Dies, 2, LONGER_THAN_LEASE).await;
}

#[tokio::test]
async fn whoever_dies_twice_loses_nothing_even_if_messages_come_back_before_leases_are_over() {
    play(short_stories(), Harm::Dies, 2, SHORTER_THAN_LEASE).await;
}

async fn play_digests(endings: &[Ending], harm: Harm, times: usize) {
    let trial = Trial { harm, times, lease: LEASE };
    for ending in endings.iter().copied() {
        let survey = every_crash_point_of_a_digest(async || MemoryWorld::new(LONGER_THAN_LEASE), ending, trial).await;
        let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
        assert!(survey.points >= 30, "{ending:?} passes through accept, freeze, send and advance: {survey:?}");
    }
}

#[tokio::test]
async fn whoever_dies_at_the_end_of_an_interval_leaves_each_event_in_one_digest() {
    play_digests(&Ending::ALL, Harm::Dies, 1).await;
    play_digests(&[Ending::Flushed], Harm::Dies, 2).await;
}

#[tokio::test]
async fn a_store_that_fails_at_the_end_of_an_interval_leaves_each_event_in_one_digest() {
    play_digests(&Ending::ALL, Harm::Fails, 1).await;
}

async fn play_client(harm: Harm) {
    let trial = Trial { harm, times: 1, lease: LEASE };
    let survey = every_crash_point_of_a_client(async || MemoryWorld::new(LONGER_THAN_LEASE), trial).await;
    let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
    assert!(survey.points >= 100, "it passes through accept, deliver, connect and acknowledge: {survey:?}");
}

#[tokio::test]
async fn whoever_dies_anywhere_a_client_hears_everything_in_order() {
    play_client(Harm::Dies).await;
}

#[tokio::test]
async fn whatever_fails_a_client_hears_everything_in_order() {
    play_client(Harm::Fails).await;
}

async fn play_task(harm: Harm, times: usize) {
    let trial = Trial { harm, times, lease: LEASE };
    let survey = every_crash_point_of_a_task(async || MemoryWorld::new(LONGER_THAN_LEASE), trial, THREE).await;
    let survey = survey.unwrap_or_else(|violation| panic!("{}", violation.0));
    assert!(survey.points >= 20, "it passes through make, begin, accept and put behind: {survey:?}");
}

#[tokio::test]
async fn whoever_dies_anywhere_each_run_of_a_task_is_made_once() {
    play_task(Harm::Dies, 1).await;
    play_task(Harm::Dies, 2).await;
}

#[tokio::test]
async fn whatever_fails_each_run_of_a_task_is_made_once() {
    play_task(Harm::Fails, 1).await;
}
