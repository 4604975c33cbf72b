//! Digests and tasks of one machine side by side, on the memory store. Nobody waits: the seconds between two looks are skipped.

use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use bellhop_batch::agenda::run;
use bellhop_core::{
    StoreError,
    accept::{Wanted, accept},
    model::{CatchUp, Draft, TaskName, When},
    ports::Clock,
    task::{self, Wish},
};
use bellhop_testkit::{
    Provider, Rig, account,
    calendar::save_rule,
    draft,
    effects::{Effects, Point, between_points},
    registration,
};
use jiff::SignedDuration;
use tokio::{
    select,
    sync::{Notify, watch},
    time::timeout,
};

/// Whoever writes to that store never comes back. What the others send is accepted.
struct Hang {
    store: &'static str,
    hung: Notify,
    sent: Notify,
}

#[async_trait]
impl Effects for Hang {
    async fn at(&self, point: Point) -> Result<(), StoreError> {
        match point {
            Point::Before(name) if name.starts_with(self.store) => {
                self.hung.notify_one();
                pending::<()>().await;
            }
            Point::After("ledger.accept") => self.sent.notify_one(),
            Point::Before(_) | Point::After(_) => {}
        }
        Ok(())
    }
}

/// A digest is due at noon and a task so much later: what is due first hangs on its store, and what is due then is sent.
async fn the_later_is_sent_while_the_earlier_hangs_on(store: &'static str, task_after_digest: SignedDuration) {
    // given a digest with something to tell, and a task
    let rig = Rig::new(Provider::new(&[]));
    assert!(rig.ports.registrations.put(&registration("phone")).await.expect("it is saved"));
    save_rule(&rig.ports, "daily", "12:00:00", 86_400, "UTC").await;
    accept(&rig.ports, &account(), Draft::new("x"), Wanted::Event, None).await.expect("it is accepted");
    let noon = rig.sim.now() + Duration::from_hours(12);
    let at = noon + task_after_digest;
    let name = TaskName::parse("reminder").expect("a name");
    let schedule = When::At { at };
    let wish = Wish { name, message: draft("y"), params: None, schedule, max_runs: None, catch_up: CatchUp::One };
    task::make(&rig.ports, &account(), wish, None).await.expect("it is made");

    // when one of them hangs at its time, and the time of the other comes
    let hang = Arc::new(Hang { store, hung: Notify::new(), sent: Notify::new() });
    let ports = between_points(rig.ports.clone(), &(Arc::clone(&hang) as Arc<dyn Effects>));
    let (_stop, stopped) = watch::channel(false);
    let played = async {
        rig.sim.set(noon.min(at));
        hang.hung.notified().await;
        rig.sim.set(noon.max(at));
        hang.sent.notified().await;
    };

    // then that one is sent
    select! {
        () = run(ports, stopped) => panic!("nobody has stopped it"),
        sent = timeout(Duration::from_mins(1), played) => sent.expect("it is sent within a minute"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_runs_at_its_time_while_a_digest_hangs() {
    the_later_is_sent_while_the_earlier_hangs_on("digests.", SignedDuration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_digest_is_sent_at_its_time_while_a_task_hangs() {
    the_later_is_sent_while_the_earlier_hangs_on("tasks.", SignedDuration::from_secs(-1)).await;
}
