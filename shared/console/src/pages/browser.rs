//! This browser as a destination: it subscribes to Web Push and becomes a registration. And a socket to try.

use axum::{
    Router,
    http::{HeaderName, Method, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bellhop_core::{Code, model::Scope};
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::{
    Console,
    assets::BROWSER_AT,
    call::{Refusal, segment},
    fields::Fields,
    form::{Field, Form, hidden_token, refused},
    language::texts,
    layout::Section,
    show::text,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "This browser", "本浏览器";
    NEEDS_SCRIPT = "This page needs JavaScript: subscribing is the browser's own doing.", "此页面需要 JavaScript：订阅由浏览器完成。";
    PUSH = "Messages to this browser", "向本浏览器推送";
    PUSH_WHAT = "The browser subscribes at its push service, and becomes a registration on the channel web_push: rules and messages reach it, also while this page is closed.",
                "浏览器向其推送服务订阅，并成为 web_push 渠道的一个推送注册：即使关闭此页面，规则和消息也能送达。";
    LACKS = "Your key lacks the scope `manage`, which making a registration needs.", "您的密钥没有创建推送注册所需的 `manage` 权限。";
    NAME = "Name of the registration", "推送注册的名称";
    SUBSCRIBE = "Subscribe this browser", "订阅本浏览器";
    UNNAMED = "a registration needs a name", "推送注册需要名称";
    TAKEN = "there is a registration of this name on another channel; take another name", "此名称已用于其他渠道的推送注册；请换一个名称";
    SCRIPT_ONLY = "the browser has told no subscription; this needs JavaScript", "浏览器没有提供订阅信息；此功能需要 JavaScript";
    NATIVE = "A notification", "系统通知";
    NATIVE_WHAT = "Shows at once whether this browser may notify you. Nothing is sent.", "立即检查本浏览器能否显示通知，不会发送任何消息。";
    NOTIFY = "Show one", "显示一条";
    UNABLE = "This browser cannot do that here. Web Push needs https, or an address of this machine such as localhost.",
             "本浏览器在此处无法使用该功能。Web Push 需要 https，或本机地址（如 localhost）。";
    DENIED = "The browser does not allow notifications of this site; its settings for the site can change that.", "浏览器不允许此网站显示通知；可在浏览器的网站设置中修改。";
    HELLO = "This is how messages look.", "消息就是这样显示的。";
    SHOWN = "The browser was asked to show it.", "已请浏览器显示。";
    SOCKET = "A socket to try", "测试 WebSocket";
    SOCKET_WHAT = "Connects as a client of Mpush to this address (not on AWS, where the sockets have an address of their own). It needs an account that has Mpush, with its token; whoever sends to the registration of that name is heard here.",
                  "以 Mpush 客户端的身份连接本地址（AWS 上的 WebSocket 使用另一个地址，此处不可用）。账户需启用 Mpush 并提供其令牌；发往该名称的消息会显示在这里。";
    TOKEN = "Token of Mpush", "Mpush 令牌";
    CLIENT = "Name of the client", "客户端名称";
    CONNECT = "Connect", "连接";
    HEARD = "What was said", "收发内容";
}

const WORKER: &str = include_str!("worker.js");

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/browser", get(show).post(subscribe)).route("/console/worker.js", get(worker))
}

/// The service worker. Its address stays the same for ever, so it is in no cache.
async fn worker() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], WORKER)
}

async fn show(visitor: Visitor) -> Result<Response, Stop> {
    draw(&visitor, &Fields::of([("name", "browser")]), None).await
}

async fn subscribe(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    match registered(&visitor, &fields).await {
        Ok(name) => Ok(Redirect::to(&format!("/console/registrations/{}?notice=saved", segment(&name))).into_response()),
        Err(refusal) => draw(&visitor, &fields, Some(&refusal)).await,
    }
}

/// The name of the registration that this browser now is.
async fn registered(visitor: &Visitor, fields: &Fields) -> Result<String, Refusal> {
    let missing = |text| visitor.refuse(Code::MissingField, "name", text);
    let name = fields.text("name").ok_or_else(|| missing(UNNAMED))?;
    if fields.text("params.endpoint").is_none() {
        return Err(missing(SCRIPT_ONLY));
    }
    let path = format!("/v1/registrations/{}", segment(name));
    let params: Value =
        ["endpoint", "p256dh", "auth"].map(|param| (param, fields.json(&format!("params.{param}")))).into_iter().collect();
    match visitor.call(Method::GET, &path, None).await {
        Ok(old) if text(&old, "channel") != "web_push" => {
            return Err(visitor.refuse(Code::Conflict, "name", TAKEN));
        }
        // a browser that subscribes anew takes the place of its old subscription, and of nothing else
        Ok(_) => visitor.call(Method::PATCH, &path, Some(&json!({ "params": params }))).await?,
        Err(refusal) if refusal.code == Code::NotFound.as_str() => {
            visitor.call(Method::PUT, &path, Some(&json!({ "channel": "web_push", "params": params }))).await?
        }
        Err(refusal) => return Err(refusal),
    };
    Ok(name.to_owned())
}

async fn draw(visitor: &Visitor, fields: &Fields, refusal: Option<&Refusal>) -> Result<Response, Stop> {
    let key = visitor.get("/v1/web-push").await?;
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        noscript { p.refused { (visitor.say(NEEDS_SCRIPT)) } }
        div id="this-browser" data-key=(text(&key, "public_key")) data-unable=(visitor.say(UNABLE)) data-denied=(visitor.say(DENIED))
            data-hello=(visitor.say(HELLO)) data-shown=(visitor.say(SHOWN)) {
            (push(&Form { visitor, fields, refusal }))
            h2 { (visitor.say(NATIVE)) }
            p { (visitor.say(NATIVE_WHAT)) }
            p { button id="notify" type="button" { (visitor.say(NOTIFY)) } }
            p id="notify-said" role="status" {}
            (socket(visitor))
        }
        script src=(*BROWSER_AT) defer {}
    };
    Ok(match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Browser, title, content),
        None => visitor.page(Section::Browser, title, content),
    })
}

fn push(form: &Form) -> Markup {
    let visitor = form.visitor;
    html! {
        h2 { (visitor.say(PUSH)) }
        p { (visitor.say(PUSH_WHAT)) }
        @if visitor.may(Scope::Manage) {
            div id="push" {
                form.fields method="post" action="/console/browser" {
                    (hidden_token(visitor))
                    // what the browser's subscription says is filled in by the script
                    @for param in ["params.endpoint", "params.p256dh", "params.auth"] { input type="hidden" name=(param); }
                    (refused(form.refusal))
                    (form.field(&Field::line("name", visitor.say(NAME)).required()))
                    p { button.primary type="submit" { (visitor.say(SUBSCRIBE)) } }
                }
                p id="push-said" role="status" {}
            }
        } @else { p { (visitor.say(LACKS)) } }
    }
}

fn socket(visitor: &Visitor) -> Markup {
    html! {
        h2 { (visitor.say(SOCKET)) }
        p { (visitor.say(SOCKET_WHAT)) }
        // no form: a token must stand in no address
        div.fields {
            div.field {
                label for="socket-token" { (visitor.say(TOKEN)) }
                input id="socket-token" name="token" type="password" autocomplete="off" required;
            }
            div.field {
                label for="socket-name" { (visitor.say(CLIENT)) }
                input id="socket-name" name="name" type="text" value="browser-socket" autocomplete="off" required;
            }
            p { button id="connect" type="button" { (visitor.say(CONNECT)) } }
        }
        h3 { (visitor.say(HEARD)) }
        div id="socket-log" role="log" aria-label=(visitor.say(HEARD)) {}
    }
}
