//! Mpush's `config.json`, brought to an account: its token and time limits, and its webhooks as registrations.
//! <https://github.com/kooritea/mpush#%E9%85%8D%E7%BD%AE>
//!
//! Promise: everything is read before anything is saved, and what is left out is said, with the reason.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use bellhop_core::model::{Mpush, Name};
use clap::Args;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

use super::{Server, registrations::REGISTRATIONS};
use crate::show::Shown;

/// Options of `bellhop import-mpush`.
#[derive(Args)]
pub(crate) struct ImportMpush {
    /// Mpush's configuration.
    file: PathBuf,
    #[command(flatten)]
    server: Server,
}

/// What of it is understood; of version 2.2, too.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    token: String,
    http: Http,
    websocket: WebSocket,
    webhook: Webhook,
    webpush: Value,
    fcm: Value,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Http {
    verify_token: Option<bool>,
    port: Option<u16>,
    wait_timeout: Option<u32>,
    cors: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WebSocket {
    verify_token: Option<bool>,
    port: Option<u16>,
    auth_timeout: Option<u32>,
    retry_timeout: Option<u32>,
    wait_timeout: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Webhook {
    clients: Vec<Client>,
    proxy: Value,
    retry_timeout: Option<u32>,
}

#[derive(Deserialize)]
struct Client {
    name: Name,
    #[serde(default, deserialize_with = "if_any")]
    group: Option<Name>,
    url: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    proxy: Value,
}

impl ImportMpush {
    pub(crate) fn run(self) -> Result<Shown> {
        let text = fs::read(&self.file).with_context(|| format!("`{}` cannot be read", self.file.display()))?;
        let config: Config =
            serde_json::from_slice(&text).with_context(|| format!("`{}` is no configuration of Mpush", self.file.display()))?;
        let server = self.server.open()?;
        let clients: Vec<_> = config.webhook.clients.iter().map(|client| (client.name.as_str(), client.body(&config))).collect();
        server.put("/v1/account", &config.settings()).context("the settings were not saved, and nothing else was")?;
        for (name, body) in &clients {
            let saved = server.put(&REGISTRATIONS.of(name), body);
            saved.with_context(|| format!("`{name}` was not saved; mend that, and run the same command again"))?;
        }
        let names: Vec<_> = clients.iter().map(|(name, _)| *name).collect();
        Ok(Shown::one(json!({ "registrations": names, "left_out": config.left_out() })))
    }
}

impl Config {
    fn settings(&self) -> Value {
        let mut mpush = Map::new();
        // what it does not say stays as it is
        for (name, is_on) in [
            ("http_verify_token", self.http.verify_token),
            ("ws_verify_token", self.websocket.verify_token),
            ("cors", self.http.cors),
        ] {
            mpush.extend(is_on.map(|is_on| (name.to_owned(), is_on.into())));
        }
        if !self.token.is_empty() {
            mpush.insert("token".to_owned(), self.token.as_str().into());
        }
        for (name, ms) in [
            ("wait_timeout_ms", self.http.wait_timeout.map(|ms| ms.min(Mpush::LONGEST_WAIT_MS))),
            ("retry_timeout_ms", self.websocket.retry_timeout),
            ("auth_timeout_ms", self.websocket.auth_timeout),
        ] {
            mpush.extend(ms.map(|ms| (name.to_owned(), ms.into())));
        }
        json!({ "mpush": mpush })
    }

    /// What is not brought along, and why.
    fn left_out(&self) -> Vec<String> {
        let mut said = Vec::new();
        let has = |section: &Value, name: &str| section[name].as_str().is_some_and(|text| !text.is_empty());
        if has(&self.webpush, "serverKey") || has(&self.webpush, "apiKey") || has(&self.fcm, "serverKey") {
            said.push("the server key: Google has switched off what it was for; Web Push needs none here".to_owned());
        }
        let ports: Vec<_> = [self.http.port, self.websocket.port].into_iter().flatten().collect();
        if !ports.is_empty() {
            let listen: Vec<_> = ports.iter().map(|port| format!("--listen 0.0.0.0:{port}")).collect();
            said.push(format!("the ports: start the server with `{}`", listen.join(" ")));
        }
        if self.http.wait_timeout.is_some_and(|ms| ms > Mpush::LONGEST_WAIT_MS) {
            said.push(format!("part of `http.waitTimeout`: a request waits for {} ms at most", Mpush::LONGEST_WAIT_MS));
        }
        for (name, is_there) in [
            ("websocket.waitTimeout", self.websocket.wait_timeout.is_some()),
            ("webhook.retryTimeout", self.webhook.retry_timeout.is_some()),
            ("webpush.retryTimeout", !self.webpush["retryTimeout"].is_null()),
        ] {
            if is_there {
                said.push(format!(
                    "`{name}`: there is one limit of that kind for all clients, `http.waitTimeout` or `websocket.retryTimeout`"
                ));
            }
        }
        if proxy(&self.webpush["proxy"]).or_else(|| proxy(&self.fcm["proxy"])).is_some() {
            said.push("the proxy of Web Push: give it to registrations of their own, as `params.proxy`".to_owned());
        }
        if self.token.is_empty() {
            said.push("a token: there is none, and without one nobody reaches the account by Mpush".to_owned());
        }
        said
    }
}

impl Client {
    fn body(&self, config: &Config) -> Value {
        let method = if self.method.eq_ignore_ascii_case("post") { "webhook_post" } else { "webhook_get" };
        let proxy = proxy(&self.proxy).or_else(|| proxy(&config.webhook.proxy));
        let token = Some(config.token.as_str()).filter(|token| !token.is_empty());
        let groups: Vec<_> = self.group.iter().collect();
        let params = json!({ "method": method, "url": self.url, "token": token, "proxy": proxy });
        json!({ "channel": "mpush", "params": params, "groups": groups })
    }
}

/// A name, unless it is left empty.
fn if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { Name::parse(&text).map(Some).map_err(D::Error::custom) }
}

/// A URL, or Mpush 2.1's object with host, port and perhaps who one is there.
fn proxy(said: &Value) -> Option<String> {
    if let Some(url) = said.as_str() {
        return Some(url.to_owned()).filter(|url| !url.is_empty());
    }
    let host = said["host"].as_str()?;
    let port = said["port"].as_u64().or_else(|| said["port"].as_str()?.parse().ok())?;
    let auth = said["auth"]["username"].as_str().map(|name| {
        let password = said["auth"]["password"].as_str().unwrap_or_default();
        format!("{}:{}@", super::in_path(name), super::in_path(password))
    });
    Some(format!("http://{}{host}:{port}", auth.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_webhook_becomes_a_registration_with_its_token_and_its_proxy() {
        let config = config(
            r#"{"token": "t0ken", "webhook": {"proxy": {"host": "p.example.com", "port": 8080, "auth": {"username": "u", "password": "a b"}},
                "clients": [{"name": "wh1", "group": "g", "url": "http://e.com/", "method": "POST"},
                            {"name": "wh2", "url": "http://e.com/", "proxy": "http://q:1"}]}}"#,
        );
        let bodies: Vec<_> = config.webhook.clients.iter().map(|client| client.body(&config)).collect();
        assert_eq!(bodies[0]["groups"], json!(["g"]));
        let params = json!({"method": "webhook_post", "url": "http://e.com/", "token": "t0ken", "proxy": "http://u:a%20b@p.example.com:8080"});
        assert_eq!(bodies[0]["params"], params);
        assert_eq!(
            (&bodies[1]["params"]["method"], &bodies[1]["params"]["proxy"]),
            (&json!("webhook_get"), &json!("http://q:1"))
        );
        assert_eq!(bodies[1]["groups"], json!([]));
    }

    #[test]
    fn settings_are_those_that_are_named_and_what_is_left_out_is_said() {
        let config = config(
            r#"{"token": "t0ken", "http": {"verifyToken": true, "port": 9093, "waitTimeout": 5000, "cors": true},
                "websocket": {"verifyToken": false, "port": 9094, "retryTimeout": 3000}, "webpush": {"serverKey": "AAAA"}}"#,
        );
        let mpush = json!({"token": "t0ken", "http_verify_token": true, "ws_verify_token": false, "cors": true,
            "wait_timeout_ms": 5000, "retry_timeout_ms": 3000});
        assert_eq!(config.settings(), json!({ "mpush": mpush }));
        let left_out = config.left_out();
        assert!(
            left_out[0].starts_with("the server key: ") && left_out[1].contains("--listen 0.0.0.0:9093 --listen 0.0.0.0:9094")
        );
        assert_eq!(left_out.len(), 2);
    }

    #[test]
    fn what_it_does_not_say_stays_as_it_is() {
        assert_eq!(config(r#"{"token": "t0ken"}"#).settings(), json!({ "mpush": { "token": "t0ken" } }));
    }

    #[test]
    fn what_has_no_place_here_is_said() {
        let config = config(
            r#"{"token": "t0ken", "http": {"waitTimeout": 60000}, "websocket": {"waitTimeout": 1}, "webhook": {"retryTimeout": 1},
                "webpush": {"retryTimeout": 1, "proxy": "http://p:1"}}"#,
        );
        assert_eq!(config.settings()["mpush"]["wait_timeout_ms"], 25_000);
        let left_out = config.left_out().join("\n");
        for named in
            ["http.waitTimeout", "websocket.waitTimeout", "webhook.retryTimeout", "webpush.retryTimeout", "proxy of Web Push"]
        {
            assert!(left_out.contains(named), "{named}: {left_out}");
        }
    }

    #[test]
    fn a_client_whose_name_cannot_be_is_refused_before_anything_is_saved() {
        let read = |client: &str| serde_json::from_str::<Config>(&format!(r#"{{"webhook": {{"clients": [{client}]}}}}"#));
        assert!(read(r#"{"name": "wh1", "group": "", "url": "http://e.com/"}"#).is_ok());
        for client in
            [r#"{"name": "my phone", "url": "http://e.com/"}"#, r#"{"name": "wh1", "group": "a b", "url": "http://e.com/"}"#]
        {
            assert!(read(client).is_err(), "{client}");
        }
    }
}
