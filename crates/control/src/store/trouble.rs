use std::fmt;

use rusqlite::ErrorCode;

/// What SQLite could not do, as people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The file, its file system or its directory may not be written to.
    ReadOnly,
    /// Another process holds it for longer than is waited for.
    Locked,
    /// It is a file of something else.
    NoDatabase,
    /// There is no room left.
    Full,
    /// Its pages contradict each other.
    Damaged,
    /// The file, or those that SQLite makes beside it, cannot be opened.
    Unopened,
    /// Anything else, in SQLite's words.
    Other(String),
}

impl Trouble {
    /// Whether it may be gone after a while.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Locked | Self::Full | Self::Other(_))
    }

    /// What to do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::ReadOnly | Self::Unopened => {
                "let this user write to it and to its directory, or give another file with --store (of serve: --data-dir)"
            }
            Self::Locked => "end the process that holds it (fuser FILE names it), or try again when it is done",
            Self::NoDatabase => "give another file with --store (of serve: --data-dir)",
            Self::Full => "make room on its disk, then try again",
            Self::Damaged => {
                "put a copy of it back that is whole, or give another file with --store (of serve: --data-dir)"
            }
            Self::Other(_) => "see whether its disk is whole and mounted, then try again",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "cannot be written to, for it is read-only",
            Self::Locked => "is held by another process",
            Self::NoDatabase => "is no database",
            Self::Full => "has no room left on its disk",
            Self::Damaged => "is damaged",
            Self::Unopened => "cannot be opened",
            Self::Other(said) => return write!(f, "failed: {said}"),
        })
    }
}

impl From<&rusqlite::Error> for Trouble {
    fn from(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::NotADatabase) => Self::NoDatabase,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged,
            Some(ErrorCode::CannotOpen) => Self::Unopened,
            // Its own words are all there is: what it calls its cause says the same once more.
            _ => Self::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fault::{Chain, Diagnose as _};
    use rusqlite::{Connection, OpenFlags};

    use super::*;
    use crate::Error;

    /// How `work` fails, as it is told of.
    fn told(work: rusqlite::Result<()>) -> (Trouble, String) {
        let trouble = Trouble::from(&work.unwrap_err());
        let error = Error::Store { path: "t.db".into(), trouble: trouble.clone() };
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
        (trouble, Chain(&error).to_string())
    }

    #[test]
    fn what_sqlite_cannot_do_is_told_once_and_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let open = || Connection::open(&path).unwrap();
        open().execute_batch("CREATE TABLE t (x)").unwrap();
        let write = "INSERT INTO t VALUES (randomblob(100000))";

        let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let said = "the store t.db cannot be written to, for it is read-only".to_owned();
        assert_eq!(told(reader.execute_batch(write)), (Trouble::ReadOnly, said));

        let (holder, waiting) = (open(), open());
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        waiting.busy_timeout(std::time::Duration::ZERO).unwrap();
        let said = "the store t.db is held by another process".to_owned();
        assert_eq!(told(waiting.execute_batch(write)), (Trouble::Locked, said));
        drop(holder);

        waiting.query_row("PRAGMA max_page_count = 3", [], |_| Ok(())).unwrap();
        let said = "the store t.db has no room left on its disk".to_owned();
        assert_eq!(told(waiting.execute_batch(write)), (Trouble::Full, said));

        let text = dir.path().join("text");
        std::fs::write(
            &text,
            "no database, and longer than the header of one would be, which is a hundred bytes, so that it is read",
        )
        .unwrap();
        let said = "the store t.db is no database".to_owned();
        assert_eq!(told(Connection::open(&text).unwrap().execute_batch(write)), (Trouble::NoDatabase, said));

        let nowhere = Connection::open(dir.path().join("a/b")).map(drop);
        assert_eq!(told(nowhere).0, Trouble::Unopened);
        let said = "the store t.db failed: no such table: u";
        assert_eq!(told(open().execute_batch("SELECT * FROM u")).1, said);
    }
}
