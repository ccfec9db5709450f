//! The alphabets of RFC 1951, section 3.2.5.

/// Literals 0 to 255, the end of the block, and 29 lengths.
pub(super) const LITERALS: usize = 286;
/// The symbol of the end of a block.
pub(super) const END: usize = 256;
/// Distances.
pub(super) const DISTANCES: usize = 30;
/// The longest match.
pub(super) const LENGTHS: usize = 258;
/// The shortest match that is looked for. RFC 1951 allows 3; but where only the last place of each hash is known, a longer
/// one finds the places that go on being equal. Measured on JSON logs: 4 bytes 0.204 of the input, 5 bytes 0.192, 6 bytes
/// 0.184, 7 bytes 0.182, and every match that is not made saves two mispredicted branches. (Prose wants 5.)
pub(super) const MIN_MATCH: usize = 6;
/// The farthest match.
pub(super) const WINDOW: usize = 32_768;

const LENGTH_BASES: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

/// A symbol for each length.
const LENGTH_SYMBOLS: [u8; 259] = {
    let mut symbols = [0; 259];
    let mut len = 3;
    let mut symbol = 0;
    while len < 259 {
        if symbol + 1 < 29 && LENGTH_BASES[symbol + 1] as usize == len {
            symbol += 1;
        }
        symbols[len] = symbol as u8;
        len += 1;
    }
    symbols
};

/// Base and extra bits of each distance symbol; the base is the smallest distance.
const DISTANCE_BASES: [(u16, u8); DISTANCES] = {
    let mut bases = [(0, 0); DISTANCES];
    let mut symbol = 0;
    let mut base = 1;
    while symbol < DISTANCES {
        let extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
        bases[symbol] = (base, extra as u8);
        base += 1 << extra;
        symbol += 1;
    }
    bases
};

/// The symbol of a match's length.
#[inline]
pub(super) fn of_length(len: usize) -> usize {
    257 + usize::from(LENGTH_SYMBOLS[len])
}

/// The smallest length of a symbol.
pub(super) fn length_base(symbol: usize) -> u32 {
    u32::from(LENGTH_BASES[symbol - 257])
}

/// How many extra bits follow a literal or length symbol.
pub(super) fn length_extra_bits(symbol: usize) -> u32 {
    if symbol > END { u32::from(LENGTH_EXTRA[symbol - 257]) } else { 0 }
}

/// The symbol of a distance, from 1.
#[inline]
pub(super) fn of_distance(distance: usize) -> usize {
    let from_zero = distance as u32 - 1;
    if from_zero < 4 {
        return from_zero as usize;
    }
    // Two symbols for each power of two: the bit below the highest one tells which.
    let high = from_zero.ilog2();
    ((2 * high) + (from_zero >> (high - 1) & 1)) as usize
}

/// The smallest distance of a symbol.
#[inline]
pub(super) fn distance_base(symbol: usize) -> u32 {
    u32::from(DISTANCE_BASES[symbol].0)
}

/// How many extra bits follow a distance symbol.
#[inline]
pub(super) fn distance_extra_bits(symbol: usize) -> u32 {
    u32::from(DISTANCE_BASES[symbol].1)
}

/// The length of a literal's or length's code in the fixed code.
pub(super) fn fixed_len(symbol: usize) -> u8 {
    match symbol {
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_bases_agree() {
        for len in 3..=258 {
            let symbol = of_length(len);
            let extra = len as u32 - length_base(symbol);
            assert!(extra < 1 << length_extra_bits(symbol), "{len}");
        }
        assert_eq!((of_length(3), of_length(10), of_length(257), of_length(258)), (257, 264, 284, 285));
        for distance in 1..=WINDOW {
            let symbol = of_distance(distance);
            let extra = distance as u32 - distance_base(symbol);
            assert!(extra < 1 << distance_extra_bits(symbol), "{distance}");
        }
        assert_eq!((of_distance(1), of_distance(5), of_distance(24_577), of_distance(32_768)), (0, 4, 29, 29));
    }
}
