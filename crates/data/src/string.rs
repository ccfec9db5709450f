use std::borrow::Cow;

/// `bytes` as text by Java's rules: what is not UTF-8 becomes U+FFFD, as `new String(bytes, UTF_8)` does it.
pub fn decode_utf8(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let mut text = String::with_capacity(bytes.len() + 8);
            let mut rest = bytes;
            let mut valid = error.valid_up_to();
            loop {
                let (good, bad) = rest.split_at(valid);
                text.push_str(std::str::from_utf8(good).unwrap_or_default());
                if bad.is_empty() {
                    return Cow::Owned(text);
                }
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &bad[malformed(bad)..];
                valid = match std::str::from_utf8(rest) {
                    Ok(rest) => rest.len(),
                    Err(error) => error.valid_up_to(),
                };
            }
        }
    }
}

/// How many bytes at the start of `bytes`, which is not empty and does not start with a character, Java replaces by one
/// U+FFFD. Unlike the rule of the web, a surrogate (`ED A0 80`) is replaced whole.
fn malformed(bytes: &[u8]) -> usize {
    let continues = |index: usize| bytes.get(index).is_some_and(|byte| byte & 0xC0 == 0x80);
    let second = bytes.get(1).copied().unwrap_or_default();
    match bytes[0] {
        0xE0 if second & 0xE0 == 0x80 => 1,
        0xF0 if second < 0x90 => 1,
        0xF4 if second & 0xF0 != 0x80 => 1,
        0xE0..0xF5 if !continues(1) => 1,
        0xE0..0xF5 if !continues(2) => 2,
        0xE0..0xF5 => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::decode_utf8;

    #[test]
    fn a_surrogate_in_utf8_becomes_one_replacement_character() {
        assert_eq!(decode_utf8(b"a\xed\xa0\x80b"), "a\u{fffd}b");
    }
}
