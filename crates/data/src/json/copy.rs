use super::scan::{ascii_end, utf8_end};
use super::token::byte;
use super::unescape::unescape_bytes;
use super::utf8::{character, push_code};
use super::{JsonFault, JsonFaultKind};

/// What is known of the text as UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf8 {
    Unknown,
    Valid,
    Invalid,
}

/// A text on its way into the output.
pub(super) struct Copy<'a> {
    pub(super) text: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
    /// Where in the output the document starts.
    pub(super) origin: usize,
    /// Up to here the text is in the output or dropped. What follows is copied in one go when something has to be left
    /// out; a document without whitespace is one copy.
    pub(super) copied: usize,
    pub(super) utf8: Utf8,
}

impl Copy<'_> {
    /// Copies what lies before `at`.
    #[inline]
    pub(super) fn until(&mut self, at: usize) {
        self.out.extend_from_slice(&self.text[self.copied..at]);
        self.copied = at;
    }

    /// Where `at` will be in the output, from the document's start.
    #[inline]
    pub(super) fn place(&self, at: usize) -> usize {
        self.out.len() - self.origin + at - self.copied
    }

    /// Drops the whitespace at `at`, where `found` is; a fault if it is none.
    #[inline]
    pub(super) fn whitespace(&mut self, at: usize, found: u8) -> Result<usize, JsonFault> {
        if matches!(found, b' ' | b'\t' | b'\n' | b'\r') {
            Ok(self.skip_whitespace(at))
        } else {
            Err(JsonFault { kind: JsonFaultKind::Byte(found), at })
        }
    }

    #[inline(never)]
    pub(super) fn skip_whitespace(&mut self, mut at: usize) -> usize {
        self.until(at);
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(at) {
            at += 1;
        }
        self.copied = at;
        at
    }

    /// A string, whose quote is at `at`: the place behind it, and whether its text is not what it stands for.
    #[inline]
    pub(super) fn string(&mut self, at: usize, limit: usize) -> Result<(usize, bool), JsonFault> {
        let end = ascii_end(self.text, at + 1);
        // A limit in UTF-16 units; of ASCII each byte is one.
        if self.text.get(end) == Some(&b'"') && end - at <= limit {
            return Ok((end + 1, false));
        }
        self.string_rest(at + 1, end, limit)
    }

    /// The rest of a string that starts at `from` and is plain up to `at`.
    #[inline(never)]
    fn string_rest(&mut self, from: usize, mut at: usize, limit: usize) -> Result<(usize, bool), JsonFault> {
        let mut changed = false;
        loop {
            match byte(self.text, at)? {
                b'"' => {
                    if at - from > limit {
                        within(&self.text[from..at], limit, from)?;
                    }
                    return Ok((at + 1, changed));
                }
                b'\\' => {
                    changed = true;
                    at = escape(self.text, at + 1)?;
                }
                byte @ 0..0x20 => return Err(JsonFault { kind: JsonFaultKind::Control(byte), at }),
                0x20..0x80 => {}
                _ => {
                    if self.utf8 == Utf8::Unknown {
                        let valid = std::str::from_utf8(&self.text[at..]).is_ok();
                        self.utf8 = if valid { Utf8::Valid } else { Utf8::Invalid };
                    }
                    if self.utf8 == Utf8::Invalid {
                        let (next, odd) = self.multibyte(at)?;
                        (at, changed) = (next, changed || odd);
                    }
                }
            }
            at = match self.utf8 {
                Utf8::Valid => utf8_end(self.text, at),
                Utf8::Unknown | Utf8::Invalid => ascii_end(self.text, at),
            };
        }
    }

    /// A character beyond ASCII in a text that is not all UTF-8: the place behind it, and whether it was written in
    /// another form than it was read.
    fn multibyte(&mut self, at: usize) -> Result<(usize, bool), JsonFault> {
        let rest = &self.text[at..];
        if let Some(len) = character(&rest[..rest.len().min(4)]) {
            return Ok((at + len, false));
        }
        // Jackson's decoder checks lead and continuation bits, and nothing else.
        let fault = JsonFault { kind: JsonFaultKind::Utf8, at };
        let (len, mut code) = match rest[0] {
            lead @ 0xC0..0xE0 => (2, u32::from(lead & 0x1F)),
            lead @ 0xE0..0xF0 => (3, u32::from(lead & 0x0F)),
            // Of four bytes Jackson makes two surrogates without asking whether they are any: refused, not garbled.
            _ => return Err(fault),
        };
        for next in 1..len {
            let byte = byte(self.text, at + next)?;
            if byte & 0xC0 != 0x80 {
                return Err(JsonFault { at: at + next, ..fault });
            }
            code = code << 6 | u32::from(byte & 0x3F);
        }
        self.until(at);
        push_code(code, self.out);
        self.copied = at + len;
        Ok((at + len, true))
    }
}

/// What follows a backslash, which begins at `at`; the place behind it.
fn escape(text: &[u8], at: usize) -> Result<usize, JsonFault> {
    match byte(text, at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => {
            for digit in at + 1..at + 5 {
                if !byte(text, digit)?.is_ascii_hexdigit() {
                    return Err(JsonFault { kind: JsonFaultKind::Escape, at: digit });
                }
            }
            Ok(at + 5)
        }
        _ => Err(JsonFault { kind: JsonFaultKind::Escape, at }),
    }
}

/// Refuses a string of more than `limit` UTF-16 units.
#[cold]
fn within(text: &[u8], limit: usize, at: usize) -> Result<(), JsonFault> {
    let mut plain = Vec::new();
    unescape_bytes(text, &mut plain);
    let units: usize = String::from_utf8_lossy(&plain).chars().map(char::len_utf16).sum();
    if units > limit { Err(JsonFault { kind: JsonFaultKind::Long, at }) } else { Ok(()) }
}
