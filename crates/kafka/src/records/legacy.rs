use transit::{Arena, Offset};

use super::compression::{Codec, decompress};
use super::cursor::Cursor;
use super::frame::Frame;
use super::malformed::{Malformed, RecordFlaw};

const TIMESTAMP_TYPE: u8 = 1 << 3;

/// A message of format v0 or v1. Its ranges are in the bytes that it was read from.
#[derive(Debug, Clone, Copy)]
struct Message {
    attributes: u8,
    /// -1 in v0.
    timestamp: i64,
    key: Option<(usize, usize)>,
    value: Option<(usize, usize)>,
}

impl Message {
    /// Reads what stands in `bytes[start..end]`, where `start` is that of the offset in front of the message.
    fn read(bytes: &[u8], start: usize, end: usize, magic: i8) -> Result<Self, MessageFlaw> {
        let mut cursor = Cursor::at(&bytes[..end], start + 12);
        let cut_off = MessageFlaw::Flaw(RecordFlaw::CutOff);
        let declared = cursor.u32().ok_or(cut_off)?;
        let covered = bytes.get(start + 16..end).ok_or(cut_off)?;
        let actual = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, covered) as u32;
        if actual != declared {
            return Err(MessageFlaw::Crc { actual, declared });
        }
        if cursor.i8().ok_or(cut_off)? != magic {
            return Err(MessageFlaw::Flaw(RecordFlaw::Magic));
        }
        let field = MessageFlaw::Flaw(RecordFlaw::Field);
        let attributes = cursor.u8().ok_or(field)?;
        let timestamp = if magic == 0 { -1 } else { cursor.i64().ok_or(field)? };
        let length = cursor.i32().ok_or(field)?;
        let key = cursor.nullable(length).ok_or(field)?;
        let length = cursor.i32().ok_or(field)?;
        let value = cursor.nullable(length).ok_or(field)?;
        match cursor.remaining() {
            0 => Ok(Self { attributes, timestamp, key, value }),
            _ => Err(MessageFlaw::Flaw(RecordFlaw::Length)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum MessageFlaw {
    Crc { actual: u32, declared: u32 },
    Flaw(RecordFlaw),
}

impl MessageFlaw {
    /// As the flaw of a message that is not within another.
    fn outer(self) -> Malformed {
        match self {
            Self::Crc { actual, declared } => Malformed::Crc { actual, declared },
            Self::Flaw(what) => Malformed::Record { index: 0, count: 1, what },
        }
    }

    fn inner(self, index: usize) -> Malformed {
        let what = match self {
            Self::Crc { .. } => RecordFlaw::Crc,
            Self::Flaw(what) => what,
        };
        Malformed::Inner { index, what }
    }
}

/// Puts a message of format v0 or v1, or the messages compressed within it, from offset `from` on into `arena`, which is
/// empty.
pub(super) fn decode(frame: &Frame<'_>, from: i64, limit: usize, arena: &mut Arena) -> Result<(), Malformed> {
    let message = Message::read(frame.bytes, 0, frame.bytes.len(), frame.magic).map_err(MessageFlaw::outer)?;
    let codec = match Codec::of(message.attributes & 7)? {
        Codec::Lz4 if frame.magic == 0 => Codec::Lz4V0,
        // The format is older than zstd.
        Codec::Zstd => return Err(Malformed::Codec(4)),
        codec => codec,
    };
    let mut buffer = std::mem::take(arena.bytes_mut());
    let outcome = if codec == Codec::None {
        decompress(codec, frame.bytes, limit, &mut buffer).map(|()| {
            if frame.offset >= from {
                arena.push(Offset(frame.offset), message.timestamp, message.key, message.value, arena.header_count());
            }
        })
    } else {
        let set = message.value.map_or(&[][..], |(start, end)| &frame.bytes[start..end]);
        decompress(codec, set, limit, &mut buffer).and_then(|()| inner(frame, &message, &buffer, from, arena))
    };
    *arena.bytes_mut() = buffer;
    outcome
}

/// The messages of a compressed set. In v1 their offsets are relative, and the outer message has the last one's.
fn inner(frame: &Frame<'_>, outer: &Message, set: &[u8], from: i64, arena: &mut Arena) -> Result<(), Malformed> {
    let base = match frame.magic {
        0 => 0,
        _ => frame.offset.wrapping_sub(last_offset(set)?),
    };
    let (mut at, mut index, mut previous) = (0, 0, i64::MIN);
    while at < set.len() {
        let flaw = |what| Malformed::Inner { index, what };
        let (offset, end) = next(set, at).ok_or(flaw(RecordFlaw::CutOff))?;
        let message = Message::read(set, at, end, frame.magic).map_err(|message| message.inner(index))?;
        if message.attributes & 7 != 0 {
            return Err(flaw(RecordFlaw::Nested));
        }
        let offset = base.wrapping_add(offset);
        if offset <= previous || offset > frame.offset {
            return Err(flaw(RecordFlaw::Offset));
        }
        previous = offset;
        if offset >= from {
            let appended = outer.attributes & TIMESTAMP_TYPE != 0;
            let timestamp = if appended { outer.timestamp } else { message.timestamp };
            arena.push(Offset(offset), timestamp, message.key, message.value, arena.header_count());
        }
        (at, index) = (end, index + 1);
    }
    if index == 0 { Err(Malformed::EmptySet) } else { Ok(()) }
}

/// The offset of the message at `at` of a set, and where it ends.
fn next(set: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut cursor = Cursor::at(set, at);
    let offset = cursor.i64()?;
    let length = usize::try_from(cursor.i32()?).ok()?;
    Some((offset, cursor.range(length)?.1))
}

fn last_offset(set: &[u8]) -> Result<i64, Malformed> {
    let (mut at, mut index, mut last) = (0, 0, None);
    while at < set.len() {
        let (offset, end) = next(set, at).ok_or(Malformed::Inner { index, what: RecordFlaw::CutOff })?;
        last = Some(offset);
        (at, index) = (end, index + 1);
    }
    last.ok_or(Malformed::EmptySet)
}
