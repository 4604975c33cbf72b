//! What a message says where a rule has words of its own: templates in Jinja's language, and QD's `{log}` and `{t}`.
//! <https://docs.rs/minijinja/latest/minijinja/syntax/index.html>
//!
//! Promise: a template takes a bounded time and makes a bounded text, whoever wrote it; what an event holds is never read as
//! a template.

use std::io;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context, value::Serde};

use crate::{
    Timestamp,
    digest::content::Content,
    model::{Event, EventType, Rule, RunResult},
};

/// How many instructions a template may take.
const FUEL: u64 = 50_000;

/// The longest text that a template makes, in bytes.
const LONGEST: usize = 64 * 1024;

/// The longest template, in bytes.
const LONGEST_TEMPLATE: usize = 16 * 1024;

/// A message's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// One line.
    pub title: Option<String>,
    /// The text.
    pub message: String,
}

/// Says why a text is no template; the text is meant for whoever wrote it.
pub fn check(template: &str) -> Result<(), String> {
    if template.len() > LONGEST_TEMPLATE {
        return Err(format!("a template has {LONGEST_TEMPLATE} bytes at most"));
    }
    environment().template_from_str(&in_jinja(template)).map(drop).map_err(|error| explain(&error))
}

/// What `rule` says of `event`; `None` if it has no words of its own.
pub fn say(rule: &Rule, event: &Event) -> Result<Option<Said>, String> {
    if rule.title.is_none() && rule.body.is_none() {
        return Ok(None);
    }
    let values = values(event);
    let rendered = |template: &Option<String>| template.as_deref().map(|template| render(template, &values)).transpose();
    let title = rendered(&rule.title)?.as_deref().map(one_line).or_else(|| event.title.clone());
    // a message without words says nothing: the event's own are better
    let message = rendered(&rule.body)?.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| event.message.clone());
    Ok(Some(Said { title: title.filter(|title| !title.is_empty()), message }))
}

/// What a rule's own template says above a digest.
pub fn title_of_digest(template: &str, content: &Content) -> Result<String, String> {
    let values = context! {
        rule => content.rule.as_str(),
        since => content.since.to_string(),
        until => content.until.to_string(),
        date => content.until.to_zoned(content.time_zone.clone()).date().to_string(),
        events => content.tally.total(),
        successes => content.tally.successes,
        failures => content.tally.failures,
    };
    let title = one_line(&render(template, &values)?);
    if title.is_empty() { Err("it makes no text".to_owned()) } else { Ok(title) }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment
}

/// What a template may name. What the event does not have is nothing, not a word for it.
fn values(event: &Event) -> Value {
    let known = |text: Option<&str>| text.map_or(Value::UNDEFINED, Value::from);
    let time = |at: Option<Timestamp>| at.map_or(Value::UNDEFINED, |at| Value::from(at.to_string()));
    context! {
        source => event.source.as_str(),
        site => event.source.site(),
        task => event.source.task(),
        type => known(event.event_type.as_ref().map(EventType::as_str)),
        trigger => event.trigger.as_str(),
        result => known(event.result.map(RunResult::as_str)),
        title => known(event.title.as_deref()),
        message => event.message.as_str(),
        t => known(event.title.as_deref()),
        log => event.message.as_str(),
        url => known(event.url.as_deref()),
        image_url => known(event.image_url.as_deref()),
        occurred_at => time(event.occurred_at),
        accepted_at => time(Some(event.accepted_at)),
        final => event.is_final,
        data => event.data.as_ref().map_or(Value::UNDEFINED, |data| Value::from(Serde(data))),
    }
}

fn render(template: &str, values: &Value) -> Result<String, String> {
    let environment = environment();
    let source = in_jinja(template);
    let template = environment.template_from_str(&source).map_err(|error| explain(&error))?;
    let mut text = Capped(Vec::new());
    template.render_captured_to(values.clone(), &mut text).map_err(|error| match error.kind() {
        ErrorKind::WriteFailure => format!("it makes more than {LONGEST} bytes"),
        _ => explain(&error),
    })?;
    String::from_utf8(text.0).map_err(|_| "it makes no text".to_owned())
}

/// `{log}` and `{t}`, where they stand alone, as Jinja has it.
fn in_jinja(template: &str) -> String {
    let mut jinja = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, here) = rest.split_at(at);
        jinja.push_str(before);
        let is_inner = jinja.ends_with('{');
        let word = [("{log}", "{{ log }}"), ("{t}", "{{ t }}")]
            .into_iter()
            .find(|(word, _)| !is_inner && here.strip_prefix(word).is_some_and(|after| !after.starts_with('}')));
        let (taken, put) = word.unwrap_or(("{", "{"));
        jinja.push_str(put);
        rest = here.strip_prefix(taken).unwrap_or_default();
    }
    jinja.push_str(rest);
    jinja
}

/// Without the template's own text, which may hold what nobody else shall read.
fn explain(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{line}{detail}", error.kind())
}

/// Takes so much, and fails beyond.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{AccountId, Draft, EventId, Source};

    fn event() -> Event {
        let draft = Draft {
            source: Source::parse("QD/Example/main").unwrap(),
            title: Some("Title".to_owned()),
            result: Some(RunResult::Failure),
            data: Some(json!({"code": 403})),
            ..Draft::new("it says {{ secret }} and {log}")
        };
        let id = EventId::new(Timestamp::UNIX_EPOCH, 7);
        draft.into_event(id, AccountId::parse("main").unwrap(), Timestamp::UNIX_EPOCH)
    }

    fn body(template: &str) -> Result<String, String> {
        let rule = Rule { body: Some(template.to_owned()), ..serde_json::from_value(json!({"to": []})).unwrap() };
        say(&rule, &event()).map(|said| said.unwrap().message)
    }

    #[test]
    fn a_template_names_what_the_event_says() {
        assert_eq!(
            body("{{ site }} {{ task }} {{ result }} {{ trigger }} {{ data.code }} {{ data.none.at_all }}|").unwrap(),
            "QD/Example main failure auto 403 |"
        );
        assert_eq!(body("{{ source | upper }}").unwrap(), "QD/EXAMPLE/MAIN");
    }

    #[test]
    fn what_an_event_says_is_never_a_template() {
        assert_eq!(body("{{ message }}").unwrap(), "it says {{ secret }} and {log}");
        assert_eq!(body("{t}: {log}").unwrap(), "Title: it says {{ secret }} and {log}");
    }

    #[test]
    fn the_words_of_qd_stand_alone() {
        assert_eq!(body("{{t}}{{log}}|{x}{").unwrap(), "Titleit says {{ secret }} and {log}|{x}{");
    }

    #[test]
    fn without_words_of_its_own_a_rule_leaves_the_events() {
        let rule: Rule = serde_json::from_value(json!({"to": []})).unwrap();
        assert_eq!(say(&rule, &event()), Ok(None));
        let rule = Rule { title: Some("a\nb {{ task }}".to_owned()), ..rule };
        let said = say(&rule, &event()).unwrap().unwrap();
        assert_eq!((said.title.as_deref(), &*said.message), (Some("a b main"), &*event().message));
    }

    #[test]
    fn what_an_event_does_not_have_is_nothing() {
        let rule: Rule =
            serde_json::from_value(json!({"to": [], "body": "[{{ result }}{t}{{ data }}{{ occurred_at }}]"})).unwrap();
        let bare = Event { title: None, result: None, data: None, ..event() };
        assert_eq!(say(&rule, &bare).unwrap().unwrap().message, "[]");
        let empty = Rule { body: Some("{{ data.detail }}".to_owned()), ..rule };
        assert_eq!(say(&empty, &bare).unwrap().unwrap().message, bare.message, "words are better than none");
    }

    #[test]
    fn a_bomb_ends_soon_and_small() {
        for bomb in [
            "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
            "{% for a in range(9000) %}{{ message }}{% endfor %}",
            "{{ 'x' * 1000000000 }}",
            "{% set x = 'aaaaaaaaaa' %}{% set x = x ~ x ~ x ~ x %}{% for a in range(1000) %}{% set x = x ~ x %}{% endfor %}{{ x }}",
        ] {
            assert!(body(bomb).map_or(true, |text| text.len() <= LONGEST), "{bomb}");
        }
        assert!(body("{% for a in range(9000) %}{{ message }}{% endfor %}").is_err());
    }

    #[test]
    fn a_text_that_is_no_template_is_refused_when_it_is_saved() {
        assert!(check("{{ a }} {log} {% if b %}c{% endif %}").is_ok());
        for wrong in ["{{ a", "{% if b %}", "{% include 'x' %}", &"x".repeat(LONGEST_TEMPLATE + 1)] {
            assert!(check(wrong).is_err(), "{wrong:.20}");
        }
    }
}
