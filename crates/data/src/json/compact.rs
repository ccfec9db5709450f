use super::copy::{Copy, Utf8};
use super::names::{drop_repeated, hash, repeats};
use super::token::{byte, literal};
use super::unescape::unescape_bytes;
use super::{JsonFault, JsonFaultKind};

/// Jackson's limits (`StreamReadConstraints` of 2.15 and later), which Connect leaves at their defaults.
const MAX_DEPTH: usize = 1000;
/// In UTF-16 units.
const MAX_STRING: usize = 20_000_000;
/// In UTF-16 units.
const MAX_NAME: usize = 50_000;

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

    #[inline]
    fn open(&mut self, object: bool, copy: &Copy<'_>, at: usize) -> Result<(), JsonFault> {
        if self.frames.len() == MAX_DEPTH {
            return Err(JsonFault { kind: JsonFaultKind::Depth, at });
        }
        self.frames.push(Frame { object, hashes: self.hashes.len(), start: copy.place(at + 1) });
        Ok(())
    }

    /// Closes the innermost container, whose bracket is at `at`; whether the one around it is an object.
    #[inline]
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
    #[inline]
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
