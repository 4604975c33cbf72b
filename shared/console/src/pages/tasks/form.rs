//! The form of a task.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::{api_path, page_of};
use crate::{
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form},
    language::texts,
    layout::Section,
    pages::messages::members,
    show::{self, text, time},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    NEW = "New task", "新建任务";
    CHANGE = "Change", "修改";
    NAME = "Name", "名称";
    SOURCE = "Source", "来源";
    SOURCE_HELP = "Where its messages come from, for lists and rules.", "消息的来源，用于列表和规则。";
    MESSAGE = "Message", "消息";
    TO = "To", "发给";
    TO_HELP = "One on each line: a registration, group:name, contact:name, or an address such as email:a@example.org.",
              "每行一个：推送注册名、group:分组、contact:联系人，或地址（如 email:a@example.org）。";
    VIA = "By the registration", "通过推送注册";
    VIA_HELP = "For addresses, in place of their channel's default.", "用于地址，代替该渠道的默认注册。";
    TITLE = "Title", "标题";
    BODY = "Text", "正文";
    FORMAT = "Format", "格式";
    PLAIN = "plain text", "纯文本";
    LINK = "Link", "链接";
    PICTURE = "Address of a picture", "图片地址";
    WHEN = "When", "时间";
    KIND = "It runs", "运行方式";
    NOW = "as soon as it is made", "创建后立即";
    ONCE = "once, at a time", "在指定时间运行一次";
    HOURLY = "every hour, at a minute", "每小时的某一分钟";
    DAILY = "every day, at a time", "每天的某个时间";
    CRON_KIND = "by a cron expression", "按 cron 表达式";
    AT = "Once: at", "一次：时间";
    AT_HELP = "Such as 2026-03-02T09:30:00Z", "例如 2026-03-02T09:30:00Z";
    MINUTE = "Every hour: minute", "每小时：分钟";
    MINUTE_HELP = "0 to 59", "0 至 59";
    TIME = "Every day: local time", "每天：当地时间";
    TIME_HELP = "Such as 09:30:00", "例如 09:30:00";
    CRON = "Cron expression", "cron 表达式";
    CRON_HELP = "Five fields, such as 0 9 * * 1-5", "五个字段，例如 0 9 * * 1-5";
    ZONE = "Time zone", "时区";
    ZONE_HELP = "For what repeats, such as Asia/Shanghai; the account's, if there is none.", "用于重复的任务，例如 Asia/Shanghai；留空使用账户的时区。";
    NEXT_HOUR = "First run not before the next full hour", "首次运行不早于下一个整点";
    MOST = "Runs at most", "最多运行次数";
    MOST_HELP = "Empty: without an end.", "留空表示不限。";
    CATCH_UP = "After a standstill", "停机之后";
    CATCH_ONE = "one run stands for all that were missed", "补一次，代表全部错过的";
    CATCH_ALL = "all are made up for", "全部补上";
    CATCH_NONE = "what was missed is over", "错过的不再补";
    SAVE = "Save", "保存";
    SHOW_TIMES = "Show next runs", "查看接下来的运行时间";
    NEXT_RUNS = "With these times it would run at", "按此时间，它将运行于";
}

/// The members of a task that are a line, in the message and beside it.
const LINES: [&str; 10] = ["name", "source", "via", "title", "body", "format", "url", "image_url", "max_runs", "catch_up"];

/// Those of its schedule.
const WHEN_LINES: [&str; 5] = ["kind", "at", "time", "cron", "time_zone"];

/// The button that shows the next runs and saves nothing.
const PREVIEW: &str = "preview";

pub(super) async fn new(visitor: Visitor) -> Result<Response, Stop> {
    Ok(draw(&visitor, None, &Fields::of([("schedule.kind", "daily")]), Ok(&[])))
}

pub(super) async fn make(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    if fields.is_on(PREVIEW) {
        let asked = json!({ "schedule": schedule(&fields), "max_runs": fields.number("max_runs") });
        return Ok(preview(&visitor, None, &fields, &asked).await);
    }
    Ok(match visitor.make("/v1/tasks", &body(&fields), &fields).await {
        Ok(task) => Redirect::to(&format!("{}?notice=saved", page_of(text(&task, "id")))).into_response(),
        Err(refusal) => draw(&visitor, None, &fields, Err(&refusal)),
    })
}

pub(super) async fn edit(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Stop> {
    let task = visitor.get(&api_path(&id)).await?;
    Ok(draw(&visitor, Some(&id), &fields_of(&task), Ok(&[])))
}

pub(super) async fn change(Path(id): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    if fields.is_on(PREVIEW) {
        let task = visitor.get(&api_path(&id)).await?;
        let asked = json!({ "schedule": schedule(&fields), "max_runs": left(&fields, &task) });
        return Ok(preview(&visitor, Some(&id), &fields, &asked).await);
    }
    // what the form does not show stays: `data`, `options`, `params`
    Ok(match visitor.call(Method::PATCH, &api_path(&id), Some(&body(&fields))).await {
        Ok(_) => Redirect::to(&format!("{}?notice=saved", page_of(&id))).into_response(),
        Err(refusal) => draw(&visitor, Some(&id), &fields, Err(&refusal)),
    })
}

/// How many runs a repeating task has left, one at least: Save says what is wrong where it has none.
fn left(fields: &Fields, task: &Value) -> Value {
    let repeats = !["now", "at"].contains(&fields.get("schedule.kind"));
    match (fields.number("max_runs"), task["runs"].as_i64()) {
        (Value::Number(most), Some(runs)) if repeats => Value::from((most.as_i64().unwrap_or(0) - runs).max(1)),
        (as_typed, _) => as_typed,
    }
}

/// The form as it was sent, with the times that its schedule leads to.
async fn preview(visitor: &Visitor, id: Option<&str>, fields: &Fields, asked: &Value) -> Response {
    let told = visitor.call(Method::POST, "/v1/tasks/preview", Some(asked)).await;
    draw(visitor, id, fields, told.as_ref().map(|told| members(told, "next_runs")))
}

/// What the form begins with for a task that is there.
fn fields_of(task: &Value) -> Fields {
    let given = |value: &Value| Some(show::value(value)).filter(|_| !value.is_null());
    let to = task["to"].as_array().into_iter().flatten().map(show::value).collect::<Vec<_>>();
    let mut pairs = vec![("to".to_owned(), to.join("\n"))];
    pairs.extend(LINES.iter().filter_map(|name| Some(((*name).to_owned(), given(&task[name])?))));
    let schedule = &task["schedule"];
    let whens = WHEN_LINES.into_iter().chain(["minute"]);
    pairs.extend(whens.filter_map(|name| Some((format!("schedule.{name}"), given(&schedule[name])?))));
    if schedule["start"] == "next_hour" {
        pairs.push(("schedule.start".to_owned(), "on".to_owned()));
    }
    Fields::of(pairs)
}

/// The task that a form says. What is empty is `null`, so that a change clears it.
fn body(fields: &Fields) -> Value {
    let mut body = message(fields);
    for name in ["name", "source", "catch_up"] {
        body.insert(name.to_owned(), fields.json(name));
    }
    body.insert("max_runs".to_owned(), fields.number("max_runs"));
    body.insert("schedule".to_owned(), schedule(fields));
    Value::Object(body)
}

/// The message that a form says.
pub(super) fn message(fields: &Fields) -> Map<String, Value> {
    let to: Vec<_> = fields.get("to").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let lines = ["via", "title", "format", "url", "image_url"].map(|name| (name.to_owned(), fields.json(name)));
    lines.into_iter().chain([("body".to_owned(), fields.whole("body")), ("to".to_owned(), json!(to))]).collect()
}

/// What was left empty is not there: which fields a kind takes is the API's to say.
fn schedule(fields: &Fields) -> Value {
    let lines = WHEN_LINES.map(|name| (name, fields.json(&format!("schedule.{name}"))));
    let start = if fields.is_on("schedule.start") { json!("next_hour") } else { Value::Null };
    let others = [("minute", fields.number("schedule.minute")), ("start", start)];
    let given = lines.into_iter().chain(others).filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn draw(visitor: &Visitor, id: Option<&str>, fields: &Fields, said: Result<&[Value], &Refusal>) -> Response {
    let (next_runs, refusal) = said.map_or_else(|refusal| (&[][..], Some(refusal)), |next_runs| (next_runs, None));
    let form = Form { visitor, fields, refusal };
    let title = visitor.say(if id.is_some() { CHANGE } else { NEW });
    let action = id.map_or_else(|| "/console/new-task".to_owned(), |id| format!("{}/edit", page_of(id)));
    let content = html! {
        (form.field(&Field::line("name", visitor.say(NAME)).required()))
        (form.field(&Field::line("source", visitor.say(SOURCE)).help(visitor.say(SOURCE_HELP))))
        h2 { (visitor.say(MESSAGE)) }
        (message_fields(&form))
        h2 { (visitor.say(WHEN)) }
        (schedule_fields(&form))
        @if !next_runs.is_empty() {
            section #next-runs role="status" {
                h3 { (visitor.say(NEXT_RUNS)) }
                ol { @for at in next_runs { li { (time(at)) } } }
            }
        }
    };
    // whom it goes to may still be missing
    let show_times = html! {
        button type="submit" name=(PREVIEW) value="on" formnovalidate formaction={ (action) "#next-runs" } { (visitor.say(SHOW_TIMES)) }
    };
    let content = html! { h1 { (title) } (form.draw_beside(&action, &content, visitor.say(SAVE), &show_times)) };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Tasks, title, content),
        None => visitor.page(Section::Tasks, title, content),
    }
}

/// What is said, and to whom.
pub(super) fn message_fields(form: &Form) -> Markup {
    let visitor = form.visitor;
    let formats = Control::Choice(vec![("text", visitor.say(PLAIN)), ("markdown", "Markdown"), ("html", "HTML")]);
    html! {
        (form.field(&Field::line("to", visitor.say(TO)).required().help(visitor.say(TO_HELP)).control(Control::Area)))
        (form.field(&Field::line("title", visitor.say(TITLE))))
        (form.field(&Field::line("body", visitor.say(BODY)).control(Control::Area)))
        (form.field(&Field::line("format", visitor.say(FORMAT)).required().control(formats)))
        (form.field(&Field::line("url", visitor.say(LINK))))
        (form.field(&Field::line("image_url", visitor.say(PICTURE))))
        (form.field(&Field::line("via", visitor.say(VIA)).help(visitor.say(VIA_HELP))))
    }
}

fn schedule_fields(form: &Form) -> Markup {
    let visitor = form.visitor;
    let line = |name: &str, label, help| form.field(&Field::line(name, visitor.say(label)).help(visitor.say(help)));
    let number = |name: &str, label, help| {
        form.field(&Field::line(name, visitor.say(label)).help(visitor.say(help)).control(Control::Number))
    };
    let kinds = [("now", NOW), ("at", ONCE), ("hourly", HOURLY), ("daily", DAILY), ("cron", CRON_KIND)];
    let kinds = Control::Choice(kinds.map(|(word, label)| (word, visitor.say(label))).to_vec());
    let catch_up = [("one", CATCH_ONE), ("all", CATCH_ALL), ("none", CATCH_NONE)];
    let catch_up = Control::Choice(catch_up.map(|(word, label)| (word, visitor.say(label))).to_vec());
    html! {
        (form.field(&Field::line("schedule.kind", visitor.say(KIND)).required().control(kinds)))
        (line("schedule.at", AT, AT_HELP))
        (number("schedule.minute", MINUTE, MINUTE_HELP))
        (line("schedule.time", TIME, TIME_HELP))
        (line("schedule.cron", CRON, CRON_HELP))
        (line("schedule.time_zone", ZONE, ZONE_HELP))
        (form.field(&Field::line("schedule.start", visitor.say(NEXT_HOUR)).control(Control::Box)))
        (number("max_runs", MOST, MOST_HELP))
        (form.field(&Field::line("catch_up", visitor.say(CATCH_UP)).required().control(catch_up)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_task_says_the_task() {
        let task = json!({
            "name": "reminder", "source": "billing/reminder", "to": ["phone", "group:night"], "via": null, "title": "Pay",
            "body": "\n  one\ntwo \n", "format": "markdown", "url": "https://example.org/7", "image_url": null, "max_runs": 3,
            "catch_up": "all", "schedule": {"kind": "hourly", "minute": 45, "time_zone": "Asia/Shanghai", "start": "next_hour"},
        });
        assert_eq!(body(&fields_of(&task)), task);
    }

    #[test]
    fn a_schedule_has_what_was_given_and_nothing_else() {
        let fields = Fields::of([("schedule.kind", "at"), ("schedule.at", "2026-03-02T09:30:00Z"), ("schedule.time", " ")]);
        assert_eq!(schedule(&fields), json!({"kind": "at", "at": "2026-03-02T09:30:00Z"}));
        assert_eq!(schedule(&Fields::of([("schedule.kind", "now"), ("schedule.minute", "x")]))["minute"], "x");
    }
}
