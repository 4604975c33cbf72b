//! How formatting is written where several channels want it in the same way. What one provider alone wants is in its file.

use super::{
    markdown,
    rich::{Dialect, Mark},
};
use crate::html;

/// Text: a link is followed by where it leads, unless it says so itself.
pub(crate) const PLAIN: Dialect = Dialect {
    words: str::to_owned,
    verbatim: str::to_owned,
    around: |mark, shown| match mark {
        Mark::Link(url) if !shown.contains(url.as_str()) => (String::new(), format!(" ({url})")),
        Mark::Link(_)
        | Mark::Bold
        | Mark::Italic
        | Mark::Underline
        | Mark::Strike
        | Mark::Code
        | Mark::Pre
        | Mark::Heading(_)
        | Mark::Layout => (String::new(), String::new()),
    },
};

/// CommonMark, with the line through that most providers know. <https://spec.commonmark.org/>
pub(crate) const MARKDOWN: Dialect = Dialect {
    words: markdown::escaped,
    verbatim: str::to_owned,
    around: |mark, shown| {
        let (before, behind) = match mark {
            Mark::Bold => ("**", "**"),
            Mark::Italic => ("*", "*"),
            Mark::Strike => ("~~", "~~"),
            Mark::Code if shown.contains('`') => ("`` ", " ``"),
            Mark::Code => ("`", "`"),
            Mark::Pre => ("```\n", "\n```"),
            Mark::Underline | Mark::Layout => ("", ""),
            Mark::Heading(level) => return (format!("{} ", "#".repeat(usize::from(*level))), String::new()),
            Mark::Link(url) => return ("[".to_owned(), format!("]({})", url.replace('(', "%28").replace(')', "%29"))),
        };
        (before.to_owned(), behind.to_owned())
    },
};

/// HTML that stands in a page. <https://html.spec.whatwg.org/multipage/text-level-semantics.html>
pub(crate) const HTML: Dialect = Dialect {
    words: html::lines,
    verbatim: html::escaped,
    around: |mark, _| {
        let name = match mark {
            Mark::Bold => "b",
            Mark::Italic => "i",
            Mark::Underline => "u",
            Mark::Strike => "s",
            Mark::Code => "code",
            Mark::Pre => "pre",
            Mark::Heading(level) => return (format!("<h{level}>"), format!("</h{level}>")),
            Mark::Link(url) => return (format!("<a href=\"{}\">", html::escaped(url)), "</a>".to_owned()),
            Mark::Layout => return (String::new(), String::new()),
        };
        (format!("<{name}>"), format!("</{name}>"))
    },
};
