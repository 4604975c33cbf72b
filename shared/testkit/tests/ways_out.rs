//! What becomes of a delivery on channels that send frames, or mail through SES.

use bellhop_core::{
    Reason, Retry, SendError,
    accept::{Wanted, accept},
    channel::{Catalog, Channel, Context, Message, Params, Reply, Spec, Step},
    deliver::{LEASE, deliver},
    mail::Receipt,
    model::{Attempt, Delivery, Outcome, State},
    ports::{Ports, Transport},
    render,
    ses::SesMail,
    socket::Frame,
};
use bellhop_testkit::{Answer, BARE, Provider, Rig, account, channel, draft, registration};

/// Judges answers by their status: 200 is a yes, 207 a yes but for one, 400 final.
fn judge(reply: &Reply) -> Step {
    match reply.status {
        200 => Step::Done,
        207 => Step::DoneBut("one of two".to_owned()),
        400 => Step::Fail(SendError::new(Reason::Rejected, Retry::Never, "no")),
        _ => Step::Fail(SendError::new(Reason::ProviderError, Retry::Later, "not now")),
    }
}

/// Sends every message as a frame.
struct Caller;

impl Channel for Caller {
    fn spec(&self) -> &'static Spec {
        &BARE
    }

    fn step(&self, _cx: &Context, message: &Message, _params: &Params, so_far: &[Reply]) -> Step {
        let headers = message.id.iter().map(|id| ("id".to_owned(), id.clone())).collect();
        let frame = || Frame { url: "ws://way.invalid/".to_owned(), headers, text: message.body.clone() };
        so_far.last().map_or_else(|| Step::Socket(Box::new(frame())), judge)
    }

    fn closed(&self, code: Option<u16>) -> Result<Receipt, SendError> {
        match code {
            None | Some(1000) => Ok(Receipt::All),
            Some(_) => Err(SendError::new(Reason::Rejected, Retry::Never, "no")),
        }
    }
}

/// Sends every message through SES.
struct Letter;

impl Channel for Letter {
    fn spec(&self) -> &'static Spec {
        &BARE
    }

    fn step(&self, _cx: &Context, message: &Message, _params: &Params, so_far: &[Reply]) -> Step {
        let mail = || SesMail {
            region: None,
            configuration_set: None,
            tags: message.id.iter().map(|id| ("id".to_owned(), id.clone())).collect(),
            from: "a@way.invalid".to_owned(),
            to: vec!["b@way.invalid".to_owned()],
            message: message.body.clone().into_bytes(),
        };
        so_far.last().map_or_else(|| Step::Ses(Box::new(mail())), judge)
    }
}

/// The row after one attempt on a rig, which may lack the way to SES.
async fn tried_on(rig: &Rig, channels: Catalog, with_ses: bool) -> Delivery {
    let transport = rig.ports.transport.clone();
    let transport = Transport { ses: transport.ses.filter(|_| with_ses), ..transport };
    let ports = Ports { channels, transport, ..rig.ports.clone() };
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    accept(&ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0);
    deliver(&ports, &wake, LEASE).await;
    let row = ports.deliveries.get(&account(), &[wake.job.delivery]).await.expect("memory does not fail").remove(0);
    row.expect("it was claimed")
}

async fn tried(channels: Catalog, answer: Answer) -> (Rig, Delivery) {
    let rig = Rig::new(Provider::new(&[answer]));
    let row = tried_on(&rig, channels, true).await;
    (rig, row)
}

const FRAMES: Catalog = Catalog { specs: &[&BARE], speakers: &[&Caller], render: render::message };
const LETTERS: Catalog = Catalog { specs: &[&BARE], speakers: &[&Letter], render: render::message };

fn only_attempt(row: &Delivery) -> &Attempt {
    let [attempt] = row.attempts.as_slice() else { panic!("{:?}", row.attempts) };
    attempt
}

#[tokio::test]
async fn a_frame_that_was_taken_is_delivered_with_the_handshakes_status() {
    let (rig, row) = tried(FRAMES, Answer::Taken).await;
    assert_eq!((row.state, only_attempt(&row).status), (State::Delivered, Some(101)));
    assert_eq!(rig.provider.frames().len(), 1);
}

#[tokio::test]
async fn a_refused_handshake_is_judged_by_its_status_and_a_farewell_by_its_code() {
    for (answer, state, status) in [
        (Answer::Status(400), State::Failed, 400),
        (Answer::Status(503), State::Retrying, 503),
        (Answer::Status(1008), State::Failed, 101),
    ] {
        let (_, row) = tried(FRAMES, answer).await;
        assert_eq!((row.state, only_attempt(&row).status), (state, Some(status)), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_of_ses_is_judged_by_the_channel() {
    for (answer, state) in
        [(Answer::Taken, State::Delivered), (Answer::Status(400), State::Failed), (Answer::Status(503), State::Retrying)]
    {
        let (rig, row) = tried(LETTERS, answer).await;
        assert_eq!((row.state, rig.provider.ses_mails().len()), (state, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn for_whom_it_was_not_taken_is_written_down() {
    let (_, row) = tried(LETTERS, Answer::Status(207)).await;
    assert_eq!((row.state, only_attempt(&row).detail.as_deref()), (State::Delivered, Some("one of two")));
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_a_lost_connection_is_not() {
    for channels in [FRAMES, LETTERS] {
        for (answer, outcome) in [(Answer::TimesOut, Outcome::Unknown), (Answer::Refused, Outcome::Retry)] {
            let (_, row) = tried(channels, answer).await;
            assert_eq!((row.state, only_attempt(&row).outcome), (State::Retrying, outcome), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn without_a_way_to_ses_a_mail_fails_for_good_and_says_why() {
    let rig = Rig::new(Provider::new(&[Answer::Taken]));
    let row = tried_on(&rig, LETTERS, false).await;
    assert_eq!((row.state, row.reason), (State::Failed, Some(Reason::InvalidParams)));
    assert!(only_attempt(&row).detail.as_deref().is_some_and(|detail| detail.contains("no way to Amazon SES")));
    assert!(rig.provider.ses_mails().is_empty());
}
