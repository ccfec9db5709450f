use std::cell::RefCell;

use zstd::zstd_safe::{self, DCtx};

use super::{Codec, Malformed};

thread_local! {
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// All frames in one go, straight into spare capacity: no window is allocated, nothing is copied or zeroed.
///
/// Producers that stream (Java's) do not declare the decompressed size; the bound is then a sum over the blocks' headers,
/// at most 128 KiB each. Capacity above what is written is never touched, so a bound that lies costs address space only.
pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let corrupt = |code| Codec::Zstd.corrupt(zstd_safe::get_error_name(code));
    let bound = zstd_safe::decompress_bound(input).map_err(corrupt)?;
    let bound = usize::try_from(bound).unwrap_or(usize::MAX);
    out.reserve_exact(bound.min(limit));
    let result = CONTEXT.with_borrow_mut(|context| context.decompress(out, input));
    match result {
        Ok(_) if out.len() <= limit => Ok(()),
        Ok(_) => Err(Malformed::TooLarge(limit)),
        // `dstSize_tooSmall` can only come where the limit, not the bound, made the buffer small.
        Err(_) if bound > limit => Err(Malformed::TooLarge(limit)),
        Err(code) => Err(corrupt(code)),
    }
}
