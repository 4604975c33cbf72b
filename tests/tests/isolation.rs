//! Nobody sees or changes what belongs to another account: every operation that `docs/openapi.json` describes is called by a
//! stranger, with every kind of key that is none, and with keys of every scope but the right one; of the binary on SQLite, and of
//! the same routers on DynamoDB.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, reason = "counts, for whoever asks with `--no-capture`")]

mod worlds;

use acceptance::{
    Bellhop, Client, Sink,
    operations::{Known, Operation, furnish, operations},
};
use bellhop_core::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::watch;
use worlds::{on_aws, store_key, webhook};

/// What is the same for everybody.
const COMMON: [&str; 3] = ["/v1/channels", "/v1/hooks/kinds", "/v1/web-push"];

/// What takes no key, and why nothing of an account is in it.
const OPEN: [&str; 6] = [
    "POST /in/{token}", // the path is the key
    "GET /in/{token}",
    "GET /openapi.json", // this document
    "GET /healthz",      // a word
    "GET /readyz",
    "GET /metrics", // counters by channel
];

const SCOPES: [&str; 4] = ["send", "read", "manage", "operate"];

/// A key with these scopes, made by the caller; its id and the whole.
async fn key(client: &Client, scopes: &[&str]) -> (String, String) {
    let body = json!({ "scopes": scopes, "expires_at": "2999-01-01T00:00:00Z" });
    let (status, answer) = client.call("POST", "/v1/keys", Some(body)).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// Every answer to a question without a change, by its place.
async fn snapshot(client: &Client, operations: &[Operation], known: &Known) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    // which accounts there are is the operator's to see
    let asks =
        |operation: &&Operation| operation.method == "GET" && operation.scope.is_some() && operation.path != "/v1/accounts";
    for operation in operations.iter().filter(asks) {
        let at = operation.at(known);
        let (status, mut answer) = client.call("GET", &at, None).await;
        assert_eq!(status, 200, "{at}: {answer}");
        if operation.path == "/v1/keys" {
            // it goes on with each look
            answer["items"].as_array_mut().unwrap().iter_mut().for_each(|key| key["last_used_at"] = Value::Null);
        }
        told.push((at, answer));
    }
    told
}

/// Calls everything with the key of an account that owns nothing.
async fn a_stranger_calls_everything(owner: &Client) {
    let sink = Sink::start().await;
    let (status, made) = owner.call("POST", "/v1/accounts", Some(json!({ "id": "other" }))).await;
    assert_eq!(status, 201, "{made}");
    let (id, stranger) = (&made["key"]["id"], owner.with_key(made["key"]["key"].as_str().unwrap()));
    let mut operations: Vec<_> = operations().into_iter().filter(|operation| operation.scope.is_some()).collect();
    let known = furnish(owner, &operations, &sink).await;
    let before = snapshot(owner, &operations, &known).await;

    // first what only asks, last what saves under the same names
    operations
        .sort_by_key(|operation| ["GET", "DELETE", "PATCH", "POST", "PUT"].iter().position(|method| *method == operation.method));
    let mut seen = 0;
    for operation in &operations {
        let at = operation.at(&known);
        let (status, answer) = stranger.try_call(&operation.method, &at, &[], operation.body_to(&sink)).await.unwrap();
        let case = format!("{} {at}: {status} {answer}", operation.method);
        let is_denied = [401, 403, 404].contains(&status);
        match operation.method.as_str() {
            _ if operation.scope.as_deref() == Some("operate") => assert!(is_denied, "{case}"),
            "GET" if operation.path == "/v1/account" => assert_eq!(answer["id"], "other", "{case}"),
            "GET" if COMMON.contains(&operation.path.as_str()) => assert_eq!(status, 200, "{case}"),
            // the key that he shows is his
            "GET" if operation.path == "/v1/keys" => {
                assert_eq!((&answer["items"][0]["id"], &answer["items"][1]), (id, &Value::Null), "{case}");
            }
            "GET" if !operation.is_about_one() => assert_eq!((status, &answer["items"]), (200, &json!([])), "{case}"),
            // saves, makes and reports something of the stranger's own, for those whom he has
            "PUT" => assert_eq!(status, 200, "{case}"),
            // by values of the stranger's own
            "POST" if operation.path == "/v1/registrations/{name}" => {
                assert_eq!((status, &answer["delivered"]), (200, &json!(true)), "{case}");
            }
            // of the stranger's own rules and registrations, of which there are none
            "POST" if operation.path == "/v1/rules/{name}" => {
                assert_eq!((status, &answer["deliveries"]), (200, &json!([])), "{case}");
            }
            "POST" if operation.path == "/v1/tasks/preview" => assert_eq!(status, 200, "{case}"),
            "POST" if !operation.is_about_one() => {
                assert!([201, 202].contains(&status) || answer["code"] == "unknown_recipient", "{case}");
            }
            _ => assert!(is_denied, "{case}"),
        }
        let told = answer.to_string();
        assert_eq!(known.all().find(|id| told.contains(*id)), None, "{case}");
        seen += 1;
    }
    assert_eq!(snapshot(owner, &operations, &known).await, before);
    assert!(seen >= 40, "{seen}");
    println!("{seen} operations called by a stranger");
}

/// Calls everything with each scope alone.
async fn each_scope_calls_everything(owner: &Client) {
    let mut tried = 0;
    for scope in SCOPES {
        let client = owner.with_key(&key(owner, &[scope]).await.1);
        for operation in operations() {
            let Some(needed) = &operation.scope else { continue };
            let at = operation.at(&Known::default());
            let (status, answer) = client.try_call(&operation.method, &at, &[], Some("no JSON".to_owned())).await.unwrap();
            let case = format!("{} {at} with `{scope}`: {status} {answer}", operation.method);
            if needed == scope {
                assert!(![401, 403, 405].contains(&status), "{case}");
            } else {
                assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{case}");
            }
            tried += 1;
        }
    }
    println!("{tried} calls, each operation with each scope alone");
}

/// Calls everything with keys that are none, one that has expired among them.
async fn whoever_has_no_valid_key_calls_everything(owner: &Client, expired: &str) {
    let revoked = key(owner, &SCOPES).await;
    assert_eq!(owner.call("DELETE", &format!("/v1/keys/{}", revoked.0), None).await.0, 204);
    let another_secret = format!("{}_{}", owner.key.rsplit_once('_').unwrap().0, "0".repeat(64));
    let no_keys = ["", "x", "bh_", "bh_nobody_00000000000000000000000000000000", &another_secret, &revoked.1, expired];
    let (mut tried, mut open) = (0, Vec::new());
    for operation in operations() {
        if operation.scope.is_none() {
            open.push(format!("{} {}", operation.method, operation.path));
            continue;
        }
        let at = operation.at(&Known::default());
        for shown in no_keys {
            let client = owner.with_key(shown);
            let (status, answer) =
                client.try_call(&operation.method, &at, &[], operation.body.as_ref().map(Value::to_string)).await.unwrap();
            let case = format!("{} {at} with `{shown}`: {status} {answer}", operation.method);
            assert_eq!((status, &answer["code"]), (401, &json!("unauthorized")), "{case}");
            tried += 1;
        }
    }
    open.sort();
    let mut allowed = OPEN.map(str::to_owned);
    allowed.sort();
    assert_eq!(open, allowed, "what takes no key stands in this test, with the reason");
    println!("{tried} calls without a valid key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_and_changes_nothing_by_any_operation() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    a_stranger_calls_everything(&bellhop.client).await;
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_and_changes_nothing_on_dynamodb_either() {
    let world = on_aws().await;
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(bellhop_sender::run(world.ports.clone(), webhook(), 8, stopped));
    a_stranger_calls_everything(&world.client).await;
    stop.send_replace(true);
    sender.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_its_scope_and_no_other() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    each_scope_calls_everything(&bellhop.client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_its_scope_and_no_other_on_dynamodb() {
    each_scope_calls_everything(&on_aws().await.client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_but_the_open_ones_refuses_whoever_shows_no_valid_key() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let (id, expired) = key(&bellhop.client, &SCOPES).await;
    bellhop.stop();
    let database = Connection::open(data.path().join("bellhop.db")).unwrap();
    let sql = "UPDATE keys SET body = json_set(body, '$.expires_at', '2020-01-01T00:00:00Z') WHERE id = ?1";
    assert_eq!(database.execute(sql, [id.trim_start_matches("key_")]).unwrap(), 1);
    let bellhop = Bellhop::start(data.path());
    whoever_has_no_valid_key_calls_everything(&bellhop.client, &expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_but_the_open_ones_refuses_whoever_shows_no_valid_key_on_dynamodb() {
    const EXPIRED: &str = "bh_expired_0123456789abcdef0123456789abcdef";
    let world = on_aws().await;
    store_key(&world.ports, EXPIRED, Some(Timestamp::UNIX_EPOCH)).await;
    whoever_has_no_valid_key_calls_everything(&world.client, EXPIRED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_tells_nothing_of_any_account() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    let all = operations();
    let known = furnish(&bellhop.client, &all, &sink).await;
    let anybody = bellhop.client.with_key("");
    for path in ["/healthz", "/readyz", "/metrics", "/v1/nothing", "/in/nothing"] {
        let (_, answer) = anybody.call("GET", path, None).await;
        let told = answer.to_string();
        let names = ["desk", "alice", "nas", "daily", "ops", "QD/Example"];
        assert_eq!(known.all().chain(names).find(|known| told.contains(*known)), None, "{path}: {told}");
    }
    bellhop.stop();
}
