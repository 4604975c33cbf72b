//! What API Gateway tells of a connection, over memory, with connections that write down what is said to them.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bellhop_channels::SPECS;
use bellhop_core::{
    model::{Account, ConnectionId, Mpush as Settings, Quotas},
    ports::{Freshness, Live, Ports, Pushed, Transport},
};
use bellhop_http::{Api, key::hash_secret};
use bellhop_mpush::Mpush;
use bellhop_socket::{Happened, handle};
use bellhop_testkit::{account, name, ports};
use serde_json::{Value, json};

const TOKEN: &str = "a-token";

/// What was said to whom, and who was let go. A connection called `gone` is; one called `eager` speaks as soon as it is
/// welcomed, before anybody has done anything else.
#[derive(Default)]
struct Connections {
    mpush: OnceLock<Mpush>,
    said: Mutex<Vec<(String, Value)>>,
    closed: Mutex<Vec<String>>,
}

#[async_trait]
impl Live for Connections {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        if connection.0 == "gone" {
            return Pushed::Gone;
        }
        self.said.lock().unwrap().push((connection.0.clone(), serde_json::from_str(text).unwrap()));
        if connection.0 == "eager" && text.contains("Successful authentication") {
            let ping = Happened::Said(json!({ "cmd": "PING" }).to_string());
            handle(self.mpush.get().unwrap(), connection, ping).await.unwrap();
        }
        Pushed::Sent
    }

    async fn close(&self, connection: &ConnectionId) {
        self.closed.lock().unwrap().push(connection.0.clone());
    }
}

struct World {
    mpush: Mpush,
    connections: Arc<Connections>,
}

impl World {
    /// With an account that has a token.
    async fn new() -> Self {
        let connections = Arc::new(Connections::default());
        let ports = ports();
        let transport = Transport { live: Arc::clone(&connections) as _, ..ports.transport };
        let ports = Ports { transport, channels: SPECS, ..ports };
        let mpush = Settings { token_hash: Some(hash_secret(TOKEN)), ..Settings::default() };
        assert!(ports.accounts.put(None, &Account { mpush, ..Account::new(account()) }).await.unwrap());
        assert!(ports.clients.take_token(&hash_secret(TOKEN), &account()).await.unwrap());
        let mpush = Mpush::new(Api::new(ports), None);
        assert!(connections.mpush.set(mpush.clone()).is_ok());
        Self { mpush, connections }
    }

    async fn say(&self, connection: &str, packet: Value) {
        handle(&self.mpush, &id(connection), Happened::Said(packet.to_string())).await.unwrap();
    }

    async fn auth(&self, connection: &str) {
        self.say(connection, json!({ "cmd": "AUTH", "data": { "token": TOKEN, "name": "phone" } })).await;
    }

    fn heard(&self, connection: &str) -> Vec<Value> {
        let said = self.connections.said.lock().unwrap();
        said.iter().filter(|(to, _)| to == connection).map(|(_, packet)| packet.clone()).collect()
    }

    async fn is_on(&self) -> Option<ConnectionId> {
        self.mpush.api.ports.clients.connection(&account(), &name("phone")).await.unwrap()
    }
}

fn id(connection: &str) -> ConnectionId {
    ConnectionId(connection.to_owned())
}

#[tokio::test]
async fn who_says_who_it_is_is_welcomed_and_connected() {
    let world = World::new().await;
    handle(&world.mpush, &id("c1"), Happened::Opened).await.unwrap();
    assert_eq!(world.is_on().await, None, "it has said nothing yet");
    world.auth("c1").await;
    let [welcome] = &world.heard("c1")[..] else { panic!("one answer") };
    assert_eq!((&welcome["cmd"], &welcome["data"]["code"]), (&json!("AUTH"), &json!(200)));
    assert_eq!(world.is_on().await, Some(id("c1")));
}

#[tokio::test]
async fn whoever_says_nothing_of_itself_is_asked_to() {
    let world = World::new().await;
    world.say("c1", json!({ "cmd": "PING" })).await;
    assert_eq!(world.heard("c1"), [json!({ "cmd": "AUTH", "data": { "code": 401, "msg": "Need Auth" } })]);
}

#[tokio::test]
async fn a_connection_is_known_again_by_its_id() {
    let world = World::new().await;
    world.auth("c1").await;
    world.say("c1", json!({ "cmd": "PING" })).await;
    assert_eq!(world.heard("c1")[1], json!({ "cmd": "PONG", "data": "" }));
}

#[tokio::test]
async fn whoever_goes_on_as_soon_as_it_is_welcomed_is_known() {
    let world = World::new().await;
    world.auth("eager").await;
    assert_eq!(world.heard("eager")[1], json!({ "cmd": "PONG", "data": "" }));
}

#[tokio::test]
async fn what_became_of_a_message_is_said_to_whoever_sent_it() {
    let world = World::new().await;
    world.auth("c1").await;
    let message = json!({ "sendType": "personal", "target": "nobody", "message": { "text": "hello" } });
    world.say("c1", json!({ "cmd": "MESSAGE", "data": message })).await;
    let reply = &world.heard("c1")[1];
    assert_eq!((&reply["cmd"], &reply["data"]["status"]), (&json!("MESSAGE_REPLY"), &json!({ "nobody": "no" })));
}

#[tokio::test]
async fn another_connection_of_the_same_name_takes_its_place() {
    let world = World::new().await;
    world.auth("c1").await;
    world.auth("c2").await;
    assert_eq!(world.is_on().await, Some(id("c2")));
    assert_eq!(*world.connections.closed.lock().unwrap(), ["c1"]);
    handle(&world.mpush, &id("c1"), Happened::Closed).await.unwrap();
    assert_eq!(world.is_on().await, Some(id("c2")), "the end of the old one is not that of the new");
}

#[tokio::test]
async fn a_client_whose_connection_is_gone_is_not_connected() {
    let world = World::new().await;
    world.auth("c1").await;
    handle(&world.mpush, &id("c1"), Happened::Closed).await.unwrap();
    assert_eq!(world.is_on().await, None);
}

#[tokio::test]
async fn whoever_is_gone_before_it_is_welcomed_is_not_connected() {
    let world = World::new().await;
    world.auth("gone").await;
    assert_eq!(world.is_on().await, None);
    assert_eq!(*world.connections.closed.lock().unwrap(), ["gone"]);
}

#[tokio::test]
async fn one_client_more_than_the_account_may_have_is_not_let_in() {
    let world = World::new().await;
    let accounts = &world.mpush.api.ports.accounts;
    let before = accounts.get(&account()).await.unwrap().unwrap();
    let quotas = Quotas { registrations_per_channel: 1, ..before.quotas };
    assert!(accounts.put(Some(&before), &Account { quotas, ..Account::clone(&before) }).await.unwrap());
    world.auth("c1").await;
    world.say("c2", json!({ "cmd": "AUTH", "data": { "token": TOKEN, "name": "tablet" } })).await;
    let [refused] = &world.heard("c2")[..] else { panic!("one answer") };
    assert!(refused["cmd"] == "INFO" && refused["data"].as_str().unwrap().contains("no more may be"), "{refused}");
    let tablet = world.mpush.api.ports.registrations.get(&account(), &name("tablet"), Freshness::Fresh).await;
    assert!(tablet.unwrap().is_none());
    world.auth("c3").await;
    assert_eq!(world.heard("c3")[0]["data"]["code"], 200, "one that is known already is");
}
