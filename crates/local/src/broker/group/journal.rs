use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::catalogue::replace_file;

/// A line more than this many times the live ones, and the journal is written anew.
const GARBAGE_FACTOR: usize = 4;

/// Below this many lines it is not worth while.
const LINES_MIN: usize = 10_000;

/// One change of a committed offset, one line of JSON in the journal; the last one of a group and partition counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// `None` if it was deleted.
    pub(super) offset: Option<i64>,
    pub(super) leader_epoch: i32,
    pub(super) metadata: String,
}

/// The committed offsets on disk. Changes are noted under the lock that orders them, which costs no I/O, and written
/// where blocking is allowed, before the client is answered.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    noted: Mutex<Vec<u8>>,
    file: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    file: File,
    lines: usize,
    unsynced: bool,
}

impl Journal {
    /// Opens the journal and hands its lines to `each`. What a process that was killed left half written is cut off.
    pub(super) fn open(dir: &Path, mut each: impl FnMut(Line)) -> io::Result<Self> {
        let path = dir.join("offsets.jsonl");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (mut whole, mut lines) = (0, 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(parsed) if line.ends_with(b"\n") => each(parsed),
                Ok(_) | Err(_) => break,
            }
            whole += line.len();
            lines += 1;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole as u64)?;
        Ok(Self { path, noted: Mutex::default(), file: Mutex::new(Written { file, lines, unsynced: false }) })
    }

    /// Notes a change. To be called in the order of the changes.
    pub(super) fn note(&self, line: &Line) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer(&mut *noted, line).expect("a line of strings and numbers is JSON, and a Vec takes it");
        noted.push(b'\n');
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was noted. `live` gives all lines that count now, for writing the journal anew. Blocks.
    pub(super) fn write(&self, live: impl Fn() -> Vec<Line>) -> io::Result<()> {
        let mut written = self.written();
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.is_empty() {
            return Ok(());
        }
        written.file.write_all(&noted)?;
        written.unsynced = true;
        written.lines += noted.split(|byte| *byte == b'\n').count() - 1;
        if written.lines < LINES_MIN {
            return Ok(());
        }
        let live = live();
        if written.lines < live.len() * GARBAGE_FACTOR {
            return Ok(());
        }
        // What is noted meanwhile is in these lines and will be appended too, which says the same twice.
        let mut text = Vec::new();
        for line in &live {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        replace_file(&self.path, &text)?;
        *written =
            Written { file: OpenOptions::new().append(true).open(&self.path)?, lines: live.len(), unsynced: false };
        Ok(())
    }

    /// Makes what was written durable. Blocks.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut written = self.written();
        if std::mem::take(&mut written.unsynced) {
            written.file.sync_data()?;
        }
        Ok(())
    }
}
