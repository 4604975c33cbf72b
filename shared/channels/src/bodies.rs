//! One message as text and, where there is something to show, as HTML: both go into a mail, and its reader chooses.
//!
//! Left to others: encoding and boundaries, and how a format becomes another ([`crate::format`]).

use bellhop_core::{channel::Message, model::Format};

use crate::{
    format::{as_text, markdown},
    join::Joined,
};

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
        let rendered = match message.format {
            Format::Text => None,
            Format::Markdown => Some(markdown::to_html(&message.body)),
            Format::Html => Some(message.body.clone()),
        };
        let html = html.map(str::to_owned).or(rendered);
        Self {
            text: Joined::plain(message).with_text(as_text(message)).whole(),
            html: html.map(|html| Joined::html_without_title(message).with_text(html).whole()),
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn markdown_is_shown_as_html_and_readable_as_text() {
        let (text, html) = bodies("**b** & c", json!({"format": "markdown", "url": "https://e.com/?a&b"}), None);
        assert_eq!(text, "b & c\n\nhttps://e.com/?a&b");
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
}
