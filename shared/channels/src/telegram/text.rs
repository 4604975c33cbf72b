//! A text in Telegram's formats, and in pieces that fit.

use std::ops::Range;

use bellhop_core::{
    channel::{Limit, Params, Unit},
    render::{cut, length},
};
use serde_json::{Value, json};

use super::spec::PARSE_MODE;
use crate::format::rich::{Dialect, Mark, Rich, Span};

/// How many entities Telegram looks at. <https://core.telegram.org/bots/api#messageentity>
const MOST_ENTITIES: usize = 100;

/// How Telegram is told of a text's formatting. <https://core.telegram.org/bots/api#formatting-options>
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Beside the text, which is as it is.
    Entities,
    MarkdownV2,
    Html,
    /// Not at all.
    Bare,
}

impl Markup {
    pub(super) fn of(params: &Params) -> Self {
        match params.text(PARSE_MODE.name) {
            Some("MarkdownV2") => Self::MarkdownV2,
            Some("HTML") => Self::Html,
            _ => Self::Entities,
        }
    }

    pub(super) fn parse_mode(self) -> Option<&'static str> {
        match self {
            Self::Entities | Self::Bare => None,
            Self::MarkdownV2 => Some("MarkdownV2"),
            Self::Html => Some("HTML"),
        }
    }

    /// The text as it is sent, and the entities that go with it.
    pub(super) fn write(self, text: &Rich) -> (String, Option<Value>) {
        match self {
            Self::Entities => (text.text().to_owned(), entities(text)),
            Self::MarkdownV2 => (text.write(&MARKDOWN_V2), None),
            Self::Html => (text.write(&HTML), None),
            Self::Bare => (text.text().to_owned(), None),
        }
    }
}

/// Offsets are in UTF-16 units. <https://core.telegram.org/bots/api#messageentity>
fn entities(text: &Rich) -> Option<Value> {
    let units = |range: Range<usize>| length(text.text().get(range).unwrap_or_default(), Unit::Utf16);
    let entity = |Span { range, mark }: &Span| {
        let kind = match mark {
            Mark::Bold | Mark::Heading(_) => "bold",
            Mark::Italic => "italic",
            Mark::Underline => "underline",
            Mark::Strike => "strikethrough",
            Mark::Code => "code",
            Mark::Pre => "pre",
            Mark::Link(_) => "text_link",
            Mark::Layout => return None,
        };
        let mut entity = json!({ "type": kind, "offset": units(0..range.start), "length": units(range.clone()) });
        if let Mark::Link(url) = mark {
            entity["url"] = url.as_str().into();
        }
        Some(entity)
    };
    let entities: Vec<_> = text.spans().iter().filter_map(entity).take(MOST_ENTITIES).collect();
    (!entities.is_empty()).then(|| entities.into())
}

/// <https://core.telegram.org/bots/api#markdownv2-style>
const MARKDOWN_V2: Dialect = Dialect {
    words: markdown,
    verbatim: markdown,
    around: |mark, _| {
        let (before, behind) = match mark {
            Mark::Bold | Mark::Heading(_) => ("*", "*"),
            Mark::Italic => ("_", "_"),
            Mark::Underline => ("__", "__"),
            Mark::Strike => ("~", "~"),
            Mark::Code => ("`", "`"),
            Mark::Pre => ("```\n", "\n```"),
            Mark::Layout => ("", ""),
            Mark::Link(url) => return ("[".to_owned(), format!("]({})", url.replace('\\', "\\\\").replace(')', "\\)"))),
        };
        (before.to_owned(), behind.to_owned())
    },
};

/// <https://core.telegram.org/bots/api#html-style>
const HTML: Dialect = Dialect {
    words: html,
    verbatim: html,
    around: |mark, _| {
        let name = match mark {
            Mark::Bold | Mark::Heading(_) => "b",
            Mark::Italic => "i",
            Mark::Underline => "u",
            Mark::Strike => "s",
            Mark::Code => "code",
            Mark::Pre => "pre",
            Mark::Layout => return (String::new(), String::new()),
            Mark::Link(url) => return (format!("<a href=\"{}\">", crate::html::escaped(url)), "</a>".to_owned()),
        };
        (format!("<{name}>"), format!("</{name}>"))
    },
};

fn markdown(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        if r"\_*[]()~`>#+-=|{}.!".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text in pieces that fit, broken at the last line break if there is one, never inside a character. Blank pieces, which
/// Telegram refuses, are left out; a text that is blank as a whole is one piece.
pub(super) fn split(text: &str, limit: Limit) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let window = cut(rest, limit);
        let piece = if window.len() == rest.len() { window } else { last_line_break(window) };
        if !piece.trim().is_empty() {
            pieces.push(at..at + piece.len());
        }
        let behind = rest.get(piece.len()..).unwrap_or_default();
        at = text.len() - behind.trim_start_matches('\n').len();
        if at == text.len() || window.is_empty() {
            break;
        }
    }
    if pieces.is_empty() {
        pieces.push(0..cut(text, limit).len());
    }
    pieces
}

fn last_line_break(window: &str) -> &str {
    window.rsplit_once('\n').map(|(lines, _)| lines).filter(|lines| !lines.is_empty()).unwrap_or(window)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn pieces(text: &str, max: usize) -> Vec<&str> {
        split(text, Limit { max, unit: Unit::Utf16 }).into_iter().filter_map(|piece| text.get(piece)).collect()
    }

    #[test]
    fn what_markdown_reads_as_formatting_is_escaped() {
        for (text, escaped) in [("a.b-c!", r"a\.b\-c\!"), (r"`x`\", r"\`x\`\\"), ("[l](u)", r"\[l\]\(u\)")] {
            assert_eq!(markdown(text), escaped);
        }
    }

    #[test]
    fn a_text_is_broken_at_the_last_line_break_that_fits() {
        assert_eq!(pieces("one\ntwo\nthree", 9), ["one\ntwo", "three"]);
        assert_eq!(pieces("onetwothree", 6), ["onetwo", "three"]);
        assert_eq!(pieces("a\n\n\n\nb", 2), ["a", "b"]);
        assert_eq!(pieces("", 2), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_but_line_breaks_and_every_piece_fits(text in sample::any_text(), max in 2_usize..40) {
            let pieces = pieces(&text, max);
            for piece in &pieces {
                prop_assert!(length(piece, Unit::Utf16) <= max);
            }
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&pieces.concat()), words(&text));
        }
    }
}
