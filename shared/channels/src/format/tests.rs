//! What was written, and what is shown of it.

use bellhop_core::{channel::Limits, render::cut};
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    ALL,
    join::Joined,
    sample::{self, written},
};

fn text_of(html: &str) -> String {
    converted(html, Format::Html, Format::Text)
}

fn converted(text: &str, from: Format, to: Format) -> String {
    super::converted(text, from, to, Enough::ALL)
}

#[test]
fn a_page_is_read_as_people_see_it() {
    let page = "<!doctype html><head><title>T</title><style>p{}</style></head><h1>Head</h1>\n<p>a &amp;\n  b<br>c\
        <ul><li>1<li><a href='https://e.com'>here</a><ol><li>x<li>y</ol></ul><script>x()</script>\
        <blockquote>q<br>r</blockquote><pre>if x {\n    y\n}</pre><table><tr><td>l</td><td>r</td></tr></table>";
    let text = "Head\n\na & b\nc\n\n- 1\n- here (https://e.com)\n  1. x\n  2. y\n\n> q\n> r\n\nif x {\n    y\n}\n\nl r";
    assert_eq!(text_of(page), text);
}

#[test]
fn markdown_is_readable_where_only_text_is_shown() {
    let text =
        "# Head\n**b** *i* ~~s~~ `c`\nnext [here](https://e.com) <https://e.com/x>\n\n* 1\n* 2\n\n![chart](https://e.com/p.png)";
    let plain = "Head\n\nb i s c\nnext here (https://e.com) https://e.com/x\n\n- 1\n- 2\n\nchart (https://e.com/p.png)";
    assert_eq!(converted(text, Format::Markdown, Format::Text), plain);
}

#[test]
fn html_becomes_the_markdown_that_it_would_have_been() {
    let page = "<h2>Head</h2><p><b>bold</b> and <i>slanted</i>, <a href=\"https://e.com/(x)\">a link</a>, <code>a*b</code>, 2 * 3<ul><li>1<li>2</ul>";
    let markdown = "## Head\n\n**bold** and *slanted*, [a link](https://e.com/%28x%29), `a*b`, 2 \\* 3\n\n- 1  \n- 2";
    assert_eq!(converted(page, Format::Html, Format::Markdown), markdown);
}

#[test]
fn formatting_that_goes_over_lines_or_is_not_nested_stays_whole() {
    let page = "<b>one<br>two <i>three</b> four</i><b><b>x</b>y</b>";
    assert_eq!(converted(page, Format::Html, Format::Markdown), "**one**  \n**two *three*** *four***xy**");
}

#[test]
fn a_text_that_is_no_markdown_loses_nothing() {
    for plain in ["hi @everyone", "a_b_c", "2 * 3 * 4 = 24", "1. one\n2. two", "- a\n- b", "C:\\temp", "a < b & c > d"] {
        assert_eq!(markdown::literal(plain), plain);
    }
    for (text, literal) in [
        ("*all* of _it_", r"\*all\* of \_it\_"),
        ("# no heading", r"\# no heading"),
        ("<script>", r"\<script>"),
        ("||hidden||", r"\|\|hidden\|\|"),
        ("[x](y)\n> z", "\\[x\\](y)  \n\\> z"),
        ("&lt;", r"\&lt;"),
        ("a\n---\nb", "a  \n\\---  \nb"),
    ] {
        assert_eq!(markdown::literal(text), literal);
        assert_eq!(
            converted(literal, Format::Markdown, Format::Text).split_whitespace().collect::<String>(),
            text.split_whitespace().collect::<String>()
        );
    }
}

#[test]
fn a_message_comes_in_the_nearest_format_that_the_channel_shows() {
    let shown = |id: &str, format: &str, text: &str| {
        let job = sample::event(text, json!({ "format": format }));
        let message = message(&job, ALL.get(id).unwrap(), None);
        (message.format, message.body)
    };
    for (id, format, body) in [
        ("xxtui", "markdown", (Format::Text, "b & c".to_owned())),
        ("xxtui", "html", (Format::Text, "b & c".to_owned())),
        ("gotify", "html", (Format::Markdown, "**b** & c".to_owned())),
        ("gotify", "markdown", (Format::Markdown, "**b** & c".to_owned())),
        ("matrix", "markdown", (Format::Html, "<p><strong>b</strong> &amp; c</p>\n".to_owned())),
        ("webhook", "html", (Format::Html, "<b>b</b> &amp; c".to_owned())),
        ("discord", "text", (Format::Markdown, "**b** & c".replace("**", r"\*\*"))),
    ] {
        let text = if format == "html" { "<b>b</b> &amp; c" } else { "**b** & c" };
        assert_eq!(shown(id, format, text), body, "{id}, {format}");
    }
}

#[test]
fn tags_without_end_are_read_in_one_pass() {
    assert_eq!(text_of(&("<div><b>".repeat(200_000) + "x")), "x");
    assert_eq!(text_of(&("<ul><li><blockquote>".repeat(50_000) + "x")).trim_start_matches(['>', '-', ' ', '\n']), "x");
}

/// How deep elements are nested that may be nested.
fn depth(html: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        let is_nested = |name: &[u8]| [&b"blockquote"[..], b"ul", b"ol", b"li", b"em", b"strong", b"del"].contains(&name);
        match token {
            Token::StartTag(tag) if is_nested(&tag.name) => depth += 1,
            Token::EndTag(tag) if is_nested(&tag.name) => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    assert_eq!(depth, 0, "what is begun is ended");
    deepest
}

#[test]
fn what_is_nested_deeper_than_anybody_reads_is_shown_as_text() {
    for (text, shown) in [
        (">".repeat(1000) + " x", "x"),
        (">".repeat(90) + " x\n" + &">".repeat(90) + "\n" + &">".repeat(90) + " y", "x\n\n> y"),
        ("- ".repeat(1000) + "x", "- x"),
        ("1. ".repeat(50) + "x\n" + &"   ".repeat(20) + "2. y", "y"),
        ("*a _b ".repeat(500) + "x" + &"_*".repeat(500), "x"),
    ] {
        let html = markdown::to_html(&text);
        assert!((12..=16).contains(&depth(&html)), "{}: {html}", depth(&html));
        assert!(read(&text, Format::Markdown).text().contains(shown), "{text}: {}", read(&text, Format::Markdown).text());
    }
}

#[test]
fn a_line_of_signs_is_no_nest() {
    assert!(markdown::to_html(&"- ".repeat(200)).contains("<hr />"));
    let far = format!("```\n{}- x > 1. y\n```", " ".repeat(60));
    assert!(text_of(&markdown::to_html(&far)).ends_with("- x > 1. y"));
}

#[test]
fn a_table_with_more_cells_than_text_is_shown_as_text() {
    let table = |rows: usize| format!("{}\n{}\n{}", "|a".repeat(100), "|-".repeat(100), "b\n".repeat(rows));
    assert!(markdown::to_html(&table(10)).contains("<td>"));
    assert!(!markdown::to_html(&table(1000)).contains("<td>"));
}

#[test]
fn cutting_looks_at_little_more_than_what_fits() {
    let long = Rich::plain("测试 ".repeat(100_000));
    let looked_at = std::cell::Cell::new(0);
    let short = long.write_fitting(&PLAIN, |text| {
        looked_at.set(looked_at.get() + text.len());
        text.len() <= 4000
    });
    assert!((3990..=4000).contains(&short.len()), "{}", short.len());
    let beside_the_whole = looked_at.get() - long.text().len();
    assert!(beside_the_whole <= 40 * 4000, "{beside_the_whole}");
}

#[test]
fn a_character_without_end_is_shown_as_far_as_it_fits() {
    let rich = Rich::plain(format!("e{}", "\u{301}".repeat(1000)));
    assert_eq!(rich.write_fitting(&PLAIN, |text| text.len() <= 10), "e\u{301}\u{301}\u{301}…");
}

#[test]
fn no_more_is_read_than_is_shown() {
    let limit = Limit { max: 100, unit: bellhop_core::channel::Unit::Bytes };
    for (text, format) in [
        ("x ".repeat(100_000), Format::Text),
        ("**x**\n\n".repeat(30_000), Format::Markdown),
        ("<p>x</p>".repeat(30_000), Format::Html),
    ] {
        assert!(enough_of(&text, format, Enough::over(limit)).text().len() <= 4 * limit.max);
    }
}

/// Every tag that is opened is closed, in order, and every `&` begins an entity.
fn is_well_formed(html: &str) -> bool {
    let mut open = Vec::new();
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) if *tag.name == *b"br" => {}
            Token::StartTag(tag) => open.push(tag.name),
            Token::EndTag(tag) if open.pop() != Some(tag.name.clone()) => return false,
            Token::Error(_) => return false,
            Token::EndTag(_) | Token::String(_) | Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    let entities = ["amp;", "lt;", "gt;", "quot;"];
    open.is_empty() && html.split('&').skip(1).all(|rest| entities.iter().any(|entity| rest.starts_with(entity)))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect()
}

proptest! {
    #[test]
    fn no_page_makes_it_panic_and_none_grows(pieces in prop::collection::vec(
        prop_oneof![Just("<a href='x://'"), Just("'>"), Just("</a>"), Just("<li>"), Just("<p"), Just("<!--"), Just("&#x"), Just("测 "),
            Just("<style>"), Just("</style>"), Just("<br/>"), Just("<b>"), Just("</b>"), Just("<i>"), Just("</i>"), Just("<pre>"), Just("</pre>"),
            Just("<code>"), Just("</code>"), Just("<blockquote>"), Just("</blockquote>"), Just("<ol>"), Just("</ul>"), Just("\n"), Just("<h1>")], 0..60)) {
        let page = pieces.concat();
        prop_assert!(text_of(&page).len() <= 8 * page.len());
        prop_assert!(is_well_formed(&read(&page, Format::Html).write(&HTML)), "{}", read(&page, Format::Html).write(&HTML));
        markdown::to_html(&page);
    }

    #[test]
    fn no_markdown_grows_beyond_proportion(pieces in prop::collection::vec(prop::sample::select(vec![
        ">", "> ", "- ", "1. ", "* ", "*", "**", "_", "~~", "|", "|-", "|:-:", "\n", "\n\n", "a", " ", "    ", "`", "```\n", "#", "---\n", "[", "](", ")",
        "[a]", "[a]: b\n", "<", "<b>", "&", "\"", "![", "\\", "\t", "测"]), 0..400)) {
        let text = pieces.concat();
        let html = markdown::to_html(&text);
        prop_assert!(html.len() <= 48 * text.len(), "{} of {}", html.len(), text.len());
        let tags = text.matches('<').count();
        prop_assert!(tags > 0 || depth(&html) <= 16, "{}", html);
        prop_assert!(page::read(&html, Enough::ALL).text().len() <= 8 * html.len());
    }

    #[test]
    fn a_text_that_is_read_in_part_is_cut_to_the_same_as_if_it_were_read_whole(
        (format, text) in prop::sample::select(vec![Format::Markdown, Format::Html]).prop_flat_map(|format| (Just(format), written(format))),
        max in 4_usize..150,
    ) {
        for unit in [bellhop_core::channel::Unit::Bytes, bellhop_core::channel::Unit::Chars, bellhop_core::channel::Unit::Utf16] {
            let limit = Limit { max, unit };
            for to in [Format::Text, Format::Markdown, Format::Html] {
                let in_part = shorten(&super::converted(&text, format, to, Enough::over(limit)), to, limit);
                let whole = converted(&text, format, to);
                let fits = |text: &str| length(text, unit) <= max;
                let cut = match to {
                    _ if fits(&whole) => whole,
                    Format::Text => render::shorten(&whole, limit),
                    Format::Markdown | Format::Html => fitting(&whole, to, fits),
                };
                // a line break more or less, or the end of a mark, may fit before the `…`
                let said = |text: &str| words(read(text, to).text());
                prop_assert_eq!(said(&in_part), said(&cut), "{:?} to {:?} in {} {:?}", format, to, max, unit);
            }
        }
    }

    #[test]
    fn whatever_a_channel_shows_is_within_its_limit_and_not_torn(
        (format, text) in prop::sample::select(vec![Format::Text, Format::Markdown, Format::Html]).prop_flat_map(|format| (Just(format), written(format))),
        max in 0_usize..150,
    ) {
        let job = sample::event(&text, json!({ "format": format }));
        let mut seen = Vec::new();
        for spec in ALL.specs {
            let Some(limit) = spec.limits.body else { continue };
            let limit = Limit { max, ..limit };
            let kind = (limit.unit, spec.shows);
            if seen.contains(&kind) {
                continue;
            }
            seen.push(kind);
            let short = message(&job, &Spec { limits: Limits { body: Some(limit), ..spec.limits }, ..**spec }, None);
            let whole = message(&job, &Spec { limits: Limits { body: None, ..spec.limits }, ..**spec }, None);
            prop_assert!(length(&short.body, limit.unit) <= max, "{}: {}", spec.id, short.body);
            if short.body == whole.body {
                continue;
            }
            if short.format == Format::Html {
                prop_assert!(is_well_formed(&short.body), "{}: {}", spec.id, short.body);
            }
            let (shown, all) = (read(&short.body, short.format), read(&whole.body, whole.format));
            let (shown, all) = (shown.text().trim_end_matches('…'), all.text());
            prop_assert!(words(all).starts_with(&words(shown)), "{}: `{}` of `{}`", spec.id, short.body, whole.body);
            // what is left ends where a character does, unless there was no room for a single one
            let kept = words(shown).chars().count();
            let fits = cut(&words(all), Limit { max: kept, unit: bellhop_core::channel::Unit::Chars }) == words(shown);
            prop_assert!(fits || max < 40, "{}: `{}` of `{}`", spec.id, shown, all);
        }
    }

    #[test]
    fn with_picture_and_link_below_it_is_not_torn_either(html in written(Format::Html), markdown in written(Format::Markdown), max in 0_usize..250) {
        let fields = json!({"url": "https://e.com/?a&b", "image_url": "https://e.com/p.png"});
        let limit = Limit { max, unit: bellhop_core::channel::Unit::Bytes };
        let job = sample::event(&html, fields.clone());
        let joined = Joined::html_without_title(&sample::message(&job));
        for short in [joined.within(limit), joined.fit(max, str::len)] {
            let html = short.replace("<img src=\"https://e.com/p.png\">", ""); // which has no end
            prop_assert!(short.len() <= max && is_well_formed(&html), "{short}");
        }
        let job = sample::event(&markdown, fields);
        let joined = Joined::markdown_without_title(&sample::message(&job));
        let whole = words(read(&markdown, Format::Markdown).text());
        for short in [joined.within(limit), joined.fit(max, str::len)] {
            let shown = short.split("\n\n![](https://e.com/p.png)").next().unwrap();
            let shown = words(read(shown.trim_end_matches('…'), Format::Markdown).text());
            prop_assert!(short.len() <= max && (whole.starts_with(&shown) || short.starts_with("![]")), "{short}");
        }
    }
}
