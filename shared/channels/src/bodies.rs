//! One message as text and, where there is something to show, as HTML: both go into a mail, and its reader chooses.
//!
//! Promise: time and memory in proportion to the message, whatever it is; scripts, styles and what stands in a page's head
//! are not text. Left to others: encoding and boundaries.

use bellhop_core::{channel::Message, model::Format};
use html5gum::{DefaultEmitter, Token, Tokenizer};

use crate::join::Joined;

/// A message's bodies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bodies {
    /// Always there: not everybody reads HTML.
    pub(crate) text: String,
    /// There if the message is more than text.
    pub(crate) html: Option<String>,
}

impl Bodies {
    /// Of a message; picture and link stand below. `html` is the caller's own rendering, if it gave one.
    pub(crate) fn of(message: &Message, html: Option<&str>) -> Self {
        let (text, rendered) = match message.format {
            Format::Text => (message.body.clone(), None),
            Format::Markdown => (message.body.clone(), Some(from_markdown(&message.body))),
            Format::Html => (to_text(&message.body), Some(message.body.clone())),
        };
        let html = html.map(str::to_owned).or(rendered);
        Self {
            text: Joined::plain(message).with_text(text).whole(),
            html: html.map(|html| Joined::html_without_title(message).with_text(html).whole()),
        }
    }
}

/// <https://spec.commonmark.org/>
pub(crate) fn from_markdown(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(text));
    html
}

/// The text of a page, with its paragraphs, list items and links, from its tags alone: a tree would take quadratic time
/// where tags are nested deeply.
pub(crate) fn to_text(html: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true); // what stands in <script>, <style> and <title> is not markup
    let mut page = Page::default();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let href = tag.attributes.get(b"href".as_slice()).map(|href| String::from_utf8_lossy(href).into_owned());
                page.begin(&tag.name, href);
            }
            Token::EndTag(tag) => page.end(&tag.name),
            Token::String(text) => page.words(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.text.trim().to_owned()
}

/// How far a page has been read.
#[derive(Default)]
struct Page {
    text: String,
    /// In which element whose text is not shown.
    hidden: Option<Vec<u8>>,
    /// Where the open link leads, and where its text begins.
    link: Option<(String, usize)>,
}

impl Page {
    fn begin(&mut self, name: &[u8], href: Option<String>) {
        match name {
            _ if self.hidden.is_some() => {}
            b"script" | b"style" | b"title" | b"template" => self.hidden = Some(name.to_owned()),
            b"br" => self.text.push('\n'),
            b"li" => {
                self.line_break();
                self.text.push_str("- ");
            }
            b"td" | b"th" => self.words(" "),
            b"a" => self.link = href.map(|href| (href, self.text.len())),
            _ => self.block(name),
        }
    }

    fn end(&mut self, name: &[u8]) {
        match &self.hidden {
            Some(hidden) if hidden == name => self.hidden = None,
            Some(_) => {}
            None if name == b"a" => self.end_link(),
            None => self.block(name),
        }
    }

    /// Shows where a link leads, unless its text does so.
    fn end_link(&mut self) {
        let Some((href, begun)) = self.link.take() else { return };
        if self.text.get(begun..).is_some_and(|shown| !shown.contains(&href)) && href.contains(':') {
            self.text.extend([" (", &href, ")"]);
        }
    }

    fn block(&mut self, name: &[u8]) {
        match name {
            b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol" | b"table" | b"blockquote" | b"pre" => {
                self.blank_line();
            }
            b"div" | b"tr" | b"section" | b"article" | b"header" | b"footer" | b"hr" | b"dt" | b"dd" => self.line_break(),
            _ => {}
        }
    }

    /// White space is one space, as browsers show it.
    fn words(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        for character in text.chars() {
            if !character.is_whitespace() {
                self.text.push(character);
            } else if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
                self.text.push(' ');
            }
        }
    }

    fn line_break(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn blank_line(&mut self) {
        self.line_break();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sample;

    fn bodies(text: &str, fields: Value, html: Option<&str>) -> (String, Option<String>) {
        let job = sample::event(text, fields);
        let Bodies { text, html } = Bodies::of(&sample::message(&job), html);
        (text, html)
    }

    #[test]
    fn a_text_is_a_text_with_picture_and_link_below() {
        let (text, html) = bodies("b", json!({"title": "t", "url": "https://e.com", "image_url": "https://e.com/p"}), None);
        assert_eq!((text.as_str(), html), ("b\n\nhttps://e.com/p\n\nhttps://e.com", None));
    }

    #[test]
    fn markdown_is_shown_as_html_and_stays_readable_as_text() {
        let (text, html) = bodies("**b** & c", json!({"format": "markdown", "url": "https://e.com/?a&b"}), None);
        assert_eq!(text, "**b** & c\n\nhttps://e.com/?a&b");
        let link = "<a href=\"https://e.com/?a&amp;b\">https://e.com/?a&amp;b</a>";
        assert_eq!(html.unwrap(), format!("<p><strong>b</strong> &amp; c</p>\n\n\n{link}"));
    }

    #[test]
    fn html_is_also_there_as_text() {
        let page = "<!doctype html><head><title>T</title><style>p{}</style></head><h1>Head</h1>\n<p>a &amp;\n  b<br>c\
            <ul><li>1<li><a href='https://e.com'>here</a></ul><script>x()</script><a href=\"https://e.com/x\">https://e.com/x</a>\
            <table><tr><td>l</td><td>r</td></tr></table>";
        let (text, html) = bodies(page, json!({"format": "html"}), None);
        assert_eq!(text, "Head\n\na & b\nc\n\n- 1\n- here (https://e.com)\n\nhttps://e.com/x\n\nl r");
        assert_eq!(html.as_deref(), Some(page));
    }

    #[test]
    fn the_callers_own_html_wins() {
        let own = Some("<p>own</p>");
        assert_eq!(bodies("b", json!({"format": "markdown"}), own), ("b".to_owned(), Some("<p>own</p>".to_owned())));
    }

    #[test]
    fn tags_without_end_are_read_in_one_pass() {
        assert_eq!(to_text(&("<div><b>".repeat(200_000) + "x")), "x");
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(pieces in prop::collection::vec(
            prop_oneof![Just("<a href='x:"), Just("'>"), Just("</a>"), Just("<li>"), Just("<p"), Just("<!--"), Just("&#x"), Just("测 "), Just("<style>"), Just("</style>"), Just("<br/>")], 0..40)) {
            let page = pieces.concat();
            prop_assert!(to_text(&page).len() <= 4 * page.len());
            from_markdown(&page);
        }
    }
}
