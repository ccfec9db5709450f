//! Percent-encoding as Signature Version 4 defines it, which is stricter than most libraries' sets.

use super::api_error::ApiError;

/// Encodes all but `A-Z a-z 0-9 - . _ ~`, and `/` where `keep_slash`.
pub(super) fn encode_into(out: &mut String, text: &[u8], keep_slash: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if keep_slash => out.push('/'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

pub(super) fn encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.as_bytes(), keep_slash);
    out
}

/// Decodes `%XX`, and `+` as a space where `plus_is_space` (queries and forms). A broken escape stays as it is, as
/// browsers and AWS have it.
pub(super) fn decode_bytes(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digit = |offset: usize| text.get(at + offset).and_then(|&b| char::from(b).to_digit(16));
        match (text[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) if plus_is_space => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    out
}

pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<String, ApiError> {
    String::from_utf8(decode_bytes(text.as_bytes(), plus_is_space)).map_err(|_| ApiError::of("InvalidURI"))
}

/// The parameters of a query string or form, decoded, in order.
#[derive(Debug, Default)]
pub(super) struct Query(pub(super) Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name, true)?, decode(value, true)?))
        };
        Ok(Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect::<Result<_, ApiError>>()?))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, decode_bytes, encode};

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        assert_eq!(decode_bytes(b"a%2", true), b"a%2");
        assert_eq!(decode_bytes(b"%zz+%41", true), b"%zz A");
        assert_eq!(decode_bytes(b"+", false), b"+");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in "\\PC{0,20}") {
            prop_assert_eq!(decode(&encode(&text, false), true).unwrap(), text);
        }
    }
}
