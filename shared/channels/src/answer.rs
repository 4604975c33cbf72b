//! A provider's answer in JSON: what it says, and what becomes of the message.
//!
//! A field counts only if it is there with the documented type: a throttle page that lacks the code must never read as
//! code 0. The provider's own words are not shown (they like to repeat what was sent); its code is, with what to do next.

use std::time::Duration;

use bellhop_core::{
    Reason, Retry, SendError, Timestamp,
    channel::{Reply, Step},
};
use serde_json::{Map, Value};

use crate::verdict;

/// The JSON object that an answer's body is.
pub(crate) struct Answer(Map<String, Value>);

impl Answer {
    /// Reads it; nothing if the body is anything else.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        serde_json::from_slice(&reply.body).ok().map(Self)
    }

    /// A whole number, written as one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// How long something lasts, in whole seconds.
    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        self.number(name).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
    }

    /// A text; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The raw value.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Whose fault a refusal is, and with it what happens next.
pub(crate) enum Fault {
    /// The address is dead: nothing will ever arrive there.
    Dead,
    /// The credentials are refused.
    Credentials,
    /// This message is refused, and would be again.
    Message,
    /// Too much at once; nothing more before this time has passed.
    TooFast(Duration),
    /// The provider's own; it may be well soon.
    Theirs,
}

/// The refusal of `code`, with what to do about it.
pub(crate) fn refused(code: i64, fault: &Fault, advice: &str) -> Step {
    refused_as(&code.to_string(), fault, advice)
}

/// The same where codes are words: only words that a provider documents, since any other may be what was sent.
pub(crate) fn refused_as(code: &str, fault: &Fault, advice: &str) -> Step {
    let (reason, retry) = match fault {
        Fault::Dead => (Reason::Gone, Retry::Never),
        Fault::Credentials => (Reason::Unauthorized, Retry::Never),
        Fault::Message => (Reason::Rejected, Retry::Never),
        Fault::TooFast(wait) => (Reason::RateLimited, Retry::After(*wait)),
        Fault::Theirs => (Reason::ProviderError, Retry::Later),
    };
    let detail = format!("the provider answered code {code}; {advice}");
    Step::Fail(SendError { dead_address: matches!(fault, Fault::Dead), ..SendError::new(reason, retry, detail) })
}

/// What becomes of an answer that lacks what the provider documents: its status decides, and 2xx is no success.
pub(crate) fn undocumented(reply: &Reply, now: Timestamp) -> Step {
    if (200..300).contains(&reply.status) {
        let detail =
            format!("the provider answered {} without the field that says success; is a proxy in between?", reply.status);
        return Step::Fail(SendError::new(Reason::UnexpectedAnswer, Retry::Later, detail));
    }
    verdict::by_status(reply, now)
}

/// What becomes of a refusal whose code nobody documents: it is final, unless the status speaks of a fault that passes.
pub(crate) fn unknown_code(code: i64, reply: &Reply, now: Timestamp) -> Step {
    match reply.status {
        429 | 500..=599 => verdict::by_status(reply, now),
        _ => refused(code, &Fault::Message, "look the code up on the provider's page"),
    }
}

/// The error of a step that is a failure.
pub(crate) fn as_error(step: Step) -> SendError {
    match step {
        Step::Fail(error) | Step::Renew(error) => error,
        Step::Token(_)
        | Step::Vapid
        | Step::Ask(_)
        | Step::Call(_)
        | Step::Mail(_)
        | Step::Socket(_)
        | Step::Push(..)
        | Step::Ses(_)
        | Step::Done
        | Step::DoneBut(_) => SendError::new(Reason::Bug, Retry::Never, "a refusal was taken for a success"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into() }
    }

    fn failure(step: Step) -> SendError {
        let Step::Fail(error) = step else { panic!("no failure but {step:?}") };
        error
    }

    #[test]
    fn a_number_is_there_only_if_it_is_written_as_one() {
        let answer = Answer::of(&reply(200, r#"{"code":0,"text":"0","null":null,"half":0.5}"#)).unwrap();
        assert_eq!(answer.number("code"), Some(0));
        assert!(["text", "null", "half", "none"].into_iter().all(|name| answer.number(name).is_none()));
    }

    #[test]
    fn what_is_no_object_is_no_answer() {
        for body in ["", "<html>", "0", "[]", "null", "{\"code\":0"] {
            assert!(Answer::of(&reply(200, body)).is_none(), "{body}");
        }
    }

    #[test]
    fn a_success_without_the_documented_field_is_tried_again_and_any_other_status_decides() {
        let error = |status| failure(undocumented(&reply(status, ""), Timestamp::UNIX_EPOCH));
        assert_eq!((error(200).reason, error(200).retry), (Reason::UnexpectedAnswer, Retry::Later));
        assert_eq!((error(404).reason, error(404).retry), (Reason::Rejected, Retry::Never));
        assert_eq!((error(502).reason, error(502).retry), (Reason::ProviderError, Retry::Later));
    }

    #[test]
    fn an_unknown_code_is_final_unless_the_status_is_of_a_fault_that_passes() {
        let retry = |status| failure(unknown_code(4711, &reply(status, ""), Timestamp::UNIX_EPOCH)).retry;
        assert_eq!([200, 400, 429, 500].map(retry), [Retry::Never, Retry::Never, Retry::Later, Retry::Later]);
    }

    #[test]
    fn only_a_dead_address_is_switched_off() {
        let error = |fault| failure(refused(7, &fault, "do this"));
        assert!(error(Fault::Dead).dead_address && !error(Fault::Credentials).dead_address);
        assert_eq!(error(Fault::Message).detail, "the provider answered code 7; do this");
    }
}
