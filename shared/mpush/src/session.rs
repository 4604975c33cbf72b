//! What is said over a connection, and over requests that hold packets.

use std::sync::Arc;

use bellhop_core::{
    StoreError, clients,
    model::{Account, ConnectionId, Method, Mid, Name},
    ports,
};
use serde_json::{Value, json};

use crate::{Call, Command, Mpush, Pending, Refusal, auth::granted, info, packet::pong};

/// Who is on a connection.
pub type Session = ports::Session;

/// What follows from a packet.
pub enum Heard {
    /// This is said.
    Say(Value),
    /// Nothing is said.
    Nothing,
    /// The client is [met](Mpush::meet), this is said, and then it [joins](Mpush::join).
    Joins(Value, Session),
    /// What became of it is said when it is known.
    Sent(Pending),
}

impl Mpush {
    /// What follows from a text on a connection on which `session` is, or nobody yet.
    pub async fn heard(&self, session: Option<&Session>, text: &str) -> Heard {
        let packet = match serde_json::from_str::<Value>(text) {
            Ok(packet) => Command::of(packet),
            Err(error) => return Heard::Say(info(format!("not valid JSON: {error}"))),
        };
        match self.packet(session, &packet).await {
            Ok(heard) => heard,
            Err(refusal) => Heard::Say(refusal.packet()),
        }
    }

    async fn packet(&self, session: Option<&Session>, packet: &Command) -> Result<Heard, Refusal> {
        if packet.cmd == "AUTH" {
            return self.authenticated(packet).await;
        }
        let Session { account, name } = session.ok_or_else(Refusal::need_auth)?;
        match packet.cmd.as_str() {
            "PING" => Ok(Heard::Say(pong())),
            "MESSAGE" => {
                let call = Call::of(packet, Method::Websocket, name.as_str())?;
                let account = self.api.account(account).await?;
                self.send(account, call).await.map(Heard::Sent)
            }
            "MESSAGE_CALLBACK" => {
                if let Some(mid) = mid(packet) {
                    clients::acknowledge(&self.api.ports, account, name, mid).await?;
                }
                Ok(Heard::Nothing)
            }
            "MESSAGE_WEBPUSH_CALLBACK" => {
                if let Some(mid) = mid(packet) {
                    clients::acknowledge_push(&self.api.ports, account, name, mid).await?;
                }
                Ok(Heard::Nothing)
            }
            // the clients' pages send a subscription by either
            "REGISTER_WEBPUSH" | "REGISTER_FCM" => {
                self.subscribed(account, name, packet).await?;
                Ok(Heard::Nothing)
            }
            unknown => Err(Refusal::info(format!("Unknow cmd: {unknown}"))),
        }
    }

    async fn authenticated(&self, packet: &Command) -> Result<Heard, Refusal> {
        let account = self.account_of_connection(packet.text("token")).await?;
        let (name, group) = named(packet)?;
        self.registered(&account, &name, group.as_ref()).await?;
        let said = self.welcome(&account, &name, group.as_ref()).await?;
        Ok(Heard::Joins(said, Session { account: account.id.clone(), name }))
    }

    /// What a client is told that is who it says: with the key of Web Push, under every name that clients know it by.
    async fn welcome(&self, account: &Account, name: &Name, group: Option<&Name>) -> Result<Value, Refusal> {
        let ports = &self.api.ports;
        let group = group.map(Name::as_str).unwrap_or_default();
        let auth = granted(account, name, group, ports.clock.now());
        let mut data = json!({ "code": 200, "auth": auth, "msg": "Successful authentication" });
        let key = match ports.vapid.public().await? {
            Some(known) => Some(known),
            // the first who could subscribe; a function that keeps no secrets leaves it to one that does
            None => match ports.vapid.key().await {
                Ok(key) => Some(key.public),
                Err(error) => {
                    tracing::warn!(%error, "a client was not told the key of Web Push");
                    None
                }
            },
        };
        if let Some(key) = key {
            for known in ["webpushServerKey", "webpushPublicKey", "fcmServerKey"] {
                data[known] = key.as_str().into();
            }
        }
        Ok(json!({ "cmd": "AUTH", "data": data }))
    }

    /// What comes over that connection from now on is said by the client of `session`: to be known before it is told that it
    /// is welcome, since it goes on at once.
    pub async fn meet(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        clients::met(&self.api.ports, connection, session).await
    }

    /// The client of `session` is on that connection now: the one on which it was before is closed, and what waits for it
    /// comes.
    pub async fn join(&self, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
        let ports = &self.api.ports;
        if let Some(before) = clients::connected(ports, connection, session).await? {
            ports.transport.live.close(&before).await;
        }
        clients::wake(ports, &session.account, &session.name).await
    }

    /// The connection is gone.
    pub async fn left(&self, connection: &ConnectionId) {
        if let Err(error) = clients::left(&self.api.ports, connection).await {
            tracing::warn!(%error, "a connection that is gone was not forgotten; the next push will find it gone");
        }
    }

    /// What is answered to a packet that came by a request with that token. `None`: nothing is said.
    pub async fn asked(&self, token: Option<&str>, packet: &Command) -> Result<Option<Value>, Refusal> {
        match packet.cmd.as_str() {
            "TEST_HTTP" => Ok(None),
            "AUTH" => {
                let (name, group) = named(packet)?;
                let account = match self.account_of_connection(packet.text("token")).await {
                    Ok(account) => account,
                    Err(refusal) => return Ok(Some(refusal.packet())),
                };
                if account.mpush.http_verify_token {
                    // however open its connections are
                    let shown = self.account_of_request(token.or(packet.text("token"))).await?;
                    if shown.id != account.id {
                        return Err(Refusal::info("Authorization verify error: the token is another account's"));
                    }
                }
                Ok(Some(self.welcome(&account, &name, group.as_ref()).await?))
            }
            "MESSAGE" => {
                let said = self.who(packet).await?;
                let (account, name) = match said {
                    Some((account, name)) => (account, name),
                    None => (self.account_of_request(token).await?, String::new()),
                };
                let pending = self.send(account, Call::of(packet, Method::Http, &name)?).await?;
                Ok(Some(pending.reply().await))
            }
            cmd @ ("MESSAGE_CALLBACK" | "MESSAGE_WEBPUSH_CALLBACK") => {
                let Some(auth) = &packet.auth else { return Ok(Some(info(format!("The {cmd} cmd must need auth.")))) };
                let Some(said) = self.proven(auth).await? else { return Err(Refusal::info("Authorization verify error: auth")) };
                if let Some(mid) = mid(packet) {
                    let ports = &self.api.ports;
                    if cmd == "MESSAGE_CALLBACK" {
                        clients::acknowledge(ports, &said.account, &said.name, mid).await?;
                    } else {
                        clients::acknowledge_push(ports, &said.account, &said.name, mid).await?;
                    }
                }
                Ok(None)
            }
            unknown => Err(Refusal::info(format!("Unknow cmd: {unknown}"))),
        }
    }

    /// Who says it, where the packet shows what AUTH gave.
    async fn who(&self, packet: &Command) -> Result<Option<(Arc<Account>, String)>, Refusal> {
        let Some(auth) = &packet.auth else { return Ok(None) };
        let Some(said) = self.proven(auth).await? else { return Err(Refusal::info("Authorization verify error: auth")) };
        Ok(Some((self.api.account(&said.account).await?, said.name.as_str().to_owned())))
    }
}

fn named(packet: &Command) -> Result<(Name, Option<Name>), Refusal> {
    let name = packet.text("name").ok_or_else(|| Refusal::info("name property is required"))?;
    let parse = |text: &str| Name::parse(text).map_err(|error| Refusal::info(error.to_string()));
    Ok((parse(name)?, packet.text("group").map(parse).transpose()?))
}

fn mid(packet: &Command) -> Option<Mid> {
    match packet.data.get("mid")? {
        Value::String(text) => Mid::parse(text),
        Value::Number(number) => number.as_u64().map(Mid),
        _ => None,
    }
}
