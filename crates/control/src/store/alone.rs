//! A store that one process holds for itself: its lock, its readers, its integrity, its copies.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};

use super::{BUSY, READERS, Store, blocking, failed, make};
use crate::{Error, Trouble};

impl Store {
    /// Opens `tidegate.db` in `dir`, and makes both if they are not there, for this process alone among those that open it
    /// so; others may read and write it by [`Store::open`]. What is damaged is refused.
    pub(crate) async fn open_alone(dir: PathBuf) -> Result<Self, Error> {
        blocking(move || {
            let path = dir.join("tidegate.db");
            make(&path).map_err(|source| Error::File { path: path.clone(), source: Arc::new(source) })?;
            let held = hold(&dir)?;
            let connection = Connection::open(&path).map_err(|source| failed(&path, &source))?;
            check(&path, &connection)?;
            let store = Self::prepare(path.clone(), connection)?;
            let mut inner = Arc::into_inner(store.0).expect("nobody else has it yet");
            for _ in 0..READERS {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let told = |source| failed(&path, &source);
                let reader = Connection::open_with_flags(&path, flags).map_err(told)?;
                reader.busy_timeout(BUSY).map_err(told)?;
                reader.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;").map_err(told)?;
                inner.readers.push(Mutex::new(reader));
            }
            inner.held = Some(held);
            Ok(Self(Arc::new(inner)))
        })
        .await
    }

    /// Writes a copy of what the store holds at one moment to `path`, where nothing may be.
    pub(crate) async fn copy_to(&self, path: PathBuf) -> Result<(), Error> {
        let store = self.clone();
        blocking(move || {
            let reader = store.0.readers.first().unwrap_or(&store.0.connection);
            copy(&reader.lock().unwrap_or_else(PoisonError::into_inner), &path)
        })
        .await
    }

    /// Writes everything from the log into the file.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        let store = self.clone();
        blocking(move || {
            let connection = store.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let told = |source| failed(store.path(), &source);
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(told)
        })
        .await
    }
}

/// Writes a copy of the store in `dir` to `to`, where nothing may be: also while another process serves it.
pub async fn back_up(dir: PathBuf, to: PathBuf) -> Result<(), Error> {
    blocking(move || {
        let path = dir.join("tidegate.db");
        if !path.exists() {
            return Err(Error::NoStore { path });
        }
        let told = |source| failed(&path, &source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let from = Connection::open_with_flags(&path, flags).map_err(told)?;
        from.busy_timeout(BUSY).map_err(told)?;
        copy(&from, &to)
    })
    .await
}

fn copy(from: &Connection, path: &Path) -> Result<(), Error> {
    let file = |source| Error::File { path: path.to_owned(), source: Arc::new(source) };
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
    let told = |source| failed(path, &source);
    let copied = Connection::open(path).map_err(told).and_then(|mut copy| {
        // All pages in one step: a few MiB, and nobody writes between two of them.
        let backup = Backup::new(from, &mut copy).map_err(told)?;
        // SQLite calls it no error that somebody else had the file for all the time that we waited.
        if backup.step(-1).map_err(told)? != StepResult::Done {
            return Err(Error::Store { path: path.to_owned(), trouble: Trouble::Locked });
        }
        drop(backup);
        check(path, &copy)
    });
    if copied.is_err() {
        // Half a copy helps nobody, and somebody may take it for a whole one.
        std::fs::remove_file(path).ok();
    }
    copied
}

/// Takes the lock of a data directory; it ends with the process, however that ends.
fn hold(dir: &Path) -> Result<File, Error> {
    let path = dir.join("tidegate.lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|source| Error::File { path: path.clone(), source: Arc::new(source) })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Held { dir: dir.to_owned() }),
        Err(errno) => Err(Error::File { path, source: Arc::new(errno.into()) }),
    }
}

/// Whether the pages of a file agree with each other, and its rows with those that they name.
fn check(path: &Path, connection: &Connection) -> Result<(), Error> {
    let told = |source| failed(path, &source);
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(told)?;
    let mut orphans = connection.prepare("PRAGMA foreign_key_check").map_err(told)?;
    if found == "ok" && !orphans.exists([]).map_err(told)? {
        return Ok(());
    }
    Err(Error::Store { path: path.to_owned(), trouble: Trouble::Damaged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_what_somebody_else_keeps_to_himself_is_refused_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("a.db"), dir.path().join("b.db"));
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
        let from = Connection::open(&path).unwrap();
        from.busy_timeout(std::time::Duration::from_millis(1)).unwrap();
        copy(&from, &to).unwrap();
        std::fs::remove_file(&to).unwrap();
        drop(from);
        // What SQLite does while it mends a log, or puts the last of it into the file.
        holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO t VALUES (2);").unwrap();
        let from = Connection::open(&path).unwrap();
        from.busy_timeout(std::time::Duration::from_millis(1)).unwrap();
        let refused = copy(&from, &to).unwrap_err();
        assert!(matches!(refused, Error::Store { trouble: Trouble::Locked, .. }), "{refused}");
        assert!(!to.exists());
    }
}
