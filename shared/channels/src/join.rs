//! Title, text, picture and link in one text, and that text within a limit.
//!
//! The order is title, text, picture, link, with blank lines between; an empty part vanishes. Where something has to go, it
//! is the end of the text: a link that is cut leads nowhere.

use bellhop_core::{
    channel::{Limit, Message},
    model::Format,
    render::{self, length},
};

use crate::{
    format::{fitting, markdown, shorten},
    html,
};

/// A text and what stands below it.
pub(crate) struct Joined {
    text: String,
    format: Format,
    links: Vec<String>,
}

impl Joined {
    /// As plain text: picture and link as they are.
    pub(crate) fn plain(message: &Message) -> Self {
        let links = [message.image_url, message.url].into_iter().flatten().map(str::to_owned).collect();
        Self { text: render::join(&message.title, &message.body, Format::Text), format: Format::Text, links }
    }

    /// As markdown, with the title as a heading: the picture is shown, the link can be clicked.
    pub(crate) fn markdown(message: &Message) -> Self {
        let title = markdown::literal(&message.title);
        Self { text: render::join(&title, &message.body, Format::Markdown), ..Self::markdown_without_title(message) }
    }

    /// As markdown for providers that take the title by itself.
    pub(crate) fn markdown_without_title(message: &Message) -> Self {
        let picture = message.image_url.map(|url| format!("![]({url})"));
        let link = message.url.map(|url| format!("[{url}]({url})"));
        let links = [picture, link].into_iter().flatten().collect();
        Self { text: message.body.clone(), format: Format::Markdown, links }
    }

    /// As HTML (the text is HTML already) for providers that take the title by itself.
    pub(crate) fn html_without_title(message: &Message) -> Self {
        let picture = message.image_url.map(|url| format!("<img src=\"{}\">", html::escaped(url)));
        let link = message.url.map(html::link);
        Self { text: message.body.clone(), format: Format::Html, links: [picture, link].into_iter().flatten().collect() }
    }

    /// A body alone.
    pub(crate) fn body(message: &Message) -> Self {
        Self { text: message.body.clone(), format: message.format, links: Vec::new() }
    }

    /// The same with another text above the links.
    pub(crate) fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The whole.
    pub(crate) fn whole(&self) -> String {
        self.with(&self.text)
    }

    /// The whole within a limit: the text is shortened; links that leave it no room are left out.
    pub(crate) fn within(&self, limit: Limit) -> String {
        let below = length(&self.with(""), limit.unit) + 2; // the blank line between
        match limit.max.checked_sub(below) {
            Some(room) if room > 0 && !self.links.is_empty() => {
                self.with(&shorten(&self.text, self.format, Limit { max: room, ..limit }))
            }
            _ => shorten(&self.text, self.format, limit),
        }
    }

    /// As much of it that `size` is at most `max`: for providers that measure the encoded request. Nothing if even that is
    /// too much.
    pub(crate) fn fit(&self, max: usize, size: impl Fn(&str) -> usize) -> String {
        let whole = self.whole();
        if size(&whole) <= max {
            return whole;
        }
        let text = fitting(&self.text, self.format, |text| size(&self.with(text)) <= max);
        if self.links.is_empty() {
            return text;
        }
        if text.is_empty() { fitting(&self.text, self.format, |text| size(text) <= max) } else { self.with(&text) }
    }

    fn with(&self, text: &str) -> String {
        let parts = std::iter::once(text).chain(self.links.iter().map(String::as_str));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

/// The text as markdown that shows it. In plain text every line becomes a paragraph, since a single line break would vanish.
pub(crate) fn paragraphs(message: &Message) -> String {
    match message.format {
        Format::Text => markdown::literal(&message.body.replace("\r\n", "\n").replace('\n', "\n\n")),
        Format::Markdown | Format::Html => message.body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::channel::Unit;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn chars(max: usize) -> Limit {
        Limit { max, unit: Unit::Chars }
    }

    #[test]
    fn the_end_of_the_text_goes_first_and_the_links_only_if_they_leave_no_room() {
        let job = sample::event("0123456789", json!({"title": "t", "url": "https://e.com", "image_url": "https://e.com/p"}));
        let joined = Joined::plain(&sample::message(&job));
        assert_eq!(joined.whole(), "t\n\n0123456789\n\nhttps://e.com/p\n\nhttps://e.com");
        assert_eq!(joined.within(chars(40)), "t\n\n0123…\n\nhttps://e.com/p\n\nhttps://e.com");
        assert_eq!(joined.within(chars(10)), "t\n\n012345…");
    }

    #[test]
    fn in_markdown_the_picture_is_shown_and_the_link_can_be_clicked() {
        let job = sample::event("b", json!({"title": "t", "url": "https://e.com", "image_url": "https://e.com/p"}));
        let message = sample::message(&job);
        let links = "b\n\n![](https://e.com/p)\n\n[https://e.com](https://e.com)";
        assert_eq!(Joined::markdown(&message).whole(), format!("# t\n\n{links}"));
        assert_eq!(Joined::markdown_without_title(&message).whole(), links);
    }

    proptest! {
        #[test]
        fn it_fits_in_whatever_unit(text in sample::any_text(), max in 0_usize..80) {
            let job = sample::event(&text, json!({"title": "t", "url": "https://e.com"}));
            let joined = Joined::plain(&sample::message(&job));
            for unit in [Unit::Bytes, Unit::Chars, Unit::Utf16] {
                let limit = Limit { max, unit };
                prop_assert!(length(&joined.within(limit), unit) <= max);
            }
            let escaped = |text: &str| json!(text).to_string().len();
            prop_assert!(escaped(&joined.fit(max + 2, escaped)) <= max + 2);
        }
    }
}
