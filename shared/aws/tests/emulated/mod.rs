//! A deployment on an emulator of AWS: table, queues, bucket and key of its own for each test.
#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod rough;
pub(crate) mod wire;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::{SdkConfig, region::Region};
use bellhop_aws::{Config, RARE, RARE_PK, RARE_SK, Sealing, Store, SystemClock, connector};
use bellhop_core::{
    model::ChannelId,
    ports::{Clock, Ports},
};
use bellhop_testkit::{CATALOG, Provider, Silent};
use wire::{Plain, Wire};

/// Which emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Moto,
    Ministack,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Moto => "moto",
            Self::Ministack => "ministack",
        }
    }

    /// Where one runs already, if whoever runs the tests says so: each process starts its own otherwise.
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment")]
    fn running(self) -> Option<String> {
        let name = match self {
            Self::Moto => "BELLHOP_TEST_MOTO",
            Self::Ministack => "BELLHOP_TEST_MINISTACK",
        };
        std::env::var(name).ok()
    }
}

/// A running emulator. It stops when its standard input closes, however this process ends.
pub(crate) struct Emulator {
    pub(crate) url: String,
    ahead: PathBuf,
    _process: Option<Child>,
}

impl Emulator {
    /// The one that the tests of this process share.
    pub(crate) async fn shared(kind: Kind) -> &'static Self {
        static MOTO: OnceLock<Emulator> = OnceLock::new();
        static MINISTACK: OnceLock<Emulator> = OnceLock::new();
        let place = match kind {
            Kind::Moto => &MOTO,
            Kind::Ministack => &MINISTACK,
        };
        let emulator = place.get_or_init(|| match kind.running() {
            Some(url) => Self { url, ahead: PathBuf::new(), _process: None },
            None => Self::spawn(kind),
        });
        emulator.until_ready().await;
        emulator
    }

    /// One whose queues keep a time of their own.
    pub(crate) async fn with_its_own_time(kind: Kind) -> Self {
        let emulator = Self::spawn(kind);
        emulator.until_ready().await;
        emulator
    }

    fn spawn(kind: Kind) -> Self {
        let port = free_port();
        let home = home(kind.word());
        let ahead = home.join("ahead");
        let arguments = [kind.word().into(), port.to_string().into(), ahead.clone().into_os_string()];
        let process = start("run.py", &arguments, &home);
        Self { url: format!("http://127.0.0.1:{port}"), ahead, _process: Some(process) }
    }

    async fn until_ready(&self) {
        let ready = async {
            while Plain::new().status("GET", &self.url).await.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ready).await.expect("it starts");
    }

    /// Lets the queues' time pass, up to so many seconds since their beginning.
    pub(crate) fn is_ahead(&self, seconds: f64) {
        let written = self.ahead.with_extension("new");
        fs::write(&written, seconds.to_string()).unwrap();
        fs::rename(written, &self.ahead).unwrap();
    }
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A directory of its own for each process that is started.
pub(crate) fn home(what: &str) -> PathBuf {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{what}-{}-{number}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    home
}

/// Starts a script of `tests/emulators` that stops when its standard input closes.
pub(crate) fn start(script: &str, arguments: &[OsString], home: &Path) -> Child {
    let log = fs::File::create(home.join("log")).unwrap();
    Command::new(python())
        .arg(root().join("shared/aws/tests/emulators").join(script))
        .args(arguments)
        .current_dir(home)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("the emulators are in a virtual environment: `.venv` beside Cargo.toml, or where `BELLHOP_VENV` says")
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment")]
fn python() -> PathBuf {
    let venv = std::env::var("BELLHOP_VENV").map(PathBuf::from);
    venv.unwrap_or_else(|_| root().join(".venv")).join("bin/python")
}

/// Of the workspace: the tests of more than one package are here.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("Cargo.lock").exists()).unwrap()
}

/// What is deployed for one test.
pub(crate) struct Deployment {
    pub(crate) url: String,
    pub(crate) config: Config,
}

impl Deployment {
    /// Makes everything. Received messages are hidden for so long.
    pub(crate) async fn on(emulator: &Emulator, hidden: Duration) -> Self {
        Self::of(["probe", "other"].map(ChannelId::new).to_vec(), emulator, hidden).await
    }

    /// The same with queues for these channels.
    pub(crate) async fn of(channels: Vec<ChannelId>, emulator: &Emulator, hidden: Duration) -> Self {
        let name = name();
        let made = Plain::new().status("PUT", &format!("{}/{name}", emulator.url)).await;
        assert_eq!(made, Some(200), "the bucket");
        let kms = aws_sdk_kms::Client::new(&sdk(&emulator.url, Wire::calm(), 3));
        let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
        let config = Config {
            table: String::new(),
            queue_url_prefix: String::new(),
            dead_letter_url_prefix: String::new(),
            seal: Some(Sealing { kms_key_id: key, channels: channels.clone() }),
            channels,
            bucket: name,
        };
        Self { url: emulator.url.clone(), config }.anew(hidden).await
    }

    /// Another one beside it, with the same bucket and KMS key: as good as all new, for less.
    pub(crate) async fn anew(&self, hidden: Duration) -> Self {
        let name = name();
        let sdk = sdk(&self.url, Wire::calm(), 3);
        make_table(&sdk, &name).await;
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        let mut config = Config { table: name.clone(), ..self.config.clone() };
        for channel in &self.config.channels {
            let dead = make_queue(&sqs, &format!("{name}-dead-{channel}"), None).await;
            let hidden = Some((hidden, arn(&sqs, &dead).await));
            let live = make_queue(&sqs, &format!("{name}-live-{channel}"), hidden).await;
            let prefix = |url: &str| url.strip_suffix(channel.as_str()).unwrap().to_owned();
            (config.queue_url_prefix, config.dead_letter_url_prefix) = (prefix(&live), prefix(&dead));
        }
        make_queue(&sqs, &format!("{name}-live-batch"), None).await;
        Self { url: self.url.clone(), config }
    }

    /// A new process over it.
    pub(crate) fn store(&self, wire: Arc<Wire>, attempts: u32, clock: Arc<dyn Clock>) -> Arc<Store> {
        Store::new(&sdk(&self.url, wire, attempts), connector(Some(&self.url)), &self.config, clock)
    }

    pub(crate) fn ports(&self, wire: Arc<Wire>) -> Ports {
        self.store(wire, 12, Arc::new(SystemClock)).ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
    }
}

fn name() -> String {
    format!("t{:032x}", SystemClock.chance())
}

/// Clients that repeat a failed call at once.
pub(crate) fn sdk(url: &str, wire: Arc<Wire>, attempts: u32) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(1));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .endpoint_url(url)
        .retry_config(retries)
        .http_client(wire::Client::new(wire))
        .build()
}

async fn make_table(sdk: &SdkConfig, name: &str) {
    let text = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        attribute.build().unwrap()
    };
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let index = GlobalSecondaryIndex::builder()
        .index_name(RARE)
        .key_schema(key(RARE_PK, KeyType::Hash))
        .key_schema(key(RARE_SK, KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let table = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .set_attribute_definitions(Some(["pk", "sk", RARE_PK, RARE_SK].map(text).to_vec()))
        .global_secondary_indexes(index.build().unwrap());
    table.send().await.unwrap();
}

async fn make_queue(sqs: &aws_sdk_sqs::Client, name: &str, hidden: Option<(Duration, String)>) -> String {
    let mut queue = sqs.create_queue().queue_name(name);
    if let Some((hidden, dead)) = hidden {
        let redrive = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":"5"}}"#);
        queue = queue
            .attributes(QueueAttributeName::VisibilityTimeout, hidden.as_secs().to_string())
            .attributes(QueueAttributeName::RedrivePolicy, redrive);
    }
    queue.send().await.unwrap().queue_url.unwrap()
}

async fn arn(sqs: &aws_sdk_sqs::Client, url: &str) -> String {
    let name = QueueAttributeName::QueueArn;
    let got = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    got.attributes.unwrap().remove(&name).unwrap()
}
