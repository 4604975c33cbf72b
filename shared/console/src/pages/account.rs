//! The account's settings, how much it may have, and who did what with it.

use axum::{
    Router,
    http::Method,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::{
    Console,
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form},
    language::texts,
    layout::Section,
    show::{self, text, time},
    table::{pager, table},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Account", "账户";
    ZONE = "Time zone", "时区";
    ZONE_HELP = "Such as Asia/Shanghai: for digests and tasks that name none.", "例如 Asia/Shanghai：用于没有指定时区的摘要和任务。";
    LOCALE = "Language", "语言";
    LOCALE_HELP = "Such as zh-CN or en: for texts of ours in messages.", "例如 zh-CN 或 en：用于消息中由系统生成的文字。";
    PICTURE = "Address of a picture", "默认图片地址";
    PICTURE_HELP = "For messages that have none.", "用于没有图片的消息。";
    DAYS = "Days that messages are kept", "消息保留天数";
    PER_SECOND = "Messages a second", "每秒消息数";
    PER_SECOND_HELP = "0: without a limit.", "0 表示不限。";
    BURST = "At once at most", "突发上限";
    SAVE = "Save", "保存";
    QUOTAS = "How much it may have", "配额";
    QUOTA_TASKS = "Tasks that wait for a run", "等待运行的任务";
    QUOTA_REGISTRATIONS = "Registrations on a channel", "每个渠道的推送注册";
    MPUSH = "Mpush", "Mpush";
    MPUSH_ON = "It has a token: Mpush's clients reach it.", "已设置令牌：Mpush 客户端可以访问。";
    MPUSH_OFF = "It has no token. PUT /v1/account with mpush.token switches Mpush on.", "未设置令牌。通过 PUT /v1/account 的 mpush.token 启用 Mpush。";
    AUDIT = "Audit", "审计";
    AUDIT_WHAT = "Who did what with what the account owns, the newest first.", "谁对账户做了什么，最新的在前。";
    AT = "At", "时间";
    KEY = "Key", "密钥";
    DEED = "Did", "操作";
    OBJECT = "What", "对象";
}

const AUDIT_PATH: &str = "/console/audit";

/// The settings that the form shows; a number is read as one.
const LINES: [&str; 3] = ["time_zone", "locale", "default_image_url"];

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/account", get(show).post(change)).route("/console/audit", get(audit))
}

async fn show(visitor: Visitor) -> Result<Response, Stop> {
    let account = visitor.get("/v1/account").await?;
    Ok(draw(&visitor, &account, &fields_of(&account), None))
}

async fn change(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    Ok(match visitor.call(Method::PUT, "/v1/account", Some(&body(&fields))).await {
        Ok(_) => Redirect::to("/console/account?notice=saved").into_response(),
        Err(refusal) => {
            let account = visitor.get("/v1/account").await?;
            draw(&visitor, &account, &fields, Some(&refusal))
        }
    })
}

fn fields_of(account: &Value) -> Fields {
    let lines = LINES.map(|name| (name, text(account, name).to_owned()));
    let numbers = [
        ("retention_days", show::value(&account["retention_days"])),
        ("rate.per_second", show::value(&account["rate"]["per_second"])),
        ("rate.burst", show::value(&account["rate"]["burst"])),
    ];
    Fields::of(lines.into_iter().chain(numbers))
}

/// What is empty is `null`: the setting of a new account.
fn body(fields: &Fields) -> Value {
    json!({
        "time_zone": fields.json("time_zone"),
        "locale": fields.json("locale"),
        "default_image_url": fields.json("default_image_url"),
        "retention_days": fields.number("retention_days"),
        "rate": { "per_second": fields.number("rate.per_second"), "burst": fields.number("rate.burst") },
    })
}

fn draw(visitor: &Visitor, account: &Value, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let title = visitor.say(TITLE);
    let quotas = &account["quotas"];
    let has_token = account["mpush"]["token"]["set"] == true;
    let content = html! {
        h1 { (title) ": " (text(account, "id")) }
        (form.draw("/console/account", &settings(&form), visitor.say(SAVE)))
        h2 { (visitor.say(QUOTAS)) }
        dl.facts {
            dt { (visitor.say(QUOTA_TASKS)) } dd { (show::value(&quotas["tasks"])) }
            dt { (visitor.say(QUOTA_REGISTRATIONS)) } dd { (show::value(&quotas["registrations_per_channel"])) }
        }
        h2 { (visitor.say(MPUSH)) }
        p { (visitor.say(if has_token { MPUSH_ON } else { MPUSH_OFF })) }
        p { a.button href=(AUDIT_PATH) { (visitor.say(AUDIT)) } }
    };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Account, title, content),
        None => visitor.page(Section::Account, title, content),
    }
}

fn settings(form: &Form) -> Markup {
    let visitor = form.visitor;
    let line = |name, label, help| form.field(&Field::line(name, visitor.say(label)).help(visitor.say(help)));
    let number = |name, label| Field::line(name, visitor.say(label)).control(Control::Number);
    html! {
        (line("time_zone", ZONE, ZONE_HELP))
        (line("locale", LOCALE, LOCALE_HELP))
        (line("default_image_url", PICTURE, PICTURE_HELP))
        (form.field(&number("retention_days", DAYS)))
        (form.field(&number("rate.per_second", PER_SECOND).help(visitor.say(PER_SECOND_HELP))))
        (form.field(&number("rate.burst", BURST)))
    }
}

async fn audit(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let page = visitor.list(&format!("/v1/audit{}", query.query(&["cursor"]))).await?;
    let row = |entry: &Value| {
        html! {
            tr {
                th scope="row" { (time(&entry["at"])) }
                td { code { (text(entry, "key")) } }
                td { code { (text(entry, "action")) } }
                td { (text(entry, "object")) }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let title = visitor.say(AUDIT);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(AUDIT_WHAT)) }
        (table(&visitor, title, &[AT, KEY, DEED, OBJECT].map(|head| visitor.say(head)), &rows))
        (pager(&visitor, AUDIT_PATH, &query, &[], &page))
    };
    Ok(visitor.page(Section::Account, title, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_settings_says_the_settings() {
        let account = json!({
            "time_zone": "Asia/Shanghai", "locale": "zh-CN", "default_image_url": null, "retention_days": 30,
            "rate": { "per_second": 0, "burst": 100 },
        });
        assert_eq!(body(&fields_of(&account)), account);
    }
}
