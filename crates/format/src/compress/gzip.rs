use super::deflate::{BitTail, Deflate};
use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};

use crate::{Output, Scratch};

/// RFC 1952: magic, deflate, no flags, no time, no extra flags, system unknown. What Java 16 and later write too.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// One gzip member over all tiles of an object.
///
/// One member, not one a tile, though that would be simpler: some readers (browsers, .NET before Core, Ruby's default)
/// stop at the end of the first. Each tile is compressed on its own, so that all that lies between two of them is the
/// checksum and the bits of a byte that is not full.
#[derive(Debug)]
pub(crate) struct Gzip {
    level: u32,
    crc: crc32fast::Hasher,
    raw: u64,
    tail: BitTail,
    begun: bool,
}

impl Gzip {
    pub(crate) fn new(level: i32) -> Self {
        Self {
            level: level.unsigned_abs(),
            crc: crc32fast::Hasher::new(),
            raw: 0,
            tail: BitTail::default(),
            begun: false,
        }
    }

    pub(crate) fn tile(&mut self, raw: &[u8], output: &mut Output, scratch: &mut Scratch) {
        self.crc.update(raw);
        self.raw += raw.len() as u64;
        let packed = &mut scratch.packed;
        packed.clear();
        if !self.begun {
            self.begun = true;
            packed.extend_from_slice(&HEADER);
        }
        if self.level == 1 {
            self.tail = scratch.deflate.get_or_insert_with(Deflate::new).tile(raw, self.tail, packed);
        } else {
            scratch.zlib.get_or_insert_with(|| Zlib::new(self.level)).tile(self.level, raw, packed);
        }
        output.push(Bytes::copy_from_slice(packed));
    }

    pub(crate) fn finish(&mut self, output: &mut Output) {
        let mut end = Vec::with_capacity(20);
        if !self.begun {
            end.extend_from_slice(&HEADER);
        }
        self.tail.finish(&mut end);
        end.extend_from_slice(&self.crc.clone().finalize().to_le_bytes());
        // Modulo 2^32, says the RFC.
        end.extend_from_slice(&(self.raw as u32).to_le_bytes());
        output.push(Bytes::from(end));
    }
}

/// zlib, for the levels above the first: slower and denser. Its tiles end on a byte boundary.
#[derive(Debug)]
pub(crate) struct Zlib {
    level: u32,
    context: Compress,
}

impl Zlib {
    fn new(level: u32) -> Self {
        Self { level, context: Compress::new(flate2::Compression::new(level), false) }
    }

    /// Appends `raw` as deflate blocks that refer to nothing before them and end on a byte boundary (an empty stored
    /// block, zlib's sync flush).
    fn tile(&mut self, level: u32, raw: &[u8], packed: &mut Vec<u8>) {
        if self.level != level {
            *self = Self::new(level);
        }
        self.context.reset();
        // Incompressible input grows by 5 bytes for each stored block of at most 64 KiB, and by the flush.
        packed.reserve(raw.len() + raw.len() / 1000 + 64);
        let mut done = 0;
        loop {
            let before = self.context.total_in();
            let status = self.context.compress_vec(&raw[done..], packed, FlushCompress::Sync);
            done += (self.context.total_in() - before) as usize;
            match status {
                // All of it is out only if the compressor did not stop for want of room.
                Ok(Status::Ok | Status::BufError) if done == raw.len() && packed.len() < packed.capacity() => return,
                Ok(_) => packed.reserve(packed.len().max(1024)),
                Err(error) => unreachable!("deflate refuses no input: {error}"),
            }
        }
    }
}
