use super::scan::basic_end;
use super::utf8::push_escape;

/// Appends `text` as a JSON string, escaped as Jackson escapes it: controls and what lies beyond the Basic Multilingual
/// Plane (as two surrogates) escaped, everything else as it is.
pub fn push_quoted(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = basic_end(bytes, at);
        out.extend_from_slice(&bytes[at..end]);
        let Some(byte) = bytes.get(end) else { break };
        at = end + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..0x20 => push_escape(u16::from(*byte), out),
            _ => {
                let character = text[end..].chars().next().unwrap_or_default();
                for unit in character.encode_utf16(&mut [0; 2]) {
                    push_escape(*unit, out);
                }
                at = end + 4;
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::push_quoted;

    #[test]
    fn strings_are_escaped_as_jackson_escapes_them() {
        let mut out = Vec::new();
        push_quoted("a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}\u{85}\u{2028}ж\u{1f680}", &mut out);
        let expected = "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001F\u{7f}\u{85}\u{2028}ж\\uD83D\\uDE80\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn a_quoted_text_reads_as_the_text(text in "(\\PC|[\"\\\\\\x00-\\x1f]|[a-z]{1,20}|[\\x{10000}-\\x{10ffff}]){0,40}") {
            let mut out = Vec::new();
            push_quoted(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
