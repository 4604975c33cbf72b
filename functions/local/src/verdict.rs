//! What would become of a delivery after an answer: `delivered`, `retry`, `retry_after`, `refresh_token_then_retry` or
//! `permanent`.
//!
//! The channel judges the answer as it does in the product; this module puts its judgement into the words of the cases.

use bellhop_core::{
    Problem, Retry, SendError, Timestamp,
    channel::{Catalog, Context, Params, Reply, Step},
    mail::Mailed,
    model::{ChannelId, Draft},
    socket::Framed,
    token::Secret,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    case::{A_TOKEN, At, FOUND, Response, UNANSWERED, at, read, word},
    dry_run::{MOST_CALLS, context, job, registered},
};

/// Reads `{"channel","registration"?,"now_unix"?,"response"}` and answers
/// `{"verdict","retry_after_s"?,"per_recipient"?,"reason"}`; `reason` is `null` for what is delivered. `at` in the response says
/// that it answers a request before the message: one for a token, or one that looks somebody up. A channel that tries another
/// way after it (without formatting, say) is given the same answer again. `now` is used where the input has no `now_unix`. What
/// a WebSocket server closed with stands in the response, as `close`. An empty registration is none. Fails if the input is no
/// answer to a channel that we have.
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
    if let Some(Framed::Closed(code)) = question.response.framed() {
        return Ok(channel.closed(code).map_or_else(|error| refused(&error), |_| delivered()));
    }
    let params = match registered(channel.spec(), &registration) {
        _ if registration.is_empty() => Params::default(),
        Ok(params) => params,
        Err(problem) => return Ok(json!({ "verdict": "permanent", "reason": problem.code })),
    };
    let Some(reply) = question.response.reply() else { return Ok(unanswered()) };
    let cx = Context { token: Some(Secret::new(A_TOKEN)), ..context(now) };
    let step = |so_far: &[Reply]| channel.step(&cx, &message, &params, so_far);
    let mut so_far = match question.response.at {
        Some(At::Gettoken | At::TenantAccessToken | At::Oauth) => {
            return Ok(channel.token(&cx, &reply).map_or_else(|error| refused(&error), |_| delivered()));
        }
        Some(At::BatchGetId) => Vec::new(),
        None => before_the_message(step),
    };
    for _ in 0..MOST_CALLS {
        so_far.push(reply.clone());
        let verdict = match step(&so_far) {
            Step::Ask(_) | Step::Call(_) | Step::Token(_) | Step::Vapid => continue,
            // that was no mail server's reply, no answer to a handshake, none of SES's
            Step::Mail(_) | Step::Socket(_) | Step::Ses(_) | Step::Push(..) => unanswered(),
            Step::Renew(error) => json!({ "verdict": "refresh_token_then_retry", "reason": error.reason }),
            Step::Fail(error) => refused(&error),
            Step::Done => delivered(),
            Step::DoneBut(_) => {
                let mut verdict = delivered();
                let users = per_user(&registration, &reply);
                if !users.is_empty() {
                    verdict["per_recipient"] = users.into();
                }
                verdict
            }
        };
        return Ok(verdict);
    }
    Ok(delivered())
}

/// The answers to what goes before the message, as if all went well.
fn before_the_message(step: impl Fn(&[Reply]) -> Step) -> Vec<Reply> {
    let mut so_far = Vec::new();
    while so_far.len() < MOST_CALLS && matches!(step(&so_far), Step::Ask(_)) {
        so_far.push(Reply { status: 200, headers: Vec::new(), body: FOUND.into() });
    }
    so_far
}

/// By user, as WeCom tells who does not have it, and WxPusher of each whether he has.
/// <https://developer.work.weixin.qq.com/document/path/90236>, <https://wxpusher.zjiecode.com/docs/#/?id=send-msg>
fn per_user(registration: &Map<String, Value>, reply: &Reply) -> Map<String, Value> {
    let said: Map<String, Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
    let word = |is_reached: bool| Value::from(if is_reached { "delivered" } else { "permanent" });
    if let Some(each) = said.get("data").and_then(Value::as_array) {
        let one = |item: &Value| Some((item.get("uid")?.as_str()?.to_owned(), word(item.get("code")? == 1000)));
        return each.iter().filter_map(one).collect();
    }
    let left_out = ["invaliduser", "unlicenseduser"].into_iter().filter_map(|field| said.get(field)?.as_str());
    let left_out: Vec<_> = left_out.flat_map(|users| users.split('|')).collect();
    let to = registration.get("to_user").and_then(Value::as_str).unwrap_or_default().split('|');
    to.filter(|user| !user.is_empty()).map(|user| (user.to_owned(), word(!left_out.contains(&user)))).collect()
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
