//! Emulators of AWS for the tests of `shared/aws`: started before the first of them by nextest, stopped with nextest.

use std::{
    env, fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::tools;

/// What runs either of them.
const RUN: &str = "shared/aws/tests/emulators/run.py";

/// How long one may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts one of each and tells the tests where, by the file that nextest names:
/// <https://nexte.st/docs/configuration/setup-scripts/#setting-up-the-environment>
pub(crate) fn start() -> Result<()> {
    let told = env::var_os("NEXTEST_ENV").context("nextest runs this; see .config/nextest.toml")?;
    let parent = std::os::unix::process::parent_id();
    let mut told = fs::OpenOptions::new().append(true).open(told)?;
    tools::DEPLOYING.installed()?;
    for (which, variable) in [("moto", "BELLHOP_TEST_MOTO"), ("ministack", "BELLHOP_TEST_MINISTACK")] {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let home = Path::new("target/emulators").join(format!("{which}-{parent}"));
        fs::create_dir_all(&home)?;
        let log = fs::File::create(home.join("log"))?;
        tools::TESTING
            .command("python")?
            .arg(fs::canonicalize(RUN)?)
            .args([which, &address.port().to_string(), "ahead", &parent.to_string()])
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let limit = Instant::now() + PATIENCE;
        while !listens(address) {
            ensure!(Instant::now() < limit, "{which} does not start; see {}", home.join("log").display());
            std::thread::sleep(Duration::from_millis(50));
        }
        writeln!(told, "{variable}=http://{address}")?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a developer's tool looks whether its own emulator answers")]
fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}
