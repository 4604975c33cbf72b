//! `docs/channels.md`: what each channel declares, an example, and what became of the answers in its cases. Pure text.

use std::time::Duration;

use bellhop_channels::ALL;
use bellhop_core::{
    channel::{Kind, Limit, Param, Spec, Unit},
    pace::SendRate,
};
use serde_json::{Value, json};

use crate::{assert_sent, judged_as_expected};

/// The longest part of an answer that is shown.
const SHOWN: usize = 90;

/// One answer of a provider and what follows from it.
struct Rule {
    answer: String,
    /// The answer in a few words.
    short: String,
    follows: Follows,
    reason: String,
}

#[derive(PartialEq)]
enum Follows {
    Delivered,
    /// What was asked first was answered.
    Message,
    /// A token was refused.
    Renewed,
    Later,
    After(u64),
    Ends,
}

/// The whole page. Fails if a case fails.
pub(crate) fn page(cases: &[Value]) -> String {
    let mut table = String::new();
    let mut sections = String::new();
    for spec in ALL.specs.iter().copied() {
        let own: Vec<_> = cases.iter().filter(|case| case["channel"] == spec.id).cloned().collect();
        assert_sent(own.clone());
        let judged = judged_as_expected(own.clone());
        let rules: Vec<_> = judged.iter().map(|(response, judged)| Rule::of(response, judged)).collect();
        table += &row(spec, own.len(), &rules);
        sections += &section(spec, &own[0], &rules);
    }
    format!("{HEAD}{table}\n{FOOT}{sections}")
}

const HEAD: &str = "\
# Channels

<!-- made by `cargo xtask docs`; a test compares it with the code -->

Made by `cargo xtask docs` from what the channels declare (`GET /v1/channels` says the same as JSON) and from their cases in
`shared/channels/cases`, which are run for it: requests are compared with the expected ones, answers are judged. The words of
`reason` are in [errors.md](errors.md).

| channel | cases passed | answers judged | limits kept | sent again after the wait that the provider asks for | sent again by the schedule |
|---|---|---|---|---|---|
";

const FOOT: &str = "\
An answer that no row below shows is judged by its HTTP status: 408, 409, 425, 429 and 5xx are sent again, what else is not 2xx ends. A
2xx without the success that the provider documents is never taken for delivered. A registration is switched off for an address of
its own, not for one that a message brings. Texts are cut or split at the limit, in its unit, between characters. A rate is that of
one registration: what comes sooner waits here, before the provider has to say no.
";

fn row(spec: &Spec, passed: usize, rules: &[Rule]) -> String {
    let (id, judged, limits) = (spec.id, rules.len(), limits(spec));
    let asked = listed(rules, |follows| matches!(follows, Follows::After(_)));
    let later = listed(rules, |follows| *follows == Follows::Later);
    format!("| [`{id}`](#{id}) | {passed} | {judged} | {limits} | {asked} | {later} |\n")
}

fn section(spec: &Spec, case: &Value, rules: &[Rule]) -> String {
    let example = json!({ "channel": spec.id, "params": without_key(case["registration"].clone()) });
    let mut text = format!(
        "\n## {}\n\n**{} · {}.** {} {} [The provider's page]({}).\n\nLimits: {}.{}\n\n```json\n{example}\n```\n",
        spec.id,
        spec.label.en,
        spec.label.zh,
        spec.help.en,
        spec.help.zh,
        spec.docs,
        limits(spec),
        spec.address.map_or_else(String::new, |kind| format!(" Takes recipients as `{}:…`.", kind.as_str())),
    );
    text += "\n| parameter | takes | what it is and where it comes from |\n|---|---|---|\n";
    for param in spec.params {
        text += &parameter(param);
    }
    text += "\n| answer | what follows | reason |\n|---|---|---|\n";
    let mut seen = Vec::new();
    for rule in rules {
        let follows = match rule.follows {
            Follows::Delivered => "delivered".to_owned(),
            Follows::Message => "the message follows".to_owned(),
            Follows::Renewed => "sent again at once with another token; refused again, it ends".to_owned(),
            Follows::Later => "sent again by the schedule".to_owned(),
            Follows::After(seconds) => format!("sent again after {seconds} s"),
            Follows::Ends if rule.reason == "gone" => "ends; registration switched off".to_owned(),
            Follows::Ends => "ends".to_owned(),
        };
        let row = format!("| {} | {follows} | {} |\n", rule.answer, rule.reason);
        if !seen.contains(&row) {
            text += &row;
            seen.push(row);
        }
    }
    text
}

/// The private key of a service account is none in the docs: whatever looks like one makes scanners of secrets ring.
fn without_key(mut params: Value) -> Value {
    if let Some(file) = params["service_account"].as_str() {
        let mut file: Value = serde_json::from_str(file).expect("a service account is JSON");
        file["private_key"] = "as it stands in the file".into();
        params["service_account"] = file.to_string().into();
    }
    params
}

fn parameter(param: &Param) -> String {
    let kind = match param.kind {
        Kind::Text => "text".to_owned(),
        Kind::LongText => "text of several lines".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Bool => "`true`, `false`".to_owned(),
        Kind::Headers => "object of headers".to_owned(),
        Kind::Number => "whole number".to_owned(),
        Kind::List => "list of texts".to_owned(),
        Kind::Object => "object of texts".to_owned(),
    };
    let mut takes = vec![kind];
    takes.extend(param.required.then(|| "**required**".to_owned()));
    takes.extend(param.secret.then(|| "secret".to_owned()));
    takes.extend(param.default.map(|default| format!("default {}", code(default))));
    takes.extend(param.per_message.then(|| "per message".to_owned()));
    let (label, help) = (param.label, param.help);
    let told = cell(&format!("{}: {}<br>{}：{}", label.en, help.en, label.zh, help.zh));
    format!("| `{}` | {} | {told} |\n", param.name, takes.join("; "))
}

fn limits(spec: &Spec) -> String {
    let limit = |name: &str, limit: Option<Limit>| {
        limit.map(|Limit { max, unit }| {
            let unit = match unit {
                Unit::Bytes => "bytes",
                Unit::Chars => "characters",
                Unit::Utf16 => "UTF-16 units",
            };
            format!("{name} {max} {unit}")
        })
    };
    let all = [limit("title", spec.limits.title), limit("body", spec.limits.body), spec.limits.rate.map(rate)];
    let all: Vec<_> = all.into_iter().flatten().collect();
    if all.is_empty() { "none declared".to_owned() } else { all.join(", ") }
}

/// As people count it: what [`SendRate::of`] was made of, where one of a burst is kept back.
fn rate(SendRate { burst, every }: SendRate) -> String {
    let second = Duration::from_secs(1);
    let (unit, stretch) = if burst == 1 && every <= second { ("second", second) } else { ("minute", Duration::from_mins(1)) };
    let evenly = stretch.as_millis() / every.as_millis();
    if burst == 1 {
        return format!("{evenly} a {unit}");
    }
    let (most, every) = (evenly + u128::from(burst) + 1, every.as_secs_f64());
    format!("{most} a {unit} ({burst} at once, then one every {every} s)")
}

/// The short forms of the answers after which that follows.
fn listed(rules: &[Rule], follows: impl Fn(&Follows) -> bool) -> String {
    let mut found: Vec<&str> = Vec::new();
    for rule in rules.iter().filter(|rule| follows(&rule.follows)) {
        if !found.contains(&rule.short.as_str()) {
            found.push(&rule.short);
        }
    }
    found.join("; ")
}

impl Rule {
    fn of(response: &Value, judged: &Value) -> Self {
        let reason = judged["reason"].as_str().unwrap_or_default().to_owned();
        let follows = match judged["verdict"].as_str() {
            Some("delivered") if response["at"].is_string() => Follows::Message,
            Some("delivered") => Follows::Delivered,
            Some("refresh_token_then_retry") => Follows::Renewed,
            Some("retry") => Follows::Later,
            Some("retry_after") => Follows::After(judged["retry_after_s"].as_u64().unwrap()),
            Some("permanent") => Follows::Ends,
            word => panic!("say here what `{word:?}` means for people"),
        };
        let status = response["status"].as_u64().unwrap();
        let body = match &response["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let headers = response["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| format!("`{name}: {}`", value.as_str().unwrap_or_default()));
        let shown = beginning(&body);
        let asked_first = response["at"].as_str().map(|at| format!("{}:", code(at)));
        let farewell = response["close"].as_u64().map(|close| match close {
            0 => "closed without a word".to_owned(),
            close => format!("closed with {close}"),
        });
        let parts = [asked_first.clone(), (status > 0).then(|| status.to_string()), farewell.clone()].into_iter().flatten();
        let parts: Vec<_> = parts.chain(headers).chain((!shown.is_empty()).then(|| code(&shown))).collect();
        let answer = if parts.is_empty() { "none".to_owned() } else { parts.join(" ") };
        let short = [asked_first, Some(short(status, response, &body)), farewell].into_iter().flatten().collect::<Vec<_>>();
        Self { answer, short: short.join(" "), follows, reason }
    }
}

/// As much as is shown, up to the end of a word.
fn beginning(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{}…", shown.trim_end_matches(char::is_alphanumeric))
}

/// A status with the provider's own code, the code of a mail server, or nothing at all.
fn short(status: u64, response: &Value, body: &str) -> String {
    const CODES: [&str; 5] = ["errcode", "error_code", "code", "Code", "status"];
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let code = CODES.iter().find_map(|name| Some(plain(response["body"].get(name)?)));
    let code = code.or_else(|| Some(plain(response["headers"].get("x-amzn-ErrorType")?)));
    match (status, code) {
        (0, _) if body.starts_with(|first: char| first.is_ascii_digit()) => body.split(' ').take(2).collect::<Vec<_>>().join(" "),
        (0, _) => "no answer".to_owned(),
        (_, Some(code)) if code != status.to_string() => format!("{status} with `{code}`"),
        (_, Some(_) | None) => status.to_string(),
    }
}

fn code(text: &str) -> String {
    format!("`{}`", cell(&text.replace('`', "'")))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
