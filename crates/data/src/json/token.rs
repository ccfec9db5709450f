use super::copy::Copy;
use super::scan::digits_end;
use super::{JsonFault, JsonFaultKind};

/// The longest number that Jackson reads (`StreamReadConstraints` of 2.15 and later), in bytes.
const MAX_NUMBER: usize = 1000;

/// The byte at `at`.
#[inline]
pub(super) fn byte(text: &[u8], at: usize) -> Result<u8, JsonFault> {
    match text.get(at) {
        Some(byte) => Ok(*byte),
        None => Err(JsonFault { kind: JsonFaultKind::End, at }),
    }
}

#[inline]
pub(super) fn literal<const N: usize>(text: &[u8], at: usize, word: &[u8; N]) -> Result<usize, JsonFault> {
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

impl Copy<'_> {
    /// A number, which begins at `at`; the place behind it.
    #[inline]
    pub(super) fn number(&mut self, from: usize, outermost: bool) -> Result<usize, JsonFault> {
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
            && let Some(found) = text.get(at)
            && !matches!(found, b' ' | b'\t' | b'\n' | b'\r')
        {
            return Err(JsonFault { kind: JsonFaultKind::Byte(*found), at });
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
