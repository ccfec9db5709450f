//! Finding the end of what needs no thought, sixteen bytes at a time.

use wide::i8x16;

/// The first place from `at` on that holds a quote, a backslash, a control character or a byte beyond ASCII; the text's
/// length if there is none.
#[inline]
pub(super) fn ascii_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let (chunk, len) = chunk(text, at);
        // Signed: bytes beyond ASCII are negative, hence below the space too.
        let special = chunk.simd_eq(splat(b'"')) | chunk.simd_eq(splat(b'\\')) | chunk.simd_lt(splat(b' '));
        let found = special.to_bitmask();
        if found != 0 {
            return at + (found.trailing_zeros() as usize).min(len);
        }
        at += 16;
    }
}

/// The same for text that is known to be UTF-8: bytes beyond ASCII are passed.
#[inline]
pub(super) fn utf8_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let (chunk, len) = chunk(text, at);
        let control = chunk.simd_lt(splat(b' ')) & chunk.simd_gt(i8x16::splat(-1));
        let found = (chunk.simd_eq(splat(b'"')) | chunk.simd_eq(splat(b'\\')) | control).to_bitmask();
        if found != 0 {
            return at + (found.trailing_zeros() as usize).min(len);
        }
        at += 16;
    }
}

/// The same for text that is to be quoted: bytes beyond ASCII are passed, save those that begin a character of four.
#[inline]
pub(super) fn basic_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let (chunk, len) = chunk(text, at);
        // Controls are 0 to 31, the first bytes of four -16 and up: one range.
        let odd = chunk.simd_lt(splat(b' ')) & chunk.simd_gt(i8x16::splat(-17));
        let found = (chunk.simd_eq(splat(b'"')) | chunk.simd_eq(splat(b'\\')) | odd).to_bitmask();
        if found != 0 {
            return at + (found.trailing_zeros() as usize).min(len);
        }
        at += 16;
    }
}

/// The first place from `at` on that holds no digit.
#[inline]
pub(super) fn digits_end(text: &[u8], mut at: usize) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A digit xor '0' is at most 9; adding 0x76 carries into the high bit from 10 on.
        let values = u64::from_le_bytes(*bytes) ^ (EACH * u64::from(b'0'));
        let others = ((values & (EACH * 0x7F)).wrapping_add(EACH * 0x76) | values) & (EACH * 0x80);
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn splat(byte: u8) -> i8x16 {
    i8x16::splat(byte.cast_signed())
}

/// The sixteen bytes from `at` on, zeros behind the end of the text, and how many are of the text. A zero is a control
/// character, so every search ends there.
#[inline]
fn chunk(text: &[u8], at: usize) -> (i8x16, usize) {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<16>() {
        return (i8x16::from(bytes.map(u8::cast_signed)), 16);
    }
    let mut bytes = [0; 16];
    if let Some(last) = text.last_chunk::<16>() {
        // The last sixteen, moved down; cheaper than a copy of unknown length.
        let moved = u128::from_le_bytes(*last) >> (8 * (16 - rest.len()).min(15)) as u32;
        bytes = if rest.is_empty() { bytes } else { moved.to_le_bytes() };
    } else {
        bytes[..rest.len()].copy_from_slice(rest);
    }
    (i8x16::from(bytes.map(u8::cast_signed)), rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ascii_end, basic_end, digits_end, utf8_end};

    proptest! {
        #[test]
        fn ends_are_where_a_plain_search_finds_them(
            text in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'7'), any::<u8>()], 0..70),
            from in 0_usize..70,
        ) {
            let from = from.min(text.len());
            let first = |matches: &dyn Fn(u8) -> bool| {
                text[from..].iter().position(|byte| matches(*byte)).map_or(text.len(), |at| from + at)
            };
            let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
            prop_assert_eq!(ascii_end(&text, from), first(&|byte| special(byte) || byte >= 0x80));
            prop_assert_eq!(utf8_end(&text, from), first(&special));
            prop_assert_eq!(basic_end(&text, from), first(&|byte| special(byte) || byte >= 0xF0));
            prop_assert_eq!(digits_end(&text, from), first(&|byte| !byte.is_ascii_digit()));
        }
    }
}
