/// The bits at the end of what has been written that do not fill a byte: fewer than eight, the first lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BitTail {
    bits: u8,
    count: u8,
}

impl BitTail {
    /// Ends a deflate stream: a last block without content, and zeros to the byte's end.
    pub(crate) fn finish(self, packed: &mut Vec<u8>) {
        let mut last = [0; 16];
        let mut writer = BitWriter::new(&mut last, self);
        // Last, fixed codes, and the code of the end: seven zeros.
        writer.put(0b011, 3);
        writer.put(0, 7);
        writer.align();
        let (written, _) = writer.end();
        packed.extend_from_slice(&last[..written]);
    }
}

/// Appends `raw` as stored blocks, none of them the last.
pub(super) fn stored(raw: &[u8], mut tail: BitTail, packed: &mut Vec<u8>) -> BitTail {
    for block in raw.chunks(0xFFFF) {
        let mut head = [0; 16];
        let mut writer = BitWriter::new(&mut head, tail);
        writer.put(0, 3);
        writer.align();
        let len = block.len() as u32;
        writer.put(len | (!len & 0xFFFF) << 16, 32);
        let written;
        (written, tail) = writer.end();
        packed.extend_from_slice(&head[..written]);
        packed.extend_from_slice(block);
    }
    tail
}

/// Writes bits into bytes, the lowest first.
pub(super) struct BitWriter<'a> {
    room: &'a mut [u8],
    at: usize,
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// Goes on behind `tail`, at the start of `room`, which must have eight bytes more than will be written.
    pub(super) fn new(room: &'a mut [u8], tail: BitTail) -> Self {
        Self { room, at: 0, bits: u64::from(tail.bits), count: u32::from(tail.count) }
    }

    /// Adds the lowest `count` bits of `bits`; those above are zero. Up to 63 bits may wait for a [`BitWriter::flush`].
    #[inline]
    pub(super) fn add(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.count;
        self.count += count;
    }

    /// Writes the whole bytes of what waits; fewer than 8 bits are left.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.room[self.at..self.at + 8].copy_from_slice(&self.bits.to_le_bytes());
        self.at += (self.count / 8) as usize;
        self.bits >>= self.count & !7;
        self.count &= 7;
    }

    /// Adds and flushes.
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.add(u64::from(bits), count);
        self.flush();
    }

    /// Fills up the last byte with zeros.
    pub(super) fn align(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }

    /// How many bytes were written, and the bits that are left over.
    pub(super) fn end(self) -> (usize, BitTail) {
        (self.at, BitTail { bits: self.bits as u8, count: self.count as u8 })
    }
}
