//! What memory holds of the queue: per lane a few wake-ups that may go now, whether the table has more of them, and when
//! the next delayed one may go. Pure: no SQL, no clock, no waiting.
//!
//! Promise: whatever stands in the table is in the window, or its lane is known to have more, or to have something later.
//! For that, only the writer says what the table has ([`Window::ready`], [`Window::look`], [`Window::fed`] …), in the order
//! of its commits. Receivers take ([`Window::take`]) and put back. Bounds: 64 wake-ups a lane, some 10,000 in all, 8 MiB of
//! events that ride along.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bellhop_core::{
    deliver::LEASE,
    model::{AccountId, ChannelId, DeliveryId, Event},
};
use tokio::sync::Notify;

use super::{
    ring::Ring,
    table::{Fetched, Lane, LaneId, Message, Place, after},
};

/// How many wake-ups of one lane are worked on at the same time.
pub(crate) const MOST_IN_FLIGHT: usize = 8;

/// How many wake-ups of one channel are worked on at the same time. An account gets no more of them than it leaves free:
/// however many accounts hang, whoever comes new finds room.
pub const MOST_IN_CHANNEL: usize = 256;

/// How long a received wake-up stays hidden, should its worker never say what became of it.
pub(crate) const HIDDEN: Duration = LEASE.saturating_mul(3);

const MOST_IN_LANE: usize = 64;
/// A lane with fewer than this is fed before it runs dry.
const LOW: usize = 16;
const MOST_IN_ALL: usize = 10_000;
/// What a lane gets at a time when there are that many.
const SHORT_RATION: usize = 8;
const MOST_RIDING: usize = 8 << 20;

/// An event that rides along with its wake-up, so that the worker need not read it.
#[derive(Debug, Clone)]
pub(crate) struct Riding {
    pub(crate) event: Arc<Event>,
    /// Its length as JSON.
    pub(crate) size: usize,
}

/// A wake-up that may go now.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) message: Message,
    pub(crate) riding: Option<Riding>,
}

/// A wake-up that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) lane: Arc<Lane>,
    pub(crate) ready: Ready,
    pub(crate) receipt: Receipt,
}

/// One receive of one row: when the row comes again, it is another receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) seq: i64,
    pub(crate) take: u64,
}

/// A lane that is to be fed.
#[derive(Debug)]
pub(crate) struct Hungry {
    pub(crate) id: LaneId,
    pub(crate) lane: Arc<Lane>,
    /// How many rows to look for, of each kind.
    pub(crate) most: usize,
}

/// What a channel has to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Something now, or that may be.
    Now,
    /// Something then, in milliseconds since 1970.
    At(i64),
    /// Nothing that is known of.
    Nothing,
}

#[derive(Debug)]
struct Queued {
    lane: Arc<Lane>,
    ready: VecDeque<Ready>,
    in_flight: Vec<i64>,
    /// The table has more that may go now.
    more: bool,
    /// The writer is looking for it.
    feeding: bool,
    timer: Option<i64>,
    listed: Listed,
}

/// In which rings a lane stands.
#[derive(Debug, Default)]
struct Listed {
    runnable: bool,
    hungry: bool,
}

#[derive(Debug, Default)]
struct Channel {
    runnable: Ring,
    hungry: Ring,
    /// Lanes that the writer looks through now.
    feeding: usize,
    /// When the next delayed row of a lane may go: one entry a lane at most.
    timers: BTreeSet<(i64, LaneId)>,
    /// When a wake-up in flight comes back by itself.
    hidden: BTreeSet<(i64, i64)>,
    /// How many wake-ups each account has in flight; none is not listed.
    in_flight: HashMap<AccountId, usize>,
    notify: Arc<Notify>,
}

#[derive(Debug)]
struct InFlight {
    message: Message,
    take: u64,
    until: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Window {
    channels: HashMap<ChannelId, Channel>,
    lanes: HashMap<LaneId, Queued>,
    in_flight: HashMap<i64, InFlight>,
    by_job: HashMap<(DeliveryId, u32), i64>,
    /// How many wake-ups were ever taken.
    takes: u64,
    /// Wake-ups in all lanes.
    held: usize,
    /// Bytes of events that ride along with them.
    riding: usize,
}

/// What the writer says.
impl Window {
    /// This row stands at the end of its lane and may go at once.
    pub(crate) fn ready(&mut self, name: &Arc<Lane>, mut ready: Ready) {
        let id = ready.message.place.lane;
        let full = self.held >= MOST_IN_ALL;
        let lane = lane(&mut self.lanes, id, name);
        if full || lane.more || lane.feeding || lane.ready.len() >= MOST_IN_LANE {
            lane.more = true;
        } else {
            if self.riding >= MOST_RIDING {
                ready.riding = None;
            }
            self.held += 1;
            self.riding += ready.riding.as_ref().map_or(0, |riding| riding.size);
            lane.ready.push_back(ready);
        }
        self.list(id);
    }

    /// The lane has rows that the window does not know of.
    pub(crate) fn look(&mut self, id: LaneId, name: &Arc<Lane>) {
        lane(&mut self.lanes, id, name).more = true;
        self.list(id);
    }

    /// A row of the lane may go at that time.
    pub(crate) fn delayed(&mut self, id: LaneId, name: &Arc<Lane>, at: i64) {
        let lane = lane(&mut self.lanes, id, name);
        if lane.timer.is_none_or(|timer| at < timer) {
            let channel = channel(&mut self.channels, &lane.lane.channel);
            if let Some(timer) = lane.timer.replace(at) {
                channel.timers.remove(&(timer, id));
            }
            channel.timers.insert((at, id));
            channel.notify.notify_waiters();
        }
    }

    /// The row is no longer there.
    pub(crate) fn gone(&mut self, seq: i64) {
        if let Some(message) = self.land(seq) {
            self.list(message.place.lane);
        }
    }

    /// Lanes that are to be fed, up to `most` of each channel. Each is owed a [`Window::fed`] or [`Window::unfed`].
    pub(crate) fn hungry(&mut self, most: usize) -> Vec<Hungry> {
        let crowded = self.held >= MOST_IN_ALL;
        let mut hungry = Vec::new();
        for channel in self.channels.values_mut() {
            for _ in 0..most {
                let Some(id) = channel.hungry.pop(|_| true) else { break };
                let Some(lane) = self.lanes.get_mut(&id) else { continue };
                lane.listed.hungry = false;
                if !lane.is_hungry(crowded) {
                    continue;
                }
                // what is said from now on is said of rows that this look may miss
                (lane.more, lane.feeding) = (false, true);
                channel.feeding += 1;
                let room = if crowded { SHORT_RATION } else { MOST_IN_LANE - lane.ready.len() };
                let most = room / 2 + lane.ready.len() + lane.in_flight.len();
                hungry.push(Hungry { id, lane: Arc::clone(&lane.lane), most });
            }
        }
        hungry
    }

    /// What the look found.
    pub(crate) fn fed(&mut self, hungry: &Hungry, fetched: Fetched) {
        let queued = lane(&mut self.lanes, hungry.id, &hungry.lane);
        queued.feeding = false;
        queued.more |= fetched.more;
        channel(&mut self.channels, &hungry.lane.channel).feeding -= 1;
        for message in fetched.ready {
            let seq = message.place.seq;
            let known = queued.in_flight.contains(&seq) || queued.ready.iter().any(|ready| ready.message.place.seq == seq);
            if !known {
                queued.ready.push_back(Ready { message, riding: None });
                self.held += 1;
            }
        }
        if let Some(next) = fetched.next {
            self.delayed(hungry.id, &hungry.lane, next);
        }
        self.list(hungry.id);
    }

    /// The look failed: to be done again.
    pub(crate) fn unfed(&mut self, hungry: &Hungry) {
        self.fed(hungry, Fetched { more: true, ..Fetched::default() });
    }
}

/// What receivers do.
impl Window {
    /// Takes up to `most` wake-ups of a channel, each lane's and each account's turn by turn.
    pub(crate) fn take(&mut self, channel: &ChannelId, most: usize, now: i64) -> Vec<Taken> {
        self.wake(channel, now);
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(id) = self.channels.get_mut(channel).and_then(Channel::next) else { break };
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.listed.runnable = false;
            if lane.is_runnable()
                && let Some(ready) = lane.ready.pop_front()
            {
                let (seq, until) = (ready.message.place.seq, after(now, HIDDEN));
                lane.in_flight.push(seq);
                self.held -= 1;
                self.riding -= ready.riding.as_ref().map_or(0, |riding| riding.size);
                self.by_job.entry((ready.message.delivery, ready.message.n)).or_insert(seq);
                self.takes += 1;
                let take = self.takes;
                self.in_flight.insert(seq, InFlight { message: ready.message.clone(), take, until });
                taken.push(Taken { lane: Arc::clone(&lane.lane), ready, receipt: Receipt { seq, take } });
                self::channel(&mut self.channels, channel).takes_off(&lane.lane.account, until, seq);
            }
            self.list(id);
        }
        taken
    }

    /// Undoes a take.
    pub(crate) fn put_back(&mut self, taken: Taken) {
        if self.in_flight(taken.receipt).is_some()
            && let Some(message) = self.land(taken.receipt.seq)
        {
            let id = message.place.lane;
            self.held += 1;
            self.riding += taken.ready.riding.as_ref().map_or(0, |riding| riding.size);
            lane(&mut self.lanes, id, &taken.lane).ready.push_front(taken.ready);
            self.list(id);
        }
    }

    /// The wake-up under way of that receipt: where it is, and how often it was received, this time included.
    pub(crate) fn in_flight(&self, receipt: Receipt) -> Option<(Place, u32)> {
        let in_flight = self.in_flight.get(&receipt.seq).filter(|in_flight| in_flight.take == receipt.take)?;
        Some((in_flight.message.place, in_flight.message.receives.saturating_add(1)))
    }

    /// The wake-up under way that asks for that job.
    pub(crate) fn of_job(&self, delivery: DeliveryId, n: u32) -> Option<(Place, u32)> {
        let seq = *self.by_job.get(&(delivery, n))?;
        let take = self.in_flight.get(&seq)?.take;
        self.in_flight(Receipt { seq, take })
    }

    /// What the channel has to offer.
    pub(crate) fn outlook(&self, channel: &ChannelId, now: i64) -> Outlook {
        let Some(channel) = self.channels.get(channel) else { return Outlook::Nothing };
        let timer = channel.timers.first().map(|(at, _)| *at);
        let hidden = channel.hidden.first().map(|(until, _)| *until);
        match timer.into_iter().chain(hidden).min() {
            _ if channel.has_next() || channel.hungry.any(|_| true) => Outlook::Now,
            Some(at) if at <= now => Outlook::Now,
            Some(at) => Outlook::At(at),
            None => Outlook::Nothing,
        }
    }

    /// How many lanes it knows of.
    #[cfg(test)]
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Whether lanes of the channel are to be fed, or are being fed now.
    pub(crate) fn is_hungry(&self, channel: &ChannelId) -> bool {
        self.channels.get(channel).is_some_and(|channel| channel.feeding > 0 || channel.hungry.any(|_| true))
    }

    /// Wakes those who wait for the channel's outlook to change.
    pub(crate) fn notify(&mut self, name: &ChannelId) -> Arc<Notify> {
        Arc::clone(&channel(&mut self.channels, name).notify)
    }
}

/// How it is kept.
impl Window {
    /// What time has brought: delayed rows, and wake-ups whose workers said nothing.
    fn wake(&mut self, name: &ChannelId, now: i64) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let mut woken = Vec::new();
        while let Some((_, id)) = channel.timers.first().copied().filter(|(at, _)| *at <= now) {
            channel.timers.pop_first();
            if let Some(lane) = self.lanes.get_mut(&id) {
                (lane.timer, lane.more) = (None, true);
            }
            woken.push(id);
        }
        let lost: Vec<_> = channel.hidden.range(..=(now, i64::MAX)).map(|(_, seq)| *seq).collect();
        for seq in lost {
            if let Some(message) = self.land(seq) {
                if let Some(lane) = self.lanes.get_mut(&message.place.lane) {
                    lane.more = true; // it still stands in the table
                }
                woken.push(message.place.lane);
            }
        }
        for id in woken {
            self.list(id);
        }
    }

    /// Takes a wake-up out of flight.
    fn land(&mut self, seq: i64) -> Option<Message> {
        let InFlight { message, until, .. } = self.in_flight.remove(&seq)?;
        let job = (message.delivery, message.n);
        if self.by_job.get(&job) == Some(&seq) {
            self.by_job.remove(&job);
        }
        if let Some(lane) = self.lanes.get_mut(&message.place.lane) {
            lane.in_flight.retain(|known| *known != seq);
            channel(&mut self.channels, &lane.lane.channel).lands(&lane.lane.account, until, seq);
        }
        Some(message)
    }

    /// Lists a lane where it belongs, or forgets it.
    fn list(&mut self, id: LaneId) {
        let crowded = self.held >= MOST_IN_ALL;
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let channel = channel(&mut self.channels, &lane.lane.channel);
        if lane.is_runnable() && !lane.listed.runnable {
            lane.listed.runnable = true;
            channel.runnable.push(&lane.lane.account, id);
            channel.notify.notify_waiters();
        }
        if lane.is_hungry(crowded) && !lane.listed.hungry {
            lane.listed.hungry = true;
            channel.hungry.push(&lane.lane.account, id);
            channel.notify.notify_waiters();
        }
        if lane.is_idle() {
            self.lanes.remove(&id);
        }
    }
}

impl Channel {
    /// Whether somebody's turn can come now.
    fn has_next(&self) -> bool {
        self.runnable.any(has_room(self.hidden.len(), &self.in_flight))
    }

    /// The lane whose turn it is.
    fn next(&mut self) -> Option<LaneId> {
        self.runnable.pop(has_room(self.hidden.len(), &self.in_flight))
    }

    fn takes_off(&mut self, account: &AccountId, until: i64, seq: i64) {
        self.hidden.insert((until, seq));
        *self.in_flight.entry(account.clone()).or_default() += 1;
    }

    fn lands(&mut self, account: &AccountId, until: i64, seq: i64) {
        self.hidden.remove(&(until, seq));
        if let Some(has) = self.in_flight.get_mut(account) {
            *has -= 1;
            if *has == 0 {
                self.in_flight.remove(account);
            }
        }
        self.notify.notify_waiters(); // somebody may have room now who had none
    }
}

impl Queued {
    fn is_runnable(&self) -> bool {
        !self.ready.is_empty() && self.in_flight.len() < MOST_IN_FLIGHT
    }

    fn is_hungry(&self, crowded: bool) -> bool {
        let low = if crowded { 1 } else { LOW };
        self.more && !self.feeding && self.ready.len() < low
    }

    fn is_idle(&self) -> bool {
        let listed = self.listed.runnable || self.listed.hungry || self.feeding;
        self.ready.is_empty() && self.in_flight.is_empty() && !self.more && self.timer.is_none() && !listed
    }
}

/// Which accounts may have more in flight: those that have less than what is free.
fn has_room(taken: usize, in_flight: &HashMap<AccountId, usize>) -> impl Fn(&AccountId) -> bool {
    let free = MOST_IN_CHANNEL.saturating_sub(taken);
    move |account| in_flight.get(account).copied().unwrap_or(0) < free
}

fn lane<'l>(lanes: &'l mut HashMap<LaneId, Queued>, id: LaneId, name: &Arc<Lane>) -> &'l mut Queued {
    lanes.entry(id).or_insert_with(|| Queued {
        lane: Arc::clone(name),
        ready: VecDeque::new(),
        in_flight: Vec::new(),
        more: false,
        feeding: false,
        timer: None,
        listed: Listed::default(),
    })
}

fn channel<'c>(channels: &'c mut HashMap<ChannelId, Channel>, name: &ChannelId) -> &'c mut Channel {
    if !channels.contains_key(name) {
        channels.insert(name.clone(), Channel::default());
    }
    channels.get_mut(name).expect("it was just put there")
}
