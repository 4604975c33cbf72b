//! A Feishu or Lark group robot: text, post (text with link and picture) or a card for markdown.
//!
//! Signed in the body if there is a secret. A picture's bytes are uploaded by an app, if there is one besides the robot;
//! where Feishu does not take them, the text goes without. A picture that is there already goes by its `image_key`, and one
//! by URL as a link.
//! <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, SendError, Timestamp,
    channel::{Channel, Context, Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    pace::SendRate,
    render,
    token::Token,
};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    ask::{self, Answers, either},
    feishu::{self, App, FEISHU, LARK, WITHOUT_PICTURE, is_sendable},
    format::as_text,
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text, with_picture},
    request::post_json,
    sign,
    template::percent_encoded,
};

/// Of the whole request.
const MOST_BYTES: usize = 20 * 1024;

/// Of a title that stands by itself; nobody reads more, and the text needs the room.
const TITLE: Limit = Limit { max: 200, unit: Unit::Chars };

/// A hundred a minute, and never more than five a second.
/// <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>
const RATE: SendRate = SendRate { burst: 3, every: Duration::from_millis(620) };

pub(crate) static SPEC: Spec = Spec {
    id: "feishu_bot",
    label: text("Feishu robot", "飞书群机器人"),
    help: text("Posts to a Feishu or Lark group by a custom bot.", "通过自定义机器人发送到飞书或 Lark 群。"),
    docs: "https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot",
    limits: Limits {
        title: None,
        body: Some(Limit { max: MOST_BYTES, unit: Unit::Bytes }),
        part: Some(Limit { max: 9_000, unit: Unit::Bytes }),
        rate: Some(RATE),
    },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: None,
    params: &[TOKEN, SECRET, REGION, APP_ID, APP_SECRET, IMAGE_KEY, INCLUDE_PICTURE],
    short: None,
    check,
};

const TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Token", "令牌"),
        text("The end of the robot's webhook URL, or that whole URL.", "机器人 Webhook 地址的最后一段，也可以填写整个地址。"),
    )
};

const SECRET: Param = Param {
    secret: true,
    ..param(
        "secret",
        Kind::Text,
        text("Signing secret", "签名密钥"),
        text("Shown by the robot's security setting `Signature verification`.", "安全设置“签名校验”中显示的密钥。"),
    )
};

const REGION: Param = Param {
    default: Some("feishu"),
    ..param(
        "region",
        Kind::Choice(&["feishu", "larksuite"]),
        text("Region", "区域"),
        text(
            "`larksuite` outside of China. A whole URL says it by itself.",
            "中国大陆以外为 `larksuite`；填写整个地址时以地址为准。",
        ),
    )
};

const APP_ID: Param = param(
    "app_id",
    Kind::Text,
    text("App ID", "App ID"),
    text(
        "Of an app that uploads pictures, since robots cannot: under `Credentials & Basic Info`, <https://open.feishu.cn/app>. It \
         needs a bot and the scope `im:resource`. Without it, uploaded pictures are left out.",
        "用于上传图片的应用（机器人自身无法上传）：应用的“凭证与基础信息”页面，<https://open.feishu.cn/app>；应用须开启机器人能力并具有权限 `im:resource`。不填写时不发送上传的图片。",
    ),
);

const APP_SECRET: Param = Param {
    secret: true,
    ..param("app_secret", Kind::Text, text("App secret", "App Secret"), text("On the same page.", "与 App ID 同一页面。"))
};

const IMAGE_KEY: Param = Param {
    per_message: true,
    ..param(
        "image_key",
        Kind::Text,
        text("Image key", "image_key"),
        text("The key of a picture that an app of yours has uploaded.", "由您的应用上传图片后得到的 image_key。"),
    )
};

/// The channel `feishu_bot`.
pub(crate) struct FeishuBot;

impl Channel for FeishuBot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        either(next(cx, &with_picture(cx, message, params), params, Answers::new(so_far)))
    }

    fn fetch(&self, _cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
        Ok(App::of(params, robot(params)?.host)?.fetch())
    }

    fn token(&self, cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        feishu::token(cx, reply)
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    let problem = |name: &str, detail: String| Err(Problem::field(Code::InvalidParams, format!("params.{name}"), detail));
    if Robot::of(params.text(TOKEN.name).unwrap_or_default(), params).is_none() {
        return problem(TOKEN.name, format!("it takes the robot's token, or its whole URL on `{FEISHU}` or `{LARK}`"));
    }
    match (params.text(APP_ID.name), params.text(APP_SECRET.name)) {
        (Some(_), None) => {
            problem(APP_SECRET.name, "an app that uploads pictures has both, `app_id` and `app_secret`".to_owned())
        }
        (None, Some(_)) => problem(APP_ID.name, "an app that uploads pictures has both, `app_id` and `app_secret`".to_owned()),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

fn next(cx: &Context, message: &Message, params: &Params, mut answers: Answers) -> Result<Step, Step> {
    let robot = robot(params).map_err(Step::Fail)?;
    let picture = message.picture.filter(|picture| is_sendable(picture) && params.text(APP_ID.name).is_some());
    let upload = |picture| {
        let app = App::of(params, robot.host).map_err(Step::Fail)?;
        app.uploaded(cx, ask::token(cx, || Ok(app.credential()))?, picture, &mut answers)
    };
    let uploaded = picture.map(upload).transpose()?;
    let Some(reply) = answers.last() else {
        let image_key = uploaded.as_ref().and_then(Option::as_deref).or_else(|| params.text(IMAGE_KEY.name));
        return Ok(Step::Call(request(cx, &robot, message, params, image_key)));
    };
    Ok(match judge(reply, cx.now) {
        Step::Done if uploaded == Some(None) => Step::DoneBut(WITHOUT_PICTURE.to_owned()),
        judged => judged,
    })
}

fn robot(params: &Params) -> Result<Robot, SendError> {
    let pasted = required(params, TOKEN.name)?;
    Ok(Robot::of(pasted, params).unwrap_or_else(|| Robot { host: FEISHU, token: pasted.to_owned() }))
}

/// Where a robot is, and its token.
struct Robot {
    host: &'static str,
    token: String,
}

impl Robot {
    fn of(pasted: &str, params: &Params) -> Option<Self> {
        let pasted = pasted.trim();
        if !pasted.contains("://") {
            let host = if params.text(REGION.name) == Some("larksuite") { LARK } else { FEISHU };
            return Some(Self { host, token: pasted.to_owned() });
        }
        let url = Url::parse(pasted).ok()?;
        let host = [FEISHU, LARK].into_iter().find(|host| url.host_str() == Some(host))?;
        let token = url.path_segments()?.rfind(|segment| !segment.is_empty())?.to_owned();
        Some(Self { host, token })
    }
}

fn request(cx: &Context, robot: &Robot, message: &Message, params: &Params, image_key: Option<&str>) -> Outgoing {
    let mut signed = Map::new();
    if let Some(secret) = params.text(SECRET.name) {
        let now = cx.now.as_second().to_string();
        signed.insert("sign".to_owned(), sign::feishu(secret, &now).into());
        signed.insert("timestamp".to_owned(), now.into());
    }
    let url = format!("https://{}/open-apis/bot/v2/hook/{}", robot.host, percent_encoded(&robot.token));
    post_json(url, &body(&signed, message, image_key))
}

/// The body, as long as it may be.
fn body(signed: &Map<String, Value>, message: &Message, image_key: Option<&str>) -> Value {
    // a picture stands in a post, and a post shows text
    let text = || Message { body: as_text(message), format: Format::Text, ..message.clone() };
    let message = &if image_key.is_some() { text() } else { message.clone() };
    let is_bare = message.url.is_none() && image_key.is_none();
    let says_nothing = Joined::plain(message).whole().is_empty();
    let write = |text: &str| {
        let content = match (message.format, image_key) {
            (Format::Markdown, None) => json!({ "msg_type": "interactive", "card": card(message, text) }),
            (_, Some(key)) if says_nothing => json!({ "msg_type": "image", "content": { "image_key": key } }),
            (Format::Text | Format::Html, None) if is_bare => json!({ "msg_type": "text", "content": { "text": text } }),
            (Format::Text | Format::Markdown | Format::Html, key) => {
                json!({ "msg_type": "post", "content": { "post": { "zh_cn": post(message, text, key) } } })
            }
        };
        let mut body = signed.clone();
        body.extend(content.as_object().cloned().unwrap_or_default());
        Value::Object(body)
    };
    let joined = match message.format {
        Format::Text | Format::Html if is_bare => Joined::plain(message),
        Format::Text | Format::Markdown | Format::Html => Joined::body(message),
    };
    write(&joined.fit(MOST_BYTES, |text| write(text).to_string().len()))
}

/// A card of markdown with a button for the link.
/// <https://open.feishu.cn/document/common-capabilities/message-card/message-cards-content/card-structure/card-content>
pub(crate) fn card(message: &Message, text: &str) -> Value {
    let mut card = json!({ "config": { "wide_screen_mode": true } });
    if !message.title.is_empty() {
        let title = json!({ "tag": "plain_text", "content": render::shorten(&message.title, TITLE) });
        card["header"] = json!({ "title": title, "template": "blue" });
    }
    let mut elements = vec![json!({ "tag": "div", "text": { "tag": "lark_md", "content": text } })];
    if let Some(picture) = message.image_url {
        let link = format!("[{picture}]({picture})");
        elements.push(json!({ "tag": "div", "text": { "tag": "lark_md", "content": link } }));
    }
    if let Some(url) = message.url {
        let button =
            json!({ "tag": "button", "text": { "tag": "plain_text", "content": "Open" }, "url": url, "type": "primary" });
        elements.push(json!({ "tag": "action", "actions": [button] }));
    }
    card["elements"] = elements.into();
    card
}

/// A text with links and a picture: one paragraph each.
pub(crate) fn post(message: &Message, text: &str, image_key: Option<&str>) -> Value {
    let link = |url: &str| json!([{ "tag": "a", "text": url, "href": url }]);
    let paragraphs = std::iter::once(json!([{ "tag": "text", "text": text }]))
        .chain([message.image_url, message.url].into_iter().flatten().map(link))
        .chain(image_key.map(|key| json!([{ "tag": "img", "image_key": key }])));
    let content: Vec<_> = paragraphs.collect();
    json!({ "title": render::shorten(&message.title, TITLE), "content": content })
}

/// <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let answer = Answer::of(reply);
    // `StatusCode` is the older spelling, and counts only where there is no `code`
    let code = answer.and_then(|answer| match answer.get("code") {
        Some(_) => answer.number("code"),
        None => answer.number("StatusCode"),
    });
    let Some(code) = code else { return undocumented(reply, now) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Step::Done,
        0 => return undocumented(reply, now),
        11_232 | 99_991_400 => (Fault::TooFast(Duration::from_mins(1)), "a robot may send 100 messages in a minute"),
        11_247 => (Fault::TooFast(Duration::from_hours(1)), "the daily quota is used up"),
        19_001 => (Fault::Dead, "there is no such robot: check `token` and `region`"),
        19_021 => (Fault::Credentials, "the signature is refused: check `secret`"),
        19_022 => (Fault::Credentials, "the robot accepts other IP addresses only: choose another security setting"),
        19_024 => (Fault::Message, "the text has none of the robot's keywords: choose another security setting"),
        9_499 => (Fault::Message, "Feishu refuses the form of the message"),
        _ => return unknown_code(code, reply, now),
    };
    refused(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, channel::Body};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn outgoing(text: &str, fields: Value, mut params: Value) -> (String, Value) {
        if params.get("token").is_none() {
            params["token"] = "t0k".into();
        }
        let job = sample::event(text, fields);
        let outgoing = sample::request(&FeishuBot, &sample::message(&job), &sample::params(&SPEC, params));
        let Body::Json(body) = outgoing.body else { panic!("not JSON") };
        assert!(body.len() <= MOST_BYTES, "{} bytes", body.len());
        (outgoing.url, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn a_whole_url_says_where_the_robot_is() {
        for (token, region, url) in [
            (
                "https://open.larksuite.com/open-apis/bot/v2/hook/t0k/",
                "feishu",
                "https://open.larksuite.com/open-apis/bot/v2/hook/t0k",
            ),
            ("t0k", "larksuite", "https://open.larksuite.com/open-apis/bot/v2/hook/t0k"),
            ("t0k/../x", "feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/t0k%2F..%2Fx"),
        ] {
            assert_eq!(outgoing("b", json!({}), json!({"token": token, "region": region})).0, url);
        }
        let elsewhere = sample::params(&SPEC, json!({"token": "https://evil.example.com/hook/t0k"}));
        assert_eq!(check(&elsewhere).unwrap_err().field.as_deref(), Some("params.token"));
    }

    #[test]
    fn a_text_with_a_link_or_a_picture_is_a_post() {
        let fields = json!({"title": "t", "url": "https://e.com/"});
        let (_, body) = outgoing("1\n2", fields, json!({"image_key": "img_1"}));
        let content = json!([
            [{"tag": "text", "text": "1\n2"}],
            [{"tag": "a", "text": "https://e.com/", "href": "https://e.com/"}],
            [{"tag": "img", "image_key": "img_1"}],
        ]);
        assert_eq!(body["content"]["post"]["zh_cn"], json!({"title": "t", "content": content}));
    }

    #[test]
    fn a_picture_is_uploaded_by_an_app_if_there_is_one() {
        let job = sample::event("b", json!({}));
        let picture = bellhop_core::model::Picture(b"\x89PNG".as_slice().into());
        let message = Message { picture: Some(&picture), ..sample::message(&job) };
        let params = |app: Value| {
            let mut params = json!({"token": "https://open.larksuite.com/open-apis/bot/v2/hook/t0k"});
            params.as_object_mut().unwrap().extend(app.as_object().unwrap().clone());
            sample::params(&SPEC, params)
        };
        let with_app = params(json!({"app_id": "cli_1", "app_secret": "s3cret"}));
        let untokened = Context { token: None, ..sample::context() };
        assert!(matches!(FeishuBot.step(&untokened, &message, &with_app, &[]), Step::Token(_)));
        assert!(FeishuBot.fetch(&untokened, &with_app).unwrap().url.starts_with("https://open.larksuite.com/open-apis/auth/"));
        assert!(matches!(FeishuBot.step(&untokened, &message, &params(json!({})), &[]), Step::Call(_)), "robots cannot");
        assert!(matches!(FeishuBot.step(&untokened, &sample::message(&job), &with_app, &[]), Step::Call(_)), "nothing to upload");

        let step = |so_far: &[Reply]| FeishuBot.step(&sample::context(), &message, &with_app, so_far);
        let reply = |body: Value| Reply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        assert!(matches!(step(&[]), Step::Ask(upload) if upload.url == "https://open.larksuite.com/open-apis/im/v1/images"));
        let taken = reply(json!({"code": 0, "data": {"image_key": "img_1"}}));
        let Step::Call(Outgoing { body: Body::Json(body), .. }) = step(std::slice::from_ref(&taken)) else { panic!("not sent") };
        assert!(body.contains("img_1"), "{body}");
        assert_eq!(step(&[taken, reply(json!({"code": 0}))]), Step::Done);
        let refused = reply(json!({"code": 99_991_672}));
        let Step::Call(Outgoing { body: Body::Json(body), .. }) = step(std::slice::from_ref(&refused)) else {
            panic!("not sent")
        };
        assert!(body.contains("\"text\""), "{body}");
        assert!(matches!(step(&[refused, reply(json!({"code": 0}))]), Step::DoneBut(_)));
        assert!(matches!(step(&[reply(json!({"code": 99_991_663}))]), Step::Renew(_)));
    }

    #[test]
    fn half_an_app_is_none() {
        let half = sample::params(&SPEC, json!({"token": "t0k", "app_id": "cli_1"}));
        assert_eq!(check(&half).unwrap_err().field.as_deref(), Some("params.app_secret"));
    }

    #[test]
    fn a_code_that_is_no_number_is_no_success_whatever_the_old_field_says() {
        let reply = Reply { status: 200, headers: Vec::new(), body: br#"{"code":"0","StatusCode":0}"#.to_vec() };
        let Step::Fail(error) = judge(&reply, Timestamp::UNIX_EPOCH) else { panic!("delivered") };
        assert_eq!(error.reason, Reason::UnexpectedAnswer);
    }

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        for (code, reason, dead) in [
            (19_001, Reason::Gone, true),
            (19_021, Reason::Unauthorized, false),
            (19_022, Reason::Unauthorized, false),
            (19_024, Reason::Rejected, false),
            (11_232, Reason::RateLimited, false),
        ] {
            let reply = Reply { status: 200, headers: Vec::new(), body: json!({ "code": code }).to_string().into_bytes() };
            let Step::Fail(error) = judge(&reply, Timestamp::UNIX_EPOCH) else { panic!("{code}") };
            assert_eq!((error.reason, error.dead_address), (reason, dead), "{code}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))] // long texts take long

        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..500, format in 0_usize..3) {
            let fields = [json!({}), json!({"url": "https://e.com/"}), json!({"format": "markdown"})][format].clone();
            let (_, body) = outgoing(&text.repeat(times), fields, json!({"secret": "s"}));
            prop_assert!(body["sign"].is_string() && body["timestamp"].is_string());
        }
    }
}
