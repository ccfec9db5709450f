use bytes::Bytes;

use crate::{Output, Scratch};

/// Magic, version 1, compatible with version 1.
const HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// snappy-java's default, the largest that its reader allocates without asking.
const BLOCK: usize = 32 << 10;

/// The container that snappy-java's `SnappyOutputStream` writes: a header, then blocks of at most 32 KiB, each a length
/// (4 bytes, big-endian) and raw snappy.
#[derive(Debug, Default)]
pub(crate) struct Snappy {
    begun: bool,
}

impl Snappy {
    pub(crate) fn tile(&mut self, raw: &[u8], output: &mut Output, scratch: &mut Scratch) {
        let packed = &mut scratch.packed;
        packed.clear();
        if !self.begun {
            self.begun = true;
            packed.extend_from_slice(&HEADER);
        }
        let encoder = scratch.snappy.get_or_insert_with(snap::raw::Encoder::new);
        for block in raw.chunks(BLOCK) {
            let at = packed.len();
            packed.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
            let len = match encoder.compress(block, &mut packed[at + 4..]) {
                Ok(len) => len,
                Err(error) => unreachable!("snappy refuses only a short buffer: {error}"),
            };
            packed[at..at + 4].copy_from_slice(&(len as u32).to_be_bytes());
            packed.truncate(at + 4 + len);
        }
        output.push(Bytes::copy_from_slice(packed));
    }

    pub(crate) fn finish(&mut self, output: &mut Output) {
        if !self.begun {
            output.push(Bytes::from_static(&HEADER));
        }
    }
}
