//! A QQ bot that speaks OneBot 11 over HTTP, to people and groups.
//!
//! Each person and each group is a request of its own, people first. While nobody has the message, a failure that may pass is
//! the failure of all; once somebody has it, whoever has it not is told and not tried again, since the others would get it
//! twice. <https://github.com/botuniverse/onebot-11/blob/master/communication/http.md>

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Channel, Context, Kind, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step},
    model::Format,
    render,
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, as_error, refused, undocumented},
    bodies::Bodies,
    param::{INCLUDE_PICTURE, param, required, text, with_picture},
    request::post_json,
};

/// So that an attempt ends before its time does.
const MOST_TARGETS: usize = 20;

pub(crate) static SPEC: Spec = Spec {
    id: "onebot",
    label: text("OneBot (QQ)", "OneBot（QQ）"),
    help: text(
        "Sends through a QQ bot that speaks OneBot 11 over HTTP, to friends and groups.",
        "通过支持 OneBot 11 HTTP 接口的 QQ 机器人发送给好友和群。",
    ),
    docs: "https://github.com/botuniverse/onebot-11/blob/master/communication/http.md",
    // bots document none
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text],
    client: None,
    address: None,
    params: &[ENDPOINT, TOKEN, USER_IDS, GROUP_IDS, INCLUDE_PICTURE],
    short: None,
    check,
};

const ENDPOINT: Param = Param {
    required: true,
    ..param(
        "endpoint",
        Kind::Url,
        text("Bot", "机器人地址"),
        text(
            "The address of the bot's HTTP server, such as `http://127.0.0.1:5700`.",
            "机器人 HTTP 服务的地址，例如 `http://127.0.0.1:5700`。",
        ),
    )
};

const TOKEN: Param = Param {
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Access token", "Access Token"),
        text(
            "The `access_token` of the bot's configuration, if it has one \
             (<https://github.com/botuniverse/onebot-11/blob/master/communication/authorization.md>).",
            "机器人配置中的 `access_token`，未设置则留空\
             （<https://github.com/botuniverse/onebot-11/blob/master/communication/authorization.md>）。",
        ),
    )
};

const USER_IDS: Param =
    param("user_ids", Kind::List, text("Friends", "好友"), text("QQ numbers of friends of the bot.", "机器人好友的 QQ 号。"));

const GROUP_IDS: Param = param(
    "group_ids",
    Kind::List,
    text("Groups", "群"),
    text("Numbers of groups that the bot is in; with the friends at most 20.", "机器人所在群的群号，与好友合计最多 20 个。"),
);

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &ENDPOINT)?;
    targets(params)
        .map(drop)
        .map_err(|Unusable { param, detail }| Problem::field(Code::InvalidParams, format!("params.{param}"), detail))
}

/// The channel `onebot`.
pub(crate) struct OneBot;

impl Channel for OneBot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        let judged: Vec<_> = so_far.iter().map(|reply| judge(reply, cx.now)).collect();
        let is_hopeful = |error: &SendError| error.retry != Retry::Never;
        if !judged.iter().any(Result::is_ok)
            && let Some(Err(error)) = judged.last().filter(|last| last.as_ref().is_err_and(is_hopeful))
        {
            return Step::Fail(error.clone());
        }
        let targets = match targets(params) {
            Ok(targets) => targets,
            Err(_) if !judged.is_empty() => Vec::new(),
            Err(Unusable { param, detail }) => {
                let detail = format!("`{param}` of the registration: {detail}");
                return Step::Fail(SendError::new(Reason::InvalidParams, Retry::Never, detail));
            }
        };
        match targets.get(judged.len()) {
            Some(target) => request(&with_picture(cx, message, params), params, *target).map_or_else(Step::Fail, Step::Call),
            None => summary(&judged),
        }
    }
}

/// Who gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    User(i64),
    Group(i64),
}

/// A parameter that names nobody.
struct Unusable {
    param: &'static str,
    detail: &'static str,
}

fn targets(params: &Params) -> Result<Vec<Target>, Unusable> {
    let numbers = |param: &Param, target: fn(i64) -> Target| -> Result<Vec<Target>, Unusable> {
        let number = |text: &String| text.trim().parse().ok().filter(|number| *number > 0).map(target);
        let unusable = Unusable { param: param.name, detail: "it takes QQ numbers such as `10001`" };
        params.list(param.name).iter().map(number).collect::<Option<_>>().ok_or(unusable)
    };
    let all = [numbers(&USER_IDS, Target::User)?, numbers(&GROUP_IDS, Target::Group)?].concat();
    match all.len() {
        0 => Err(Unusable { param: USER_IDS.name, detail: "there is nobody to send to: set it, or `group_ids`" }),
        1..=MOST_TARGETS => Ok(all),
        _ => Err(Unusable { param: USER_IDS.name, detail: "it takes at most 20 numbers, those of `group_ids` included" }),
    }
}

/// <https://github.com/botuniverse/onebot-11/blob/master/api/public.md>
fn request(message: &Message, params: &Params, target: Target) -> Result<Outgoing, SendError> {
    let (action, name, number) = match target {
        Target::User(number) => ("send_private_msg", "user_id", number),
        Target::Group(number) => ("send_group_msg", "group_id", number),
    };
    let body = json!({ name: number, "message": segments(message) });
    let mut outgoing = post_json(address::below(required(params, ENDPOINT.name)?, action), &body);
    if let Some(token) = params.text(TOKEN.name) {
        outgoing.headers.push(("authorization".to_owned(), format!("Bearer {}", token.trim())));
    }
    Ok(outgoing)
}

/// A text and, behind it, the picture; nothing in a text is markup.
/// <https://github.com/botuniverse/onebot-11/blob/master/message/segment.md>
fn segments(message: &Message) -> Value {
    let shown = Message { image_url: None, ..message.clone() };
    let text = render::join(&message.title, &Bodies::of(&shown, None).text, Format::Text);
    let bytes = message.picture.map(|picture| format!("base64://{}", BASE64_STANDARD.encode(&picture.0)));
    let picture = bytes.or_else(|| message.image_url.map(str::to_owned));
    let text = json!({ "type": "text", "data": { "text": text } });
    let picture = picture.map(|file| json!({ "type": "image", "data": { "file": file } }));
    std::iter::once(text).chain(picture).collect()
}

/// What a bot did with a message that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It sent it.
    Sent,
    /// It will send it, and nobody will ever hear how that goes.
    Queued,
}

/// By `status` and `retcode`; a refusal's meaning is each bot's own, but for what it says of the request.
fn judge(reply: &Reply, now: Timestamp) -> Result<Taken, SendError> {
    let answer = Answer::of(reply).filter(|_| (200..300).contains(&reply.status));
    let said = answer.as_ref().and_then(|answer| Some((answer.text("status"), answer.number("retcode")?)));
    let step = match said {
        Some(("ok", 0)) => return Ok(Taken::Sent),
        Some(("async", 1)) => return Ok(Taken::Queued),
        Some(("failed", code)) => {
            let (fault, advice) = match code {
                1401 | 1403 => (Fault::Credentials, "look at `token`"),
                1404 => (Fault::Message, "the bot cannot send messages; look at `endpoint`"),
                _ => (Fault::Message, "the bot's log says why; mostly it is no friend, not in the group, or muted"),
            };
            refused(code, &fault, advice)
        }
        Some(_) | None => undocumented(reply, now),
    };
    Err(as_error(step))
}

/// What became of all targets together.
fn summary(judged: &[Result<Taken, SendError>]) -> Step {
    if let Some(error) = judged.iter().find_map(|each| each.as_ref().err())
        && judged.iter().all(Result::is_err)
    {
        return Step::Fail(SendError { dead_address: false, ..error.clone() });
    }
    let told = |(number, each): (usize, &Result<Taken, SendError>)| match each {
        Ok(Taken::Sent) => None,
        Ok(Taken::Queued) => Some(format!("number {number}: the bot sends it later, and does not say what becomes of it")),
        Err(error) => Some(format!("number {number}: {}", error.detail)),
    };
    let told: Vec<_> = (1..).zip(judged).filter_map(told).collect();
    if told.is_empty() {
        return Step::Done;
    }
    Step::DoneBut(format!("{} of {} are not known to have it: {}", told.len(), judged.len(), told.join("; ")))
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::Picture;

    use super::*;
    use crate::sample;

    fn params(more: Value) -> Params {
        let mut params = json!({"endpoint": "http://127.0.0.1:5700/"});
        let Value::Object(more) = more else { panic!("not an object") };
        params.as_object_mut().unwrap().extend(more);
        sample::params(&SPEC, params)
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into() }
    }

    const OK: &str = r#"{"status":"ok","retcode":0,"data":{"message_id":1}}"#;
    const FAILED: &str = r#"{"status":"failed","retcode":1200,"data":null}"#;

    /// What comes after these answers to two people and a group.
    fn after(answers: &[(u16, &str)]) -> Step {
        let params = params(json!({"user_ids": [10001, "10002"], "group_ids": 20001}));
        let replies: Vec<_> = answers.iter().map(|(status, body)| reply(*status, body)).collect();
        let job = sample::event("m", json!({}));
        OneBot.step(&sample::context(), &sample::message(&job), &params, &replies)
    }

    #[test]
    fn people_come_first_and_each_has_a_request_of_their_own() {
        let urls = [&[][..], &[(200, OK)], &[(200, OK), (200, FAILED)]].map(|answers| match after(answers) {
            Step::Call(outgoing) => outgoing.url,
            step => panic!("{step:?}"),
        });
        let [private, group] = ["http://127.0.0.1:5700/send_private_msg", "http://127.0.0.1:5700/send_group_msg"];
        assert_eq!(urls, [private, private, group]);
        assert_eq!(after(&[(200, OK), (200, OK), (200, OK)]), Step::Done);
    }

    #[test]
    fn whoever_did_not_get_it_is_told_by_number() {
        let Step::DoneBut(told) = after(&[(200, OK), (200, FAILED), (500, "")]) else { panic!("somebody has it") };
        assert!(told.starts_with("2 of 3 are not known to have it: number 2: the provider answered code 1200; "), "{told}");
        assert!(told.contains("; number 3: the receiver answered 500"), "{told}");
    }

    #[test]
    fn a_bot_that_sends_later_has_it_but_nobody_knows_what_becomes_of_it() {
        let queued = r#"{"status":"async","retcode":1,"data":null}"#;
        let Step::DoneBut(told) = after(&[(200, OK), (200, queued), (200, OK)]) else { panic!("all have it") };
        assert!(told.contains("number 2: the bot sends it later"), "{told}");
    }

    #[test]
    fn while_nobody_has_it_a_failure_that_may_pass_is_that_of_all() {
        for answers in [&[(500, "")][..], &[(200, FAILED), (502, "")], &[(200, "<html>")]] {
            let Step::Fail(error) = after(answers) else { panic!("{answers:?}") };
            assert_eq!(error.retry, Retry::Later, "{answers:?}");
        }
    }

    #[test]
    fn if_nobody_can_have_it_that_is_final() {
        let Step::Fail(error) = after(&[(200, FAILED), (200, FAILED), (403, "")]) else { panic!("nobody has it") };
        assert_eq!((error.reason, error.retry), (Reason::Rejected, Retry::Never));
    }

    #[test]
    fn success_is_both_fields_and_nothing_else() {
        let judged = |body: &str| judge(&reply(200, body), Timestamp::UNIX_EPOCH).ok();
        assert_eq!(judged(OK), Some(Taken::Sent));
        for body in [
            "",
            "{}",
            r#"{"status":"ok"}"#,
            r#"{"retcode":0}"#,
            r#"{"status":"failed","retcode":0}"#,
            r#"{"status":"ok","retcode":1}"#,
        ] {
            assert_eq!(judged(body), None, "{body}");
        }
        assert!(judge(&reply(404, OK), Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_picture_goes_along_by_its_bytes_or_its_address() {
        let job = sample::event("<p>a&amp;b</p>", json!({"format": "html", "title": "t", "image_url": "https://e.com/p.png"}));
        let message = sample::message(&job);
        let text = json!({"type": "text", "data": {"text": "t\n\na&b"}});
        assert_eq!(segments(&message), json!([text, {"type": "image", "data": {"file": "https://e.com/p.png"}}]));
        let picture = Picture(b"\x89PNG".as_slice().into());
        let message = Message { picture: Some(&picture), ..message };
        assert_eq!(segments(&message)[1]["data"]["file"], "base64://iVBORw==");
    }

    #[test]
    fn a_registration_needs_somebody_who_can_be_numbered() {
        let field = |more: Value| check(&params(more)).err().and_then(|problem| problem.field);
        assert_eq!(field(json!({"group_ids": "20001"})), None);
        for bad in [
            json!({}),
            json!({"user_ids": []}),
            json!({"user_ids": "me"}),
            json!({"user_ids": [-1]}),
            json!({"user_ids": vec![1; 21]}),
        ] {
            assert_eq!(field(bad.clone()).as_deref(), Some("params.user_ids"), "{bad}");
        }
        assert_eq!(field(json!({"user_ids": 1, "group_ids": ["x"]})).as_deref(), Some("params.group_ids"));
    }
}
