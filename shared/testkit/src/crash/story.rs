//! What happens to an event while nothing goes wrong: each story is played with harm at every point.

use bellhop_core::model::State;

use crate::Answer::{self, Later, Panics, Refused, Status, Taken, TimesOut};

/// One event's life.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// What happens, as a sentence.
    pub name: &'static str,
    /// To whom.
    pub to: &'static [&'static str],
    /// What the provider answers to each delivery; the last one repeats.
    pub script: &'static [Answer],
    /// What the client does without an answer.
    pub client: Client,
    /// What else happens.
    pub twist: Twist,
    /// How its deliveries may end.
    pub ends: &'static [State],
}

/// What a client does that got no answer. The one who goes away is owed nothing but the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Asks again, with the same idempotency key.
    AsksAgain,
    /// Never does.
    GoesAway,
}

/// What happens besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// The registrations are deleted once the client has its answer.
    DeletedAfterwards,
    /// The registrations are deleted before the client asks again.
    DeletedInBetween,
    /// The event has a picture.
    Picture,
    /// When it is over, a person asks for another round.
    Reopened,
    /// The registrations take one message a minute, and have just had one.
    Paced,
}

const PLAIN: Story = Story {
    name: "taken at once",
    to: &["phone"],
    script: &[Taken],
    client: Client::AsksAgain,
    twist: Twist::None,
    ends: &[State::Delivered],
};

/// Every story there is.
pub fn stories() -> Vec<Story> {
    let goes_away = Client::GoesAway;
    vec![
        PLAIN,
        Story { name: "two recipients", to: &["phone", "desk"], ..PLAIN },
        Story { name: "the client goes away", to: &["phone", "desk"], client: goes_away, ..PLAIN },
        Story { name: "503, then taken", script: &[Status(503), Taken], ..PLAIN },
        Story { name: "taken without an answer, then taken", script: &[TimesOut, Taken], ..PLAIN },
        Story { name: "refused, then taken", script: &[Refused, Taken], ..PLAIN },
        Story { name: "a panic, then taken", script: &[Panics, Taken], ..PLAIN },
        Story { name: "parked beyond fifteen minutes, then taken", script: &[Later(429, 1_200), Taken], ..PLAIN },
        Story { name: "a dead address", script: &[Status(410)], ends: &[State::Failed], ..PLAIN },
        Story {
            name: "deleted on the way",
            script: &[Status(503), Taken],
            twist: Twist::DeletedAfterwards,
            ends: &[State::Dropped],
            ..PLAIN
        },
        Story {
            name: "deleted before the client asks again",
            twist: Twist::DeletedInBetween,
            ends: &[State::Delivered, State::Dropped],
            ..PLAIN
        },
        Story { name: "not its turn, then taken", twist: Twist::Paced, ..PLAIN },
        Story { name: "with a picture", twist: Twist::Picture, ..PLAIN },
        Story { name: "rejected and reopened", script: &[Status(400), Taken], twist: Twist::Reopened, ..PLAIN },
        Story {
            name: "rejected and reopened by somebody who goes away",
            script: &[Status(400), Taken],
            client: goes_away,
            twist: Twist::Reopened,
            ends: &[State::Delivered, State::Failed],
            ..PLAIN
        },
    ]
}
