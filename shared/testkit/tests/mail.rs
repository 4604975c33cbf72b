//! What becomes of a delivery on a channel that sends mail.

use bellhop_core::{
    Reason, Retry, SendError,
    accept::{Wanted, accept},
    channel::{Catalog, Channel, Context, Message, Params, Reply, Spec, Step},
    deliver::{LEASE, deliver},
    mail::{Mail, Mailed, Receipt, Server, Tls},
    model::{Attempt, Delivery, Outcome, State},
    ports::Ports,
    render,
};
use bellhop_testkit::{Answer, BARE, Provider, Rig, account, channel, draft, registration};

const LETTERS: Catalog = Catalog { specs: &[&BARE], speakers: &[&Letter], render: render::message };

/// Sends every message as a mail, and takes every answered one for a success.
struct Letter;

impl Channel for Letter {
    fn spec(&self) -> &'static Spec {
        &BARE
    }

    fn step(&self, _cx: &Context, message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        let id = message.id.as_deref().unwrap_or_default();
        Step::Mail(Box::new(Mail {
            server: Server { host: "letter.invalid".to_owned(), port: 25, tls: Tls::Off },
            login: None,
            from: "a@letter.invalid".to_owned(),
            to: vec!["b@letter.invalid".to_owned()],
            message: format!("Message-ID: <{id}@letter.invalid>\r\n\r\n{}\r\n", message.body).into_bytes(),
        }))
    }

    fn mailed(&self, _message: &Message, answer: &Mailed) -> Result<Receipt, SendError> {
        match answer {
            Mailed::Answered { message, .. } if message.code == 250 => Ok(Receipt::All),
            Mailed::Answered { message, .. } if message.code == 251 => Ok(Receipt::Except("one of two".to_owned())),
            Mailed::Answered { .. } | Mailed::HeldBack(_) | Mailed::Refused(_) => {
                Err(SendError::new(Reason::ProviderError, Retry::Later, "no"))
            }
        }
    }
}

/// The row after one attempt, with that answer.
async fn tried(answer: Answer) -> (Rig, Delivery) {
    let rig = Rig::new(Provider::new(&[answer]));
    let ports = Ports { channels: LETTERS, ..rig.ports.clone() };
    assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
    accept(&ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    let wake = ports.queue.receive(&channel(), 1).await.expect("memory does not fail").remove(0);
    deliver(&ports, &wake, LEASE).await;
    let row = ports.deliveries.get(&account(), &[wake.job.delivery]).await.expect("memory does not fail").remove(0);
    (rig, row.expect("it was claimed"))
}

fn only_attempt(row: &Delivery) -> &Attempt {
    let [attempt] = row.attempts.as_slice() else { panic!("{:?}", row.attempts) };
    attempt
}

#[tokio::test]
async fn a_mail_that_was_taken_is_delivered_with_the_servers_code() {
    let (rig, row) = tried(Answer::Taken).await;
    let attempt = only_attempt(&row);
    assert_eq!((row.state, attempt.outcome, attempt.status), (State::Delivered, Outcome::Delivered, Some(250)));
    assert_eq!(rig.provider.mails().len(), 1);
}

#[tokio::test]
async fn for_whom_a_mail_was_not_taken_is_written_down() {
    let (_, row) = tried(Answer::Status(251)).await;
    assert_eq!((row.state, only_attempt(&row).detail.as_deref()), (State::Delivered, Some("one of two")));
}

#[tokio::test]
async fn what_was_held_back_or_refused_is_tried_again() {
    for (answer, code) in [(Answer::Status(451), 451), (Answer::Later(450, 1), 450)] {
        let (_, row) = tried(answer).await;
        let attempt = only_attempt(&row);
        assert_eq!((row.state, attempt.outcome, attempt.status), (State::Retrying, Outcome::Retry, Some(code)));
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_a_lost_connection_is_not() {
    for (answer, outcome) in [(Answer::TimesOut, Outcome::Unknown), (Answer::Refused, Outcome::Retry)] {
        let (_, row) = tried(answer).await;
        assert_eq!((row.state, only_attempt(&row).outcome), (State::Retrying, outcome), "{answer:?}");
    }
}
