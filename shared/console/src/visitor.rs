//! Who looks at a page, and who sends a form.
//!
//! Promises: a handler that asks for a [`Visitor`] is not entered without a session; one that asks for a [`Submitted`] is not
//! entered unless the form is of our own, drawn for this session. The cookie counts here alone: the API knows none.

use axum::{
    Router,
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    channel::Text,
    model::{Language, Scope},
};
use bellhop_http::{
    caller::{Caller, proven},
    key::{Credential, parse_key},
    session,
};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use crate::{
    Console,
    call::Refusal,
    changes,
    fields::Fields,
    headers::{is_of_our_own, is_secure},
    language::{self, texts},
    layout::{self, Notice, Section},
};

texts! {
    REFUSED = "This did not work", "未能完成";
    NOT_OURS = "This form was not sent from a page of this session. Open the page again, and send it once more.",
               "这个表单不是从当前会话的页面提交的。请重新打开页面后再提交。";
    TOO_LONG = "A form has a million bytes at most. Send less.", "表单最多一百万字节，请减少内容后再提交。";
    BACK = "Back to the console", "返回控制台";
}

/// The field of a form that shows that it was drawn for the session.
pub(crate) const TOKEN: &str = "form_token";

/// The cookie that names the session in which a test has arrived.
const TESTED: &str = "bellhop-tested";

/// The most bytes of a form.
const MOST: usize = 1_000_000;

/// Somebody who is signed in.
pub(crate) struct Visitor {
    pub(crate) language: Language,
    pub(crate) caller: Caller,
    /// What was just done, if the visitor was led here afterwards.
    pub(crate) notice: Option<Notice>,
    /// Whether a test has arrived in this session.
    pub(crate) has_tested: bool,
    is_secure: bool,
    console: Console,
    session: Credential,
}

/// Why a page is not shown.
pub(crate) enum Stop {
    /// Nobody is signed in who wants this path.
    SignIn(String),
    /// It was refused, and this page says why.
    Refused(Box<Response>),
}

/// A form that somebody who is signed in has sent.
pub(crate) struct Submitted {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

impl Visitor {
    /// That text in the visitor's language.
    pub(crate) fn say(&self, text: Text) -> &'static str {
        text.read_by(self.language)
    }

    /// Whether the visitor's key may do that: what it may not is not offered.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.caller.scopes.contains(&scope)
    }

    /// A whole page.
    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is handed over")]
    pub(crate) fn page(&self, section: Section, title: &str, content: Markup) -> Response {
        layout::page(self, Some(section), title, &content).into_response()
    }

    /// A page whose form was refused.
    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is handed over")]
    pub(crate) fn refused_page(&self, refusal: &Refusal, section: Section, title: &str, content: Markup) -> Response {
        with_status(refusal, layout::page(self, Some(section), title, &content))
    }

    /// The page is not shown, since the API has refused what it needs.
    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is handed over")]
    pub(crate) fn stop(&self, refusal: Refusal) -> Stop {
        let content = why(self.language, &refusal);
        Stop::Refused(Box::new(with_status(&refusal, layout::page(self, None, self.say(REFUSED), &content))))
    }

    /// The account's time zone, for those who may see its settings.
    pub(crate) async fn time_zone(&self) -> Result<Option<TimeZone>, Stop> {
        if !self.may(Scope::Manage) {
            return Ok(None);
        }
        let account = self.get("/v1/account").await?;
        Ok(account["time_zone"].as_str().and_then(|zone| TimeZone::get(zone).ok()))
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.console.api.ports.clock.now()
    }

    /// The API's own routes.
    pub(crate) fn api(&self) -> Router {
        self.console.routes.clone()
    }

    /// Where a page hears of changes, if it can.
    pub(crate) fn hears_at(&self) -> Option<&'static str> {
        self.console.api.ports.deliveries.changes(&self.caller.account).map(|_| changes::PATH)
    }

    /// The key of the session.
    pub(crate) fn session(&self) -> &Credential {
        &self.session
    }

    /// Has the browser remember that a test has arrived, for what somebody new is told: we keep nothing of a test.
    pub(crate) fn tested(&self, mut page: Response) -> Response {
        let cookie = cookie_to_set(TESTED, &self.caller.key.to_string(), session::LONGEST.as_secs(), self.is_secure);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            page.headers_mut().append(header::SET_COOKIE, cookie);
        }
        page
    }

    /// What no other form has.
    pub(crate) fn once(&self) -> String {
        format!("{:032x}", self.console.api.ports.clock.chance())
    }

    /// Ends the session.
    pub(crate) async fn sign_out(&self) -> Result<(), Stop> {
        let ended = session::end(&self.console.api, &self.caller).await;
        ended.map_err(|bellhop_http::Refused(problem)| self.stop(problem.into()))
    }
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Stop;
    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Stop> {
        let language = language::asked_for(&parts.headers);
        let wanted = || match (&parts.method, parts.uri.path_and_query()) {
            (&Method::GET, Some(path)) => path.as_str().to_owned(),
            (_, _) => crate::HOME.to_owned(),
        };
        let session = session(&parts.headers).ok_or_else(|| Stop::SignIn(wanted()))?;
        let unknown = |error: StoreError| {
            let refusal = Refusal::from(Problem::from(error));
            let page = layout::bare(language, REFUSED.read_by(language), &why(language, &refusal));
            Stop::Refused(Box::new(with_status(&refusal, page)))
        };
        let caller = proven(&console.api, &session).await.map_err(unknown)?.map_err(|_| Stop::SignIn(wanted()))?;
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let notice = query.text("notice").and_then(Notice::of);
        let has_tested = cookie(&parts.headers, TESTED).is_some_and(|key| key == caller.key.to_string());
        let is_secure = is_secure(&parts.headers);
        Ok(Self { language, caller, notice, has_tested, is_secure, console: console.clone(), session })
    }
}

impl FromRequest<Console> for Submitted {
    type Rejection = Stop;
    async fn from_request(request: Request, console: &Console) -> Result<Self, Stop> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        let too_long = |_| visitor.stop(Refusal::on_page(visitor.language, Code::BodyTooLarge, TOO_LONG));
        let bytes = to_bytes(body, MOST).await.map_err(too_long)?;
        let fields = Fields::parse(&bytes);
        let shown = fields.get(TOKEN).as_bytes();
        let is_of_session = bool::from(visitor.session.form_token().as_bytes().ct_eq(shown));
        if is_of_our_own(&parts.headers) && is_of_session {
            return Ok(Self { fields: fields.without(TOKEN), visitor });
        }
        Err(visitor.stop(Refusal::on_page(visitor.language, Code::Forbidden, NOT_OURS)))
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(wanted) => {
                let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", &wanted).finish();
                Redirect::to(&format!("/console/sign-in?{next}")).into_response()
            }
            Self::Refused(page) => *page,
        }
    }
}

/// What was refused, as a page says it.
fn why(language: Language, refusal: &Refusal) -> Markup {
    html! {
        h1 { (REFUSED.read_by(language)) }
        p role="alert" lang=[refusal.lang()] { (refusal.detail) }
        p { code { (refusal.code) } }
        p { a href=(crate::HOME) { (BACK.read_by(language)) } }
    }
}

fn with_status(refusal: &Refusal, page: Html<String>) -> Response {
    (StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), page).into_response()
}

/// The cookie that holds the key of a session. Where the browser comes by TLS it has the name that no other host under ours, and
/// nobody without TLS, can set. <https://www.rfc-editor.org/rfc/rfc6265#section-4.1>
fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-bellhop" } else { "bellhop" }
}

/// The session that the browser shows.
fn session(headers: &HeaderMap) -> Option<Credential> {
    parse_key(cookie(headers, cookie_name(is_secure(headers)))?).ok()
}

/// The value of the cookie of that name.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    Some(pairs.find(|(there, _)| *there == name)?.1)
}

/// What gives the browser a session, or takes it away.
pub(crate) fn set_cookie(headers: &HeaderMap, session: Option<&Credential>) -> String {
    let is_secure = is_secure(headers);
    let (value, age) = session.map_or((String::new(), 0), |session| (session.expose(), session::LONGEST.as_secs()));
    cookie_to_set(cookie_name(is_secure), &value, age, is_secure)
}

fn cookie_to_set(name: &str, value: &str, age: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}
