//! An Mpush client, by its name: over the connection that it keeps to us, or by a webhook of its own.
//!
//! A client that has subscribed to Web Push is told by that while it is not connected. A socket is pushed the packet `MESSAGE`, one at a time: whose turn it is, and when it is pushed again, is the business of
//! `bellhop_core::deliver`. A webhook gets the same by POST, or by GET the texts with everything else as parameters; any 2xx
//! is its acknowledgement. <https://github.com/kooritea/mpush#webhook>

mod spec;

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    channel::{Body, Channel, Context, Message, Method, Outgoing, Params, Reply, Spec, Step},
    model::Account,
};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    address,
    packet::{data, extra, packet},
    param::{PROXY, required},
    verdict,
    web_push::{self, WebPush},
};
pub(crate) use spec::SPEC;
use spec::{METHOD, TOKEN, URL};

/// The channel `mpush`.
pub(crate) struct Mpush;

/// How a client is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    Get,
    Post,
    Push,
}

impl Way {
    fn of(params: &Params) -> Self {
        match params.text(METHOD.name) {
            Some("webhook_get") => Self::Get,
            Some("webhook_post") => Self::Post,
            Some("web_push") => Self::Push,
            _ => Self::Socket,
        }
    }
}

impl Channel for Mpush {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn soon(&self, _params: &Params, account: &Account) -> Option<Duration> {
        Some(Duration::from_millis(u64::from(account.mpush.retry_timeout_ms)))
    }

    fn reaches_absent(&self, params: &Params) -> bool {
        is_subscribed(params)
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match (Way::of(params), &cx.connection) {
            (Way::Push, _) => WebPush.step(cx, message, params, so_far),
            (Way::Socket, Some(connection)) => Step::Push(connection.clone(), packet(message).to_string()),
            (Way::Socket, None) if is_subscribed(params) => WebPush.step(cx, message, params, so_far),
            (Way::Socket, None) => {
                let detail = "the client is not connected; its messages wait for it";
                Step::Fail(SendError::new(Reason::NotConnected, Retry::Later, detail))
            }
            (way @ (Way::Get | Way::Post), _) => match so_far.last() {
                Some(reply) => tried_again(verdict::by_status(reply, cx.now)),
                None => webhook(way, message, params).map_or_else(Step::Fail, Step::Call),
            },
        }
    }
}

/// For a client of Mpush anything but 2xx is no acknowledgement, and its message comes again: what a proxy in front of it says
/// of the moment loses nothing. An address that says that it is gone for good is believed.
fn tried_again(step: Step) -> Step {
    match step {
        Step::Fail(error) if error.retry == Retry::Never && !error.dead_address => {
            Step::Fail(SendError { retry: Retry::Later, ..error })
        }
        step => step,
    }
}

/// Whether it keeps a connection to us.
fn is_live(params: &Params) -> bool {
    Way::of(params) == Way::Socket
}

/// Whether it has registered for Web Push, and is reached by that while it is not connected.
fn is_subscribed(params: &Params) -> bool {
    params.text(web_push::ENDPOINT.name).is_some()
}

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &URL, [])?;
    address::check_proxy(params, &PROXY)?;
    match Way::of(params) {
        Way::Get | Way::Post if params.text(URL.name).is_none() => {
            let detail = "a webhook needs the address that it is called at";
            Err(Problem::field(Code::InvalidParams, format!("params.{}", URL.name), detail))
        }
        Way::Push => web_push::check(params),
        _ if is_subscribed(params) => web_push::check(params),
        Way::Get | Way::Post | Way::Socket => Ok(()),
    }
}

fn webhook(way: Way, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let url = required(params, URL.name)?.trim();
    let mut headers = Vec::new();
    if let Some(token) = params.text(TOKEN.name) {
        headers.push(("authorization".to_owned(), token.trim().to_owned()));
    }
    let proxy = params.text(PROXY.name).map(str::to_owned);
    if way == Way::Get {
        return Ok(Outgoing { method: Method::Get, url: with_query(url, message), headers, body: Body::Empty, proxy });
    }
    headers.push(("content-type".to_owned(), "application/json;charset=utf-8".to_owned()));
    let body = Body::Json(packet(message).to_string());
    Ok(Outgoing { method: Method::Post, url: url.to_owned(), headers, body, proxy })
}

/// The message as parameters. What stands beside the text comes last, and does not take the place of what we say.
fn with_query(url: &str, message: &Message) -> String {
    let data = data(message);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let ours = [
        ("text", &data["message"]["text"]),
        ("desp", &data["message"]["desp"]),
        ("sendType", &data["sendType"]),
        ("target", &data["target"]),
        ("fromMethod", &data["from"]["method"]),
        ("fromName", &data["from"]["name"]),
        ("mid", &data["mid"]),
    ];
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(ours.iter().map(|(name, value)| (*name, text(value))));
    let is_ours = |name: &str| ours.iter().any(|(known, _)| *known == name);
    query.extend_pairs(extra(message).iter().filter(|(name, _)| !is_ours(name)).map(|(name, value)| (name, text(value))));
    let (address, fragment) = url.split_once('#').map_or((url, None), |(address, fragment)| (address, Some(fragment)));
    let joint = if address.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{address}{joint}{}{fragment}", query.finish())
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::ConnectionId;
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn called(params: Value, fields: Value) -> Outgoing {
        let job = sample::event("desp", fields);
        sample::request(&Mpush, &sample::message(&job), &sample::params(&SPEC, params))
    }

    #[test]
    fn a_get_has_the_texts_and_then_what_stands_beside_them_which_overrides_nothing() {
        let origin = json!({"send_type": "personal", "target": "wh1", "method": "http"});
        let data = json!({"a": "2 3", "b": {"x": 1}, "text": "OVERRIDE", "mid": "1"});
        let fields = json!({"title": "t&t", "mid": "1795295657784", "origin": origin, "data": data});
        let outgoing = called(json!({"method": "webhook_get", "url": "https://e.com/in?k=1", "token": "t0k"}), fields);
        assert_eq!(
            outgoing.url,
            "https://e.com/in?k=1&text=t%26t&desp=desp&sendType=personal&target=wh1&fromMethod=http&fromName=&mid=1795295657784\
             &a=2+3&b=%7B%22x%22%3A1%7D"
        );
        assert_eq!(outgoing.headers, [("authorization".to_owned(), "t0k".to_owned())]);
    }

    #[test]
    fn a_post_has_the_whole_packet() {
        let outgoing = called(json!({"method": "webhook_post", "url": "https://e.com/in"}), json!({"mid": "7"}));
        let Body::Json(body) = &outgoing.body else { panic!("no JSON") };
        assert!(body.starts_with(r#"{"cmd":"MESSAGE","data":{"sendType":"personal","target":"hook","from":"#), "{body}");
        assert_eq!(outgoing.headers, [("content-type".to_owned(), "application/json;charset=utf-8".to_owned())]);
    }

    #[test]
    fn a_client_is_pushed_the_packet_over_its_connection_and_waited_for_where_it_has_none() {
        let (job, params) = (sample::event("d", json!({})), sample::params(&SPEC, json!({})));
        let message = sample::message(&job);
        let connected = Context { connection: Some(ConnectionId("c1".to_owned())), ..sample::context() };
        let Step::Push(to, text) = Mpush.step(&connected, &message, &params, &[]) else { panic!("not pushed") };
        assert_eq!((to.0.as_str(), text), ("c1", packet(&message).to_string()));
        let Step::Fail(error) = Mpush.step(&sample::context(), &message, &params, &[]) else { panic!("sent") };
        assert_eq!((error.reason, error.retry), (Reason::NotConnected, Retry::Later));
    }

    #[test]
    fn a_webhook_needs_an_address_and_a_socket_none() {
        let checked = |params: Value| check(&sample::params(&SPEC, params)).map_err(|problem| problem.field);
        assert_eq!(checked(json!({})), Ok(()));
        assert_eq!(checked(json!({"method": "webhook_get"})), Err(Some("params.url".to_owned())));
    }
}
