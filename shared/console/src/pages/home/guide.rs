//! How to begin: three steps, shown until the first message was sent.

use bellhop_core::channel::Text;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    call::segment,
    fields::Fields,
    language::texts,
    show::{mark, text},
    visitor::Visitor,
};

texts! {
    WELCOME = "Three steps to the first message", "三步发出第一条消息";
    DONE = "done", "已完成";
    NOT_DONE = "not done yet", "未完成";
    MAKE = "Make a registration: where messages go.", "新建推送注册：消息发往哪里。";
    TEST = "Test it on its page: you see what the provider answers.", "在其页面上测试：可以看到服务商的回应。";
    SEND = "Send a message, and see what comes of it.", "发送一条消息，查看投递结果。";
    RULE = "Afterwards make a rule, so that events reach it by themselves.", "之后新建规则，让事件自动送达。";
}

/// What is done already is not asked for again.
pub(super) fn steps(visitor: &Visitor, registrations: &[Value]) -> Markup {
    let first = registrations.first().map(|registration| text(registration, "name"));
    let make = Some("/console/new-registration".to_owned());
    let test = first.map(|name| format!("/console/registrations/{}#test", segment(name)));
    let send = Fields::of(first.map(|name| ("to", name))).query(&["to"]);
    html! {
        section.card {
            h2 { (visitor.say(WELCOME)) }
            ol {
                (step(visitor, MAKE, first.is_some(), make))
                (step(visitor, TEST, visitor.has_tested, test))
                (step(visitor, SEND, false, Some(format!("/console/send{send}"))))
            }
            p { a href="/console/new-rule" { (visitor.say(RULE)) } }
        }
    }
}

/// A step, and where it is taken, as soon as it can be.
fn step(visitor: &Visitor, what: Text, is_done: bool, path: Option<String>) -> Markup {
    let (class, word) = if is_done { ("delivered", DONE) } else { ("", NOT_DONE) };
    html! {
        li {
            @match path.filter(|_| !is_done) {
                Some(path) => { a href=(path) { (visitor.say(what)) } }
                None => { (visitor.say(what)) }
            }
            " " (mark(class, visitor.say(word)))
        }
    }
}
