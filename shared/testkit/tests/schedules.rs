//! Ten thousand seeded schedules on memory.

use std::{ops::Range, thread};

use bellhop_testkit::{
    crash::Violation,
    schedule::{Tale, Weather, play},
};

/// Plays them on two threads; a violation tells its seed and how it came about.
fn play_all(seeds: Range<u64>, weather: Weather) -> Tale {
    let play_half = |half| {
        let played = seeds.clone().skip(half).step_by(2).map(|seed| play(seed, weather, |ports, _, _| ports));
        played.sum::<Result<Tale, Violation>>()
    };
    let halves = thread::scope(|scope| {
        let other = scope.spawn(|| play_half(1));
        [play_half(0), other.join().expect("no panic")]
    });
    halves.into_iter().sum::<Result<Tale, Violation>>().unwrap_or_else(|violation| panic!("{}", violation.0))
}

#[test]
fn eight_thousand_rough_schedules_lose_nothing_and_repeat_only_what_is_unknown() {
    let tale = play_all(0..8_000, Weather::Rough);
    assert!(tale.harms > 8_000 && tale.unknown > 1_000 && tale.parked > 1_000, "nothing happened: {tale:?}");
}

#[test]
fn two_thousand_storms_lose_nothing_once_their_dead_letters_are_redriven() {
    let tale = play_all(0..2_000, Weather::Storm);
    assert!(tale.dead_letters > 200, "there were no dead letters: {tale:?}");
}
