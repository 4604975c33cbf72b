//! Texts into HTML: what was written is what is shown.

/// A text between tags or inside the quotes of an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
    html
}

/// The same with its lines.
pub(crate) fn lines(text: &str) -> String {
    escaped(text).replace("\r\n", "\n").replace('\n', "<br>")
}

/// A link that shows where it leads.
pub(crate) fn link(url: &str) -> String {
    let url = escaped(url);
    format!("<a href=\"{url}\">{url}</a>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_begin_a_tag_or_end_an_attribute() {
        assert_eq!(escaped("<b a=\"1\">&amp;'测"), "&lt;b a=&quot;1&quot;&gt;&amp;amp;'测");
        assert_eq!(link("https://e.com/?a=\"&b"), "<a href=\"https://e.com/?a=&quot;&amp;b\">https://e.com/?a=&quot;&amp;b</a>");
    }
}
