use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::batch::Header;

/// Bytes of batches between two entries of a segment's index: Kafka's `index.interval.bytes`.
const INDEX_INTERVAL: u64 = 4096;

/// A run of batches that lie behind one another, in memory or in one file, with a sparse index of offsets and times.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    /// Bytes of batches.
    pub(crate) size: u64,
    /// The greatest timestamp of its records; `i64::MIN` if it has none.
    pub(crate) max_timestamp: i64,
    index: Vec<Entry>,
    store: Store,
}

/// A place in a segment where a batch begins.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    position: u64,
    /// The greatest timestamp from here to the next entry.
    max_timestamp: i64,
}

#[derive(Debug)]
enum Store {
    /// Appended to; readers get copies.
    Open(Vec<u8>),
    /// Complete; readers share it.
    Frozen(Bytes),
    /// The file is opened for each use: a thousand partitions need no thousand file descriptors.
    File(PathBuf),
}

/// Batches to send, not yet read where they are in a file, so that no lock is held while they are.
#[derive(Debug, Clone)]
pub(crate) enum Slice {
    Memory(Bytes),
    File { path: PathBuf, position: u64, length: usize },
}

impl Slice {
    pub(crate) const EMPTY: Self = Self::Memory(Bytes::new());

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { length, .. } => *length,
        }
    }

    /// The bytes. Blocks if they are in a file.
    pub(crate) fn load(self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File { path, position, length } => {
                let mut bytes = vec![0; length];
                File::open(path)?.read_exact_at(&mut bytes, position)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Segment {
    /// An empty segment in memory.
    pub(crate) fn in_memory(base_offset: i64) -> Self {
        Self::new(base_offset, Store::Open(Vec::new()))
    }

    /// An empty segment in a new file of `dir`.
    pub(crate) fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = dir.join(format!("{base_offset:020}.log"));
        // Truncated: a file of that name can only be the rest of an append that failed.
        File::create(&path)?;
        Ok(Self::new(base_offset, Store::File(path)))
    }

    /// A segment from a file that was written before, still without its index: [`Segment::restore`] makes it.
    pub(crate) fn open(path: PathBuf, base_offset: i64) -> Self {
        Self::new(base_offset, Store::File(path))
    }

    fn new(base_offset: i64, store: Store) -> Self {
        Self { base_offset, size: 0, max_timestamp: i64::MIN, index: Vec::new(), store }
    }

    /// Appends a batch as it is.
    pub(crate) fn append(&mut self, batch: &[u8], header: &Header) -> io::Result<()> {
        match &mut self.store {
            Store::Open(bytes) => bytes.extend_from_slice(batch),
            Store::Frozen(_) => unreachable!("only the last segment of a log is appended to"),
            // At a position, not at the end: what a failed append left behind is written over.
            Store::File(path) => OpenOptions::new().write(true).open(path)?.write_all_at(batch, self.size)?,
        }
        self.note(header);
        Ok(())
    }

    /// Enters a batch that lies at the end into the index.
    fn note(&mut self, header: &Header) {
        match self.index.last_mut() {
            Some(last) if self.size - last.position < INDEX_INTERVAL => {
                last.max_timestamp = last.max_timestamp.max(header.max_timestamp);
            }
            _ => self.index.push(Entry {
                offset: header.base_offset,
                position: self.size,
                max_timestamp: header.max_timestamp,
            }),
        }
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        self.size += header.size as u64;
    }

    /// No more is appended: in memory, readers share it from now on; a file is made durable.
    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        match &mut self.store {
            Store::Open(bytes) => self.store = Store::Frozen(std::mem::take(bytes).into()),
            Store::Frozen(_) => {}
            Store::File(_) => self.sync()?,
        }
        Ok(())
    }

    /// Makes a file durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match &self.store {
            Store::Open(_) | Store::Frozen(_) => Ok(()),
            Store::File(path) => File::open(path)?.sync_data(),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match &self.store {
            Store::Open(_) | Store::Frozen(_) => Ok(()),
            Store::File(path) => fs::remove_file(path),
        }
    }

    /// Reads a file written before: calls `each` with every batch and builds the index. Whatever does not read as a
    /// batch ends the segment and is cut off; false if that was so. `accept` sees the header and the batch's position
    /// and may end it too.
    pub(crate) fn restore(&mut self, mut accept: impl FnMut(&Self, &Header) -> io::Result<bool>) -> io::Result<bool> {
        let Store::File(path) = &self.store else { return Ok(true) };
        let path = path.clone();
        let length = fs::metadata(&path)?.len();
        while self.size < length {
            let header = self.header_at(self.size, length)?;
            let whole = header.filter(|header| self.size + header.size as u64 <= length && header.magic == 2);
            match whole {
                Some(header) if accept(self, &header)? => self.note(&header),
                _ => {
                    OpenOptions::new().write(true).open(&path)?.set_len(self.size)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn header_at(&self, position: u64, end: u64) -> io::Result<Option<Header>> {
        let length = (end - position).min(super::batch::HEADER as u64);
        Ok(Header::read(&self.window(position, length as usize)?))
    }

    /// Bytes to look at, not to send.
    pub(crate) fn window(&self, position: u64, length: usize) -> io::Result<Cow<'_, [u8]>> {
        let from = position as usize;
        match &self.store {
            Store::Open(bytes) => Ok(Cow::Borrowed(&bytes[from..from + length])),
            Store::Frozen(bytes) => Ok(Cow::Borrowed(&bytes[from..from + length])),
            Store::File(path) => {
                let mut bytes = vec![0; length];
                File::open(path)?.read_exact_at(&mut bytes, position)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Bytes to send.
    pub(crate) fn slice(&self, position: u64, length: usize) -> Slice {
        let from = position as usize;
        match &self.store {
            Store::Open(bytes) => Slice::Memory(Bytes::copy_from_slice(&bytes[from..from + length])),
            Store::Frozen(bytes) => Slice::Memory(bytes.slice(from..from + length)),
            Store::File(path) => Slice::File { path: path.clone(), position, length },
        }
    }

    /// The first batch that holds `offset` or a later one, with its position.
    pub(crate) fn batch_of(&self, offset: i64) -> io::Result<Option<(u64, Header)>> {
        let at = self.index.partition_point(|entry| entry.offset <= offset).saturating_sub(1);
        self.scan(at, at + 2, |header| header.last_offset() >= offset)
    }

    /// The first batch with a record of this time or later, looking no further back than `from`.
    pub(crate) fn batch_since(&self, timestamp: i64, from: i64) -> io::Result<Option<(u64, Header)>> {
        for at in 0..self.index.len() {
            if self.index[at].max_timestamp >= timestamp {
                let wanted = |header: &Header| header.max_timestamp >= timestamp && header.last_offset() >= from;
                if let Some(found) = self.scan(at, at + 1, wanted)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The first batch between two entries of the index that `wanted` is true of.
    fn scan(&self, from: usize, to: usize, wanted: impl Fn(&Header) -> bool) -> io::Result<Option<(u64, Header)>> {
        let Some(entry) = self.index.get(from) else { return Ok(None) };
        let end = self.index.get(to).map_or(self.size, |next| next.position);
        let mut position = entry.position;
        // A few small batches lie between two entries; a large one is stepped over without being read.
        let mut window: (u64, Cow<'_, [u8]>) = (position, Cow::Borrowed(&[]));
        while position < end {
            let known = Header::read(window.1.get((position - window.0) as usize..).unwrap_or_default());
            let header = if let Some(header) = known {
                header
            } else {
                window = (position, self.window(position, (self.size - position).min(INDEX_INTERVAL) as usize)?);
                let torn = || io::Error::new(io::ErrorKind::InvalidData, format!("no record batch at {position}"));
                Header::read(&window.1).ok_or_else(torn)?
            };
            if wanted(&header) {
                return Ok(Some((position, header)));
            }
            position += header.size as u64;
        }
        Ok(None)
    }
}
