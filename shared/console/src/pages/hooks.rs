//! Hooks: paths by which other systems report, made here and shown once.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bellhop_core::{
    channel::Text,
    model::{HookKind, Scope},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Console,
    call::{Listed, Refusal, segment},
    fields::Fields,
    form::{Control, Field, Form, confirmed},
    headers::is_secure,
    language::texts,
    layout::Section,
    show::said,
    show::{text, time},
    table::{pager, table},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Hooks", "接入点";
    WHAT = "A hook is a path by which a system reports that knows nothing of this API, without a key.", "接入点是一个地址，不了解本 API 的系统无需密钥即可向它上报。";
    NAME = "Name", "名称";
    KIND = "Kind of system", "系统类型";
    SOURCE = "Source", "来源";
    SOURCE_HELP = "For reports that do not say where they come from.", "用于没有注明来源的上报。";
    TO = "Recipients", "接收方";
    TO_HELP = "For reports that name nobody; one on each line. Rules apply in any case.", "用于没有指定接收方的上报，每行一个。规则始终适用。";
    LINK = "Links begin with", "链接前缀";
    LINK_HELP = "SQLE: the address of its pages.", "SQLE：其页面的地址。";
    TOKEN = "Token", "令牌";
    TOKEN_HELP = "BetterGI and SQLE: every report has to show it.", "BetterGI 和 SQLE：每次上报都必须携带。";
    HAS_TOKEN = "set", "已设置";
    MADE = "Made", "创建时间";
    ACTION = "What to do", "操作";
    DELETE = "Delete", "删除";
    DELETE_ASK = "Whoever reports there is refused from now on. This cannot be undone.", "之后向它上报会被拒绝。此操作不可撤销。";
    NEW = "New hook", "新建接入点";
    MAKE = "Make the hook", "创建接入点";
    ONCE = "This is where the system reports. It is shown this once: copy it now.", "这是系统上报的地址，只显示这一次，请立即复制。";
    AGAIN = "This form was sent before and made its hook then; the answer to that has shown where the system reports. If you did not see it, delete that hook and make another.",
            "此表单之前已提交过，接入点当时已创建并显示了地址。如果没有看到，请删除该接入点，再新建一个。";
    USE_BETTERGI = "In BetterGI's settings for notifications, switch Webhook on, give this as the address, and send its test notification.",
                   "在 BetterGI 的通知设置中启用 Webhook，填入此地址，然后发送测试通知。";
    USE_SQLE = "In SQLE's settings, give this as the address of the webhook, and send its test.", "在 SQLE 的设置中将其填为 Webhook 地址，然后发送测试。";
    USE_QD = "In QD's toolbox, under push registration, give this as the address of a custom push, with {t} and {log} in its text.",
             "在 QD 的工具箱 → 推送注册 → 自定义推送中填入此地址，内容中使用 {t} 和 {log}。";
    USE_GENERIC = "Send JSON, a form or a bare text there by POST, or a message in the query by GET.", "用 POST 发送 JSON、表单或纯文本，或用 GET 在查询中携带 message。";
}

const PATH: &str = "/console/hooks";

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/hooks", get(list).post(make)).route("/console/hooks/{name}/delete", post(delete))
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let (page, kinds) = (hooks(&visitor, &query).await?, kinds(&visitor).await?);
    let content = draw(&Form { visitor: &visitor, fields: &Fields::default(), refusal: None }, &query, &page, &kinds, None);
    Ok(visitor.page(Section::Hooks, visitor.say(TITLE), content))
}

async fn make(headers: HeaderMap, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let made = visitor.make("/v1/hooks", &body(&fields), &fields).await;
    let none = Fields::default();
    let (page, kinds) = (hooks(&visitor, &none).await?, kinds(&visitor).await?);
    let title = visitor.say(TITLE);
    let drawn = |fields: &Fields, refusal: Option<&Refusal>, made: Option<Markup>| {
        draw(&Form { visitor: &visitor, fields, refusal }, &none, &page, &kinds, made)
    };
    Ok(match made {
        Ok(hook) => visitor.page(Section::Hooks, title, drawn(&none, None, Some(once(&visitor, &headers, &hook)))),
        Err(refusal) => visitor.refused_page(&refusal, Section::Hooks, title, drawn(&fields, Some(&refusal), None)),
    })
}

async fn delete(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &format!("/v1/hooks/{}", segment(&name)), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}

async fn hooks(visitor: &Visitor, query: &Fields) -> Result<Listed, Stop> {
    visitor.list(&format!("/v1/hooks{}", query.query(&["cursor"]))).await
}

async fn kinds(visitor: &Visitor) -> Result<Vec<Value>, Stop> {
    Ok(visitor.list("/v1/hooks/kinds").await?.items)
}

/// The hook that a form says. What was left empty is not there.
fn body(fields: &Fields) -> Value {
    let to: Vec<_> = fields.get("defaults.send_to").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut defaults = json!({ "send_to": to });
    if let Some(source) = fields.text("defaults.source") {
        defaults["source"] = json!(source);
    }
    json!({
        "name": fields.json("name"),
        "kind": fields.json("kind"),
        "defaults": defaults,
        "link_base_url": fields.json("link_base_url"),
        "token": fields.json("token"),
    })
}

fn draw(form: &Form, query: &Fields, page: &Listed, kinds: &[Value], made: Option<Markup>) -> Markup {
    let visitor = form.visitor;
    let title = visitor.say(TITLE);
    let label =
        |kind: &Value| kinds.iter().find(|known| known["kind"] == *kind).map_or("–", |known| said(visitor, &known["label"]));
    let row = |hook: &Value| {
        let name = text(hook, "name");
        let to = hook["defaults"]["send_to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        html! {
            tr {
                th scope="row" { (name) }
                td { (label(&hook["kind"])) }
                td { (text(&hook["defaults"], "source")) }
                td { (to.collect::<Vec<_>>().join(", ")) }
                td { @if hook["token"]["set"] == true { (visitor.say(HAS_TOKEN)) } @else { "–" } }
                td { (time(&hook["created_at"])) }
                td { @if visitor.may(Scope::Manage) { (confirmed(visitor, &format!("{PATH}/{}/delete", segment(name)), DELETE, visitor.say(DELETE_ASK))) } }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [NAME, KIND, SOURCE, TO, TOKEN, MADE, ACTION].map(|head| visitor.say(head));
    html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        @if let Some(made) = made { (made) }
        (table(visitor, title, &heads, &rows))
        (pager(visitor, PATH, query, &[], page))
        @if visitor.may(Scope::Manage) { h2 { (visitor.say(NEW)) } (fields(form, kinds)) }
    }
}

fn fields(form: &Form, kinds: &[Value]) -> Markup {
    let visitor = form.visitor;
    let choices = kinds.iter().map(|known| (text(known, "kind"), said(visitor, &known["label"]))).collect();
    let content = html! {
        (form.field(&Field::line("name", visitor.say(NAME)).required()))
        (form.field(&Field::line("kind", visitor.say(KIND)).required().control(Control::Choice(choices))))
        (form.field(&Field::line("defaults.source", visitor.say(SOURCE)).help(visitor.say(SOURCE_HELP))))
        (form.field(&Field::line("defaults.send_to", visitor.say(TO)).help(visitor.say(TO_HELP)).control(Control::Area)))
        (form.field(&Field::line("link_base_url", visitor.say(LINK)).help(visitor.say(LINK_HELP))))
        (form.field(&Field::line("token", visitor.say(TOKEN)).help(visitor.say(TOKEN_HELP)).control(Control::Secret)))
    };
    form.draw(PATH, &content, visitor.say(MAKE))
}

/// A hook that was just made: its path, unless the same form has made it before, and what to do with it.
fn once(visitor: &Visitor, headers: &HeaderMap, hook: &Value) -> Markup {
    let kind = HookKind::deserialize(&hook["kind"]).ok();
    html! {
        div.card role="status" {
            @match hook["url"].as_str() {
                Some(path) => { p { strong { (visitor.say(ONCE)) } } pre { (origin(headers)) (path) } }
                None => { p { (visitor.say(AGAIN)) } }
            }
            @if let Some(kind) = kind { p { (visitor.say(usage(kind))) } }
        }
    }
}

/// Where the browser reached us: the API, asked within the process, tells the path alone.
fn origin(headers: &HeaderMap) -> String {
    let scheme = if is_secure(headers) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.map_or_else(String::new, |host| format!("{scheme}://{host}"))
}

fn usage(kind: HookKind) -> Text {
    match kind {
        HookKind::Bettergi => USE_BETTERGI,
        HookKind::Sqle => USE_SQLE,
        HookKind::Qd => USE_QD,
        HookKind::Generic => USE_GENERIC,
    }
}
