/// Base64 as Jackson reads it: the standard alphabet, padding required, blanks before each group of four ignored, stray
/// bits in the last group ignored.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len() / 4 * 3);
    loop {
        while let Some((0..=b' ', after)) = rest.split_first() {
            rest = after;
        }
        let Some((group, after)) = rest.split_first_chunk::<4>() else {
            return if rest.is_empty() { Some(bytes) } else { None };
        };
        rest = after;
        let head = digit(group[0])? << 18 | digit(group[1])? << 12;
        match (group[2], group[3]) {
            (b'=', b'=') => bytes.push((head >> 16) as u8),
            (third, b'=') => bytes.extend_from_slice(&(head | digit(third)? << 6).to_be_bytes()[1..3]),
            (third, fourth) => {
                bytes.extend_from_slice(&(head | digit(third)? << 6 | digit(fourth)?).to_be_bytes()[1..4]);
            }
        }
    }
}
