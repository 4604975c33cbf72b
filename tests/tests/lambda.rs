//! The real Lambda binaries against a Runtime API of our own, with events in the form in which AWS documents them. AWS
//! itself is out of reach here: what the functions do with it is shown by the test of the deployed stack.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{Path as Captured, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use bellhop_lambda::env;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

/// Hands out events, and collects what comes back.
struct Runtime {
    address: String,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<(String, Value)>,
}

struct Desk {
    events: Mutex<mpsc::Receiver<Value>>,
    answers: mpsc::Sender<(String, Value)>,
}

impl Runtime {
    async fn start() -> Self {
        let (events, to_come) = mpsc::channel(8);
        let (answered, answers) = mpsc::channel(8);
        let desk = std::sync::Arc::new(Desk { events: Mutex::new(to_come), answers: answered });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{what}", post(answer))
            .with_state(desk);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, events, answers }
    }

    /// What the function says to one event: `response` or `error`, and the body.
    async fn invoke(&mut self, event: Value) -> (String, Value) {
        self.events.send(event).await.unwrap();
        tokio::time::timeout(Duration::from_mins(1), self.answers.recv()).await.unwrap().unwrap()
    }
}

async fn next(State(desk): State<std::sync::Arc<Desk>>) -> impl IntoResponse {
    let Some(event) = desk.events.lock().await.recv().await else { return StatusCode::GONE.into_response() };
    #[expect(clippy::disallowed_methods, reason = "the test's own clock")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let deadline = (now + Duration::from_mins(1)).as_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", deadline.as_str()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bellhop"),
    ];
    (headers, Json(event)).into_response()
}

async fn answer(
    State(desk): State<std::sync::Arc<Desk>>,
    Captured((_, what)): Captured<(String, String)>,
    _headers: HeaderMap,
    body: String,
) -> StatusCode {
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    desk.answers.send((what, body)).await.unwrap();
    StatusCode::ACCEPTED
}

/// A function's process; it ends with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The binary, beside this test's own, with the environment that Lambda and the template give it.
fn command(name: &str, runtime: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().find(|dir| dir.file_name() == Some(OsStr::new("deps"))).and_then(Path::parent).unwrap();
    let binary = profile.join(format!("bellhop-{name}"));
    assert!(binary.exists(), "{} is missing: run `cargo build --workspace --all-features`", binary.display());
    let mut command = Command::new(binary);
    command.env_clear().envs([
        ("AWS_LAMBDA_RUNTIME_API", runtime),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "nothing"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), // discard: nobody listens
        (env::CHANNELS, "webhook,custom"),
        (env::TABLE, "table"),
        (env::QUEUES, "http://127.0.0.1:9/123456789012/bellhop_q_"),
        (env::DEAD_LETTERS, "http://127.0.0.1:9/123456789012/bellhop_dead_"),
        (env::BUCKET, "bucket"),
        (env::SEAL, "key"),
        (env::ADMIN_KEY_HASH, ""),
        (env::ALLOW_PRIVATE, ""),
        (env::RESOLVE, ""),
        (env::EXTRA_CA, ""),
        (env::CONTACT, ""),
        (env::PUBLIC_URL, ""),
        (env::SOCKETS, ""),
        (env::MPUSH_ACCOUNT, ""),
        (env::KAFKA_ACCOUNT, "main"),
        (env::KAFKA_DEAD_LETTERS, "http://127.0.0.1:9/123456789012/bellhop_dead_kafka"),
        (env::LOG, "info"),
    ]);
    command
}

async fn started(name: &str) -> (Runtime, Function) {
    let runtime = Runtime::start().await;
    let child = command(name, &runtime.address).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    (runtime, Function(child))
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn request(method: &str, path: &str, query: &str, body: Option<&str>) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": "id.execute-api.us-east-1.amazonaws.com", "content-type": "application/json", "x-forwarded-proto": "https" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "agent" },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64
        },
        "body": body,
        "isBase64Encoded": false
    })
}

fn problem(answer: (String, Value)) -> (i64, String) {
    let (what, answer) = answer;
    assert_eq!(what, "response", "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/problem+json", "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_i64().unwrap(), body["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_answers_requests_of_the_http_api() {
    let (mut runtime, _function) = started("ingest").await;
    let sent = request("POST", "/v1/messages", "", Some(r#"{"to":"desk","title":"hello"}"#));
    assert_eq!(problem(runtime.invoke(sent).await), (401, "unauthorized".to_owned()));
    assert_eq!(problem(runtime.invoke(request("GET", "/v1/messages", "", None)).await).0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn manage_takes_paths_as_the_http_api_decodes_them() {
    let (mut runtime, _function) = started("manage").await;
    for path in ["/v1/registrations/值班", "/v1/registrations/a b", "/v1/registrations/100%25", "/v1/registrations/a\"<>^`{|}"]
    {
        let asked = request("GET", path, "", None);
        assert_eq!(problem(runtime.invoke(asked).await), (401, "unauthorized".to_owned()), "{path}");
    }
    let listed = request("GET", "/v1/deliveries", "cursor=%E5%80%BC%20%26", None);
    assert_eq!(problem(runtime.invoke(listed).await).0, 401);
    assert_eq!(problem(runtime.invoke(request("GET", "/nowhere", "", None)).await), (404, "not_found".to_owned()));
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
fn message(id: &str, body: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185"
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bellhop_q_webhook",
        "awsRegion": "us-east-1"
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_reports_each_message_that_nobody_can_read() {
    let (mut runtime, _function) = started("sender").await;
    let batch = json!({ "Records": [message("one", "poison"), message("two", "{}")] });
    let (what, answer) = runtime.invoke(batch).await;
    let failures = json!([{ "itemIdentifier": "one" }, { "itemIdentifier": "two" }]);
    assert_eq!((what.as_str(), &answer["batchItemFailures"]), ("response", &failures));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_tells_time_level_and_message_and_not_the_module() {
    let mut runtime = Runtime::start().await;
    let piped = command("sender", &runtime.address).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut function = Function(piped);
    runtime.invoke(json!({ "Records": [message("one", "poison")] })).await;
    let output = function.0.stdout.take().unwrap();
    drop(function); // ends it, and with it what it says
    let lines = std::io::read_to_string(output).unwrap();
    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(said.iter().any(|line| line["message"].as_str().unwrap().contains("was not read")), "{lines}");
    for line in said {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line.get("target").is_none(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_can_read_is_reported_and_one_that_cannot_be_worked_on_is_not() {
    let (mut runtime, _function) = started("batch").await;
    // whatever is due is announced again
    let due = r#"[{"at":"2026-01-01T00:00:00Z","account":"main","rule":"daily"}]"#;
    let pages = json!({ "Records": [message("one", "poison"), message("two", due)] });
    let (what, answer) = runtime.invoke(pages).await;
    assert_eq!((what.as_str(), &answer["batchItemFailures"]), ("response", &json!([{ "itemIdentifier": "one" }])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_cannot_reach_the_table_is_an_error_whatever_event_brought_it() {
    let (mut runtime, _function) = started("batch").await;
    // https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
    let scheduled = json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": "2015-10-08T16:53:06Z",
        "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/bellhop-tick"],
        "detail": "{}"
    });
    for event in [scheduled, json!({}), Value::Null] {
        let (what, answer) = runtime.invoke(event).await;
        assert_eq!(what, "error", "{answer}");
        assert!(answer["errorMessage"].as_str().unwrap().contains("the store is not available"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_kafka_that_cannot_be_kept_come_again_from_the_first_on_partition_by_partition() {
    let (mut runtime, _function) = started("kafka").await;
    // https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html
    let record = |partition: u64, offset: u64| {
        json!({
            "topic": "mytopic", "partition": partition, "offset": offset, "timestamp": 1_545_084_650_987_u64,
            "timestampType": "CREATE_TIME", "key": "YWJjREVGZ2hpSktMbW5vUHFSc3R1Vld4eVo=", "value": "eyJtZXNzYWdlIjogIngifQ==",
            "headers": [{ "headerKey": [104, 101, 97, 100, 101, 114, 86, 97, 108, 117, 101] }],
        })
    };
    let event = json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
        "bootstrapServers": "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
        "records": { "mytopic-0": [record(0, 15), record(0, 16)], "mytopic-1": [record(1, 3)] },
    });
    let (what, answer) = runtime.invoke(event).await;
    // https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
    let failures = [("mytopic-0", 15), ("mytopic-1", 3)]
        .map(|(partition, offset)| json!({ "itemIdentifier": { "partition": partition, "offset": offset } }));
    assert_eq!((what.as_str(), &answer["batchItemFailures"]), ("response", &json!(failures)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_lacks_a_variable_ends_and_names_it() {
    let runtime = Runtime::start().await;
    for (name, functions) in env::ALL {
        let function = format!("{:?}", functions[0]).to_lowercase();
        let Output { status, stderr, .. } = command(&function, &runtime.address).env_remove(name).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert!(!status.success() && said.contains(&format!("`{name}`")), "{function}: {said}");
    }
}
