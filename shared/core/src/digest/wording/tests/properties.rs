//! What is true of all digests.

use html5gum::{Error, Token, Tokenizer};
use proptest::{collection::vec, prelude::*, sample::select};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::*;
use crate::{channel::Unit, model::RunResult};

const HOSTILE: [&str; 30] = [
    "\n# h",
    "\r\n- x",
    "\n\n## y\n",
    "*b*",
    "**",
    "_i_",
    "`c`",
    "```\n",
    "[l](https://e.com)",
    "![p](u)",
    "<https://e.com>",
    "<b>",
    "</td></tr></table>",
    "<script>",
    "\"",
    "'",
    "&amp;",
    "&#60;",
    "\\",
    "\\\\*",
    "~~",
    "||",
    " | ",
    "> q",
    "@all",
    "<@123>",
    "测试",
    "👨‍👩‍👧",
    "e\u{301}",
    "\u{2028}1. ",
];

fn hostile() -> impl Strategy<Value = String> {
    vec(prop_oneof![select(&HOSTILE[..]).prop_map(str::to_owned), "[a-z #]{1,6}", any::<char>().prop_map(String::from)], 0..12)
        .prop_map(|pieces| pieces.concat())
}

fn source() -> impl Strategy<Value = String> {
    let name = || hostile().prop_map(|name| name.replace(char::is_control, "").chars().take(60).collect::<String>());
    (name(), name()).prop_map(|(site, task)| format!("{site}/{task}"))
}

/// Digests of up to 60 events, each of which can be known by its time.
fn any_content() -> impl Strategy<Value = Content> {
    let result = select(vec![None, Some(RunResult::Success), Some(RunResult::Failure), Some(RunResult::Partial)]);
    let event = (0_usize..5, result, hostile(), proptest::option::of(hostile()), any::<[bool; 3]>());
    (vec(source(), 5), vec(event, 0..60), vec(source(), 0..3), 1_usize..80, any::<bool>()).prop_map(
        |(sources, events, idle, most, linked)| {
            let entries: Vec<_> = (1..)
                .zip(events)
                .map(|(second, (source, result, text, title, [manual, at_once, late]))| {
                    let made = entry(second, &sources[source], result, &text);
                    Entry {
                        title: title.map(|title| title.chars().take(20).collect()),
                        trigger: if manual { Trigger::Manual } else { Trigger::Auto },
                        at_once,
                        at: if late { made.at - jiff::SignedDuration::from_hours(1) } else { made.at },
                        ..made
                    }
                })
                .collect();
            let idle = idle.iter().map(|source| Source::parse(source).unwrap()).collect();
            let link = linked.then(|| "https://bellhop.example.com/a_b(c)?d=\"e\"&f".to_owned());
            Content { idle, link, ..content(&entries, most) }
        },
    )
}

fn formats() -> impl Strategy<Value = Format> {
    select(vec![Format::Text, Format::Markdown, Format::Html])
}

fn languages() -> impl Strategy<Value = Language> {
    select(vec![Language::English, Language::Chinese])
}

fn limits(max: std::ops::Range<usize>) -> impl Strategy<Value = Limit> {
    (max, select(vec![Unit::Bytes, Unit::Chars, Unit::Utf16])).prop_map(|(max, unit)| Limit { max, unit })
}

/// Every tag is one of ours, those that are opened are closed in order, and every link is the digest's own.
fn is_ours(html: &str, link: Option<&str>) -> Result<(), TestCaseError> {
    let mut open = Vec::new();
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                prop_assert!(["table", "tr", "td", "h2", "h3", "span", "a"].contains(&name.as_str()), "<{name}>");
                let href = tag.attributes.get(&b"href"[..]).map(|url| String::from_utf8_lossy(url).into_owned());
                prop_assert!(name != "a" || href.as_deref() == link, "{href:?}");
                open.push(name);
            }
            Token::EndTag(tag) => prop_assert_eq!(open.pop(), Some(String::from_utf8_lossy(&tag.name).into_owned())),
            Token::String(_) => {}
            // characters that Unicode assigns to nothing: no formatting either
            Token::Error(error)
                if matches!(error.value, Error::NoncharacterInInputStream | Error::ControlCharacterInInputStream) => {}
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => prop_assert!(false, "{html}"),
        }
    }
    prop_assert_eq!(open, Vec::<String>::new());
    Ok(())
}

/// The items of all lists, as they are read; nothing but headings, lists and the digest's own link is there.
fn items(markdown: &str, link: bool) -> Result<Vec<String>, TestCaseError> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES | Options::ENABLE_GFM;
    let (mut items, mut inside) = (Vec::new(), false);
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::Item) => {
                inside = true;
                items.push(String::new());
            }
            Event::End(TagEnd::Item) => inside = false,
            Event::Text(text) => {
                if let Some(item) = items.last_mut().filter(|_| inside) {
                    item.push_str(&text);
                }
            }
            Event::Start(Tag::Heading { level, .. }) => prop_assert!(!inside && level >= HeadingLevel::H2),
            Event::Start(Tag::Link { .. }) => prop_assert!(link && !inside),
            Event::Start(Tag::Paragraph | Tag::List(None))
            | Event::End(TagEnd::Paragraph | TagEnd::List(false) | TagEnd::Heading(_) | TagEnd::Link) => {}
            other => prop_assert!(false, "{other:?} in {markdown}"),
        }
    }
    Ok(items)
}

proptest! {
    #[test]
    fn every_line_stands_in_one_part_or_is_owned_up_to(
        content in any_content(), language in languages(), format in formats(), limit in limits(600..6000),
    ) {
        let told = parts(&content, language, format, None, Some(limit));
        let (mut shown, mut missing) = (Vec::new(), Vec::new());
        for line in content.lines() {
            let time = local(line.at, &content.time_zone);
            match told.iter().map(|part| part.message.matches(&time).count()).sum() {
                0 => missing.push(line.event),
                times => {
                    prop_assert_eq!(times, 1, "{}", time);
                    shown.push(line.event);
                }
            }
        }
        let (idle, lines) = (content.idle.len() as u64, missing.len() as u64);
        let owned_up = |lines| told.last().is_some_and(|part| part.message.contains(&language.not_shown(lines)));
        if !(lines..=lines + idle).any(owned_up) {
            // the oldest are missing, and counted as those are that were never listed
            prop_assert!(missing.iter().max() < shown.iter().min() || missing.is_empty());
            prop_assert_eq!(&told, &parts(&content.with_newest(shown.len()), language, format, None, Some(limit)));
        }
    }

    #[test]
    fn no_part_is_over_its_limit(
        content in any_content(), language in languages(), format in formats(), title in limits(0..60), body in limits(0..1500),
    ) {
        let told = parts(&content, language, format, Some(title), Some(body));
        prop_assert!((1..=20).contains(&told.len()));
        for part in told {
            prop_assert!(length(&part.title, title.unit) <= title.max, "{}", part.title);
            prop_assert!(length(&part.message, body.unit) <= body.max, "{}", part.message);
        }
    }

    #[test]
    fn nothing_that_is_said_is_read_as_a_tag(content in any_content(), language in languages(), limit in limits(0..3000)) {
        for part in parts(&content, language, Format::Html, None, Some(limit)) {
            is_ours(&part.message, content.link.as_deref())?;
        }
    }

    #[test]
    fn nothing_that_is_said_is_read_as_markdown_and_all_of_it_is_read(
        content in any_content(), language in languages(), limit in limits(0..3000),
    ) {
        for part in parts(&content, language, Format::Markdown, None, Some(limit)) {
            items(&part.message, content.link.is_some())?;
        }
        let whole = whole(&content, language, Format::Markdown).message;
        let items: Vec<_> = items(&whole, content.link.is_some())?.iter().map(|item| item.replace('\u{200b}', "")).collect();
        for line in content.lines() {
            let words = language.words(line).replace('\u{200b}', "");
            prop_assert!(items.iter().any(|item| item.contains(words.trim())), "`{words}` in {whole}");
        }
    }
}
