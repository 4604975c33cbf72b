//! HTML into a text with its formatting, from its tags alone: a tree would take quadratic time where tags are nested deeply.
//!
//! Promise: time and memory in proportion to what is read of the page, whatever it is; scripts, styles and what stands in a
//! page's head are not text.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::{
    enough::Enough,
    rich::{Mark, Rich, Span},
};

/// Deeper lists are not indented further.
const DEEPEST: usize = 8;

/// Reads a page, until it shows more than enough.
pub(crate) fn read(html: &str, enough: Enough) -> Rich {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true); // what stands in <script>, <style> and <title> is not markup
    let mut page = Page::new(enough);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        if page.left.is_none() {
            break;
        }
        match token {
            Token::StartTag(tag) => page.begin(&tag),
            Token::EndTag(tag) => page.end(&tag.name),
            Token::String(text) => page.words(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.finish()
}

/// How far a page has been read.
struct Page {
    text: String,
    /// Where the spaces begin that the text ends with.
    solid: usize,
    /// How much more is to be shown; nothing once that is more than enough.
    left: Option<Enough>,
    spans: Vec<Span>,
    /// What is shown differently from here on: each mark once, however often it was begun.
    open: Vec<Open>,
    /// In which element whose text is not shown.
    hidden: Option<Vec<u8>>,
    /// The lists that are open, with the number of the last item where items have one.
    lists: Vec<Option<u32>>,
    quotes: usize,
    pres: usize,
}

struct Open {
    mark: Mark,
    /// Where it begins, on this line.
    start: usize,
    /// How often it was begun.
    times: usize,
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).trim().to_owned()).filter(|value| !value.is_empty())
}

/// What an element's text is shown as.
fn mark(name: &[u8], href: Option<String>) -> Option<Mark> {
    Some(match name {
        b"b" | b"strong" => Mark::Bold,
        b"i" | b"em" => Mark::Italic,
        b"u" | b"ins" => Mark::Underline,
        b"s" | b"del" | b"strike" => Mark::Strike,
        b"code" | b"kbd" | b"samp" | b"tt" => Mark::Code,
        b"pre" => Mark::Pre,
        [b'h', level @ b'1'..=b'6'] => Mark::Heading(level - b'0'),
        b"a" => Mark::Link(href.filter(|url| leads_somewhere(url)).unwrap_or_default()),
        _ => return None,
    })
}

/// Whether it is a link that leads out of its page.
fn leads_somewhere(url: &str) -> bool {
    !url.contains(char::is_whitespace) && ["://", "mailto:", "tel:"].iter().any(|part| url.contains(part))
}

impl Page {
    fn new(enough: Enough) -> Self {
        Self {
            text: String::new(),
            solid: 0,
            left: Some(enough),
            spans: Vec::new(),
            open: Vec::new(),
            hidden: None,
            lists: Vec::new(),
            quotes: 0,
            pres: 0,
        }
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let name: &[u8] = &tag.name;
        if self.hidden.is_some() {
            return;
        }
        match name {
            b"script" | b"style" | b"title" | b"template" => self.hidden = Some(name.to_owned()),
            b"br" => self.new_line(),
            b"li" => self.item(),
            b"td" | b"th" => self.words(" "),
            b"img" => self.picture(tag),
            b"ul" => self.list(None),
            b"ol" => self.list(Some(attribute(tag, b"start").and_then(|start| start.parse().ok()).unwrap_or(1))),
            b"blockquote" => {
                self.block(name);
                self.quotes += 1;
            }
            _ => self.block(name),
        }
        if let Some(mark) = mark(name, attribute(tag, b"href")) {
            self.pres += usize::from(mark == Mark::Pre);
            self.open(mark);
        }
    }

    fn end(&mut self, name: &[u8]) {
        match &self.hidden {
            Some(hidden) if hidden == name => self.hidden = None,
            Some(_) => {}
            None => {
                if let Some(mark) = mark(name, None) {
                    self.close(&mark);
                    self.pres = self.pres.saturating_sub(usize::from(mark == Mark::Pre));
                }
                match name {
                    b"ul" | b"ol" => drop(self.lists.pop()),
                    b"blockquote" => self.quotes = self.quotes.saturating_sub(1),
                    _ => {}
                }
                self.block(name);
            }
        }
    }

    fn finish(mut self) -> Rich {
        self.record_from(0);
        let end = self.text.trim_end().len();
        let begin = end - self.text.get(..end).unwrap_or_default().trim_start().len();
        Rich::new(self.text, self.spans).part(begin..end)
    }

    fn position(&self, mark: &Mark) -> Option<usize> {
        self.open.iter().position(|open| std::mem::discriminant(&open.mark) == std::mem::discriminant(mark))
    }

    fn open(&mut self, mark: Mark) {
        let at = self.position(&mark);
        match at.and_then(|at| self.open.get_mut(at)) {
            Some(open) => open.times += 1,
            None => self.open.push(Open { mark, start: self.text.len(), times: 1 }),
        }
    }

    /// What was begun inside of it and goes on behind it begins anew there.
    fn close(&mut self, mark: &Mark) {
        let Some(at) = self.position(mark) else { return };
        let Some(open) = self.open.get_mut(at) else { return };
        open.times -= 1;
        if open.times == 0 {
            self.record_from(at);
            self.open.remove(at);
        }
    }

    /// Ends the spans that are open, from the innermost to that one, and begins them anew.
    fn record_from(&mut self, first: usize) {
        let end = self.text.len();
        for at in (first..self.open.len()).rev() {
            let Some((open, outer)) = self.open.get(..=at).and_then(<[Open]>::split_last) else { return };
            let shown = self.text.get(open.start..).unwrap_or_default();
            let start = open.start + (shown.len() - shown.trim_start().len());
            if !shown.trim().is_empty() && self.shows(&open.mark, outer) {
                self.spans.push(Span { range: start..start + shown.trim().len(), mark: open.mark.clone() });
                if let Some(Open { mark: Mark::Link(url), .. }) = self.open.get_mut(at) {
                    url.clear(); // once is enough, and a long one on every line would be more than the page
                }
            }
        }
        self.open.iter_mut().skip(first).for_each(|open| open.start = end);
    }

    /// Whether a mark makes a difference there. Code holds no formatting, and a heading is bold enough.
    fn shows(&self, mark: &Mark, outer: &[Open]) -> bool {
        let within = |around: fn(&Mark) -> bool| outer.iter().any(|open| around(&open.mark));
        match mark {
            Mark::Pre => true,
            _ if self.pres > 0 || within(|mark| *mark == Mark::Code) => false,
            Mark::Link(url) => !url.is_empty(),
            Mark::Bold => !within(|mark| matches!(mark, Mark::Heading(_))),
            Mark::Italic | Mark::Underline | Mark::Strike | Mark::Code | Mark::Heading(_) | Mark::Layout => true,
        }
    }

    /// What is layout is no part of what is marked.
    fn layout(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.solid = self.text.trim_end_matches(' ').len();
        self.spans.push(Span { range: start..self.text.len(), mark: Mark::Layout });
        for open in &mut self.open {
            open.start = open.start.max(self.text.len());
        }
    }

    fn item(&mut self) {
        self.line_break();
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(DEEPEST));
        let bullet = match self.lists.last_mut() {
            Some(Some(number)) => {
                let bullet = format!("{number}. ");
                *number = number.saturating_add(1);
                bullet
            }
            Some(None) | None => "- ".to_owned(),
        };
        self.quoted();
        self.layout(&(indent + &bullet));
    }

    fn list(&mut self, first: Option<u32>) {
        if self.lists.is_empty() {
            self.blank_line();
        } else {
            self.line_break();
        }
        self.lists.push(first);
    }

    /// A picture is a link to it, with the words that describe it.
    fn picture(&mut self, tag: &StartTag<()>) {
        let Some(url) = attribute(tag, b"src").filter(|url| url.starts_with("http") && leads_somewhere(url)) else { return };
        let shown = attribute(tag, b"alt").unwrap_or_else(|| url.clone());
        if self.open.iter().any(|open| matches!(open.mark, Mark::Link(_))) {
            return self.words(&shown);
        }
        self.open(Mark::Link(url));
        self.words(&shown);
        self.close(&Mark::Link(String::new()));
    }

    fn block(&mut self, name: &[u8]) {
        match name {
            b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"table" | b"blockquote" | b"pre" => self.blank_line(),
            b"ul" | b"ol" if self.lists.is_empty() => self.blank_line(),
            b"ul" | b"ol" | b"div" | b"tr" | b"section" | b"article" | b"header" | b"footer" | b"hr" | b"dt" | b"dd" => {
                self.line_break();
            }
            _ => {}
        }
    }

    /// White space is one space, as browsers show it, but in code.
    fn words(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        for character in text.chars() {
            if self.pres > 0 && character == '\n' {
                self.push('\n');
            } else if self.pres > 0 || !character.is_whitespace() {
                let Some(left) = self.left else { return };
                self.left = left.after(character);
                self.quoted();
                self.push(character);
            } else if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
                self.push(' ');
            }
        }
    }

    fn push(&mut self, character: char) {
        self.text.push(character);
        if character != ' ' {
            self.solid = self.text.len();
        }
    }

    /// A quoted line begins as quoted lines do.
    fn quoted(&mut self) {
        if self.quotes > 0 && self.pres == 0 && (self.text.is_empty() || self.text.ends_with('\n')) {
            self.layout("> ");
        }
    }

    fn line_break(&mut self) {
        let is_fresh = self.spans.last().is_some_and(|span| span.mark == Mark::Layout && span.range.end == self.text.len());
        if is_fresh {
            return;
        }
        if self.solid > 0 && !self.text.get(..self.solid).is_some_and(|text| text.ends_with('\n')) {
            self.new_line();
        }
    }

    fn blank_line(&mut self) {
        self.line_break();
        if self.text.ends_with('\n') && !self.text.ends_with("\n\n") {
            self.new_line();
        }
    }

    /// Formatting ends with the line and begins again on the next one, but for lines of code.
    fn new_line(&mut self) {
        if self.pres == 0 {
            self.record_from(0);
            let layout = self.spans.last().map_or(0, |span| span.range.end);
            self.text.truncate(self.solid.max(layout));
        }
        self.push('\n');
        if self.pres == 0 {
            let start = self.text.len();
            self.open.iter_mut().for_each(|open| open.start = start);
        }
    }
}
