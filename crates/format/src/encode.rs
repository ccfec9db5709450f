use bytes::Bytes;
use data::{ConverterScratch, RecordFault, RecordView};

use crate::compress::{Deflate, Zlib, ZstdContext};

/// Turns the records of one object into its bytes.
///
/// Moved between threads with its object; never used by two at once.
pub trait Encode: Send {
    /// Appends a record. On an error nothing of it has been appended and the encoder goes on with the next one.
    fn record(&mut self, record: &RecordView<'_>, scratch: &mut Scratch) -> Result<(), RecordFault>;

    /// Writes what ends the object (closing bracket, last tile, trailer). No record may follow.
    fn finish(&mut self, scratch: &mut Scratch);

    /// Compresses what is pending, so that memory is held in its smaller form. Costs a little ratio.
    fn squeeze(&mut self, scratch: &mut Scratch);

    /// The finished bytes that have not been taken yet.
    fn output(&mut self) -> &mut Output;

    /// Bytes of memory held: pending records, finished output, buffers' slack.
    fn memory(&self) -> usize;

    /// Bytes of encoded records so far, before compression.
    fn raw_bytes(&self) -> u64;
}

/// Finished bytes of an object, in order, as chunks that are never copied together.
#[derive(Debug, Default)]
pub struct Output {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Output {
    /// Appends a chunk.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push(chunk);
        }
    }

    /// Bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        self.len + self.chunks.capacity() * size_of::<Bytes>()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes everything.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.len = 0;
        std::mem::take(&mut self.chunks)
    }
}

/// What a thread that encodes keeps between objects: compressor contexts and buffers. One per compute thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) converters: ConverterScratch,
    /// Where a tile is compressed to, before its size is known.
    pub(crate) packed: Vec<u8>,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) zlib: Option<Zlib>,
    pub(crate) snappy: Option<snap::raw::Encoder>,
    pub(crate) zstd: Option<ZstdContext>,
}
