use std::borrow::Cow;

use crate::string::decode_utf8;

/// How a `StringConverter` reads bytes: `converter.encoding`, by Java's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// UTF-8; what is not becomes U+FFFD by Java's rules, see [`decode_utf8`].
    Utf8,
    /// ISO 8859-1: every byte is the character of its number.
    Latin1,
    /// ASCII; other bytes become U+FFFD.
    Ascii,
    /// UTF-16 by its byte order mark, big-endian without one.
    Utf16,
    /// UTF-16, big-endian.
    Utf16Be,
    /// UTF-16, little-endian.
    Utf16Le,
}

impl Charset {
    /// The names to offer.
    pub(crate) const NAMES: [&'static str; 6] = ["UTF-8", "ISO-8859-1", "US-ASCII", "UTF-16", "UTF-16BE", "UTF-16LE"];

    /// The charset that Java knows by `name`; upper and lower case are the same.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "UNICODE-1-1-UTF-8" => Self::Utf8,
            "ISO-8859-1" | "ISO8859-1" | "ISO8859_1" | "ISO_8859_1" | "ISO_8859-1" | "8859_1" | "LATIN1" | "L1" => {
                Self::Latin1
            }
            "US-ASCII" | "ASCII" | "ASCII7" | "ISO646-US" | "646" => Self::Ascii,
            "UTF-16" | "UTF16" | "UTF_16" | "UNICODE" | "UNICODEBIG" => Self::Utf16,
            "UTF-16BE" | "UTF_16BE" | "ISO-10646-UCS-2" | "X-UTF-16BE" | "UNICODEBIGUNMARKED" => Self::Utf16Be,
            "UTF-16LE" | "UTF_16LE" | "X-UTF-16LE" | "UNICODELITTLEUNMARKED" => Self::Utf16Le,
            _ => return None,
        })
    }

    /// The text that `bytes` are.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 => decode_utf8(bytes),
            Self::Latin1 => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            Self::Ascii => {
                let character =
                    |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
                Cow::Owned(bytes.iter().map(character).collect())
            }
            Self::Utf16 => match bytes {
                [0xFE, 0xFF, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_be_bytes)),
                [0xFF, 0xFE, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_le_bytes)),
                _ => Cow::Owned(decode_utf16(bytes, u16::from_be_bytes)),
            },
            Self::Utf16Be => Cow::Owned(decode_utf16(bytes, u16::from_be_bytes)),
            Self::Utf16Le => Cow::Owned(decode_utf16(bytes, u16::from_le_bytes)),
        }
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, rest) = bytes.as_chunks::<2>();
    let decoded = char::decode_utf16(units.iter().map(|bytes| unit(*bytes)));
    let mut text: String = decoded.map(|item| item.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}
