//! What the commands need and this machine may lack: built or installed once, into `target/tools`, `.venv`, `.venv-deploy`,
//! `.venv-peers`, `.venv-openapi` and `.venv-axe`, and nothing anywhere else; but
//! a browser, which only the system can install.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::step;

/// Cargo tools, built from source once: name, version, what to leave out.
const BUILT: [(&str, &str, &[&str]); 2] = [
    ("cargo-nextest", "0.9.143", &["--no-default-features", "--features", "default-no-update"]),
    ("cargo-deny", "0.20.2", &["--no-default-features"]),
];

/// A program of this machine.
fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|dir| dir.join(name)).find(|file| file.exists())
}

/// The browser of the tests: Debian's, which root can install.
pub(crate) fn browser() -> Result<()> {
    if on_path("chromium").is_some() { Ok(()) } else { debian("chromium", "the tests need a browser") }
}

/// Letters for what is written in Chinese, in pictures of pages.
pub(crate) fn chinese_letters() -> Result<()> {
    let known = Command::new("fc-list").arg(":lang=zh").output().is_ok_and(|output| !output.stdout.is_empty());
    if known { Ok(()) } else { debian("fonts-wqy-microhei", "pictures of Chinese pages need a font") }
}

/// Installs a package of Debian's, or says what it is for and who can.
fn debian(package: &str, why: &str) -> Result<()> {
    let user = Command::new("id").arg("-u").output().context("cannot run `id`")?.stdout;
    let may_install = user.trim_ascii() == b"0" && on_path("apt-get").is_some();
    ensure!(may_install, "{why}, which only root can install: `apt-get install {package}`");
    step("what packages there are", Command::new("apt-get").arg("update"))?;
    let install = ["install", "--yes", "--no-install-recommends", package];
    step(package, Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// A cargo tool: the one on the PATH if there is one, else the pinned one, built once into `target/tools`.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    if let Some(found) = on_path(name) {
        return Ok(found);
    }
    let built = Path::new("target/tools/bin").join(name);
    if !built.exists() {
        let (_, version, features) = BUILT.into_iter().find(|tool| tool.0 == name).context("an unknown tool")?;
        let mut install = Command::new(env!("CARGO"));
        install.args(["install", "--locked", name, "--version", version]);
        install.args(["--root", "target/tools", "--target-dir", "target/tools/build"]);
        step(&format!("installing {name} {version}"), install.args(features))?;
        fs::remove_dir_all("target/tools/build")?;
    }
    Ok(fs::canonicalize(built)?)
}

/// A Python environment of the project's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Python {
    folder: &'static str,
    requirements: &'static str,
    /// How pip is to install them, if not as it does.
    options: &'static [&'static str],
}

/// What checks and emulates.
pub(crate) const TESTING: Python = Python { folder: ".venv", requirements: "tests/requirements.txt", options: &[] };

/// What builds and deploys functions: the SAM CLI pins what the emulators need in other versions.
pub(crate) const DEPLOYING: Python =
    Python { folder: ".venv-deploy", requirements: "tests/requirements-deploy.txt", options: &[] };

/// What signs and encrypts as our channels do. Apart from the others, since it pins nothing for anybody.
pub(crate) const PEERS: Python = Python { folder: ".venv-peers", requirements: "tests/requirements-peers.txt", options: &[] };

/// What calls the API as its description allows.
pub(crate) const CALLING: Python =
    Python { folder: ".venv-openapi", requirements: "tests/requirements-openapi.txt", options: &[] };

/// What pages are held against that everybody is to read and use: one script, without the browsers that its package drives.
pub(crate) const READING: Python =
    Python { folder: ".venv-axe", requirements: "tests/requirements-axe.txt", options: &["--no-deps"] };

impl Python {
    /// One of its programs, which finds the others on its PATH.
    pub(crate) fn command(self, program: &str) -> Result<Command> {
        let bin = fs::canonicalize(self.installed()?.join("bin"))?;
        let path = env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new(bin.join(program));
        command.env("PATH", env::join_paths([bin].into_iter().chain(env::split_paths(&path)))?);
        Ok(command)
    }

    /// Its folder, with what its requirements list.
    pub(crate) fn installed(self) -> Result<&'static Path> {
        let folder = Path::new(self.folder);
        let wanted = fs::read_to_string(self.requirements)?;
        let stamp = folder.join("requirements.txt");
        if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
            step(&format!("a Python environment in {}", self.folder), Command::new("python3").args(["-m", "venv"]).arg(folder))?;
            let install = ["install", "--quiet", "--requirement", self.requirements];
            step(
                &format!("tools of {}", self.requirements),
                Command::new(folder.join("bin/pip")).args(install).args(self.options),
            )?;
            fs::write(stamp, wanted)?;
        }
        Ok(folder)
    }
}
