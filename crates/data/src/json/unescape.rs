/// What the inside of a JSON string stands for; a lone surrogate becomes a question mark, as when Java encodes one.
pub(crate) fn unescape_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for item in char::decode_utf16(units(text.as_bytes())) {
        plain.push(item.unwrap_or('?'));
    }
    plain
}

/// The same in UTF-8 where surrogates stay surrogates, so that equal texts give equal bytes, and only they.
pub(super) fn unescape_bytes(text: &[u8], plain: &mut Vec<u8>) {
    for item in char::decode_utf16(units(text)) {
        match item {
            Ok(character) => plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                let low = |bits: u16| 0x80 | (bits & 0x3F) as u8;
                plain.extend_from_slice(&[0xE0 | (unit >> 12) as u8, low(unit >> 6), low(unit)]);
            }
        }
    }
}

/// The UTF-16 units of the inside of a JSON string that has been checked.
fn units(text: &[u8]) -> impl Iterator<Item = u16> {
    let mut rest = text;
    let mut second = None;
    std::iter::from_fn(move || {
        if let Some(unit) = second.take() {
            return Some(unit);
        }
        let (byte, after) = rest.split_first()?;
        if *byte != b'\\' {
            let character = std::str::from_utf8(&rest[..super::character_len(rest)])
                .ok()
                .and_then(|text| text.chars().next())
                .unwrap_or(char::REPLACEMENT_CHARACTER);
            rest = &rest[super::character_len(rest)..];
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            second = units.get(1).copied();
            return Some(units[0]);
        }
        let (unit, len) = match after.first().copied().unwrap_or_default() {
            b'b' => (8, 1),
            b'f' => (12, 1),
            b'n' => (10, 1),
            b'r' => (13, 1),
            b't' => (9, 1),
            b'u' => {
                let digits = after[1..5].iter().map(|digit| char::from(*digit).to_digit(16).unwrap_or(0));
                (digits.fold(0, |unit, digit| unit << 4 | digit as u16), 5)
            }
            other => (u16::from(other), 1),
        };
        rest = &after[len..];
        Some(unit)
    })
}
