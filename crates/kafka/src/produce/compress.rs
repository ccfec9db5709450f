use std::io::Write;

use bytes::BufMut;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

/// How batches are compressed (`compression.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, at a level from 1 to 9.
    Gzip(u32),
    /// snappy, in the framing of Java's library.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard, at a level from -131072 to 22.
    Zstd(i32),
}

impl Compression {
    /// Bits 0 to 2 of a batch's attributes.
    pub(super) fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip(_) => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd(_) => 4,
        }
    }
}

/// What Java's `SnappyOutputStream` begins with: a mark, its version and the oldest that can read it.
const XERIAL: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Its block size.
const XERIAL_BLOCK: usize = 32 << 10;

/// Appends `input` compressed to `out`. The encoders write to memory, and cannot fail there.
pub(super) fn compress(compression: Compression, input: &[u8], out: &mut Vec<u8>) {
    const MEMORY: &str = "writing to memory does not fail";
    match compression {
        Compression::None => out.extend_from_slice(input),
        Compression::Gzip(level) => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
            encoder.write_all(input).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Compression::Snappy => {
            out.extend_from_slice(&XERIAL);
            let mut encoder = snap::raw::Encoder::new();
            for block in input.chunks(XERIAL_BLOCK) {
                let from = out.len();
                out.put_u32(0);
                out.resize(from + 4 + snap::raw::max_compress_len(block.len()), 0);
                let length = encoder.compress(block, &mut out[from + 4..]).expect("there is room for the worst case");
                out.truncate(from + 4 + length);
                out[from..from + 4].copy_from_slice(&(length as u32).to_be_bytes());
            }
        }
        Compression::Lz4 => {
            // Independent blocks: Java's reader knows no others.
            let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
            let mut encoder = FrameEncoder::with_frame_info(info, out);
            encoder.write_all(input).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
        Compression::Zstd(level) => {
            let mut encoder = zstd::stream::write::Encoder::new(out, level).expect("the level was checked");
            encoder.write_all(input).expect(MEMORY);
            encoder.finish().expect(MEMORY);
        }
    }
}
