//! Any bytes as a provider's answer: nobody panics, and only 2xx is delivered. The first byte chooses the channel, two more the
//! status; a NUL ends a header line, an empty one the headers.
#![no_main]

use std::sync::Arc;

use bellhop_channels::ALL;
use bellhop_core::{
    Timestamp,
    channel::{Context, Params, Reply, Step},
    model::{AccountId, ChannelId, DeliveryId, Draft, EventId, Job, Name},
    token::Secret,
};
use libfuzzer_sys::fuzz_target;

#[path = "../../shared/channels/tests/every_channel/examples.rs"]
#[allow(dead_code, reason = "the registry walk, whose file it is, uses more of it")]
mod examples;

fuzz_target!(|bytes: &[u8]| {
    let [channel, high, low, rest @ ..] = bytes else { return };
    let channel = ALL.speakers[usize::from(*channel) % ALL.speakers.len()];
    let status = 100 + u16::from_be_bytes([*high, *low]) % 500;
    let (headers, body) = headers(rest);
    let params = Params::parse(channel.spec(), examples::example(channel)).expect("an example");
    let (now, id) = (Timestamp::UNIX_EPOCH, EventId::new(Timestamp::UNIX_EPOCH, 1));
    let draft = Draft { title: Some("title".to_owned()), ..Draft::new("text") };
    let registration = Name::parse("example").expect("a name");
    let job = Job {
        delivery: DeliveryId::new(id, &registration, None),
        n: 1,
        registration,
        channel: ChannelId::new(channel.spec().id),
        address: None,
        event: Arc::new(draft.into_event(id, AccountId::parse("main").expect("a name"), now)),
    };
    let message = (ALL.render)(&job, channel.spec(), None);
    let context = Context {
        now,
        chance: 7,
        time_zone: jiff::tz::TimeZone::UTC,
        locale: "zh-CN".to_owned(),
        default_image_url: None,
        done: 0,
        fixed: Vec::new(),
        token: Some(Secret::new("t0k")),
        connection: None,
        vapid: None,
    };
    let reply = Reply { status, headers, body: body.to_vec() };
    let _ = channel.token(&context, &reply);
    let mut so_far = Vec::new();
    for _ in 0..4 {
        match channel.step(&context, &message, &params, &so_far) {
            Step::Ask(_) | Step::Call(_) | Step::Socket(_) | Step::Ses(_) => so_far.push(reply.clone()),
            Step::Done | Step::DoneBut(_) => {
                assert!((200..300).contains(&status), "{} took {status} for delivered", channel.spec().id);
                break;
            }
            Step::Token(_) | Step::Vapid | Step::Renew(_) | Step::Mail(_) | Step::Fail(_) => break,
        }
    }
    let _ = channel.arrived(&so_far);
});

fn headers(mut rest: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers = Vec::new();
    while let Some(at) = rest.iter().position(|byte| *byte == 0) {
        let (line, behind) = rest.split_at(at);
        rest = &behind[1..];
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    (headers, rest)
}
