//! What would become of an event: asked before it happens, and shown as the page of an event shows what did.

use axum::{http::Method, response::Response};
use bellhop_core::channel::Text;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::{
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form},
    language::texts,
    layout::Section,
    pages::messages::{collected, decisions, members, not_told},
    show::text,
    table::table,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "What would happen?", "会发生什么？";
    WHAT = "Describe an event, and see what your rules would do with it now. Nothing is counted, kept or sent.", "描述一个事件，查看规则现在会如何处理它。不会计数、保存或发送任何内容。";
    SOURCE = "Source", "来源";
    SOURCE_HELP = "Site and task, for example QD/Example/main.", "站点与任务，例如 QD/Example/main。";
    TYPE = "Type", "类型";
    TRIGGER = "Trigger", "触发方式";
    AUTO = "automatic", "定时";
    MANUAL = "manual", "手动";
    RESULT = "Result", "结果";
    NO_RUN = "none: it is not a run", "无：不是一次运行";
    SUCCESS = "success", "成功";
    FAILURE = "failure", "失败";
    PARTIAL = "partial", "部分成功";
    MESSAGE = "Message", "内容";
    FINAL = "The source has given up", "来源已放弃重试";
    EXPLAIN = "Show what would happen", "查看结果";
    REACHED = "Who would get it at once", "会立即收到的接收方";
    NOBODY = "Nobody would get it at once.", "没有人会立即收到。";
    REGISTRATION = "Registration", "推送注册";
    CHANNEL = "Channel", "渠道";
    ADDRESS = "Address", "地址";
    WORDS_OF = "In the words of", "使用的文案";
    ITS_OWN = "the event", "事件自身";
}

pub(super) const PATH: &str = "/console/explain";

/// The fields that are sent as they are typed.
const TEXTS: [&str; 5] = ["source", "type", "trigger", "result", "message"];

/// What an event most often is that somebody asks about.
pub(super) async fn ask(visitor: Visitor, query: Fields) -> Response {
    let usual = [("event.trigger", "auto"), ("event.result", "failure")];
    let fields =
        usual.into_iter().fold(query, |fields, (name, value)| if fields.is_on(name) { fields } else { fields.with(name, value) });
    draw(&visitor, &fields, Ok(None))
}

pub(super) async fn show(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let said = visitor.call(Method::POST, "/v1/rules/explain", Some(&json!({ "event": event(&fields) }))).await;
    Ok(draw(&visitor, &fields, said.as_ref().map(Some)))
}

/// The event as the API takes it; what was left empty is not said.
fn event(fields: &Fields) -> Map<String, Value> {
    let texts = TEXTS.iter().map(|name| ((*name).to_owned(), fields.json(&format!("event.{name}"))));
    let mut event: Map<_, _> = texts.filter(|(_, value)| !value.is_null()).collect();
    event.insert("final".to_owned(), fields.is_on("event.final").into());
    event
}

fn draw(visitor: &Visitor, fields: &Fields, said: Result<Option<&Value>, &Refusal>) -> Response {
    let (explained, refusal) = said.map_or_else(|refusal| (None, Some(refusal)), |explained| (explained, None));
    let form = Form { visitor, fields, refusal };
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        @if let Some(explained) = explained { (explanation(visitor, explained)) }
        (form.draw(PATH, &fields_of(&form), visitor.say(EXPLAIN)))
    };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Rules, title, content),
        None => visitor.page(Section::Rules, title, content),
    }
}

fn fields_of(form: &Form) -> Markup {
    let say = |text: Text| form.visitor.say(text);
    let triggers = vec![("auto", say(AUTO)), ("manual", say(MANUAL))];
    let results = vec![("", say(NO_RUN)), ("success", say(SUCCESS)), ("failure", say(FAILURE)), ("partial", say(PARTIAL))];
    html! {
        (form.field(&Field::line("event.source", say(SOURCE)).help(say(SOURCE_HELP))))
        (form.field(&Field::line("event.type", say(TYPE))))
        (form.field(&Field::line("event.trigger", say(TRIGGER)).control(Control::Choice(triggers))))
        (form.field(&Field::line("event.result", say(RESULT)).control(Control::Choice(results))))
        (form.field(&Field::line("event.message", say(MESSAGE)).required().control(Control::Area)))
        (form.field(&Field::line("event.final", say(FINAL)).control(Control::Box)))
    }
}

fn explanation(visitor: &Visitor, explained: &Value) -> Markup {
    let row = |one: &Value| {
        let address = text(one, "address");
        html! {
            tr {
                th scope="row" { (text(one, "registration")) }
                td { (text(one, "channel")) }
                td { (if address.is_empty() { "–" } else { address }) }
                td { @if one["worded_by"].is_string() { (text(one, "worded_by")) } @else { (visitor.say(ITS_OWN)) } }
            }
        }
    };
    let rows: Vec<_> = members(explained, "deliveries").iter().map(row).collect();
    let heads = [REGISTRATION, CHANNEL, ADDRESS, WORDS_OF].map(|head| visitor.say(head));
    html! {
        section id="explanation" role="status" {
            (decisions(visitor, members(explained, "decisions")))
            h2 { (visitor.say(REACHED)) }
            @if rows.is_empty() { p.empty { (visitor.say(NOBODY)) } } @else { (table(visitor, visitor.say(REACHED), &heads, &rows)) }
            (collected(visitor, members(explained, "collected")))
            (not_told(visitor, members(explained, "dropped")))
            @for words in members(explained, "wordings") {
                section.card {
                    h2 { (text(words, "title")) }
                    p.soft { (text(words, "rule")) }
                    pre { (text(words, "message")) }
                }
            }
        }
    }
}
