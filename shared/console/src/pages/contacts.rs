//! Contacts: people by name, with the addresses at which channels reach them.

use axum::{
    Router,
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bellhop_core::{Code, channel::Text, model::Scope};
use maud::html;
use serde_json::{Value, json};

use crate::{
    Console,
    call::{Refusal, segment},
    fields::Fields,
    form::{Field, Form, confirmed},
    language::texts,
    layout::Section,
    show::text,
    table::{pager, table},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Contacts", "联系人";
    WHAT = "A contact is somebody with addresses; rules, tasks and messages name them as contact:name.",
           "联系人是带有地址的人；规则、任务和消息用 contact:名称 来指代。";
    NEW = "New contact", "新建联系人";
    CHANGE = "Change", "修改";
    NAME = "Name", "名称";
    UNNAMED = "a contact needs a name", "联系人需要名称";
    TAKEN = "there is a contact of this name; change that one, or take another name", "已有同名的联系人；请修改它，或换一个名称";
    EMAIL = "E-mail", "邮箱";
    PHONE = "Phone", "手机";
    PHONE_HELP = "With the country's code, such as +8613800000000.", "带国家代码，例如 +8613800000000。";
    WECOM = "WeCom user id", "企业微信用户 ID";
    FEISHU = "Feishu open_id", "飞书 open_id";
    LOCALE = "Language", "语言";
    LOCALE_HELP = "Such as zh-CN or en.", "例如 zh-CN 或 en。";
    SAVE = "Save", "保存";
    DELETE = "Delete", "删除";
    DELETE_ASK = "Who names this contact reaches nobody any more.", "之后引用该联系人的消息将无人接收。";
}

const PATH: &str = "/console/contacts";

/// What a contact has, as the API and as people call it.
const MEMBERS: [(&str, Text); 5] =
    [("email", EMAIL), ("phone", PHONE), ("wecom_user_id", WECOM), ("feishu_open_id", FEISHU), ("locale", LOCALE)];

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/contacts", get(list))
        .route("/console/new-contact", get(new).post(make))
        .route("/console/contacts/{name}", get(edit).post(change))
        .route("/console/contacts/{name}/delete", post(delete))
}

fn page_of(name: &str) -> String {
    format!("{PATH}/{}", segment(name))
}

fn api_path(name: &str) -> String {
    format!("/v1/contacts/{}", segment(name))
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let page = visitor.list(&format!("/v1/contacts{}", query.query(&["cursor"]))).await?;
    let row = |contact: &Value| {
        let name = text(contact, "name");
        html! {
            tr {
                th scope="row" { a href=(page_of(name)) { (name) } }
                @for (member, _) in MEMBERS { td { (text(contact, member)) } }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads: Vec<_> = [NAME].into_iter().chain(MEMBERS.map(|(_, label)| label)).map(|head| visitor.say(head)).collect();
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        @if visitor.may(Scope::Manage) { p { a.button.primary href="/console/new-contact" { (visitor.say(NEW)) } } }
        (table(&visitor, title, &heads, &rows))
        (pager(&visitor, PATH, &query, &[], &page))
    };
    Ok(visitor.page(Section::Contacts, title, content))
}

async fn new(visitor: Visitor) -> Result<Response, Stop> {
    Ok(draw(&visitor, None, &Fields::default(), None))
}

async fn make(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    Ok(match put(&visitor, &fields).await {
        Ok(()) => Redirect::to(&format!("{PATH}?notice=saved")).into_response(),
        Err(refusal) => draw(&visitor, None, &fields, Some(&refusal)),
    })
}

/// Saves a new one.
async fn put(visitor: &Visitor, fields: &Fields) -> Result<(), Refusal> {
    let missing = || visitor.refuse(Code::MissingField, "name", UNNAMED);
    let path = api_path(fields.text("name").ok_or_else(missing)?);
    visitor.is_free(&path, TAKEN).await?;
    visitor.call(Method::PUT, &path, Some(&body(fields))).await.map(drop)
}

async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    let contact = visitor.get(&api_path(&name)).await?;
    let fields = Fields::of(MEMBERS.map(|(member, _)| (member, text(&contact, member))));
    Ok(draw(&visitor, Some(&name), &fields, None))
}

async fn change(Path(name): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    visitor.get(&api_path(&name)).await?;
    Ok(match visitor.call(Method::PUT, &api_path(&name), Some(&body(&fields))).await {
        Ok(_) => Redirect::to(&format!("{PATH}?notice=saved")).into_response(),
        Err(refusal) => draw(&visitor, Some(&name), &fields, Some(&refusal)),
    })
}

async fn delete(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &api_path(&name), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}

fn body(fields: &Fields) -> Value {
    json!(MEMBERS.map(|(member, _)| (member.to_owned(), fields.json(member))).into_iter().collect::<serde_json::Map<_, _>>())
}

fn draw(visitor: &Visitor, name: Option<&str>, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let title = name.map_or_else(|| visitor.say(NEW).to_owned(), |name| format!("{}: {name}", visitor.say(CHANGE)));
    let action = name.map_or_else(|| "/console/new-contact".to_owned(), page_of);
    let content = html! {
        @if name.is_none() { (form.field(&Field::line("name", visitor.say(NAME)).required())) }
        (form.field(&Field::line("email", visitor.say(EMAIL))))
        (form.field(&Field::line("phone", visitor.say(PHONE)).help(visitor.say(PHONE_HELP))))
        (form.field(&Field::line("wecom_user_id", visitor.say(WECOM))))
        (form.field(&Field::line("feishu_open_id", visitor.say(FEISHU))))
        (form.field(&Field::line("locale", visitor.say(LOCALE)).help(visitor.say(LOCALE_HELP))))
    };
    let content = html! {
        h1 { (title) }
        (form.draw(&action, &content, visitor.say(SAVE)))
        @if let Some(name) = name {
            div.actions { (confirmed(visitor, &format!("{}/delete", page_of(name)), DELETE, visitor.say(DELETE_ASK))) }
        }
    };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Contacts, &title, content),
        None => visitor.page(Section::Contacts, &title, content),
    }
}
