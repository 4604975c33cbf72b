//! What the console is told by itself, over the routes on SQLite.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::Request,
    response::Response,
};
use bellhop_core::{
    Timestamp,
    deliver::{LEASE, work},
    model::{AccountId, Key, KeyId, Scope},
    ports::Ports,
};
use bellhop_embedded::{Options, Store, SystemClock};
use bellhop_http::{Api, key::parse_key};
use bellhop_testkit::{CATALOG, Provider, Silent, acceptance, account, channel, event, registration};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::timeout;
use tower::ServiceExt;

/// Longer than anything takes that is told at all.
const PATIENCE: Duration = Duration::from_secs(10);

struct World {
    ports: Ports,
    api: Api,
    routes: Router,
    _dir: TempDir,
}

fn key(id: &str) -> String {
    format!("bh_{id}_{id:x>32}")
}

impl World {
    /// With keys of two accounts: `main` and `other`.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data"), Options::default(), Arc::new(SystemClock)).unwrap();
        let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
        for (id, account) in [("main", account()), ("other", AccountId::parse("other").unwrap())] {
            let hash = parse_key(&key(id)).unwrap().hash();
            let (id, scopes, created_at) = (KeyId::from_part(id).unwrap(), Scope::ALL.to_vec(), Timestamp::UNIX_EPOCH);
            let key = Key { id, account, hash, scopes, description: None, expires_at: None, session_of: None, created_at };
            assert!(ports.keys.create(&key).await.unwrap());
        }
        assert!(ports.registrations.put(&registration("phone")).await.unwrap());
        let api = Api::new(ports.clone());
        let routes = bellhop_http::complete(bellhop_manage::routes(api.clone()).merge(bellhop_manage::console(api.clone())));
        Self { ports, api, routes, _dir: dir }
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: String) -> Response {
        let request = Request::builder().method(method).uri(path).header("cookie", cookie).body(Body::from(body)).unwrap();
        self.routes.clone().oneshot(request).await.unwrap()
    }

    /// The cookie of a new session.
    async fn sign_in(&self, id: &str) -> String {
        let signed_in = self.ask("POST", "/console/sign-in", "", format!("key={}", key(id))).await;
        signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    /// A stream that is open.
    async fn listen(&self, cookie: &str) -> BodyDataStream {
        let stream = self.ask("GET", "/console/changes", cookie, String::new()).await;
        assert_eq!((stream.status().as_u16(), &stream.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        stream.into_body().into_data_stream()
    }

    /// A message of `main` is sent, and arrives.
    async fn delivers(&self) {
        self.ports
            .ledger
            .accept(acceptance(event(&account(), self.ports.clock.now(), self.ports.clock.chance()), &["phone"], None))
            .await
            .unwrap();
        let wake = self.ports.queue.receive(&channel(), 1).await.unwrap().remove(0);
        work(&self.ports, &wake, LEASE).await.unwrap();
    }
}

/// What is told next; nothing once it is over.
async fn heard(stream: &mut BodyDataStream) -> Option<String> {
    let heard = timeout(PATIENCE, stream.next()).await.expect("something is told in time")?;
    Some(String::from_utf8(heard.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn who_listens_is_told_once_of_a_delivery_of_its_account_and_another_account_is_told_nothing() {
    let world = World::new().await;
    let mut own = world.listen(&world.sign_in("main").await).await;
    let mut others = world.listen(&world.sign_in("other").await).await;
    world.delivers().await;
    assert_eq!(heard(&mut own).await.unwrap(), "event: changed\ndata: look\n\n");
    for stream in [&mut own, &mut others] {
        assert!(timeout(Duration::from_millis(500), stream.next()).await.is_err(), "nothing more is told");
    }
}

#[tokio::test]
async fn a_stream_ends_untold_when_its_session_is_revoked_and_goes_on_for_the_others() {
    let world = World::new().await;
    let (gone, stays) = (world.sign_in("main").await, world.sign_in("main").await);
    let (mut ends, mut goes_on) = (world.listen(&gone).await, world.listen(&stays).await);
    let session = parse_key(gone.split_once('=').unwrap().1).unwrap().id;
    assert!(world.ports.keys.delete(&account(), &session).await.unwrap());
    assert_eq!(heard(&mut ends).await, None);
    assert!(heard(&mut goes_on).await.is_some());
}

#[tokio::test]
async fn every_stream_ends_at_once_when_the_server_stops() {
    let world = World::new().await;
    let mut stream = world.listen(&world.sign_in("main").await).await;
    world.api.stop_waiting();
    assert_eq!(heard(&mut stream).await, None);
}

#[tokio::test]
async fn a_session_has_four_streams_and_nobody_listens_without_one() {
    let world = World::new().await;
    let cookie = world.sign_in("main").await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(world.listen(&cookie).await);
    }
    assert_eq!(world.ask("GET", "/console/changes", &cookie, String::new()).await.status(), 429);
    open.pop();
    drop(world.listen(&cookie).await);
    assert_eq!(world.ask("GET", "/console/changes", "", String::new()).await.status(), 303, "to the sign-in");
}
