//! Mpush: how soon the sender of a `.send` is answered whose client is a webhook, and what clients take that are connected and
//! say nothing.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{
    Common,
    client::{Client, Server},
    load::Latencies,
    machine::per_second,
    process::Bellhop,
    report::{Report, Target},
    serve::count,
    sink::Sink,
};

/// A sender that waits longer stalls.
const STALL: Duration = Duration::from_secs(1);

/// Clients that connect at once.
const CONNECTING: usize = 32;

const TOKEN: &str = "a-benchmarks-token";

/// Options of `bellhop-bench mpush`.
#[derive(Args)]
pub(crate) struct Mpush {
    /// How long each run of sends takes.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients that are connected and say nothing.
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
}

impl Mpush {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let sink = Sink::start(Duration::ZERO).await?;
        let data = common.fresh_data()?;
        let bellhop = Bellhop::start(&common.start(data.path()))?;
        let mut client = open(&bellhop).await?;
        let params = json!({ "method": "webhook_get", "url": format!("http://{}/hook", sink.address) });
        client.put("/v1/registrations/hook", &json!({ "channel": "mpush", "params": params })).await?;
        for connections in [1, 8, 64] {
            self.send(&bellhop.server, connections, report).await?;
        }
        bellhop.kill()?;
        self.idle(common, report).await
    }

    /// Sends on so many connections, each the next as soon as it is answered.
    async fn send(&self, server: &Server, connections: usize, report: &mut Report) -> Result<()> {
        let (begun, time) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut sending = JoinSet::new();
        for _ in 0..connections {
            // as a script does, without a token
            let mut client = Client::connect(&Server { authorization: String::new(), ..server.clone() }).await?;
            sending.spawn(async move {
                let (mut each, mut not_ok) = (Vec::new(), 0);
                while begun.elapsed() < time {
                    let sent = Instant::now();
                    let answer = client.get("/hook.send?text=Backup&desp=The%20nightly%20backup%20has%20ended").await?;
                    each.push(sent.elapsed());
                    not_ok += usize::from(answer["data"]["status"] != json!({ "hook": "ok" }));
                }
                anyhow::Ok((each, not_ok))
            });
        }
        let (mut all, mut not_ok) = (Vec::new(), 0);
        while let Some(sent) = sending.join_next().await {
            let (each, not) = sent??;
            all.extend(each);
            not_ok += not;
        }
        let (took, all) = (begun.elapsed(), Latencies::new(all)?);
        let mut add =
            |figure: &str, unit, value, target| report.add(format!("{connections} at once: {figure}"), unit, value, target);
        add("answered", "/s", per_second(all.count(), took), Target::None);
        add("p50", "ms", all.ms(500), Target::None);
        add("p99", "ms", all.ms(990), Target::None);
        add("longer than a second", "", count(all.longer_than(STALL)), Target::AtMost(0.0));
        add("told anything but `ok`", "", count(not_ok), Target::AtMost(0.0));
        Ok(())
    }

    /// Clients that have said who they are, and nothing since, on a server of their own.
    async fn idle(&self, common: &Common, report: &mut Report) -> Result<()> {
        ensure!(open_files()? > self.sockets, "this many sockets need more open files than `ulimit -n` allows");
        let data = common.fresh_data()?;
        let bellhop = Bellhop::start(&common.start(data.path()))?;
        open(&bellhop).await?;
        let host: Arc<str> = bellhop.server.address.to_string().into();
        // the figure is of a server that has settled: nothing to wait for tells when
        tokio::time::sleep(Duration::from_secs(2)).await;
        report.add("resident memory, no client", "MB", bellhop.resident_mb()?, Target::None);
        let (begun, mut connecting, mut connected) = (Instant::now(), JoinSet::new(), Vec::with_capacity(self.sockets));
        for number in 0..self.sockets {
            if connecting.len() == CONNECTING {
                connected.extend(connecting.join_next().await.transpose()?.transpose()?);
            }
            connecting.spawn(Idle::connect(Arc::clone(&host), number));
        }
        while let Some(idle) = connecting.join_next().await {
            connected.push(idle??);
        }
        report.add("clients connected and known", "/s", per_second(self.sockets, begun.elapsed()), Target::None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let resident = bellhop.resident_mb()?;
        report.add(format!("resident memory, {} clients that say nothing", self.sockets), "MB", resident, Target::AtMost(300.0));
        for idle in &mut connected {
            idle.is_there().await?;
        }
        report.add("of these there still at the end", "", count(connected.len()), Target::None);
        report.add("resident memory, after each was asked", "MB", bellhop.resident_mb()?, Target::AtMost(300.0));
        bellhop.kill()
    }
}

/// Lets Mpush's clients in, as many as come.
async fn open(bellhop: &Bellhop) -> Result<Client> {
    let mut client = Client::connect(&bellhop.server).await?;
    let settings = json!({ "rate": { "per_second": 0, "burst": 0 }, "mpush": { "token": TOKEN }, "quotas": { "registrations_per_channel": 1_000_000 } });
    client.put("/v1/account", &settings).await?;
    Ok(client)
}

/// A client that says nothing.
struct Idle(WebSocketStream<TcpStream>);

impl Idle {
    async fn connect(host: Arc<str>, number: usize) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a load program's own connection")]
        let stream = TcpStream::connect(&*host).await.context("cannot connect")?;
        let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
        let (stream, _) = client_async_with_config(format!("ws://{host}/"), stream, Some(config)).await?;
        let mut idle = Self(stream);
        let welcome = idle.asked("AUTH", json!({ "token": TOKEN, "name": format!("client-{number}") })).await?;
        ensure!(welcome["data"]["code"] == 200, "a client is not let in: {welcome}");
        Ok(idle)
    }

    async fn is_there(&mut self) -> Result<()> {
        let answer = self.asked("PING", json!({})).await?;
        ensure!(answer["cmd"] == "PONG", "instead of a PONG: {answer}");
        Ok(())
    }

    async fn asked(&mut self, cmd: &str, data: Value) -> Result<Value> {
        self.0.send(Message::text(json!({ "cmd": cmd, "data": data }).to_string())).await?;
        loop {
            // what the server asks meanwhile is answered by looking
            if let Message::Text(text) = self.0.next().await.context("a client was let go")?? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }
}

/// How many files this process, and so the server, may have open. <https://docs.kernel.org/filesystems/proc.html>
fn open_files() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let soft = soft.context("`limits` does not tell of open files")?;
    Ok(soft.parse().unwrap_or(usize::MAX)) // `unlimited`
}
