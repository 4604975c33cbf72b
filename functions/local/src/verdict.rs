//! What would become of a delivery after an answer: `delivered`, `retry`, `retry_after` or `permanent`.
//!
//! The channel judges the answer as it does in the product; this module puts its judgement into the words of the cases.

use bellhop_core::{
    Problem, Retry, SendError, Timestamp,
    channel::{Catalog, Params, Step},
    mail::Mailed,
    model::{ChannelId, Draft},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    case::{Response, UNANSWERED, at, read, word},
    dry_run::{MOST_CALLS, context, job, registered},
};

/// Reads `{"channel","registration"?,"now_unix"?,"response"}` and answers `{"verdict","retry_after_s"?,"per_recipient"?,"reason"}`;
/// `reason` is `null` for what is delivered. Which request was answered (`at`) is not read: no channel makes one before the message
/// yet. A channel that tries another way after it (without formatting, say) is given the same answer again. `now` is used
/// where the input has no `now_unix`. An empty registration is none. Fails if the input is no answer to a channel that we have.
pub fn verdict(input: &str, channels: Catalog, now: Timestamp) -> Result<Value, Problem> {
    let question: Question = read(input)?;
    let channel = channels.speaker(&question.channel)?;
    let now = at(question.response.now_unix.or(question.now_unix))?.unwrap_or(now);
    let job = job(&question.channel, Draft::new(""), now)?;
    let message = (channels.render)(&job, channel.spec(), None);
    let registration = question.registration.unwrap_or_default();
    if let Some(answer) = question.response.mailed() {
        let mut verdict = channel.mailed(&message, &answer).map_or_else(|error| refused(&error), |_| delivered());
        if let Some(each) = per_recipient(&registration, &answer) {
            verdict["per_recipient"] = each;
        }
        return Ok(verdict);
    }
    let params = match registered(channel.spec(), &registration) {
        _ if registration.is_empty() => Params::default(),
        Ok(params) => params,
        Err(problem) => return Ok(json!({ "verdict": "permanent", "reason": problem.code })),
    };
    let Some(reply) = question.response.reply() else { return Ok(unanswered()) };
    let cx = context(now);
    let replies = vec![reply; MOST_CALLS];
    let mut steps = (1..=MOST_CALLS).filter_map(|tries| Some(channel.step(&cx, &message, &params, replies.get(..tries)?)));
    let last = steps.find(|step| !matches!(step, Step::Call(_))).unwrap_or(Step::Done);
    Ok(match last {
        Step::Done | Step::DoneBut(_) | Step::Call(_) => delivered(),
        Step::Mail(_) => unanswered(), // that was no mail server's reply
        Step::Fail(error) => refused(&error),
    })
}

fn delivered() -> Value {
    json!({ "verdict": "delivered", "reason": null })
}

/// By address, where the message was taken for some of several.
fn per_recipient(registration: &Map<String, Value>, answer: &Mailed) -> Option<Value> {
    let Mailed::Answered { recipients, .. } = answer else { return None };
    let to = registration.get("to").and_then(Value::as_array).filter(|to| to.len() > 1 && to.len() == recipients.len())?;
    let each = to.iter().zip(recipients).filter_map(|(to, reply)| {
        let word = if reply.is_positive() { "delivered" } else { "permanent" };
        Some((to.as_str()?.to_owned(), word.into()))
    });
    Some(Value::Object(each.collect()))
}

fn unanswered() -> Value {
    json!({ "verdict": "retry", "reason": UNANSWERED })
}

fn refused(error: &SendError) -> Value {
    match error.retry {
        Retry::After(wait) => json!({ "verdict": word(error.retry), "retry_after_s": wait.as_secs(), "reason": error.reason }),
        Retry::Never | Retry::Later => json!({ "verdict": word(error.retry), "reason": error.reason }),
    }
}

#[derive(Deserialize)]
struct Question {
    channel: ChannelId,
    registration: Option<Map<String, Value>>,
    now_unix: Option<f64>,
    response: Response,
}
