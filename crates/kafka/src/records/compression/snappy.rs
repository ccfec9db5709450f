use super::super::cursor::Cursor;
use super::{Codec, Malformed, grow};

/// What the stream of Java's snappy library (xerial) begins with; two version numbers of 4 bytes follow.
const XERIAL: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_VERSIONS: usize = 8;
/// The densest element is a copy of 64 bytes in 3; the length in front adds a little.
const MOST_EXPANSION: usize = 22;

/// The Java client frames snappy in xerial's stream of blocks; librdkafka writes one raw block. Both are read.
pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !input.starts_with(XERIAL) {
        return block(input, limit, out);
    }
    let mut cursor = Cursor::new(input);
    let cut_off = || Codec::Snappy.corrupt("it ends within a block");
    while cursor.remaining() > 0 {
        // Streams may be joined end to end; a block's length never looks like the mark (it would be negative).
        if input[input.len() - cursor.remaining()..].starts_with(XERIAL) {
            cursor.take(XERIAL.len() + XERIAL_VERSIONS).ok_or_else(cut_off)?;
            continue;
        }
        let length = cursor.i32().and_then(|length| usize::try_from(length).ok()).ok_or_else(cut_off)?;
        block(cursor.take(length).ok_or_else(cut_off)?, limit, out)?;
    }
    Ok(())
}

fn block(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let length = snap::raw::decompress_len(input).map_err(|error| Codec::Snappy.corrupt(error))?;
    if length > input.len().saturating_mul(MOST_EXPANSION) {
        return Err(Codec::Snappy.corrupt(format_args!("{} bytes cannot become {length}", input.len())));
    }
    let start = grow(out, length, limit)?;
    let written =
        snap::raw::Decoder::new().decompress(input, &mut out[start..]).map_err(|error| Codec::Snappy.corrupt(error))?;
    out.truncate(start + written);
    Ok(())
}
