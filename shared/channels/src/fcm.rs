//! Firebase Cloud Messaging by its HTTP v1 API: a notification to a device, a topic or a condition.
//!
//! The token comes from Google for a statement that the service account signs; text and title are cut to the payload that
//! devices take. A device that has no such app any more is a dead address. Left out: what is particular to one platform, but
//! for the link of the web.
//! <https://firebase.google.com/docs/cloud-messaging/send/v1-api>

mod account;
mod spec;

use std::time::Duration;

use account::Account;
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Channel, Context, Limit, Message, Method, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    render::shorten,
    token::{Credential, Secret, Token},
};
use serde_json::{Map, Value, json};

use crate::{
    address,
    answer::{Answer, Fault, as_error, refused_as, undocumented},
    join::Joined,
    param::{PROXY, required, with_picture},
    request::post_json_as,
    template::percent_encoded,
    verdict,
};

pub(crate) use spec::SPEC;

/// Of all that a device is handed. <https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type>
const PAYLOAD: usize = 4096;

/// Of a title; no device shows more, and the text needs the room.
const TITLE: Limit = Limit { max: 200, unit: Unit::Chars };

/// The channel `fcm`.
pub(crate) struct Fcm;

impl Channel for Fcm {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match (so_far.last(), &cx.token) {
            (Some(reply), _) => judge(reply, cx.now),
            (None, None) => credential(params).map_or_else(Step::Fail, Step::Token),
            (None, Some(token)) => request(&with_picture(cx, message, params), params, token).map_or_else(Step::Fail, Step::Call),
        }
    }

    fn fetch(&self, cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
        fetch(cx, params)
    }

    fn token(&self, cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        let answer = Answer::of(reply);
        let is_fine = (200..300).contains(&reply.status);
        let given = answer.as_ref().map(|answer| (answer.text("access_token"), answer.seconds("expires_in")));
        match (given, answer.as_ref().map_or("", |answer| answer.text("error"))) {
            (Some((value, Some(lasts))), _) if is_fine && !value.is_empty() => Ok(Token { value: Secret::new(value), lasts }),
            // https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
            (_, error @ ("invalid_grant" | "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client")) => {
                let advice = "Google refuses the service account: is its key deleted, or this machine's clock wrong?";
                Err(as_error(refused_as(error, &Fault::Credentials, advice)))
            }
            _ => Err(as_error(undocumented(reply, cx.now))),
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    let problem =
        |param: &Param, detail: &str| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    let gone = "Google switched the API of server keys off in 2024; make a private key of a service account in the Firebase \
                console, under `Project settings`, `Service accounts`, and set `service_account` to its JSON";
    let text = params.text(spec::SERVICE_ACCOUNT.name);
    if params.text(spec::SERVER_KEY.name).is_some() {
        return problem(&spec::SERVER_KEY, gone);
    }
    let Some(text) = text else { return problem(&spec::SERVICE_ACCOUNT, "`fcm` needs it") };
    if text.trim_start().starts_with("AAAA") {
        return problem(&spec::SERVICE_ACCOUNT, gone);
    }
    if let Err(detail) = Account::parse(text).and_then(|account| account.key().map(drop)) {
        return problem(&spec::SERVICE_ACCOUNT, detail);
    }
    let targets = [spec::TOKEN, spec::TOPIC, spec::CONDITION];
    let mut named = targets.iter().filter(|param| params.text(param.name).is_some());
    match (named.next(), named.next()) {
        (None, _) => return problem(&spec::TOKEN, "`fcm` needs it, or `topic`, or `condition`"),
        (Some(_), Some(second)) => return problem(second, "one message has one target: leave the others out"),
        (Some(_), None) => {}
    }
    address::check_proxy(params, &PROXY)
}

fn unusable(detail: &str) -> SendError {
    SendError::new(Reason::InvalidParams, Retry::Never, format!("`service_account`: {detail}"))
}

fn account(params: &Params) -> Result<Account, SendError> {
    Account::parse(params.text(spec::SERVICE_ACCOUNT.name).unwrap_or_default()).map_err(unusable)
}

fn proxy(params: &Params) -> Option<String> {
    params.text(PROXY.name).map(str::to_owned)
}

/// <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>
fn fetch(cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
    let account = account(params)?;
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
        ("assertion", account.assertion(cx.now).map_err(unusable)?),
    ];
    Ok(Outgoing {
        method: Method::Post,
        url: account.token_uri,
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
        body: Body::Form(pairs.map(|(name, value)| (name.to_owned(), value)).into()),
        proxy: proxy(params),
    })
}

/// The whole file, which is cheaper to look at than to sign with.
fn credential(params: &Params) -> Result<Credential, SendError> {
    let file = required(params, spec::SERVICE_ACCOUNT.name)?;
    Ok(Credential::of(&[file, params.text(PROXY.name).unwrap_or_default()]))
}

fn request(message: &Message, params: &Params, token: &Secret) -> Result<Outgoing, SendError> {
    let own = account(params)?.project_id;
    let project = params.text(spec::PROJECT_ID.name).map_or(own.as_str(), str::trim);
    let url = format!("https://fcm.googleapis.com/v1/projects/{}/messages:send", percent_encoded(project));
    let mut body = payload(message, params);
    let targets = [spec::TOKEN, spec::TOPIC, spec::CONDITION];
    let target = targets.iter().find_map(|param| Some((param.name, params.text(param.name)?.trim())));
    let missing =
        || SendError::new(Reason::InvalidParams, Retry::Never, "there is no target: set `token`, `topic` or `condition`");
    let (name, target) = target.ok_or_else(missing)?;
    body.insert(name.to_owned(), target.strip_prefix("/topics/").unwrap_or(target).into());
    let mut outgoing = post_json_as("application/json; charset=utf-8", url, &json!({ "message": body }));
    outgoing.headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose())));
    Ok(Outgoing { proxy: proxy(params), ..outgoing })
}

/// What the device is handed, as much of it as it takes.
fn payload(message: &Message, params: &Params) -> Map<String, Value> {
    let write = |text: &str| {
        let mut notification = Map::new();
        let parts = [("title", shorten(&message.title, TITLE)), ("body", text.to_owned())];
        notification
            .extend(parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text.into())));
        notification.extend(message.image_url.map(|url| ("image".to_owned(), url.into())));
        let mut payload = Map::from_iter([("notification".to_owned(), notification.into())]);
        let data = params.object(spec::DATA.name).into_iter().flatten();
        let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut data: Map<_, _> = data.map(|(name, value)| (name.clone(), as_text(value).into())).collect();
        match message.url {
            // nothing else is a link there: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#webpushfcmoptions
            Some(url) if url.starts_with("https://") => {
                payload.insert("webpush".to_owned(), json!({ "fcm_options": { "link": url } }));
            }
            Some(url) => drop(data.insert("url".to_owned(), url.into())),
            None => {}
        }
        if !data.is_empty() {
            payload.insert("data".to_owned(), data.into());
        }
        payload
    };
    let size = |text: &str| Value::from(write(text)).to_string().len();
    write(&Joined::body(message).fit(PAYLOAD, size))
}

/// Delivered is what has a name; a refusal has a code of FCM's own, or else of Google's.
/// <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let is_fine = (200..300).contains(&reply.status);
    if is_fine && !answer.text("name").is_empty() {
        return Step::Done;
    }
    let Some(error) = answer.get("error").filter(|_| !is_fine) else { return undocumented(reply, now) };
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let code = details.iter().find_map(|detail| detail.get("errorCode")?.as_str());
    let code = code.or_else(|| error.get("status")?.as_str()).unwrap_or_default();
    let later = || reply.retry_after(now).unwrap_or(Duration::from_mins(1));
    let (word, fault, advice) = match code {
        "UNREGISTERED" => ("UNREGISTERED", Fault::Dead, "the app is no longer on the device, or has another `token` now"),
        "INVALID_ARGUMENT" => ("INVALID_ARGUMENT", Fault::Message, "FCM refuses `token`, `topic`, `condition` or the message"),
        "SENDER_ID_MISMATCH" => ("SENDER_ID_MISMATCH", Fault::Message, "the device's `token` belongs to another project"),
        "THIRD_PARTY_AUTH_ERROR" => {
            ("THIRD_PARTY_AUTH_ERROR", Fault::Credentials, "the project's APNs key or web push key is missing or wrong")
        }
        "PERMISSION_DENIED" => (
            "PERMISSION_DENIED",
            Fault::Credentials,
            "the service account may not send for `project_id`, or its API is switched off",
        ),
        "NOT_FOUND" => ("NOT_FOUND", Fault::Message, "there is no such project or device: check `project_id` and `token`"),
        "QUOTA_EXCEEDED" | "RESOURCE_EXHAUSTED" => ("QUOTA_EXCEEDED", Fault::TooFast(later()), "the project sends too much"),
        "UNAUTHENTICATED" => {
            let advice = "Google refuses the token, and the one fetched after it";
            return Step::Renew(as_error(refused_as("UNAUTHENTICATED", &Fault::Credentials, advice)));
        }
        _ => return verdict::by_status(reply, now), // `UNAVAILABLE`, `INTERNAL`, and what nobody documents
    };
    refused_as(word, &fault, advice)
}

#[cfg(test)]
mod tests;
