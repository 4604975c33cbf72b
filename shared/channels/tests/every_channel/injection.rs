//! Nothing that is said becomes a header, a command or another request: line breaks in texts and in parameters.

use bellhop_channels::ALL;
use bellhop_core::{
    channel::{Channel, Kind, Outgoing, Params, Step},
    model::{Format, Job},
};
use serde_json::{Value, json};

use crate::{channels, context, examples::example, job, params, picture};

/// What would be a header of its own, in the forms in which a line may break.
const BREAKS: [&str; 6] = ["\r\n", "\n", "\r", "\0", "\u{85}", "\u{2028}"];
const INJECTED: &str = "X-Injected: yes";

fn is_one_line(text: &str) -> bool {
    !text.contains(['\r', '\n', '\0'])
}

fn check_request(outgoing: &Outgoing, case: &str) {
    assert!(!outgoing.url.chars().any(char::is_control), "{case}: the URL");
    check_headers(&outgoing.headers, case);
}

fn check_headers(headers: &[(String, String)], case: &str) {
    for (name, value) in headers {
        assert!(is_one_line(name) && is_one_line(value), "{case}: the header {name}");
    }
}

/// The headers of a mail end where its body begins, and none of them is what was said.
fn check_mail(message: &[u8], from: &str, to: &[String], case: &str) {
    let text = String::from_utf8_lossy(message);
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    assert!(!head.lines().any(|line| line.starts_with("X-Injected")), "{case}: {head}");
    assert!(is_one_line(from) && to.iter().all(|to| is_one_line(to)), "{case}: the envelope");
}

fn check(step: &Step, case: &str) {
    match step {
        Step::Ask(outgoing) | Step::Call(outgoing) => check_request(outgoing, case),
        Step::Mail(mail) => check_mail(&mail.message, &mail.from, &mail.to, case),
        Step::Ses(mail) => {
            check_mail(&mail.message, &mail.from, &mail.to, case);
            check_headers(&mail.tags, case);
        }
        Step::Socket(frame) => {
            assert!(is_one_line(&frame.url), "{case}: the URL");
            check_headers(&frame.headers, case);
        }
        Step::Token(_) | Step::Vapid | Step::Push(..) | Step::Renew(_) | Step::Done | Step::DoneBut(_) | Step::Fail(_) => {}
    }
}

fn send(channel: &dyn Channel, job: &Job, params: &Params, case: &str) {
    let picture = picture();
    for token in [None, Some("S3cr3t token")] {
        let context = context(token);
        let message = (ALL.render)(job, channel.spec(), Some(&picture));
        let step = channel.step(&context, &message, params, &[]);
        check(&step, case);
        if let Step::Token(_) = step
            && let Ok(outgoing) = channel.fetch(&context, params)
        {
            check_request(&outgoing, case);
        }
    }
}

#[test]
fn a_line_break_in_a_text_makes_no_header_on_any_channel() {
    for channel in channels() {
        for line_break in BREAKS {
            let said = format!("a{line_break}{INJECTED}{line_break}{line_break}b");
            for format in [Format::Text, Format::Markdown, Format::Html] {
                let case = format!("{} {line_break:?} {format:?}", channel.spec().id);
                send(channel, &job(channel, &said, &said, format), &params(channel), &case);
            }
        }
    }
}

/// A value of that kind with a line break in it.
fn broken(kind: Kind, line_break: &str) -> Vec<Value> {
    let said = format!("a{line_break}{INJECTED}");
    match kind {
        Kind::Text | Kind::LongText | Kind::Choice(_) | Kind::Number => vec![json!(said)],
        Kind::Url => vec![json!(format!("https://e.com/{said}")), json!(format!("https://e{line_break}.com/"))],
        Kind::Headers | Kind::Object => vec![json!({ "X": said }), json!({ said: "x" })],
        Kind::List => vec![json!([said])],
        Kind::Bool => Vec::new(),
    }
}

#[test]
fn a_line_break_in_any_parameter_is_refused_or_makes_no_header() {
    let mut tried = 0;
    for channel in channels() {
        for param in channel.spec().params {
            for (line_break, value) in BREAKS
                .iter()
                .flat_map(|line_break| broken(param.kind, line_break).into_iter().map(move |value| (line_break, value)))
            {
                let mut given = example(channel);
                given.insert(param.name.to_owned(), value);
                tried += 1;
                let Ok(params) = Params::parse(channel.spec(), given) else { continue };
                if (channel.spec().check)(&params).is_ok() {
                    let case = format!("{}.{} {line_break:?}", channel.spec().id, param.name);
                    send(channel, &job(channel, "title", "text", Format::Text), &params, &case);
                }
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn a_servers_address_ends_before_what_a_channel_writes_behind_it() {
    let mut tried = 0;
    // a push service's address is whole: nothing is written behind it
    for channel in channels().filter(|channel| !["mpush", "web_push"].contains(&channel.spec().id)) {
        let spec = channel.spec();
        for base in spec.params.iter().filter(|param| ["base_url", "homeserver", "endpoint"].contains(&param.name)) {
            let with = |url: &str| {
                let mut given = example(channel);
                given.insert(base.name.to_owned(), json!(url));
                Params::parse(spec, given).and_then(|params| (spec.check)(&params))
            };
            assert_eq!(with("https://example.com/relay"), Ok(()), "{}", spec.id);
            for swallows in ["https://example.com/?x=", "https://example.com/#", "https://user:word@example.com/"] {
                assert!(with(swallows).is_err(), "{}: {swallows}", spec.id);
            }
            tried += 1;
        }
    }
    assert!(tried >= 9, "{tried}");
}
