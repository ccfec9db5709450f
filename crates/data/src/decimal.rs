use std::fmt;

/// A number with as many digits as it needs, as Java's `BigDecimal`: `digits` times ten to the minus `scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// The unscaled number's decimal digits, as numbers from 0 to 9, without leading zeros; empty for zero.
    digits: Vec<u8>,
    scale: i32,
}

impl Decimal {
    /// Reads `-12.50e3` and the like: a sign, digits with or without a full stop, an exponent. `None` if the text is not
    /// such a number, or its scale does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let (negative, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match exponent {
            None => 0,
            Some(text) => {
                let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let digits = digits.trim_start_matches('0');
                if digits.len() > 10 {
                    return None;
                }
                let value: i64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
                i64::from(i32::try_from(if text.starts_with('-') { -value } else { value }).ok()?)
            }
        };
        let mut digits = Vec::with_capacity(whole.len() + fraction.len());
        for byte in whole.bytes().chain(fraction.bytes()) {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                _ => return None,
            }
        }
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        let scale = i32::try_from(fraction.len() as i64 - exponent).ok()?;
        Some(Self { negative: negative && !digits.is_empty(), digits, scale })
    }

    /// The number whose unscaled part is `bytes`, big-endian two's complement.
    pub fn from_unscaled(bytes: &[u8], scale: i32) -> Self {
        let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let mut magnitude = bytes.to_vec();
        if negative {
            negate(&mut magnitude);
        }
        // Long division by ten, digit by digit from the right.
        let mut digits = Vec::new();
        let mut start = 0;
        while start < magnitude.len() {
            if magnitude[start] == 0 {
                start += 1;
                continue;
            }
            let mut rest = 0_u32;
            for byte in &mut magnitude[start..] {
                let value = rest << 8 | u32::from(*byte);
                *byte = (value / 10) as u8;
                rest = value % 10;
            }
            digits.push(rest as u8);
        }
        digits.reverse();
        Self { negative, digits, scale }
    }

    /// The unscaled part, big-endian two's complement in as few bytes as it fits, at least one.
    pub fn unscaled(&self) -> Vec<u8> {
        let mut magnitude: Vec<u8> = Vec::new();
        for digit in &self.digits {
            let mut carry = u32::from(*digit);
            for byte in &mut magnitude {
                let value = u32::from(*byte) * 10 + carry;
                *byte = value as u8;
                carry = value >> 8;
            }
            if carry > 0 {
                magnitude.push(carry as u8);
            }
        }
        // A byte more for the sign; dropped again where it says nothing.
        magnitude.push(0);
        magnitude.reverse();
        if self.negative {
            negate(&mut magnitude);
        }
        minimal(magnitude)
    }

    /// How many of the digits stand behind the full stop; negative if zeros follow the last one.
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// The whole part modulo 2^64, as Java's `longValue`.
    pub fn to_i64_wrapping(&self) -> i64 {
        let whole = i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - i64::from(self.scale);
        let mut value = 0_i64;
        for digit in self.digits.iter().take(usize::try_from(whole).unwrap_or(0)) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(*digit));
        }
        // Ten to the 64 and above is zero modulo 2^64.
        for _ in 0..(whole - self.digits.len() as i64).clamp(0, 64) {
            value = value.wrapping_mul(10);
        }
        if self.negative { value.wrapping_neg() } else { value }
    }

    /// The number as an integer of 64 bits, if it is one.
    pub fn to_i64_exact(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let zeros = self.digits.iter().rev().take_while(|digit| **digit == 0).count();
        let significant = self.digits.len() - zeros;
        let power = zeros as i64 - i64::from(self.scale);
        if power < 0 || significant as i64 + power > 19 {
            return None;
        }
        let digits = self.digits[..significant].iter().copied().chain(std::iter::repeat_n(0, power as usize));
        let value = digits.fold(0_i128, |value, digit| value * 10 + i128::from(digit));
        i64::try_from(if self.negative { -value } else { value }).ok()
    }
}

/// A big-endian number in two's complement, without leading bytes that say nothing.
pub(crate) fn minimal(mut bytes: Vec<u8>) -> Vec<u8> {
    let needless = |pair: &[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xFF && pair[1] >= 0x80);
    let spare = bytes.windows(2).take_while(|pair| needless(pair)).count();
    bytes.drain(..spare);
    bytes
}

/// Two's complement of a big-endian number.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

/// As Java's `BigDecimal.toString`: plain where the scale is not negative and at most six zeros follow the full stop, else
/// with an exponent.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        if text.is_empty() {
            text.push('0');
        }
        let adjusted = text.len() as i64 - 1 - i64::from(self.scale);
        if self.negative {
            f.write_str("-")?;
        }
        if self.scale == 0 {
            return f.write_str(&text);
        }
        if self.scale > 0 && adjusted >= -6 {
            let scale = self.scale as usize;
            if text.len() <= scale {
                text.insert_str(0, &"0".repeat(scale + 1 - text.len()));
            }
            text.insert(text.len() - scale, '.');
            return f.write_str(&text);
        }
        if text.len() > 1 {
            text.insert(1, '.');
        }
        f.write_str(&text)?;
        if adjusted == 0 { Ok(()) } else { write!(f, "E{adjusted:+}") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Decimal;

    #[track_caller]
    fn prints(text: &str, expected: &str) {
        assert_eq!(Decimal::parse(text).unwrap().to_string(), expected);
    }

    #[test]
    fn decimals_print_as_java_prints_them() {
        prints("12.50", "12.50");
        prints("-0.000001", "-0.000001");
        prints("0.0000001", "1E-7");
        prints("1e400", "1E+400");
        prints("12.5e3", "1.25E+4");
        prints("-0", "0");
        prints("0.00", "0.00");
        prints("123e-2", "1.23");
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        for text in ["", "-", ".", "1e", "1e+", "e5", "1x", "--1", "1e99999999999", "1e2147483648", "0.1e-2147483647"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for text in ["1.", ".5", "+1", "1E5"] {
            assert!(Decimal::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn an_integer_is_exact_only_if_it_fits() {
        let exact = |text| Decimal::parse(text).unwrap().to_i64_exact();
        assert_eq!(exact("1e10"), Some(10_000_000_000));
        assert_eq!(exact("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(exact("9223372036854775808"), None);
        assert_eq!(exact("1.50"), None);
        assert_eq!(exact("1.00"), Some(1));
        assert_eq!(exact("1e400"), None);
    }

    proptest! {
        #[test]
        fn unscaled_bytes_are_twos_complement(value: i128) {
            let decimal = Decimal::parse(&value.to_string()).unwrap();
            let bytes = decimal.unscaled();
            let sign = if value < 0 { 0xFF } else { 0 };
            let mut wide = [sign; 16];
            wide[16 - bytes.len()..].copy_from_slice(&bytes);
            prop_assert_eq!(i128::from_be_bytes(wide), value);
            prop_assert_eq!(Decimal::from_unscaled(&bytes, 0), decimal.clone());
            prop_assert_eq!(Decimal::from_unscaled(&value.to_be_bytes(), 0), decimal.clone());
            prop_assert_eq!(decimal.to_i64_wrapping(), value as i64);
            prop_assert_eq!(decimal.to_i64_exact(), i64::try_from(value).ok());
        }
    }
}
