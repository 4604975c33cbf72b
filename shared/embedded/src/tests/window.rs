//! The window by itself: its bounds, and what it says of rows that it does not hold.

use std::sync::Arc;

use bellhop_core::model::{AccountId, ChannelId, DeliveryId, Draft, EventId, Name};
use bellhop_testkit::{account, channel};

use crate::queue::{
    AT_ONCE, Lane, LaneId, Message, Place, Ready, Riding, Window,
    table::Fetched,
    window::{Outlook, Taken},
};

fn lane(id: i64) -> Arc<Lane> {
    let registration = Name::parse(&format!("r{id}")).unwrap();
    Arc::new(Lane { channel: channel(), account: account(), registration })
}

fn ready(lane: i64, seq: i64) -> Ready {
    let place = Place { lane: LaneId(lane), visible_at: AT_ONCE, seq };
    let delivery = DeliveryId { event: EventId(seq.unsigned_abs().into()), tail: 0 };
    Ready { message: Message { place, delivery, n: 1, receives: 0, address: None }, riding: None }
}

fn taken(window: &mut Window, most: usize) -> Vec<Taken> {
    window.take(&channel(), most, 0)
}

#[test]
fn it_holds_a_bounded_number_of_wake_ups_and_knows_of_the_others() {
    let mut window = Window::default();
    for seq in 0..100_000 {
        window.ready(&lane(seq % 1000), ready(seq % 1000, seq));
    }
    let mut held = 0;
    loop {
        let wakes = taken(&mut window, 100);
        if wakes.is_empty() {
            break;
        }
        held += wakes.len();
        for taken in wakes {
            window.gone(taken.receipt.seq);
        }
    }
    assert!((8_000..=10_000).contains(&held), "{held}");
    assert_eq!(window.hungry(2000).len(), 1000, "each lane has more");
}

#[test]
fn events_ride_along_up_to_a_bound() {
    let mut window = Window::default();
    let account = AccountId::parse("main").unwrap();
    let event = Arc::new(Draft::new("x").into_event(EventId(1), account, bellhop_core::Timestamp::UNIX_EPOCH));
    for seq in 0..100 {
        let riding = Some(Riding { event: Arc::clone(&event), size: 1 << 20 });
        window.ready(&lane(seq), Ready { riding, ..ready(seq, seq) });
    }
    let wakes = taken(&mut window, 100);
    assert_eq!(wakes.len(), 100);
    assert_eq!(wakes.iter().filter(|taken| taken.ready.riding.is_some()).count(), 8);
}

#[test]
fn what_arrives_while_a_lane_is_looked_through_is_not_forgotten() {
    let mut window = Window::default();
    window.look(LaneId(1), &lane(1));
    let hungry = window.hungry(10).remove(0);
    window.ready(&lane(1), ready(1, 5));
    window.fed(&hungry, Fetched::default());
    assert_eq!(window.outlook(&channel(), 0), Outlook::Now);
    assert_eq!(window.hungry(10).len(), 1);
}

#[test]
fn what_is_found_again_is_held_once() {
    let mut window = Window::default();
    window.ready(&lane(1), ready(1, 5));
    window.ready(&lane(1), ready(1, 6));
    assert_eq!(taken(&mut window, 1).len(), 1);
    window.look(LaneId(1), &lane(1));
    let hungry = window.hungry(10).remove(0);
    let found = [5, 6, 7].map(|seq| ready(1, seq).message).to_vec();
    window.fed(&hungry, Fetched { ready: found, ..Fetched::default() });
    assert_eq!(taken(&mut window, 10).iter().map(|taken| taken.receipt.seq).collect::<Vec<_>>(), [6, 7]);
}

#[test]
fn a_look_that_failed_is_done_again() {
    let mut window = Window::default();
    window.look(LaneId(1), &lane(1));
    let hungry = window.hungry(10).remove(0);
    assert_eq!(window.hungry(10).len(), 0);
    window.unfed(&hungry);
    assert_eq!(window.hungry(10).len(), 1);
}

#[test]
fn the_earliest_of_delayed_rows_is_what_a_channel_waits_for() {
    let mut window = Window::default();
    window.delayed(LaneId(1), &lane(1), 500);
    window.delayed(LaneId(1), &lane(1), 300);
    window.delayed(LaneId(1), &lane(1), 400);
    assert_eq!(window.outlook(&channel(), 0), Outlook::At(300));
    assert_eq!(window.outlook(&channel(), 300), Outlook::Now);
    assert_eq!(window.outlook(&ChannelId::new("other"), 300), Outlook::Nothing);
}

#[test]
fn a_channel_without_work_forgets_its_lanes() {
    let mut window = Window::default();
    window.ready(&lane(1), ready(1, 5));
    let wake = taken(&mut window, 1).remove(0);
    window.gone(wake.receipt.seq);
    assert_eq!(taken(&mut window, 1).len(), 0);
    assert_eq!(window.outlook(&channel(), i64::MAX), Outlook::Nothing);
    assert_eq!(window.lanes(), 0);
}
