//! A client of the Mpush protocol, over a real WebSocket.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// How long something that has to come may take.
const PATIENCE: Duration = Duration::from_secs(30);

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
}
