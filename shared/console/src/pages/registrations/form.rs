//! The form of a registration, drawn from what its channel declares.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::Code;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{api_path, channels, find, page_of, params, paste};
use crate::{
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form},
    language::texts,
    layout::Section,
    show::{said, text},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    NEW = "New registration", "新建推送注册";
    CHANGE = "Change", "修改";
    PASTE = "A webhook's address, or a line as QD writes it", "Webhook 地址，或 QD 格式的一行";
    PASTE_HELP = "Paste the whole address of a robot or webhook, and the channel is found by it.", "粘贴机器人或 Webhook 的完整地址，系统会据此识别渠道。";
    GO_ON = "Go on", "继续";
    CHOOSE = "Or choose a channel", "或者选择渠道";
    UNKNOWN = "This is no address that begins with https://. Choose the channel below; its form takes the line.", "这不是以 https:// 开头的地址。请在下面选择渠道，其表单可以接受这一行。";
    NO_CHANNEL = "there is no such channel here", "这里没有这个渠道";
    NAME = "Name", "名称";
    NAME_HELP = "What messages and rules call it: letters, digits, `_` and `-`, also Chinese.", "消息和规则用它来称呼：字母、数字、`_`、`-`，也可以是中文。";
    UNNAMED = "a registration needs a name", "推送注册需要名称";
    TAKEN = "there is a registration of this name; change that one, or take another name", "已经有同名的推送注册；请修改它，或换一个名称";
    LINE = "All on one line", "写在一行";
    LINE_HELP = "Instead of the fields below: the whole address of the webhook, or a;b;c as QD writes it.", "可代替下面的字段：Webhook 的完整地址，或 QD 的 a;b;c 格式。";
    DETAILS = "Where the values come from: the provider's page", "参数从哪里来：服务商文档";
    KEPT = "It is set. Leave this empty to keep it.", "已设置。留空则保持不变。";
    CLEAR = "Remove what is set", "清除已设置的值";
    DEFAULT = "default", "默认";
    YES = "yes", "是";
    NO = "no", "否";
    LINES = "One on each line.", "每行一个。";
    PAIRS = "One on each line, as Name: value.", "每行一个，格式为 名称: 值。";
    GROUPS = "Groups", "分组";
    GROUPS_HELP = "Names with commas in between; a message to the group reaches all of its members.", "用逗号分隔；发给分组的消息会送达所有成员。";
    DESCRIPTION = "Description", "说明";
    ENABLED = "Switched on", "启用";
    IS_DEFAULT = "Takes addresses on this channel that name no registration", "作为该渠道的默认注册（接收未指定注册的地址）";
    SERVES = "Whom it reaches", "送达对象";
    SERVES_ONE = "the one place that it names", "参数所指的一个地方";
    SERVES_CONTACTS = "contacts, each by an address of its own", "联系人，各用自己的地址";
    VERIFY = "Send a test first, and save only if it arrives", "先发送测试，成功后才保存";
    VERIFY_TO = "Address for that test", "测试的收件地址";
    SAVE = "Save", "保存";
    ANSWERED = "What the provider answered", "服务商的回应";
}

/// The channel comes first; then there is its form.
pub(super) async fn new(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let channels = channels(&visitor).await?;
    Ok(match find(&channels, query.get("channel")) {
        Some(spec) => draw_new(&visitor, spec, &Fields::of([("enabled", "on")]), None),
        None => choose(&visitor, &channels, &query, None),
    })
}

/// The channel is found by the address of a webhook, which is a secret: it stands in no address of ours.
pub(super) async fn pasted(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let channels = channels(&visitor).await?;
    let line = fields.get("line");
    let known = paste::recognised(line).and_then(|known| find(&channels, known.channel));
    if let Some(spec) = known {
        return Ok(draw_new(&visitor, spec, &Fields::of([("enabled", "on"), ("line", line)]), None));
    }
    let unknown = visitor.refuse(Code::InvalidField, "line", UNKNOWN);
    Ok(choose(&visitor, &channels, &fields, Some(&unknown)))
}

fn choose(visitor: &Visitor, channels: &[Value], fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let line = form.field(&Field::line("line", visitor.say(PASTE)).required().help(visitor.say(PASTE_HELP)));
    let title = visitor.say(NEW);
    let content = html! {
        h1 { (title) }
        (form.draw("/console/new-registration/paste", &line, visitor.say(GO_ON)))
        h2 { (visitor.say(CHOOSE)) }
        ul.channels {
            @for spec in channels {
                li {
                    a href={ "/console/new-registration?channel=" (text(spec, "id")) } { (said(visitor, &spec["label"])) }
                    " " span.soft { (said(visitor, &spec["help"])) }
                }
            }
        }
    };
    respond(visitor, refusal, title, content)
}

pub(super) async fn make(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let channels = channels(&visitor).await?;
    let wanted = fields.get("channel");
    let unknown = || visitor.stop(visitor.refuse(Code::UnknownChannel, "channel", NO_CHANNEL));
    let spec = find(&channels, wanted).ok_or_else(unknown)?;
    match put(&visitor, spec, &fields).await {
        Ok(name) => {
            let saved = Redirect::to(&format!("{}?notice=saved", page_of(&name))).into_response();
            // it is saved only if its test has arrived
            Ok(if fields.is_on("verify") { visitor.tested(saved) } else { saved })
        }
        Err(refusal) => Ok(draw_new(&visitor, spec, &fields, Some(&refusal))),
    }
}

/// Saves a new one; what is there already is not saved over.
async fn put(visitor: &Visitor, spec: &Value, fields: &Fields) -> Result<String, Refusal> {
    let missing = || visitor.refuse(Code::MissingField, "name", UNNAMED);
    let name = fields.text("name").ok_or_else(missing)?;
    visitor.is_free(&api_path(name), TAKEN).await?;
    let channel = text(spec, "id");
    let mut body = common(fields);
    body["channel"] = json!(channel);
    body["params"] = match fields.text("line") {
        Some(line) => paste::params(channel, line),
        None => params::from_fields(spec, fields, false),
    };
    let to = fields.text("to").filter(|_| fields.is_on("verify"));
    let verified = Fields::of(fields.is_on("verify").then_some(("verify", "true"))).with("to", to.unwrap_or_default());
    let path = format!("{}{}", api_path(name), verified.query(&["verify", "to"]));
    visitor.call(Method::PUT, &path, Some(&body)).await.map(|_| name.to_owned())
}

pub(super) async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    let (registration, spec) = both(&visitor, &name).await?;
    let ticked = ["enabled", "default"]
        .into_iter()
        .filter(|name| registration[*name] == true)
        .map(|name| (name.to_owned(), "on".to_owned()));
    let said = [
        ("groups", super::groups(&registration)),
        ("description", text(&registration, "description").to_owned()),
        ("serves", text(&registration, "serves").to_owned()),
    ];
    let said = said.into_iter().map(|(name, value)| (name.to_owned(), value));
    let fields = Fields::of(params::to_fields(&spec, &registration["params"]).into_iter().chain(ticked).chain(said));
    Ok(draw_change(&visitor, &registration, &spec, &fields, None))
}

pub(super) async fn change(Path(name): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let (registration, spec) = both(&visitor, &name).await?;
    let mut body = common(&fields);
    body["params"] = params::from_fields(&spec, &fields, true);
    match visitor.call(Method::PATCH, &api_path(&name), Some(&body)).await {
        Ok(_) => Ok(Redirect::to(&format!("{}?notice=saved", page_of(&name))).into_response()),
        Err(refusal) => Ok(draw_change(&visitor, &registration, &spec, &fields, Some(&refusal))),
    }
}

/// A registration, and what its channel declares.
async fn both(visitor: &Visitor, name: &str) -> Result<(Value, Value), Stop> {
    let registration = visitor.get(&api_path(name)).await?;
    let spec = find(&channels(visitor).await?, text(&registration, "channel")).cloned().unwrap_or_default();
    Ok((registration, spec))
}

/// The members of a body that do not hang on the channel.
fn common(fields: &Fields) -> Value {
    json!({
        "groups": fields.words("groups"),
        "description": fields.json("description"),
        "enabled": fields.is_on("enabled"),
        "default": fields.is_on("default"),
        "serves": fields.text("serves").unwrap_or("one"),
    })
}

fn draw_new(visitor: &Visitor, spec: &Value, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let is_at_line = refusal.is_some_and(|refusal| refusal.field.as_deref() == Some("params"));
    let at_line = refusal.filter(|_| is_at_line).map(|refusal| Refusal { field: Some("line".to_owned()), ..refusal.clone() });
    let line_form = Form { refusal: at_line.as_ref(), ..form };
    let title = visitor.say(NEW);
    let content = html! {
        input type="hidden" name="channel" value=(text(spec, "id"));
        (form.field(&Field::line("name", visitor.say(NAME)).required().help(visitor.say(NAME_HELP))))
        (line_form.field(&Field::line("line", visitor.say(LINE)).help(visitor.say(LINE_HELP))))
        // what a line may say instead cannot be asked for here
        (of_channel(&form, spec, None))
        (beside(&form, spec))
        (form.field(&Field::line("verify", visitor.say(VERIFY)).control(Control::Box)))
        @if !spec["address"].is_null() { (form.field(&Field::line("to", visitor.say(VERIFY_TO)))) }
    };
    let content = whole(&form, title, spec, "/console/new-registration", &content);
    respond(visitor, refusal, title, content)
}

fn draw_change(visitor: &Visitor, registration: &Value, spec: &Value, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let name = text(registration, "name");
    let title = format!("{}: {name}", visitor.say(CHANGE));
    let content = html! {
        (of_channel(&form, spec, Some(&registration["params"])))
        (beside(&form, spec))
    };
    let content = whole(&form, &title, spec, &format!("{}/edit", page_of(name)), &content);
    respond(visitor, refusal, &title, content)
}

fn whole(form: &Form, title: &str, spec: &Value, action: &str, content: &Markup) -> Markup {
    let visitor = form.visitor;
    let test = form.refusal.and_then(|refusal| refusal.test.as_ref());
    html! {
        h1 { (title) }
        p { strong { (said(visitor, &spec["label"])) } ". " (said(visitor, &spec["help"])) " "
            a href=(text(spec, "docs")) rel="noreferrer" { (visitor.say(DETAILS)) } }
        @if let Some(test) = test { h2 { (visitor.say(ANSWERED)) } (super::one::trial(visitor, test)) }
        (form.draw(action, content, visitor.say(SAVE)))
    }
}

fn respond(visitor: &Visitor, refusal: Option<&Refusal>, title: &str, content: Markup) -> Response {
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Registrations, title, content),
        None => visitor.page(Section::Registrations, title, content),
    }
}

/// A field for each parameter. `there` are those of a registration that is changed.
fn of_channel(form: &Form, spec: &Value, there: Option<&Value>) -> Markup {
    html! { @for param in params::params_of(spec) { (of_param(form, param, there)) } }
}

fn of_param(form: &Form, param: &Value, there: Option<&Value>) -> Markup {
    let visitor = form.visitor;
    let name = text(param, "name");
    let (path, label, kind) = (params::field(name), said(visitor, &param["label"]), text(param, "kind"));
    let is_set = param["secret"] == true && there.is_some_and(|there| there.get(name).is_some());
    let hint = match kind {
        "list" => visitor.say(LINES),
        "headers" | "object" => visitor.say(PAIRS),
        _ => "",
    };
    let help = html! {
        (said(visitor, &param["help"])) " " (hint)
        @if is_set { " " strong { (visitor.say(KEPT)) } @if let Some(hint) = there.and_then(|there| there[name]["hint"].as_str()) { " " (hint) } }
    };
    let or_default =
        param["default"].as_str().map_or_else(|| "–".to_owned(), |word| format!("{} ({word})", visitor.say(DEFAULT)));
    let control = match kind {
        "long_text" | "list" | "headers" | "object" => Control::Area,
        "number" => Control::Number,
        "bool" => Control::Choice(vec![("", &or_default), ("true", visitor.say(YES)), ("false", visitor.say(NO))]),
        "choice" => {
            let choices = param["choices"].as_array().into_iter().flatten().filter_map(Value::as_str);
            Control::Choice([("", or_default.as_str())].into_iter().chain(choices.map(|choice| (choice, choice))).collect())
        }
        _ if param["secret"] == true => Control::Secret,
        _ => Control::Line,
    };
    // a pasted line may stand for all of them
    let field = Field { name: &path, label, help: Some(help), required: false, optional: param["required"] != true, control };
    html! {
        (form.field(&field))
        @if is_set && param["required"] != true {
            (form.field(&Field::line(&params::clearing(name), &format!("{label}: {}", visitor.say(CLEAR))).control(Control::Box)))
        }
    }
}

fn beside(form: &Form, spec: &Value) -> Markup {
    let visitor = form.visitor;
    let serves = Control::Choice(vec![("one", visitor.say(SERVES_ONE)), ("contacts", visitor.say(SERVES_CONTACTS))]);
    html! {
        (form.field(&Field::line("groups", visitor.say(GROUPS)).help(visitor.say(GROUPS_HELP))))
        (form.field(&Field::line("description", visitor.say(DESCRIPTION))))
        @if !spec["address"].is_null() {
            (form.field(&Field::line("serves", visitor.say(SERVES)).required().control(serves)))
            (form.field(&Field::line("default", visitor.say(IS_DEFAULT)).control(Control::Box)))
        }
        (form.field(&Field::line("enabled", visitor.say(ENABLED)).control(Control::Box)))
    }
}
