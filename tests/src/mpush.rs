//! A server with an account for Mpush; its scripts' requests, and a client over a real WebSocket.

use std::{collections::VecDeque, path::Path, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{Bellhop, Client, Sink};

/// How long something that has to come may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose account `main` has the token `t0ken`, and these settings besides.
pub async fn start(data: &Path, settings: Value) -> Bellhop {
    start_with(data, &[], settings).await
}

/// The same, with these options besides.
pub async fn start_with(data: &Path, options: &[String], settings: Value) -> Bellhop {
    let options: Vec<_> = ["--allow-private", "127.0.0.0/8"].into_iter().chain(options.iter().map(String::as_str)).collect();
    let bellhop = Bellhop::start_with(data, &options);
    let mut mpush = json!({ "token": "t0ken", "retry_timeout_ms": 300, "wait_timeout_ms": 2_000 });
    mpush.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    bellhop.client.put("/v1/account", json!({ "mpush": mpush })).await;
    bellhop
}

/// What is answered to a GET that shows nothing.
pub async fn get(server: &Client, path: &str) -> (u16, Value) {
    let answer = client().get(format!("{}{path}", server.url)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// The statuses that a send is answered with.
pub async fn send(server: &Client, path: &str) -> Value {
    let (status, answer) = get(server, path).await;
    assert_eq!((status, &answer["cmd"]), (200, &json!("MESSAGE_REPLY")), "{answer}");
    answer["data"]["status"].clone()
}

#[expect(clippy::disallowed_methods, reason = "a script's client, which is no tenant's")]
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// What is answered to a packet by POST.
pub async fn post(server: &Client, packet: Value) -> (u16, Value) {
    let request = client().post(format!("{}/anything", server.url)).json(&packet);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// Registers a client of that group that is called at the sink.
pub async fn webhook(server: &Client, name: &str, group: &str, method: &str, sink: &Sink) {
    let params = json!({ "method": method, "url": format!("{}/{name}", sink.url), "token": "t0k" });
    let body = json!({ "channel": "mpush", "params": params, "groups": [group] });
    server.put(&format!("/v1/registrations/{name}"), body).await;
}

/// The states of all deliveries to a client.
pub async fn states(server: &Client, name: &str) -> Vec<String> {
    let deliveries = server.get(&format!("/v1/deliveries?registration={name}")).await;
    deliveries["items"].as_array().unwrap().iter().map(|delivery| delivery["state"].as_str().unwrap().to_owned()).collect()
}

/// A client of the Mpush protocol.
pub struct MpushClient {
    stream: WebSocketStream<TcpStream>,
    seen: VecDeque<Value>,
}

impl MpushClient {
    /// Connects, and says nothing of who it is.
    #[expect(clippy::disallowed_methods, reason = "a client's own socket, which is no tenant's")]
    pub async fn connect(url: &str) -> Self {
        let (_, whole) = url.split_once("://").unwrap();
        let (host, path) = whole.split_once('/').unwrap_or((whole, "ws"));
        let (stream, _) = client_async(format!("ws://{host}/{path}"), TcpStream::connect(host).await.unwrap()).await.unwrap();
        Self { stream, seen: VecDeque::new() }
    }

    /// Connects as that client, and waits until it is told that it is.
    pub async fn join(url: &str, name: &str, group: &str) -> Self {
        let mut client = Self::connect(url).await;
        client.say("AUTH", json!({ "token": "t0ken", "name": name, "group": group })).await;
        let welcome = client.hear().await;
        assert_eq!((&welcome["cmd"], &welcome["data"]["code"]), (&json!("AUTH"), &json!(200)), "{welcome}");
        client
    }

    pub async fn say(&mut self, cmd: &str, data: Value) {
        self.write(&json!({ "cmd": cmd, "data": data }).to_string()).await;
    }

    pub async fn write(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    /// The next packet.
    pub async fn hear(&mut self) -> Value {
        if let Some(seen) = self.seen.pop_front() {
            return seen;
        }
        timeout(PATIENCE, self.next()).await.expect("a packet comes").expect("the connection is open")
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.stream.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message, which is acknowledged.
    pub async fn take(&mut self) -> Value {
        let message = self.message().await;
        self.acknowledge(&message).await;
        message
    }

    /// The next message; what else comes before it is heard later.
    pub async fn message(&mut self) -> Value {
        self.packet("MESSAGE").await
    }

    /// What became of a message of its own. A message that comes again meanwhile is heard later.
    pub async fn reply(&mut self) -> Value {
        self.packet("MESSAGE_REPLY").await
    }

    /// A word for people, likewise.
    pub async fn info(&mut self) -> Value {
        self.packet("INFO").await
    }

    /// What the next packet of that kind says; what else comes before it is heard later.
    pub async fn packet(&mut self, cmd: &str) -> Value {
        let mut others = VecDeque::new();
        loop {
            let packet = self.hear().await;
            if packet["cmd"] == cmd {
                self.seen.extend(others);
                return packet["data"].clone();
            }
            others.push_back(packet);
        }
    }

    pub async fn acknowledge(&mut self, message: &Value) {
        self.say("MESSAGE_CALLBACK", json!({ "mid": message["mid"] })).await;
    }

    /// Waits until the other side closes the connection.
    pub async fn until_closed(mut self) {
        let closed = async { while self.next().await.is_some() {} };
        timeout(PATIENCE, closed).await.expect("the connection is closed");
    }

    /// Takes every message until the connection is closed, and acknowledges it after it was `taken`.
    pub async fn take_all(mut self, mut taken: impl FnMut(&Value)) {
        while let Some(packet) = self.next().await {
            if packet["cmd"] == "MESSAGE" {
                taken(&packet["data"]);
                let callback = json!({ "cmd": "MESSAGE_CALLBACK", "data": { "mid": packet["data"]["mid"] } });
                // it may be closed by now, which the next look tells
                drop(self.stream.send(Message::text(callback.to_string())).await);
            }
        }
    }
}
