//! The codecs of record batches. Each decompresses to the end of the caller's buffer, never beyond a limit, and never
//! reserves more than the compressed bytes can explain.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;

use super::malformed::Malformed;

/// How the records of a batch are compressed: bits 0 to 2 of its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    /// LZ4 frames of v0 messages: their header checksum was computed over the wrong bytes (KAFKA-3160), so it says
    /// nothing.
    Lz4V0,
    Zstd,
}

impl Codec {
    pub(super) fn of(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            _ => Err(Malformed::Codec(number)),
        }
    }

    fn corrupt(self, reason: impl fmt::Display) -> Malformed {
        Malformed::Compressed { codec: self, reason: reason.to_string() }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 | Self::Lz4V0 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Replaces the contents of `out` with the decompressed `input`, at most `limit` bytes.
pub(super) fn decompress(codec: Codec, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.clear();
    match codec {
        Codec::None if input.len() > limit => Err(Malformed::TooLarge(limit)),
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::decompress(input, limit, out),
        Codec::Snappy => snappy::decompress(input, limit, out),
        Codec::Lz4 | Codec::Lz4V0 => lz4::decompress(codec, input, limit, out),
        Codec::Zstd => zstd::decompress(input, limit, out),
    }
}

/// Lengthens `out` by `more` bytes, unless it would then exceed `limit`; answers where they begin.
fn grow(out: &mut Vec<u8>, more: usize, limit: usize) -> Result<usize, Malformed> {
    let start = out.len();
    match start.checked_add(more) {
        Some(end) if end <= limit => {
            out.resize(end, 0);
            Ok(start)
        }
        _ => Err(Malformed::TooLarge(limit)),
    }
}
