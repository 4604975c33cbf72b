//! Somebody at a browser without scripts: what is said and shown, as text.

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::world::{World, key};

/// What came back.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Shown {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where it leads, if it leads on.
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location")
    }

    /// The value of the first attribute that stands behind that text.
    pub(crate) fn after<'a>(&'a self, text: &str) -> &'a str {
        let rest = self.text.split_once(text).unwrap_or_else(|| panic!("{text} is not in {}", self.text)).1;
        rest.split('"').next().unwrap()
    }
}

/// A browser that holds the cookie of a session.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    pub(crate) cookie: String,
    pub(crate) token: String,
}

/// One request, with these headers.
pub(crate) async fn ask(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Shown {
    let request = Request::builder().method(method).uri(path).header("host", "bellhop.test");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = world.routes.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Shown { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// Signs in with that key, whole.
pub(crate) async fn sign_in(world: &World, key: &str) -> Shown {
    ask(world, "POST", "/console/sign-in", &[], &form(&[("key", key)])).await
}

impl<'a> Browser<'a> {
    /// Signed in with the key of that id.
    pub(crate) async fn of(world: &'a World, id: &str) -> Self {
        let signed_in = sign_in(world, &key(id)).await;
        assert_eq!(signed_in.leads_to(), "/console");
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        let browser = Self { world, cookie, token: String::new() };
        let home = browser.open("/console").await;
        Self { token: home.after("name=\"form_token\" value=\"").to_owned(), ..browser }
    }

    pub(crate) async fn open(&self, path: &str) -> Shown {
        self.open_with(path, &[]).await
    }

    pub(crate) async fn open_with(&self, path: &str, headers: &[(&str, &str)]) -> Shown {
        let headers: Vec<_> = headers.iter().copied().chain([("cookie", self.cookie.as_str())]).collect();
        ask(self.world, "GET", path, &headers, "").await
    }

    /// Sends a form of one of our own pages.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", self.token.as_str())]).collect();
        self.send_with(path, &[("sec-fetch-site", "same-origin")], &fields).await
    }

    pub(crate) async fn send_with(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Shown {
        let headers: Vec<_> = headers.iter().copied().chain([("cookie", self.cookie.as_str())]).collect();
        ask(self.world, "POST", path, &headers, &form(fields)).await
    }
}

/// A form's body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields).finish()
}
