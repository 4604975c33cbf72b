//! The form of a rule.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::Code;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::{SWITCHES, api_path, page_of};
use crate::{
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form},
    language::texts,
    layout::Section,
    show,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    NEW = "New rule", "新建规则";
    CHANGE = "Change", "修改";
    NAME = "Name", "名称";
    UNNAMED = "a rule needs a name", "规则需要名称";
    TAKEN = "there is a rule of this name; change that one, or take another name", "已经有同名的规则；请修改它，或换一个名称";
    ENABLED = "Switched on", "启用";
    WHICH = "Which events", "哪些事件";
    SOURCES = "Sources", "来源";
    SOURCES_HELP = "One on each line; `*` stands for anything. Empty: all.", "每行一个，`*` 表示任意内容。留空表示全部。";
    TYPES = "Types", "类型";
    SWITCH = "Tell of", "通知开关";
    AFTER = "After how many failures in a row", "连续失败多少次后通知";
    AFTER_HELP = "0 to 100; 0 and 1: from the first.", "0 至 100；0 或 1 表示第一次失败就通知。";
    TELL = "Once there are enough", "达到次数后";
    TELL_EVERY = "tell of each failure", "每次失败都通知";
    TELL_ONCE = "tell once", "只通知一次";
    COUNT_MANUAL = "Count runs that a person set off, too", "手动执行也计数";
    RECOVERY = "Tell of the first success afterwards", "恢复成功时通知";
    TO = "Who hears of it", "通知谁";
    TO_HELP = "One on each line: a registration, group:name, contact:name, an address such as email:a@example.org, or event.send_to.",
              "每行一个：推送注册名、group:分组、contact:联系人、地址（如 email:a@example.org）或 event.send_to。";
    DIGEST = "Digest", "定时汇总";
    COLLECT_ON = "Collect for a digest, instead of telling each time", "汇总成摘要，而不是逐条通知";
    AT = "Time of day", "时间";
    AT_HELP = "Such as 20:00:00. Without it there is no digest.", "例如 20:00:00。不填则没有摘要。";
    EVERY = "Every so many seconds", "间隔（秒）";
    EVERY_HELP = "86400 is a day; whole days follow the clock on the wall.", "86400 为一天；整天数的间隔按当地时间计算。";
    ZONE = "Time zone", "时区";
    ZONE_HELP = "Such as Asia/Shanghai; the account's, if there is none.", "例如 Asia/Shanghai；留空使用账户的时区。";
    IMMEDIATE = "Told of at once, too", "同时立即通知";
    SUCCESS = "success", "成功";
    FAILURE = "failure", "失败";
    PARTIAL = "success in part", "部分成功";
    COLLECT = "What stands in it", "摘要内容";
    COLLECT_ALL = "all events that the rule looks at", "规则关注的全部事件";
    COLLECT_NOTIFIED = "those that it would have told of", "本应通知的事件";
    IDLE = "Tell of sources that did not run", "报告没有运行的来源";
    LINES = "Lines at most", "最多行数";
    WORDS = "Words", "文案";
    TITLE = "Title", "标题";
    BODY = "Text", "正文";
    WORDS_HELP = "A template, in place of the event's own.", "模板，代替事件自己的内容。";
    SAVE = "Save", "保存";
}

/// The fields that are texts of several lines, each an item of a list.
const LISTS: [&str; 3] = ["match.sources", "match.types", "to"];

/// The fields that are a line.
const LINES_OF_TEXT: [&str; 8] =
    ["after_failures", "tell", "title", "body", "batch.at", "batch.every_seconds", "batch.time_zone", "batch.collect"];

/// Those that are boxes.
const BOXES: [&str; 5] = ["enabled", "count_manual", "tell_recovery", "batch.enabled", "batch.report_idle"];

pub(super) async fn new(visitor: Visitor) -> Result<Response, Stop> {
    let usual =
        [("enabled", "on"), ("notify.manual_failure", "on"), ("notify.auto_failure", "on"), ("batch.every_seconds", "86400")];
    Ok(draw(&visitor, None, &Fields::of(usual), None))
}

pub(super) async fn make(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    Ok(match put(&visitor, &fields).await {
        Ok(name) => Redirect::to(&format!("{}?notice=saved", page_of(name))).into_response(),
        Err(refusal) => draw(&visitor, None, &fields, Some(&refusal)),
    })
}

/// Saves a new one, and answers its name.
async fn put<'a>(visitor: &Visitor, fields: &'a Fields) -> Result<&'a str, Refusal> {
    let missing = || visitor.refuse(Code::MissingField, "name", UNNAMED);
    let name = fields.text("name").ok_or_else(missing)?;
    visitor.is_free(&api_path(name), TAKEN).await?;
    visitor.call(Method::PUT, &api_path(name), Some(&body(fields))).await.map(|_| name)
}

pub(super) async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    let rule = visitor.get(&api_path(&name)).await?;
    Ok(draw(&visitor, Some(&name), &fields_of(&rule), None))
}

pub(super) async fn change(Path(name): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    visitor.get(&api_path(&name)).await?;
    let saved = visitor.call(Method::PUT, &api_path(&name), Some(&body(&fields))).await;
    Ok(match saved {
        Ok(_) => Redirect::to(&format!("{}?notice=saved", page_of(&name))).into_response(),
        Err(refusal) => draw(&visitor, Some(&name), &fields, Some(&refusal)),
    })
}

/// What the form begins with for a rule that is there.
fn fields_of(rule: &Value) -> Fields {
    let at = |path: &str| rule.pointer(&format!("/{}", path.replace('.', "/"))).filter(|value| !value.is_null());
    let mut pairs = Vec::new();
    for path in LISTS {
        let items = at(path).and_then(Value::as_array).into_iter().flatten().map(show::value);
        pairs.push((path.to_owned(), items.collect::<Vec<_>>().join("\n")));
    }
    let lines = LINES_OF_TEXT.into_iter().chain(["batch.title", "batch.max_lines"]);
    pairs.extend(lines.filter_map(|path| Some((path.to_owned(), show::value(at(path)?)))));
    let switches = SWITCHES.iter().map(|(name, _)| format!("notify.{name}"));
    let boxes = BOXES.into_iter().map(str::to_owned).chain(switches);
    pairs.extend(boxes.filter(|path| at(path) == Some(&Value::Bool(true))).map(|path| (path, "on".to_owned())));
    let immediate = at("batch.immediate").and_then(Value::as_array).into_iter().flatten();
    pairs.extend(immediate.map(|result| ("batch.immediate".to_owned(), show::value(result))));
    Fields::of(pairs)
}

/// The rule that a form says.
fn body(fields: &Fields) -> Value {
    let lines = |name: &str| fields.get(name).lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let notify: Map<_, _> =
        SWITCHES.iter().map(|(name, _)| ((*name).to_owned(), fields.is_on(&format!("notify.{name}")).into())).collect();
    json!({
        "enabled": fields.is_on("enabled"),
        "match": { "sources": lines("match.sources"), "types": lines("match.types") },
        "notify": notify,
        "after_failures": fields.number("after_failures"),
        "tell": fields.json("tell"),
        "count_manual": fields.is_on("count_manual"),
        "tell_recovery": fields.is_on("tell_recovery"),
        "to": lines("to"),
        "batch": batch(fields),
        "title": fields.json("title"),
        "body": fields.whole("body"),
    })
}

/// When its digests are due. Without a time there are none, unless the box says that there are: then the API asks for it.
fn batch(fields: &Fields) -> Value {
    if fields.text("batch.at").is_none() && !fields.is_on("batch.enabled") {
        return Value::Null;
    }
    let given = [
        ("at", fields.json("batch.at")),
        ("every_seconds", fields.number("batch.every_seconds")),
        ("time_zone", fields.json("batch.time_zone")),
        ("collect", fields.json("batch.collect")),
        ("title", fields.json("batch.title")),
        ("max_lines", fields.number("batch.max_lines")),
        ("enabled", fields.is_on("batch.enabled").into()),
        ("immediate", fields.all("batch.immediate").collect()),
        ("report_idle", fields.is_on("batch.report_idle").into()),
    ];
    given.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn draw(visitor: &Visitor, name: Option<&str>, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let title = name.map_or_else(|| visitor.say(NEW).to_owned(), |name| format!("{}: {name}", visitor.say(CHANGE)));
    let action = name.map_or_else(|| "/console/new-rule".to_owned(), |name| format!("{}/edit", page_of(name)));
    let content = html! {
        @if name.is_none() { (form.field(&Field::line("name", visitor.say(NAME)).required())) }
        (form.field(&Field::line("enabled", visitor.say(ENABLED)).control(Control::Box)))
        h2 { (visitor.say(WHICH)) }
        (form.field(&Field::line("match.sources", visitor.say(SOURCES)).help(visitor.say(SOURCES_HELP)).control(Control::Area)))
        (form.field(&Field::line("match.types", visitor.say(TYPES)).help(visitor.say(SOURCES_HELP)).control(Control::Area)))
        (switches(&form))
        (form.field(&Field::line("to", visitor.say(TO)).required().help(visitor.say(TO_HELP)).control(Control::Area)))
        (digest(&form))
        h2 { (visitor.say(WORDS)) }
        (form.field(&Field::line("title", visitor.say(TITLE)).help(visitor.say(WORDS_HELP))))
        (form.field(&Field::line("body", visitor.say(BODY)).help(visitor.say(WORDS_HELP)).control(Control::Area)))
    };
    let content = html! { h1 { (title) } (form.draw(&action, &content, visitor.say(SAVE))) };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Rules, &title, content),
        None => visitor.page(Section::Rules, &title, content),
    }
}

fn switches(form: &Form) -> Markup {
    let visitor = form.visitor;
    let tell = Control::Choice(vec![("every", visitor.say(TELL_EVERY)), ("once", visitor.say(TELL_ONCE))]);
    html! {
        h2 { (visitor.say(SWITCH)) }
        @for (name, label) in SWITCHES {
            (form.field(&Field::line(&format!("notify.{name}"), visitor.say(label)).control(Control::Box)))
        }
        (form.field(&Field::line("after_failures", visitor.say(AFTER)).help(visitor.say(AFTER_HELP)).control(Control::Number)))
        (form.field(&Field::line("tell", visitor.say(TELL)).required().control(tell)))
        (form.field(&Field::line("count_manual", visitor.say(COUNT_MANUAL)).control(Control::Box)))
        (form.field(&Field::line("tell_recovery", visitor.say(RECOVERY)).control(Control::Box)))
    }
}

fn digest(form: &Form) -> Markup {
    let visitor = form.visitor;
    let results =
        [("success", SUCCESS), ("failure", FAILURE), ("partial", PARTIAL)].map(|(word, text)| (word, visitor.say(text)));
    let collect = vec![("all", visitor.say(COLLECT_ALL)), ("notified", visitor.say(COLLECT_NOTIFIED))];
    html! {
        h2 { (visitor.say(DIGEST)) }
        (form.field(&Field::line("batch.enabled", visitor.say(COLLECT_ON)).control(Control::Box)))
        (form.field(&Field::line("batch.at", visitor.say(AT)).help(visitor.say(AT_HELP))))
        (form.field(&Field::line("batch.every_seconds", visitor.say(EVERY)).help(visitor.say(EVERY_HELP)).control(Control::Number)))
        (form.field(&Field::line("batch.time_zone", visitor.say(ZONE)).help(visitor.say(ZONE_HELP))))
        (form.field(&Field::line("batch.immediate", visitor.say(IMMEDIATE)).control(Control::Several(results.to_vec()))))
        (form.field(&Field::line("batch.collect", visitor.say(COLLECT)).required().control(Control::Choice(collect))))
        (form.field(&Field::line("batch.report_idle", visitor.say(IDLE)).control(Control::Box)))
        (form.field(&Field::line("batch.max_lines", visitor.say(LINES)).control(Control::Number)))
        (form.field(&Field::line("batch.title", visitor.say(TITLE)).help(visitor.say(WORDS_HELP))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_rule_says_the_rule() {
        let rule = json!({
            "enabled": true,
            "match": { "sources": ["QD/*", "SQLE/x"], "types": [] },
            "notify": { "manual_success": false, "manual_failure": true, "auto_success": false, "auto_failure": true },
            "after_failures": 3,
            "tell": "once",
            "count_manual": true,
            "tell_recovery": false,
            "to": ["ops", "group:night"],
            "batch": { "at": "20:00:00", "every_seconds": 3600, "time_zone": "Asia/Shanghai", "collect": "notified",
                "max_lines": 50, "enabled": true, "immediate": ["failure", "partial"], "report_idle": true },
            "title": "{{ source }}",
            "body": null,
        });
        assert_eq!(body(&fields_of(&rule)), rule);
    }

    #[test]
    fn without_a_time_there_is_no_digest_unless_it_is_asked_for() {
        assert_eq!(batch(&Fields::of([("batch.every_seconds", "60")])), Value::Null);
        assert_eq!(batch(&Fields::of([("batch.enabled", "on")]))["enabled"], true);
    }
}
