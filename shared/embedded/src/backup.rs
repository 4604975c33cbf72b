//! A copy of a data directory as of one moment, while its server goes on.
//!
//! Promise: what was answered before it began is in it, and it opens as it is; a copy that was not finished has another name.
//! The database comes first: every file that it names was there before, and is there still or forgotten by its account's own
//! retention. <https://www.sqlite.org/lang_vacuum.html#vacuum_with_an_into_clause>

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{OpenError, directory, readers};

/// Copies the data directory `dir` to `to`, which must not exist.
pub fn backup(dir: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { path, error }
    };
    let database = |error| OpenError::Database { dir: dir.to_owned(), error };
    fs::metadata(directory::database(dir)).map_err(failed(dir))?;
    if to.try_exists().map_err(failed(to))? {
        return Err(failed(to)(io::ErrorKind::AlreadyExists.into()));
    }
    let above = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_inside = || Ok(above.canonicalize()?.starts_with(dir.canonicalize()?));
    if is_inside().map_err(failed(above))? {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it lies in the directory that is copied");
        return Err(failed(to)(error));
    }
    let growing = unfinished(to);
    if growing.try_exists().map_err(failed(&growing))? {
        fs::remove_dir_all(&growing).map_err(failed(&growing))?;
    }
    directory::make_private(&growing).map_err(failed(&growing))?;
    let connection = readers::open(&directory::database(dir)).map_err(database)?;
    let copy = directory::database(&growing);
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(database)?;
    directory::private_file(&copy).and_then(|file| file.sync_all()).map_err(failed(&copy))?;
    copy_files(dir, &growing).map_err(failed(&growing))?;
    fs::rename(&growing, to).map_err(failed(to))?;
    directory::sync(above).map_err(failed(above))
}

/// Beside the directory that it becomes.
fn unfinished(to: &Path) -> PathBuf {
    let mut name = to.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".unfinished");
    to.with_file_name(name)
}

/// Everything but the database, which is copied by SQLite, and the lock.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    let database = directory::database(from);
    let own = database.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for entry in fs::read_dir(from)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let is_copied_otherwise = name.to_string_lossy().starts_with(&own) || directory::is_lock(&name);
        if !is_copied_otherwise {
            copy(&entry, &to.join(&name))?;
        }
    }
    directory::sync(to)
}

/// A file, or a folder with all that is in it; what is gone by now was to go.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        directory::make_private(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return directory::sync(to);
    }
    match fs::read(from) {
        Ok(bytes) => {
            let mut file = directory::private_file(to)?;
            io::Write::write_all(&mut file, &bytes)?;
            file.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
