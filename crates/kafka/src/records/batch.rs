use transit::{Arena, Offset};

use super::aborted::AbortedFilter;
use super::compression::{Codec, decompress};
use super::cursor::Cursor;
use super::frame::{Frame, V2_HEADER};
use super::malformed::{Malformed, RecordFlaw};
use crate::admin::Isolation;

const TIMESTAMP_TYPE: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
/// Where the checksum's cover begins.
const CRC_FROM: usize = 21;
/// The type of an abort marker in a control record's key (a commit marker is 1).
const ABORT: i16 = 0;
/// What one record and one header take in the arena's index, in bytes.
const INDEX_PER_RECORD: usize = 40;
const INDEX_PER_HEADER: usize = 16;

/// The header of a v2 batch whose checksum was right.
#[derive(Debug, Clone, Copy)]
struct Header {
    base_offset: i64,
    last_offset: i64,
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    count: i32,
}

impl Header {
    fn read(frame: &Frame<'_>) -> Result<Self, Malformed> {
        checksum(frame)?;
        let mut cursor = Cursor::at(frame.bytes, CRC_FROM);
        let mut read = || {
            let (attributes, last_offset_delta) = (cursor.i16()?, cursor.i32()?);
            let (base_timestamp, max_timestamp) = (cursor.i64()?, cursor.i64()?);
            let (producer_id, _epoch, _sequence) = (cursor.i64()?, cursor.i16()?, cursor.i32()?);
            Some((attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, cursor.i32()?))
        };
        let (attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, count) =
            read().ok_or(Malformed::Length(0))?;
        let last_offset = match frame.offset.checked_add(i64::from(last_offset_delta)) {
            Some(last) if last_offset_delta >= 0 && frame.offset >= 0 => last,
            _ => return Err(Malformed::LastOffsetDelta(last_offset_delta)),
        };
        if count < 0 {
            return Err(Malformed::Count(count));
        }
        let base_offset = frame.offset;
        Ok(Self { base_offset, last_offset, attributes, base_timestamp, max_timestamp, producer_id, count })
    }

    fn is(&self, flag: i16) -> bool {
        self.attributes & flag != 0
    }
}

/// Whether a v2 batch is as it was written.
pub(super) fn checksum(frame: &Frame<'_>) -> Result<(), Malformed> {
    let declared = Cursor::at(frame.bytes, CRC_FROM - 4).u32().unwrap_or_default();
    let actual = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &frame.bytes[CRC_FROM..]) as u32;
    if actual == declared { Ok(()) } else { Err(Malformed::Crc { actual, declared }) }
}

/// Puts the records of a v2 batch from offset `from` on into `arena`, which is empty; none if it is a control batch or
/// of an aborted transaction.
pub(super) fn decode(
    frame: &Frame<'_>,
    from: i64,
    isolation: Isolation,
    aborted: &mut AbortedFilter,
    limit: usize,
    arena: &mut Arena,
) -> Result<(), Malformed> {
    let header = Header::read(frame)?;
    let body = &frame.bytes[V2_HEADER..];
    if isolation == Isolation::ReadCommitted && header.producer_id >= 0 {
        aborted.reach(header.last_offset);
        if header.is(CONTROL) {
            if marks_abort(&header, body, limit, arena)? {
                aborted.close(header.producer_id);
            }
        } else if header.is(TRANSACTIONAL) && aborted.is_aborted(header.producer_id) {
            return Ok(());
        }
    }
    if header.is(CONTROL) || header.count == 0 {
        return Ok(());
    }
    records(&header, body, from, limit, arena)
}

/// Does to `aborted` what decoding the batch would. A damaged one changes nothing; it is named when it is decoded.
pub(super) fn pass_over(frame: &Frame<'_>, limit: usize, aborted: &mut AbortedFilter) {
    if frame.magic != 2 || aborted.is_empty() {
        return;
    }
    let Ok(header) = Header::read(frame) else { return };
    if header.producer_id >= 0 {
        aborted.reach(header.last_offset);
        let body = &frame.bytes[V2_HEADER..];
        if header.is(CONTROL) && marks_abort(&header, body, limit, &mut Arena::new()) == Ok(true) {
            aborted.close(header.producer_id);
        }
    }
}

/// Whether a control batch ends its producer's transaction by aborting it. Leaves the arena empty.
fn marks_abort(header: &Header, body: &[u8], limit: usize, arena: &mut Arena) -> Result<bool, Malformed> {
    records(header, body, i64::MIN, limit, arena)?;
    let marker = match arena.records().next() {
        // Compaction may have emptied the batch.
        None => Ok(false),
        Some(record) => {
            let mut key = Cursor::new(record.key.unwrap_or_default());
            // A later version of the key may only add to it, so the version itself does not matter (as in Java).
            match (key.i16(), key.i16()) {
                (Some(0..), Some(kind)) => Ok(kind == ABORT),
                _ => Err(Malformed::ControlKey),
            }
        }
    };
    arena.clear();
    marker
}

fn records(header: &Header, body: &[u8], from: i64, limit: usize, arena: &mut Arena) -> Result<(), Malformed> {
    // Out of the arena while its ranges are made, for the sake of the borrow; nothing is copied.
    let mut buffer = std::mem::take(arena.bytes_mut());
    let outcome = Codec::of((header.attributes & 7) as u8)
        .and_then(|codec| decompress(codec, body, limit, &mut buffer))
        .and_then(|()| parse(header, &buffer, from, limit, arena));
    *arena.bytes_mut() = buffer;
    outcome
}

fn parse(header: &Header, bytes: &[u8], from: i64, limit: usize, arena: &mut Arena) -> Result<(), Malformed> {
    // The index of tiny records outweighs their bytes, so it is bounded too.
    if header.count as usize > limit / INDEX_PER_RECORD {
        return Err(Malformed::TooLarge(limit));
    }
    let appended = header.is(TIMESTAMP_TYPE).then_some(header.max_timestamp);
    let mut at = 0;
    let mut previous = header.base_offset - 1;
    for index in 0..header.count {
        let flaw = |what| Malformed::Record { index, count: header.count, what };
        let mut outer = Cursor::at(bytes, at);
        let length = outer.varint().ok_or(flaw(RecordFlaw::CutOff))?;
        let length = usize::try_from(length).map_err(|_| flaw(RecordFlaw::Field))?;
        let (start, end) = outer.range(length).ok_or(flaw(RecordFlaw::CutOff))?;
        let headers_from = arena.header_count();
        let mut inner = Cursor::at(&bytes[..end], start);
        let record = record(&mut inner, arena).ok_or(flaw(RecordFlaw::Field))?;
        if inner.remaining() != 0 {
            return Err(flaw(RecordFlaw::Length));
        }
        at = end;
        let offset = header.base_offset + i64::from(record.offset_delta);
        // Otherwise a record could be handed out twice, by this batch or together with the next.
        if offset <= previous || offset > header.last_offset {
            return Err(flaw(RecordFlaw::Offset));
        }
        previous = offset;
        if arena.header_count() > limit / INDEX_PER_HEADER {
            return Err(Malformed::TooLarge(limit));
        }
        // A batch may begin before the offset that was asked for.
        if offset >= from {
            let timestamp = appended.unwrap_or(header.base_timestamp.wrapping_add(record.timestamp_delta));
            arena.push(Offset(offset), timestamp, record.key, record.value, headers_from);
        }
    }
    match bytes.len() - at {
        0 => Ok(()),
        left => Err(Malformed::Trailing(left)),
    }
}

struct Record {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<(usize, usize)>,
    value: Option<(usize, usize)>,
}

/// Reads one record; its headers go to the arena. `None` if a field reaches beyond the cursor's bytes.
#[inline]
fn record(cursor: &mut Cursor<'_>, arena: &mut Arena) -> Option<Record> {
    let _attributes = cursor.u8()?;
    let timestamp_delta = cursor.varlong()?;
    let offset_delta = cursor.varint()?;
    // Any negative length is null, as in Java.
    let length = cursor.varint()?;
    let key = cursor.nullable(length)?;
    let length = cursor.varint()?;
    let value = cursor.nullable(length)?;
    let headers = cursor.varint()?;
    if headers < 0 {
        return None;
    }
    for _ in 0..headers {
        let length = usize::try_from(cursor.varint()?).ok()?;
        let key = cursor.range(length)?;
        let length = cursor.varint()?;
        arena.push_header(key, cursor.nullable(length)?);
    }
    Some(Record { timestamp_delta, offset_delta, key, value })
}
