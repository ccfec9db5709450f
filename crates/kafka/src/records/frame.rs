use super::cursor::Cursor;
use super::malformed::Malformed;

/// Bytes before the part that the length field counts: base offset and the length itself.
const LOG_OVERHEAD: usize = 12;
/// Where the format version stands, in all three formats.
const MAGIC_AT: usize = 16;
/// The header of a v2 batch.
pub(super) const V2_HEADER: usize = 61;
/// The least that the length field of a v0 message can say: crc, magic, attributes, and two lengths.
const LEAST_LEGACY: usize = 14;

/// What lies at some place of the fetched bytes.
#[derive(Debug)]
pub(super) enum Framed<'a> {
    /// Nothing whole: the end, or a batch that the response cut off, which the next fetch brings whole.
    End,
    /// The length or the offset makes no sense, so that nothing from here on can be told apart.
    Lost(Malformed),
    /// A record batch (v2), or a message (v0, v1).
    Whole(Frame<'a>),
}

/// The bytes of one record batch, and what must be known of it before its checksum is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// From the base offset to the end.
    pub(super) bytes: &'a [u8],
    /// The format version.
    pub(super) magic: i8,
    /// The number in front: the first offset of a v2 batch, the last one of an old message set.
    pub(super) offset: i64,
}

impl<'a> Frame<'a> {
    /// What lies at the front of `bytes`, behind a frame whose number in front is `previous`.
    pub(super) fn at(bytes: &'a [u8], previous: i64) -> Framed<'a> {
        let mut cursor = Cursor::new(bytes);
        let (Some(offset), Some(length)) = (cursor.i64(), cursor.i32()) else { return Framed::End };
        let Some(&magic) = bytes.get(MAGIC_AT) else { return Framed::End };
        let least = if magic == 2 { V2_HEADER - LOG_OVERHEAD } else { LEAST_LEGACY };
        match usize::try_from(length) {
            Ok(declared) if declared >= least => match bytes.get(..LOG_OVERHEAD + declared) {
                // The checksum does not cover it, but it rises from frame to frame, in all formats.
                Some(_) if offset <= previous => Framed::Lost(Malformed::Order { offset, previous }),
                Some(bytes) => Framed::Whole(Self { bytes, magic: magic as i8, offset }),
                None => Framed::End,
            },
            _ => Framed::Lost(Malformed::Length(length)),
        }
    }

    /// The leader epoch under which it was written, -1 in the old formats.
    pub(super) fn leader_epoch(&self) -> i32 {
        if self.magic == 2 { Cursor::at(self.bytes, LOG_OVERHEAD).i32().unwrap_or(-1) } else { -1 }
    }

    /// The last offset that it claims; at least the first one, however damaged it is.
    pub(super) fn last_offset(&self) -> i64 {
        if self.magic != 2 {
            return self.offset;
        }
        // Its place in the v2 header, whose presence was checked above.
        let delta = Cursor::at(self.bytes, 23).i32().unwrap_or(0);
        self.offset.saturating_add(i64::from(delta.max(0)))
    }
}
