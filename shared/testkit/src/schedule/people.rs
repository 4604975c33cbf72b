//! Who lives in a schedule: clients who report, workers who deliver, the tick, an owner, somebody who asks for another
//! round.

use std::time::Duration;

use bellhop_core::{
    Code,
    accept::{Wanted, accept},
    deliver::work,
    model::{DeliveryId, Recipient, State},
    ports::{Clock, Ports},
    tick::tick,
};

use super::{
    fate::Fate,
    turns::Life,
    world::{NAMES, Rig, World, at_once},
};
use crate::{account, channel, draft, key, name};

/// The longest that a worker without work waits before it looks again.
const IDLE_S: u64 = 300;

/// Ticks that fail in a row, at most.
const MOST_MISSED: u64 = 4;

/// Everybody who lives in this world.
pub(super) fn all<'a>(world: &'a World, rig: &'a Rig<'a>) -> Vec<Life<'a>> {
    let mut lives = vec![Life::new(ticker(world, rig))];
    for number in 0..3 {
        lives.push(Life::new(worker(world, rig, number)));
    }
    let requests = world.luck.throw(|dice| 1 + dice.below(4));
    for number in 0..requests {
        let has_key = world.luck.throw(|dice| !dice.one_in(3));
        let copies = if has_key && world.luck.throw(|dice| dice.one_in(3)) { 2 } else { 1 };
        for copy in 0..copies {
            lives.push(busy(world, client(world, rig, format!("client {number}.{copy}"), has_key.then(|| format!("k{number}")))));
        }
    }
    if world.luck.throw(|dice| dice.one_in(8)) {
        lives.push(busy(world, owner(world)));
    }
    if world.luck.throw(|dice| dice.one_in(4)) {
        lives.push(busy(world, person(world, rig)));
    }
    lives
}

/// A life that the world does not end before.
fn busy<'a>(world: &'a World, life: impl Future<Output = ()> + 'a) -> Life<'a> {
    world.promises().busy += 1;
    Life::new(async move {
        life.await;
        world.promises().busy -= 1;
    })
}

/// Reports something, and asks again until it has an answer or has had enough.
async fn client(world: &World, rig: &Rig<'_>, who: String, key_word: Option<String>) {
    let luck = &world.luck;
    luck.wait(luck.seconds(120)).await;
    let to = luck.throw(|dice| 1 + dice.index(NAMES.len()));
    // the same key has the same body
    let to = if key_word.is_some() { NAMES.len() } else { to };
    loop {
        let fate = Fate::new(luck, who.clone());
        let ports = world.ports(&fate, rig);
        let send_to = NAMES[..to].iter().map(|called| Recipient::Registration(name(called))).collect();
        let draft = bellhop_core::model::Draft { send_to, ..draft("text") };
        let key = key_word.as_deref().map(|word| key(word, "hash", ports.clock.now()));
        match fate.live(accept(&ports, &account(), draft, Wanted::Event, key)).await {
            Some(Ok(answer)) => {
                luck.note(|| format!("{who} is answered {}", answer.event));
                let mut promises = world.promises();
                promises.kept.insert(answer.event);
                let before = key_word.and_then(|word| promises.of_key.insert(word, answer.event));
                if before.is_some_and(|before| before != answer.event) {
                    promises.broken = Some(format!("{who} used one key and was answered for two events"));
                }
                return;
            }
            Some(Err(problem)) if problem.code == Code::UnknownRecipient => return,
            Some(Err(_)) | None => {}
        }
        if luck.throw(|dice| dice.one_in(8)) {
            luck.note(|| format!("{who} goes away"));
            return;
        }
        luck.wait(luck.seconds(30)).await;
    }
}

/// Works until it dies, and then another takes its place.
async fn worker(world: &World, rig: &Rig<'_>, number: u32) {
    let luck = &world.luck;
    for life in 0_u32.. {
        let fate = Fate::new(luck, format!("worker {number}.{life}"));
        let ports = world.ports(&fate, rig);
        fate.live(work_for_ever(world, &ports)).await;
        luck.wait(luck.seconds(60)).await;
    }
}

async fn work_for_ever(world: &World, ports: &Ports) {
    let luck = &world.luck;
    loop {
        let most = luck.throw(|dice| 1 + dice.index(10));
        let wakes = ports.queue.receive(&channel(), most).await.unwrap_or_default();
        for wake in &wakes {
            luck.note(|| format!("{} of {} received for the {}. time", wake.job.n, wake.job.delivery, wake.receives));
            // the queue brings again what it was not told about
            drop(work(ports, wake, world.lease).await);
        }
        if wakes.is_empty() {
            let now = luck.sim.now();
            let look_again = now + Duration::from_millis(1) + luck.seconds(IDLE_S);
            let next = world.memory.next_message().map_or(look_again, |next| next.min(look_again));
            luck.turns.wait_until(next.max(now + Duration::from_millis(1))).await;
        }
    }
}

/// Ticks anywhere in each minute, if at all.
async fn ticker(world: &World, rig: &Rig<'_>) {
    let luck = &world.luck;
    let begin = luck.sim.now();
    let mut missed = 0;
    for minute in 0.. {
        luck.turns.wait_until(begin + Duration::from_mins(minute) + luck.seconds(59)).await;
        if missed == 0 && luck.throw(|dice| dice.one_in(6)) {
            missed = luck.throw(|dice| 1 + dice.below(MOST_MISSED));
        }
        if missed > 0 {
            missed -= 1;
            continue;
        }
        let fate = Fate::new(luck, "tick");
        let ports = world.ports(&fate, rig);
        // a tick that fails is made up for by the next
        drop(fate.live(tick(&ports, ports.clock.now())).await);
    }
}

/// Deletes a registration at some time.
async fn owner(world: &World) {
    let luck = &world.luck;
    luck.wait(luck.seconds(600)).await;
    luck.note(|| "`desk` is deleted".to_owned());
    at_once(world.calm.registrations.delete(&account(), &name("desk")));
}

/// Looks for what has failed now and then, and asks for another round, once.
async fn person(world: &World, rig: &Rig<'_>) {
    let luck = &world.luck;
    for _ in 0..4 {
        luck.wait(luck.seconds(1_200)).await;
        let fate = Fate::new(luck, "person");
        let ports = world.ports(&fate, rig);
        fate.live(reopen_failed(world, &ports)).await;
    }
}

async fn reopen_failed(world: &World, ports: &Ports) {
    let failed = ports.deliveries.in_state(&account(), State::Failed, None, 10).await.unwrap_or_default();
    for id in failed.into_iter().map(|row| row.id) {
        let is_first = mark_reopened(world, id);
        let job = bellhop_core::view::job(ports, &account(), id).await;
        if let (true, Ok(Some(job))) = (is_first, job) {
            let reopened = ports.ledger.reopen(&job, None, ports.clock.now()).await;
            world.luck.note(|| format!("a person reopens {id}: {reopened:?}"));
        }
    }
}

fn mark_reopened(world: &World, id: DeliveryId) -> bool {
    world.promises().reopened.insert(id, 1).is_none()
}
