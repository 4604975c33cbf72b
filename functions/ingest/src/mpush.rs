//! Mpush's requests: `/{name}.send`, `/{group}.group`, and packets by POST on whatever path is no other route.
//!
//! Their errors are 500 with an INFO packet, as Mpush's; anything else that is at no route is a problem like every other.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_core::{
    Code, Problem,
    model::{Account, Method as By, SendType},
};
use bellhop_http::{
    Refused,
    body::{Limit, Payload},
};
use bellhop_mpush::{Call, Command, Mpush, Refusal, info};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// The parameter of a query that shows the token where no header can.
const TOKEN: &str = "token";

/// What begins so is this platform's own, and never Mpush's.
const OURS: [&str; 2] = ["/v1", "/in"];

/// Answers a request that is at no route of ours.
pub async fn otherwise(mpush: Mpush, request: Request) -> Response {
    let path = request.uri().path();
    let target = target(path);
    let is_ours = OURS.iter().any(|ours| path.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    match (request.method().clone(), target) {
        _ if is_ours => nothing_here(),
        (Method::OPTIONS, _) => preflight(&mpush, token(&request), request.headers().clone()).await,
        (Method::GET | Method::POST, Some((send_type, target))) => send(&mpush, request, send_type, target).await,
        (Method::POST, None) => packet(&mpush, request).await,
        (_, Some(_)) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        (_, None) => nothing_here(),
    }
}

fn nothing_here() -> Response {
    Refused(Problem::new(Code::NotFound, "there is nothing at this path; see the API's documentation")).into_response()
}

/// Whom the path names.
fn target(path: &str) -> Option<(SendType, String)> {
    let path = path.strip_prefix('/')?;
    let (name, send_type) = match (path.strip_suffix(".send"), path.strip_suffix(".group")) {
        (Some(name), _) => (name, SendType::Personal),
        (None, Some(name)) => (name, SendType::Group),
        (None, None) => return None,
    };
    // `+` is itself in a path
    let name = form_urlencoded::parse(format!("n={}", name.replace('+', "%2B")).as_bytes()).next()?.1.into_owned();
    Some((send_type, name))
}

async fn send(mpush: &Mpush, request: Request, send_type: SendType, target: String) -> Response {
    let token = token(&request);
    let origin = origin(request.headers());
    let account = match mpush.account_of_request(token.as_deref()).await {
        Ok(account) => account,
        Err(refusal) => return refused(&refusal),
    };
    let cors = cors(&account, origin);
    let answer = async {
        let fields = fields(request).await?;
        let mut extra = Map::new();
        let (mut text, mut desp) = (String::new(), String::new());
        for (name, value) in fields {
            match (name.as_str(), value) {
                (TOKEN, _) => {}
                ("text", Value::String(value)) => text = value,
                ("desp", Value::String(value)) => desp = value,
                ("text", value) => text = value.to_string(),
                ("desp", value) => desp = value.to_string(),
                (_, value) => {
                    extra.insert(name, value);
                }
            }
        }
        let call = Call { send_type, target, text, desp, extra, method: By::Http, name: String::new() };
        Ok::<_, Refusal>(mpush.send(account, call).await?.reply().await)
    };
    with_cors(answer.await.map_or_else(|refusal| refused(&refusal), |packet| said(&packet)), cors)
}

/// The parameters of the query, then those of a body. Nothing in them is read as JSON but a body that is.
async fn fields(request: Request) -> Result<Vec<(String, Value)>, Refusal> {
    let pairs = |bytes: &[u8]| -> Vec<(String, Value)> {
        form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
    };
    let mut fields = pairs(request.uri().query().unwrap_or_default().as_bytes());
    let content_type = content_type(request.headers());
    let payload = Payload::foreign(request, Limit::Plain).await?;
    if !payload.bytes().is_empty() {
        match content_type.as_str() {
            "application/json" => match payload.value()? {
                Value::Object(object) => fields.extend(object),
                _ => return Err(Refusal::Info("the body is no JSON object".to_owned())),
            },
            "application/x-www-form-urlencoded" | "" => fields.extend(pairs(payload.bytes())),
            other => return Err(unsupported(other)),
        }
    }
    Ok(fields)
}

async fn packet(mpush: &Mpush, request: Request) -> Response {
    let token = token(&request);
    let origin = origin(request.headers());
    let read = async {
        let content_type = content_type(request.headers());
        let payload = Payload::foreign(request, Limit::Plain).await?;
        Ok(match content_type.as_str() {
            "application/json" => Command::of(payload.value()?),
            "application/x-www-form-urlencoded" => {
                let pairs = form_urlencoded::parse(payload.bytes());
                Command::of(Value::Object(pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect()))
            }
            other => return Err(unsupported(other)),
        })
    };
    let packet = match read.await {
        Ok(packet) => packet,
        Err(refusal) => return refused(&refusal),
    };
    let response = match mpush.asked(token.as_deref(), &packet).await {
        Ok(Some(packet)) => said(&packet),
        Ok(None) => as_json(StatusCode::OK, Body::empty()),
        Err(refusal) => refused(&refusal),
    };
    // whose rule it is that pages may read this is known from what the request shows: a token, or what AUTH gave
    match mpush.account_of_packet(token.as_deref(), &packet).await {
        Ok(account) => with_cors(response, cors(&account, origin)),
        Err(_) => response,
    }
}

/// What a browser asks before a page of another origin may send: without the token, which it does not show here. Where no
/// account is named for that, the page may ask, and whether it may read the answer is up to the account whose token it shows.
async fn preflight(mpush: &Mpush, token: Option<String>, headers: HeaderMap) -> Response {
    let shown = match mpush.account_of_request(token.as_deref()).await {
        Ok(account) => Some(account),
        Err(_) => mpush.without_token().await.ok().flatten(),
    };
    if shown.is_some_and(|account| !account.mpush.cors) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let asked = |name: HeaderName| headers.get(name).cloned();
    let mut response = with_cors(as_json(StatusCode::OK, Body::empty()), Some(origin(&headers)));
    for (given, wanted) in [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, asked(header::ACCESS_CONTROL_REQUEST_HEADERS)),
        (header::ACCESS_CONTROL_ALLOW_METHODS, asked(header::ACCESS_CONTROL_REQUEST_METHOD)),
    ] {
        if let Some(wanted) = wanted {
            response.headers_mut().insert(given, wanted);
        }
    }
    response
}

/// The header of that name as it is, or behind `Bearer`; else the query's.
fn token(request: &Request) -> Option<String> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::trim);
    let header = header.map(|text| match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        Some(_) | None => text.to_owned(),
    });
    let query = || {
        let query = request.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == TOKEN).map(|(_, value)| value.into_owned())
    };
    header.or_else(query).filter(|token| !token.is_empty())
}

fn content_type(headers: &HeaderMap) -> String {
    let whole = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unsupported(content_type: &str) -> Refusal {
    Refusal::Info(format!("Unsupported Content Type: {content_type}"))
}

/// The page that asks.
fn origin(headers: &HeaderMap) -> HeaderValue {
    headers.get(header::ORIGIN).cloned().unwrap_or(HeaderValue::from_static(""))
}

fn cors(account: &Account, origin: HeaderValue) -> Option<HeaderValue> {
    account.mpush.cors.then_some(origin)
}

fn with_cors(mut response: Response, origin: Option<HeaderValue>) -> Response {
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

fn said(packet: &Value) -> Response {
    as_json(StatusCode::OK, Body::from(packet.to_string()))
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Info(text) => as_json(StatusCode::INTERNAL_SERVER_ERROR, Body::from(info(text.as_str()).to_string())),
        Refusal::Auth { .. } => said(&refusal.packet()),
    }
}

fn as_json(status: StatusCode, body: Body) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_client_or_a_group() {
        let named = |path| target(path).map(|(send_type, name)| (send_type.as_str(), name));
        assert_eq!(named("/wh1.send"), Some(("personal", "wh1".to_owned())));
        assert_eq!(named("/ops.group"), Some(("group", "ops".to_owned())));
        assert_eq!(named("/%E5%AE%B6%20x+y.send"), Some(("personal", "家 x+y".to_owned())));
        assert_eq!(named("/a.b.send"), Some(("personal", "a.b".to_owned())), "nobody has such a name, and no group is meant");
        assert_eq!(named("/.group"), Some(("group", String::new())));
        for other in ["/", "/wh1", "/wh1.sendx", "/bad", "/wh1.SEND"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
