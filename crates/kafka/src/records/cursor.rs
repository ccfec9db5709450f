/// Reads numbers and ranges front to back. Every read answers `None` at the end of the bytes and for a varint that does
/// not end where its type must; after that the position means nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The same bytes, read on from `at`.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(array)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (start, end) = self.range(length)?;
        Some(&self.bytes[start..end])
    }

    /// Where the next `length` bytes are.
    #[inline]
    pub(super) fn range(&mut self, length: usize) -> Option<(usize, usize)> {
        if length > self.remaining() {
            return None;
        }
        let start = self.at;
        self.at += length;
        Some((start, self.at))
    }

    /// Where the next `length` bytes are; a negative length stands for null.
    #[inline]
    #[expect(clippy::option_option, reason = "the outer one is the end of the bytes, the inner one Kafka's null")]
    pub(super) fn nullable(&mut self, length: i32) -> Option<Option<(usize, usize)>> {
        match usize::try_from(length) {
            Ok(length) => self.range(length).map(Some),
            Err(_) => Some(None),
        }
    }

    /// A zigzag varint of 32 bits: at most 5 bytes.
    #[inline]
    pub(super) fn varint(&mut self) -> Option<i32> {
        let first = *self.bytes.get(self.at)?;
        // Nearly every varint of a record is one byte (attributes of small deltas) or two (lengths up to 8 KiB).
        let raw = if first < 0x80 {
            self.at += 1;
            u32::from(first)
        } else {
            match self.bytes.get(self.at + 1) {
                Some(&second) if second < 0x80 => {
                    self.at += 2;
                    u32::from(first & 0x7f) | u32::from(second) << 7
                }
                _ => u32::try_from(self.raw_varint(5)?).ok()?,
            }
        };
        Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag varint of 64 bits: at most 10 bytes.
    #[inline]
    pub(super) fn varlong(&mut self) -> Option<i64> {
        let first = *self.bytes.get(self.at)?;
        let raw = if first < 0x80 {
            self.at += 1;
            u64::from(first)
        } else {
            self.raw_varint(10)?
        };
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    #[cold]
    fn raw_varint(&mut self, most: u32) -> Option<u64> {
        let mut raw = 0_u64;
        for index in 0..most {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if index == 9 && bits > 1 {
                return None;
            }
            raw |= bits << (7 * index);
            if byte < 0x80 {
                return Some(raw);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zigzag(value: i64) -> Vec<u8> {
        let mut raw = (value << 1 ^ value >> 63) as u64;
        let mut bytes = Vec::new();
        while raw >= 0x80 {
            bytes.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        bytes.push(raw as u8);
        bytes
    }

    #[test]
    fn varints_of_every_length_come_back() {
        for shift in 0..64 {
            for value in [1_i64 << shift, (1_i64 << shift).wrapping_sub(1), (1_i64 << shift).wrapping_neg()] {
                let bytes = zigzag(value);
                let mut cursor = Cursor::new(&bytes);
                assert_eq!((cursor.varlong(), cursor.remaining()), (Some(value), 0));
                let mut cursor = Cursor::new(&bytes);
                assert_eq!(cursor.varint(), i32::try_from(value).ok());
            }
        }
    }

    #[test]
    fn a_varint_that_does_not_end_is_refused() {
        assert_eq!(Cursor::new(&[0x80]).varint(), None);
        assert_eq!(Cursor::new(&[0xff; 5]).varint(), None);
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint(), None);
        assert_eq!(Cursor::new(&[0xff; 11]).varlong(), None);
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varlong(), None);
        assert_eq!(Cursor::new(&[]).varlong(), None);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut cursor = Cursor::new(&[0, 0, 0]);
        assert_eq!(cursor.i32(), None);
        assert_eq!(cursor.range(4), None);
        assert_eq!(cursor.take(3), Some(&[0, 0, 0][..]));
        assert_eq!(cursor.range(usize::MAX), None);
    }
}
