//! One zstd frame over all tiles of an object.
//!
//! zstd's own way to compress piece by piece keeps a context of a megabyte for each object. A frame for each tile would
//! do without, and RFC 8878 allows frames one behind the other; but many readers stop silently at the end of the first
//! (Node's, Ruby's and .NET's streams did, Python's `decompressobj` does), and half an object is lost. So each tile is
//! compressed as a frame of its own, and the blocks of those frames are put into one.
//!
//! Blocks of one frame lean on the blocks before them in three ways. Two cannot happen, for a frame's first blocks have
//! nothing to lean on: tables that are used again, and matches that reach back. The third can: a sequence may name one of
//! the three offsets used last, and a new frame has three to begin with, which is not what the decoder has at this place.
//! [`offsets`] looks whether the first sequences of a tile do that. Few do (a tile that begins with a run of equal
//! bytes); those begin behind the offending match instead, and what lies before goes uncompressed.

mod bits;
mod fse;
mod offsets;

use std::fmt;

use bytes::Bytes;
use zstd::zstd_safe::{CCtx, CParameter, ErrorCode, SafeResult, compress_bound, get_error_name};

use crate::{Output, Scratch};
use offsets::{Offsets, Reach};

/// The window that all blocks stay within, as a power of two: a tile's size. A decoder needs that much memory.
const WINDOW_LOG: u32 = 17;
/// Magic number, no flags, the window: RFC 8878, 3.1.1.1. Without the content's size, which is not known when the
/// frame begins.
const HEADER: [u8; 6] = [0x28, 0xB5, 0x2F, 0xFD, 0, ((WINDOW_LOG - 10) << 3) as u8];
/// A last block of nothing.
const LAST_BLOCK: [u8; 3] = [1, 0, 0];
/// What RFC 8878 allows in a block.
const MAX_BLOCK: usize = 128 << 10;

#[derive(Debug)]
pub(crate) struct Zstd {
    level: i32,
    begun: bool,
}

impl Zstd {
    pub(crate) fn new(level: i32) -> Self {
        Self { level, begun: false }
    }

    pub(crate) fn tile(&mut self, raw: &[u8], output: &mut Output, scratch: &mut Scratch) {
        let packed = &mut scratch.packed;
        packed.clear();
        if !self.begun {
            self.begun = true;
            packed.extend_from_slice(&HEADER);
        }
        scratch.zstd.get_or_insert_with(ZstdContext::new).tile(self.level, raw, packed);
        output.push(Bytes::copy_from_slice(packed));
    }

    pub(crate) fn finish(&mut self, output: &mut Output) {
        if !self.begun {
            output.push(Bytes::from_static(&HEADER));
        }
        output.push(Bytes::from_static(&LAST_BLOCK));
    }
}

/// A thread's zstd compressor.
pub(crate) struct ZstdContext {
    context: CCtx<'static>,
    level: Option<i32>,
    frame: Vec<u8>,
    offsets: Offsets,
}

impl ZstdContext {
    fn new() -> Self {
        let mut context = CCtx::create();
        for parameter in
            [CParameter::ContentSizeFlag(false), CParameter::ChecksumFlag(false), CParameter::WindowLog(WINDOW_LOG)]
        {
            expect(context.set_parameter(parameter));
        }
        Self { context, level: None, frame: Vec::new(), offsets: Offsets::default() }
    }

    fn set_level(&mut self, level: i32) {
        if self.level != Some(level) {
            self.level = Some(level);
            expect(self.context.set_parameter(CParameter::CompressionLevel(level)));
        }
    }

    /// Appends `raw` as blocks that may stand anywhere in a frame, none of them the last.
    fn tile(&mut self, level: i32, raw: &[u8], packed: &mut Vec<u8>) {
        let mut begin = 0;
        for attempt in 0.. {
            if begin == raw.len() {
                return;
            }
            // The strategies of the levels above reach for all three offsets from the first byte on.
            self.set_level(if attempt < 3 { level } else { level.min(9) });
            let rest = &raw[begin..];
            let bound = compress_bound(rest.len());
            if self.frame.len() < bound {
                self.frame.resize(bound, 0);
            }
            let len = expect(self.context.compress2(&mut self.frame[..], rest));
            let blocks = &self.frame[HEADER.len()..len];
            // A frame of another form would be one of another zstd than the one that is built in.
            assert_eq!(self.frame[..5], HEADER[..5], "a frame without checksum and content size");
            match self.offsets.reach(blocks) {
                Reach::Own => {
                    push_blocks(blocks, packed);
                    return;
                }
                Reach::Before { end } => {
                    // Somewhat more each time, then twice as much: a tile that does it all over is left out soon.
                    let least = if attempt < 8 { begin + begin / 4 } else { 2 * begin };
                    let end = (begin + end).max(least).min(raw.len());
                    push_plain(&raw[begin..end], packed);
                    begin = end;
                }
            }
        }
    }
}

/// The outcome of a call that fails only if it is called wrongly: a level out of range, a buffer too small.
fn expect(result: SafeResult) -> usize {
    match result {
        Ok(value) => value,
        Err(code) => unreachable!("zstd was called rightly: {}", describe(code)),
    }
}

fn describe(code: ErrorCode) -> &'static str {
    get_error_name(code)
}

/// A block's header: whether it is the last one, its type, its size.
fn block_header(bytes: [u8; 3]) -> (bool, u8, usize) {
    let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (bits & 1 == 1, (bits >> 1 & 3) as u8, (bits >> 3) as usize)
}

/// The types of blocks.
const RAW: u8 = 0;
const RUN: u8 = 1;
const COMPRESSED: u8 = 2;

/// Splits the first block off: its type and content.
fn split_block(blocks: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = blocks.split_first_chunk::<3>()?;
    let (_, kind, size) = block_header(*header);
    let len = if kind == RUN { 1 } else { size };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((kind, content, rest))
}

/// Appends blocks, the last one as one that is not.
fn push_blocks(blocks: &[u8], packed: &mut Vec<u8>) {
    let mut rest = blocks;
    while let Some((_, _, after)) = split_block(rest) {
        let at = packed.len();
        packed.extend_from_slice(&rest[..rest.len() - after.len()]);
        packed[at] &= !1;
        rest = after;
    }
}

/// Appends bytes without compressing them, save that a run of one byte is told as such.
fn push_plain(bytes: &[u8], packed: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let run = rest.iter().take(MAX_BLOCK).take_while(|byte| *byte == first).count();
        let header = |kind: u8, len: usize| [(len << 3) as u8 | kind << 1, (len >> 5) as u8, (len >> 13) as u8];
        // A block costs three bytes.
        if run > 8 || run == rest.len() {
            packed.extend_from_slice(&header(RUN, run));
            packed.push(*first);
            rest = &rest[run..];
            continue;
        }
        // As far as the next long run, so that runs among other bytes are told as runs too.
        let len = rest.windows(9).position(|window| window.iter().all(|byte| *byte == window[0])).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(len.clamp(1, MAX_BLOCK));
        packed.extend_from_slice(&header(RAW, plain.len()));
        packed.extend_from_slice(plain);
        rest = after;
    }
}

impl fmt::Debug for ZstdContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdContext").field("level", &self.level).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HEADER, LAST_BLOCK, ZstdContext};

    fn frame(level: i32, tiles: &[Vec<u8>]) -> Vec<u8> {
        let mut context = ZstdContext::new();
        let mut packed = HEADER.to_vec();
        for tile in tiles {
            context.tile(level, tile, &mut packed);
        }
        packed.extend_from_slice(&LAST_BLOCK);
        packed
    }

    /// What a decoder that stops at the end of the first frame makes of it.
    fn first_frame(packed: &[u8], len: usize) -> Vec<u8> {
        let mut plain = Vec::with_capacity(len + 1);
        let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).unwrap().single_frame();
        std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
        plain
    }

    #[track_caller]
    fn comes_back(level: i32, tiles: &[Vec<u8>]) -> usize {
        let packed = frame(level, tiles);
        let raw = tiles.concat();
        assert!(first_frame(&packed, raw.len()) == raw, "level {level}");
        packed.len()
    }

    #[test]
    fn tiles_that_begin_with_runs_come_back() {
        let text: Vec<u8> = (0..4000_u32).flat_map(|n| format!("{{\"n\":{n},\"s\":\"x\"}}\n").into_bytes()).collect();
        for level in [-7, -1, 1, 2, 3, 5, 6, 9, 12, 13, 16, 18, 19] {
            for period in [1, 2, 3, 4, 5, 8, 9] {
                for len in [4, 5, 9, 20, 300, 5000] {
                    for lead in [0, 1, 7] {
                        let mut tile = text[100..100 + lead].to_vec();
                        tile.extend((0..len).map(|index| b'a' + (index % period) as u8));
                        tile.extend_from_slice(&text[..600]);
                        comes_back(level, &[text[..3000].to_vec(), tile.clone(), tile.clone(), text[..40].to_vec()]);
                    }
                }
            }
        }
    }

    #[test]
    fn runs_stay_small() {
        for level in [1, 3, 19] {
            let run = vec![vec![b'a'; 128 << 10]; 3];
            assert!(comes_back(level, &run) < 100, "level {level}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_tiles_come_back_as_one_frame(
            level in prop::sample::select(vec![-3, 1, 3, 5, 7, 13, 16, 19]),
            tiles in proptest::collection::vec(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..3000),
                proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'"')], 0..3000),
                "([a-c]{1,9}[0-9]{1,3}){0,200}".prop_map(String::into_bytes),
                (any::<u8>(), 1_usize..400, "[a-z]{0,40}", 1_usize..60).prop_map(|(byte, run, text, times)| {
                    let mut tile = vec![byte; run];
                    for _ in 0..times {
                        tile.extend_from_slice(text.as_bytes());
                        tile.extend(std::iter::repeat_n(byte, run % 11));
                    }
                    tile
                }),
            ], 0..6),
        ) {
            comes_back(level, &tiles);
        }
    }
}
