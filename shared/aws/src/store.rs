//! Every port, put together over its clients.

use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use bellhop_core::{
    channel::Catalog,
    clients::Mids,
    ids::Ids,
    model::{Account, AccountId, ChannelId, Hook, Key, KeyId, Name, Registration},
    ports::{Clock, Kind, Ports, Record, Transport},
    report::Telemetry,
    rules::turns::Turns,
    token::flights::Flights,
    vapid::{Contact, VapidKey},
};
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    SystemClock,
    cache::Cache,
    dynamo::{Claims, Seen, Table, keys},
    environment::{self, Missing},
    letterbox::Letterbox,
    outbox::Outbox,
    s3::Bucket,
    seal::Seal,
    ses::SesEgress,
    signed::Signed,
    sqs::Queues,
};

/// How long opening the connections may take: Lambda gives ten seconds to the start.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const WARM: Duration = Duration::from_secs(5);

/// What is deployed, as this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table.
    pub table: String,
    /// What the queues' URLs begin with; the channel's id follows.
    pub queue_url_prefix: String,
    /// What the dead-letter queues' URLs begin with; the channel's id follows.
    pub dead_letter_url_prefix: String,
    /// The channels that have queues.
    pub channels: Vec<ChannelId>,
    /// The bucket for attachments.
    pub bucket: String,
    /// How parameters are sealed. `None`: this function neither reads nor writes any.
    pub seal: Option<Sealing>,
}

/// What it takes to read and write parameters.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// The KMS key that wraps the channels' data keys.
    pub kms_key_id: String,
    /// The channels whose registrations' parameters are read here; those of others are seen without.
    pub channels: Vec<ChannelId>,
}

/// Every port on DynamoDB, SQS, KMS and S3.
pub struct Store {
    pub(crate) table: Table,
    pub(crate) queues: Queues,
    pub(crate) outbox: Outbox,
    pub(crate) bucket: Bucket,
    pub(crate) signed: Signed,
    pub(crate) seal: Option<Seal>,
    pub(crate) opened: Vec<ChannelId>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) known: Known,
    pub(crate) claims: Claims,
    pub(crate) seen: Seen,
    /// Once it was read.
    pub(crate) vapid: OnceCell<VapidKey>,
    sdk: SdkConfig,
}

/// What was read lately.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) registrations: Cache<(AccountId, Name), Registration>,
    pub(crate) records: Cache<(AccountId, Kind), Vec<Record>>,
    pub(crate) accounts: Cache<AccountId, Account>,
    pub(crate) keys: Cache<KeyId, Key>,
    /// By the hash of their tokens.
    pub(crate) hooks: Cache<String, Hook>,
    /// Likewise.
    pub(crate) client_tokens: Cache<String, AccountId>,
}

/// Builds every client once, from the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, credentials), and opens their
/// connections, so that the first event waits for no handshake.
/// A service that does not answer now is no reason not to start: the first call that needs it will say so.
pub async fn connect(config: &Config) -> Result<Arc<Store>, Missing> {
    let (sdk, http) = environment::sdk()?;
    let store = Store::new(&sdk, http, config, Arc::new(SystemClock));
    if timeout(WARM, store.warm()).await.is_err() {
        tracing::debug!("a service did not answer in time while this function started");
    }
    Ok(store)
}

impl Store {
    /// Over clients of that configuration, with that clock; those of S3 and API Gateway are ours, over `http`.
    pub fn new(sdk: &SdkConfig, http: SharedHttpConnector, config: &Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        let signed = Signed::new(sdk, http, Arc::clone(&clock));
        Arc::new(Self {
            table: Table::new(aws_sdk_dynamodb::Client::new(sdk), config.table.clone()),
            queues: Queues {
                client: aws_sdk_sqs::Client::new(sdk),
                live: config.queue_url_prefix.clone(),
                dead: config.dead_letter_url_prefix.clone(),
                channels: config.channels.clone(),
            },
            outbox: Outbox::default(),
            bucket: Bucket::new(sdk, signed.clone(), &config.bucket),
            signed,
            seal: config.seal.as_ref().map(|seal| Seal::new(aws_sdk_kms::Client::new(sdk), seal.kms_key_id.clone())),
            opened: config.seal.as_ref().map(|seal| seal.channels.clone()).unwrap_or_default(),
            clock,
            known: Known::default(),
            claims: Claims::default(),
            seen: Seen::default(),
            vapid: OnceCell::new(),
            sdk: sdk.clone(),
        })
    }

    /// Its ports, with the way out and what is told of them.
    pub fn ports(self: &Arc<Self>, transport: impl Into<Transport>, telemetry: Arc<dyn Telemetry>, channels: Catalog) -> Ports {
        Ports {
            ledger: Arc::clone(self) as _,
            queue: Arc::clone(self) as _,
            events: Arc::clone(self) as _,
            deliveries: Arc::clone(self) as _,
            registrations: Arc::clone(self) as _,
            pace: Arc::clone(self) as _,
            records: Arc::clone(self) as _,
            digests: Arc::clone(self) as _,
            tasks: Arc::clone(self) as _,
            agenda: Arc::clone(self) as _,
            accounts: Arc::clone(self) as _,
            keys: Arc::clone(self) as _,
            hooks: Arc::clone(self) as _,
            audit: Arc::clone(self) as _,
            attachments: Arc::clone(self) as _,
            tokens: Arc::clone(self) as _,
            clients: Arc::clone(self) as _,
            vapid: Arc::clone(self) as _,
            contact: Contact::default(),
            public_url: None,
            flights: Flights::default(),
            mids: Mids::default(),
            turns: Turns::default(),
            ids: Ids::default(),
            clock: Arc::clone(&self.clock),
            telemetry,
            transport: transport.into(),
            channels,
        }
    }

    /// The way to SES, over the same connector.
    pub fn ses(&self) -> Arc<SesEgress> {
        Arc::new(SesEgress::new(&self.sdk))
    }

    /// The queue of that URL, for what people look at.
    pub fn letterbox(&self, url: String) -> Letterbox {
        Letterbox { client: self.queues.client.clone(), url }
    }

    /// One cheap call to each service: a denied one opens the connection, too.
    async fn warm(&self) {
        let Some(channel) = self.queues.channels.first() else { return };
        let data_key = async {
            match self.seal.as_ref().zip(self.opened.first()) {
                Some((seal, channel)) => seal.warm(&self.table, channel).await,
                None => self.table.get(keys::account_named("warm")).await.map(drop),
            }
        };
        let (data_key, queue, bucket) = futures_util::join!(data_key, self.queues.warm(channel), self.bucket.warm());
        for error in [data_key, queue, bucket].into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "a service did not answer while this function started");
        }
    }
}
