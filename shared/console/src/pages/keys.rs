//! API keys: those that there are, sessions among them, and a new one, which is shown once.

use axum::{
    Router,
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bellhop_core::{channel::Text, model::Scope};
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::{
    Console,
    call::{Listed, Refusal, segment},
    fields::Fields,
    form::{Control, Field, Form, confirmed},
    language::texts,
    layout::Section,
    show::{text, time},
    table::{pager, table},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Keys", "密钥";
    ID = "Key", "密钥";
    WHAT_FOR = "Description", "说明";
    SCOPES = "Scopes", "权限";
    MADE = "Made", "创建时间";
    ENDS = "Ends", "到期";
    USED = "Last used", "最近使用";
    ACTION = "What to do", "操作";
    SESSION_OF = "session, signed in with", "登录会话，使用的密钥：";
    OWN = "this session", "当前会话";
    OWN_KEY = "the key you signed in with", "您登录所用的密钥";
    REVOKE = "Revoke", "撤销";
    REVOKE_ASK = "Whoever uses it is refused from now on, and its sessions end. This cannot be undone.", "使用它的请求将被拒绝，由它登录的会话也会结束。此操作不可撤销。";
    NEW = "New key", "新建密钥";
    MAKE = "Make the key", "创建密钥";
    ENDS_AT = "Ends at", "到期时间";
    ENDS_HELP = "Such as 2027-01-01T00:00:00Z. Empty: it does not end.", "例如 2027-01-01T00:00:00Z。留空表示不过期。";
    SEND = "send: report events and send messages", "send：上报事件、发送消息";
    READ = "read: see events, deliveries and lists", "read：查看事件、投递和列表";
    MANAGE = "manage: change what the account owns", "manage：修改账户内的一切";
    OPERATE = "operate: run the deployment", "operate：运维整个部署";
    ONCE = "This is the new key. It is shown this once: copy it now.", "这是新密钥，只显示这一次，请立即复制。";
    AGAIN = "This form was sent before and made its key then; the answer to that has shown it. If you did not see it, revoke that key and make another.",
            "此表单之前已提交过，密钥当时已创建并显示。如果没有看到，请撤销该密钥，再新建一个。";
}

const PATH: &str = "/console/keys";

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/keys", get(list).post(make)).route("/console/keys/{id}/revoke", post(revoke))
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let page = keys(&visitor, &query).await?;
    let content = draw(&visitor, &query, &page, &Fields::default(), None, None);
    Ok(visitor.page(Section::Keys, visitor.say(TITLE), content))
}

async fn make(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let scopes: Vec<_> = fields.all("scopes").collect();
    let body = json!({ "scopes": scopes, "description": fields.json("description"), "expires_at": fields.json("expires_at") });
    let made = visitor.make("/v1/keys", &body, &fields).await;
    let none = Fields::default();
    let page = keys(&visitor, &none).await?;
    let title = visitor.say(TITLE);
    Ok(match made {
        Ok(key) => visitor.page(Section::Keys, title, draw(&visitor, &none, &page, &none, None, Some(&key))),
        Err(refusal) => {
            let content = draw(&visitor, &none, &page, &fields, Some(&refusal), None);
            visitor.refused_page(&refusal, Section::Keys, title, content)
        }
    })
}

async fn revoke(Path(id): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &format!("/v1/keys/{}", segment(&id)), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=done")).into_response())
}

async fn keys(visitor: &Visitor, query: &Fields) -> Result<Listed, Stop> {
    visitor.list(&format!("/v1/keys{}", query.query(&["cursor"]))).await
}

/// `made`: a key that was just made, whole unless the same form has made it before.
fn draw(
    visitor: &Visitor,
    query: &Fields,
    page: &Listed,
    typed: &Fields,
    refusal: Option<&Refusal>,
    made: Option<&Value>,
) -> Markup {
    let title = visitor.say(TITLE);
    let own = visitor.caller.key.to_string();
    let parent = page.items.iter().find(|key| text(key, "id") == own).map_or("", |key| text(key, "session_of"));
    let rows: Vec<_> = page.items.iter().map(|key| row(visitor, key, &own, parent)).collect();
    let heads = [ID, WHAT_FOR, SCOPES, MADE, ENDS, USED, ACTION].map(|head| visitor.say(head));
    html! {
        h1 { (title) }
        @if let Some(made) = made {
            div.card role="status" {
                @match made["key"].as_str() {
                    Some(key) => { p { strong { (visitor.say(ONCE)) } } pre { (key) } }
                    None => { p { (visitor.say(AGAIN)) } }
                }
            }
        }
        (table(visitor, title, &heads, &rows))
        (pager(visitor, PATH, query, &[], page))
        h2 { (visitor.say(NEW)) }
        (form(&Form { visitor, fields: typed, refusal }))
    }
}

fn row(visitor: &Visitor, key: &Value, own: &str, parent: &str) -> Markup {
    let (id, session_of) = (text(key, "id"), text(key, "session_of"));
    let scopes = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    html! {
        tr {
            th scope="row" { code { (id) } }
            td {
                (text(key, "description"))
                @if !session_of.is_empty() { (visitor.say(SESSION_OF)) " " code { (session_of) } " " }
                @if id == own { strong { "(" (visitor.say(OWN)) ")" } }
                @if id == parent { strong { " (" (visitor.say(OWN_KEY)) ")" } }
            }
            td { (scopes.join(", ")) }
            td { (time(&key["created_at"])) }
            td { (time(&key["expires_at"])) }
            td { (time(&key["last_used_at"])) }
            td { (confirmed(visitor, &format!("{PATH}/{}/revoke", segment(id)), REVOKE, visitor.say(REVOKE_ASK))) }
        }
    }
}

fn form(form: &Form) -> Markup {
    let visitor = form.visitor;
    // nobody gives what he does not have
    let given = Scope::ALL.into_iter().filter(|scope| visitor.may(*scope));
    let scopes = given.map(|scope| (scope.as_str(), visitor.say(scope_text(scope)))).collect();
    let content = html! {
        (form.field(&Field::line("scopes", visitor.say(SCOPES)).control(Control::Several(scopes))))
        (form.field(&Field::line("description", visitor.say(WHAT_FOR))))
        (form.field(&Field::line("expires_at", visitor.say(ENDS_AT)).help(visitor.say(ENDS_HELP))))
    };
    form.draw(PATH, &content, visitor.say(MAKE))
}

fn scope_text(scope: Scope) -> Text {
    match scope {
        Scope::Send => SEND,
        Scope::Read => READ,
        Scope::Manage => MANAGE,
        Scope::Operate => OPERATE,
    }
}
