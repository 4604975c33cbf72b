//! Markdown: what it looks like, and texts that are none.

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{dialects::PLAIN, enough::Enough, page};

/// Quotes, lists and emphasis that are nested deeper are shown as plain text.
const DEEPEST: usize = 16;

/// No quote and no list item begins farther to the right; nesting takes columns, so this bounds it.
const LAST_COLUMN: usize = 100;

/// As HTML. A line break is one, as people who write messages mean it. <https://spec.commonmark.org/>
pub(crate) fn to_html(text: &str) -> String {
    to_html_until(text, Enough::ALL)
}

/// The same, until it shows more than enough.
pub(crate) fn to_html_until(text: &str, enough: Enough) -> String {
    let text = shallow(text);
    let tables = if has_moderate_tables(&text) { Options::ENABLE_TABLES } else { Options::empty() };
    let (mut depth, mut left) = (0, Some(enough));
    let events = Parser::new_ext(&text, Options::ENABLE_STRIKETHROUGH | tables)
        .take_while(|event| {
            let goes_on = left.is_some();
            if let Event::Text(words) | Event::Code(words) = event {
                left = left.and_then(|left| left.after_all(words));
            }
            goes_on
        })
        .filter_map(|event| nested(event, &mut depth));
    let mut html = String::with_capacity(text.len());
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// What is made of an event.
fn nested<'a>(event: Event<'a>, depth: &mut usize) -> Option<Event<'a>> {
    match event {
        Event::SoftBreak => Some(Event::HardBreak),
        Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item | Tag::Emphasis | Tag::Strong | Tag::Strikethrough) => {
            *depth += 1;
            match &event {
                _ if *depth <= DEEPEST => Some(event),
                Event::Start(Tag::Item) => Some(Event::InlineHtml("<br />- ".into())),
                _ => None,
            }
        }
        Event::End(
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough,
        ) => {
            *depth -= 1;
            (*depth < DEEPEST).then_some(event)
        }
        _ => Some(event),
    }
}

/// The text with quotes and list items escaped that begin beyond [`LAST_COLUMN`]: the parser takes time in proportion to
/// lines times depth. A line of nothing but one of the signs that lists begin with is a rule, and nests nothing.
fn shallow(text: &str) -> Cow<'_, str> {
    let escapes: Vec<_> = lines(text).filter_map(|(start, line)| Some(start + far_marker(line)?)).collect();
    if escapes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shallow = String::with_capacity(text.len() + escapes.len());
    let mut at = 0;
    for escape in escapes {
        shallow.push_str(text.get(at..escape).unwrap_or_default());
        shallow.push('\\');
        at = escape;
    }
    shallow.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(shallow)
}

/// Lines, with where they begin. <https://spec.commonmark.org/0.31.2/#line-ending>
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(['\n', '\r']).scan(0, |next, line| {
        let start = *next;
        *next += line.len() + 1;
        Some((start, line))
    })
}

/// Where the sign stands that would have to be escaped for a line not to be nested too deeply.
fn far_marker(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let is_rule = |sign| bytes.iter().all(|byte| [sign, b' ', b'\t'].contains(byte));
    if line.len() <= LAST_COLUMN / 4 || b"-*_".iter().any(|sign| is_rule(*sign)) {
        return None; // of a tab's four columns each
    }
    let (mut at, mut column) = (0, 0);
    loop {
        let rest = bytes.get(at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_followed_by_space = |sign: usize| matches!(rest.get(sign + 1), None | Some(b' ' | b'\t'));
        let sign = match rest.first()? {
            b' ' => {
                (at, column) = (at + 1, column + 1);
                continue;
            }
            b'\t' => {
                (at, column) = (at + 1, (column / 4 + 1) * 4);
                continue;
            }
            b'>' => 0,
            b'-' | b'+' | b'*' if is_followed_by_space(0) => 0,
            b'0'..=b'9' if matches!(rest.get(digits), Some(b'.' | b')')) && is_followed_by_space(digits) => digits,
            _ => return None,
        };
        if column > LAST_COLUMN {
            return Some(at + sign);
        }
        (at, column) = (at + sign + 1, column + sign + 1);
    }
}

/// Whether tables have no more cells than the text has signs: a row has as many as the table's head, whatever it says.
fn has_moderate_tables(text: &str) -> bool {
    let is_below_head = |line: &&str| line.contains('-') && line.bytes().all(|byte| b"|-: \t>".contains(&byte));
    let columns = text.lines().filter(is_below_head).map(|line| line.split('|').count()).max();
    columns.is_none_or(|columns| columns.saturating_mul(text.lines().count()) <= text.len().max(4096))
}

/// A text that is no markdown, as markdown that shows it: escaped if it would lose anything.
pub(crate) fn literal(text: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let is_shown = !text.contains("||") && words(&page::read(&to_html(text), Enough::ALL).write(&PLAIN)) == words(text);
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
