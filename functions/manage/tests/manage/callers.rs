//! Who may do what, on every route.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use axum::{body::Body, http::Request};
use bellhop_core::{
    StoreError,
    model::{AccountId, Key, KeyId, Scope},
    ports::{Keys, Ports},
};
use bellhop_http::Api;
use serde_json::json;

use crate::{
    world,
    world::{World, key, request},
};

/// Every route there is, with the scope that it takes.
const ROUTES: [(&str, &str, Scope); 40] = [
    ("POST", "/v1/messages", Scope::Send),
    ("POST", "/v1/events", Scope::Send),
    ("POST", "/v1/events/bulk", Scope::Send),
    ("GET", "/v1/events", Scope::Read),
    ("GET", "/v1/events/evt_00000000000000000000000000", Scope::Read),
    ("GET", "/v1/deliveries", Scope::Read),
    ("GET", "/v1/deliveries/dlv_00000000000000000000000000_000000000000", Scope::Read),
    ("POST", "/v1/deliveries/dlv_00000000000000000000000000_000000000000/retry", Scope::Manage),
    ("GET", "/v1/registrations", Scope::Read),
    ("GET", "/v1/registrations/phone", Scope::Read),
    ("PUT", "/v1/registrations/phone", Scope::Manage),
    ("PATCH", "/v1/registrations/phone", Scope::Manage),
    ("DELETE", "/v1/registrations/nobody", Scope::Manage),
    ("POST", "/v1/registrations/phone/reveal", Scope::Manage),
    ("POST", "/v1/registrations/phone/test", Scope::Manage),
    ("POST", "/v1/registrations/test", Scope::Manage),
    ("GET", "/v1/tasks", Scope::Read),
    ("POST", "/v1/tasks", Scope::Manage),
    ("POST", "/v1/tasks/bulk", Scope::Manage),
    ("GET", "/v1/tasks/tsk_00000000000000000000000000", Scope::Read),
    ("PATCH", "/v1/tasks/tsk_00000000000000000000000000", Scope::Manage),
    ("DELETE", "/v1/tasks/tsk_00000000000000000000000000", Scope::Manage),
    ("POST", "/v1/tasks/tsk_00000000000000000000000000/cancel", Scope::Manage),
    ("GET", "/v1/tasks/tsk_00000000000000000000000000/runs", Scope::Read),
    ("POST", "/v1/tasks/preview", Scope::Read),
    ("POST", "/v1/rules/explain", Scope::Read),
    ("GET", "/v1/channels", Scope::Read),
    ("GET", "/v1/web-push", Scope::Read),
    ("GET", "/v1/account", Scope::Manage),
    ("PUT", "/v1/account", Scope::Manage),
    ("GET", "/v1/keys", Scope::Manage),
    ("POST", "/v1/keys", Scope::Manage),
    ("DELETE", "/v1/keys/key_nobody", Scope::Manage),
    ("GET", "/v1/audit", Scope::Manage),
    ("GET", "/v1/accounts", Scope::Operate),
    ("POST", "/v1/accounts", Scope::Operate),
    ("PATCH", "/v1/accounts/nobody", Scope::Operate),
    ("DELETE", "/v1/accounts/nobody", Scope::Operate),
    ("GET", "/v1/dead-letters", Scope::Operate),
    ("POST", "/v1/dead-letters/redrive", Scope::Operate),
];

async fn code(world: &World, request: Request<Body>) -> Option<String> {
    world.send(request).await.body["code"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn every_route_takes_its_scope_and_no_other() {
    let world = world().await;
    for (method, path, needed) in ROUTES {
        for scope in Scope::ALL {
            let answer = world.call(scope.as_str(), method, path, "not json").await;
            if scope == needed {
                assert!(![401, 403, 405].contains(&answer.status), "{method} {path}: {answer:?}");
            } else {
                assert_eq!(answer.refusal(), (403, "forbidden", ""), "{method} {path} with {scope:?}");
                let detail = answer.body["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("`{}`", needed.as_str())), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_refuses_whoever_shows_no_valid_key() {
    let world = world().await;
    for (method, path, _) in ROUTES {
        let request = Request::builder().method(method).uri(path).body(Body::from("not json")).unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.refusal(), (401, "unauthorized", ""), "{method} {path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn a_key_is_taken_from_either_header() {
    let world = world().await;
    for (name, value) in [
        ("authorization", format!("Bearer {}", key("read"))),
        ("authorization", format!("bearer  {}", key("read"))),
        ("x-api-key", key("read")),
    ] {
        let request = Request::builder().uri("/v1/channels").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_secret_get_the_same_answer() {
    let world = world().await;
    let call = async |shown: &str| {
        let request = Request::builder().uri("/v1/channels").header("x-api-key", shown).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.refusal(), (401, "unauthorized", ""));
        assert!(!answer.body.to_string().contains(shown));
        answer.body
    };
    let secret = "0123456789abcdef0123456789abcdef";
    assert_eq!(call(&format!("bh_nobody_{secret}")).await, call(&format!("bh_read_{secret}")).await);
}

/// Keys, and how often one was asked for.
struct Counted {
    keys: Arc<dyn Keys>,
    asked: AtomicUsize,
}

#[async_trait]
impl Keys for Counted {
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.keys.get(id).await
    }
    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        self.keys.list(account).await
    }
    async fn create(&self, key: &Key) -> Result<bool, StoreError> {
        self.keys.create(key).await
    }
    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError> {
        self.keys.delete(account, id).await
    }
}

#[tokio::test]
async fn a_denial_does_the_same_work_as_an_admission() {
    let mut world = world().await;
    let counted = Arc::new(Counted { keys: Arc::clone(&world.rig.ports.keys), asked: AtomicUsize::new(0) });
    world.rig.ports = Ports { keys: counted.clone(), ..world.rig.ports };
    world.routes = bellhop_http::complete(crate::routes(Api::new(world.rig.ports.clone())));
    let secret = "0123456789abcdef0123456789abcdef";
    for shown in [key("read"), key("expired"), format!("bh_read_{secret}"), format!("bh_nobody_{secret}")] {
        let request = Request::builder().uri("/v1/channels").header("x-api-key", &shown).body(Body::empty()).unwrap();
        world.send(request).await;
        assert_eq!(counted.asked.swap(0, Ordering::Relaxed), 1, "{shown}");
    }
}

#[tokio::test]
async fn what_is_no_key_or_is_over_is_refused() {
    let world = world().await;
    let whole = key("read");
    for (name, value) in [
        ("authorization", format!("Basic {whole}")),
        ("authorization", whole.clone()),
        ("authorization", format!("Bearer {}", whole.trim_end_matches("read"))),
        ("authorization", format!("Bearer {whole}x")),
        ("x-api-key", String::new()),
        ("x-api-key", "bh_".to_owned()),
        ("x-api-key", key("expired")),
    ] {
        let request = Request::builder().uri("/v1/channels").header(name, &value).body(Body::empty()).unwrap();
        assert_eq!(code(&world, request).await.as_deref(), Some("unauthorized"), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_refused_caller_changes_nothing() {
    let world = world().await;
    let message = json!({"to": "phone", "body": "x"});
    for id in ["read", "manage", "operate", "expired"] {
        assert!(code(&world, request(id, "POST", "/v1/messages", &[], &message)).await.is_some());
    }
    assert!(world.is_untouched().await);
}
