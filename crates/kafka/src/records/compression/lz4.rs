use twox_hash::XxHash32;

use super::super::cursor::Cursor;
use super::{Codec, Malformed, grow};

/// The LZ4 frame format 1.6 (`doc/lz4_Frame_format.md` of the lz4 project).
const MAGIC: u32 = 0x184d_2204;
const SKIPPABLE: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;
/// The highest bit of a block's length: its bytes are not compressed.
const STORED: u32 = 1 << 31;
/// How far back a match may reach.
const WINDOW: usize = 64 << 10;
/// A byte of length stands for at most 255 bytes.
const MOST_EXPANSION: usize = 255;

/// The frame is taken apart here, block by block into the caller's buffer: `lz4_flex`'s own frame reader copies through a
/// buffer of its own, which costs a quarter of the speed.
pub(super) fn decompress(codec: Codec, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(input);
    let cut_off = || codec.corrupt("it ends within a frame");
    let mut any = false;
    while cursor.remaining() > 0 || !any {
        let magic = cursor.u32_le().ok_or_else(cut_off)?;
        if SKIPPABLE.contains(&magic) {
            let length = cursor.u32_le().ok_or_else(cut_off)?;
            cursor.take(length as usize).ok_or_else(cut_off)?;
            continue;
        }
        if magic != MAGIC {
            return Err(codec.corrupt(format_args!("{magic:#010x} begins no frame")));
        }
        let frame = Frame::read(codec, &mut cursor)?;
        frame.blocks(codec, &mut cursor, limit, out)?;
        any = true;
    }
    Ok(())
}

#[derive(Debug)]
struct Frame {
    independent: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_size: usize,
}

impl Frame {
    /// Reads what follows the magic number.
    fn read(codec: Codec, cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let cut_off = || codec.corrupt("it ends within a frame header");
        let mut peek = *cursor;
        let flags = cursor.u8().ok_or_else(cut_off)?;
        let sizes = cursor.u8().ok_or_else(cut_off)?;
        let flag = |bit: u8| flags & (1 << bit) != 0;
        if flags >> 6 != 1 {
            return Err(codec.corrupt(format_args!("its frame version is {}, known is 1", flags >> 6)));
        }
        if flag(1) || sizes & 0x8f != 0 {
            return Err(codec.corrupt("a reserved bit is set in its frame header"));
        }
        if flag(0) {
            return Err(codec.corrupt("it needs a dictionary"));
        }
        let block_size = match sizes >> 4 {
            size @ 4..=7 => 1 << (8 + 2 * size),
            size => return Err(codec.corrupt(format_args!("its block size is {size}; known are 4 to 7"))),
        };
        let content_size = if flag(3) { Some(cursor.u64_le().ok_or_else(cut_off)?) } else { None };
        let descriptor = peek.take(if flag(3) { 10 } else { 2 }).ok_or_else(cut_off)?;
        let checksum = cursor.u8().ok_or_else(cut_off)?;
        if codec != Codec::Lz4V0 && checksum != (XxHash32::oneshot(0, descriptor) >> 8) as u8 {
            return Err(codec.corrupt("the checksum of its frame header is wrong"));
        }
        Ok(Self { independent: flag(5), block_checksums: flag(4), content_checksum: flag(2), content_size, block_size })
    }

    fn blocks(&self, codec: Codec, cursor: &mut Cursor<'_>, limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let cut_off = || codec.corrupt("it ends within a block");
        let begin = out.len();
        loop {
            let word = cursor.u32_le().ok_or_else(cut_off)?;
            if word == 0 {
                break;
            }
            let length = (word & !STORED) as usize;
            if length > self.block_size {
                return Err(codec.corrupt(format_args!("a block of {length} bytes, above its {}", self.block_size)));
            }
            let block = cursor.take(length).ok_or_else(cut_off)?;
            if self.block_checksums && cursor.u32_le().ok_or_else(cut_off)? != XxHash32::oneshot(0, block) {
                return Err(codec.corrupt("the checksum of a block is wrong"));
            }
            if word & STORED != 0 {
                let start = grow(out, length, limit)?;
                out[start..].copy_from_slice(block);
            } else {
                self.block(codec, block, begin, limit, out)?;
            }
        }
        let content = &out[begin..];
        if self.content_checksum && cursor.u32_le().ok_or_else(cut_off)? != XxHash32::oneshot(0, content) {
            return Err(codec.corrupt("the checksum of its content is wrong"));
        }
        match self.content_size {
            Some(size) if size != content.len() as u64 => {
                Err(codec.corrupt(format_args!("its content is {} bytes, its header says {size}", content.len())))
            }
            _ => Ok(()),
        }
    }

    /// Decompresses one block behind what the frame, which begins at `begin`, has so far.
    fn block(
        &self,
        codec: Codec,
        block: &[u8],
        begin: usize,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        let most = self.block_size.min(block.len().saturating_mul(MOST_EXPANSION));
        // The last block of a batch near the limit may well be short, so the limit is applied to what it becomes.
        let start = grow(out, most, limit.saturating_add(most))?;
        let result = if self.independent {
            lz4_flex::block::decompress_into(block, &mut out[start..])
        } else {
            let (before, room) = out.split_at_mut(start);
            let history = &before[begin.max(start.saturating_sub(WINDOW))..];
            lz4_flex::block::decompress_into_with_dict(block, room, history)
        };
        let written = result.map_err(|error| codec.corrupt(error))?;
        out.truncate(start + written);
        if out.len() > limit { Err(Malformed::TooLarge(limit)) } else { Ok(()) }
    }
}
