//! The real binary as a process, and what the system knows of it.
//!
//! CPU, memory and bytes written are the kernel's counts: <https://www.kernel.org/doc/html/latest/filesystems/proc.html>

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    client::{Client, Server},
    sink::Sink,
};

/// Ticks a second in `/proc/PID/stat`: 100 on every Linux since 2.6.
const TICKS: f64 = 100.0;

/// How a server is started.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    /// What it logs; its lines go to `/dev/null`.
    pub(crate) log: String,
    /// Something that makes syncs slower.
    pub(crate) preload: Option<PathBuf>,
}

/// A running `bellhop serve`; killed when it is dropped.
pub(crate) struct Bellhop {
    child: Child,
    pub(crate) server: Server,
    data: PathBuf,
}

/// What a process has used since it began.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu_seconds: f64,
    pub(crate) bytes_written: f64,
}

impl Bellhop {
    /// Starts on a free port and waits until it listens.
    pub(crate) fn start(start: &Start) -> Result<Self> {
        let mut command = Command::new(&start.binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--allow-private", "127.0.0.0/8", "--log", &start.log, "--data"]);
        command.arg(&start.data).stdout(Stdio::piped()).stderr(File::create("/dev/null")?);
        for variable in ["BELLHOP_ADMIN_KEY", "BELLHOP_RESOLVE", "BELLHOP_EXTRA_CA"] {
            command.env_remove(variable);
        }
        if let Some(library) = &start.preload {
            command.env("LD_PRELOAD", library);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", start.binary.display()))?;
        let output = BufReader::new(child.stdout.take().context("it has an output")?);
        let listening = |line: String| line.strip_prefix("bellhop listens on http://")?.parse::<SocketAddr>().ok();
        let address = output.lines().map_while(Result::ok).find_map(listening).context("the server does not listen")?;
        let key = fs::read_to_string(start.data.join("admin-key"))?;
        let server = Server { address, authorization: format!("Bearer {}", key.trim()) };
        Ok(Self { child, server, data: start.data.clone() })
    }

    /// Registers a sink under these names, all of them in these groups, and takes the account's rate limit away.
    pub(crate) async fn register(&self, sink: &Sink, names: &[String], groups: &[&str]) -> Result<()> {
        let mut client = Client::connect(&self.server).await?;
        client.put("/v1/account", &json!({ "rate": { "per_second": 0, "burst": 0 } })).await?;
        let registration =
            json!({ "channel": "webhook", "groups": groups, "params": { "url": format!("http://{}/hook", sink.address) } });
        for name in names {
            client.put(&format!("/v1/registrations/{name}"), &registration).await?;
        }
        Ok(())
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn used(&self) -> Result<Used> {
        let stat = self.proc("stat")?;
        // the second field is the program's name in brackets, and may hold spaces
        let (_, fields) = stat.rsplit_once(')').context("`stat` has a name in brackets")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("`stat` is too short")?.parse()?) };
        let cpu_seconds = (ticks(11)? + ticks(12)?) / TICKS;
        Ok(Used { cpu_seconds, bytes_written: field(&self.proc("io")?, "write_bytes:")? })
    }

    /// Resident memory in MB (10^6 bytes).
    pub(crate) fn resident_mb(&self) -> Result<f64> {
        resident_mb(self.child.id())
    }

    /// The most resident memory there ever was, in MB.
    pub(crate) fn most_resident_mb(&self) -> Result<f64> {
        Ok(field(&self.proc("status")?, "VmHWM:")? * 1024.0 / 1e6)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`: has the server ended?"))
    }

    /// Watches the write-ahead log until what comes back is asked for the most MB it has had.
    pub(crate) fn watch_log(&self) -> LogWatch {
        let (path, most) = (self.data.join("bellhop.db-wal"), Arc::new(std::sync::atomic::AtomicU64::new(0)));
        let watched = Arc::clone(&most);
        let task = tokio::spawn(async move {
            loop {
                let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                watched.fetch_max(length, std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        LogWatch { task, most }
    }
}

impl Drop for Bellhop {
    fn drop(&mut self) {
        // it may be gone already, which is what is wanted
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// See [`Bellhop::watch_log`].
pub(crate) struct LogWatch {
    task: tokio::task::JoinHandle<()>,
    most: Arc<std::sync::atomic::AtomicU64>,
}

impl LogWatch {
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    pub(crate) fn most_mb(self) -> f64 {
        self.task.abort();
        self.most.load(std::sync::atomic::Ordering::Relaxed) as f64 / 1e6
    }
}

/// Resident memory of a process in MB (10^6 bytes).
pub(crate) fn resident_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    Ok(field(&status, "VmRSS:")? * 1024.0 / 1e6)
}

fn field(text: &str, name: &str) -> Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    Ok(value.with_context(|| format!("`{name}` is missing"))?.parse()?)
}

/// Compiles what makes every sync 2 ms slower.
pub(crate) fn slow_sync(into: &Path) -> Result<PathBuf> {
    let (source, library) = (into.join("slow_sync.c"), into.join("slow_sync.so"));
    fs::write(&source, include_str!("../slow_sync.c"))?;
    let built = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    ensure!(built.context("cannot run `cc`")?.success(), "`cc` does not compile slow_sync.c");
    Ok(library)
}
