//! Signing in with a key, and out.

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bellhop_core::{Code, model::Language};
use bellhop_http::{Refused, session};
use maud::html;
use url::{Position, Url};

use crate::{
    Console, HOME,
    call::Refusal,
    fields::Fields,
    headers::is_of_our_own,
    language::{self, texts},
    layout,
    visitor::{Stop, Submitted, set_cookie},
};

texts! {
    TITLE = "Sign in", "登录";
    KEY = "API key", "API 密钥";
    KEY_HELP = "One of your account's keys, such as bh_…. `bellhop serve` says yours at its first start, and keeps it in the file \
                admin-key of its data directory. What you see and may do here is what the key may.",
               "您账户的一个密钥，形如 bh_…。`bellhop serve` 首次启动时会显示它，并保存在数据目录的 admin-key 文件中。您在这里能看到和能做的，就是该密钥的权限。";
    SUBMIT = "Sign in", "登录";
    LASTS = "You stay signed in for 12 hours at most, or until the key is revoked.", "登录最长保持 12 小时，或到密钥被撤销为止。";
    ELSEWHERE = "The form came from another site. Sign in here.", "表单来自其他网站。请在此登录。";
}

/// The console, wherever it is: only whether an address leads away from there is looked at.
const ANYWHERE: &str = "http://console.invalid/console";

/// The most bytes of the form: a key and a path.
const MOST: usize = 10_000;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/sign-in", get(show).post(sign_in)).route("/console/sign-out", post(sign_out))
}

async fn show(headers: HeaderMap, query: Fields) -> Html<String> {
    form(language::asked_for(&headers), &next(&query), None)
}

async fn sign_in(State(console): State<Console>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let language = language::asked_for(&parts.headers);
    let fields = Fields::parse(&to_bytes(body, MOST).await.unwrap_or_default());
    let begun = if is_of_our_own(&parts.headers) {
        session::begin(&console.api, fields.get("key")).await.map_err(|Refused(problem)| problem.into())
    } else {
        Err(Refusal::on_page(language, Code::Forbidden, ELSEWHERE))
    };
    match begun {
        Ok(session) => {
            ([(header::SET_COOKIE, set_cookie(&parts.headers, Some(&session)))], Redirect::to(&next(&fields))).into_response()
        }
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, form(language, &next(&fields), Some(&refusal))).into_response()
        }
    }
}

async fn sign_out(headers: HeaderMap, Submitted { visitor, fields: _ }: Submitted) -> Result<Response, Stop> {
    visitor.sign_out().await?;
    Ok(([(header::SET_COOKIE, set_cookie(&headers, None))], Redirect::to("/console/sign-in")).into_response())
}

/// Where to go once signed in: a page of the console, and nowhere else. It is read as a browser reads an address (`\` is `/`,
/// `..` leads up, line ends count for nothing), and written anew, so that it fits a header.
fn next(fields: &Fields) -> String {
    let ours = Url::parse(ANYWHERE).and_then(|here| {
        let there = here.join(fields.get("next"))?;
        let is_ours = there.path().strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        Ok((is_ours && there.origin() == here.origin()).then(|| there[Position::BeforePath..Position::AfterQuery].to_owned()))
    });
    ours.ok().flatten().unwrap_or_else(|| HOME.to_owned())
}

fn form(language: Language, next: &str, refusal: Option<&Refusal>) -> Html<String> {
    let title = TITLE.read_by(language);
    let content = html! {
        h1 { (title) }
        form method="post" action="/console/sign-in" {
            input type="hidden" name="next" value=(next);
            div.field {
                label for="f-key" { (KEY.read_by(language)) }
                p.help id="f-key-help" { (KEY_HELP.read_by(language)) }
                // the browser's own store of passwords may keep it
                input id="f-key" name="key" type="password" required autocomplete="current-password" spellcheck="false" autofocus
                    aria-invalid=[refusal.map(|_| "true")]
                    aria-describedby=(if refusal.is_some() { "f-key-help f-key-error" } else { "f-key-help" });
                @if let Some(refusal) = refusal {
                    p.error id="f-key-error" role="alert" lang=[refusal.lang()] { (refusal.detail) }
                }
            }
            p { button.primary type="submit" { (SUBMIT.read_by(language)) } }
            p.help { (LASTS.read_by(language)) }
        }
    };
    layout::bare(language, title, &content)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn after_signing_in_nobody_is_led_away_from_the_console() {
        let led = |path: &str| next(&Fields::of([("next", path)])).clone();
        for ours in ["/console", "/console/registrations?cursor=x", "/console?notice=saved"] {
            assert_eq!(led(ours), ours);
        }
        let others = [
            "//evil.example",
            "//evil.example/console",
            "/\\evil.example/console",
            "\\\\evil.example/console",
            "/\t/evil.example/console",
            "https://evil.example/console",
            "http:evil.example",
            "javascript:alert(1)//console",
            "",
            "/consoles",
            "/console.evil",
            "/v1/keys",
            "/console/../v1/keys",
            "/console/%2e%2e//evil.example",
            "/console\\..\\..//evil.example",
        ];
        for other in others {
            assert_eq!(led(other), HOME, "{other}");
        }
    }

    #[test]
    fn where_it_leads_fits_a_header_whatever_was_asked_for() {
        let led = |path: &str| next(&Fields::parse(path.as_bytes()));
        for (asked, wanted) in [
            ("next=/console/%0d%0aSet-Cookie:%20x=y", "/console/Set-Cookie:%20x=y"),
            ("next=/console/%0aX", "/console/X"),
            ("next=/console/%250d%250aX", "/console/%0d%0aX"),
            ("next=/console/messages?source=%E6%9D%A5%E6%BA%90%0a", "/console/messages?source=%E6%9D%A5%E6%BA%90"),
            ("next=/console%5cmessages", "/console/messages"),
        ] {
            assert_eq!(led(asked), wanted, "{asked}");
            assert!(HeaderValue::try_from(led(asked)).is_ok(), "{asked}");
        }
    }
}
