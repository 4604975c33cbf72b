//! A text in Telegram's formats, and in pieces that fit.

use bellhop_core::{
    channel::{Limit, Params, Unit},
    render::{cut, length},
};
use serde_json::{Value, json};

use super::spec::PARSE_MODE;

/// How Telegram is to read a text. <https://core.telegram.org/bots/api#formatting-options>
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    None,
    MarkdownV2,
    /// All of it escaped.
    Html,
    /// The text is HTML itself; only the title is escaped.
    TrustedHtml,
}

impl Markup {
    pub(super) fn of(params: &Params, is_html: bool) -> Self {
        match params.text(PARSE_MODE.name) {
            Some("MarkdownV2") => Self::MarkdownV2,
            Some("HTML") if is_html => Self::TrustedHtml,
            Some("HTML") => Self::Html,
            _ => Self::None,
        }
    }

    pub(super) fn parse_mode(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::MarkdownV2 => Some("MarkdownV2"),
            Self::Html | Self::TrustedHtml => Some("HTML"),
        }
    }
}

/// One message.
pub(super) struct Part {
    pub(super) text: String,
    /// How many bytes of its beginning are title.
    pub(super) bold: usize,
    pub(super) picture: Option<String>,
}

impl Part {
    /// The text as it is sent, and the entities that make its title bold where there is no markup.
    pub(super) fn write(&self, markup: Markup, bold_title: bool) -> (String, Option<Value>) {
        let (title, rest) = self.text.split_at_checked(self.bold).unwrap_or((&self.text, ""));
        match markup {
            Markup::None => {
                let is_bold = bold_title && !title.trim().is_empty();
                let length = length(title, Unit::Utf16);
                (self.text.clone(), is_bold.then(|| json!([{ "type": "bold", "offset": 0, "length": length }])))
            }
            Markup::MarkdownV2 if title.is_empty() => (markdown(rest), None),
            Markup::MarkdownV2 => (format!("*{}*{}", markdown(title), markdown(rest)), None),
            Markup::Html if title.is_empty() => (html(rest), None),
            Markup::Html => (format!("<b>{}</b>{}", html(title), html(rest)), None),
            Markup::TrustedHtml if title.is_empty() => (rest.to_owned(), None),
            Markup::TrustedHtml => (format!("<b>{}</b>{rest}", html(title)), None),
        }
    }
}

/// <https://core.telegram.org/bots/api#markdownv2-style>
fn markdown(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        if r"\_*[]()~`>#+-=|{}.!".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}

/// <https://core.telegram.org/bots/api#html-style>
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text in pieces that fit, broken at the last line break if there is one, never inside a character. Blank pieces, which
/// Telegram refuses, are left out; a text that is blank as a whole is one piece.
pub(super) fn split(text: &str, limit: Limit) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let window = cut(rest, limit);
        let piece = if window.len() == rest.len() { window } else { last_line_break(window) };
        if !piece.trim().is_empty() {
            pieces.push(piece);
        }
        rest = rest.strip_prefix(piece).unwrap_or_default();
        rest = rest.trim_start_matches('\n');
        if rest.is_empty() || window.is_empty() {
            break;
        }
    }
    if pieces.is_empty() { vec![cut(text, limit)] } else { pieces }
}

fn last_line_break(window: &str) -> &str {
    window.rsplit_once('\n').map(|(lines, _)| lines).filter(|lines| !lines.is_empty()).unwrap_or(window)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn units(max: usize) -> Limit {
        Limit { max, unit: Unit::Utf16 }
    }

    #[test]
    fn what_markdown_reads_as_formatting_is_escaped() {
        for (text, escaped) in [("a.b-c!", r"a\.b\-c\!"), (r"`x`\", r"\`x\`\\"), ("[l](u)", r"\[l\]\(u\)")] {
            assert_eq!(markdown(text), escaped);
        }
    }

    #[test]
    fn a_text_is_broken_at_the_last_line_break_that_fits() {
        assert_eq!(split("one\ntwo\nthree", units(9)), ["one\ntwo", "three"]);
        assert_eq!(split("onetwothree", units(6)), ["onetwo", "three"]);
        assert_eq!(split("a\n\n\n\nb", units(2)), ["a", "b"]);
        assert_eq!(split("", units(2)), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_but_line_breaks_and_every_piece_fits(text in sample::any_text(), max in 2_usize..40) {
            let pieces = split(&text, units(max));
            for piece in &pieces {
                prop_assert!(length(piece, Unit::Utf16) <= max);
            }
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&pieces.concat()), words(&text));
        }
    }
}
