//! The stack as it is deployed: `template.yaml`, the packaged binaries, and an emulator that checks signatures and the
//! roles' policies. `cargo xtask lambda` makes the packages.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, which has no other clock")]

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use acceptance::{
    Answer, BODY_SECRET, Bellhop, Client, HEADER_SECRET, MailServer, Providers, Sink, command, commands, eventually, mpush,
    platform,
    stories::{self, Server},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The stack's name, of samconfig.toml.
const STACK: &str = "bellhop";

/// What is deployed: the default, a channel that gets its answer as JSON, one whose name has a `_`, and Mpush's clients.
const CHANNELS: &str = "webhook,custom,email,telegram,aliyunsms,mpush";

/// A cluster, whose records the test hands over itself.
const KAFKA: &str = "KafkaCluster=arn:aws:kafka:us-east-1:000000000000:cluster/probe/0";

const KEY: &str = "bh_admin_0123456789abcdef0123456789abcdef";
/// SHA-256 of its secret, as `bellhop new-key` prints it.
const HASH: &str = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of a virtual environment of the workspace, which `cargo xtask test` makes.
fn tool(environment: &str, name: &str) -> PathBuf {
    let program = root().join(environment).join("bin").join(name);
    assert!(program.exists(), "{} is missing: run `cargo xtask test`", program.display());
    program
}

/// The emulator with the stack on it. It ends when its standard input closes, however this process ends.
struct Stack {
    _emulator: Child,
    home: tempfile::TempDir,
    endpoint: String,
}

impl Stack {
    /// With what leads its functions to providers on this machine: options of `serve`, whose words the parameters have.
    async fn deploy(way_out: &[String]) -> Self {
        let packaged = root().join("target/functions/ingest/bootstrap");
        assert!(packaged.exists(), "{} is missing: run `cargo xtask lambda`", packaged.display());
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = File::create(home.path().join("log")).unwrap();
        let emulator = Command::new(tool(".venv", "python"))
            .arg(root().join("shared/aws/tests/emulators/run.py"))
            .args(["ministack", &port.to_string(), "ahead"])
            .current_dir(home.path())
            .envs([("AUTH", "true"), ("AWS_ENDPOINT_URL", &endpoint)])
            .env("TMPDIR", home.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let stack = Self { _emulator: emulator, home, endpoint };
        let client = Client::new(stack.endpoint.clone(), String::new());
        within(60, "the emulator listens", async || client.try_call("GET", "/_ministack/health", &[], None).await).await;
        stack.sam(&["build"]); // as the README says; `deploy --guided` asks for the same
        let said = |option: &str| {
            let pairs = way_out.windows(2).filter(|pair| pair[0] == option);
            pairs.map(|pair| pair[1].as_str()).collect::<Vec<_>>().join(",")
        };
        let parameters = format!(
            "AdminKeyHash={HASH} AllowPrivate=127.0.0.0/8 Channels={CHANNELS} MpushAccount=main {KAFKA} Resolve={} ExtraCa={}",
            said("--resolve"),
            said("--extra-ca"),
        );
        stack.sam(&["deploy", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", &parameters]);
        stack.ask(&["point", STACK]);
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
        self.run(tool(".venv-deploy", "sam"), arguments);
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let script = root().join("tests/aws/stack.py");
        let python = tool(".venv-deploy", "python");
        self.run(python, &[&[script.to_str().unwrap()], arguments].concat())
    }

    /// A client of the deployed API, and where Mpush clients connect.
    fn server(&self) -> Server {
        let outputs: Value = serde_json::from_str(&self.ask(&["outputs", STACK])).unwrap();
        let url =
            |api: &str, stage: &str| format!("{}/_aws/execute-api/{}/{stage}", self.endpoint, outputs[api].as_str().unwrap());
        let client = Client::new(url("ApiId", "$default"), KEY.to_owned());
        Server { client, sockets: url("SocketApiId", "live").replace("http", "ws") }
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
    let folder = tempfile::tempdir().unwrap();
    let (mail, mut way_out) = platform::mail_server(folder.path());
    let (sms, to_aliyun) = platform::aliyun(folder.path()).await;
    way_out.extend(to_aliyun);
    let stack = Stack::deploy(&way_out).await;
    let server = stack.server();
    let client = server.client.clone();
    let sink = Sink::start().await;
    the_readmes_first_message_arrives(&client, &sink).await;
    for name in ["desk", "gone", "later", "refused"] {
        register(&client, name, &sink).await;
    }
    let due = rules_collect_for_digests(&client).await;
    a_message_arrives_and_its_fate_is_known(&client, &sink).await;
    a_message_goes_once_under_one_idempotency_key(&client, &sink).await;
    another_system_reports_by_a_hook(&client, &sink).await;
    a_digest_is_sent_when_somebody_asks(&client, &sink).await;
    let (repeating, clock) = a_task_begins_to_repeat(&client).await;
    a_task_runs_and_a_cancelled_one_does_not(&client, &sink).await;
    a_task_platforms_day(&client, mail, &sms).await;
    records_of_kafka_become_tasks_and_messages(&stack, &client, &sink).await;
    an_account_comes_from_one_machine(&client, &sink).await;
    a_test_is_sent_by_manage_itself(&client, &sink).await;
    the_console_shows_it(&stack, &client).await;
    a_mail_arrives(&client).await;
    a_channel_that_is_answered_in_json_delivers(&client, &sink).await;
    a_channel_with_an_underscore_has_a_queue_and_a_sender_of_its_own(&client).await;
    a_refused_message_is_tried_again_and_arrives(&client, &sink).await;
    a_dead_address_is_disabled(&client, &sink).await;
    a_parked_retry_comes_back_by_the_tick(&stack, &client, &sink).await;
    what_the_queue_refuses_comes_back_by_the_tick(&stack, &client, &sink).await;
    encoded_characters_arrive_as_on_one_machine(&client, &sink).await;
    a_message_that_nobody_can_read_ends_with_the_dead_letters(&stack, &client).await;
    mpushs_clients_and_scripts_see_what_they_see_on_one_machine(&server).await;
    a_repeating_task_has_run_each_minute_and_no_more_than_it_may(&client, &repeating, &clock).await;
    each_role_may_do_its_work_and_no_more(&stack);
    the_deployed_schedule_has_a_digest_sent(&client, &sink, due).await;
}

async fn the_readmes_first_message_arrives(client: &Client, sink: &Sink) {
    for (page, heading) in [("README.md", "Deploy it to AWS"), ("README.zh-CN.md", "部署到 AWS")] {
        let block = &commands(page, heading)[1];
        assert!(block.contains("https://example.com/hook"), "{page}: {block}");
        let block = block.replace("https://example.com/hook", &sink.url);
        let before = sink.arrivals().len();
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &block])
            .env("URL", &client.url)
            .env("KEY", &client.key)
            .env("NO_PROXY", "127.0.0.1");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(sink.until(before + 1).await.last().unwrap().json()["message"].as_str().unwrap().contains("42"));
    }
}

async fn a_message_arrives_and_its_fate_is_known(client: &Client, sink: &Sink) {
    let delivery = send(client, "desk").await;
    let found = client.until(&delivery, &["delivered"]).await;
    assert_eq!(found["attempts"][0]["status"], 204);
    assert_eq!(sink.arrivals().last().unwrap().json()["message"], BODY_SECRET);
}

async fn a_message_goes_once_under_one_idempotency_key(client: &Client, sink: &Sink) {
    let body = json!({ "to": "desk", "title": "once" }).to_string();
    let before = sink.arrivals().len();
    let key = [("idempotency-key", "k1")];
    let first = client.try_call("POST", "/v1/messages", &key, Some(body.clone())).await.unwrap();
    let again = client.try_call("POST", "/v1/messages", &key, Some(body)).await.unwrap();
    assert_eq!((first.0, again.0, &first.1["event"]), (202, 202, &again.1["event"]));
    assert!(first.1["event"].is_string());
    let delivery = first.1["deliveries"][0]["id"].as_str().unwrap();
    assert_eq!(outcomes(&client.until(delivery, &["delivered"]).await), ["delivered"]);
    assert_eq!(sink.arrivals().len(), before + 1);
}

async fn another_system_reports_by_a_hook(client: &Client, sink: &Sink) {
    let (status, made) = client.call("POST", "/v1/hooks", Some(json!({ "name": "qd", "kind": "qd" }))).await;
    assert_eq!(status, 201, "{made}");
    let (_, token) = made["url"].as_str().unwrap().rsplit_once("/in/").unwrap();
    let stranger = Client::new(client.url.clone(), String::new());
    client.put("/v1/rules/qd", json!({ "match": { "sources": ["QD/*"] }, "to": ["desk"] })).await;
    let before = sink.arrivals().len();
    let body = json!({ "t": "QD定时任务 Example-main 成功", "log": "ok" });
    assert_eq!(stranger.call("POST", &format!("/in/{token}"), Some(body)).await.0, 200);
    assert_eq!(sink.until(before + 1).await.last().unwrap().json()["source"], "QD/Example/main");
    assert_eq!(client.call("DELETE", "/v1/rules/qd", None).await.0, 204);
}

/// One rule whose digest nobody waits for, and one whose digest is due beyond what is looked ahead, so that it is the
/// schedule's tick that finds it. Saved before functions remember which rules there are.
async fn rules_collect_for_digests(client: &Client) -> Timestamp {
    let due = Timestamp::try_from(SystemTime::now()).unwrap() + SignedDuration::from_mins(6) + SignedDuration::from_secs(30);
    let due = due.round(jiff::Unit::Second).unwrap();
    for (name, at) in [("asked-for", "00:00:00".to_owned()), ("scheduled", due.strftime("%H:%M:%S").to_string())] {
        let batch = json!({ "at": at, "every_seconds": 604_800 });
        let rule = json!({ "match": { "sources": [format!("stack/{name}")] }, "to": ["desk"], "batch": batch });
        client.put(&format!("/v1/rules/{name}"), rule).await;
    }
    due
}

async fn collected(client: &Client, rule: &str) -> Value {
    let event = json!({ "source": format!("stack/{rule}"), "result": "success", "message": format!("for {rule}") });
    let (status, answer) = client.call("POST", "/v1/events", Some(event)).await;
    assert_eq!((status, &answer["collected"][0]["rule"], &answer["deliveries"]), (202, &json!(rule), &json!([])), "{answer}");
    answer["collected"][0]["due_at"].clone()
}

async fn a_digest_is_sent_when_somebody_asks(client: &Client, sink: &Sink) {
    let event = json!({ "source": "stack/scheduled", "result": "failure", "message": "if it were" });
    let (status, told) = client.call("POST", "/v1/rules/explain", Some(json!({ "event": event }))).await;
    assert_eq!((status, &told["collected"][0]["rule"]), (200, &json!("scheduled")), "{told}");
    collected(client, "scheduled").await;
    collected(client, "asked-for").await;
    let before = sink.arrivals().len();
    assert_eq!(client.call("POST", "/v1/rules/asked-for/flush", None).await.0, 202);
    let digest = sink.until(before + 1).await.last().unwrap().json();
    assert!(digest["message"].as_str().unwrap().contains("for asked-for"), "{digest}");
}

/// One that `manage` tells `batch` of at once; another is due beyond that, and never comes.
async fn a_task_runs_and_a_cancelled_one_does_not(client: &Client, sink: &Sink) {
    let before = sink.arrivals().len();
    let task = json!({ "name": "now", "to": "desk", "body": "by the clock", "schedule": { "kind": "now" } });
    let (status, made) = client.call("POST", "/v1/tasks", Some(task)).await;
    assert_eq!((status, &made["channels"]), (201, &json!(["webhook"])), "{made}");
    let id = made["id"].as_str().unwrap();
    let arrived = sink.until(before + 1).await.last().unwrap().json();
    assert_eq!(arrived["message"], "by the clock");
    let run = eventually("the run is over", async || {
        let runs = client.get(&format!("/v1/tasks/{id}/runs")).await;
        (runs["items"][0]["state"] == "succeeded").then(|| runs["items"][0].clone())
    })
    .await;
    assert_eq!(outcomes(&run["deliveries"][0]), ["delivered"]);
    let shown = client.get(&format!("/v1/tasks/{id}")).await;
    assert_eq!((&shown["state"], &shown["runs"], &shown["next_run"]), (&json!("succeeded"), &json!(1), &Value::Null));

    let later = json!({ "name": "later", "to": "desk", "body": "never", "schedule": { "kind": "hourly", "minute": 45 } });
    let (_, later) = client.call("POST", "/v1/tasks", Some(later)).await;
    let path = format!("/v1/tasks/{}", later["id"].as_str().unwrap());
    let moved = json!({ "schedule": { "kind": "daily", "time": "04:00:00" } });
    let (status, moved) = client.call("PATCH", &path, Some(moved)).await;
    assert!(status == 200 && moved["next_run"].as_str().unwrap().ends_with("T04:00:00Z"), "{moved}");
    assert_eq!(client.call("POST", &format!("{path}/cancel"), None).await.1["state"], "cancelled");
    assert_eq!(client.get("/v1/tasks?state=cancelled").await["items"][0]["id"], later["id"]);
    assert_eq!(client.call("DELETE", &path, None).await.0, 204);
}

/// Every minute, three times: the first run `manage` announces itself, the next ones the tick, or the run before.
async fn a_task_begins_to_repeat(client: &Client) -> (Value, Sink) {
    let clock = Sink::start().await;
    register(client, "clock", &clock).await;
    let schedule = json!({ "kind": "cron", "cron": "* * * * *" });
    let task = json!({ "name": "tick", "source": "clock", "to": "clock", "body": "tick", "schedule": schedule, "max_runs": 3 });
    (platform::make(client, task).await, clock)
}

async fn a_repeating_task_has_run_each_minute_and_no_more_than_it_may(client: &Client, task: &Value, clock: &Sink) {
    let path = platform::path(task);
    let over = within(240, "it has run three times", async || {
        let found = client.get(&path).await;
        (found["state"] == "succeeded").then_some(found)
    })
    .await;
    assert_eq!((&over["runs"], &over["next_run"]), (&json!(3), &Value::Null));
    let runs = client.get(&format!("{path}/runs")).await["items"].as_array().unwrap().clone();
    let times: Vec<Timestamp> = runs.iter().rev().map(|run| run["at"].as_str().unwrap().parse().unwrap()).collect();
    let minute = SignedDuration::from_mins(1);
    assert_eq!(times, [times[0], times[0] + minute, times[0] + minute + minute]);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:?}");
    assert_eq!(clock.arrivals().len(), 3);
}

async fn a_task_platforms_day(client: &Client, mut mail: MailServer, sms: &Providers) {
    platform::configure(client).await;
    platform::a_day(client, &mut mail, sms).await;
    assert_eq!(sms.strays(), [] as [&str; 0]);
}

async fn records_of_kafka_become_tasks_and_messages(stack: &Stack, client: &Client, sink: &Sink) {
    let (mut server, address) = MailServer::start(&json!({}));
    let (host, port) = address.split_once(':').unwrap();
    let params = json!({ "host": host, "port": port, "tls": "none", "from": "bot@example.com" });
    client.put("/v1/registrations/letters", json!({ "channel": "email", "params": params })).await;
    let body = json!({
        "operateUser": "li", "name": "letter", "title": "Hello", "content": "**bold**", "to": "a@example.org",
        "taskType": 1, "taskConfig": "letters", "executeType": 1, "isDelay": 0,
    });
    let envelope = json!({ "messageId": "1", "messageType": "task.push.info", "topicName": "task.push.info", "body": body });
    let records = [envelope.to_string(), "no JSON".to_owned(), json!({ "to": "desk", "body": "by Kafka" }).to_string()];
    let consume: Vec<_> = ["consume", STACK].into_iter().chain(records.iter().map(String::as_str)).collect();

    let before = sink.arrivals().len();
    for _ in 0..2 {
        let answered: Value = serde_json::from_str(&stack.ask(&consume)).unwrap();
        assert_eq!(answered, json!({ "batchItemFailures": [] }), "each is dealt with, the second time as the first");
    }
    assert_eq!(sink.until(before + 1).await.last().unwrap().json()["message"], "by Kafka");
    assert!(server.told()["message"].as_str().unwrap().contains("<strong>bold</strong>"), "markdown is rendered");
    let task = eventually("the task has succeeded", async || {
        let tasks = client.get("/v1/tasks?channel=email&source=default").await;
        let tasks = tasks["items"].as_array().unwrap().clone();
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        (tasks[0]["state"] == "succeeded").then(|| tasks[0].clone())
    })
    .await;
    assert_eq!((&task["name"], &task["runs"]), (&json!("letter"), &json!(1)));
    assert_eq!(sink.arrivals().len(), before + 1);
    for _ in 0..2 {
        let letter: Value = serde_json::from_str(&stack.ask(&["buried", STACK])).unwrap();
        assert_eq!((&letter["offset"], &letter["code"]), (&json!(1), &json!("malformed_json")), "{letter}");
    }
}

async fn the_deployed_schedule_has_a_digest_sent(client: &Client, sink: &Sink, due: Timestamp) {
    assert_eq!(collected(client, "scheduled").await, json!(due.to_string()));
    let before = sink.arrivals().len();
    let left = due.duration_since(Timestamp::try_from(SystemTime::now()).unwrap());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    let digest = sink.until(before + 1).await.last().unwrap().json();
    assert_eq!((&digest["data"]["events"], &digest["data"]["because"]), (&json!(2), &json!("due")), "{digest}");
}

/// Who outgrows one machine takes the account along, secrets and all.
async fn an_account_comes_from_one_machine(client: &Client, sink: &Sink) {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("account.json"));
    let machine = Bellhop::start(&data);
    let headers = json!({ "X-Secret": HEADER_SECRET });
    let moved = json!({ "channel": "webhook", "params": { "url": sink.url, "headers": headers }, "groups": ["movers"] });
    machine.client.put("/v1/registrations/moved", moved).await;
    machine.client.put("/v1/contacts/alice", json!({ "email": "a@example.org" })).await;
    machine.client.put("/v1/rules/moved", json!({ "match": { "sources": ["moved/*"] }, "to": ["group:movers"] })).await;
    for (verb, server) in [("export", &machine.client), ("import", client)] {
        let mut command = command([verb, file.to_str().unwrap(), "--url", &server.url, "--key", &server.key]);
        let output = command.env("BELLHOP_PASSPHRASE", "correct horse battery").output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    machine.stop();
    assert_eq!(client.get("/v1/rules/moved").await["to"], json!(["group:movers"]));
    assert_eq!(client.get("/v1/contacts/alice").await["email"], "a@example.org");
    client.until(&send(client, "group:movers").await, &["delivered"]).await;
    assert_eq!(sink.arrivals().last().unwrap().header("x-secret"), HEADER_SECRET);
}

/// By its own role: it unseals what is stored, takes a slot, and keeps the provider's pace.
async fn a_test_is_sent_by_manage_itself(client: &Client, sink: &Sink) {
    let before = sink.arrivals().len();
    let (status, tested) = client.call("POST", "/v1/registrations/desk/test", None).await;
    assert_eq!((status, &tested["delivered"], &tested["status"]), (200, &json!(true), &json!(204)), "{tested}");
    assert_eq!(sink.until(before + 1).await.last().unwrap().path, "/desk");

    let params = json!({ "bot_token": "123456789:stack", "chat_id": "1", "base_url": sink.url });
    sink.answer([Answer::status(401).body(r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#)]);
    let typed = json!({ "channel": "telegram", "params": params });
    let (status, refused) = client.call("POST", "/v1/registrations/test", Some(typed)).await;
    assert_eq!((status, &refused["reason"]), (200, &json!("unauthorized")), "{refused}");
    assert!(!refused.to_string().contains("123456789:stack"), "{refused}");
}

async fn the_console_shows_it(stack: &Stack, client: &Client) {
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let header = |answer: &reqwest::Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let front = browser.get(format!("{}/", client.url)).send().await.unwrap();
    assert_eq!((front.status().as_u16(), header(&front, "location").as_str()), (303, "/console"));

    let form = "application/x-www-form-urlencoded";
    let sign_in = browser.post(format!("{}/console/sign-in", client.url)).header("content-type", form);
    let signed_in = sign_in.body(format!("key={KEY}")).send().await.unwrap();
    assert_eq!(signed_in.status().as_u16(), 303, "{}", signed_in.text().await.unwrap());
    let cookie = header(&signed_in, "set-cookie").split(';').next().unwrap().to_owned();
    let page = async |path: &str| {
        let shown = browser.get(format!("{}{path}", client.url)).header("cookie", &cookie).send().await.unwrap();
        let (status, text) = (shown.status().as_u16(), shown.text().await.unwrap());
        assert!(status == 200 && text.contains("<main"), "{path}: {status} {text}");
        text
    };
    for path in ["", "/registrations", "/messages"] {
        stack.ask(&["cool", STACK, "Manage"]);
        page(&format!("/console{path}")).await;
    }
    let pages = [
        "",
        "/registrations/desk",
        "/registrations/desk/edit",
        "/new-registration?channel=email",
        "/rules",
        "/new-rule",
        "/explain",
        "/sources",
        "/messages",
        "/deliveries",
        "/dead-letters",
        "/send",
        "/new-task",
        "/contacts",
        "/new-contact",
        "/hooks",
        "/keys",
        "/account",
        "/audit",
        "/browser",
    ];
    for path in pages {
        page(&format!("/console{path}")).await;
    }
    let hidden = page("/console/new-task").await;
    let token = hidden.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let asked = format!("form_token={token}&schedule.kind=hourly&schedule.minute=45&preview=on");
    let posted = browser.post(format!("{}/console/new-task", client.url)).header("content-type", form).header("cookie", &cookie);
    let shown = posted.header("sec-fetch-site", "same-origin").body(asked).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("id=\"next-runs\"") && shown.contains(":45:00Z"), "{shown}");
    assert!(page("/console/registrations").await.contains("desk"));
    assert!(page("/console/tasks").await.contains("letter"));
}

async fn a_mail_arrives(client: &Client) {
    let (mut server, address) = MailServer::start(&json!({}));
    let (host, port) = address.split_once(':').unwrap();
    let params = json!({ "host": host, "port": port, "tls": "none", "from": "bot@example.com", "to": "a@example.org" });
    client.put("/v1/registrations/mail", json!({ "channel": "email", "params": params })).await;
    let delivery = send(client, "mail").await;
    client.until(&delivery, &["delivered"]).await;
    assert!(server.told()["message"].as_str().unwrap().contains(BODY_SECRET));
}

async fn a_channel_that_is_answered_in_json_delivers(client: &Client, sink: &Sink) {
    let params = json!({ "bot_token": "123456789:stack", "chat_id": "1", "base_url": sink.url });
    client.put("/v1/registrations/chat", json!({ "channel": "telegram", "params": params })).await;
    sink.answer([Answer::status(200).body(r#"{"ok":true,"result":{"message_id":1}}"#)]);
    let delivery = send(client, "chat").await;
    client.until(&delivery, &["delivered"]).await;
    let arrival = sink.arrivals().pop().unwrap();
    assert_eq!(arrival.path, "/bot123456789:stack/sendMessage");
    assert_eq!(arrival.json()["text"], format!("hello\n\n{BODY_SECRET}"));
}

/// Its provider's host is not to be reached from here, so what ends the message is that it has no phone number: which
/// its sender sees once it has the message, the registration and its secrets.
async fn a_channel_with_an_underscore_has_a_queue_and_a_sender_of_its_own(client: &Client) {
    let params = json!({ "access_key_id": "LTAI1", "access_key_secret": "stack", "sign_name": "n", "template_code": "SMS_1" });
    client.put("/v1/registrations/sms", json!({ "channel": "aliyun_sms", "params": params })).await;
    let failed = client.until(&send(client, "sms").await, &["failed"]).await;
    assert_eq!((outcomes(&failed), &failed["reason"]), (vec!["failed"], &json!("invalid_params")));
    assert!(failed["attempts"][0]["detail"].as_str().unwrap().contains("number"), "{failed}");
}

async fn mpushs_clients_and_scripts_see_what_they_see_on_one_machine(server: &Server) {
    let mpush = json!({ "token": "t0ken", "wait_timeout_ms": 10_000, "retry_timeout_ms": 2_000 });
    server.client.put("/v1/account", json!({ "mpush": mpush })).await;
    within(40, "every function knows the token", async || {
        (mpush::get(&server.client, "/nobody.send").await.0 == 200).then_some(())
    })
    .await;
    stories::a_script_sends_by_name_and_by_group_and_hears_what_became_of_it(server).await;
    stories::packets_come_by_post_and_are_refused_in_mpushs_words(server).await;
    stories::a_connection_says_who_it_is_before_anything_else(server).await;
    stories::clients_send_to_each_other_and_to_groups(server).await;
    stories::the_next_message_comes_when_the_one_before_is_acknowledged_and_that_one_comes_again_until_then(server).await;
    stories::what_waits_for_a_client_comes_in_order_after_its_welcome(server).await;
    stories::of_two_connections_under_one_name_the_later_gets_what_waits_and_the_earlier_is_closed(server).await;
    stories::an_acknowledgement_by_request_lets_the_next_message_go(server).await;
    stories::any_message_reaches_a_client_and_an_mpush_call_reaches_any_registration(server).await;
}

fn outcomes(delivery: &Value) -> Vec<&str> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

async fn a_refused_message_is_tried_again_and_arrives(client: &Client, sink: &Sink) {
    sink.answer([Answer::status(503)]);
    let delivery = send(client, "desk").await;
    assert_eq!(outcomes(&client.until(&delivery, &["delivered"]).await), ["retry", "delivered"]);
}

async fn a_dead_address_is_disabled(client: &Client, sink: &Sink) {
    sink.answer([Answer::status(410)]);
    let delivery = send(client, "gone").await;
    assert_eq!(client.until(&delivery, &["failed"]).await["reason"], "gone");
    eventually("it is disabled", async || {
        let found = client.get("/v1/registrations/gone").await;
        (found["disabled"]["reason"] == "gone").then_some(())
    })
    .await;
    // whoever saves it again is heard at once, whatever a sender remembers
    register(client, "gone", sink).await;
    let delivery = send(client, "gone").await;
    client.until(&delivery, &["delivered"]).await;
}

/// The provider asks for more than SQS delays, so the retry is parked; the table is told that the time has come.
async fn a_parked_retry_comes_back_by_the_tick(stack: &Stack, client: &Client, sink: &Sink) {
    sink.answer([Answer::status(503).header("retry-after", "3600")]);
    let delivery = send(client, "later").await;
    assert_eq!(outcomes(&client.until(&delivery, &["retrying"]).await), ["retry"]);
    assert_eq!(
        within(30, "it is parked", async || Some(stack.ask(&["hurry", STACK])).filter(|moved| moved != "0\n")).await,
        "1\n"
    );
    let found = within(150, "the tick brings it", async || delivered(client, &delivery).await).await;
    assert_eq!(outcomes(&found), ["retry", "delivered"]);
}

async fn what_the_queue_refuses_comes_back_by_the_tick(stack: &Stack, client: &Client, sink: &Sink) {
    stack.ask(&["refuse", STACK, "IngestRole"]);
    let before = sink.arrivals().len();
    let delivery = send(client, "refused").await;
    assert_eq!(client.get(&format!("/v1/deliveries/{delivery}")).await["state"], "queued");
    stack.ask(&["relent", STACK, "IngestRole"]);
    within(150, "the tick brings it", async || delivered(client, &delivery).await).await;
    assert_eq!(sink.arrivals().len(), before + 1);
}

async fn delivered(client: &Client, delivery: &str) -> Option<Value> {
    let found = client.get(&format!("/v1/deliveries/{delivery}")).await;
    (found["state"] == "delivered").then_some(found)
}

async fn encoded_characters_arrive_as_on_one_machine(client: &Client, sink: &Sink) {
    let encoded = "%E5%80%BC%E7%8F%AD"; // 值班
    let body = json!({ "channel": "custom", "params": { "url": format!("{}/%E5%80%BC?a=%26", sink.url) } });
    client.put(&format!("/v1/registrations/{encoded}"), body).await;
    assert_eq!(client.get(&format!("/v1/registrations/{encoded}")).await["name"], "值班");
    let delivery = send(client, "值班").await;
    client.until(&delivery, &["delivered"]).await;
    assert_eq!(sink.arrivals().last().unwrap().path, "/%E5%80%BC?a=%26");
    let (status, answer) = client.call("GET", "/v1/registrations/a%20b", None).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalid_name")));
    for path in ["/v1/registrations/desk%23x", "/v1/registrations/desk%3Fx", "/v1/registrations/desk%2Fx"] {
        let (status, _) = client.call("DELETE", path, None).await;
        assert!(matches!(status, 404 | 422), "{path}: {status}");
    }
    assert_eq!(client.get("/v1/registrations/desk").await["name"], "desk");
    let listed = client.get("/v1/deliveries?limit=1&state=%66ailed").await;
    assert_eq!(listed["items"][0]["registration"], "gone");
}

async fn a_message_that_nobody_can_read_ends_with_the_dead_letters(stack: &Stack, client: &Client) {
    stack.ask(&["poison", &format!("{STACK}_q_custom")]);
    let counted = within(120, "it is a dead letter", async || {
        let counted = client.get("/v1/dead-letters").await;
        (!counted["items"].as_array()?.is_empty()).then_some(counted)
    });
    assert_eq!(counted.await["items"][0]["channel"], "custom");
}

fn each_role_may_do_its_work_and_no_more(stack: &Stack) {
    let probes: Vec<Value> = serde_json::from_str(&stack.ask(&["probe", STACK])).unwrap();
    let is_denied = |probe: &Value| ["AccessDenied", "AccessDeniedException"].map(Value::from).contains(&probe["came"]);
    let wrong: Vec<_> = probes.iter().filter(|probe| probe["may"] == is_denied(probe)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let broken = |probe: &&Value| probe["may"] == true && probe["came"] != "done";
    assert_eq!(probes.iter().filter(broken).collect::<Vec<_>>(), [] as [&Value; 0], "what is allowed has to work, too");
    assert!(probes.len() > 50, "{}", probes.len());
}
