//! What becomes of a delivery on a channel that asks something before it sends.

use bellhop_core::{
    accept::{Wanted, accept},
    channel::{Body, Catalog, Channel, Context, Message, Method, Outgoing, Params, Reply, Spec, Step},
    deliver::{LEASE, deliver},
    model::{Delivery, Outcome, State},
    ports::Ports,
    render,
};
use bellhop_testkit::{Answer, BARE, Provider, Rig, account, channel, draft, registration};

const CATALOG: Catalog = Catalog { specs: &[&BARE], speakers: &[&Asking], render: render::message };

/// Looks its recipient up, then sends.
struct Asking;

impl Channel for Asking {
    fn spec(&self) -> &'static Spec {
        &BARE
    }

    fn step(&self, _cx: &Context, message: &Message, _params: &Params, so_far: &[Reply]) -> Step {
        let outgoing = |path: &str| Outgoing {
            method: Method::Post,
            url: format!("https://asking.invalid/{path}"),
            headers: message.id.clone().map(|id| ("x-delivery".to_owned(), id)).into_iter().collect(),
            body: Body::Empty,
            proxy: None,
        };
        match so_far {
            [] => Step::Ask(outgoing("who")),
            [_] => Step::Call(outgoing("send")),
            [..] => Step::Done,
        }
    }
}

/// The row after one attempt, and what was asked for.
async fn tried(answers: &[Answer]) -> (Delivery, Vec<String>) {
    let rig = Rig::new(Provider::new(answers));
    let ports = Ports { channels: CATALOG, ..rig.ports.clone() };
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    accept(&ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0);
    deliver(&ports, &wake, LEASE).await;
    let row = ports.deliveries.get(&account(), &[wake.job.delivery]).await.expect("memory does not fail").remove(0);
    let urls = rig.provider.requests().into_iter().map(|outgoing| outgoing.url).collect();
    (row.expect("it was claimed"), urls)
}

#[tokio::test]
async fn what_is_asked_comes_before_the_message() {
    let (row, urls) = tried(&[Answer::Taken]).await;
    assert_eq!(row.state, State::Delivered);
    assert_eq!(urls, ["https://asking.invalid/who", "https://asking.invalid/send"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_before_the_message_goes_leaves_nothing_unknown() {
    for (answers, outcome) in [
        (&[Answer::TimesOut][..], Outcome::Retry),
        (&[Answer::Panics], Outcome::Retry),
        (&[Answer::Taken, Answer::TimesOut], Outcome::Unknown),
    ] {
        let (row, _) = tried(answers).await;
        assert_eq!(row.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [outcome], "{answers:?}");
    }
}
