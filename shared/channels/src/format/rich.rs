//! A text and, apart from it, how its parts are shown: what every format is read into, and what every dialect is written from.
//!
//! Promise: spans are nested, never empty, and none but [`Mark::Pre`] goes over a line's end, since most dialects end
//! formatting there; a text that is cut keeps all of this, so that whatever is written of it has no torn tag, link or escape.

use std::{cmp::Reverse, ops::Range};

use bellhop_core::render::boundaries;

/// What a part of a text is shown as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Bold,
    Italic,
    Underline,
    Strike,
    Code,
    /// Lines of code.
    Pre,
    /// From 1, the largest, to 6.
    Heading(u8),
    /// With where it leads.
    Link(String),
    /// A bullet or the like: no words of the author's.
    Layout,
}

/// Bytes of a text that are shown in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) mark: Mark,
}

/// A text with its formatting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rich {
    text: String,
    /// By their beginning; of those that begin together, the outer one first.
    spans: Vec<Span>,
}

/// How formatting is written somewhere.
pub(crate) struct Dialect {
    /// Words: what would be read as formatting is escaped.
    pub(crate) words: fn(&str) -> String,
    /// Code and layout.
    pub(crate) verbatim: fn(&str) -> String,
    /// What stands before and behind a part that shows this text.
    pub(crate) around: fn(&Mark, &str) -> (String, String),
}

impl Rich {
    /// `spans` in the order in which they ended.
    pub(crate) fn new(text: String, mut spans: Vec<Span>) -> Self {
        spans.reverse();
        spans.sort_by_key(|span| (span.range.start, Reverse(span.range.end)));
        Self { text, spans }
    }

    /// A text without any formatting.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), spans: Vec::new() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// One behind the other.
    #[must_use]
    pub(crate) fn followed_by(mut self, other: &Self) -> Self {
        let shift = self.text.len();
        self.text.push_str(&other.text);
        let moved = |span: &Span| Span { range: span.range.start + shift..span.range.end + shift, mark: span.mark.clone() };
        self.spans.extend(other.spans.iter().map(moved));
        self
    }

    /// The same with the part in `range` shown as `mark`, around whatever else it is shown as.
    #[must_use]
    pub(crate) fn marked(mut self, range: Range<usize>, mark: Mark) -> Self {
        if !range.is_empty() {
            self.spans.insert(0, Span { range, mark });
            self.spans.sort_by_key(|span| (span.range.start, Reverse(span.range.end)));
        }
        self
    }

    /// A part of it.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let inside = |span: &Span| {
            let (start, end) = (span.range.start.max(range.start), span.range.end.min(range.end));
            (start < end).then(|| Span { range: start - range.start..end - range.start, mark: span.mark.clone() })
        };
        Self {
            text: self.text.get(range.clone()).unwrap_or_default().to_owned(),
            spans: self.spans.iter().take_while(|span| span.range.start < range.end).filter_map(inside).collect(),
        }
    }

    /// Its beginning and `…`, which is code behind lines of code: nothing else may stand behind their end.
    fn beginning(&self, end: usize) -> Self {
        let mut part = self.part(0..end);
        part.text.push('…');
        let length = part.text.len();
        let is_cut = |span: &&mut Span| span.mark == Mark::Pre && span.range.end == end;
        part.spans.iter_mut().filter(is_cut).for_each(|span| span.range.end = length);
        part
    }

    /// As it is written in that dialect.
    pub(crate) fn write(&self, dialect: &Dialect) -> String {
        let mut out = Writing { rich: self, dialect, text: String::with_capacity(self.text.len()), at: 0, open: Vec::new() };
        for span in &self.spans {
            out.up_to(span.range.start);
            out.begin(span);
        }
        out.up_to(self.text.len());
        out.text
    }

    /// As much of it as fits, written in that dialect; `…` says that something had to go. Where there is no room for a single
    /// character as people see them, it ends within that one.
    pub(crate) fn write_fitting(&self, dialect: &Dialect, fits: impl Fn(&str) -> bool) -> String {
        let whole = self.write(dialect);
        if fits(&whole) {
            return whole;
        }
        let cut_at = |end: usize| self.beginning(end).write(dialect);
        let is_good = |end: usize| fits(&cut_at(end));
        let end = match last_good(boundaries(&self.text), is_good) {
            Some(0) => last_good(self.text.char_indices().map(|(at, _)| at), is_good),
            end => end,
        };
        end.map(cut_at).unwrap_or_default()
    }
}

/// The last of these that is good, where all before it are. None is tried that is much farther on: what lies beyond may be
/// long.
fn last_good(mut candidates: impl Iterator<Item = usize>, is_good: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut good, mut further) = (None, 64);
    loop {
        let next: Vec<_> = candidates.by_ref().take(further).collect();
        let end = next.partition_point(|candidate| is_good(*candidate));
        good = end.checked_sub(1).and_then(|last| next.get(last).copied()).or(good);
        if end < further {
            return good;
        }
        further *= 2;
    }
}

/// How far a text has been written.
struct Writing<'a> {
    rich: &'a Rich,
    dialect: &'a Dialect,
    text: String,
    at: usize,
    /// Where each open span ends, whether it holds code, and what stands behind it.
    open: Vec<(usize, bool, String)>,
}

impl Writing<'_> {
    fn up_to(&mut self, end: usize) {
        while let Some((until, ..)) = self.open.last().filter(|(until, ..)| *until <= end) {
            self.words(*until);
            let behind = self.open.pop().map(|(_, _, behind)| behind);
            self.text.push_str(&behind.unwrap_or_default());
        }
        self.words(end);
    }

    fn words(&mut self, end: usize) {
        let words = self.rich.text.get(self.at..end).unwrap_or_default();
        let write = if self.in_code() { self.dialect.verbatim } else { self.dialect.words };
        if !words.is_empty() {
            self.text.push_str(&write(words));
            self.at = end;
        }
    }

    fn begin(&mut self, span: &Span) {
        let shown = self.rich.text.get(span.range.clone()).unwrap_or_default();
        let (before, behind) = if self.in_code() { Default::default() } else { (self.dialect.around)(&span.mark, shown) };
        self.text.push_str(&before);
        let is_code = matches!(span.mark, Mark::Code | Mark::Pre | Mark::Layout);
        self.open.push((span.range.end, is_code, behind));
    }

    fn in_code(&self) -> bool {
        self.open.iter().any(|(_, is_code, _)| *is_code)
    }
}
