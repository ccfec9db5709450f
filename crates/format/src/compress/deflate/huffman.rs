use super::bits::BitWriter;
use super::symbols::{self, DISTANCES, LITERALS};

/// The longest code. RFC 1951 allows 15; with 14 the loss cannot be measured.
pub(super) const MAX_BITS: u32 = 14;
/// The longest code of the code that describes the other two.
const MAX_META_BITS: u32 = 7;
/// The order in which the lengths of that code are written (RFC 1951, 3.2.7).
const META_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A prefix code for `N` symbols.
#[derive(Debug)]
pub(super) struct Code<const N: usize> {
    /// How often each symbol comes.
    pub(super) counts: [u32; N],
    /// How long each symbol's code is; 0 if it has none.
    pub(super) lens: [u8; N],
    /// Each symbol's code, its first bit lowest, and its length.
    pub(super) codes: [(u32, u32); N],
}

impl<const N: usize> Default for Code<N> {
    fn default() -> Self {
        Self { counts: [0; N], lens: [0; N], codes: [(0, 0); N] }
    }
}

impl<const N: usize> Code<N> {
    /// The best code for the counts, at most [`MAX_BITS`] long.
    pub(super) fn build(&mut self) {
        code_lengths(&self.counts, MAX_BITS, &mut self.lens);
        self.assign();
    }

    /// Codes from lengths, as RFC 1951 (3.2.2) numbers them.
    fn assign(&mut self) {
        assign(&self.lens, &mut self.codes);
    }
}

impl Code<LITERALS> {
    /// The fixed code.
    pub(super) fn set_fixed(&mut self) {
        // Two symbols that never come take part in the numbering.
        let mut lens = [8; 288];
        for (symbol, len) in lens.iter_mut().enumerate().take(LITERALS) {
            *len = symbols::fixed_len(symbol);
        }
        let mut codes = [(0, 0); 288];
        assign(&lens, &mut codes);
        self.codes.copy_from_slice(&codes[..LITERALS]);
    }
}

impl Code<DISTANCES> {
    /// The fixed code: numbers of five bits.
    pub(super) fn set_fixed(&mut self) {
        for (symbol, code) in self.codes.iter_mut().enumerate() {
            *code = ((symbol as u32).reverse_bits() >> 27, 5);
        }
    }
}

fn assign(lens: &[u8], codes: &mut [(u32, u32)]) {
    let mut of_len = [0_u32; 16];
    for len in lens {
        of_len[usize::from(*len)] += 1;
    }
    of_len[0] = 0;
    let mut next = [0_u32; 16];
    for len in 1..16 {
        next[len] = (next[len - 1] + of_len[len - 1]) << 1;
    }
    for (code, len) in codes.iter_mut().zip(lens) {
        *code = if *len == 0 {
            (0, 0)
        } else {
            let number = &mut next[usize::from(*len)];
            *number += 1;
            ((*number - 1).reverse_bits() >> (32 - u32::from(*len)), u32::from(*len))
        };
    }
}

/// Lengths of a Huffman code for `counts`, none above `limit`.
fn code_lengths(counts: &[u32], limit: u32, lens: &mut [u8]) {
    lens.fill(0);
    // Symbols that come, the rarest first; count and symbol in one number sort fastest.
    let mut order = [0_u64; LITERALS];
    let mut used = 0;
    for (symbol, count) in counts.iter().enumerate() {
        if *count > 0 {
            order[used] = u64::from(*count) << 16 | symbol as u64;
            used += 1;
        }
    }
    let order = &mut order[..used];
    if used < 2 {
        // A decoder wants a complete code, or at most one symbol of one bit.
        for entry in order {
            lens[(*entry & 0xFFFF) as usize] = 1;
        }
        return;
    }
    order.sort_unstable();
    let mut of_len = [0_u32; 64];
    depths(order, &mut of_len);
    shorten(&mut of_len, limit);
    // The rarest symbols get the longest codes.
    let mut symbols = order.iter();
    for len in (1..=limit as usize).rev() {
        for entry in symbols.by_ref().take(of_len[len] as usize) {
            lens[(*entry & 0xFFFF) as usize] = len as u8;
        }
    }
}

/// How many symbols have each depth in the Huffman tree of `order`, which is sorted.
fn depths(order: &[u64], of_len: &mut [u32; 64]) {
    // Two queues: leaves in order, and the inner nodes in the order in which they are made, which is that of their
    // counts too.
    let mut parents = [0_u16; 2 * LITERALS];
    let mut sums = [0_u64; LITERALS];
    let leaves = order.len();
    let (mut leaf, mut inner) = (0, 0);
    for made in 0..leaves - 1 {
        let mut sum = 0;
        for _ in 0..2 {
            if leaf < leaves && (inner >= made || order[leaf] >> 16 <= sums[inner]) {
                sum += order[leaf] >> 16;
                parents[leaf] = made as u16;
                leaf += 1;
            } else {
                sum += sums[inner];
                parents[leaves + inner] = made as u16;
                inner += 1;
            }
        }
        sums[made] = sum;
    }
    let mut inner_depths = [0_u8; LITERALS];
    let root = leaves - 2;
    for node in (0..root).rev() {
        inner_depths[node] = inner_depths[usize::from(parents[leaves + node])] + 1;
    }
    for parent in &parents[..leaves] {
        // Depth 64 would take a count of Fibonacci's 64th number.
        of_len[usize::from(inner_depths[usize::from(*parent)] + 1)] += 1;
    }
}

/// Makes a set of code lengths obey `limit`: what lies deeper moves up to it, and others move down to make room.
fn shorten(of_len: &mut [u32; 64], limit: u32) {
    let limit = limit as usize;
    let deeper: u32 = of_len[limit + 1..].iter().sum();
    of_len[limit + 1..].fill(0);
    of_len[limit] += deeper;
    // The share of all codes that is taken, in units of the deepest level.
    let mut taken: u64 = (1..=limit).map(|len| u64::from(of_len[len]) << (limit - len)).sum();
    while taken > 1 << limit {
        // A leaf above the deepest level becomes a node of two, one of them a leaf from the deepest.
        let Some(len) = (1..limit).rev().find(|len| of_len[*len] > 0) else { return };
        of_len[len] -= 1;
        of_len[len + 1] += 2;
        of_len[limit] -= 1;
        taken -= 1;
    }
}

/// A symbol of the code that describes code lengths: itself, its extra bits, how many of them.
type Meta = (u8, u8, u8);

/// Describes `lens` by symbols: lengths, and runs of them.
fn describe(lens: &[u8], mut emit: impl FnMut(Meta)) {
    let mut rest = lens;
    while let Some(first) = rest.first() {
        let mut run = rest.iter().take_while(|len| *len == first).count();
        rest = &rest[run..];
        if *first == 0 {
            while run >= 11 {
                let take = run.min(138);
                emit((18, (take - 11) as u8, 7));
                run -= take;
            }
            if run >= 3 {
                emit((17, (run - 3) as u8, 3));
                run = 0;
            }
        } else {
            emit((*first, 0, 0));
            run -= 1;
            while run >= 3 {
                let take = run.min(6);
                emit((16, (take - 3) as u8, 2));
                run -= take;
            }
        }
        for _ in 0..run {
            emit((*first, 0, 0));
        }
    }
}

/// What a dynamic block writes before its symbols, behind its type.
pub(super) struct Header {
    meta: Code<19>,
    /// Lengths of literals and distances, one after the other, without the zeros at their ends.
    lens: [u8; LITERALS + DISTANCES],
    literals: usize,
    distances: usize,
    /// How many lengths of the describing code are written.
    metas: usize,
}

impl Header {
    pub(super) fn new(literals: &Code<LITERALS>, distances: &Code<DISTANCES>) -> Self {
        let used =
            |lens: &[u8], least: usize| lens.iter().rposition(|len| *len > 0).map_or(least, |at| least.max(at + 1));
        let (literal_count, distance_count) = (used(&literals.lens, 257), used(&distances.lens, 1));
        let mut lens = [0; LITERALS + DISTANCES];
        lens[..literal_count].copy_from_slice(&literals.lens[..literal_count]);
        lens[literal_count..literal_count + distance_count].copy_from_slice(&distances.lens[..distance_count]);
        let mut meta = Code::<19>::default();
        describe(&lens[..literal_count + distance_count], |(symbol, ..)| meta.counts[usize::from(symbol)] += 1);
        code_lengths(&meta.counts, MAX_META_BITS, &mut meta.lens);
        meta.assign();
        let metas = META_ORDER.iter().rposition(|symbol| meta.lens[*symbol] > 0).map_or(4, |at| (at + 1).max(4));
        Self { meta, lens, literals: literal_count, distances: distance_count, metas }
    }

    fn described(&self) -> &[u8] {
        &self.lens[..self.literals + self.distances]
    }

    /// How many bits it takes, those of the block's type included.
    pub(super) fn bits(&self) -> usize {
        let mut bits = 3 + 5 + 5 + 4 + 3 * self.metas;
        describe(self.described(), |(symbol, _, extra)| {
            bits += usize::from(self.meta.lens[usize::from(symbol)] + extra);
        });
        bits
    }

    pub(super) fn write(&self, writer: &mut BitWriter<'_>) {
        writer.put((self.literals - 257) as u32, 5);
        writer.put((self.distances - 1) as u32, 5);
        writer.put((self.metas - 4) as u32, 4);
        for symbol in &META_ORDER[..self.metas] {
            writer.put(u32::from(self.meta.lens[*symbol]), 3);
        }
        describe(self.described(), |(symbol, extra, extra_bits)| {
            let (code, bits) = self.meta.codes[usize::from(symbol)];
            writer.put(code, bits);
            writer.put(u32::from(extra), u32::from(extra_bits));
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_BITS, code_lengths};

    proptest! {
        #[test]
        fn a_code_is_complete_and_not_too_long(counts in proptest::collection::vec(0_u32..5000, 2..286), limit in 9..=MAX_BITS) {
            let mut lens = vec![0; counts.len()];
            code_lengths(&counts, limit, &mut lens);
            let used = counts.iter().filter(|count| **count > 0).count();
            for (count, len) in counts.iter().zip(&lens) {
                prop_assert_eq!(*count > 0, *len > 0);
                prop_assert!(u32::from(*len) <= limit);
            }
            let taken: u64 = lens.iter().filter(|len| **len > 0).map(|len| 1 << (limit - u32::from(*len))).sum();
            if used >= 2 {
                prop_assert_eq!(taken, 1 << limit);
            }
        }
    }

    #[test]
    fn the_deepest_tree_is_cut_at_the_limit() {
        let mut counts = vec![1_u32, 1];
        for index in 2..40 {
            counts.push(counts[index - 1].saturating_add(counts[index - 2]));
        }
        let mut lens = vec![0; counts.len()];
        code_lengths(&counts, MAX_BITS, &mut lens);
        let taken: u64 = lens.iter().map(|len| 1 << (MAX_BITS - u32::from(*len))).sum();
        assert_eq!(taken, 1 << MAX_BITS);
        assert_eq!(lens.iter().max(), Some(&(MAX_BITS as u8)));
        assert!(lens.is_sorted_by(|rarer, commoner| rarer >= commoner));
    }
}
