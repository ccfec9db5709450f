use super::unescape::unescape_bytes;
use super::{JsonFault, JsonFaultKind};

/// Jackson's limits (`StreamReadConstraints` of 2.15 and later), which Connect leaves at their defaults.
const MAX_DEPTH: usize = 1000;
/// Bytes here, UTF-16 units there: nothing between the two is refused that Jackson takes only because it is not ASCII,
/// see [`Scan::length`].
const MAX_STRING: usize = 20_000_000;
const MAX_NAME: usize = 50_000;
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
/// One per thread; it keeps its buffers between documents.
#[derive(Debug, Default)]
pub struct Compactor {
    /// Open containers.
    frames: Vec<Frame>,
    /// A hash of each name of the open objects, innermost last.
    hashes: Vec<u32>,
    /// Where each of those names is in the output.
    names: Vec<Name>,
    /// For comparing names that have escapes.
    left: Vec<u8>,
    right: Vec<u8>,
}

/// An open array or object.
#[derive(Debug, Clone, Copy)]
struct Frame {
    object: bool,
    /// How many names there were before its own.
    names: usize,
}

/// A member's name, quotes included, as a range of the output counted from the document's start there. The range begins
/// where the member begins.
#[derive(Debug, Clone, Copy)]
struct Name {
    start: usize,
    end: usize,
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
        self.names.clear();
        let origin = out.len();
        // A mark alone is none: Jackson looks for one only if there are four bytes.
        let begin = if text.len() > 3 && text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut scan = Scan { text, at: begin, copied: begin, out, origin, state: self };
        match scan.document() {
            Ok(found) => Ok(found),
            Err(fault) => {
                out.truncate(origin);
                Err(fault)
            }
        }
    }
}

/// One document on its way.
struct Scan<'a> {
    text: &'a [u8],
    /// The next byte to look at.
    at: usize,
    /// Up to here the text is in the output or dropped. What lies between is copied in one go when something has to be
    /// left out; a document without whitespace is one copy.
    copied: usize,
    out: &'a mut Vec<u8>,
    /// Where in the output the document starts.
    origin: usize,
    state: &'a mut Compactor,
}

impl Scan<'_> {
    fn document(&mut self) -> Result<bool, JsonFault> {
        self.skip_whitespace();
        self.copied = self.at;
        if self.at == self.text.len() {
            return Ok(false);
        }
        'value: loop {
            match self.byte()? {
                b'"' => {
                    self.string(MAX_STRING)?;
                }
                b'{' => {
                    self.open(true)?;
                    if self.byte()? == b'}' {
                        self.close();
                    } else {
                        self.name()?;
                        continue 'value;
                    }
                }
                b'[' => {
                    self.open(false)?;
                    if self.byte()? == b']' {
                        self.close();
                    } else {
                        continue 'value;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => return Err(self.unexpected()),
            }
            loop {
                let Some(frame) = self.state.frames.last() else {
                    self.copy();
                    return Ok(true);
                };
                let object = frame.object;
                self.skip_whitespace();
                match self.byte()? {
                    b',' => {
                        self.at += 1;
                        self.skip_whitespace();
                        if object {
                            self.name()?;
                        }
                        continue 'value;
                    }
                    b'}' if object => self.close(),
                    b']' if !object => self.close(),
                    _ => return Err(self.unexpected()),
                }
            }
        }
    }

    /// The byte to look at.
    #[inline]
    fn byte(&self) -> Result<u8, JsonFault> {
        match self.text.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(self.fault(JsonFaultKind::End)),
        }
    }

    #[cold]
    fn fault(&self, kind: JsonFaultKind) -> JsonFault {
        JsonFault { kind, at: self.at }
    }

    #[cold]
    fn unexpected(&self) -> JsonFault {
        match self.text.get(self.at) {
            Some(byte) => self.fault(JsonFaultKind::Byte(*byte)),
            None => self.fault(JsonFaultKind::End),
        }
    }

    /// Copies what has been looked at since the last copy.
    #[inline]
    fn copy(&mut self) {
        self.out.extend_from_slice(&self.text[self.copied..self.at]);
        self.copied = self.at;
    }

    /// Where the byte to look at will be in the output, counted from the document's start.
    #[inline]
    fn out_at(&self) -> usize {
        self.out.len() - self.origin + (self.at - self.copied)
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        if let Some(byte) = self.text.get(self.at)
            && *byte <= b' '
        {
            self.drop_whitespace();
        }
    }

    fn drop_whitespace(&mut self) {
        self.copy();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.copied = self.at;
    }

    fn open(&mut self, object: bool) -> Result<(), JsonFault> {
        if self.state.frames.len() == MAX_DEPTH {
            return Err(self.fault(JsonFaultKind::Depth));
        }
        self.state.frames.push(Frame { object, names: self.state.names.len() });
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(frame) = self.state.frames.pop()
            && frame.object
        {
            if repeats(&self.state.hashes[frame.names..]) {
                self.drop_repeated(frame.names);
            }
            self.state.names.truncate(frame.names);
            self.state.hashes.truncate(frame.names);
        }
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Result<(), JsonFault> {
        if self.byte()? != b'"' {
            return Err(self.unexpected());
        }
        let start = self.out_at();
        let (from, escaped) = (self.at, self.string(MAX_NAME)?);
        let hash = if escaped {
            self.copy();
            let plain = &mut self.state.left;
            plain.clear();
            unescape_bytes(&self.out[self.origin + start + 1..self.out.len() - 1], plain);
            hash(plain)
        } else {
            hash(&self.text[from + 1..self.at - 1])
        };
        let end = self.out_at();
        self.state.hashes.push(hash);
        self.state.names.push(Name { start, end });
        self.skip_whitespace();
        if self.byte()? != b':' {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    /// A string, from quote to quote; whether its text is not what it stands for (escapes).
    fn string(&mut self, limit: usize) -> Result<bool, JsonFault> {
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.byte()? {
                b'"' => {
                    if self.at - from > limit {
                        self.length(from, limit)?;
                    }
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                byte @ 0..0x20 => return Err(self.fault(JsonFaultKind::Control(byte))),
                0x20..0x80 => self.at += 1,
                _ => escaped |= self.multibyte()?,
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), JsonFault> {
        match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte()?.is_ascii_hexdigit() {
                        return Err(self.fault(JsonFaultKind::Escape));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.fault(JsonFaultKind::Escape)),
        }
        Ok(())
    }

    /// Refuses a string that is too long as Jackson counts, in UTF-16 units.
    #[cold]
    fn length(&self, from: usize, limit: usize) -> Result<(), JsonFault> {
        let mut plain = Vec::new();
        unescape_bytes(&self.text[from..self.at], &mut plain);
        let units: usize = String::from_utf8_lossy(&plain).chars().map(char::len_utf16).sum();
        if units > limit { Err(JsonFault { kind: JsonFaultKind::Long, at: from }) } else { Ok(()) }
    }

    /// A character beyond ASCII; whether it was written in another form than it was read.
    fn multibyte(&mut self) -> Result<bool, JsonFault> {
        let rest = &self.text[self.at..];
        let head = &rest[..rest.len().min(4)];
        if let Some(len) = character(head) {
            self.at += len;
            return Ok(false);
        }
        self.odd_multibyte()?;
        Ok(true)
    }

    /// Bytes that are not UTF-8, but that Jackson decodes: its decoder checks lead and continuation bits, and nothing
    /// else.
    #[cold]
    fn odd_multibyte(&mut self) -> Result<(), JsonFault> {
        let lead = self.text[self.at];
        let (len, mut code) = match lead {
            0xC0..0xE0 => (2, u32::from(lead & 0x1F)),
            0xE0..0xF0 => (3, u32::from(lead & 0x0F)),
            0xF0..0xF8 => (4, u32::from(lead & 0x07)),
            _ => return Err(self.fault(JsonFaultKind::Utf8)),
        };
        for next in 1..len {
            match self.text.get(self.at + next) {
                Some(byte) if byte & 0xC0 == 0x80 => code = code << 6 | u32::from(byte & 0x3F),
                Some(_) => return Err(JsonFault { kind: JsonFaultKind::Utf8, at: self.at + next }),
                None => return Err(JsonFault { kind: JsonFaultKind::End, at: self.text.len() }),
            }
        }
        // Of four bytes Jackson makes two surrogates without asking whether they are any: refused rather than garbled.
        if len == 4 && !(0x1_0000..0x11_0000).contains(&code) {
            return Err(self.fault(JsonFaultKind::Utf8));
        }
        self.copy();
        push_code(code, self.out);
        self.at += len;
        self.copied = self.at;
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let from = self.at;
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        if self.text.get(self.at) == Some(&b'0') && self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.drop_zeros();
        }
        if !self.digits() {
            return Err(self.not_a_number());
        }
        let mut fraction = 0;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            let from = self.at;
            if !self.digits() {
                return Err(self.not_a_number());
            }
            fraction = self.at - from;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.exponent(fraction)?;
        }
        if self.at - from > MAX_NUMBER {
            return Err(JsonFault { kind: JsonFaultKind::Long, at: from });
        }
        // Only outside of arrays and objects is there no token that would notice what follows.
        if self.state.frames.is_empty()
            && let Some(byte) = self.text.get(self.at)
            && !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            return Err(self.unexpected());
        }
        Ok(())
    }

    /// What follows the E of a number with `fraction` digits behind its full stop.
    fn exponent(&mut self, fraction: usize) -> Result<(), JsonFault> {
        let sign = self.text.get(self.at).copied();
        if let Some(b'+' | b'-') = sign {
            self.at += 1;
        }
        let from = self.at;
        if !self.digits() {
            return Err(self.not_a_number());
        }
        let digits = &self.text[from..self.at];
        if digits.len() > 9 {
            // Java's BigDecimal, through which Connect reads, has an exponent and a scale of 32 bits.
            let leading = digits.iter().take_while(|digit| **digit == b'0').count();
            let digits = &digits[leading..];
            let exponent = digits.iter().take(11).fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
            let exponent = if sign == Some(b'-') { -exponent } else { exponent };
            let fits = |value: i64| i32::try_from(value).is_ok();
            if digits.len() > 10 || !fits(exponent) || !fits(fraction as i64 - exponent) {
                return Err(JsonFault { kind: JsonFaultKind::Exponent, at: from });
            }
        }
        Ok(())
    }

    #[cold]
    fn not_a_number(&self) -> JsonFault {
        match self.text.get(self.at) {
            Some(_) => self.fault(JsonFaultKind::Number),
            None => self.fault(JsonFaultKind::End),
        }
    }

    /// Skips digits; whether there was one.
    fn digits(&mut self) -> bool {
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at > from
    }

    /// Drops zeros that stand before a further digit.
    #[cold]
    fn drop_zeros(&mut self) {
        self.copy();
        while self.text[self.at] == b'0' && self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.copied = self.at;
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonFault> {
        for byte in word {
            if self.byte()? != *byte {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        // `nullx` is one word to Jackson, and not a known one.
        match self.text.get(self.at) {
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x7F..) => Err(self.unexpected()),
            _ => Ok(()),
        }
    }

    /// Of the members of the object that has just been closed, drops those whose name comes again later.
    #[cold]
    fn drop_repeated(&mut self, from: usize) {
        self.copy();
        let body = self.out_at();
        // The last member's end: what follows is the closing brace.
        let end = body - 1;
        let mut order: Vec<usize> = (from..self.state.names.len()).collect();
        order.sort_by_key(|index| (self.state.hashes[*index], *index));
        let mut dropped = Vec::new();
        for (place, earlier) in order.iter().enumerate() {
            let hash = self.state.hashes[*earlier];
            for later in &order[place + 1..] {
                if self.state.hashes[*later] != hash {
                    break;
                }
                if self.same_name(*earlier, *later) {
                    dropped.push(*earlier);
                    break;
                }
            }
        }
        dropped.sort_unstable();
        for index in dropped.into_iter().rev() {
            // Never the last member, hence there is a next one, and it starts behind the comma.
            let next = self.state.names.get(index + 1).map_or(end, |name| name.start);
            let start = self.state.names[index].start;
            self.out.drain(self.origin + start..self.origin + next);
        }
    }

    fn same_name(&mut self, one: usize, other: usize) -> bool {
        let Compactor { names, left, right, .. } = &mut *self.state;
        for (index, plain) in [(one, &mut *left), (other, &mut *right)] {
            let Name { start, end } = names[index];
            plain.clear();
            unescape_bytes(&self.out[self.origin + start + 1..self.origin + end - 1], plain);
        }
        left == right
    }
}

/// Whether a hash comes twice. Two different names may share one.
fn repeats(hashes: &[u32]) -> bool {
    if hashes.len() > 64 {
        let mut sorted = hashes.to_vec();
        sorted.sort_unstable();
        return sorted.windows(2).any(|pair| pair[0] == pair[1]);
    }
    // Every comparison is made, so that the compiler may make eight at a time.
    let among = |hash: u32, earlier: &[u32]| earlier.iter().fold(0, |hits, other| hits + u32::from(hash == *other)) > 0;
    hashes.iter().enumerate().any(|(index, hash)| among(*hash, &hashes[..index]))
}

fn hash(text: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = text.len() as u64;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = (state.rotate_left(23) ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    (state >> 32) as u32
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
