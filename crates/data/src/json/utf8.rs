/// How many bytes the character at the start of valid UTF-8 has; never more than there are.
pub(super) fn character_len(bytes: &[u8]) -> usize {
    character(&bytes[..bytes.len().min(4)]).unwrap_or(1)
}

/// How many bytes the UTF-8 character at the start of `bytes` has; `None` if there is none or it is ASCII.
pub(super) fn character(bytes: &[u8]) -> Option<usize> {
    let continues = |index: usize| bytes.get(index).is_some_and(|byte| byte & 0xC0 == 0x80);
    match *bytes.first()? {
        0xC2..0xE0 if continues(1) => Some(2),
        lead @ 0xE0..0xF0 if continues(1) && continues(2) => {
            let second = bytes[1];
            if (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) { None } else { Some(3) }
        }
        lead @ 0xF0..0xF5 if continues(1) && continues(2) && continues(3) => {
            let second = bytes[1];
            if (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90) { None } else { Some(4) }
        }
        _ => None,
    }
}

/// Writes a code point that was written in an irregular way: escaped if JSON or UTF-8 asks for it.
pub(super) fn push_code(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) if code >= 0x20 && character != '"' && character != '\\' => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => push_escape(code as u16, out),
    }
}

/// Writes a UTF-16 unit as an escape.
pub(super) fn push_escape(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xF)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}
