//! What a channel shows of what was written: a message in the format that comes nearest, within the channel's limit.
//!
//! A channel declares which formats it [shows](bellhop_core::channel::Spec::shows) and is handed nothing else. Promise:
//! nothing that was written is swallowed or read as formatting that is none; what is cut has no torn character, tag, link or
//! escape; time is in proportion to the message. Left to others: title, picture and link ([`crate::join`]), and dialects that
//! one provider alone has (its file).

pub(crate) mod dialects;
mod enough;
pub(crate) mod markdown;
pub(crate) mod page;
pub(crate) mod rich;

#[cfg(test)]
mod tests;

use bellhop_core::{
    channel::{Limit, Message, Spec},
    model::{Format, Job, Picture},
    render::{self, length},
};
use dialects::{HTML, MARKDOWN, PLAIN};
use enough::Enough;
use rich::{Dialect, Rich};

use crate::html;

/// The message that `job` tells, as the channel shows it.
pub(crate) fn message<'a>(job: &'a Job, spec: &Spec, picture: Option<&'a Picture>) -> Message<'a> {
    let event = &*job.event;
    let format = nearest(event.format, spec.shows);
    let (_, text) = event.said_to(job.delivery);
    let body = match spec.limits.body {
        Some(limit) => shorten(&converted(text, event.format, format, Enough::over(limit)), format, limit),
        None => converted(text, event.format, format, Enough::ALL),
    };
    Message { body, format, ..render::message(job, spec, picture) }
}

/// The format of `shown` that loses least.
fn nearest(written: Format, shown: &[Format]) -> Format {
    let by_loss = match written {
        Format::Text => [Format::Text, Format::Markdown, Format::Html],
        Format::Markdown => [Format::Markdown, Format::Html, Format::Text],
        Format::Html => [Format::Html, Format::Markdown, Format::Text],
    };
    by_loss.into_iter().find(|format| shown.contains(format)).unwrap_or(Format::Text)
}

/// A text in another format, or enough of it.
fn converted(text: &str, from: Format, to: Format, enough: Enough) -> String {
    match (from, to) {
        (Format::Text, Format::Text) | (Format::Markdown, Format::Markdown) | (Format::Html, Format::Html) => text.to_owned(),
        (Format::Text, Format::Markdown) => markdown::literal(enough.of(text)),
        (Format::Text, Format::Html) => html::lines(enough.of(text)),
        (Format::Markdown, Format::Html) => markdown::to_html_until(text, enough),
        (Format::Markdown | Format::Html, Format::Text) => enough_of(text, from, enough).write(&PLAIN),
        (Format::Html, Format::Markdown) => enough_of(text, from, enough).write(&MARKDOWN),
    }
}

/// A text with its formatting apart.
pub(crate) fn read(text: &str, format: Format) -> Rich {
    enough_of(text, format, Enough::ALL)
}

fn enough_of(text: &str, format: Format, enough: Enough) -> Rich {
    match format {
        Format::Text => Rich::plain(enough.of(text)),
        Format::Markdown => page::read(&markdown::to_html_until(text, enough), enough),
        Format::Html => page::read(text, enough),
    }
}

/// A message's body as plain text, for places that show nothing else.
pub(crate) fn as_text(message: &Message) -> String {
    converted(&message.body, message.format, Format::Text, Enough::ALL)
}

/// A text within a limit, ending in `…` if something had to go; it stays what it is, and nothing in it is torn.
pub(crate) fn shorten(text: &str, format: Format, limit: Limit) -> String {
    if length(text, limit.unit) <= limit.max {
        return text.to_owned();
    }
    match format {
        Format::Text => render::shorten(text, limit),
        Format::Markdown | Format::Html => {
            let read = enough_of(text, format, Enough::over(limit));
            read.write_fitting(dialect(format), |text| length(text, limit.unit) <= limit.max)
        }
    }
}

/// As much of a text as fits; likewise.
pub(crate) fn fitting(text: &str, format: Format, fits: impl Fn(&str) -> bool) -> String {
    read(text, format).write_fitting(dialect(format), fits)
}

fn dialect(format: Format) -> &'static Dialect {
    match format {
        Format::Text => &PLAIN,
        Format::Markdown => &MARKDOWN,
        Format::Html => &HTML,
    }
}
