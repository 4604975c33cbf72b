//! Bytes that are too many for a row: one file each, whole or not there.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bellhop_core::{
    StoreError,
    model::{AccountId, AttachmentId, Picture},
    ports::Attachments,
};
use tokio::task;

use crate::{OpenError, Store, directory, error::unavailable};

const FOLDER: &str = "attachments";

#[async_trait]
impl Attachments for Store {
    async fn put(&self, account: &AccountId, id: AttachmentId, picture: &Picture) -> Result<(), StoreError> {
        let (all, dir, unfinished) = (self.dir.join(FOLDER), self.folder(account), unfinished(&self.dir));
        let picture = picture.clone();
        blocking(move || {
            [&all, &dir, &unfinished].into_iter().try_for_each(|folder| directory::make_private(folder))?;
            let beginning = unfinished.join(id.to_string());
            let mut file = directory::private_file(&beginning)?;
            file.set_len(0)?;
            file.write_all(&picture.0)?;
            file.sync_all()?;
            fs::rename(&beginning, dir.join(id.to_string()))?;
            directory::sync(&dir)
        })
        .await
    }

    async fn get(&self, account: &AccountId, id: AttachmentId) -> Result<Option<Picture>, StoreError> {
        let path = self.folder(account).join(id.to_string());
        blocking(move || if_there(fs::read(path)).map(|bytes| bytes.map(|bytes| Picture(bytes.into())))).await
    }

    async fn delete(&self, account: &AccountId, id: AttachmentId) -> Result<(), StoreError> {
        let path = self.folder(account).join(id.to_string());
        blocking(move || if_there(fs::remove_file(path)).map(|_| ())).await
    }
}

impl Store {
    fn folder(&self, account: &AccountId) -> PathBuf {
        self.dir.join(FOLDER).join(account.as_str())
    }
}

/// Where files grow until they are whole.
fn unfinished(dir: &Path) -> PathBuf {
    dir.join("unfinished")
}

/// What an earlier process began and did not finish was never answered.
pub(crate) fn clear_unfinished(dir: &Path) -> Result<(), OpenError> {
    let path = unfinished(dir);
    if_there(fs::remove_dir_all(&path)).map(drop).map_err(|error| OpenError::Io { path, error })
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| unavailable(&error)),
        Err(_) => Err(StoreError::Unavailable("work on a file was given up".to_owned())),
    }
}
