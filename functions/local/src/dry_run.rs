//! What would be sent: a case in, the requests out, without a connection.
//!
//! Everything is done as the product does it (parameters and options are checked, the message is rendered, the channel is
//! stepped through), only that answers to what goes before the message come from the case. Promise: the same case gives the same output, secrets and all.
//! Left to others: printing it (the binary), carrying requests out ([`bellhop_core::deliver`]).

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Code, Problem, SendError, Timestamp,
    channel::{Catalog, Channel, Context, Message, Params, Render, Reply, Spec, Step},
    model::{
        AccountId, ChannelId, ConnectionId, DeliveryId, Draft, EventId, EventType, Format, Job, Name, Picture, Recipient,
        RunResult, Source, Trigger,
    },
    token::Secret,
    vapid::{Contact, Sender, VapidKey},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::case::{A_TOKEN, FOUND, Response, UNANSWERED, at, frame, mail, read, request, ses, word};

/// A channel that asks for more calls than this is going round in circles.
pub(crate) const MOST_CALLS: usize = 32;

/// How providers say yes; a message of several requests goes on only after one of them.
const YES: [&str; 3] = ["", r#"{"ok":true,"code":0,"errcode":0,"success":true,"status":"ok","retcode":0}"#, r#"{"code":200}"#];

/// Reads a case object with `channel` and answers `{"preflight":[…],"requests":[…]}` or `{"error":{…}}`. `now` is used where
/// the case has no `now_unix`. Fails if the input is no case of a channel that we have.
pub fn dry_run(input: &str, channels: Catalog, now: Timestamp) -> Result<Value, Problem> {
    let case: Case = read(input)?;
    let channel = channels.speaker(&case.channel)?;
    let now = at(case.now_unix)?.unwrap_or(now);
    let answers = case.preflight.iter().filter_map(|preflight| preflight.response.as_ref());
    Ok(match run(channel, channels.render, &case, now, &answers.collect::<Vec<_>>()) {
        Ok(Run { preflight, requests }) => json!({ "preflight": preflight, "requests": requests }),
        Err(refused) => json!({ "error": refused.to_json() }),
    })
}

/// A case: what a channel is to send, and what it is answered on the way. Other fields are ignored.
#[derive(Deserialize)]
struct Case {
    channel: ChannelId,
    #[serde(default)]
    registration: Map<String, Value>,
    #[serde(default)]
    notification: Notification,
    now_unix: Option<f64>,
    /// Nonces that are to come out as they stand here.
    #[serde(default)]
    fixed: BTreeMap<String, Value>,
    #[serde(default)]
    preflight: Vec<Preflight>,
}

impl Case {
    /// What is to come out as it stands in the case, texts and numbers; what is to be encrypted among it.
    fn fixed(&self) -> Vec<(String, String)> {
        let given = self.fixed.iter().chain(self.notification.others.get_key_value("plaintext"));
        given.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
    }
}

/// A request that goes before the message itself.
#[derive(Deserialize)]
struct Preflight {
    response: Option<Response>,
}

/// A message, in the words of the cases; and, beyond them, an event's fields in the words of the API.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Notification {
    id: Option<String>,
    title: Option<String>,
    body: Option<String>,
    format: Format,
    url: Option<String>,
    image: Option<String>,
    image_bytes_b64: Option<String>,
    source: Source,
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    trigger: Trigger,
    result: Option<RunResult>,
    occurred_at: Option<Timestamp>,
    send_to: Vec<Recipient>,
    #[serde(rename = "final")]
    is_final: bool,
    data: Option<Value>,
    /// The message's options, among things that exist in cases only.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Notification {
    fn picture(&self) -> Result<Option<Picture>, Problem> {
        let decode = |text: &String| BASE64_STANDARD.decode(text).map(|bytes| Picture(bytes.into()));
        let problem = |_| Problem::field(Code::InvalidBase64, "notification.image_bytes_b64", "it takes standard base64");
        self.image_bytes_b64.as_ref().map(decode).transpose().map_err(problem)
    }

    /// What of it is an option of that channel.
    fn options(&self, channel: &dyn Channel) -> Map<String, Value> {
        let is_param = |name: &str| channel.spec().params.iter().any(|param| param.name == name);
        self.others.iter().filter(|(name, _)| is_param(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn draft(&self, channel: &ChannelId, options: Map<String, Value>, picture: Option<Picture>) -> Draft {
        Draft {
            source: self.source.clone(),
            event_type: self.event_type.clone(),
            trigger: self.trigger,
            result: self.result,
            title: self.title.clone(),
            message: self.body.clone().unwrap_or_default(),
            format: self.format,
            url: self.url.clone(),
            image_url: self.image.clone(),
            screenshot: picture,
            occurred_at: self.occurred_at,
            send_to: self.send_to.clone(),
            via: None,
            is_final: self.is_final,
            data: self.data.clone(),
            options: BTreeMap::from([(channel.clone(), options)]),
            origin: None,
        }
    }
}

/// Why nothing is sent.
enum Refused {
    ByUs(Problem),
    ByTheProvider(SendError),
    Unanswered,
}

impl Refused {
    fn to_json(&self) -> Value {
        let error = |verdict: &str, reason: &str, detail: &str| json!({ "verdict": verdict, "reason": reason, "detail": detail });
        match self {
            Self::ByUs(problem) => {
                let field = problem.field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default();
                error("permanent", problem.code.as_str(), &format!("{field}{}", problem.detail))
            }
            Self::ByTheProvider(refusal) => error(word(refusal.retry), refusal.reason.as_str(), &refusal.detail),
            Self::Unanswered => error("retry", UNANSWERED.as_str(), "a request before the message had no answer"),
        }
    }
}

/// What would be sent.
#[derive(Default)]
struct Run {
    preflight: Vec<Value>,
    requests: Vec<Value>,
}

fn run(channel: &dyn Channel, render: Render, case: &Case, now: Timestamp, answers: &[&Response]) -> Result<Run, Refused> {
    let params = registered(channel.spec(), &case.registration).map_err(Refused::ByUs)?;
    let picture = case.notification.picture().map_err(Refused::ByUs)?;
    let options = case.notification.options(channel);
    Params::check_options(channel.spec(), &options).map_err(Refused::ByUs)?;
    let draft = case.notification.draft(&case.channel, options, picture.clone());
    let job = job(&case.channel, draft, now).map_err(Refused::ByUs)?;
    let message = Message { id: case.notification.id.clone(), ..render(&job, channel.spec(), picture.as_ref()) };
    let params = params.with_options(job.event.options.get(&case.channel));
    let cx = Context { fixed: case.fixed(), ..context(now) };
    step_through(channel, &cx, &message, &params, answers)
}

/// What goes before the message gets the case's answers; the message itself is answered as if all were well.
fn step_through(
    channel: &dyn Channel,
    cx: &Context,
    message: &Message,
    params: &Params,
    answers: &[&Response],
) -> Result<Run, Refused> {
    let (mut run, mut cx) = (Run::default(), cx.clone());
    let mut replies = Vec::new();
    let mut answers = answers.iter();
    for _ in 0..MOST_CALLS {
        match channel.step(&cx, message, params, &replies) {
            Step::Token(_) => {
                run.preflight.push(request(&channel.fetch(&cx, params).map_err(Refused::ByTheProvider)?));
                cx.token = Some(match answers.next().map(|answer| answer.reply()) {
                    Some(Some(reply)) => channel.token(&cx, &reply).map_err(Refused::ByTheProvider)?.value,
                    Some(None) => return Err(Refused::Unanswered),
                    None => Secret::new(A_TOKEN),
                });
            }
            Step::Vapid => cx.vapid = Some(nobody()),
            Step::Ask(outgoing) => {
                run.preflight.push(request(&outgoing));
                let found = || Some(yes(FOUND));
                replies.push(answers.next().map_or_else(found, |answer| answer.reply()).ok_or(Refused::Unanswered)?);
            }
            Step::Call(outgoing) => {
                run.requests.push(request(&outgoing));
                let agrees = |reply: &Reply| {
                    let so_far = [replies.as_slice(), std::slice::from_ref(reply)].concat();
                    !matches!(channel.step(&cx, message, params, &so_far), Step::Fail(_))
                };
                let reply = YES.into_iter().map(yes).find(agrees).unwrap_or_else(|| yes(""));
                replies.push(reply);
            }
            Step::Mail(outgoing) => {
                run.requests.push(mail(&outgoing));
                break;
            }
            Step::Socket(outgoing) => {
                run.requests.push(frame(&outgoing));
                break;
            }
            Step::Ses(outgoing) => {
                run.requests.push(ses(&outgoing));
                break;
            }
            Step::Push(_, text) => {
                run.requests.push(json!({ "method": "PUSH", "body_kind": "raw", "body": text }));
                break;
            }
            Step::Fail(error) | Step::Renew(error) if run.requests.is_empty() => return Err(Refused::ByTheProvider(error)),
            // the answer that we made up was not to the channel's taste: its request is what was asked for
            Step::Fail(_) | Step::Renew(_) | Step::Done | Step::DoneBut(_) => break,
        }
    }
    Ok(run)
}

fn yes(body: &str) -> Reply {
    Reply { status: 200, headers: Vec::new(), body: body.into() }
}

/// A registration's parameters, checked as when it is saved.
pub(crate) fn registered(spec: &Spec, registration: &Map<String, Value>) -> Result<Params, Problem> {
    let params = Params::parse(spec, registration.clone())?;
    (spec.check)(&params)?;
    Ok(params)
}

/// A delivery of `draft`, accepted at `now`.
pub(crate) fn job(channel: &ChannelId, draft: Draft, now: Timestamp) -> Result<Job, Problem> {
    let name = |error| Problem::new(Code::Internal, format!("`dry-run` is no name: {error}"));
    let registration = Name::parse("dry-run").map_err(name)?;
    let account = AccountId::parse("dry-run").map_err(name)?;
    let id = EventId::new(now, 0);
    let event = Arc::new(draft.into_event(id, account, now));
    let delivery = DeliveryId::new(id, &registration, None);
    Ok(Job { delivery, n: 1, registration, channel: channel.clone(), address: None, event })
}

/// As whom messages of Web Push are shown: the key is the published example's, <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>.
fn nobody() -> Sender {
    let private = Secret::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
    let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8".to_owned();
    Sender { key: VapidKey { private, public }, contact: Contact::default() }
}

pub(crate) fn context(now: Timestamp) -> Context {
    Context {
        now,
        chance: 0,
        time_zone: jiff::tz::TimeZone::UTC,
        locale: "en".to_owned(),
        default_image_url: None,
        done: 0,
        fixed: Vec::new(),
        token: None,
        // a client that keeps a connection is taken to be there
        connection: Some(ConnectionId("dry-run".to_owned())),
        vapid: None,
    }
}
