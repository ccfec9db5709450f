use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::objects::call::GaveUp;
use crate::objects::checksum::{Algorithm, Running, Sum};
use crate::objects::error::Error;
use crate::s3::body::{Content, Progress, stream};

/// What one request sends: bytes in memory, or a stretch of a file that is read as it goes. Either can be sent again.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Memory(Content),
    /// Read twice, for the checksum and to be sent: the second time it comes from the page cache, and memory does not grow
    /// with the part. Held from one to the other, eight parts of 8 MiB would take as much as the aws CLI does.
    File {
        file: Arc<Watched>,
        offset: u64,
        length: u64,
    },
}

/// A file that must stay as it was when it was opened.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// When it was last changed, as seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
}

impl Watched {
    pub(super) fn new(file: File, path: &Path) -> io::Result<Self> {
        let facts = file.metadata()?;
        let modified = (facts.mtime(), facts.mtime_nsec());
        Ok(Self { file, path: path.to_owned(), size: facts.len(), modified })
    }

    /// Whether it still is as it was.
    pub(super) fn is_same(&self) -> bool {
        self.file.metadata().is_ok_and(|now| now.len() == self.size && (now.mtime(), now.mtime_nsec()) == self.modified)
    }
}

/// Bytes read from a file at once to be sent: large enough that asking for a thread does not count, small enough to be still
/// in a cache of the processor when the socket takes them.
const BLOCK: usize = 256 << 10;

/// Bytes read at once to be summed up: the allocator has blocks of this size at hand, with their pages, and larger ones not.
const SUMMED: usize = 32 << 10;

/// What is known of a piece before it is sent.
pub(super) struct Sums {
    pub(super) checksum: Option<Sum>,
    /// Hexadecimal.
    pub(super) sha256: Option<String>,
}

impl Piece {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(content) => content.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Computes what has to be known, in one pass, off the async threads.
    pub(super) async fn sums(&self, algorithm: Option<Algorithm>, signed: bool) -> io::Result<Sums> {
        if algorithm.is_none() && !signed {
            return Ok(Sums { checksum: None, sha256: None });
        }
        let piece = self.clone();
        blocking(move || {
            let mut checksum = algorithm.map(Running::new);
            let mut sha256 = signed.then(Sha256::new);
            piece.each(|bytes| {
                if let Some(checksum) = &mut checksum {
                    checksum.update(bytes);
                }
                if let Some(sha256) = &mut sha256 {
                    sha256.update(bytes);
                }
            })?;
            let sha256 = sha256.map(|hash| hex::encode(hash.finalize()));
            Ok(Sums { checksum: checksum.map(|running| running.finish()), sha256 })
        })
        .await
    }

    fn each(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Memory(content) => content.chunks().iter().for_each(|chunk| take(chunk)),
            Self::File { file, offset, length } => {
                let mut block = vec![0; SUMMED];
                let (mut at, end) = (*offset, offset + length);
                while at < end {
                    let part = &mut block[..(end - at).min(SUMMED as u64) as usize];
                    file.file.read_exact_at(part, at)?;
                    take(part);
                    at += part.len() as u64;
                }
            }
        }
        Ok(())
    }

    /// One way through the bytes.
    pub(super) fn send(&self) -> Sending {
        match self {
            Self::Memory(content) => {
                let (reading, progress) = content.read();
                Sending { body: Some(stream(reading)), progress, trouble: Trouble::default() }
            }
            Self::File { file, offset, length } => {
                let progress = Progress::new(*length as usize);
                let trouble = Trouble::default();
                let reading = FileReading {
                    file: Arc::clone(file),
                    next: *offset,
                    end: offset + length,
                    block: None,
                    lent: VecDeque::new(),
                    progress: progress.clone(),
                    trouble: trouble.clone(),
                };
                Sending { body: Some(stream(reading)), progress, trouble }
            }
        }
    }
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// A piece on its way.
pub(super) struct Sending {
    body: Option<ByteStream>,
    progress: Progress,
    trouble: Trouble,
}

/// Why a file could not be read on: the HTTP client tells only that the body broke off.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<io::Error>>>);

impl Sending {
    /// The body, once.
    pub(super) fn body(&mut self) -> ByteStream {
        self.body.take().unwrap_or_default()
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What kept the file from being read.
    pub(super) fn trouble(&self) -> Option<io::Error> {
        self.trouble.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Piece {
    /// What became of sending it: a file that cannot be read, or is no longer what was summed up, is not S3's failure.
    pub(super) fn judge<T>(&self, sending: &Sending, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let Err(failure) = outcome else { return outcome };
        if let Some(error) = sending.trouble() {
            return Err(Failure::Unsent(Arc::new(error)));
        }
        match self {
            Self::File { file, .. } if !file.is_same() => {
                Err(Failure::Unsent(Arc::new(io::Error::from(io::ErrorKind::UnexpectedEof))))
            }
            Self::File { .. } | Self::Memory(_) => Err(failure),
        }
    }

    /// The error of a file behind a call that was given up; otherwise the call, to be explained.
    pub(super) fn blame(&self, gave_up: GaveUp) -> Result<GaveUp, Error> {
        let (Self::File { file, .. }, GaveUp::Failure(Failure::Unsent(source), _)) = (self, &gave_up) else {
            return Ok(gave_up);
        };
        match source.downcast_ref::<io::Error>() {
            Some(error) => Err(file.error(error)),
            None => Ok(gave_up),
        }
    }
}

impl Watched {
    /// What `error` means: a file that ends too early was cut short meanwhile.
    pub(super) fn error(&self, error: &io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof || !self.is_same() {
            return Error::FileChanged { path: self.path.clone() };
        }
        let kept = error
            .raw_os_error()
            .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error);
        Error::file("read", &self.path, kept)
    }
}

/// A body that reads a stretch of a file, block by block.
struct FileReading {
    file: Arc<Watched>,
    next: u64,
    end: u64,
    /// A block that the disk was asked for.
    block: Option<JoinHandle<io::Result<Bytes>>>,
    /// Blocks that were handed out, oldest first: once the socket has taken one, its memory is read into again. A block of
    /// fresh memory costs more in page faults than reading the file into it.
    lent: VecDeque<Bytes>,
    progress: Progress,
    trouble: Trouble,
}

/// The most blocks that are waited for; the HTTP client holds one or two.
const LENT: usize = 4;

impl FileReading {
    /// The next block, if it is in memory; otherwise a thread is asked to read it.
    ///
    /// It nearly always is in memory, as it was summed up a moment ago. Copying it out takes less time than asking a thread
    /// for it does, and without a thread there is nothing that has to be woken twice a block.
    fn read(&mut self) -> Option<Bytes> {
        let (file, at) = (Arc::clone(&self.file), self.next);
        let length = (self.end - at).min(BLOCK as u64) as usize;
        let mut block = self.spare().unwrap_or_default();
        block.resize(length, 0);
        if let Some(read) = read_from_memory(&file.file, &mut block, at) {
            block.truncate(read);
            return Some(block.freeze());
        }
        self.block = Some(tokio::task::spawn_blocking(move || {
            file.file.read_exact_at(&mut block, at)?;
            Ok(block.freeze())
        }));
        None
    }

    /// The memory of a block that nobody holds any more.
    fn spare(&mut self) -> Option<BytesMut> {
        let oldest = self.lent.pop_front()?;
        match oldest.try_into_mut() {
            Ok(block) => Some(block),
            Err(held) => {
                if self.lent.len() < LENT {
                    self.lent.push_front(held);
                }
                None
            }
        }
    }
}

/// How much of `block` the page cache could fill from `at` on; `None` where the disk has to be asked, where the file system
/// cannot tell, at the end of the file, and with errors: who waits for the disk learns which it is.
#[cfg(target_os = "linux")]
fn read_from_memory(file: &File, block: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [io::IoSliceMut::new(block)], at, ReadWriteFlags::NOWAIT);
    read.ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
fn read_from_memory(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

impl Body for FileReading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.block.is_none() && self.next == self.end {
            return Poll::Ready(None);
        }
        let in_memory = if self.block.is_none() { self.read() } else { None };
        let read = match (in_memory, &mut self.block) {
            (Some(block), _) => Ok(block),
            (None, Some(asked)) => {
                let read = ready!(Pin::new(asked).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
                self.block = None;
                read
            }
            (None, None) => return Poll::Ready(None),
        };
        match read {
            Ok(block) => {
                self.next += block.len() as u64;
                self.lent.push_back(block.clone());
                self.progress.took(block.len());
                Poll::Ready(Some(Ok(Frame::data(block))))
            }
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                *self.trouble.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Poll::Ready(Some(Err(told)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.progress.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.progress.left() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn watched(bytes: &[u8]) -> (tempfile::NamedTempFile, Arc<Watched>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let watched = Watched::new(File::open(file.path()).unwrap(), file.path()).unwrap();
        (file, Arc::new(watched))
    }

    fn reading(file: &Arc<Watched>, offset: u64, end: u64) -> FileReading {
        let progress = Progress::new((end - offset) as usize);
        let (file, trouble) = (Arc::clone(file), Trouble::default());
        FileReading { file, next: offset, end, block: None, lent: VecDeque::new(), progress, trouble }
    }

    #[tokio::test]
    async fn a_stretch_of_a_file_in_memory_is_sent_without_a_thread_and_from_the_same_memory() {
        let bytes: Vec<u8> = (0..BLOCK * 5 + 7).map(|at| (at % 251) as u8).collect();
        let (_kept, file) = watched(&bytes);
        if read_from_memory(&file.file, &mut [0], 0).is_none() {
            return; // A file system that cannot tell: there is nothing to see here.
        }
        let mut reading = reading(&file, 3, bytes.len() as u64);
        let (mut sent, mut places) = (Vec::new(), std::collections::HashSet::new());
        loop {
            // Ready at once: a block from a thread never is.
            let frame = futures_util::FutureExt::now_or_never(reading.frame());
            let Some(frame) = frame.expect("no thread") else { break };
            let block = frame.unwrap().into_data().unwrap();
            places.insert(block.as_ptr());
            sent.extend_from_slice(&block);
        }
        assert!(sent == bytes[3..]);
        assert_eq!(places.len(), 1, "each block was given back before the next one was asked for");
    }

    #[tokio::test]
    async fn what_is_not_in_memory_or_not_there_is_asked_of_a_thread() {
        let (_kept, file) = watched(b"12345");
        let mut reading = reading(&file, 0, 6);
        let read = reading.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(&read[..], b"12345");
        // The file ends before the stretch does.
        let error = reading.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(
            Sending { body: None, progress: reading.progress.clone(), trouble: reading.trouble.clone() }
                .trouble()
                .is_some()
        );
    }
}
