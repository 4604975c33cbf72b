//! Markdown: what it looks like, and texts that are none.

use pulldown_cmark::{Event, Options, Parser};

use super::{dialects::PLAIN, page};

/// As HTML. A line break is one, as people who write messages mean it. <https://spec.commonmark.org/>
pub(crate) fn to_html(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES);
    let events = events.map(|event| if event == Event::SoftBreak { Event::HardBreak } else { event });
    let mut html = String::with_capacity(text.len());
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// A text that is no markdown, as markdown that shows it: escaped if it would lose anything.
pub(crate) fn literal(text: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let is_shown = !text.contains("||") && words(&page::read(&to_html(text)).write(&PLAIN)) == words(text);
    if is_shown { text.to_owned() } else { escaped(text) }
}

/// The same with all escaped that could be read as formatting. A single line break is a hard one.
/// <https://spec.commonmark.org/0.31.2/#backslash-escapes>
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut at_line_start = true;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        if character == '\n' {
            // two spaces before a single line break keep it
            if !escaped.ends_with('\n') && next != Some('\n') {
                escaped.push_str("  ");
            }
            at_line_start = true;
            escaped.push(character);
            continue;
        }
        let is_markup = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' => true,
            '<' | '&' => next.is_some_and(|next| !next.is_whitespace()),
            '#' | '>' | '=' | '-' | '+' => at_line_start,
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
        at_line_start &= character.is_whitespace();
    }
    escaped
}
