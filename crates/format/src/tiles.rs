use bytes::Bytes;

use crate::compress::{Gzip, Snappy, Zstd};
use crate::{Codec, Compression, Output, Scratch};

/// Raw bytes that are compressed at a time. Large enough that a tile's start, where nothing can be referred back to yet,
/// does not matter (deflate looks back 32 KiB); small enough to stay in the second-level cache while it is encoded and
/// compressed, and for a thousand open objects to have half of one pending each.
const TILE: usize = 128 << 10;

/// The bytes of one object: records as they are encoded, and what is finished of them.
#[derive(Debug)]
pub(crate) struct Tiles {
    pending: Vec<u8>,
    output: Output,
    /// Raw bytes that have left `pending`.
    settled: u64,
    state: State,
}

/// What a codec remembers from tile to tile.
#[derive(Debug)]
enum State {
    None,
    Gzip(Gzip),
    Snappy(Snappy),
    Zstd(Zstd),
}

impl Tiles {
    pub(crate) fn new(compression: Compression) -> Self {
        let level = compression.level();
        let state = match compression.codec() {
            Codec::None => State::None,
            Codec::Gzip => State::Gzip(Gzip::new(level)),
            Codec::Snappy => State::Snappy(Snappy::default()),
            Codec::Zstd => State::Zstd(Zstd::new(level)),
        };
        Self { pending: Vec::new(), output: Output::default(), settled: 0, state }
    }

    /// Where to append.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// To be called after each record, `len` bytes long: finishes a tile that would not hold another one like it.
    #[inline]
    pub(crate) fn settle(&mut self, len: usize, scratch: &mut Scratch) {
        if self.pending.len() + len > TILE {
            self.tile(scratch);
        }
    }

    /// Compresses what is pending.
    pub(crate) fn tile(&mut self, scratch: &mut Scratch) {
        if self.pending.is_empty() {
            return;
        }
        self.settled += self.pending.len() as u64;
        match &mut self.state {
            State::None => {
                // An object that filled one tile will likely fill the next.
                let next = if self.pending.len() >= TILE / 2 { Vec::with_capacity(TILE) } else { Vec::new() };
                let mut chunk = std::mem::replace(&mut self.pending, next);
                if chunk.capacity() - chunk.len() > chunk.len() / 8 {
                    chunk.shrink_to_fit();
                }
                self.output.push(Bytes::from(chunk));
                return;
            }
            State::Gzip(gzip) => gzip.tile(&self.pending, &mut self.output, scratch),
            State::Snappy(snappy) => snappy.tile(&self.pending, &mut self.output, scratch),
            State::Zstd(zstd) => zstd.tile(&self.pending, &mut self.output, scratch),
        }
        // Given back rather than kept: an object that is idle from now on costs nothing but its output.
        self.pending = Vec::new();
    }

    /// Compresses what is pending and writes the end.
    pub(crate) fn finish(&mut self, scratch: &mut Scratch) {
        self.tile(scratch);
        self.pending = Vec::new();
        match &mut self.state {
            State::None => {}
            State::Gzip(gzip) => gzip.finish(&mut self.output),
            State::Snappy(snappy) => snappy.finish(&mut self.output),
            State::Zstd(zstd) => zstd.finish(&mut self.output),
        }
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(crate) fn memory(&self) -> usize {
        self.pending.capacity() + self.output.memory()
    }

    pub(crate) fn raw_bytes(&self) -> u64 {
        self.settled + self.pending.len() as u64
    }
}
