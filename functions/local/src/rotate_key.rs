//! `bellhop rotate-key`: seals everything in a data directory anew, while no server uses it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Options of `bellhop rotate-key`.
#[derive(Args)]
pub(crate) struct RotateKey {
    /// The data directory.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data")]
    data: PathBuf,
}

impl RotateKey {
    /// What was done, in words.
    pub(crate) fn run(self) -> Result<String> {
        bellhop_embedded::rotate_key(&self.data)?;
        let file = self.data.join("seal-key");
        Ok(format!(
            "everything is sealed anew; the key is in `{}`, and backups from before open by the one from before",
            file.display()
        ))
    }
}
