//! The message itself: headers and parts, as bytes. <https://www.rfc-editor.org/rfc/rfc5322>, <https://www.rfc-editor.org/rfc/rfc2045>
//!
//! Promise: the same message, parameters and context give the same bytes, all of them ASCII; no text ends a header, and none
//! is a boundary, since those hold letters of chance. Encoding is mail-builder's.

use bellhop_core::{
    channel::{Context, Limit, Message, Unit},
    model::Picture,
    render::shorten,
};
use mail_builder::{
    MessageBuilder,
    headers::{address::Address, content_type::ContentType, raw::Raw},
    mime::MimePart,
};

use crate::{bodies::Bodies, mailbox::Mailbox};

/// Of a subject that is made of the text.
const SUBJECT: Limit = Limit { max: 78, unit: Unit::Chars };

/// The mail that tells `message`.
pub(crate) fn write(cx: &Context, message: &Message, from: &Mailbox, to: &[Mailbox], html: Option<&str>) -> Vec<u8> {
    let bodies = Bodies::of(message, html);
    let id = message.id.clone().unwrap_or_else(|| message.event.id.to_string());
    let built = MessageBuilder::new()
        .from(address(from))
        .to(to.iter().map(address).collect::<Vec<_>>())
        .subject(subject(message, &bodies))
        .date(cx.now.as_second())
        // the same for every attempt, so that a mailbox may drop a repetition
        .message_id(format!("{id}@{}", from.domain()))
        // no answers from holidays: <https://www.rfc-editor.org/rfc/rfc3834#section-5>
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .body(body(cx, bodies, message.picture));
    let mut bytes = Vec::new();
    built.serialize(&mut bytes);
    bytes
}

fn address(mailbox: &Mailbox) -> Address<'_> {
    Address::new_address(mailbox.name.as_deref(), mailbox.address.as_str())
}

/// The title, else the beginning of the text; one line.
pub(crate) fn subject(message: &Message, bodies: &Bodies) -> String {
    let title = one_line(&message.title);
    if title.is_empty() { shorten(&one_line(bodies.text.lines().next().unwrap_or_default()), SUBJECT) } else { title }
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text, with the HTML behind it, since the last one that can be shown is; and then the picture.
/// <https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4>
fn body<'a>(cx: &Context, bodies: Bodies, picture: Option<&'a Picture>) -> MimePart<'a> {
    let boundary = cx.nonce("boundary", 24);
    let text = MimePart::new(plain("text/plain"), lines(&bodies.text));
    let body = match bodies.html {
        Some(html) => {
            multipart("alternative", format!("=_{boundary}"), vec![text, MimePart::new(plain("text/html"), lines(&html))])
        }
        None => text,
    };
    let Some(picture) = picture else { return body };
    let (media_type, name) = picture_type(&picture.0);
    let attached = MimePart::new(media_type, &*picture.0).attachment(name);
    multipart("mixed", format!("=_{boundary}_mixed"), vec![body, attached])
}

fn plain(media_type: &'static str) -> ContentType<'static> {
    ContentType::new(media_type).attribute("charset", "utf-8")
}

fn multipart<'a>(subtype: &str, boundary: String, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    MimePart::new(ContentType::new(format!("multipart/{subtype}")).attribute("boundary", boundary), parts)
}

/// Lines end in CR LF, in encoded parts too, and control characters are none of a text's.
/// <https://www.rfc-editor.org/rfc/rfc2049#section-4>
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let shown = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    shown.collect::<String>().replace('\n', "\r\n")
}

/// A picture's type and a name for it, by its first bytes.
pub(crate) fn picture_type(picture: &[u8]) -> (&'static str, &'static str) {
    match picture {
        [0x89, b'P', b'N', b'G', ..] => ("image/png", "picture.png"),
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", "picture.jpg"),
        [b'G', b'I', b'F', b'8', ..] => ("image/gif", "picture.gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("image/webp", "picture.webp"),
        _ => ("application/octet-stream", "picture"),
    }
}
