//! `bellhop backup`: everything in a data directory, as of one moment, while a server goes on.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Options of `bellhop backup`.
#[derive(Args)]
pub(crate) struct Backup {
    /// The directory to make; a server can be started on it as it is.
    to: PathBuf,
    /// The data directory.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data")]
    data: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self) -> Result<()> {
        Ok(bellhop_embedded::backup(&self.data, &self.to)?)
    }
}
