//! The routes over memory, and whoever calls them. Also what the tests of `manage` stand on.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use bellhop_core::{
    Timestamp,
    channel::Catalog,
    model::{AccountId, ChannelId, Key, KeyId, Scope},
    ports::{Clock, Ports, StoredEvent},
};
use bellhop_http::{Api, key::parse_key};
use bellhop_testkit::{Provider, Rig, channel, registration};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// The keys that exist: their ids, accounts and scopes. `expired` is over.
const KEYS: [(&str, &str, &[Scope]); 7] = [
    ("full", "main", &Scope::ALL),
    ("send", "main", &[Scope::Send]),
    ("read", "main", &[Scope::Read]),
    ("manage", "main", &[Scope::Manage]),
    ("operate", "main", &[Scope::Operate]),
    ("other", "other", &Scope::ALL),
    ("expired", "main", &Scope::ALL),
];

/// The whole key of that id.
pub(crate) fn key(id: &str) -> String {
    format!("bh_{id}_{id:x>32}")
}

pub(crate) struct World {
    pub(crate) rig: Rig,
    pub(crate) routes: Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Status, code and field of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{:?}", self.body);
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        assert_eq!(self.body["status"], self.status);
        assert_eq!(text("type"), format!("/docs/errors#{}", text("code")));
        (self.status, text("code"), text("field"))
    }
}

impl World {
    /// With the registration `phone` in `main`.
    pub(crate) async fn new(routes: impl FnOnce(Api) -> Router, channels: Catalog) -> Self {
        let mut rig = Rig::new(Provider::new(&[]));
        rig.ports = Ports { channels, ..rig.ports };
        for (id, account, scopes) in KEYS {
            let credential = parse_key(&key(id)).unwrap();
            let account = AccountId::parse(account).unwrap();
            let expires_at = (id == "expired").then(|| rig.sim.now());
            let created_at = Timestamp::UNIX_EPOCH;
            let (id, hash) = (KeyId::from_part(id).unwrap(), credential.hash());
            let key =
                Key { id, account, hash, scopes: scopes.to_vec(), description: None, expires_at, session_of: None, created_at };
            assert!(rig.ports.keys.create(&key).await.unwrap());
        }
        assert!(rig.ports.registrations.put(&registration("phone")).await.unwrap());
        let routes = bellhop_http::complete(routes(Api::new(rig.ports.clone())));
        Self { rig, routes }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A call with the key of that id and a body, if there is one.
    pub(crate) async fn call(&self, id: &str, method: &str, path: &str, body: impl ToString) -> Answer {
        self.send(request(id, method, path, &[], body)).await
    }

    /// A POST under an idempotency key.
    pub(crate) async fn repeatable(&self, path: &str, idempotency_key: &str, body: impl ToString) -> Answer {
        self.send(request("full", "POST", path, &[("idempotency-key", idempotency_key)], body)).await
    }

    /// Everything that `main` has accepted, newest first.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        self.rig.ports.events.list(&bellhop_testkit::account(), None, None, 1_000).await.unwrap()
    }

    /// Nothing was kept, nothing is on its way.
    pub(crate) async fn is_untouched(&self) -> bool {
        let queued = self.rig.ports.queue.receive(&channel(), 10).await.unwrap();
        self.events().await.is_empty() && queued.is_empty()
    }

    /// Works on everything that is ready.
    pub(crate) async fn work(&self) -> usize {
        self.work_on(&channel()).await
    }

    /// The same, on that channel.
    pub(crate) async fn work_on(&self, channel: &ChannelId) -> usize {
        let mut done = 0;
        loop {
            let wakes = self.rig.ports.queue.receive(channel, 10).await.unwrap();
            if wakes.is_empty() {
                return done;
            }
            for wake in wakes {
                bellhop_core::deliver::work(&self.rig.ports, &wake, bellhop_core::deliver::LEASE).await.unwrap();
                done += 1;
            }
        }
    }
}

/// A request with the key of that id.
#[expect(clippy::needless_pass_by_value, reason = "texts and values alike, as they stand at the call")]
pub(crate) fn request(id: &str, method: &str, path: &str, headers: &[(&str, &str)], body: impl ToString) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", key(id)));
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(Body::from(body.to_string())).unwrap()
}
