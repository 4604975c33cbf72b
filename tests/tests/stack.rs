//! The stack as it is deployed: `template.yaml`, the packaged binaries, and an emulator that checks signatures and the
//! roles' policies. `cargo xtask lambda` makes the packages.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use acceptance::{Answer, BODY_SECRET, Client, Sink};
use serde_json::{Value, json};

const KEY: &str = "bh_admin_0123456789abcdef0123456789abcdef";
/// SHA-256 of its secret, as `bellhop new-key` prints it.
const HASH: &str = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of a virtual environment: of that which the variable names, or else of the workspace's own.
#[expect(clippy::disallowed_methods, reason = "where a developer keeps tools is no option of the product")]
fn tool(variable: &str, otherwise: &str, name: &str) -> PathBuf {
    let environment = env::var(variable).map_or_else(|_| root().join(otherwise), PathBuf::from);
    let program = environment.join("bin").join(name);
    assert!(program.exists(), "{} is missing: run `cargo xtask test`, or set {variable}", program.display());
    program
}

/// The emulator with the stack on it.
struct Stack {
    emulator: Child,
    home: tempfile::TempDir,
    endpoint: String,
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

impl Stack {
    async fn deploy() -> Self {
        let packaged = root().join("target/functions/ingest/bootstrap");
        assert!(packaged.exists(), "{} is missing: run `cargo xtask lambda`", packaged.display());
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let emulator = Command::new(tool("BELLHOP_EMULATOR_VENV", ".venv", "ministack"))
            .current_dir(home.path())
            .envs([("AUTH", "true"), ("MINISTACK_HOST", "127.0.0.1"), ("AWS_ENDPOINT_URL", &endpoint)])
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stack = Self { emulator, home, endpoint };
        let client = Client::new(stack.endpoint.clone(), String::new());
        within(60, "the emulator listens", async || client.try_call("GET", "/_ministack/health", &[], None).await).await;
        let build = stack.home.path().join("build");
        stack.sam(&["build", "--build-dir", build.to_str().unwrap()]);
        let template = build.join("template.yaml");
        let parameters = format!("AdminKeyHash={HASH} AllowPrivate=127.0.0.0/8");
        let deploy = ["deploy", "--no-confirm-changeset", "--no-progressbar", "--template-file", template.to_str().unwrap()];
        stack.sam(&[&deploy[..], &["--parameter-overrides", &parameters]].concat());
        stack
    }

    fn run(&self, program: PathBuf, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(root())
            .env("HOME", self.home.path())
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", "us-east-1")])
            .envs([("SAM_CLI_TELEMETRY", "0"), ("NO_PROXY", "127.0.0.1")])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn sam(&self, arguments: &[&str]) {
        self.run(tool("BELLHOP_SAM_VENV", ".venv-sam", "sam"), arguments);
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let script = root().join("tests/aws/stack.py");
        let python = tool("BELLHOP_SAM_VENV", ".venv-sam", "python");
        self.run(python, &[&[script.to_str().unwrap()], arguments].concat())
    }

    /// A client of the deployed API.
    fn client(&self) -> Client {
        let outputs: Value = serde_json::from_str(&self.ask(&["outputs", "bellhop"])).unwrap();
        let api = outputs["ApiId"].as_str().unwrap();
        Client::new(format!("{}/_aws/execute-api/{api}/$default", self.endpoint), KEY.to_owned())
    }
}

/// Asks again until the answer is there.
async fn within<T>(seconds: u64, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < limit, "after {seconds} s still not: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn register(client: &Client, name: &str, sink: &Sink) {
    let body = json!({ "channel": "webhook", "params": { "url": format!("{}/{name}", sink.url) } });
    client.put(&format!("/v1/registrations/{name}"), body).await;
}

async fn send(client: &Client, to: &str) -> String {
    client.send(json!({ "to": to, "title": "hello", "body": BODY_SECRET })).await.remove(0)
}

/// One deployment serves all of these: it takes longer than they do.
#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_stack_does_what_one_machine_does() {
    let stack = Stack::deploy().await;
    let client = stack.client();
    let sink = Sink::start().await;
    a_parked_wake_up_comes_back_by_the_tick(&stack, &client, &sink).await;
    a_message_arrives_and_its_fate_is_known(&client, &sink).await;
    a_refused_message_is_tried_again_and_arrives(&client, &sink).await;
    a_dead_address_is_disabled(&client, &sink).await;
    encoded_characters_arrive_as_on_one_machine(&client, &sink).await;
    a_message_that_nobody_can_read_ends_with_the_dead_letters(&stack, &client).await;
}

/// Before the grant the emulator refuses the queue's batch calls, so `ingest` parks what it has accepted.
async fn a_parked_wake_up_comes_back_by_the_tick(stack: &Stack, client: &Client, sink: &Sink) {
    register(client, "parked", sink).await;
    let delivery = send(client, "parked").await;
    assert_eq!(client.get(&format!("/v1/deliveries/{delivery}")).await["state"], "queued");
    stack.ask(&["grant", "bellhop"]);
    within(150, "the tick brings it", async || sink.arrivals().first().cloned()).await;
    client.until(&delivery, &["delivered"]).await;
}

async fn a_message_arrives_and_its_fate_is_known(client: &Client, sink: &Sink) {
    register(client, "desk", sink).await;
    let delivery = send(client, "desk").await;
    let found = client.until(&delivery, &["delivered"]).await;
    assert_eq!(found["attempts"][0]["status"], 204);
    assert_eq!(sink.arrivals().last().unwrap().json()["message"], BODY_SECRET);
}

async fn a_refused_message_is_tried_again_and_arrives(client: &Client, sink: &Sink) {
    sink.answer([Answer::status(503)]);
    let delivery = send(client, "desk").await;
    let found = client.until(&delivery, &["delivered"]).await;
    let outcomes: Vec<_> = found["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["retry", "delivered"]);
}

async fn a_dead_address_is_disabled(client: &Client, sink: &Sink) {
    register(client, "gone", sink).await;
    sink.answer([Answer::status(410)]);
    let delivery = send(client, "gone").await;
    assert_eq!(client.until(&delivery, &["failed"]).await["reason"], "gone");
    assert_eq!(client.get("/v1/registrations/gone").await["disabled"]["reason"], "gone");
}

async fn encoded_characters_arrive_as_on_one_machine(client: &Client, sink: &Sink) {
    let encoded = "%E5%80%BC%E7%8F%AD"; // 值班
    let body = json!({ "channel": "webhook", "params": { "url": sink.url } });
    client.put(&format!("/v1/registrations/{encoded}"), body).await;
    assert_eq!(client.get(&format!("/v1/registrations/{encoded}")).await["name"], "值班");
    let (status, answer) = client.call("GET", "/v1/registrations/a%20b", None).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalid_name")));
    let listed = client.get("/v1/deliveries?limit=1&state=%66ailed").await;
    assert_eq!(listed["items"][0]["registration"], "gone");
}

async fn a_message_that_nobody_can_read_ends_with_the_dead_letters(stack: &Stack, client: &Client) {
    stack.ask(&["poison", "bellhop-custom"]);
    let counted = within(120, "it is a dead letter", async || {
        let counted = client.get("/v1/dead-letters").await;
        (!counted["items"].as_array()?.is_empty()).then_some(counted)
    });
    assert_eq!(counted.await["items"][0]["channel"], "custom");
}
