use super::names::{drop_repeated, hash, repeats};
use super::scan::{ascii_end, digits_end, utf8_end};
use super::unescape::unescape_bytes;
use super::{JsonFault, JsonFaultKind};

/// Jackson's limits (`StreamReadConstraints` of 2.15 and later), which Connect leaves at their defaults.
const MAX_DEPTH: usize = 1000;
/// In UTF-16 units.
const MAX_STRING: usize = 20_000_000;
/// In UTF-16 units.
const MAX_NAME: usize = 50_000;
/// In bytes.
const MAX_NUMBER: usize = 1000;

/// Copies JSON documents without their insignificant whitespace, and refuses what Jackson refuses.
///
/// It goes over the text once. What it copies it copies verbatim: member order, the text of numbers, escapes. Jackson's
/// leniencies are made good on the way, so that the result is always strict JSON in UTF-8:
/// - a byte order mark and whatever follows the first value are dropped;
/// - leading zeros of a number are dropped;
/// - of members with equal names the last is kept;
/// - surrogates and overlong forms in the UTF-8, which Jackson decodes, become escapes and plain characters.
///
/// Text in UTF-16 or UTF-32, which Jackson guesses from the first bytes, is refused.
///
/// One per thread; it keeps its buffers between documents.
#[derive(Debug, Default)]
pub struct Compactor {
    /// Open arrays and objects.
    frames: Vec<Frame>,
    /// A hash of each name of the open objects, innermost last.
    hashes: Vec<u32>,
    /// A name without its escapes.
    plain: Vec<u8>,
}

/// An open array or object.
#[derive(Debug, Clone, Copy)]
struct Frame {
    object: bool,
    /// How many names there were before its own.
    hashes: usize,
    /// Where in the output its inside starts, from the document's start.
    start: usize,
}

impl Compactor {
    /// A compactor without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the document in `text` to `out`. False, and nothing appended, if there is only whitespace. On an error
    /// `out` is as it was.
    pub fn compact(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<bool, JsonFault> {
        self.frames.clear();
        self.hashes.clear();
        let origin = out.len();
        // A mark alone is none: Jackson looks for one only if there are four bytes.
        let begin = if text.len() > 3 && text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let copy = Copy { text, out, origin, copied: begin, utf8: Utf8::Unknown };
        let found = self.document(text, begin, copy);
        if found.is_err() {
            out.truncate(origin);
        }
        found
    }

    // `at`, the next byte to look at, is a local everywhere, so that it stays in a register.
    fn document(&mut self, text: &[u8], begin: usize, mut copy: Copy<'_>) -> Result<bool, JsonFault> {
        let mut at = copy.skip_whitespace(begin);
        if at == text.len() {
            return Ok(false);
        }
        // Whether the innermost container is an object.
        let mut object = false;
        'value: loop {
            match byte(text, at)? {
                b'"' => at = copy.string(at, MAX_STRING)?.0,
                b'{' => {
                    self.open(true, &copy, at)?;
                    object = true;
                    at += 1;
                    loop {
                        match byte(text, at)? {
                            b'"' => {
                                at = self.name(&mut copy, at)?;
                                continue 'value;
                            }
                            b'}' => {
                                object = self.close(&mut copy, at);
                                at += 1;
                                break;
                            }
                            other => at = copy.whitespace(at, other)?,
                        }
                    }
                }
                b'[' => {
                    self.open(false, &copy, at)?;
                    object = false;
                    at += 1;
                    loop {
                        match byte(text, at)? {
                            b']' => {
                                object = self.close(&mut copy, at);
                                at += 1;
                                break;
                            }
                            b' ' | b'\t' | b'\n' | b'\r' => at = copy.skip_whitespace(at),
                            _ => continue 'value,
                        }
                    }
                }
                b'0'..=b'9' | b'-' => at = copy.number(at, self.frames.is_empty())?,
                b't' => at = literal(text, at, b"true")?,
                b'f' => at = literal(text, at, b"false")?,
                b'n' => at = literal(text, at, b"null")?,
                other => {
                    at = copy.whitespace(at, other)?;
                    continue 'value;
                }
            }
            loop {
                if self.frames.is_empty() {
                    copy.until(at);
                    return Ok(true);
                }
                match byte(text, at)? {
                    b',' if object => {
                        at += 1;
                        loop {
                            match byte(text, at)? {
                                b'"' => {
                                    at = self.name(&mut copy, at)?;
                                    continue 'value;
                                }
                                other => at = copy.whitespace(at, other)?,
                            }
                        }
                    }
                    b',' => {
                        at += 1;
                        continue 'value;
                    }
                    b'}' if object => {
                        object = self.close(&mut copy, at);
                        at += 1;
                    }
                    b']' if !object => {
                        object = self.close(&mut copy, at);
                        at += 1;
                    }
                    other => at = copy.whitespace(at, other)?,
                }
            }
        }
    }

    #[inline(always)]
    fn open(&mut self, object: bool, copy: &Copy<'_>, at: usize) -> Result<(), JsonFault> {
        if self.frames.len() == MAX_DEPTH {
            return Err(JsonFault { kind: JsonFaultKind::Depth, at });
        }
        self.frames.push(Frame { object, hashes: self.hashes.len(), start: copy.place(at + 1) });
        Ok(())
    }

    /// Closes the innermost container, whose bracket is at `at`; whether the one around it is an object.
    #[inline(always)]
    fn close(&mut self, copy: &mut Copy<'_>, at: usize) -> bool {
        if let Some(frame) = self.frames.pop()
            && frame.object
        {
            if repeats(&self.hashes[frame.hashes..]) {
                copy.until(at);
                drop_repeated(copy.out, copy.origin + frame.start);
            }
            self.hashes.truncate(frame.hashes);
        }
        self.frames.last().is_some_and(|frame| frame.object)
    }

    /// A member's name, whose quote is at `at`, and the colon behind it; the place behind that.
    #[inline(always)]
    fn name(&mut self, copy: &mut Copy<'_>, at: usize) -> Result<usize, JsonFault> {
        let text = copy.text;
        let start = copy.place(at);
        let (mut end, escaped) = copy.string(at, MAX_NAME)?;
        let hash = if escaped {
            copy.until(end);
            self.plain.clear();
            unescape_bytes(&copy.out[copy.origin + start + 1..copy.out.len() - 1], &mut self.plain);
            hash(&self.plain)
        } else {
            hash(&text[at + 1..end - 1])
        };
        self.hashes.push(hash);
        loop {
            match byte(text, end)? {
                b':' => return Ok(end + 1),
                other => end = copy.whitespace(end, other)?,
            }
        }
    }
}

/// What is known of the text as UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Utf8 {
    Unknown,
    Valid,
    Invalid,
}

/// A text on its way into the output.
struct Copy<'a> {
    text: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where in the output the document starts.
    origin: usize,
    /// Up to here the text is in the output or dropped. What follows is copied in one go when something has to be left
    /// out; a document without whitespace is one copy.
    copied: usize,
    utf8: Utf8,
}

impl Copy<'_> {
    /// Copies what lies before `at`.
    #[inline(always)]
    fn until(&mut self, at: usize) {
        self.out.extend_from_slice(&self.text[self.copied..at]);
        self.copied = at;
    }

    /// Where `at` will be in the output, from the document's start.
    #[inline(always)]
    fn place(&self, at: usize) -> usize {
        self.out.len() - self.origin + at - self.copied
    }

    /// Drops the whitespace at `at`, where `found` is; a fault if it is none.
    #[inline(always)]
    fn whitespace(&mut self, at: usize, found: u8) -> Result<usize, JsonFault> {
        if matches!(found, b' ' | b'\t' | b'\n' | b'\r') {
            Ok(self.skip_whitespace(at))
        } else {
            Err(JsonFault { kind: JsonFaultKind::Byte(found), at })
        }
    }

    #[inline(never)]
    fn skip_whitespace(&mut self, mut at: usize) -> usize {
        self.until(at);
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(at) {
            at += 1;
        }
        self.copied = at;
        at
    }

    /// A string, whose quote is at `at`: the place behind it, and whether its text is not what it stands for.
    #[inline(always)]
    fn string(&mut self, at: usize, limit: usize) -> Result<(usize, bool), JsonFault> {
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

    /// A number, which begins at `at`; the place behind it.
    #[inline(always)]
    fn number(&mut self, from: usize, outermost: bool) -> Result<usize, JsonFault> {
        let text = self.text;
        let first = from + usize::from(text[from] == b'-');
        if text.get(first) == Some(&b'0') && text.get(first + 1).is_some_and(u8::is_ascii_digit) {
            self.drop_zeros(first);
        }
        let mut at = digits_end(text, first);
        if at == first {
            return Err(not_a_number(text, at));
        }
        let next = text.get(at).copied().unwrap_or_default();
        if matches!(next, b'.' | b'e' | b'E') {
            at = fraction(text, at)?;
        }
        if at - from > MAX_NUMBER {
            return Err(JsonFault { kind: JsonFaultKind::Long, at: from });
        }
        // Only outside of arrays and objects is there no token that would notice what follows.
        if outermost
            && let Some(byte) = text.get(at)
            && !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            return Err(JsonFault { kind: JsonFaultKind::Byte(*byte), at });
        }
        Ok(at)
    }

    /// Drops zeros that stand before a further digit.
    #[cold]
    fn drop_zeros(&mut self, mut at: usize) {
        self.until(at);
        while self.text[at] == b'0' && self.text.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        self.copied = at;
    }
}

/// The byte at `at`.
#[inline(always)]
fn byte(text: &[u8], at: usize) -> Result<u8, JsonFault> {
    match text.get(at) {
        Some(byte) => Ok(*byte),
        None => Err(JsonFault { kind: JsonFaultKind::End, at }),
    }
}

#[inline(always)]
fn literal<const N: usize>(text: &[u8], at: usize, word: &[u8; N]) -> Result<usize, JsonFault> {
    if text.get(at..).and_then(|rest| rest.first_chunk::<N>()) != Some(word) {
        return Err(not_literal(text, at, word));
    }
    // `nullx` is one word to Jackson, and not a known one.
    match text.get(at + N) {
        Some(byte @ (b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x7F..)) => {
            Err(JsonFault { kind: JsonFaultKind::Byte(*byte), at: at + N })
        }
        _ => Ok(at + N),
    }
}

#[cold]
fn not_literal(text: &[u8], at: usize, word: &[u8]) -> JsonFault {
    let right = text[at..].iter().zip(word).take_while(|(found, expected)| found == expected).count();
    match text.get(at + right) {
        Some(byte) => JsonFault { kind: JsonFaultKind::Byte(*byte), at: at + right },
        None => JsonFault { kind: JsonFaultKind::End, at: text.len() },
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

/// The fraction and exponent of a number, which begin at `at`; the place behind them.
#[inline(never)]
fn fraction(text: &[u8], mut at: usize) -> Result<usize, JsonFault> {
    let mut fraction = 0;
    if text[at] == b'.' {
        let end = digits_end(text, at + 1);
        fraction = end - at - 1;
        if fraction == 0 {
            return Err(not_a_number(text, end));
        }
        at = end;
    }
    if !matches!(text.get(at), Some(b'e' | b'E')) {
        return Ok(at);
    }
    at += 1;
    let negative = text.get(at) == Some(&b'-');
    if matches!(text.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let end = digits_end(text, at);
    if end == at {
        return Err(not_a_number(text, at));
    }
    if end - at > 9 && !in_range(&text[at..end], negative, fraction) {
        return Err(JsonFault { kind: JsonFaultKind::Exponent, at });
    }
    Ok(end)
}

/// Whether Java's `BigDecimal`, through which Connect reads, has room for an exponent: it and the scale have 32 bits.
#[cold]
fn in_range(digits: &[u8], negative: bool, fraction: usize) -> bool {
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[leading..];
    if digits.len() > 10 {
        return false;
    }
    let exponent = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let exponent = if negative { -exponent } else { exponent };
    let fits = |value: i64| i32::try_from(value).is_ok();
    fits(exponent) && fits(fraction as i64 - exponent)
}

#[cold]
fn not_a_number(text: &[u8], at: usize) -> JsonFault {
    let kind = if at < text.len() { JsonFaultKind::Number } else { JsonFaultKind::End };
    JsonFault { kind, at }
}

/// How many bytes the character at the start of valid UTF-8 has; never more than there are.
pub(super) fn character_len(bytes: &[u8]) -> usize {
    character(&bytes[..bytes.len().min(4)]).unwrap_or(1)
}

/// How many bytes the UTF-8 character at the start of `bytes` has; `None` if there is none or it is ASCII.
fn character(bytes: &[u8]) -> Option<usize> {
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
fn push_code(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) if code >= 0x20 && character != '"' && character != '\\' => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => push_escape(code as u16, out),
    }
}

fn push_escape(unit: u16, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xF)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}
