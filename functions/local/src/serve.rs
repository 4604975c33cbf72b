//! `bellhop serve`: builds the ports and runs every function in one process.
//!
//! Stopping (SIGTERM, Ctrl-C) takes nothing new, answers the requests that are in, lets the sends in flight finish, and
//! closes the store; what had no time is left in the queue, where the next start finds it.

use std::{fs, io::Write, panic, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::IntoResponse,
    routing::get,
};
use bellhop_core::{
    model::{AccountId, ChannelId},
    ports::{Ports, Transport},
};
use bellhop_egress::{HttpEgress, Settings, SmtpEgress, SocketEgress};
use bellhop_embedded::{Durability, MOST_IN_CHANNEL, Options, Store, SystemClock};
use bellhop_http::Api;
use bellhop_mpush::Mpush;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cli, first_start,
    kafka::Consumer,
    metrics::Metrics,
    ses,
    sockets::{self, Sockets},
};

/// How long a stop waits for what is in flight: more than a send may take.
const GRACE: Duration = Duration::from_secs(30);

/// What other crates may say, whatever the filter: h2 tells the paths of requests, and the clients of AWS their bodies.
const NOT_THEIRS: &str = "h2=off,aws_runtime=info,aws_sdk_ses=info,aws_sigv4=info,aws_smithy_http_client=info,\
    aws_smithy_runtime=info,aws_smithy_runtime_api=info";

/// Runs until a signal says stop.
pub(crate) fn run(options: cli::Serve) -> Result<()> {
    let filter: Targets = format!("{},{NOT_THEIRS}", options.log).parse().context("--log is not a log filter")?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(Level::TRACE)
        .with_writer(std::io::stderr)
        // By default a log line that cannot be written is complained about on standard error, which panics where that is the
        // very thing that is gone. A lost line must not cost a request.
        .log_internal_errors(false)
        .finish()
        .with(filter)
        .init();
    // a panic's own words may hold anything, a tenant's text among it; where it was is enough
    panic::set_hook(Box::new(|info| tracing::error!(location = info.location().map(ToString::to_string), "a panic")));
    if let Err(error) = allow_open_files() {
        tracing::warn!(%error, "the limit of open files could not be raised; each connected client is one");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

/// As many open files as the system lets this process have: what it begins with is often 1,024, for programs that cannot do with
/// more. <https://0pointer.net/blog/file-descriptor-limits.html>
fn allow_open_files() -> rustix::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
}

async fn serve(options: cli::Serve) -> Result<()> {
    let durability = if options.unsafe_no_sync { Durability::None } else { Durability::Full };
    let store = Store::open(&options.data, Options { durability }, Arc::new(SystemClock))
        .with_context(|| format!("cannot open the data directory `{}`", options.data.display()))?;
    let metrics = Arc::new(Metrics::default());
    let way_to_ses = ses::from_environment();
    let channels = ses::channels(bellhop_channels::ALL, way_to_ses.as_ref().err());
    let sockets = Arc::new(Sockets::default());
    let transport = Transport { ses: way_to_ses.ok(), ..transport(&options, &sockets)? };
    let ports =
        Ports { contact: options.contact, public_url: options.public_url, ..store.ports(transport, metrics.clone(), channels) };
    if let Some(key) = first_start::prepare(&ports, &options.data, options.admin_key.as_deref()).await? {
        say(&format!("first start: your key is {key} (kept in {})", options.data.join("admin-key").display()))?;
    }

    let consumer = match &options.kafka.brokers {
        Some(brokers) => Some(Consumer::new(brokers, &options.kafka, &ports).await?),
        None => None,
    };
    let mut listeners = Vec::new();
    for address in &options.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        say(&format!("bellhop listens on http://{}", listener.local_addr()?))?;
        listeners.push(listener);
    }
    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    for spec in bellhop_channels::ALL.specs {
        let channel = ChannelId::new(spec.id);
        workers.spawn(bellhop_sender::run(ports.clone(), channel, MOST_IN_CHANNEL, stopped.clone()));
    }
    workers.spawn(bellhop_batch::run(ports.clone(), stopped.clone()));
    workers.spawn(bellhop_batch::agenda::run(ports.clone(), stopped.clone()));
    let api = Api::new(ports);
    if let Some(consumer) = consumer {
        workers.spawn(consumer.run(Arc::clone(&api.ports), stopped.clone()));
    }
    let pages = bellhop_ingest::routes(api.clone())
        .merge(bellhop_manage::routes(api.clone()))
        .merge(bellhop_manage::console(api.clone()))
        .merge(operators_pages(&store, metrics, Arc::clone(&sockets)));
    let mpush = Mpush::new(api.clone(), mpush_account(&options.mpush_account)?);
    let otherwise = {
        let (sockets, stopped) = (Arc::clone(&sockets), stopped.clone());
        move |request: Request| async move {
            if sockets::is_upgrade(request.headers()) {
                sockets::upgrade(mpush, sockets, stopped, request)
            } else if request.method() == Method::GET && request.uri().path() == "/" {
                // no route of its own: what else is done with this path is Mpush's
                bellhop_manage::front().await.into_response()
            } else {
                bellhop_ingest::mpush::otherwise(mpush, request).await
            }
        }
    };
    let router = bellhop_http::complete_or(pages, otherwise);
    for listener in listeners {
        let mut stopped = stopped.clone();
        let serving = axum::serve(listener, router.clone()).with_graceful_shutdown(async move {
            // An error means that the sender of the signal is gone, which is a stop as well.
            drop(stopped.wait_for(|stop| *stop).await);
        });
        workers.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "a listener ended");
            }
        });
    }

    tokio::select! {
        signal = signalled() => signal?,
        // half a server would take what it does not deliver
        _ = workers.join_next() => bail!("a part of the server has ended by itself; the log says which"),
    }
    tracing::info!("stopping: taking nothing new, letting what is in flight finish");
    stop.send_replace(true);
    api.stop_waiting();
    let finished = tokio::select! {
        () = async { while workers.join_next().await.is_some() {} } => true,
        () = tokio::time::sleep(GRACE) => false,
        signal = signalled() => signal.map(|()| false)?, // somebody is in a hurry
    };
    if !finished {
        tracing::warn!("stopping with work in flight; the next start takes it up");
        workers.shutdown().await;
    }
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// `none` is no account: no name of one has to be given up for that, since nobody is made to call an account so.
fn mpush_account(named: &str) -> Result<Option<AccountId>> {
    match named {
        "none" => Ok(None),
        name => AccountId::parse(name).map(Some).context("--mpush-account is no name of an account"),
    }
}

fn transport(options: &cli::Serve, sockets: &Arc<Sockets>) -> Result<Transport> {
    let read = |file: &std::path::PathBuf| fs::read(file).with_context(|| format!("cannot read `{}`", file.display()));
    let settings = Settings {
        allow_private: options.allow_private.clone(),
        resolve: options.resolve.clone(),
        extra_ca: options.extra_ca.iter().map(read).collect::<Result<_>>()?,
        ..Settings::default()
    };
    let http = Arc::new(HttpEgress::new(settings.clone())?);
    let smtp = Arc::new(SmtpEgress::new(settings.clone())?);
    Ok(Transport { http, smtp, sockets: Arc::new(SocketEgress::new(settings)?), ses: None, live: Arc::clone(sockets) as _ })
}

/// What people and programs read first goes to standard output; the log goes to standard error.
fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output is gone")
}

async fn signalled() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[derive(Clone)]
struct Health {
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    sockets: Arc<Sockets>,
}

/// `/healthz`, `/readyz` and `/metrics`: no key, no tenant's data.
fn operators_pages(store: &Arc<Store>, metrics: Arc<Metrics>, sockets: Arc<Sockets>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(counters))
        .with_state(Health { store: Arc::clone(store), metrics, sockets })
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.store.is_writable().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store is not writable\n")
    }
}

async fn counters(State(health): State<Health>) -> String {
    let backlog = health.store.backlog().await.unwrap_or_default();
    let gauges = backlog.iter().flat_map(|backlog| {
        let labels = format!("channel=\"{}\"", backlog.channel);
        [
            ("bellhop_queue_depth", labels.clone(), backlog.queued),
            ("bellhop_due_depth", labels.clone(), backlog.due),
            ("bellhop_dead_letters", labels, backlog.dead_letters),
        ]
    });
    let connections = u64::try_from(health.sockets.count()).unwrap_or(u64::MAX);
    let gauges = gauges.chain([("bellhop_client_connections", String::new(), connections)]);
    health.metrics.text(&gauges.collect::<Vec<_>>())
}
