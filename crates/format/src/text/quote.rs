const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text` as a JSON string, escaped as Jackson escapes it: controls and what lies beyond the Basic Multilingual
/// Plane (as two surrogates) escaped, everything else as it is.
pub(crate) fn push_quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte < 0xF0 {
            at += 1;
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        if byte >= 0xF0 {
            let mut units = [0; 2];
            let character = text[at..].chars().next().unwrap_or_default();
            for unit in character.encode_utf16(&mut units) {
                push_escape(*unit, out);
            }
            at += 4;
        } else {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                8 => out.extend_from_slice(b"\\b"),
                9 => out.extend_from_slice(b"\\t"),
                10 => out.extend_from_slice(b"\\n"),
                12 => out.extend_from_slice(b"\\f"),
                13 => out.extend_from_slice(b"\\r"),
                _ => push_escape(u16::from(byte), out),
            }
            at += 1;
        }
        copied = at;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

fn push_escape(unit: u16, out: &mut Vec<u8>) {
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xF)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::push_quoted;

    #[test]
    fn strings_are_escaped_as_jackson_escapes_them() {
        let mut out = Vec::new();
        push_quoted("a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}\u{85}\u{2028}ж\u{1f680}", &mut out);
        let expected = "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001F\u{7f}\u{85}\u{2028}ж\\uD83D\\uDE80\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
