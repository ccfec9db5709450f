//! Members of one object that have the same name.

use super::unescape::unescape_bytes;

/// A hash of a name, as what it stands for. Equal names have equal hashes.
#[inline]
pub(super) fn hash(name: &[u8]) -> u32 {
    const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];
    let fold = |low: u64, high: u64| {
        let product = u128::from(low ^ FACTORS[0]) * u128::from(high ^ FACTORS[1]);
        product as u64 ^ (product >> 64) as u64
    };
    // Short names are read in overlapping words, so that nothing depends on the length in a loop.
    let len = name.len();
    let (low, high) = if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let mut state = u64::from_le_bytes(*first);
        let mut rest = &name[8..];
        while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            state = fold(state, u64::from_le_bytes(*chunk));
            rest = after;
        }
        (state, u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else if len > 0 {
        (u64::from(name[0]) | u64::from(name[len / 2]) << 8, u64::from(name[len - 1]))
    } else {
        (0, 0)
    };
    fold(low ^ (len as u64) << 56, high) as u32
}

/// Whether a hash comes twice.
#[inline]
pub(super) fn repeats(hashes: &[u32]) -> bool {
    if hashes.len() > 64 {
        return many_repeat(hashes);
    }
    // Every comparison is made, so that the compiler may make several at a time.
    let among = |hash: u32, earlier: &[u32]| earlier.iter().fold(0, |hits, other| hits | u32::from(hash == *other)) > 0;
    hashes.iter().enumerate().any(|(index, hash)| among(*hash, &hashes[..index]))
}

#[cold]
fn many_repeat(hashes: &[u32]) -> bool {
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// From the end of `out`, which is the inside of an object in compact form from `start` on, drops each member whose name
/// comes again later.
#[cold]
pub(super) fn drop_repeated(out: &mut Vec<u8>, start: usize) {
    let members = members(&out[start..]);
    let mut plain: Vec<(Vec<u8>, usize)> = Vec::with_capacity(members.len());
    for (index, (from, to)) in members.iter().enumerate() {
        let mut name = Vec::new();
        unescape_bytes(&out[start + from + 1..start + to - 1], &mut name);
        plain.push((name, index));
    }
    // Of equal names the last comes last.
    plain.sort();
    let repeated = plain.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let mut dropped: Vec<usize> = repeated.map(|pair| pair[0].1).collect();
    dropped.sort_unstable();
    for index in dropped.into_iter().rev() {
        // Never the last member: it ends behind its comma, where the next one starts.
        out.drain(start + members[index].0..start + members[index + 1].0);
    }
}

/// Where in the inside of an object its names are, quotes included.
fn members(inside: &[u8]) -> Vec<(usize, usize)> {
    let mut names = Vec::new();
    let (mut at, mut depth, mut value) = (0, 0_usize, false);
    while let Some(byte) = inside.get(at) {
        match byte {
            b'"' => {
                let from = at;
                at += 1;
                while inside.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if inside[at] == b'\\' { 2 } else { 1 };
                }
                if depth == 0 && !value {
                    names.push((from, at + 1));
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 0 => value = true,
            b',' if depth == 0 => value = false,
            _ => {}
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{drop_repeated, hash, repeats};

    #[test]
    fn of_equal_names_the_last_stays() {
        let mut out = b"xx\"a\":1,\"b\":{\"a\":[1,\"a\"]},\"\\u0061\":2,\"c\":\"a\",\"a\":3".to_vec();
        drop_repeated(&mut out, 2);
        assert_eq!(String::from_utf8(out).unwrap(), "xx\"b\":{\"a\":[1,\"a\"]},\"c\":\"a\",\"a\":3");
    }

    #[test]
    fn a_repeated_hash_is_found_among_few_and_many() {
        for count in [2, 3, 16, 64, 65, 1000_u32] {
            let mut hashes: Vec<u32> = (0..count).map(|n| hash(n.to_string().as_bytes())).collect();
            assert!(!repeats(&hashes), "{count}");
            hashes[count as usize - 1] = hashes[0];
            assert!(repeats(&hashes), "{count}");
        }
    }
}
