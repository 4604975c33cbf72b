//! A digest as markdown: headings and lists. <https://spec.commonmark.org/>

use super::Style;
use crate::digest::content::Tally;

pub(super) struct Markdown;

impl Style for Markdown {
    fn around(&self) -> (&'static str, &'static str) {
        ("", "")
    }

    fn note(&self, words: &str) -> String {
        format!("\n{}\n", escaped(words))
    }

    fn link(&self, words: &str, url: &str) -> String {
        let url = url.replace('(', "%28").replace(')', "%29").replace('<', "%3C").replace('>', "%3E").replace(' ', "%20");
        format!("\n[{}]({url})\n", escaped(words))
    }

    fn bar(&self, _tally: Tally) -> Option<String> {
        None
    }

    fn site(&self, name: &str) -> String {
        format!("\n## {}\n\n", escaped(name))
    }

    fn task(&self, _number: usize, name: &str, counted: &str, first: bool) -> String {
        let (apart, between) = (if first { "" } else { "\n" }, if counted.is_empty() { "" } else { " – " });
        format!("{apart}### {}{between}{counted}\n\n", escaped(name))
    }

    fn remark(&self, words: &str) -> String {
        format!("- {}\n", escaped(words))
    }

    fn line(&self, at: &str, mark: &str, words: &str, remarks: &str) -> String {
        format!("- {at} {mark} {}{remarks}\n", escaped(words))
    }
}

/// A line's words with all escaped that could be read as formatting; they never begin the line. An `@` that could mention
/// somebody is set apart from the name, since no escape helps there.
/// <https://spec.commonmark.org/0.31.2/#backslash-escapes>
fn escaped(words: &str) -> String {
    const APART: char = '\u{200b}';
    let mut escaped = String::with_capacity(words.len());
    let mut before = ' ';
    for character in words.chars() {
        let is_markup = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '<' | '&' => true,
            '#' => before == ' ', // ends a heading
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
        if character == '@' && !before.is_alphanumeric() {
            escaped.push(APART);
        }
        before = character;
    }
    escaped
}
