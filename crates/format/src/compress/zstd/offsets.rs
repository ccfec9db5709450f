//! Which offsets the first sequences of a frame name: RFC 8878, sections 3.1.1.3.2 and 3.1.1.5.

use std::sync::LazyLock;

use super::bits::Backward;
use super::fse::{State, Table};
use super::{COMPRESSED, RAW, split_block};

/// Whether blocks name an offset from before their frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// They do not: they may follow any other blocks.
    Own,
    /// They do, in a match that ends so many bytes from the start.
    Before {
        /// In decompressed bytes, at least 1.
        end: usize,
    },
}

/// The codes of literal lengths, offsets and match lengths.
#[derive(Debug, Clone)]
struct Tables {
    literals: Table,
    offsets: Table,
    matches: Table,
}

static PREDEFINED: LazyLock<Tables> = LazyLock::new(|| Tables {
    literals: Table::of(
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1,
            -1,
        ],
        6,
    ),
    offsets: Table::of(
        &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
        5,
    ),
    matches: Table::of(
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
        6,
    ),
});

/// The last codes, and the largest tables, of literal lengths, offsets and match lengths.
const LITERALS: (usize, u32) = (35, 9);
const OFFSETS: (usize, u32) = (31, 8);
const MATCHES: (usize, u32) = (52, 9);

/// Reads the sequences at the start of a frame until three offsets of its own are known.
#[derive(Debug)]
pub(super) struct Offsets {
    /// The tables of the block before, which a block may use again.
    tables: Tables,
    /// Which of the three offsets used last are the frame's own.
    own: [bool; 3],
    /// How many bytes the sequences so far make.
    made: usize,
}

impl Default for Offsets {
    fn default() -> Self {
        Self { tables: PREDEFINED.clone(), own: [false; 3], made: 0 }
    }
}

impl Offsets {
    /// Whether `blocks`, all of a frame's, name an offset from before it. What cannot be read is taken to do so.
    pub(super) fn reach(&mut self, blocks: &[u8]) -> Reach {
        self.own = [false; 3];
        self.made = 0;
        let mut rest = blocks;
        while let Some((kind, content, after)) = split_block(rest) {
            if kind == COMPRESSED {
                match self.block(content) {
                    Some(true) => return Reach::Own,
                    Some(false) => {}
                    None => return Reach::Before { end: self.made.max(1) },
                }
            } else {
                // Its size; of a run the content is one byte.
                let size = usize::from(rest[0]) >> 3 | usize::from(rest[1]) << 5 | usize::from(rest[2]) << 13;
                self.made += if kind == RAW { content.len() } else { size };
            }
            rest = after;
        }
        Reach::Own
    }

    /// Whether three own offsets are known before the end of a compressed block; `None` if one from before is named.
    fn block(&mut self, content: &[u8]) -> Option<bool> {
        let (literals, sequences) = skip_literals(content)?;
        let (count, rest) = sequence_count(sequences)?;
        if count == 0 {
            self.made += literals;
            return Some(false);
        }
        let (modes, rest) = rest.split_first()?;
        let Tables { literals: of_literals, offsets, matches } = &mut self.tables;
        let rest = read_table(modes >> 6, rest, LITERALS, &PREDEFINED.literals, of_literals)?;
        let rest = read_table(modes >> 4 & 3, rest, OFFSETS, &PREDEFINED.offsets, offsets)?;
        let rest = read_table(modes >> 2 & 3, rest, MATCHES, &PREDEFINED.matches, matches)?;
        let mut bits = Backward::new(rest)?;
        let mut literal_state = State::new(&self.tables.literals, &mut bits)?;
        let mut offset_state = State::new(&self.tables.offsets, &mut bits)?;
        let mut match_state = State::new(&self.tables.matches, &mut bits)?;
        let mut used = 0;
        for left in (0..count).rev() {
            let offset_code = offset_state.symbol(&self.tables.offsets);
            let offset = u64::from(bits.read(u32::from(offset_code))?) + (1 << offset_code);
            let matched = match_len(match_state.symbol(&self.tables.matches), &mut bits)?;
            let run = literal_len(literal_state.symbol(&self.tables.literals), &mut bits)?;
            used += run;
            self.made += run + matched;
            self.name(offset, run)?;
            if self.own == [true; 3] {
                return Some(true);
            }
            if left > 0 {
                literal_state.advance(&self.tables.literals, &mut bits)?;
                match_state.advance(&self.tables.matches, &mut bits)?;
                offset_state.advance(&self.tables.offsets, &mut bits)?;
            }
        }
        self.made += literals.checked_sub(used)?;
        Some(false)
    }

    /// Keeps account of an offset being named; `None` if it is one from before.
    fn name(&mut self, offset: u64, run: usize) -> Option<()> {
        let [first, second, third] = self.own;
        // Behind no literals the first is not meant, and the codes stand for the next ones.
        let which = if offset > 3 { 4 } else { offset - u64::from(run > 0) };
        self.own = match which {
            0 if first => [first, second, third],
            1 if second => [second, first, third],
            2 if third => [third, first, second],
            // The first, less one.
            3 if first => [true, first, second],
            4 => [true, first, second],
            _ => return None,
        };
        Some(())
    }
}

/// How many bytes the literals of a compressed block make, and what follows them.
fn skip_literals(content: &[u8]) -> Option<(usize, &[u8])> {
    let first = *content.first()?;
    let (kind, format) = (first & 3, first >> 2 & 3);
    let mut head = [0; 8];
    let len = content.len().min(5);
    head[..len].copy_from_slice(&content[..len]);
    let head = u64::from_le_bytes(head) as usize;
    // Raw ones and runs have one size, compressed ones two.
    let (header, made, stored) = match (kind, format) {
        (0 | 1, 0 | 2) => (1, head >> 3 & 0x1F, None),
        (0 | 1, 1) => (2, head >> 4 & 0xFFF, None),
        (0 | 1, _) => (3, head >> 4 & 0xF_FFFF, None),
        (_, 0 | 1) => (3, head >> 4 & 0x3FF, Some(head >> 14 & 0x3FF)),
        (_, 2) => (4, head >> 4 & 0x3FFF, Some(head >> 18 & 0x3FFF)),
        (_, _) => (5, head >> 4 & 0x3_FFFF, Some(head >> 22 & 0x3_FFFF)),
    };
    let stored = stored.unwrap_or(if kind == 0 { made } else { 1 });
    Some((made, content.get(header + stored..)?))
}

/// How many sequences there are, and what follows.
fn sequence_count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [first @ 0..128, rest @ ..] => Some((usize::from(*first), rest)),
        [255, low, high, rest @ ..] => Some((usize::from(*low) + (usize::from(*high) << 8) + 0x7F00, rest)),
        [first, second, rest @ ..] => Some(((usize::from(*first) - 128) << 8 | usize::from(*second), rest)),
        _ => None,
    }
}

/// Reads one of the three tables, by its mode, into `table`; what follows it.
fn read_table<'a>(
    mode: u8,
    bytes: &'a [u8],
    (last, max_log): (usize, u32),
    predefined: &Table,
    table: &mut Table,
) -> Option<&'a [u8]> {
    match mode {
        0 => {
            table.clone_from(predefined);
            Some(bytes)
        }
        1 => {
            let (symbol, rest) = bytes.split_first()?;
            *table = Table::of_one(*symbol);
            (usize::from(*symbol) <= last).then_some(rest)
        }
        2 => {
            let (read, used) = Table::read(bytes, last, max_log)?;
            *table = read;
            Some(&bytes[used..])
        }
        _ => Some(bytes),
    }
}

/// A literal length from its code: RFC 8878, table 16.
fn literal_len(code: u8, bits: &mut Backward<'_>) -> Option<usize> {
    const LARGE: [(usize, u32); 20] = [
        (16, 1),
        (18, 1),
        (20, 1),
        (22, 1),
        (24, 2),
        (28, 2),
        (32, 3),
        (40, 3),
        (48, 4),
        (64, 6),
        (128, 7),
        (256, 8),
        (512, 9),
        (1024, 10),
        (2048, 11),
        (4096, 12),
        (8192, 13),
        (16_384, 14),
        (32_768, 15),
        (65_536, 16),
    ];
    match usize::from(code).checked_sub(16) {
        None => Some(usize::from(code)),
        Some(index) => {
            let (base, extra) = *LARGE.get(index)?;
            Some(base + bits.read(extra)? as usize)
        }
    }
}

/// A match's length from its code: RFC 8878, table 17.
fn match_len(code: u8, bits: &mut Backward<'_>) -> Option<usize> {
    const LARGE: [(usize, u32); 21] = [
        (35, 1),
        (37, 1),
        (39, 1),
        (41, 1),
        (43, 2),
        (47, 2),
        (51, 3),
        (59, 3),
        (67, 4),
        (83, 4),
        (99, 5),
        (131, 7),
        (259, 8),
        (515, 9),
        (1027, 10),
        (2051, 11),
        (4099, 12),
        (8195, 13),
        (16_387, 14),
        (32_771, 15),
        (65_539, 16),
    ];
    match usize::from(code).checked_sub(32) {
        None => Some(usize::from(code) + 3),
        Some(index) => {
            let (base, extra) = *LARGE.get(index)?;
            Some(base + bits.read(extra)? as usize)
        }
    }
}
