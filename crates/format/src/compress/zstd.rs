use std::fmt;

use bytes::Bytes;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound};

use crate::{Output, Scratch};

/// A frame of no content.
const EMPTY: [u8; 9] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];

/// zstd frames, one a tile.
#[derive(Debug)]
pub(crate) struct Zstd {
    level: i32,
    begun: bool,
}

impl Zstd {
    pub(crate) fn new(level: i32) -> Self {
        Self { level, begun: false }
    }

    pub(crate) fn tile(&mut self, raw: &[u8], output: &mut Output, scratch: &mut Scratch) {
        self.begun = true;
        let packed = &mut scratch.packed;
        packed.clear();
        packed.resize(compress_bound(raw.len()), 0);
        let context = scratch.zstd.get_or_insert_with(ZstdContext::new);
        let len = context.compress(self.level, raw, packed);
        output.push(Bytes::copy_from_slice(&packed[..len]));
    }

    pub(crate) fn finish(&mut self, output: &mut Output) {
        if !self.begun {
            output.push(Bytes::from_static(&EMPTY));
        }
    }
}

/// A thread's zstd compressor.
pub(crate) struct ZstdContext {
    context: CCtx<'static>,
    level: Option<i32>,
}

impl ZstdContext {
    fn new() -> Self {
        Self { context: CCtx::create(), level: None }
    }

    fn compress(&mut self, level: i32, raw: &[u8], packed: &mut [u8]) -> usize {
        if self.level != Some(level) {
            self.level = Some(level);
            if let Err(code) = self.context.set_parameter(CParameter::CompressionLevel(level)) {
                unreachable!("level {level} is in range: {}", zstd::zstd_safe::get_error_name(code));
            }
        }
        match self.context.compress2(packed, raw) {
            Ok(len) => len,
            Err(code) => {
                unreachable!("zstd refuses only a short buffer: {}", zstd::zstd_safe::get_error_name(code))
            }
        }
    }
}

impl fmt::Debug for ZstdContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZstdContext").field("level", &self.level).finish_non_exhaustive()
    }
}
