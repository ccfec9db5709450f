/// Reads bits, the lowest of the first byte first.
#[derive(Debug)]
pub(super) struct Forward<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Forward<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, 16 at most; zeros behind the end.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let mut window = [0; 4];
        let from = self.bytes.get(self.at / 8..).unwrap_or_default();
        let len = from.len().min(4);
        window[..len].copy_from_slice(&from[..len]);
        (u32::from_le_bytes(window) >> (self.at % 8)) & ((1 << count) - 1)
    }

    pub(super) fn pass(&mut self, count: u32) {
        self.at += count as usize;
    }

    /// The bytes that have been begun; `None` if they are more than there are.
    pub(super) fn used(&self) -> Option<usize> {
        let used = self.at.div_ceil(8);
        (used <= self.bytes.len()).then_some(used)
    }
}

/// Reads bits from the end: the last byte's highest set bit is a mark, what lies below it comes first.
#[derive(Debug)]
pub(super) struct Backward<'a> {
    bytes: &'a [u8],
    /// How many bits are left.
    left: usize,
}

impl<'a> Backward<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mark = bytes.last()?.checked_ilog2()?;
        Some(Self { bytes, left: (bytes.len() - 1) * 8 + mark as usize })
    }

    /// The next `count` bits, 32 at most; `None` if there are fewer.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        self.left = self.left.checked_sub(count as usize)?;
        let mut window = [0; 8];
        let from = &self.bytes[self.left / 8..];
        let len = from.len().min(8);
        window[..len].copy_from_slice(&from[..len]);
        let bits = u64::from_le_bytes(window) >> (self.left % 8);
        Some((bits & ((1 << count) - 1)) as u32)
    }
}
