//! The data directory: private to its owner, used by one process at a time.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::OpenError;

const DATABASE: &str = "bellhop.db";
const LOCK: &str = "lock";

/// How often, and how long apart, the lock is tried: `bellhop doctor` looks at it for a moment, and a predecessor may be
/// about to end.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Where the database is.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// Whether that is the name of the file that keeps others out.
pub(crate) fn is_lock(name: &OsStr) -> bool {
    name == LOCK
}

/// Where its write-ahead log is. <https://www.sqlite.org/wal.html#the_wal_file>
pub(crate) fn log(dir: &Path) -> PathBuf {
    database(dir).with_extension("db-wal")
}

/// Makes the directory and the database file (SQLite gives the files beside it the same mode), and locks it all for as
/// long as the file lives that comes back.
pub(crate) fn take(dir: &Path) -> Result<File, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { path, error }
    };
    make_private(dir).map_err(failed(dir))?;
    let lock = private_file(&dir.join(LOCK)).map_err(failed(&dir.join(LOCK)))?;
    for _ in 1..TRIES {
        if lock.try_lock().is_ok() {
            break;
        }
        thread::sleep(PAUSE);
    }
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(&dir.join(LOCK))(error)),
    }
    private_file(&database(dir)).map_err(failed(&database(dir)))?;
    sync(dir).map_err(failed(dir))?;
    Ok(lock)
}

/// Whether somebody has the directory now. Looks for a moment, without keeping anybody out ([`take`] tries again).
pub(crate) fn is_taken(dir: &Path) -> io::Result<bool> {
    match File::open(dir.join(LOCK)) {
        Ok(lock) => match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory that only its owner can enter.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    if !dir.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync(parent)?;
        }
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Opens or makes a file that only its owner can read.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes the names in a directory durable.
pub(crate) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
