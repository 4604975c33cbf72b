//! What a function does once, before its first event: everything that is slow the first time (credentials, TLS to AWS) is
//! done here, where Lambda gives a whole processor to it.

use std::{fs, sync::Arc, thread};

use anyhow::{Context, Result, anyhow, bail};
use bellhop_aws::{Config, Letterbox, Sealing, Store, SystemClock, connect};
use bellhop_channels::SPECS;
use bellhop_core::{
    channel::{Catalog, Params, Spec},
    link::PublicUrl,
    model::{AccountId, ChannelId},
    ports::{Http, Live, NobodyLive, Ports, Transport},
    vapid::Contact,
};
use bellhop_egress::{HttpEgress, Settings, SmtpEgress, SocketEgress, parse_resolve};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    Error,
    admin::WithAdmin,
    env,
    silent::Silent,
    way_out::{Closed, Thawing},
};

/// The ports of `ingest`, which has no business with secrets, and the account of those who show no token to Mpush.
pub async fn ingest() -> Result<(Ports, Option<AccountId>), Error> {
    let (_, ports) = start(SPECS, Opens::Nothing).await?;
    Ok((with_admin(ports)?, mpush_account()?))
}

/// The ports of `socket`, which keeps what Mpush clients say of themselves, and likewise.
pub async fn socket() -> Result<(Ports, Option<AccountId>), Error> {
    let (store, ports) = start(SPECS, Opens::Clients).await?;
    let transport = Transport { live: live(&store)?, ..ports.transport };
    Ok((Ports { transport, ..ports }, mpush_account()?))
}

/// Nobody, where none is named.
fn mpush_account() -> Result<Option<AccountId>> {
    let named = env::read(env::MPUSH_ACCOUNT)?;
    let read = || AccountId::parse(&named).context("`BELLHOP_MPUSH_ACCOUNT` is no name of an account; see `MpushAccount`");
    if named.is_empty() { Ok(None) } else { read().map(Some) }
}

/// The way to Mpush clients, where they are deployed.
fn live(store: &Store) -> Result<Arc<dyn Live>> {
    let stage = env::read(env::SOCKETS)?;
    Ok(if stage.is_empty() { Arc::new(NobodyLive) } else { Arc::new(store.connections(&stage)) })
}

/// The ports of `manage`, which sends tests.
pub async fn manage() -> Result<Ports, Error> {
    let (_, ports) = sending().await?;
    Ok(Ports { public_url: public_url()?, ..with_admin(ports)? })
}

fn with_admin(ports: Ports) -> Result<Ports> {
    let keys = WithAdmin::around(ports.keys, &env::read(env::ADMIN_KEY_HASH)?);
    Ok(Ports { keys, ..ports })
}

/// The ports of the sender, and the store that reads its messages.
pub async fn sender() -> Result<(Arc<Store>, Ports), Error> {
    sending().await
}

/// The ports of a function that speaks channels, with every way out.
async fn sending() -> Result<(Arc<Store>, Ports), Error> {
    let settings = settings()?;
    // mails and frames have connections of their own, which no gap can make stale
    let smtp = Arc::new(SmtpEgress::new(settings.clone())?);
    let sockets = Arc::new(SocketEgress::new(settings.clone())?);
    let make = move || Ok(Arc::new(HttpEgress::new(settings.clone())?) as Arc<dyn Http>);
    // the clients of AWS read the same certificates meanwhile: a start has more than one processor
    let http = thread::spawn(|| Thawing::new(Arc::new(SystemClock), make));
    let (store, catalog) = open(bellhop_channels::ALL, Opens::Everything).await?;
    let http = Arc::new(http.join().map_err(|_| anyhow!("the way out could not be made; the lines before tell why"))??);
    let transport = Transport { http, smtp, sockets, ses: Some(store.ses()), live: live(&store)? };
    let ports = store.ports(transport, Arc::new(Silent), catalog);
    let contact = contact(&env::read(env::CONTACT)?)?;
    Ok((store, Ports { contact, ..ports }))
}

/// What the operator decides about the way out.
fn settings() -> Result<Settings> {
    let file = |name: &str| fs::read(name).with_context(|| format!("cannot read `{name}` of `BELLHOP_EXTRA_CA`"));
    Ok(Settings {
        allow_private: each(env::ALLOW_PRIVATE, |text| Ok(text.parse()?))?,
        resolve: each(env::RESOLVE, |text| Ok(parse_resolve(text)?))?,
        extra_ca: each(env::EXTRA_CA, file)?,
        ..Settings::default()
    })
}

/// What stands in a variable with commas between; nothing, where it is empty.
fn each<T>(name: &str, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    let text = env::read(name)?;
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(read).collect()
}

/// Nobody, where none is given.
fn contact(given: &str) -> Result<Contact> {
    let read =
        || Contact::parse(given).map_err(|takes| anyhow!("`BELLHOP_CONTACT`: {takes}; see the stack's parameter `Contact`"));
    if given.is_empty() { Ok(Contact::default()) } else { read() }
}

/// Nothing, where nobody has said.
fn public_url() -> Result<Option<PublicUrl>> {
    let given = env::read(env::PUBLIC_URL)?;
    let read = |given: &str| {
        PublicUrl::parse(given).map_err(|takes| anyhow!("`BELLHOP_PUBLIC_URL`: {takes}; see the stack's parameter `PublicUrl`"))
    };
    Some(given.as_str()).filter(|given| !given.is_empty()).map(read).transpose()
}

/// The ports of the tick.
pub async fn batch() -> Result<Ports, Error> {
    let (_, ports) = start(SPECS, Opens::Nothing).await?;
    Ok(Ports { public_url: public_url()?, ..ports })
}

/// The ports of `kafka`, the account that records are for, and where those go that can never be accepted.
pub async fn kafka() -> Result<(Ports, AccountId, Letterbox), Error> {
    let (store, ports) = start(SPECS, Opens::Nothing).await?;
    let account = AccountId::parse(&env::read(env::KAFKA_ACCOUNT)?)
        .context("`BELLHOP_KAFKA_ACCOUNT` is no name of an account; see the stack's parameter `KafkaAccount`")?;
    Ok((ports, account, store.letterbox(env::read(env::KAFKA_DEAD_LETTERS)?)))
}

/// Whose parameters a function reads.
#[derive(Debug, Clone, Copy)]
enum Opens {
    /// Nobody's.
    Nothing,
    /// Those of clients that keep a connection.
    Clients,
    /// Those of every channel that it knows: a sender knows its own.
    Everything,
}

impl Opens {
    /// Their channels.
    fn of(self, catalog: Catalog) -> Vec<ChannelId> {
        let opens = |spec: &Spec| match self {
            Self::Nothing => false,
            // who comes by itself keeps a connection: nothing else is said of it yet
            Self::Clients => spec.is_live(&Params::default()),
            Self::Everything => true,
        };
        catalog.specs.iter().filter(|spec| opens(spec)).map(|spec| ChannelId::new(spec.id)).collect()
    }
}

/// A store, and the ports of a function that sends nothing.
async fn start(channels: Catalog, opens: Opens) -> Result<(Arc<Store>, Ports), Error> {
    let (store, catalog) = open(channels, opens).await?;
    let ports = store.ports(Arc::new(Closed), Arc::new(Silent), catalog);
    Ok((store, ports))
}

/// A store with its connections, and the channels that are deployed.
async fn open(channels: Catalog, opens: Opens) -> Result<(Arc<Store>, Catalog), Error> {
    log(&env::read(env::LOG)?)?;
    let catalog = deployed(&env::read(env::CHANNELS)?, channels)?;
    let seal = match opens {
        Opens::Nothing => None,
        Opens::Clients | Opens::Everything => Some(Sealing { kms_key_id: env::read(env::SEAL)?, channels: opens.of(catalog) }),
    };
    let config = Config {
        table: env::read(env::TABLE)?,
        queue_url_prefix: env::read(env::QUEUES)?,
        dead_letter_url_prefix: env::read(env::DEAD_LETTERS)?,
        channels: Opens::Everything.of(catalog),
        bucket: env::read(env::BUCKET)?,
        seal,
    };
    Ok((connect(&config).await?, catalog))
}

/// What other crates may say, whatever the filter: below that they tell paths, headers and bodies, and those hold secrets.
const NOT_THEIRS: &str = "h2=off,hyper=info,hyper_util=info,reqwest=info,rustls=info,lambda_http=info,lambda_runtime=info,\
    lambda_runtime_api_client=info,aws_credential_types=info,aws_runtime=info,aws_sdk_dynamodb=info,\
    aws_sdk_kms=info,aws_sdk_ses=info,aws_sdk_sqs=info,aws_sigv4=info,aws_smithy_http_client=info,aws_smithy_runtime=info,\
    aws_smithy_runtime_api=info";

/// JSON on standard output, which Lambda brings to the log group. Without the module, which our messages tell anyway: each byte of
/// two lines for each event is paid for.
fn log(filter: &str) -> Result<()> {
    let filter: Targets = format!("{filter},{NOT_THEIRS}").parse().context("`BELLHOP_LOG` is not a log filter")?;
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_target(false);
    let lines = lines.with_max_level(Level::TRACE);
    lines.finish().with(filter).init();
    Ok(())
}

/// Those of `all` that are deployed: they alone have a queue. Names may lack their `_`, which no logical id of a stack has.
fn deployed(list: &str, all: Catalog) -> Result<Catalog> {
    let mut found: Vec<&'static Spec> = Vec::new();
    let bare = |name: &str| name.replace('_', "");
    for name in list.split(',').map(str::trim) {
        match all.specs.iter().find(|spec| bare(spec.id) == bare(name)) {
            Some(spec) => found.push(spec),
            None => bail!("`{name}` in `BELLHOP_CHANNELS` is not a channel; see the stack's parameter `Channels`"),
        }
    }
    Ok(Catalog { specs: found.leak(), ..all }) // once per process
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(catalog: Catalog) -> Vec<&'static str> {
        catalog.specs.iter().map(|spec| spec.id).collect()
    }

    #[test]
    fn who_hears_clients_reads_parameters_of_no_channel_but_theirs() {
        assert_eq!(Opens::Clients.of(SPECS), [ChannelId::new("mpush")]);
    }

    #[test]
    fn only_deployed_channels_are_known() {
        assert_eq!(ids(deployed("custom", SPECS).unwrap()), ["custom"]);
        assert_eq!(ids(deployed("webhook, custom", SPECS).unwrap()), ["webhook", "custom"]);
        assert_eq!(ids(deployed("wecombot,aliyun_sms", SPECS).unwrap()), ["wecom_bot", "aliyun_sms"]);
    }

    #[test]
    fn a_channel_that_does_not_exist_is_named() {
        let error = deployed("webhook,pigeon", SPECS).err().unwrap();
        assert!(error.to_string().contains("`pigeon`"), "{error}");
    }
}
