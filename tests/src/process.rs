//! The binary as a process, and a client of its API.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::PLANTED;

/// The binary, next to this test's own executable's folder. nextest builds it before (`.config/nextest.toml`).
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().find(|dir| dir.file_name() == Some(OsStr::new("deps"))).and_then(Path::parent).unwrap();
    let binary = profile.join("bellhop");
    assert!(binary.exists(), "{} is missing: run `cargo build` first", binary.display());
    binary
}

/// The binary with these arguments and nothing from the environment that could change its mind.
pub fn command<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("BELLHOP_ADMIN_KEY").env_remove("BELLHOP_KEY").env_remove("BELLHOP_URL");
    command
}

/// A running `bellhop serve`. Its output is searched for planted secrets when it ends, however it ends.
pub struct Bellhop {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pub client: Client,
}

impl Bellhop {
    /// Starts on a free port, allowed to send to this machine, and waits until it listens.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--allow-private", "127.0.0.0/8"])
    }

    /// Starts with webhooks that lead to the sink, each under its own name.
    pub async fn start_with_webhooks(data: &Path, sink: &crate::Sink, names: &[&str]) -> Self {
        let bellhop = Self::start(data);
        for name in names {
            let params = json!({ "url": format!("{}/{name}", sink.url) });
            let registration = json!({ "channel": "webhook", "params": params });
            bellhop.client.put(&format!("/v1/registrations/{name}"), registration).await;
        }
        bellhop
    }

    /// Starts on a free port with these options.
    pub fn start_with(data: &Path, options: &[&str]) -> Self {
        Self::start_command(data, options, |_| {})
    }

    /// Starts on a free port with these options, after a last look at the command.
    pub fn start_command(data: &Path, options: &[&str], adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(data).args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        adjust(&mut command);
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let mut readers = vec![collect(child.stdout.take().unwrap(), Arc::clone(&output))];
        readers.extend(child.stderr.take().map(|stderr| collect(stderr, Arc::clone(&output))));
        let limit = Instant::now() + Duration::from_secs(30);
        let url = loop {
            let heard = output.lock().unwrap().clone();
            if let Some(url) = listening(&heard).next() {
                break url.to_owned();
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("bellhop ended with {status} instead of listening:\n{heard}");
            }
            assert!(Instant::now() < limit, "bellhop does not listen:\n{heard}");
            std::thread::sleep(Duration::from_millis(5));
        };
        let key = std::fs::read_to_string(data.join("admin-key")).unwrap().trim().to_owned();
        Self { child, output, readers, client: Client::new(url, key) }
    }

    /// Where it has said that it listens.
    pub fn addresses(&self) -> Vec<String> {
        listening(&self.output.lock().unwrap()).map(str::to_owned).collect()
    }

    /// What it has printed by now.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`: no chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.end();
    }

    /// SIGTERM, and waits for the end. Answers with everything that was printed.
    pub fn stop(mut self) -> String {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let limit = Instant::now() + Duration::from_mins(1);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < limit, "bellhop does not stop:\n{}", self.output.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        };
        let output = self.end();
        assert!(status.success(), "bellhop ended with {status}:\n{output}");
        output
    }

    fn end(&mut self) -> String {
        self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let output = self.output.lock().unwrap().clone();
        let secret = self.client.key.rsplit('_').next().unwrap();
        let printed_once = output.replace(&format!("first start: your key is {}", self.client.key), "");
        assert_eq!(find_planted(&printed_once, &[&PLANTED[..], &[secret]].concat()), None);
        output
    }
}

impl Drop for Bellhop {
    fn drop(&mut self) {
        // Ended before, or killed here: both are an end.
        drop(self.child.kill());
        if !self.readers.is_empty() && !std::thread::panicking() {
            self.end();
        }
    }
}

fn listening(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter_map(|line| line.strip_prefix("bellhop listens on "))
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}

/// The first line of `output` that holds one of `secrets`.
pub fn find_planted<'a>(output: &'a str, secrets: &[&str]) -> Option<&'a str> {
    output.lines().find(|line| secrets.iter().any(|secret| line.contains(secret)))
}

/// A client of the API: answers with status and JSON.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
    pub key: String,
}

impl Client {
    pub fn new(url: String, key: String) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's own client")]
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url, key }
    }

    /// One request; `None` if no answer came.
    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Option<(u16, Value)> {
        let answer = self.respond(method, path, headers, body).await?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// One request, and its whole answer.
    pub async fn respond(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Option<reqwest::Response> {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.ok()
    }

    /// The same client with another key; an empty one is none.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.try_call(method, path, &[], body.map(|body| body.to_string())).await.expect("bellhop answers")
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn put(&self, path: &str, body: Value) {
        let (status, answer) = self.call("PUT", path, Some(body)).await;
        assert!((200..300).contains(&status), "{status} {answer}");
    }

    /// Reports an event, and answers with what will come of it.
    pub async fn report(&self, event: Value) -> Value {
        let (status, answer) = self.call("POST", "/v1/events", Some(event)).await;
        assert_eq!(status, 202, "{answer}");
        answer
    }

    /// Posts a message and answers with its deliveries' ids.
    pub async fn send(&self, body: Value) -> Vec<String> {
        let (status, answer) = self.call("POST", "/v1/messages", Some(body)).await;
        assert_eq!(status, 202, "{answer}");
        let deliveries = answer["deliveries"].as_array().unwrap();
        deliveries.iter().map(|delivery| delivery["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a delivery is in one of these states.
    pub async fn until(&self, delivery: &str, states: &[&str]) -> Value {
        crate::eventually(&format!("{delivery} is {states:?}"), async || {
            let found = self.get(&format!("/v1/deliveries/{delivery}")).await;
            states.contains(&found["state"].as_str().unwrap()).then_some(found)
        })
        .await
    }
}
