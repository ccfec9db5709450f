use std::io::{self, Read};

use super::batch::{Compression, HEADER, Header};

/// Where a record is in its partition and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
}

/// Calls `each` with every record of a whole batch until it says to stop. The one place where the broker looks inside a
/// batch: looking an offset up by time needs it.
pub(crate) fn stamps(batch: &[u8], mut each: impl FnMut(Stamp) -> bool) -> io::Result<()> {
    let header = Header::read(batch).ok_or_else(|| corrupt("the batch has no whole header"))?;
    let mut records = open(&header, &batch[HEADER..])?;
    for _ in 0..header.count {
        let length = varint(&mut records)?;
        let length = u64::try_from(length).map_err(|_| corrupt("a record has a negative length"))?;
        let mut record = records.by_ref().take(length);
        record.read_exact(&mut [0; 1])?;
        let timestamp_delta = varint(&mut record)?;
        let offset_delta = varint(&mut record)?;
        let timestamp =
            if header.is_log_append_time() { header.max_timestamp } else { header.base_timestamp + timestamp_delta };
        if !each(Stamp { offset: header.base_offset + offset_delta, timestamp }) {
            return Ok(());
        }
        io::copy(&mut record, &mut io::sink())?;
        if record.limit() != 0 {
            return Err(corrupt("a record is longer than its batch"));
        }
    }
    Ok(())
}

fn open<'a>(header: &Header, body: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match header.compression() {
        Some(Compression::None) => Box::new(body),
        Some(Compression::Gzip) => Box::new(io::BufReader::new(flate2::read::MultiGzDecoder::new(body))),
        Some(Compression::Snappy) => Box::new(io::Cursor::new(unsnap(body)?)),
        Some(Compression::Lz4) => Box::new(io::BufReader::new(lz4_flex::frame::FrameDecoder::new(body))),
        Some(Compression::Zstd) => Box::new(io::BufReader::new(zstd::stream::read::Decoder::with_buffer(body)?)),
        None => return Err(corrupt("the compression is not known")),
    })
}

/// Most that a snappy batch may unfold to. Snappy is unfolded whole; a batch of Kafka's greatest request size at
/// snappy's best ratio stays far below.
const UNSNAPPED_MAX: usize = 256 << 20;

/// Snappy as Kafka's clients write it: Java's frames (magic, two versions, then blocks with their length before them),
/// or a bare block.
fn unsnap(body: &[u8]) -> io::Result<Vec<u8>> {
    const MAGIC: &[u8] = b"\x82SNAPPY\0";
    let mut whole = Vec::new();
    let mut unfold = |block: &[u8]| -> io::Result<()> {
        let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
        if whole.len() + length > UNSNAPPED_MAX {
            return Err(corrupt("a snappy batch unfolds to too much"));
        }
        let from = whole.len();
        whole.resize(from + length, 0);
        snap::raw::Decoder::new().decompress(block, &mut whole[from..]).map_err(io::Error::other)?;
        Ok(())
    };
    if !body.starts_with(MAGIC) {
        unfold(body)?;
        return Ok(whole);
    }
    let mut rest = body.get(MAGIC.len() + 8..).ok_or_else(|| corrupt("a snappy frame has no whole header"))?;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, behind) = behind.split_at_checked(length).ok_or_else(|| corrupt("a snappy block is cut off"))?;
        unfold(block)?;
        rest = behind;
    }
    Ok(whole)
}

/// A zigzag varint of at most 64 bits.
fn varint(from: &mut impl Read) -> io::Result<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(corrupt("a varint does not end"))
}

fn corrupt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
