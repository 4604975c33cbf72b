//! What the robot and the app of Feishu or Lark share: an app's calls, its token, the codes of its answers, and the upload of
//! a picture.

use std::time::Duration;

use bellhop_core::{
    Retry, SendError, Timestamp,
    channel::{Context, Outgoing, Params, Reply, Step},
    model::Picture,
    token::{Credential, Secret, Token},
};
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Fault, as_error, refused, undocumented, unknown_code},
    ask::Answers,
    multipart,
    param::{PROXY, required},
    request::post_json_as,
};

/// Where Feishu is, and where Lark.
pub(crate) const FEISHU: &str = "open.feishu.cn";
pub(crate) const LARK: &str = "open.larksuite.com";

/// Of a picture. <https://open.feishu.cn/document/server-docs/im-v1/image/create>
const MOST_PICTURE_BYTES: usize = 10 * 1024 * 1024;

/// Whoever looks at a message that went without its picture is told this.
pub(crate) const WITHOUT_PICTURE: &str =
    "without the picture, which Feishu did not take: the app needs its bot switched on and the scope `im:resource`";

/// An app, as it calls Feishu.
pub(crate) struct App<'a> {
    host: &'a str,
    id: &'a str,
    secret: &'a str,
    proxy: Option<&'a str>,
}

impl<'a> App<'a> {
    /// Of the parameters `app_id` and `app_secret`.
    pub(crate) fn of(params: &'a Params, host: &'a str) -> Result<Self, SendError> {
        let (id, secret) = (required(params, "app_id")?.trim(), required(params, "app_secret")?.trim());
        Ok(Self { host, id, secret, proxy: params.text(PROXY.name) })
    }

    pub(crate) fn credential(&self) -> Credential {
        Credential::of(&[&self.url(""), self.id, self.secret, self.proxy.unwrap_or_default()])
    }

    /// <https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token_internal>
    pub(crate) fn fetch(&self) -> Outgoing {
        let body = json!({ "app_id": self.id, "app_secret": self.secret });
        let outgoing = post_json_as(JSON, self.url("auth/v3/tenant_access_token/internal"), &body);
        Outgoing { proxy: self.proxy.map(str::to_owned), ..outgoing }
    }

    pub(crate) fn post(&self, path: &str, token: &Secret, body: &Value) -> Outgoing {
        self.with_token(token, post_json_as(JSON, self.url(path), body))
    }

    /// The key under which Feishu keeps the picture once it is uploaded. None if it does not take the picture or the app may
    /// not upload any, which is no reason to withhold the text. <https://open.feishu.cn/document/server-docs/im-v1/image/create>
    pub(crate) fn uploaded(
        &self,
        cx: &Context,
        token: &Secret,
        picture: &Picture,
        answers: &mut Answers,
    ) -> Result<Option<String>, Step> {
        let fields = [("image_type", "message".to_owned())];
        let upload = || self.with_token(token, multipart::post(cx, self.url("im/v1/images"), &fields, "image", picture));
        answers.to(upload, |reply| match accepted(reply, cx.now) {
            Ok(answer) => {
                let key = answer.get("data").and_then(|data| data.get("image_key")?.as_str()).filter(|key| !key.is_empty());
                key.map(|key| Some(key.to_owned())).ok_or_else(|| undocumented(reply, cx.now))
            }
            Err(Step::Fail(error)) if error.retry == Retry::Never => Ok(None),
            Err(step) => Err(step),
        })
    }

    fn with_token(&self, token: &Secret, mut outgoing: Outgoing) -> Outgoing {
        outgoing.headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose())));
        Outgoing { proxy: self.proxy.map(str::to_owned), ..outgoing }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/open-apis/{path}", self.host)
    }
}

const JSON: &str = "application/json; charset=utf-8";

/// Whether Feishu takes a picture of that size.
pub(crate) fn is_sendable(Picture(bytes): &Picture) -> bool {
    (1..=MOST_PICTURE_BYTES).contains(&bytes.len())
}

/// The token in the answer to [`App::fetch`].
pub(crate) fn token(cx: &Context, reply: &Reply) -> Result<Token, SendError> {
    let answer = accepted(reply, cx.now).map_err(as_error)?;
    // of this very answer: Feishu gives the same token again while it is good for half an hour
    match (answer.text("tenant_access_token"), answer.seconds("expire")) {
        (value, Some(lasts)) if !value.is_empty() => Ok(Token { value: Secret::new(value), lasts }),
        _ => Err(as_error(undocumented(reply, cx.now))),
    }
}

/// The answer, if its code is the one of success. The token's errors ask for another one.
/// <https://open.feishu.cn/document/server-docs/im-v1/message/create>, <https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code>
pub(crate) fn accepted(reply: &Reply, now: Timestamp) -> Result<Answer, Step> {
    let Some(answer) = Answer::of(reply) else { return Err(undocumented(reply, now)) };
    let Some(code) = answer.number("code") else { return Err(undocumented(reply, now)) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Ok(answer),
        0 => return Err(undocumented(reply, now)),
        99_991_661 | 99_991_663 | 99_991_664 | 99_991_671 => {
            let refusal = refused(code, &Fault::Credentials, "Feishu refuses the token, and the one fetched after it");
            return Err(Step::Renew(as_error(refusal)));
        }
        99_991_400 => (Fault::TooFast(reset(reply)), "the app may make 50 calls in a second and 1000 in a minute"),
        230_020 => (Fault::TooFast(Duration::from_secs(1)), "one person or group gets five messages in a second"),
        10_003 | 10_014 => (Fault::Credentials, "Feishu refuses the app: check `app_id`, `app_secret` and `region`"),
        99_991_672 => (
            Fault::Credentials,
            "the app lacks a scope: add `im:message:send_as_bot`, and `contact:user.id:readonly` for `email` and `mobile`, then publish a version",
        ),
        230_006 => (Fault::Credentials, "the app is no bot: switch the bot on and publish a version"),
        230_002 => (Fault::Message, "the bot is not in the group: add it there"),
        230_013 => (Fault::Message, "the app is not available to this person: widen its range and publish a version"),
        230_018 | 230_035 => (Fault::Message, "the group does not let the bot write"),
        230_022 | 230_028 => (Fault::Message, "Feishu's audit refuses the text"),
        230_025 => (Fault::Message, "the text is too long for Feishu"),
        230_001 | 99_992_351 => {
            (Fault::Message, "Feishu does not know the recipient or refuses the form: check `receive_id` and `receive_id_type`")
        }
        _ => return Err(unknown_code(code, reply, now)),
    };
    Err(refused(code, &fault, advice))
}

/// How long until the app may call again.
/// <https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control>
fn reset(reply: &Reply) -> Duration {
    const MOST: u64 = 3600;
    let told = reply.header("x-ogw-ratelimit-reset").and_then(|seconds| seconds.trim().parse::<u64>().ok());
    Duration::from_secs(told.map_or(60, |seconds| seconds.clamp(1, MOST)))
}
