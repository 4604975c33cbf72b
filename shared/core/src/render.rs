//! From an event to the message that a channel is handed: joined and cut in the provider's unit, never inside a character.

use unicode_segmentation::UnicodeSegmentation;

use crate::{
    channel::{Limit, Message, Spec, Unit},
    model::{Format, Job, Picture},
};

/// The message that `job` tells, within the limits of its channel. `picture` is the event's screenshot, if it has one.
pub fn message<'a>(job: &'a Job, spec: &Spec, picture: Option<&'a Picture>) -> Message<'a> {
    let event = &*job.event;
    let (title, text) = event.said_to(job.delivery);
    let fit = |text: &str, limit: Option<Limit>| limit.map_or_else(|| text.to_owned(), |limit| shorten(text, limit));
    Message {
        id: Some(job.delivery.to_string()),
        title: fit(title.unwrap_or_default(), spec.limits.title),
        body: fit(text, spec.limits.body),
        format: event.format,
        url: event.url.as_deref(),
        image_url: event.image_url.as_deref(),
        picture,
        address: job.address.as_ref(),
        registration: job.registration.as_str(),
        event,
    }
}

/// Title, blank line, body; an empty part vanishes. In markdown the title is a heading.
pub fn join(title: &str, body: &str, format: Format) -> String {
    match (title, body) {
        ("", body) => body.to_owned(),
        (title, "") => title.to_owned(),
        (title, body) if format == Format::Markdown => format!("# {title}\n\n{body}"),
        (title, body) => format!("{title}\n\n{body}"),
    }
}

/// `text` within `limit`, ending in `…` if something had to go.
pub fn shorten(text: &str, limit: Limit) -> String {
    const MARK: char = '…';
    if cut(text, limit).len() == text.len() {
        return text.to_owned();
    }
    let room = limit.max.saturating_sub(size(MARK, limit.unit));
    if room == 0 {
        return cut(text, limit).to_owned();
    }
    let mut short = cut(text, Limit { max: room, ..limit }).to_owned();
    short.push(MARK);
    short
}

/// The longest beginning of `text` within `limit` that ends between two characters, as people see them: an emoji of several
/// parts stays whole, and a letter keeps its accents. Where not even one of those fits, it ends between code points.
/// <https://www.unicode.org/reports/tr29/#Grapheme_Cluster_Boundaries>
pub fn cut(text: &str, limit: Limit) -> &str {
    match beginning(text, text.graphemes(true), limit) {
        "" => beginning(text, text.split_inclusive(|_| true), limit),
        whole => whole,
    }
}

/// Where `text` may be cut: between characters, as people see them; but not behind the last one.
pub fn boundaries(text: &str) -> impl Iterator<Item = usize> {
    text.grapheme_indices(true).map(|(at, _)| at)
}

/// As many of the pieces of `text` as fit.
fn beginning<'a>(text: &'a str, pieces: impl Iterator<Item = &'a str>, limit: Limit) -> &'a str {
    let (mut end, mut used) = (0, 0);
    for piece in pieces {
        used += length(piece, limit.unit);
        if used > limit.max {
            break;
        }
        end += piece.len();
    }
    text.get(..end).unwrap_or_default()
}

/// How much `text` counts for a provider.
pub fn length(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => text.len(),
        Unit::Chars => text.chars().count(),
        Unit::Utf16 => text.encode_utf16().count(),
    }
}

fn size(character: char, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => character.len_utf8(),
        Unit::Chars => 1,
        Unit::Utf16 => character.len_utf16(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(max: usize) -> Limit {
        Limit { max, unit: Unit::Bytes }
    }

    #[test]
    fn bytes_are_cut_between_characters() {
        for (text, max, cut_to) in [
            ("测试", 3, "测"),
            ("测试", 4, "测"),
            ("测试", 5, "测"),
            ("a😀b", 4, "a"),
            ("a😀b", 5, "a😀"),
            ("é", 1, ""),
            ("", 5, ""),
        ] {
            assert_eq!(cut(text, bytes(max)), cut_to, "{text} at {max}");
        }
    }

    #[test]
    fn a_character_of_several_parts_is_not_torn_unless_it_alone_is_too_long() {
        let utf16 = |max| Limit { max, unit: Unit::Utf16 };
        assert_eq!(cut("a👨‍👩‍👧", utf16(8)), "a");
        assert_eq!(cut("e\u{301}e\u{301}", Limit { max: 3, unit: Unit::Chars }), "e\u{301}");
        assert_eq!(cut("👨‍👩‍👧", utf16(3)), "👨\u{200d}");
    }

    #[test]
    fn utf_16_units_are_counted_as_providers_count_them() {
        for (text, units) in [("abc", 3), ("测", 1), ("😀", 2), ("👨‍👩‍👧", 8), ("é", 1)] {
            assert_eq!(length(text, Unit::Utf16), units, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_says_so() {
        assert_eq!(shorten("abcdef", Limit { max: 4, unit: Unit::Chars }), "abc…");
        assert_eq!(shorten("abcd", Limit { max: 4, unit: Unit::Chars }), "abcd");
        assert_eq!(shorten("abcdef", bytes(2)), "ab", "no room for the mark");
    }

    #[test]
    fn empty_parts_vanish() {
        assert_eq!(join("t", "b", Format::Text), "t\n\nb");
        assert_eq!(join("", "b", Format::Text), "b");
        assert_eq!(join("t", "", Format::Markdown), "t");
        assert_eq!(join("t", "b", Format::Markdown), "# t\n\nb");
    }

    proptest! {
        #[test]
        fn nothing_is_ever_over_the_limit_or_torn(text in "\\PC{0,40}", max in 0_usize..60, unit in prop::sample::select(vec![Unit::Bytes, Unit::Chars, Unit::Utf16])) {
            let limit = Limit { max, unit };
            let short = shorten(&text, limit);
            prop_assert!(length(&short, unit) <= max);
            prop_assert!(text.starts_with(short.trim_end_matches('…')));
            prop_assert_eq!(short == text, length(&text, unit) <= max);
        }
    }
}
