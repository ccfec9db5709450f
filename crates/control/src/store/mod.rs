//! The SQLite file that everything is kept in.

mod alone;
mod rows;
mod schema;
mod trouble;

use std::fmt;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, Transaction, TransactionBehavior};
use world::Clock;

use crate::Error;

pub use alone::back_up;
pub(crate) use rows::{all, changed, epoch, insert, one, remove, role_holder, save};
pub use trouble::Trouble;

/// The file. Cloning shares its connections.
///
/// # Threading
///
/// Every use runs on a thread for blocking work. Writes come one at a time, and other processes are waited for, [`BUSY`] at
/// most. Reads wait for no write where there are readers; else they take turns with the writes.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Of a store that is held alone.
    readers: Vec<Mutex<Connection>>,
    next: AtomicUsize,
    /// Its lock, kept while the store is.
    held: Option<std::fs::File>,
}

/// Lists are short: with two, one that is not does not hold up the others.
const READERS: usize = 2;

/// How long another process may hold the file. A change takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// Whose file it is (`PRAGMA application_id`): "Tide".
const APPLICATION: i64 = 0x5469_6465;

impl Store {
    /// Opens the file at `path`, and makes it (and its directory) if there is none: for this user alone.
    pub(crate) async fn open(path: PathBuf) -> Result<Self, Error> {
        blocking(move || {
            make(&path).map_err(|source| Error::File { path: path.clone(), source: Arc::new(source) })?;
            let connection = Connection::open(&path).map_err(|source| failed(&path, &source))?;
            Self::prepare(path, connection)
        })
        .await
    }

    /// Opens the file at `path`, if there is one. One that may not be written to can still be read.
    pub(crate) async fn open_existing(path: PathBuf) -> Result<Self, Error> {
        blocking(move || {
            // A file without a byte is one that was being made, by a process that was killed.
            match std::fs::metadata(&path) {
                Ok(found) if found.len() == 0 => return Err(Error::NoStore { path }),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Err(Error::NoStore { path });
                }
                Err(source) => return Err(Error::File { path, source: Arc::new(source) }),
            }
            // SQLite opens it for reading alone where the system does not let it write.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags).map_err(|source| failed(&path, &source))?;
            Self::prepare(path, connection)
        })
        .await
    }

    /// One that ends with its last handle.
    pub(crate) async fn in_memory() -> Result<Self, Error> {
        blocking(|| {
            let path = PathBuf::from(":memory:");
            let connection = Connection::open_in_memory().map_err(|source| failed(&path, &source))?;
            Self::prepare(path, connection)
        })
        .await
    }

    fn prepare(path: PathBuf, mut connection: Connection) -> Result<Self, Error> {
        let told = |source| failed(&path, &source);
        connection.busy_timeout(BUSY).map_err(told)?;
        // FULL: changes are few, and an external ID that was handed out must survive a power cut too.
        connection
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;")
            .map_err(told)?;
        schema::migrate(&path, &mut connection)?;
        // Answers with the mode that it has got: in memory there is no log.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(told)?;
        let (readers, next) = (Vec::new(), AtomicUsize::new(0));
        Ok(Self(Arc::new(Inner { path, connection: Mutex::new(connection), readers, next, held: None })))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Runs `work` in a transaction that nobody else writes beside; what it has done holds if it succeeds.
    pub(crate) async fn with<T: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Table<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let store = self.clone();
        blocking(move || store.within(TransactionBehavior::Immediate, work)).await
    }

    /// Runs `work`, which only reads, on what holds at one moment.
    pub(crate) async fn read<T: Send + 'static, E: From<Error> + Send + 'static>(
        &self,
        work: impl FnOnce(&Table<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let store = self.clone();
        blocking(move || store.within(TransactionBehavior::Deferred, work)).await
    }

    fn within<T, E: From<Error>>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Table<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = match behavior {
            TransactionBehavior::Deferred => self.reader(),
            _ => self.0.connection.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let told = |source| failed(self.path(), &source);
        let transaction = connection.transaction_with_behavior(behavior).map_err(told)?;
        let table = Table { path: self.path(), transaction };
        let result = work(&table)?;
        table.transaction.commit().map_err(told)?;
        Ok(result)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        let readers = &self.0.readers;
        let one = match readers.len() {
            0 => &self.0.connection,
            count => &readers[self.0.next.fetch_add(1, Ordering::Relaxed) % count],
        };
        one.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.path).finish()
    }
}

/// The tables, within a transaction.
pub(crate) struct Table<'a> {
    path: &'a Path,
    transaction: Transaction<'a>,
}

impl Table<'_> {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> Error {
        |source| failed(self.path, &source)
    }

    /// Writes; how many rows were.
    pub(crate) fn write(&self, query: &str, values: impl Params) -> Result<usize, Error> {
        let mut statement = self.transaction.prepare_cached(query).map_err(self.failed())?;
        statement.execute(values).map_err(self.failed())
    }

    /// The first row, if there is one.
    pub(crate) fn first<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.transaction.prepare_cached(query).map_err(self.failed())?;
        statement.query_row(values, read).optional().map_err(self.failed())
    }

    /// All rows.
    pub(crate) fn rows<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.transaction.prepare_cached(query).map_err(self.failed())?;
        let rows = statement.query_map(values, read).map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }

    /// Whether there is such a row.
    pub(crate) fn has(&self, query: &str, values: impl Params) -> Result<bool, Error> {
        Ok(self.first(query, values, |_| Ok(()))?.is_some())
    }

    /// Takes back what `work` has written if it fails, and nothing of what was written before.
    pub(crate) fn attempt<T, E: From<Error>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.transaction.execute_batch("SAVEPOINT attempt").map_err(self.failed())?;
        let result = work();
        let end = if result.is_ok() { "RELEASE attempt" } else { "ROLLBACK TO attempt; RELEASE attempt" };
        self.transaction.execute_batch(end).map_err(self.failed())?;
        result
    }

    /// A row that says what it cannot.
    pub(crate) fn damaged(&self, what: impl Into<String>, reason: impl std::fmt::Display) -> Error {
        Error::Damaged { path: self.path.to_owned(), what: what.into(), reason: reason.to_string() }
    }
}

fn failed(path: &Path, source: &rusqlite::Error) -> Error {
    Error::Store { path: path.to_owned(), trouble: source.into() }
}

/// SQLite would make the file readable by everyone: what it holds is the customers' business.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // A copy, or a restored backup, may have lost that. A group is left in: somebody let it in on purpose.
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 && file.set_permissions(Permissions::from_mode(mode & 0o770)).is_err() {
        tracing::warn!(path = %path.display(), "everybody on this machine may read the store, and its owner is another user");
    }
    Ok(())
}

async fn blocking<T: Send + 'static, E: From<Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Abandoned.into()))
}

/// The time now in whole milliseconds, which is what the store keeps.
pub(crate) fn now(clock: &Clock) -> Timestamp {
    Timestamp::from_millisecond(clock.now_millis()).unwrap_or(Timestamp::UNIX_EPOCH)
}
