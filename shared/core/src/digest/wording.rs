//! A digest in words: what a [`Content`] tells, in a reader's language and a channel's format, in as many parts as it takes.
//!
//! Promise: every event that is listed stands in exactly one part, or the last part says how many are not shown; no part is
//! over its limit; each can be read by itself; nothing that an event says is read as formatting; the same content makes the
//! same parts, byte for byte. Left to others: who reads it, and how the parts get there.

mod html;
mod language;
mod markdown;
mod pages;
mod text;

#[cfg(test)]
mod tests;

pub use crate::model::Language;

use jiff::{Zoned, tz::TimeZone};

use self::{
    html::Html,
    language::mark,
    markdown::Markdown,
    pages::{Pages, Place},
    text::Text,
};
use super::content::{Content, Tally, Task};
use crate::{
    Timestamp,
    channel::Limit,
    model::{Because, Format},
    render::{length, shorten},
};

/// One message of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// One line; counts the parts, if there are several.
    pub title: String,
    /// The text, in the format that was asked for.
    pub message: String,
}

/// The version of a digest for a channel that [shows](crate::channel::Spec::shows) these: the one that reads best there.
pub fn form(shows: &[Format]) -> Format {
    match shows.first() {
        // a chat's HTML has neither tables nor styles; of markdown it gets headings and lists
        Some(Format::Html) if !shows.contains(&Format::Markdown) => Format::Markdown,
        Some(best) => *best,
        None => Format::Text,
    }
}

/// A digest in words, within the [limits](crate::channel::Limits) of a channel on a title and on a part. At least one part.
/// Where that takes more parts than anybody reads, it is the oldest lines that are counted only.
pub fn parts(content: &Content, language: Language, format: Format, title: Option<Limit>, body: Option<Limit>) -> Vec<Part> {
    let messages = match paged(content, language, format, body) {
        (messages, 0) => messages,
        (messages, _) => shorter(content, language, format, body).unwrap_or(messages),
    };
    let of = messages.len();
    let base = language.title(content);
    let numbered = |(number, message): (usize, String)| {
        let count = if of == 1 { String::new() } else { format!(" ({number}/{of})") };
        Part { title: titled(&base, &count, title), message }
    };
    (1..).zip(messages).map(numbered).collect()
}

/// The most of the newest lines that there is room for; `None` where there is none for a single one.
fn shorter(content: &Content, language: Language, format: Format, body: Option<Limit>) -> Option<Vec<String>> {
    let (mut fitting, mut over, mut best) = (0, content.lines().count(), None);
    while fitting + 1 < over {
        let middle = fitting.midpoint(over);
        match paged(&content.with_newest(middle), language, format, body) {
            (messages, 0) => (best, fitting) = (Some(messages), middle),
            (_, _) => over = middle,
        }
    }
    best
}

/// The messages, and how many lines have found no room in them.
fn paged(content: &Content, language: Language, format: Format, body: Option<Limit>) -> (Vec<String>, u64) {
    let style: &dyn Style = match format {
        Format::Text => &Text(language),
        Format::Markdown => &Markdown,
        Format::Html => &Html,
    };
    let mut pages = Pages::new(style, language, body);
    for note in notes(content, language, format) {
        match note {
            Note::Words(words) => pages.add(None, 0, &words, |words| style.note(words)),
            Note::Bar(tally) => style.bar(tally).into_iter().for_each(|bar| pages.add(None, 0, "", |_| bar.clone())),
            // whole or not at all: a link that is cut leads nowhere
            Note::Link(url) => pages.add(None, 0, "", |_| style.link(language.all_of_it(), url)),
        }
    }
    for (site, of_site) in sites(content).iter().enumerate() {
        for (task, of_task) in (1..).zip(&of_site.tasks) {
            let counted = of_task.ran.map(|ran| language.counts(ran.tally)).unwrap_or_default();
            let place = Place { site, site_name: of_site.name, task, task_name: of_task.name, counted };
            tell(&mut pages, &place, of_task.ran, &content.time_zone);
        }
    }
    pages.end()
}

/// A title and what counts it; where there is no room for both, the count goes.
fn titled(base: &str, count: &str, limit: Option<Limit>) -> String {
    let Some(limit) = limit else { return format!("{base}{count}") };
    match limit.max.checked_sub(length(count, limit.unit)) {
        Some(max) if max > 0 => shorten(base, Limit { max, ..limit }) + count,
        _ => shorten(base, limit),
    }
}

/// How a format writes it. What is handed over is plain, on one line; what comes back is a piece of the message that can
/// stand behind any other.
trait Style {
    /// What stands around all of a part.
    fn around(&self) -> (&'static str, &'static str);
    /// Something about the whole.
    fn note(&self, words: &str) -> String;
    /// A link below those words.
    fn link(&self, words: &str, url: &str) -> String;
    /// How many went well, and how many did not, to be seen; `None` where nothing can be drawn.
    fn bar(&self, tally: Tally) -> Option<String>;
    /// The heading of a site.
    fn site(&self, name: &str) -> String;
    /// The heading of a task: its number in the site, its name, and what is counted of it. `first`: right below the site's.
    fn task(&self, number: usize, name: &str, counted: &str, first: bool) -> String;
    /// Something about a task.
    fn remark(&self, words: &str) -> String;
    /// An event: when, how it went, what it says, and what is to be known of it.
    fn line(&self, at: &str, mark: &str, words: &str, remarks: &str) -> String;
}

/// What stands above all sites.
enum Note<'a> {
    Words(String),
    Bar(Tally),
    Link(&'a str),
}

/// The tasks of a site, those that did not run included.
struct SiteOf<'a> {
    /// `None`: there is but one, without a name.
    name: Option<&'a str>,
    tasks: Vec<TaskOf<'a>>,
}

/// A task, and what happened to it; nothing if it did not run.
struct TaskOf<'a> {
    name: &'a str,
    ran: Option<&'a Task>,
}

fn sites(content: &Content) -> Vec<SiteOf<'_>> {
    let mut sites: Vec<SiteOf> = Vec::new();
    for site in &content.sites {
        let tasks = site.tasks.iter().map(|task| TaskOf { name: &task.name, ran: Some(task) }).collect();
        sites.push(SiteOf { name: Some(&site.name), tasks });
    }
    for source in &content.idle {
        let task = TaskOf { name: source.task(), ran: None };
        match sites.iter_mut().find(|site| site.name == Some(source.site())) {
            Some(site) => site.tasks.push(task),
            None => sites.push(SiteOf { name: Some(source.site()), tasks: vec![task] }),
        }
    }
    if let [SiteOf { name: name @ Some(""), .. }] = &mut sites[..] {
        *name = None;
    }
    sites
}

/// All that is told of one task.
fn tell(pages: &mut Pages, place: &Place, ran: Option<&Task>, zone: &TimeZone) {
    let (style, language) = (pages.style, pages.language);
    let Some(task) = ran else {
        return pages.add(Some(place), 1, language.not_run(), |words| style.remark(words));
    };
    if task.unlisted() > 0 {
        pages.add(Some(place), 0, &language.earlier(task.unlisted()), |words| style.remark(words));
    }
    for line in &task.lines {
        let (at, remarks) = (local(line.at, zone), language.remarks(line));
        let piece = |words: &str| style.line(&at, mark(line.result), words, &remarks);
        pages.add(Some(place), 1, &language.words(line), piece);
    }
}

/// What is said of the whole: which time it covers, why, and what is counted.
fn notes(content: &Content, language: Language, format: Format) -> Vec<Note<'_>> {
    let (since, until) = (local(content.since, &content.time_zone), local(content.until, &content.time_zone));
    // as QD's begins
    let scheduled = (language == Language::Chinese && format == Format::Text).then(|| format!("{until}\n"));
    let told = content.sites.iter().flat_map(|site| &site.tasks).map(|task| task.tally.total()).sum();
    let untold = content.tally.total().saturating_sub(told);
    let why = match content.because {
        Because::Due => None,
        Because::Flushed => Some(language.flushed()),
        Because::Last => Some(language.last()),
    };
    let words = [
        scheduled,
        Some(language.covers(&since, &until, &zone(content))),
        (content.intervals > 1).then(|| language.intervals(content.intervals)),
        why.map(str::to_owned),
        Some(language.counted(content.tally, content.idle.len())),
        (content.unlisted_sources > 0).then(|| language.unlisted_sources(content.unlisted_sources, untold)),
    ];
    let words = words.into_iter().flatten().map(Note::Words);
    words.chain([Note::Bar(content.tally)]).chain(content.link.as_deref().map(Note::Link)).collect()
}

/// The zone's name, or how far it is from UTC if it has none.
fn zone(content: &Content) -> String {
    let offset = || Zoned::new(content.until, content.time_zone.clone()).strftime("UTC%:z").to_string();
    content.time_zone.iana_name().map_or_else(offset, str::to_owned)
}

/// By the clock on the wall; with its distance from UTC where that clock says the same twice.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    let at = Zoned::new(at, zone.clone());
    let is_twice = zone.to_ambiguous_timestamp(at.datetime()).is_ambiguous();
    at.strftime(if is_twice { "%F %T %:z" } else { "%F %T" }).to_string()
}

/// On one line, without what moves a cursor, turns the writing round, or is there unseen.
fn folded(text: &str) -> String {
    let unseen = |character: &char| matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let seen: String = text.chars().filter(|character| !unseen(character)).collect();
    let apart = |character: char| character.is_whitespace() || character.is_control();
    seen.split(apart).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
