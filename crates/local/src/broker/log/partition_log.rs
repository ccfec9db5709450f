use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::{fs, str};

use kafka_protocol::ResponseError;

use super::batch::{self, Header, Refusal};
use super::memory::Memory;
use super::producers::Producers;
use super::records::{self, Stamp};
use super::segment::{Segment, Slice};

/// Bytes of a segment in memory: the grain at which memory is shared with readers and given back by retention.
const MEMORY_SEGMENT: u64 = 1 << 20;

/// The leader epoch of every partition: one node leads from the beginning, so that it never grows.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// File beside the segments that says where the log begins, once records were deleted.
const START_FILE: &str = "log-start-offset";

/// Where a log keeps its batches.
#[derive(Debug)]
pub(crate) enum Storage {
    Memory(Memory),
    /// A directory of this partition alone.
    Directory(PathBuf),
}

/// The topic's configuration as far as its logs obey it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `segment.bytes`.
    pub(crate) segment_bytes: u64,
    /// `retention.bytes`; `None` for no limit.
    pub(crate) retention_bytes: Option<u64>,
    /// `retention.ms`; `None` for no limit.
    pub(crate) retention_millis: Option<i64>,
    /// `message.timestamp.type=LogAppendTime`.
    pub(crate) append_time: bool,
}

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    storage: Storage,
    settings: Settings,
    /// By base offset, never empty; only the last one is appended to.
    segments: VecDeque<Segment>,
    start_offset: i64,
    end_offset: i64,
    producers: Producers,
    /// Whether something was appended since the last [`Log::sync`].
    unsynced: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The time of append, where the topic has that; else -1, as Kafka answers it.
    pub(crate) append_time: i64,
    /// Bytes that readers can now have; 0 for a batch that was there already.
    pub(crate) bytes: usize,
}

/// An offset that the log does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

impl Log {
    /// An empty log, in memory or in a new directory.
    pub(crate) fn create(storage: Storage, settings: Settings) -> io::Result<Self> {
        let first = match &storage {
            Storage::Memory(_) => Segment::in_memory(0),
            Storage::Directory(dir) => {
                fs::create_dir_all(dir)?;
                Segment::create(dir, 0)?
            }
        };
        Ok(Self {
            storage,
            settings,
            segments: VecDeque::from([first]),
            start_offset: 0,
            end_offset: 0,
            producers: Producers::default(),
            unsynced: false,
        })
    }

    /// Reads a log that was written before. A tail that was cut off, or whose checksum is wrong, is dropped: a process
    /// that was killed leaves one.
    pub(crate) fn open(dir: PathBuf, settings: Settings) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let base = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")?.parse::<i64>().ok());
            files.extend(base.map(|base| (base, path)));
        }
        files.sort();
        let Some(first) = files.first().map(|(base, _)| *base) else {
            return Self::create(Storage::Directory(dir), settings);
        };
        let mut log = Self {
            segments: VecDeque::new(),
            start_offset: read_start(&dir.join(START_FILE))?.unwrap_or(first).max(first),
            end_offset: first,
            producers: Producers::default(),
            unsynced: false,
            storage: Storage::Directory(dir),
            settings,
        };
        let count = files.len();
        let mut whole = true;
        for (number, (base, path)) in files.into_iter().enumerate() {
            // What lies behind a damaged place cannot be reached without a gap.
            if !whole || base != log.end_offset {
                whole = false;
                fs::remove_file(path)?;
                continue;
            }
            // Earlier segments were made durable when they were completed; only the last one can be torn.
            whole = log.restore(Segment::open(path, base), number + 1 == count)?;
        }
        log.end_offset = log.end_offset.max(log.start_offset);
        Ok(log)
    }

    fn restore(&mut self, mut segment: Segment, check: bool) -> io::Result<bool> {
        let (end_offset, producers) = (&mut self.end_offset, &mut self.producers);
        let whole = segment.restore(|segment, header| {
            let sound = header.base_offset == *end_offset
                && header.count > 0
                && header.last_offset_delta >= 0
                && (!check || batch::is_intact(&segment.window(segment.size, header.size)?));
            if sound {
                *end_offset = header.last_offset() + 1;
                producers.remember(header, header.base_offset, header.max_timestamp);
            }
            Ok(sound)
        })?;
        self.segments.push_back(segment);
        Ok(whole)
    }

    /// The first offset that can be read.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record will get; the high watermark, as there is one replica.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Bytes of all batches.
    pub(crate) fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// The greatest producer id seen.
    pub(crate) fn greatest_producer_id(&self) -> Option<i64> {
        self.producers.greatest_id()
    }

    /// The topic's configuration was changed.
    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Appends a batch that [`batch::validate`] has accepted. `now_millis` is the time of append.
    pub(crate) fn append(&mut self, records: &[u8], header: &Header, now_millis: i64) -> Result<Appended, Refusal> {
        let append_time = |timestamp| if self.settings.append_time { timestamp } else { -1 };
        if let Some(known) = self.producers.check(header)? {
            return Ok(Appended {
                base_offset: known.base_offset,
                append_time: append_time(known.timestamp),
                bytes: 0,
            });
        }
        let size = header.size as u64;
        if let Storage::Memory(memory) = &self.storage
            && !memory.take(size)
        {
            return Err(Refusal::new(
                ResponseError::PolicyViolation,
                format!(
                    "the embedded broker already holds its limit of {} bytes in memory; give it a directory, raise the \
                     limit, or set retention.bytes of the topics",
                    memory.limit
                ),
            ));
        }
        let placed = Header { base_offset: self.end_offset, ..*header };
        let append_time = append_time(now_millis);
        let stored = self.store(records, placed, now_millis).inspect_err(|_| {
            if let Storage::Memory(memory) = &self.storage {
                memory.give_back(size);
            }
        });
        stored.map_err(|error| {
            Refusal::new(ResponseError::KafkaStorageError, format!("the batch could not be written: {error}"))
        })?;
        Ok(Appended { base_offset: placed.base_offset, append_time, bytes: header.size })
    }

    fn store(&mut self, records: &[u8], mut header: Header, now_millis: i64) -> io::Result<()> {
        let segment_bytes = match &self.storage {
            Storage::Memory(_) => self.settings.segment_bytes.min(MEMORY_SEGMENT),
            Storage::Directory(_) => self.settings.segment_bytes,
        };
        let open = self.open_segment();
        if open.size > 0 && open.size + header.size as u64 > segment_bytes {
            self.roll()?;
        }
        let mut batch = records.to_vec();
        batch::place(&mut batch, header.base_offset, LEADER_EPOCH);
        if self.settings.append_time {
            batch::stamp(&mut batch, header.attributes, now_millis);
            header.max_timestamp = now_millis;
        }
        self.open_segment().append(&batch, &header)?;
        self.unsynced = true;
        self.end_offset = header.last_offset() + 1;
        self.producers.remember(&header, header.base_offset, header.max_timestamp);
        Ok(())
    }

    fn open_segment(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log has at least one segment")
    }

    /// Completes the last segment and begins another.
    fn roll(&mut self) -> io::Result<()> {
        self.open_segment().freeze()?;
        let next = match &self.storage {
            Storage::Memory(_) => Segment::in_memory(self.end_offset),
            Storage::Directory(dir) => Segment::create(dir, self.end_offset)?,
        };
        self.segments.push_back(next);
        Ok(())
    }

    /// At most `max_bytes` from the batch that holds `offset`. Like Kafka it cuts where the bytes end, in the middle of
    /// a batch if need be, but begins with a whole batch: where that does not fit there is nothing, or, if
    /// `at_least_one`, that batch alone.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> io::Result<Result<Slice, OutOfRange>> {
        if offset < self.start_offset || offset > self.end_offset {
            return Ok(Err(OutOfRange));
        }
        let at = self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        let segment = &self.segments[at];
        let Some((position, first)) = segment.batch_of(offset)? else { return Ok(Ok(Slice::EMPTY)) };
        let length = max_bytes.min((segment.size - position) as usize);
        Ok(Ok(if length >= first.size {
            segment.slice(position, length)
        } else if at_least_one {
            segment.slice(position, first.size)
        } else {
            Slice::EMPTY
        }))
    }

    /// The first record with this timestamp or a later one.
    pub(crate) fn since(&self, timestamp: i64) -> io::Result<Option<Stamp>> {
        for segment in self.segments.iter().filter(|segment| segment.max_timestamp >= timestamp) {
            let Some((position, header)) = segment.batch_since(timestamp, self.start_offset)? else { continue };
            let mut found = None;
            records::stamps(&segment.window(position, header.size)?, |stamp| {
                let is_it = stamp.timestamp >= timestamp && stamp.offset >= self.start_offset;
                found = is_it.then_some(stamp);
                !is_it
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the greatest timestamp, the first of several.
    pub(crate) fn newest(&self) -> io::Result<Option<Stamp>> {
        let timestamp = self.segments.iter().map(|segment| segment.max_timestamp).max();
        match timestamp {
            Some(timestamp) if timestamp > i64::MIN => self.since(timestamp),
            _ => Ok(None),
        }
    }

    /// Deletes the records before `offset` (`DeleteRecords`). They are gone at once; their memory or file when a whole
    /// segment is.
    pub(crate) fn delete_before(&mut self, offset: i64) -> io::Result<Result<(), OutOfRange>> {
        if offset > self.end_offset || offset < 0 {
            return Ok(Err(OutOfRange));
        }
        self.start_offset = self.start_offset.max(offset);
        if let Storage::Directory(dir) = &self.storage {
            fs::write(dir.join(START_FILE), self.start_offset.to_string())?;
        }
        if self.start_offset == self.end_offset && self.open_segment().size > 0 {
            self.roll()?;
        }
        while self.segments.get(1).is_some_and(|next| next.base_offset <= self.start_offset) {
            self.drop_first()?;
        }
        Ok(Ok(()))
    }

    /// Removes the segments that `retention.bytes` and `retention.ms` do not keep. The last one always stays.
    pub(crate) fn retain(&mut self, now_millis: i64) -> io::Result<()> {
        let Settings { retention_bytes, retention_millis, .. } = self.settings;
        let mut size = self.size();
        while self.segments.len() > 1 {
            let first = &self.segments[0];
            let too_much = retention_bytes.is_some_and(|most| size - first.size >= most);
            let too_old = retention_millis.is_some_and(|most| first.max_timestamp < now_millis.saturating_sub(most));
            if !too_much && !too_old {
                break;
            }
            size -= first.size;
            self.start_offset = self.start_offset.max(self.segments[1].base_offset);
            self.drop_first()?;
        }
        Ok(())
    }

    fn drop_first(&mut self) -> io::Result<()> {
        let Some(first) = self.segments.pop_front() else { return Ok(()) };
        if let Storage::Memory(memory) = &self.storage {
            memory.give_back(first.size);
        }
        first.remove()
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.open_segment().sync()?;
        }
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Storage::Memory(memory) = &self.storage {
            memory.give_back(self.size());
        }
    }
}

fn read_start(path: &std::path::Path) -> io::Result<Option<i64>> {
    match fs::read(path) {
        Ok(text) => Ok(str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
