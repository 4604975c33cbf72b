//! A real browser without a window: Chromium, driven by its DevTools. <https://chromedevtools.github.io/devtools-protocol/>
//!
//! Nothing is waited for by looking again: a call is answered, an event comes, or a promise of the page is kept.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::oneshot, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// As nobody uses it by hand: no window, no first page, nothing asked of its maker.
const OPTIONS: [&str; 10] = [
    "--headless",
    "--no-sandbox", // as root, in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];

/// A running Chromium that knows nobody yet; it ends when it is dropped.
pub struct Browser {
    process: Running,
    devtools: Devtools,
    /// `ws://` and the address that DevTools listen at.
    address: String,
    _home: TempDir,
}

impl Browser {
    /// Starts with an empty profile.
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let process = Command::new("chromium")
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", home.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("`chromium` is missing: run `cargo xtask browser`");
        // it ends with this, whatever comes
        let mut process = Running(process);
        let mut said = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let listening = |line: String| line.strip_prefix("DevTools listening on ").map(str::to_owned);
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            drop(tell.send(said.by_ref().map_while(Result::ok).find_map(listening)));
            // what it says later is of no use, and must not stop it
            said.for_each(drop);
        });
        let url = timeout(PATIENCE, told).await.expect("Chromium starts in time").unwrap().expect("Chromium starts");
        let address = url.split("/devtools/").next().unwrap().to_owned();
        Self { process, devtools: Devtools::connect(&url).await, address, _home: home }
    }

    /// A new tab with nothing in it.
    pub async fn page(&mut self) -> Page {
        let target = self.devtools.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let id = target["targetId"].as_str().unwrap();
        let mut devtools = Devtools::connect(&format!("{}/devtools/page/{id}", self.address)).await;
        devtools.call("Page.enable", json!({})).await;
        Page { devtools }
    }

    /// Pages of that origin may do what a person would be asked for.
    pub async fn allow(&mut self, origin: &str, permission: &str) {
        self.devtools.call("Browser.grantPermissions", json!({ "origin": origin, "permissions": [permission] })).await;
    }

    /// Ends it, and waits for its end.
    pub async fn stop(mut self) {
        self.devtools.call("Browser.close", json!({})).await;
        self.process.0.wait().unwrap();
    }
}

/// A process that ends when it is dropped, with those that it has started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // ended before, or killed here: both are an end
        let group = format!("-{}", self.0.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A tab.
pub struct Page {
    devtools: Devtools,
}

impl Page {
    /// Goes there, and waits until it is loaded.
    pub async fn go(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({ "url": url })).await;
        assert_eq!(went["errorText"], Value::Null, "{url}");
        self.event("Page.loadEventFired").await;
    }

    /// What the script comes to; a promise is waited for, and `await` may stand anywhere.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let how = json!({ "expression": script, "replMode": true, "awaitPromise": true, "returnByValue": true });
        let mut done = self.call("Runtime.evaluate", how).await;
        assert_eq!(done["exceptionDetails"], Value::Null, "{script}");
        done["result"]["value"].take()
    }

    /// Waits until that is so in the document.
    pub async fn until(&mut self, condition: &str) {
        let promise = format!(
            "await new Promise(kept => {{
                const look = () => {{ if ({condition}) {{ changes.disconnect(); kept(); }} }};
                const changes = new MutationObserver(look);
                changes.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                look();
            }})"
        );
        self.evaluate(&promise).await;
    }

    /// A picture of it, as PNG.
    pub async fn screenshot(&mut self, file: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({})).await;
        std::fs::write(file, BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// Any other call of DevTools.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.devtools.call(method, params).await
    }

    /// All events of that name that have come by now; others are kept.
    pub fn heard(&mut self, method: &str) -> Vec<Value> {
        self.devtools.heard(method)
    }

    /// The next event of that name; others are kept.
    pub async fn event(&mut self, method: &str) -> Value {
        self.devtools.event(method).await
    }
}

/// A connection to DevTools.
struct Devtools {
    stream: WebSocketStream<TcpStream>,
    last: u64,
    events: VecDeque<Value>,
}

impl Devtools {
    #[expect(clippy::disallowed_methods, reason = "a test's own socket, which is no tenant's")]
    async fn connect(url: &str) -> Self {
        let host = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap();
        let (stream, _) = client_async(url, TcpStream::connect(host).await.unwrap()).await.unwrap();
        Self { stream, last: 0, events: VecDeque::new() }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let call = json!({ "id": self.last, "method": method, "params": params });
        self.stream.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let mut heard = self.hear(method).await;
            if heard["id"] == self.last {
                assert_eq!(heard["error"], Value::Null, "{method}");
                return heard["result"].take();
            }
            self.events.push_back(heard);
        }
    }

    async fn event(&mut self, method: &str) -> Value {
        let known = self.events.iter().position(|event| event["method"] == method);
        if let Some(mut event) = known.and_then(|at| self.events.remove(at)) {
            return event["params"].take();
        }
        loop {
            let mut heard = self.hear(method).await;
            if heard["method"] == method {
                return heard["params"].take();
            }
            self.events.push_back(heard);
        }
    }

    fn heard(&mut self, method: &str) -> Vec<Value> {
        let (heard, others) = self.events.drain(..).partition::<VecDeque<_>, _>(|event| event["method"] == method);
        self.events = others;
        heard.into_iter().map(|mut event| event["params"].take()).collect()
    }

    async fn hear(&mut self, wanted: &str) -> Value {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.unwrap_or_else(|_| panic!("Chromium never says: {wanted}"));
            if let Message::Text(text) = message.expect("Chromium goes on").expect("Chromium goes on") {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}
