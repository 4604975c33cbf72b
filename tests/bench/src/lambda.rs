//! The Lambda functions as they are deployed, and a function that does nothing, built the same way: how large, how soon
//! they ask for their first event, and what that event meets.
//!
//! Lambda and AWS are the program's own, on loopback: an answer comes at once, and no network is in between. What is
//! measured is our own part of a start. A start warms up: from the first connection to AWS until its last answer. The functions
//! have no switch for that, so that time is taken off to know the start without it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    Common,
    endpoint::Endpoint,
    load::Latencies,
    process::resident_mb,
    report::{Report, Target},
    runtime::Runtime,
};

/// What a function may weigh, in MB (10^6 bytes).
const MOST_MB: f64 = 9.0;

/// Where a system keeps the certificates that it trusts: Debian's, and Amazon Linux's.
const TRUSTED: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The function that does nothing; the first to be measured.
const HELLO: &str = "hello";

/// Options of `bellhop-bench lambda`.
#[derive(Args)]
pub(crate) struct Lambda {
    /// Where cargo-lambda put the functions.
    #[arg(long, default_value = "target/functions/built")]
    functions: PathBuf,
    /// How often each is started.
    #[arg(long, default_value_t = 25)]
    rounds: usize,
}

/// A function, and what is asked of its start: so many times hello's, without the warm-up.
struct Function {
    name: &'static str,
    most: Target,
    /// Its first event.
    event: Value,
}

fn functions() -> [Function; 5] {
    let function = |name, most, event| Function { name, most, event };
    [
        function(HELLO, Target::None, json!({})),
        function("ingest", Target::AtMost(2.5), request("POST", "/v1/messages")),
        function("manage", Target::None, request("GET", "/v1/deliveries")),
        function("sender", Target::AtMost(4.0), batch()),
        function("batch", Target::None, json!({})),
    ]
}

/// What was seen of one function, start by start.
#[derive(Default)]
struct Seen {
    starts: Vec<Duration>,
    warm_ups: Vec<Duration>,
    first_events: Vec<Duration>,
    /// With its connections closed meanwhile: each has to be opened again.
    cold_events: Vec<Duration>,
    resident_mb: f64,
}

impl Lambda {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let functions = functions();
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        let (keeping, closing) = (Endpoint::start(true).await?, Endpoint::start(false).await?);
        let data = common.fresh_data()?;
        let trusted = data.path().join("trusted.pem");
        let system = TRUSTED.iter().find_map(|file| fs::read_to_string(file).ok()).context("no certificates in this system")?;
        fs::write(&trusted, [system.as_str(), &keeping.certificate, &closing.certificate].join("\n"))?;
        // in turn, so that whoever else is busy is busy for all of them
        for _ in 0..self.rounds {
            for function in &functions {
                let seen = seen.entry(function.name).or_default();
                let mut started = self.start(function.name, &keeping, &trusted).await?;
                seen.starts.push(started.took);
                seen.warm_ups.push(keeping.spoken());
                seen.resident_mb = seen.resident_mb.max(resident_mb(started.process.0.id())?);
                seen.first_events.push(started.runtime.invoke(&function.event).await?);
                let mut started = self.start(function.name, &closing, &trusted).await?;
                seen.cold_events.push(started.runtime.invoke(&function.event).await?);
                keeping.spoken();
            }
        }
        let mut hello = None;
        for function in &functions {
            let seen = seen.remove(function.name).context("it was started")?;
            self.tell(function, seen, &mut hello, report)?;
        }
        Ok(())
    }

    fn tell(&self, function: &Function, seen: Seen, hello: &mut Option<f64>, report: &mut Report) -> Result<()> {
        let name = function.name;
        let ours = |target| if name == HELLO { Target::None } else { target };
        let binary = self.binary(name);
        report.add(format!("{name}: size"), "MB", megabytes(fs::metadata(&binary)?.len()), ours(Target::AtMost(MOST_MB)));
        report.add(format!("{name}: zipped"), "MB", megabytes(zipped(&binary)?), Target::None);
        report.add(format!("{name}: resident memory after the start"), "MB", seen.resident_mb, Target::None);
        let without = seen.starts.iter().zip(&seen.warm_ups).map(|(start, warm_up)| start.saturating_sub(*warm_up)).collect();
        let without = Latencies::new(without)?.ms(500);
        let hello = *hello.get_or_insert(without);
        report.add(format!("{name}: start to the first `next`, without warm-up"), "ms", without, Target::None);
        if name != HELLO {
            report.add(format!("{name}: that / hello's"), "×", without / hello, function.most);
            report.add(format!("{name}: warm-up"), "ms", Latencies::new(seen.warm_ups)?.ms(500), Target::None);
        }
        report.add(format!("{name}: first event, warm"), "ms", Latencies::new(seen.first_events)?.ms(500), Target::None);
        report.add(
            format!("{name}: first event, connections closed"),
            "ms",
            Latencies::new(seen.cold_events)?.ms(500),
            Target::None,
        );
        Ok(())
    }

    fn binary(&self, name: &str) -> PathBuf {
        self.functions.join(format!("bellhop-{name}")).join("bootstrap")
    }

    /// Starts a function as Lambda does, and waits until it asks for its first event.
    async fn start(&self, name: &str, aws: &Endpoint, trusted: &Path) -> Result<Started> {
        let mut runtime = Runtime::start().await?;
        let (binary, aws) = (self.binary(name), format!("https://{}", aws.address));
        let mut command = Command::new(&binary);
        command.env_clear().stdout(Stdio::null()).stderr(Stdio::inherit());
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "nobody"),
            ("AWS_SECRET_ACCESS_KEY", "nothing"),
            ("AWS_ENDPOINT_URL", &aws),
            ("BELLHOP_CHANNELS", "webhook"),
            ("BELLHOP_TABLE", "table"),
            ("BELLHOP_QUEUES", &format!("{aws}/123456789012/bellhop_q_")),
            ("BELLHOP_DEAD_LETTERS", &format!("{aws}/123456789012/bellhop_dead_")),
            ("BELLHOP_BUCKET", "bucket"),
            ("BELLHOP_SEAL", "key"),
            ("BELLHOP_ADMIN_KEY_HASH", ""),
            ("BELLHOP_ALLOW_PRIVATE", ""),
            ("BELLHOP_RESOLVE", ""),
            ("BELLHOP_EXTRA_CA", ""),
            ("BELLHOP_CONTACT", ""),
            ("BELLHOP_PUBLIC_URL", ""),
            ("BELLHOP_SOCKETS", ""),
            ("BELLHOP_MPUSH_ACCOUNT", ""),
            ("BELLHOP_KAFKA_ACCOUNT", "main"),
            ("BELLHOP_KAFKA_DEAD_LETTERS", &format!("{aws}/123456789012/bellhop_dead_kafka")),
            ("BELLHOP_LOG", "info"),
        ]);
        command.env("SSL_CERT_FILE", trusted);
        let begun = Instant::now();
        let process = command.spawn().with_context(|| format!("cannot start `{}`", binary.display()))?;
        let process = Process(process);
        let took = runtime.asked().await?.saturating_duration_since(begun);
        Ok(Started { process, runtime, took })
    }
}

/// A function that has asked for its first event.
struct Started {
    process: Process,
    runtime: Runtime,
    took: Duration,
}

/// Ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended by itself
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A request whose key nobody knows: it reads one row and is refused.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn request(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "id.execute-api.us-east-1.amazonaws.com", "authorization": "Bearer bh_nobody_0123456789abcdef0123456789abcdef" },
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
        "isBase64Encoded": false
    })
}

/// A wake-up whose registration is not there any more: it is claimed, looked for and recorded, and nothing is sent.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
fn batch() -> Value {
    let event = "0".repeat(26);
    let letter = json!({
        "delivery": format!("dlv_{event}_{}", "0".repeat(12)),
        "n": 1,
        "account": "main",
        "channel": "webhook",
        "registration": "desk",
        "event": {
            "id": format!("evt_{event}"),
            "account": "main",
            "source": "bench",
            "message": "done in 42 s",
            "accepted_at": "1970-01-01T00:00:00Z"
        }
    });
    json!({ "Records": [{
        "messageId": "one",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": letter.to_string(),
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
    }] })
}

/// What is uploaded: the binary in a zip, deflated.
fn zipped(binary: &Path) -> Result<u64> {
    const ZIP: &str = "import io, sys, zipfile
made = io.BytesIO()
with zipfile.ZipFile(made, 'w', zipfile.ZIP_DEFLATED) as file:
    file.write(sys.argv[1], 'bootstrap')
print(len(made.getvalue()))";
    let output = Command::new("python3").args(["-c", ZIP]).arg(binary).output().context("cannot run `python3`")?;
    ensure!(output.status.success(), "python3: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

#[expect(clippy::cast_precision_loss, reason = "megabytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
