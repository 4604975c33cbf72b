//! What every channel makes of texts that are written to be slow or large once they are converted.

use bellhop_channels::ALL;
use bellhop_core::{
    channel::{Body, Step},
    model::Format,
};

use crate::{channels, job, sends, step};

/// Longer than what most channels show. Work that grows with the square of this would be more than a test is given.
const LONG: usize = 50_000;

/// Far more than any text needs that is no attack: a cell of a table may take 36 times the sign that begins it.
const MOST_GROWTH: usize = 48;

const HALF: usize = LONG / 2;

fn filled(piece: &str) -> String {
    piece.repeat(LONG / piece.len())
}

/// Hands a text to every channel, which makes a request of it that is in proportion to it.
fn every_channel_takes(format: Format, text: &str) {
    let beginning: String = text.chars().take(20).collect();
    for channel in channels() {
        let id = channel.spec().id;
        let job = job(channel, "title", text, format);
        let step = step(channel, &(ALL.render)(&job, channel.spec(), None), &[]);
        assert!(sends(&step), "{id}: {beginning}: {step:?}");
        assert!(size(&step) <= MOST_GROWTH * text.len(), "{id}: {} bytes of {beginning}", size(&step));
    }
}

fn size(step: &Step) -> usize {
    match step {
        Step::Ask(outgoing) | Step::Call(outgoing) => match &outgoing.body {
            Body::Empty => outgoing.url.len(),
            Body::Json(text) => text.len(),
            Body::Form(pairs) => pairs.iter().map(|(name, value)| name.len() + value.len()).sum(),
            Body::Raw(bytes) => bytes.len(),
        },
        Step::Mail(mail) => mail.message.len(),
        Step::Ses(mail) => mail.message.len(),
        Step::Socket(frame) => frame.text.len(),
        Step::Push(_, text) => text.len(),
        Step::Token(_) | Step::Vapid | Step::Renew(_) | Step::Done | Step::DoneBut(_) | Step::Fail(_) => 0,
    }
}

#[test]
fn quotes_in_quotes() {
    every_channel_takes(Format::Markdown, &filled(">"));
    every_channel_takes(Format::Markdown, &format!("{}x\n{}", ">".repeat(HALF), "> a\n".repeat(HALF / 4)));
}

#[test]
fn lists_in_lists() {
    every_channel_takes(Format::Markdown, &format!("{}x", filled("- ")));
    every_channel_takes(Format::Markdown, &format!("{}x\n{}", "1. ".repeat(HALF / 3), "\n  a\n".repeat(HALF / 5)));
    every_channel_takes(Format::Markdown, &(0..480).map(|depth| "  ".repeat(depth) + "- a\n").collect::<String>());
}

#[test]
fn emphasis_in_emphasis() {
    every_channel_takes(Format::Markdown, &format!("{}x{}", "*a _b ".repeat(HALF / 6), "_*".repeat(HALF / 6)));
    every_channel_takes(Format::Markdown, &filled("**a _b "));
}

#[test]
fn links_in_links() {
    every_channel_takes(Format::Markdown, &filled("["));
    let one_long_address = format!("[a]: https://e.com/{}\n\n{}", "x".repeat(HALF), "[a]".repeat(HALF / 3));
    every_channel_takes(Format::Markdown, &one_long_address);
    let no_address = format!("<a href=\"{}\">{}", "x".repeat(HALF), "y<br>".repeat(HALF / 5));
    every_channel_takes(Format::Html, &no_address);
}

#[test]
fn tables_of_thousands_of_cells() {
    let head = |columns: usize| format!("{}\n{}\n", "|a".repeat(columns), "|:-:".repeat(columns));
    every_channel_takes(Format::Markdown, &format!("{}{}", head(HALF / 8), "|b".repeat(HALF / 2)));
    every_channel_takes(Format::Markdown, &format!("{}{}", head(2000), "a\n".repeat(LONG / 2 - 6000)));
}

#[test]
fn code_and_spaces_in_code() {
    every_channel_takes(Format::Markdown, &(1..700).map(|length| "`".repeat(length) + "a").collect::<String>());
    every_channel_takes(Format::Html, &format!("<pre>{}{}", " ".repeat(HALF), "<p>".repeat(HALF / 3)));
}

#[test]
fn tags_without_end() {
    every_channel_takes(Format::Markdown, &filled("<b><i>"));
    every_channel_takes(Format::Html, &format!("{}x", "<div>".repeat(50_000)));
    every_channel_takes(Format::Html, &filled("<ul><li><blockquote>x"));
    every_channel_takes(Format::Html, &format!("x <a href=\"{}", filled("a=\"<b>")));
}

#[test]
fn marks_on_one_letter() {
    let letter = format!("e{}", "\u{301}".repeat(HALF));
    every_channel_takes(Format::Text, &letter);
    every_channel_takes(Format::Markdown, &format!("*{letter}*"));
    every_channel_takes(Format::Html, &format!("<b>{letter}</b>"));
    every_channel_takes(Format::Text, &"👨\u{200d}".repeat(LONG / 7));
    every_channel_takes(Format::Text, &filled("🇩"));
}

#[test]
fn signs_that_are_escaped() {
    for sign in ["\"", "\n", "\u{1}", "*_`<&"] {
        every_channel_takes(Format::Text, &filled(sign));
    }
    every_channel_takes(Format::Markdown, &filled("&quot;"));
    every_channel_takes(Format::Html, &filled("&amp&#x1f600"));
    every_channel_takes(Format::Text, &format!("a{}b", " ".repeat(LONG - 2)));
}
