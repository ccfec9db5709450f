use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use crate::objects::checksum::{Algorithm, Running, Sum};
use crate::objects::error::Error;
use crate::objects::notes::lock;
use crate::objects::piece::blocking;
use crate::objects::stream::Take;
use crate::objects::transfer::Meter;

/// A file that is on its way, under a name of its own: `NAME.tidegate-part`. Beside it, `NAME.tidegate-part.notes` says of
/// which object it is, and which ranges are there.
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    path: PathBuf,
    final_path: PathBuf,
    notes_path: PathBuf,
    notes: Mutex<Option<File>>,
    /// The permissions of what is under the final name.
    mode: Option<u32>,
    range: u64,
    size: u64,
    algorithm: Algorithm,
}

/// Bytes that are gathered before a thread is asked to write them.
const BLOCK: usize = 512 << 10;

impl PartFile {
    /// Opens the file for `path`, held against other processes. A link stays one: what it leads to is replaced.
    ///
    /// # Errors
    /// What is at `path` is no file: renaming one over a device would take it away from everybody on the machine.
    pub(super) fn open(path: &Path, size: u64, range: u64, algorithm: Algorithm) -> Result<Self, Error> {
        let mode = match fs::metadata(path) {
            Ok(there) if !there.is_file() => {
                let what = if there.is_dir() { "a directory, no file" } else { "a device or a pipe, no file" };
                let text = format!("{} is {what}", path.display());
                return Err(Error::BadInput { text, hint: Some("name a file, or write to standard output: -".into()) });
            }
            Ok(there) => Some(there.mode() & 0o777),
            Err(_) => None,
        };
        let linked = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        let path = linked.as_deref().unwrap_or(path);
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let part = beside(".tidegate-part");
        let notes_path = beside(".tidegate-part.notes");
        match lock(&part) {
            Ok(Some(file)) => {
                let final_path = path.to_owned();
                let notes = Mutex::default();
                let part = Self { file, path: part, final_path, notes_path, notes, mode, range, size, algorithm };
                // From the beginning: what others may not read of the old one they may not read of the new one.
                part.permit(0o600).map_err(|error| part.error(error))?;
                Ok(part)
            }
            Ok(None) => Err(Error::Busy { path: part }),
            Err(error) => Err(Error::file("write", part, error)),
        }
    }

    /// Gives it the permissions of the file that it is to replace, and `more`.
    fn permit(&self, more: u32) -> io::Result<()> {
        self.mode.map_or(Ok(()), |mode| self.file.set_permissions(Permissions::from_mode(mode | more)))
    }

    /// The ranges there are.
    pub(super) fn ranges(&self) -> u64 {
        self.size.div_ceil(self.range)
    }

    /// The bytes of range `number`, from 0.
    pub(super) fn bytes_of(&self, number: u64) -> Range<u64> {
        number * self.range..self.size.min((number + 1) * self.range)
    }

    /// Takes up what an earlier process has left, if its notes say that it was `about` the same; otherwise begins anew.
    /// Each range that is noted is read again: after a power cut the notes may know more than the disk.
    pub(super) fn take_up(&self, about: &Value, resume: bool) -> io::Result<BTreeMap<u64, Sum>> {
        let mut there = BTreeMap::new();
        if resume && let Ok(notes) = File::open(&self.notes_path) {
            let mut lines = BufReader::new(notes).lines();
            let same = lines
                .next()
                .and_then(Result::ok)
                .is_some_and(|line| serde_json::from_str::<Value>(&line).ok().as_ref() == Some(about));
            // A line without its end was torn when its process was killed: then it does not decode.
            for line in lines.map_while(Result::ok).filter(|_| same) {
                let Some((number, sum)) = line.split_once(' ') else { continue };
                let Some(number) = number.parse().ok().filter(|number| *number < self.ranges()) else { continue };
                let bytes = self.bytes_of(number);
                let noted = Sum::decode(self.algorithm, sum, bytes.end - bytes.start);
                if noted.is_some() && self.sum_of(bytes).ok() == noted {
                    there.extend(noted.map(|sum| (number, sum)));
                }
            }
        }
        if there.is_empty() {
            self.file.set_len(0)?;
        }
        self.file.set_len(self.size)?;
        // Made anew: a link of this name would lead elsewhere.
        match fs::remove_file(&self.notes_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut notes = OpenOptions::new().write(true).create_new(true).open(&self.notes_path)?;
        let mut text = format!("{about}\n");
        for (number, sum) in &there {
            writeln!(text, "{number} {}", sum.encode()).expect("writing to a String does not fail");
        }
        notes.write_all(text.as_bytes())?;
        notes.seek(SeekFrom::End(0))?;
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = Some(notes);
        Ok(there)
    }

    fn sum_of(&self, bytes: Range<u64>) -> io::Result<Sum> {
        let mut running = Running::new(self.algorithm);
        let mut block = vec![0; BLOCK];
        let mut at = bytes.start;
        while at < bytes.end {
            let part = &mut block[..(bytes.end - at).min(BLOCK as u64) as usize];
            self.file.read_exact_at(part, at)?;
            running.update(part);
            at += part.len() as u64;
        }
        Ok(running.finish())
    }

    /// Notes that a range is there.
    pub(super) fn note(&self, number: u64, sum: Sum) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut *notes
            // Without notes it cannot be resumed, and that is all.
            && file.write_all(format!("{number} {}\n", sum.encode()).as_bytes()).is_err()
        {
            *notes = None;
        }
    }

    pub(super) fn error(&self, error: io::Error) -> Error {
        Error::file("write", &self.path, error)
    }

    /// Gives the file its name.
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.permit(0).map_err(|error| self.error(error))?;
        fs::rename(&self.path, &self.final_path).map_err(|error| Error::file("write", &self.final_path, error))?;
        fs::remove_file(&self.notes_path).ok();
        Ok(())
    }

    /// Takes away what is there of it.
    pub(super) fn remove(&self) {
        fs::remove_file(&self.path).ok();
        fs::remove_file(&self.notes_path).ok();
    }

    /// What writes range `number`.
    pub(super) fn writer(self: &Arc<Self>, number: u64, meter: &Meter) -> RangeWriter {
        RangeWriter {
            at: self.bytes_of(number).start,
            running: Some(Running::new(self.algorithm)),
            held: 0,
            pending: Vec::new(),
            meter: meter.clone(),
            to: Arc::clone(self),
        }
    }
}

/// Writes one range: gathers what comes and hands it to a thread that may block, checksum and all.
pub(super) struct RangeWriter {
    to: Arc<PartFile>,
    at: u64,
    pending: Vec<Bytes>,
    held: usize,
    running: Option<Running>,
    meter: Meter,
}

impl RangeWriter {
    /// Writes what was gathered last; the range's checksum.
    pub(super) async fn finish(mut self) -> Result<Sum, Error> {
        self.write().await?;
        Ok(self.running.map_or_else(|| Sum::nothing(self.to.algorithm), |running| running.finish()))
    }

    async fn write(&mut self) -> Result<(), Error> {
        let chunks = std::mem::take(&mut self.pending);
        let (to, at, held) = (Arc::clone(&self.to), self.at, std::mem::take(&mut self.held) as u64);
        // Lost only if the thread was, which ends the range anyway.
        let mut running = self.running.take().unwrap_or_else(|| Running::new(to.algorithm));
        let written = blocking(move || {
            let mut at = at;
            for chunk in chunks {
                to.file.write_all_at(&chunk, at)?;
                running.update(&chunk);
                at += chunk.len() as u64;
            }
            Ok(running)
        });
        self.running = Some(written.await.map_err(|error| Error::file("write", &self.to.path, error))?);
        self.at += held;
        self.meter.add(held);
        Ok(())
    }
}

impl Take for RangeWriter {
    async fn take(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.held += bytes.len();
        self.pending.push(bytes);
        if self.held >= BLOCK { self.write().await } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_is_replaced_and_its_permissions_stay() {
        let directory = tempfile::tempdir().unwrap();
        let open = |path: &Path| PartFile::open(path, 1, 1, Algorithm::Crc64Nvme);
        for no_file in [Path::new("/dev/null"), directory.path()] {
            assert!(open(no_file).unwrap_err().to_string().contains("no file"), "{}", no_file.display());
        }
        let secret = directory.path().join("secret");
        fs::write(&secret, "old").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o400)).unwrap();
        let part = open(&secret).unwrap();
        part.take_up(&Value::Null, false).unwrap();
        assert_eq!(fs::metadata(&part.path).unwrap().mode() & 0o777, 0o600);
        part.finish().unwrap();
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o400);
    }

    #[test]
    fn notes_are_not_written_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (path, precious) = (directory.path().join("a"), directory.path().join("precious"));
        fs::write(&precious, "kept").unwrap();
        let part = PartFile::open(&path, 1, 1, Algorithm::Crc64Nvme).unwrap();
        std::os::unix::fs::symlink(&precious, &part.notes_path).unwrap();
        part.take_up(&Value::Null, false).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    }
}
