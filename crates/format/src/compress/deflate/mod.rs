//! A deflate compressor (RFC 1951) made for one purpose: gzip of log-like records at the speed of the network.
//!
//! Of zlib's kind at level 1, igzip is the fastest; it is assembly and needs an assembler to build. This one has its plan:
//! one probe of a hash table for each position ([`matches`]), one dynamic Huffman code for a whole tile ([`huffman`]), 64
//! bits written at a time ([`bits`]). What a mispredicted branch costs decides everything: literals and matches are
//! tokens of one form, written without a branch between them.
//! A tile refers to nothing before it. Between two tiles of an object there are only
//! the bits of a byte that is not full yet.

mod bits;
mod huffman;
mod matches;
mod symbols;

pub(crate) use bits::BitTail;

use bits::BitWriter;
use huffman::{Code, Header};
use matches::{Matcher, NO_DISTANCE, Tokens, place_of_length};
use symbols::{DISTANCES, END, LITERALS};

/// A thread's compressor: tables that every tile begins anew.
#[derive(Debug)]
pub(crate) struct Deflate {
    matcher: Matcher,
    tokens: Tokens,
    literals: Code<LITERALS>,
    distances: Code<DISTANCES>,
}

/// What a token's part is written as: the bits, and how many.
type Bits = (u32, u32);

impl Deflate {
    pub(crate) fn new() -> Self {
        Self { matcher: Matcher::new(), tokens: Tokens::new(), literals: Code::default(), distances: Code::default() }
    }

    /// Appends `raw` as deflate blocks, none of them the last, behind the bits in `tail`; returns the bits that do not
    /// fill a byte.
    pub(crate) fn tile(&mut self, raw: &[u8], tail: BitTail, packed: &mut Vec<u8>) -> BitTail {
        if raw.is_empty() {
            return tail;
        }
        self.matcher.find(raw, &mut self.tokens);
        self.count();
        self.literals.build();
        self.distances.build();
        let header = Header::new(&self.literals, &self.distances);
        let dynamic = header.bits() + self.body_bits();
        let fixed = self.fixed_bits();
        let stored = raw.len() * 8 + raw.len().div_ceil(0xFFFF) * 40;
        let best = dynamic.min(fixed).min(stored);
        if stored == best {
            return bits::stored(raw, tail, packed);
        }
        let from = packed.len();
        // The last write is of eight bytes.
        packed.resize(from + best / 8 + 16, 0);
        let mut writer = BitWriter::new(&mut packed[from..], tail);
        if fixed == best {
            self.literals.set_fixed();
            self.distances.set_fixed();
            writer.put(0b010, 3);
        } else {
            writer.put(0b100, 3);
            header.write(&mut writer);
        }
        let (written, tail) = self.body(writer).end();
        packed.truncate(from + written);
        tail
    }

    /// Sums up how often each symbol comes.
    fn count(&mut self) {
        let Tokens { places, distances, .. } = &self.tokens;
        let counts = &mut self.literals.counts;
        counts.fill(0);
        counts[..256].copy_from_slice(&places[..256]);
        counts[END] = 1;
        for len in symbols::MIN_MATCH..=symbols::LENGTHS {
            counts[symbols::of_length(len)] += places[place_of_length(len)];
        }
        self.distances.counts.copy_from_slice(&distances[..DISTANCES]);
    }

    /// Bits of the symbols in the code that was built.
    fn body_bits(&self) -> usize {
        let bits = |counts: &[u32], lens: &[u8], extra: &dyn Fn(usize) -> u32| -> usize {
            let each = counts.iter().zip(lens).enumerate();
            each.map(|(symbol, (count, len))| *count as usize * (usize::from(*len) + extra(symbol) as usize)).sum()
        };
        bits(&self.literals.counts, &self.literals.lens, &symbols::length_extra_bits)
            + bits(&self.distances.counts, &self.distances.lens, &symbols::distance_extra_bits)
    }

    /// Bits of the symbols in the fixed code.
    fn fixed_bits(&self) -> usize {
        let literals = self.literals.counts.iter().enumerate();
        let literals = literals.map(|(symbol, count)| {
            *count as usize * (usize::from(symbols::fixed_len(symbol)) + symbols::length_extra_bits(symbol) as usize)
        });
        let distances = self.distances.counts.iter().enumerate();
        let distances =
            distances.map(|(symbol, count)| *count as usize * (5 + symbols::distance_extra_bits(symbol) as usize));
        3 + literals.sum::<usize>() + distances.sum::<usize>()
    }

    fn body<'a>(&self, mut writer: BitWriter<'a>) -> BitWriter<'a> {
        let (places, distances) = (self.place_table(), self.distance_table());
        for token in self.tokens.iter() {
            // At most 14 + 5 bits of length and 14 + 13 of distance, behind at most 7 that are left over.
            let (bits, count) = places[token.place()];
            writer.add(u64::from(bits), count);
            let (bits, code_count, count) = distances[token.distance_symbol()];
            writer.add(u64::from(bits) | token.distance_extra() << code_count, count);
            writer.flush();
        }
        let (code, count) = self.literals.codes[END];
        writer.put(code, count);
        writer
    }

    /// Literals and lengths, with the lengths' extra bits.
    fn place_table(&self) -> [Bits; 512] {
        let mut table = [(0, 0); 512];
        table[..256].copy_from_slice(&self.literals.codes[..256]);
        for len in symbols::MIN_MATCH..=symbols::LENGTHS {
            let symbol = symbols::of_length(len);
            let (code, count) = self.literals.codes[symbol];
            let extra = len as u32 - symbols::length_base(symbol);
            table[place_of_length(len)] = (code | extra << count, count + symbols::length_extra_bits(symbol));
        }
        table
    }

    /// Distances: the code, how many bits it has, and how many with the extra bits.
    fn distance_table(&self) -> [(u32, u32, u32); 32] {
        let mut table = [(0, 0, 0); 32];
        for (symbol, entry) in table.iter_mut().enumerate().take(NO_DISTANCE) {
            let (code, count) = self.distances.codes[symbol];
            *entry = (code, count, count + symbols::distance_extra_bits(symbol));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BitTail, Deflate};

    fn inflate(packed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut reader = flate2::read::DeflateDecoder::new(packed);
        std::io::Read::read_to_end(&mut reader, &mut plain).unwrap();
        plain
    }

    fn deflate(tiles: &[&[u8]]) -> Vec<u8> {
        let (mut deflate, mut packed, mut tail) = (Deflate::new(), Vec::new(), BitTail::default());
        for tile in tiles {
            tail = deflate.tile(tile, tail, &mut packed);
        }
        tail.finish(&mut packed);
        packed
    }

    #[test]
    fn texts_of_every_length_come_back() {
        let text: Vec<u8> = (0..3000_u32).flat_map(|n| format!("{{\"n\":{},\"m\":{n}}}", n % 7).into_bytes()).collect();
        for len in (0..300).chain([1000, 4095, 4096, 4097, 40_000]) {
            assert!(inflate(&deflate(&[&text[..len]])) == text[..len], "{len}");
        }
    }

    #[test]
    fn what_repeats_at_any_distance_and_length_comes_back() {
        let mut noise = 1_u32;
        let mut byte = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        let block: Vec<u8> = (0..70_000).map(|_| byte()).collect();
        for distance in [1, 2, 3, 4, 7, 8, 9, 255, 256, 257, 32_767, 32_768, 32_769, 65_535, 65_536] {
            for len in [3, 4, 8, 257, 258, 259, 516, 1000] {
                let mut text = block[..distance.max(len)].to_vec();
                for _ in 0..len {
                    text.push(text[text.len() - distance]);
                }
                text.extend_from_slice(&block[..17]);
                assert!(inflate(&deflate(&[&text])) == text, "{distance} {len}");
            }
        }
        assert!(inflate(&deflate(&[&block])) == block);
        let run = vec![b'a'; 200_000];
        assert!(inflate(&deflate(&[&run])) == run);
        assert!(deflate(&[&run]).len() < 400);
    }

    #[test]
    fn skewed_counts_need_no_code_longer_than_allowed() {
        // Fibonacci counts make the deepest Huffman trees.
        let mut text = Vec::new();
        let (mut one, mut other) = (1_usize, 1);
        for byte in 0..24_u8 {
            for index in 0..one {
                // No four in a row repeat soon, so that they stay literals.
                text.push(byte.wrapping_mul(9));
                text.push((index as u8).wrapping_mul(37) ^ (index >> 8) as u8);
            }
            (one, other) = (other, one + other);
        }
        assert!(inflate(&deflate(&[&text])) == text);
    }

    proptest! {
        #[test]
        fn any_tiles_come_back(tiles in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..600),
                proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'"')], 0..3000),
                "([a-c]{1,9}[0-9]{1,3}){0,200}".prop_map(String::into_bytes),
            ],
            0..5,
        )) {
            let slices: Vec<&[u8]> = tiles.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(inflate(&deflate(&slices)), tiles.concat());
        }
    }
}
